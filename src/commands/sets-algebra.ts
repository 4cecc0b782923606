/**
 * Sets with sets: SINTER, SINTERCARD, SUNION, SDIFF, and what stores their results.
 *
 * Runs on the thread of the command, under the locks of its keys' shards. Members are compared as they lie in memory; an intersection
 * walks through the smallest set. Source of the rules: Redis 7.0 `t_set.c`.
 */
import type { Buffer } from 'node:buffer';
import { createCursor } from '../collections/cursor.ts';
import { elementEnd } from '../collections/elements.ts';
import { addMember, clearMembers, createMemberSet } from '../collections/member-set.ts';
import { countOf, seekRank, step } from '../collections/sequence.ts';
import { hasMember, putMember } from '../collections/set.ts';
import { writeError, writeInteger, writeSet } from '../resp/reply-writer.ts';
import { NONE, TYPE_SET } from '../shard/layout.ts';
import type { Shard } from '../shard/shard.ts';
import { isWord, replySyntaxError } from './arguments.ts';
import { type Call, type Handler, shardOfKey } from './call.ts';
import { beginEncoding, encodeCopy, encoded, writeElement } from './collection-arguments.ts';
import { readAtLeast } from './collection-places.ts';
import { storeGroups } from './collection-store.ts';
import { readCollection, WRONG } from './collections.ts';
import { type EventName, NOTIFY_SET } from './keyspace-events.ts';

export const setAlgebraHandlers: Readonly<Record<string, Handler>> = {
  sinter: (call) => reply(call, intersect),
  sunion: (call) => reply(call, unite),
  sdiff: (call) => reply(call, subtract),
  sinterstore: (call) => store(call, intersect, 'sinterstore'),
  sunionstore: (call) => store(call, unite, 'sunionstore'),
  sdiffstore: (call) => store(call, subtract, 'sdiffstore'),
  sintercard,
};

/** Encodes the result over the sources; how many members it has. */
type Operation = () => number;

const cursor = createCursor();
const met = createMemberSet();

/** The sets of the command's keys, NONE for those that are not there. One list per thread. */
const sources: { shard: Shard; ref: number }[] = [];

function reply(call: Call, operation: Operation): void {
  if (!findSources(call, 1, call.count - 1)) return;
  beginEncoding();
  writeSet(call.reply, operation());
  sources.length = 0;
  const { bytes, length } = encoded;
  for (let at = 0; at < length; at = elementEnd(bytes, at)) writeElement(call.reply, bytes, at);
}

function store(call: Call, operation: Operation, event: EventName): void {
  if (!findSources(call, 2, call.count - 2)) return;
  beginEncoding();
  const count = operation();
  sources.length = 0;
  const { bytes, length } = encoded;
  if (storeGroups(call, 1, TYPE_SET, 0, bytes, length, elementEnd, putMember, NOTIFY_SET, event)) {
    writeInteger(call.reply, count);
  }
}

function sintercard(call: Call): void {
  const keys = readAtLeast(call, 1, 1, 'ERR numkeys should be greater than 0');
  if (Number.isNaN(keys)) return;
  if (keys > call.count - 2) {
    writeError(call.reply, "ERR Number of keys can't be greater than number of args");
    return;
  }
  let limit = 0;
  for (let index = 2 + keys; index < call.count; index += 2) {
    if (index + 1 >= call.count || !isWord(call, index, 'LIMIT')) {
      replySyntaxError(call);
      return;
    }
    limit = readAtLeast(call, index + 1, 0, "ERR LIMIT can't be negative");
    if (Number.isNaN(limit)) return;
  }
  if (!findSources(call, 2, keys)) return;
  writeInteger(call.reply, walkCommon(limit === 0 ? Infinity : limit, false));
  sources.length = 0;
}

/** Looks up `keys` keys from argument `first` on; false, and WRONGTYPE is answered, when one is no set. */
function findSources(call: Call, first: number, keys: number): boolean {
  sources.length = 0;
  for (let index = first; index < first + keys; index += 1) {
    const shard = shardOfKey(call, index);
    const ref = readCollection(call, shard, index, TYPE_SET);
    if (ref === WRONG) return false;
    sources.push({ shard, ref });
  }
  return true;
}

function intersect(): number {
  return walkCommon(Infinity, true);
}

/** Counts what all sources have, up to `members`, and encodes it if it is wanted. */
function walkCommon(members: number, isWanted: boolean): number {
  if (sources.some(({ ref }) => ref === NONE)) return 0;
  sources.sort((a, b) => countOf(a.shard, a.ref) - countOf(b.shard, b.ref));
  let count = 0;
  const [{ shard, ref }] = sources;
  for (let more = seekRank(shard, ref, 0, cursor, 0); more && count < members; more = step(shard, cursor)) {
    if (!isInAll(cursor.bytes, cursor.at)) continue;
    if (isWanted) encodeCopy(cursor.bytes, cursor.at, elementEnd(cursor.bytes, cursor.at));
    count += 1;
  }
  return count;
}

function isInAll(bytes: Buffer, at: number): boolean {
  const end = elementEnd(bytes, at);
  for (let i = 1; i < sources.length; i += 1) {
    if (!hasMember(sources[i].shard, sources[i].ref, bytes, at, end)) return false;
  }
  return true;
}

function unite(): number {
  clearMembers(met);
  for (const { shard, ref } of sources) {
    if (ref === NONE) continue;
    for (let more = seekRank(shard, ref, 0, cursor, 0); more; more = step(shard, cursor)) {
      const at = encodeCopy(cursor.bytes, cursor.at, elementEnd(cursor.bytes, cursor.at));
      if (!addMember(met, encoded.bytes, at)) encoded.length = at;
    }
  }
  return met.count;
}

/** What the first has and no other. */
function subtract(): number {
  const [{ shard, ref }] = sources;
  if (ref === NONE) return 0;
  let count = 0;
  for (let more = seekRank(shard, ref, 0, cursor, 0); more; more = step(shard, cursor)) {
    const end = elementEnd(cursor.bytes, cursor.at);
    if (isInAnother(cursor.bytes, cursor.at, end)) continue;
    encodeCopy(cursor.bytes, cursor.at, end);
    count += 1;
  }
  return count;
}

function isInAnother(bytes: Buffer, at: number, end: number): boolean {
  for (let i = 1; i < sources.length; i += 1) {
    const other = sources[i];
    if (other.ref !== NONE && hasMember(other.shard, other.ref, bytes, at, end)) return true;
  }
  return false;
}
