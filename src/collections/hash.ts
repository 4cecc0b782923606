/**
 * Hashes: what changes one, in both forms, without a record of it (change.ts).
 *
 * Runs on every thread, under the shard's lock. A group is a field, its value, and when it expires if it does; the second tree of the
 * deadlines and the hash's place in the wheel go along with each change (hash-deadlines.ts). O(log n); in the packed form O(n), which is at
 * most some hundred. Source of the rules: Redis 7.0 and 8.0 `t_hash.c`.
 */
import { Buffer } from 'node:buffer';
import { copyBytes } from '../base/bytes.ts';
import { CHANGE_BYTES_KEPT_MAX } from '../config/limits-collections.ts';
import { NONE } from '../shard/layout.ts';
import type { Shard } from '../shard/shard.ts';
import { createCursor } from './cursor.ts';
import { groupDeadline, hasDeadlines } from './deadlines.ts';
import { ELEMENT_OVERHEAD_MAX, elementEnd, encodeDeadline, textLength } from './elements.ts';
import { FORM_DEADLINES, markLarge } from './form.ts';
import { addDeadline, noteDeadline, removeDeadline } from './hash-deadlines.ts';
import { skipGroups } from './leaf.ts';
import { staysPacked } from './packed.ts';
import {
  countOf,
  flagsOf,
  insertGroup,
  isTree,
  makeTree,
  removeGroup,
  replaceGroup,
  seekMember,
} from './sequence.ts';
import { thresholds } from './thresholds.ts';

const GROUP_BYTES_START = 256;

/** Where the last change was. One per thread. */
const cursor = createCursor();

/** A group that gets another deadline, while the place that it lies in changes. One per thread. */
let group = Buffer.alloc(GROUP_BYTES_START);

/**
 * Puts the group `bytes[start, end)` of a field, its value, and its deadline if it has one, in the place of the field's group if it has one.
 * The entry's reference from then on; NONE without room, and then nothing has changed.
 */
export function putPair(
  shard: Shard,
  ref: number,
  bytes: Buffer,
  start: number,
  end: number,
  nowMs: number,
): number {
  const value = elementEnd(bytes, start);
  if (isLong(bytes, start, value)) markLarge(shard, ref);
  if (elementEnd(bytes, value) < end || (flagsOf(shard, ref) & FORM_DEADLINES) !== 0)
    return putTimed(shard, ref, bytes, start, end, nowMs);
  const isThere = seekMember(shard, ref, 0, cursor, bytes, start, value);
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
  const deadlineMs = hasDeadlines(shard.entries, ref) ? deadlineHere() : 0;
  removeGroup(shard, cursor);
  if (deadlineMs === 0) return true;
  if (isTree(shard, ref)) removeDeadline(shard, ref, deadlineMs, bytes, start);
  noteDeadline(shard, ref, deadlineMs, 0);
  return true;
}

/**
 * Removes the field whose element is `bytes[start, end)` from the fields of a tree, but its deadline not from the second: the caller removes
 * many together, and notes it.
 */
export function dropFieldOnly(shard: Shard, ref: number, bytes: Buffer, start: number, end: number): void {
  if (seekMember(shard, ref, 0, cursor, bytes, start, end)) removeGroup(shard, cursor);
}

/**
 * Gives the field whose element is `bytes[start, end)` another deadline, 0 for none. A field that is not there is no trouble. As `putPair`,
 * O(value).
 */
export function setDeadline(
  shard: Shard,
  ref: number,
  bytes: Buffer,
  start: number,
  end: number,
  deadlineMs: number,
  nowMs: number,
): number {
  if (!seekMember(shard, ref, 0, cursor, bytes, start, end) || deadlineHere() === deadlineMs) return ref;
  const { bytes: leaf, at } = cursor;
  const length = elementEnd(leaf, elementEnd(leaf, at)) - at;
  if (group.length < length + ELEMENT_OVERHEAD_MAX) group = Buffer.alloc(2 * (length + ELEMENT_OVERHEAD_MAX));
  copyBytes(leaf, at, at + length, group, 0);
  const groupEnd = deadlineMs === 0 ? length : encodeDeadline(group, length, deadlineMs);
  const moved = putTimed(shard, ref, group, 0, groupEnd, nowMs);
  if (group.length > CHANGE_BYTES_KEPT_MAX) group = Buffer.alloc(GROUP_BYTES_START);
  return moved;
}

