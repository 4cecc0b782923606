/**
 * The packed form: a collection whose groups lie one behind the other in its entry's value (form.ts).
 *
 * Runs on every thread, under the shard's lock. Sets and hashes keep the order of insertion, sets of integers ascend, sorted
 * sets go by score and member. Every search is a walk; an insertion moves what lies behind it.
 */
import type { Buffer } from 'node:buffer';
import { copyBytes, shiftSharedBytes } from '../base/bytes.ts';
import { entryBytes, typeOf, valueLength, valueOffset } from '../shard/entry.ts';
import { NONE, PROTECTED, TYPE_LIST } from '../shard/layout.ts';
import { growEntry, shrinkEntry } from '../shard/resize-entry.ts';
import type { Shard } from '../shard/shard.ts';
import { beginWriting, endWriting } from '../shard/writing.ts';
import type { Cursor } from './cursor.ts';
import { bounds, FORM_LARGE, PACKED_GROUPS, readForm, readPackedCount, writePackedCount } from './form.ts';
import { skipGroups } from './leaf.ts';

/** Stands the cursor at the first group. */
export function enterPacked({ entries }: Shard, ref: number, cursor: Cursor): void {
  const value = valueOffset(entries, ref);
  cursor.ref = ref;
  cursor.type = typeOf(entries, ref);
  cursor.root = 0;
  cursor.leaf = NONE;
  cursor.bytes = entryBytes(entries, ref);
  cursor.start = value + PACKED_GROUPS;
  cursor.end = value + valueLength(entries, ref);
  cursor.at = cursor.start;
  cursor.depth = 0;
}

/**
 * Whether `groups` of `bytes` may come to those that are there, or the collection must become a tree. One group stays packed,
 * however large.
 */
export function staysPacked({ entries }: Shard, ref: number, bytes: number, groups: number): boolean {
  const keepsOrder = (readForm(entries, ref) & FORM_LARGE) === 0 && typeOf(entries, ref) !== TYPE_LIST;
  const count = readPackedCount(entries, ref);
  if (count + groups === 1) return true;
  return (
    valueLength(entries, ref) - PACKED_GROUPS + bytes <=
      (keepsOrder ? bounds.packedBytesMax : bounds.packedLargeBytesMax) &&
    count + groups <= bounds.packedGroupsMax
  );
}

/** Puts a group before the cursor's, and stands the cursor on it. False: no room, nothing changed. */
export function insertPacked(
  shard: Shard,
  cursor: Cursor,
  group: Buffer,
  start: number,
  end: number,
  nowMs: number,
): boolean {
  const offset = cursor.at - cursor.start;
  const bytes = end - start;
  if (!growBy(shard, cursor, bytes, nowMs)) return false;
  const at = cursor.start + offset;
  beginWriting(shard, cursor.ref);
  shiftSharedBytes(cursor.bytes, at, cursor.end - bytes, at + bytes);
  copyBytes(group, start, end, cursor.bytes, at);
  writePackedCount(shard.entries, cursor.ref, readPackedCount(shard.entries, cursor.ref) + 1);
  endWriting(shard, cursor.ref);
  cursor.at = at;
  return true;
}

/** Puts another group in the place of the cursor's. False: no room, nothing changed. */
export function replacePacked(
  shard: Shard,
  cursor: Cursor,
  group: Buffer,
  start: number,
  end: number,
  nowMs: number,
): boolean {
  const offset = cursor.at - cursor.start;
  const bytes = skipGroups(cursor.type, cursor.bytes, cursor.at, cursor.end, 1) - cursor.at;
  const more = end - start - bytes;
  if (more > 0 && !growBy(shard, cursor, more, nowMs)) return false;
  beginWriting(shard, cursor.ref);
  const at = cursor.start + offset;
  if (more > 0) shiftSharedBytes(cursor.bytes, at + bytes, cursor.end - more, at + bytes + more);
  else if (more < 0) cutOut(shard, cursor, at + bytes + more, at + bytes);
  copyBytes(group, start, end, cursor.bytes, at);
  endWriting(shard, cursor.ref);
  cursor.at = at;
  return true;
}

/** Takes the cursor's group and `count - 1` behind it out; the cursor is where they were. Returns their bytes. */
export function removePacked(shard: Shard, cursor: Cursor, count: number): number {
  const { entries } = shard;
  const end = skipGroups(cursor.type, cursor.bytes, cursor.at, cursor.end, count);
  const bytes = end - cursor.at;
  beginWriting(shard, cursor.ref);
  cutOut(shard, cursor, cursor.at, end);
  writePackedCount(entries, cursor.ref, readPackedCount(entries, cursor.ref) - count);
  endWriting(shard, cursor.ref);
  return bytes;
}

/**
 * Makes the value longer, with zeros behind the groups, for a tree that is to take their place. The cursor then stands at the first
 * group, and its end is that of the zeros. False: no room, nothing changed.
 */
export function lengthenPacked(shard: Shard, cursor: Cursor, length: number, nowMs: number): boolean {
  const bytes = length - valueLength(shard.entries, cursor.ref);
  if (!growBy(shard, cursor, bytes, nowMs)) return false;
  cursor.bytes.fill(0, cursor.end - bytes, cursor.end);
  return true;
}

/** Bytes `[from, to)` of the groups go, and what lies behind them moves up. */
function cutOut(shard: Shard, cursor: Cursor, from: number, to: number): void {
  const { entries } = shard;
  shiftSharedBytes(cursor.bytes, to, cursor.end, from);
  shrinkEntry(shard, cursor.ref, valueLength(entries, cursor.ref) - (to - from));
  cursor.end -= to - from;
}

/** Makes the value longer; afterwards the cursor stands at the first group. */
function growBy(shard: Shard, cursor: Cursor, bytes: number, nowMs: number): boolean {
  const { control, entries } = shard;
  control[PROTECTED] = cursor.ref;
  const isGrown = growEntry(shard, valueLength(entries, cursor.ref) + bytes, nowMs);
  cursor.ref = control[PROTECTED];
  control[PROTECTED] = NONE;
  if (isGrown) enterPacked(shard, cursor.ref, cursor);
  return isGrown;
}
