/**
 * Results that become a collection: those of SUNIONSTORE, ZRANGESTORE, SORT with STORE and their like.
 *
 * Runs on the thread of the command, under the locks of its keys' shards. The result lies in private memory, since the destination may be
 * one of the sources.
 */
import type { Buffer } from 'node:buffer';
import { commitChange, dropNoted, noteBareOp, noteOp, OP_ADD, OP_FORM } from '../collections/change.ts';
import { fillTree, UNFIT } from '../collections/tree-fill.ts';
import { NONE, WRITING } from '../shard/layout.ts';
import { removeEntry } from '../shard/lifecycle.ts';
import type { Shard } from '../shard/shard.ts';
import { type Call, shardOfKey } from './call.ts';
import { openForAdding } from './collections.ts';
import { type EventName, NOTIFY_GENERIC, NOTIFY_NEW, notifyKeyspace } from './keyspace-events.ts';
import { peekEntry, replyNoRoom } from './lookup.ts';

/** Puts one group `bytes[start, end)`: as collections/{list,set,zset}.ts do. */
export type PutGroup = (
  shard: Shard,
  ref: number,
  bytes: Buffer,
  start: number,
  end: number,
  nowMs: number,
) => number;

/**
 * Makes the groups `bytes[0, length)`, of which `groupEnd` says where each ends, the value of key argument `keyIndex`, in the place of
 * whatever it was, with the FORM_ flags `flags` from the first on. None: the key goes. Answers, and is false, only without room: then the key is gone.
 */
export function storeGroups(
  call: Call,
  keyIndex: number,
  type: number,
  flags: number,
  bytes: Buffer,
  length: number,
  groupEnd: (bytes: Buffer, at: number) => number,
  put: PutGroup,
  eventClass: number,
  event: EventName,
): boolean {
  const shard = shardOfKey(call, keyIndex);
  const before = peekEntry(call, shard, keyIndex);
  if (before !== NONE) removeEntry(shard, before);
  if (length === 0) {
    if (before !== NONE) notifyKeyspace(call, NOTIFY_GENERIC, 'del', keyIndex);
    return true;
  }
  const empty = openForAdding(call, shard, keyIndex, type, flags);
  if (empty === NONE) return false;
  const filled = fillTree(shard, empty, bytes, 0, length, call.nowMs);
  const ref = filled === UNFIT ? putEach(call, shard, empty, bytes, length, groupEnd, put) : filled;
  if (ref === NONE) {
    giveUp(call, shard, keyIndex, length);
    return false;
  }
  if (flags !== 0) noteBareOp(OP_FORM, flags);
  noteOp(OP_ADD, 0, bytes, 0, length);
  commitChange(shard, call.session.database, ref, true);
  if (before === NONE) notifyKeyspace(call, NOTIFY_NEW, 'new', keyIndex);
  notifyKeyspace(call, eventClass, event, keyIndex);
  return true;
}

/** Puts the groups one by one. The entry from then on; NONE without room, and then a part of them is there. */
function putEach(
  { nowMs }: Call,
  shard: Shard,
  empty: number,
  bytes: Buffer,
  length: number,
  groupEnd: (bytes: Buffer, at: number) => number,
  put: PutGroup,
): number {
  let ref = empty;
  let end = 0;
  for (let at = 0; at < length && ref !== NONE; at = end) {
    end = groupEnd(bytes, at);
    ref = put(shard, ref, bytes, at, end, nowMs);
  }
  return ref;
}

/** Half a result is none. */
function giveUp(call: Call, shard: Shard, keyIndex: number, bytes: number): void {
  dropNoted();
  const ref = peekEntry(call, shard, keyIndex);
  if (ref !== NONE) removeEntry(shard, ref);
  shard.control[WRITING] = NONE;
  replyNoRoom(call, shard, keyIndex, bytes);
}