/** As `putPair` where deadlines come, stay, or go. */
function putTimed(
  shard: Shard,
  ref: number,
  bytes: Buffer,
  start: number,
  end: number,
  nowMs: number,
): number {
  const deadlineMs = groupDeadline(bytes, start, end);
  const isThere = seekMember(shard, ref, 0, cursor, bytes, start, elementEnd(bytes, start));
  const before = isThere ? deadlineHere() : 0;
  // It becomes a tree first, with all deadlines that there are, so that what follows has one way back.
  const planted =
    isTree(shard, ref) || staysSmall(shard, ref, end - start, isThere)
      ? ref
      : makeTree(shard, ref, flagsOf(shard, ref), nowMs);
  if (planted === NONE) return NONE;
  const put = isTree(shard, planted)
    ? putInTrees(shard, planted, bytes, start, end, before, deadlineMs, nowMs)
    : putGroup(shard, planted, bytes, start, end, nowMs);
  if (put === NONE) return NONE;
  noteDeadline(shard, put, before, deadlineMs);
  if (!isThere && countOf(shard, put) > thresholds.hashEntries) markLarge(shard, put);
  return put;
}

/** The new deadline comes first and the old one goes last: whatever finds no room, nothing is half done. */
function putInTrees(
  shard: Shard,
  ref: number,
  bytes: Buffer,
  start: number,
  end: number,
  before: number,
  deadlineMs: number,
  nowMs: number,
): number {
  const isAnother = before !== deadlineMs;
  const added =
    isAnother && deadlineMs !== 0 ? addDeadline(shard, ref, deadlineMs, bytes, start, nowMs) : ref;
  if (added === NONE) return NONE;
  const put = putGroup(shard, added, bytes, start, end, nowMs);
  if (put === NONE) {
    if (isAnother && deadlineMs !== 0) removeDeadline(shard, cursor.ref, deadlineMs, bytes, start);
    return NONE;
  }
  if (isAnother && before !== 0) removeDeadline(shard, put, before, bytes, start);
  return put;
}

/** Puts a group where it belongs, whatever that means for its deadline. */
function putGroup(
  shard: Shard,
  ref: number,
  bytes: Buffer,
  start: number,
  end: number,
  nowMs: number,
): number {
  const isDone = seekMember(shard, ref, 0, cursor, bytes, start, elementEnd(bytes, start))
    ? replaceGroup(shard, cursor, bytes, start, end, nowMs)
    : insertGroup(shard, cursor, bytes, start, end, nowMs);
  return isDone ? cursor.ref : NONE;
}

/** Whether a packed hash stays one when a group of so many bytes comes in, in the place of the cursor's if that is the field's. */
function staysSmall(shard: Shard, ref: number, bytes: number, isThere: boolean): boolean {
  if (!isThere) return staysPacked(shard, ref, bytes, 1);
  const more = bytes - (skipGroups(cursor.type, cursor.bytes, cursor.at, cursor.end, 1) - cursor.at);
  return more <= 0 || staysPacked(shard, ref, more, 0);
}

/** When the field expires at whose group the cursor stands. */
function deadlineHere(): number {
  return groupDeadline(cursor.bytes, cursor.at, cursor.end);
}

/** Whether the field at `start` or its value is longer than those of small hashes. */
function isLong(bytes: Buffer, start: number, value: number): boolean {
  const { hashValueBytes } = thresholds;
  return textLength(bytes, start) > hashValueBytes || textLength(bytes, value) > hashValueBytes;
}
