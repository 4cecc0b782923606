/**
 * Sets: what changes one, in both forms, without a record of it (change.ts).
 *
 * Runs on every thread, under the shard's lock. A group is one member. As long as all of them are integers, and not too many, a set is
 * what redis-server calls an intset: packed, in ascending order. Source of the rules: Redis 7.0 `t_set.c`.
 */
import type { Buffer } from 'node:buffer';
import { parseInt64 } from '../base/decimal.ts';
import { NONE } from '../shard/layout.ts';
import type { Shard } from '../shard/shard.ts';
import { createCursor } from './cursor.ts';
import { encodingEnd, integerAt, isIntegerElement, textStart } from './elements.ts';
import { isLarge, markLarge } from './form.ts';
import { countOf, insertGroup, isTree, removeGroup, seekMember, seekRank, step } from './sequence.ts';
import { thresholds } from './thresholds.ts';

/** Where the last change was. One per thread. */
const cursor = createCursor();

/**
 * Adds the member whose element is `bytes[start, end)`, unless it is there. The entry's reference from then on; NONE without room, and
 * then nothing has changed.
 */
export function putMember(
  shard: Shard,
  ref: number,
  bytes: Buffer,
  start: number,
  end: number,
  nowMs: number,
): number {
  const value = isLarge(shard, ref) ? undefined : integerOf(bytes, start);
  if (value === undefined) markLarge(shard, ref);
  const isThere =
    value === undefined || isTree(shard, ref)
      ? seekMember(shard, ref, 0, cursor, bytes, start, end)
      : seekInteger(shard, ref, value);
  if (isThere) return ref;
  if (!insertGroup(shard, cursor, bytes, start, end, nowMs)) return NONE;
  if (countOf(shard, cursor.ref) > thresholds.intsetEntries) markLarge(shard, cursor.ref);
  return cursor.ref;
}

/** Removes the member whose element is `bytes[start, end)`; false where it is none. */
export function dropMember(shard: Shard, ref: number, bytes: Buffer, start: number, end: number): boolean {
  if (!seekMember(shard, ref, 0, cursor, bytes, start, end)) return false;
  removeGroup(shard, cursor);
  return true;
}

/** Whether the element `bytes[start, end)` is a member. */
export function hasMember(shard: Shard, ref: number, bytes: Buffer, start: number, end: number): boolean {
  return seekMember(shard, ref, 0, cursor, bytes, start, end);
}

/** Stands the cursor at an integer, or where it belongs; whether it is there. */
function seekInteger(shard: Shard, ref: number, value: number | bigint): boolean {
  let more = seekRank(shard, ref, 0, cursor, 0);
  while (more && valueHere() < value) more = step(shard, cursor);
  return more && valueHere() === value;
}

/** The value of the member at the cursor, which is an integer as all of its set. */
function valueHere(): number | bigint {
  return integerOf(cursor.bytes, cursor.at) ?? 0;
}

/** The integer that an element spells, undefined when it spells none: beyond the safe integers it is a text in memory. */
function integerOf(bytes: Buffer, at: number): number | bigint | undefined {
  if (isIntegerElement(bytes, at)) return integerAt(bytes, at);
  return parseInt64(bytes, textStart(bytes, at), encodingEnd(bytes, at));
}
