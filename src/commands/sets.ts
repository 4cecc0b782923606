/**
 * Sets, one at a time: SADD, SREM, SCARD, SISMEMBER, SMISMEMBER, SMEMBERS, SMOVE, SSCAN.
 *
 * Runs on the thread of the command, under the locks of its keys' shards. Source of the rules: Redis 7.0 `t_set.c`.
 */
import type { Buffer } from 'node:buffer';
import {
  beginOp,
  commitChange,
  dropNoted,
  extendOp,
  noteOp,
  OP_ADD,
  OP_REMOVE,
} from '../collections/change.ts';
import { createCursor } from '../collections/cursor.ts';
import { countOf, seekRank, step } from '../collections/sequence.ts';
import { dropMember, hasMember, putMember } from '../collections/set.ts';
import { type ReplyWriter, writeArray, writeInteger, writeSet } from '../resp/reply-writer.ts';
import { NONE, TYPE_SET } from '../shard/layout.ts';
import type { Shard } from '../shard/shard.ts';
import { type Call, type Handler, shardOfKey } from './call.ts';
import { beginEncoding, encodeArgument, encoded, writeElement } from './collection-arguments.ts';
import { scanCollection } from './collection-scan.ts';
import {
  changeCollection,
  finishChange,
  opened,
  openForAdding,
  readCollection,
  replyNoRoomFor,
  WRONG,
} from './collections.ts';
import { NOTIFY_NEW, NOTIFY_SET, notifyKeyspace } from './keyspace-events.ts';
import { peekEntry } from './lookup.ts';

export const setHandlers: Readonly<Record<string, Handler>> = {
  sadd,
  srem,
  scard,
  sismember,
  smismember,
  smembers,
  smove,
  sscan: (call) => scanCollection(call, TYPE_SET, writeMember),
};

const cursor = createCursor();

/** What was added before room was wanting stays. */
function sadd(call: Call): void {
  const { shard, reply, nowMs } = call;
  let ref = openForAdding(call, shard, 1, TYPE_SET, 0);
  if (ref === NONE || ref === WRONG) return;
  const { isNew } = opened;
  const before = countOf(shard, ref);
  let count = before;
  const op = beginOp(OP_ADD, 0);
  for (let index = 2; index < call.count; index += 1) {
    beginEncoding();
    encodeArgument(call, index);
    const { bytes, length } = encoded;
    const moved = putMember(shard, ref, bytes, 0, length, nowMs);
    if (moved === NONE) {
      replyNoRoomFor(call, shard, 1, isNew, length);
      return;
    }
    ref = moved;
    if (countOf(shard, ref) === count) continue;
    count += 1;
    extendOp(op, bytes, 0, length);
  }
  if (count > before) finishChange(call, shard, 1, ref, isNew, NOTIFY_SET, 'sadd');
  else dropNoted();
  writeInteger(reply, count - before);
}

function srem(call: Call): void {
  const { shard, reply } = call;
  const ref = changeCollection(call, shard, 1, TYPE_SET);
  if (ref === WRONG) return;
  let dropped = 0;
  const op = beginOp(OP_REMOVE, 0);
  for (let index = 2; ref !== NONE && index < call.count && countOf(shard, ref) > 0; index += 1) {
    beginEncoding();
    encodeArgument(call, index);
    if (!dropMember(shard, ref, encoded.bytes, 0, encoded.length)) continue;
    extendOp(op, encoded.bytes, 0, encoded.length);
    dropped += 1;
  }
  if (dropped > 0) finishChange(call, shard, 1, ref, false, NOTIFY_SET, 'srem');
  else dropNoted();
  writeInteger(reply, dropped);
}

function scard(call: Call): void {
  const ref = readCollection(call, call.shard, 1, TYPE_SET);
  if (ref !== WRONG) writeInteger(call.reply, ref === NONE ? 0 : countOf(call.shard, ref));
}

function sismember(call: Call): void {
  const ref = readCollection(call, call.shard, 1, TYPE_SET);
  if (ref !== WRONG) writeInteger(call.reply, isMember(call, call.shard, ref, 2) ? 1 : 0);
}

function smismember(call: Call): void {
  const { shard, reply } = call;
  const ref = readCollection(call, shard, 1, TYPE_SET);
  if (ref === WRONG) return;
  writeArray(reply, call.count - 2);
  for (let index = 2; index < call.count; index += 1) {
    writeInteger(reply, isMember(call, shard, ref, index) ? 1 : 0);
  }
}

/** Whether argument `index` is a member of a set, which may be NONE. It is encoded then. */
function isMember(call: Call, shard: Shard, ref: number, index: number): boolean {
  if (ref === NONE) return false;
  beginEncoding();
  encodeArgument(call, index);
  return hasMember(shard, ref, encoded.bytes, 0, encoded.length);
}

function smembers(call: Call): void {
  const { shard, reply } = call;
  const ref = readCollection(call, shard, 1, TYPE_SET);
  if (ref === WRONG) return;
  writeSet(reply, ref === NONE ? 0 : countOf(shard, ref));
  if (ref === NONE) return;
  for (let more = seekRank(shard, ref, 0, cursor, 0); more; more = step(shard, cursor)) {
    writeElement(reply, cursor.bytes, cursor.at);
  }
}

function smove(call: Call): void {
  const { reply } = call;
  const source = shardOfKey(call, 1);
  const target = shardOfKey(call, 2);
  const ref = changeCollection(call, source, 1, TYPE_SET);
  if (ref === WRONG) return;
  if (ref === NONE) {
    writeInteger(reply, 0);
    return;
  }
  const known = changeCollection(call, target, 2, TYPE_SET);
  if (known === WRONG) return;
  const isThere = isMember(call, source, ref, 3);
  if (!isThere || (source === target && ref === known)) writeInteger(reply, isThere ? 1 : 0);
  else if (moveMember(call, source, target)) writeInteger(reply, 1);
}

/** Moves the encoded member. It comes before it goes, so that it is not lost for want of room; false without, which is answered. */
function moveMember(call: Call, source: Shard, target: Shard): boolean {
  const { bytes, length } = encoded;
  const ref = openForAdding(call, target, 2, TYPE_SET, 0);
  if (ref === NONE) return false;
  const { isNew } = opened;
  const before = countOf(target, ref);
  const moved = putMember(target, ref, bytes, 0, length, call.nowMs);
  if (moved === NONE) {
    replyNoRoomFor(call, target, 2, isNew, length);
    return false;
  }
  const isAdded = countOf(target, moved) > before;
  if (isAdded) noteOp(OP_ADD, 0, bytes, 0, length);
  commitChange(target, call.session.database, moved, isNew);
  // What was done for room may have moved the source; it may even have been evicted.
  const left = peekEntry(call, source, 1);
  if (left !== NONE && dropMember(source, left, bytes, 0, length)) {
    noteOp(OP_REMOVE, 0, bytes, 0, length);
    finishChange(call, source, 1, left, false, NOTIFY_SET, 'srem');
  }
  if (isNew) notifyKeyspace(call, NOTIFY_NEW, 'new', 2);
  if (isAdded) notifyKeyspace(call, NOTIFY_SET, 'sadd', 2);
  return true;
}

function writeMember(reply: ReplyWriter, bytes: Buffer, at: number): number {
  writeElement(reply, bytes, at);
  return 1;
}
