/**
 * Hashes: what changes one, in both forms, without a record of it (change.ts).
 *
 * Runs on every thread, under the shard's lock. A group is a field, its value, and when it expires if it does. O(log n); in the packed
 * form O(n), which is at most some hundred. Source of the rules: Redis 7.0 `t_hash.c`.
 */
import type { Buffer } from 'node:buffer';
import { NONE } from '../shard/layout.ts';
import type { Shard } from '../shard/shard.ts';
import { createCursor } from './cursor.ts';
import { elementEnd, textLength } from './elements.ts';
import { markLarge } from './form.ts';
import { countOf, insertGroup, removeGroup, replaceGroup, seekMember } from './sequence.ts';
import { thresholds } from './thresholds.ts';

/** Where the last change was. One per thread. */
const cursor = createCursor();

/**
 * Puts the group `bytes[start, end)` of a field and its value, in the place of the field's group if it has one. The entry's reference
 * from then on; NONE without room, and then nothing has changed.
 */
export function putPair(
  shard: Shard,
  ref: number,
  bytes: Buffer,
  start: number,
  end: number,
  nowMs: number,
): number {
  if (isLong(bytes, start)) markLarge(shard, ref);
  const isThere = seekMember(shard, ref, 0, cursor, bytes, start, elementEnd(bytes, start));
  const isDone = isThere
    ? replaceGroup(shard, cursor, bytes, start, end, nowMs)
    : insertGroup(shard, cursor, bytes, start, end, nowMs);
  if (!isDone) return NONE;
  if (!isThere && countOf(shard, cursor.ref) > thresholds.hashEntries) markLarge(shard, cursor.ref);
  return cursor.ref;
}

/** Removes the field whose element is `bytes[start, end)`; false where there is none. */
export function dropField(shard: Shard, ref: number, bytes: Buffer, start: number, end: number): boolean {
  if (!seekMember(shard, ref, 0, cursor, bytes, start, end)) return false;
  removeGroup(shard, cursor);
  return true;
}

/** Whether a field or its value is longer than those of small hashes. */
function isLong(bytes: Buffer, start: number): boolean {
  const { hashValueBytes } = thresholds;
  return (
    textLength(bytes, start) > hashValueBytes || textLength(bytes, elementEnd(bytes, start)) > hashValueBytes
  );
}
