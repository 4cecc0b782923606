/**
 * Hashes: HSET, HMSET, HSETNX, HGET, HMGET, HGETALL, HKEYS, HVALS, HDEL, HEXISTS, HLEN, HSTRLEN, HSCAN.
 *
 * Runs on the thread of the command, under the lock of the key's shard. Source of the rules: Redis 7.0 `t_hash.c`.
 */
import type { Buffer } from 'node:buffer';
import { beginOp, dropNoted, extendOp, OP_ADD, OP_REMOVE } from '../collections/change.ts';
import { createCursor } from '../collections/cursor.ts';
import { groupDeadline, hasDeadlines } from '../collections/deadlines.ts';
import { elementEnd, textLength } from '../collections/elements.ts';
import { dropField, putPair } from '../collections/hash.ts';
import { isDue } from '../collections/hash-deadlines.ts';
import { countOf, seekMember, seekRank, step } from '../collections/sequence.ts';
import {
  type ReplyWriter,
  writeArray,
  writeError,
  writeInteger,
  writeMap,
  writeNull,
  writeOk,
} from '../resp/reply-writer.ts';
import { NONE, TYPE_HASH } from '../shard/layout.ts';
import type { Call, Handler } from './call.ts';
import { beginEncoding, encodeArgument, encoded, writeElement } from './collection-arguments.ts';
import { scanCollection } from './collection-scan.ts';
import { finishChange, opened, openForAdding, readCollection, replyNoRoomFor, WRONG } from './collections.ts';
import { changeHash, countDueFields, openHash } from './hashes-due.ts';
import { NOTIFY_HASH } from './keyspace-events.ts';

export const hashHandlers: Readonly<Record<string, Handler>> = {
  hset: (call) => setFields(call, false),
  hmset: (call) => setFields(call, true),
  hsetnx,
  hget,
  hmget,
  hgetall: (call) => replyAll(call, WITH_FIELDS | WITH_VALUES),
  hkeys: (call) => replyAll(call, WITH_FIELDS),
  hvals: (call) => replyAll(call, WITH_VALUES),
  hdel,
  hexists,
  hlen,
  hstrlen,
  hscan: (call) => scanCollection(call, TYPE_HASH, writePair),
};

const WITH_FIELDS = 1;
const WITH_VALUES = 2;

/** Where the last look-up ended. One per thread. */
const cursor = createCursor();

/** Whether the hash has the field of argument `index`, which `encoded` holds then; the cursor stands at it if so. */
export function findField(call: Call, ref: number, index: number): boolean {
  const { shard, nowMs } = call;
  beginEncoding();
  encodeArgument(call, index);
  if (!seekMember(shard, ref, 0, cursor, encoded.bytes, 0, encoded.length)) return false;
  return !hasDeadlines(shard.entries, ref) || !isDue(cursor.bytes, cursor.at, cursor.end, nowMs);
}

/** Where the value of the field begins that `findField` has found, and in which bytes. */
export function foundValue(): number {
  return elementEnd(cursor.bytes, cursor.at);
}

export function foundBytes(): Buffer {
  return cursor.bytes;
}

/** When the field expires that `findField` has found; 0: never. */
export function foundDeadline(): number {
  return groupDeadline(cursor.bytes, cursor.at, cursor.end);
}

/** The pairs from argument 2 on. What was put before room was wanting stays. */
function setFields(call: Call, isOld: boolean): void {
  const { shard, reply, nowMs } = call;
  if ((call.count & 1) === 1) {
    writeError(reply, `ERR wrong number of arguments for '${isOld ? 'hmset' : 'hset'}' command`);
    return;
  }
  let ref = openHash(call, 2, 2);
  if (ref === NONE || ref === WRONG) return;
  const { isNew } = opened;
  const before = countOf(shard, ref);
  const op = beginOp(OP_ADD, 0);
  for (let index = 2; index < call.count; index += 2) {
    beginEncoding();
    const start = encodeArgument(call, index);
    encodeArgument(call, index + 1);
    const moved = putPair(shard, ref, encoded.bytes, start, encoded.length, nowMs);
    if (moved === NONE) {
      replyNoRoomFor(call, shard, 1, isNew, encoded.length);
      return;
    }
    ref = moved;
    extendOp(op, encoded.bytes, start, encoded.length);
  }
  const added = countOf(shard, ref) - before;
  finishChange(call, shard, 1, ref, isNew, NOTIFY_HASH, 'hset');
  if (isOld) writeOk(reply);
  else writeInteger(reply, added);
}

