/**
 * Many strings at once: MGET, MSET, MSETNX. Their keys may lie in several shards, whose locks are all held.
 *
 * Runs on the thread of the command. A write is all or nothing: the dispatcher has made room for the bytes, what is left
 * to check before the first key changes is the limit on the number of keys.
 */
import { SHARDS_MAX } from '../config/limits.ts';
import { writeArray, writeError, writeInteger, writeNull, writeOk } from '../resp/reply-writer.ts';
import { typeOf } from '../shard/entry.ts';
import { evictOne } from '../shard/eviction.ts';
import { KEYS_LIVE, KEYS_MAX, NONE, TYPE_STRING } from '../shard/layout.ts';
import { OUT_OF_MEMORY } from './arguments.ts';
import { type Call, type Handler, shardOfKey } from './call.ts';
import { NOTIFY_STRING, notifyKeyspace } from './keyspace-events.ts';
import { peekEntry, readEntry, writeEntry } from './lookup.ts';
import { replyEntryValue, storeArgument } from './strings-value.ts';

/** How many new keys the running command brings to each shard. One per thread. */
const newKeys = new Uint32Array(SHARDS_MAX);

export const stringManyHandlers: Readonly<Record<string, Handler>> = { mget, mset, msetnx };

function mget(call: Call): void {
  const { reply, count } = call;
  writeArray(reply, count - 1);
  for (let index = 1; index < count; index += 1) {
    const shard = shardOfKey(call, index);
    const ref = readEntry(call, shard, index);
    if (ref === NONE || typeOf(shard.entries, ref) !== TYPE_STRING) writeNull(reply);
    else replyEntryValue(reply, shard, ref);
  }
}

function mset(call: Call): void {
  if (hasPairs(call) && storePairs(call)) writeOk(call.reply);
}

function msetnx(call: Call): void {
  if (!hasPairs(call)) return;
  if (hasAnyKey(call)) writeInteger(call.reply, 0);
  else if (storePairs(call)) writeInteger(call.reply, 1);
}

function hasPairs(call: Call): boolean {
  if (call.count % 2 === 1) return true;
  writeError(call.reply, `ERR wrong number of arguments for '${call.command.spec.name}' command`);
  return false;
}

function hasAnyKey(call: Call): boolean {
  let found = false;
  for (let index = 1; index < call.count; index += 2) {
    if (writeEntry(call, shardOfKey(call, index), index) !== NONE) found = true;
  }
  return found;
}

/** Stores every pair, in order, so that of equal keys the last one stays; answers and returns false without room. */
function storePairs(call: Call): boolean {
  if (!admitPairs(call)) {
    writeError(call.reply, OUT_OF_MEMORY);
    return false;
  }
  for (let index = 1; index < call.count; index += 2) {
    if (!storeArgument(call, shardOfKey(call, index), index, index + 1, 0)) return false;
    notifyKeyspace(call, NOTIFY_STRING, 'set', index);
  }
  return true;
}

/** Evicts until the limit on keys leaves room for all that are new; false, with nothing stored, when it never will. */
function admitPairs(call: Call): boolean {
  if (call.shard.control[KEYS_MAX] === 0) return true;
  for (;;) {
    countNewKeys(call);
    const crowded = crowdedShard(call);
    if (crowded < 0) return true;
    // One that must go may be a key of this very command: then that is a new one, so all are counted again.
    const shard = call.engine.shards[crowded];
    if (newKeys[crowded] > shard.control[KEYS_MAX] || !evictOne(shard, call.nowMs)) return false;
  }
}

/** A key that stands twice counts twice: the check is on the safe side. */
function countNewKeys(call: Call): void {
  newKeys.fill(0, 0, call.engine.shards.length);
  for (let index = 1; index < call.count; index += 2) {
    const shard = shardOfKey(call, index);
    if (peekEntry(call, shard, index) === NONE) newKeys[shard.index] += 1;
  }
}

/** A shard with too many keys for the new ones to come, -1 without one. */
function crowdedShard(call: Call): number {
  for (const { index, control } of call.engine.shards) {
    if (newKeys[index] > 0 && control[KEYS_LIVE] + newKeys[index] > control[KEYS_MAX]) return index;
  }
  return -1;
}