function hsetnx(call: Call): void {
  const { reply } = call;
  const ref = changeHash(call, 2, call.count);
  if (ref === WRONG) return;
  if (ref !== NONE && findField(call, ref, 2)) {
    writeInteger(reply, 0);
    return;
  }
  beginEncoding();
  encodeArgument(call, 2);
  encodeArgument(call, 3);
  if (storePair(call, 'hset')) writeInteger(reply, 1);
}

/** Puts the pair that is encoded under the key of argument 1, and tells of it. Answers only without room, and is false then. */
export function storePair(call: Call, event: 'hset' | 'hincrby' | 'hincrbyfloat'): boolean {
  const { shard, nowMs } = call;
  const { length } = encoded;
  const ref = openForAdding(call, shard, 1, TYPE_HASH, 0);
  if (ref === NONE) return false;
  const { isNew } = opened;
  const moved = putPair(shard, ref, encoded.bytes, 0, length, nowMs);
  if (moved === NONE) {
    replyNoRoomFor(call, shard, 1, isNew, length);
    return false;
  }
  extendOp(beginOp(OP_ADD, 0), encoded.bytes, 0, length);
  finishChange(call, shard, 1, moved, isNew, NOTIFY_HASH, event);
  return true;
}

function hget(call: Call): void {
  const { shard, reply } = call;
  const ref = readCollection(call, shard, 1, TYPE_HASH);
  if (ref !== WRONG) replyField(call, ref, 2, reply);
}

function hmget(call: Call): void {
  const { shard, reply } = call;
  const ref = readCollection(call, shard, 1, TYPE_HASH);
  if (ref === WRONG) return;
  writeArray(reply, call.count - 2);
  for (let index = 2; index < call.count; index += 1) replyField(call, ref, index, reply);
}

function replyField(call: Call, ref: number, index: number, reply: ReplyWriter): void {
  if (ref === NONE || !findField(call, ref, index)) writeNull(reply);
  else writeElement(reply, cursor.bytes, foundValue());
}

function replyAll(call: Call, parts: number): void {
  const { shard, reply, nowMs } = call;
  const ref = readCollection(call, shard, 1, TYPE_HASH);
  if (ref === WRONG) return;
  const due = ref === NONE ? 0 : countDueFields(shard, ref, nowMs);
  const count = ref === NONE ? 0 : countOf(shard, ref) - due;
  if (parts === (WITH_FIELDS | WITH_VALUES)) writeMap(reply, count);
  else writeArray(reply, count);
  if (ref === NONE) return;
  for (let more = seekRank(shard, ref, 0, cursor, 0); more; more = step(shard, cursor)) {
    const { bytes, at, end } = cursor;
    if (due > 0 && isDue(bytes, at, end, nowMs)) continue;
    if ((parts & WITH_FIELDS) !== 0) writeElement(reply, bytes, at);
    if ((parts & WITH_VALUES) !== 0) writeElement(reply, bytes, elementEnd(bytes, at));
  }
}

function hdel(call: Call): void {
  const { shard, reply } = call;
  const ref = changeHash(call, 2, 1);
  if (ref === WRONG) return;
  let dropped = 0;
  if (ref !== NONE) {
    const op = beginOp(OP_REMOVE, 0);
    for (let index = 2; index < call.count && countOf(shard, ref) > 0; index += 1) {
      beginEncoding();
      const start = encodeArgument(call, index);
      if (!dropField(shard, ref, encoded.bytes, start, encoded.length)) continue;
      extendOp(op, encoded.bytes, start, encoded.length);
      dropped += 1;
    }
    if (dropped > 0) finishChange(call, shard, 1, ref, false, NOTIFY_HASH, 'hdel');
    else dropNoted();
  }
  writeInteger(reply, dropped);
}

function hexists(call: Call): void {
  const ref = readCollection(call, call.shard, 1, TYPE_HASH);
  if (ref !== WRONG) writeInteger(call.reply, ref !== NONE && findField(call, ref, 2) ? 1 : 0);
}

function hlen(call: Call): void {
  const ref = readCollection(call, call.shard, 1, TYPE_HASH);
  if (ref !== WRONG) writeInteger(call.reply, ref === NONE ? 0 : countOf(call.shard, ref));
}

function hstrlen(call: Call): void {
  const ref = readCollection(call, call.shard, 1, TYPE_HASH);
  if (ref === WRONG) return;
  const isThere = ref !== NONE && findField(call, ref, 2);
  writeInteger(call.reply, isThere ? textLength(cursor.bytes, foundValue()) : 0);
}

function writePair(reply: ReplyWriter, bytes: Buffer, at: number): number {
  writeElement(reply, bytes, at);
  writeElement(reply, bytes, elementEnd(bytes, at));
  return 2;
}
