/**
 * Changing the length of an entry's value that is no string: type, key and what the value begins with stay.
 *
 * Runs on every thread, under the shard's lock. Small values get blocks of exactly their size, since most collections are
 * small ones; larger ones some room to grow.
 */
import { copySharedBytes } from '../base/bytes.ts';
import { PACKED_EXACT_BYTES_MAX, PACKED_GROWTH_SHARE } from '../config/limits-collections.ts';
import { blockCells, cellsForBytes, resizeInPlace } from './arena.ts';
import {
  entryBytes,
  entryOffset,
  isWide,
  keyLength,
  keyOffset,
  lsnOf,
  typeOf,
  valueLength,
  valueOffset,
  writeLsn,
} from './entry.ts';
import { reserveBlock, resizeInPlaceWithin } from './eviction.ts';
import { isTimed } from './expiry.ts';
import {
  CELL_BYTES,
  NARROW_KEY_AT,
  NARROW_KEY_BYTES_MAX,
  NONE,
  PROTECTED,
  SHAPE,
  SHAPE_KEY_HALF,
  SHAPE_SLACK_SHIFT,
  SHAPE_TYPE_MASK,
  SHAPE_TYPE_SHIFT,
  SHAPE_WIDE,
  SLACK_BYTES_MAX,
  WIDE_KEY_AT,
  WIDE_KEY_LENGTH,
  WIDE_VALUE_LENGTH,
  WORDS_PER_CELL,
  WRITING,
} from './layout.ts';
import type { Shard } from './shard.ts';
import { hashOfEntry } from './table.ts';
import { takeOver } from './take-over.ts';

const SLACK_BITS = SLACK_BYTES_MAX << SHAPE_SLACK_SHIFT;
const TYPE_BITS = SHAPE_TYPE_MASK << SHAPE_TYPE_SHIFT;

/** A wide block whose value needs less than this share of it is cut. */
const WIDE_USED_SHARE = 2;

/**
 * Makes the value of the entry that `control[PROTECTED]` names `length` bytes long; what it grows by is not cleared. Others may
 * be evicted or moved for it, and it may move: `control[PROTECTED]` names it from then on. False: there is no room, and it
 * is as it was. O(value) where it moves, O(1) else.
 */
export function growEntry(shard: Shard, length: number, nowMs: number): boolean {
  const { control, entries } = shard;
  const ref = control[PROTECTED];
  if (growInPlace(shard, ref, length)) return true;
  const keyBytes = keyLength(entries, ref);
  const isNarrow = isNarrowFor(keyBytes, length);
  const bytes = isNarrow ? NARROW_KEY_AT : WIDE_KEY_AT + growthFor(length);
  const block = reserveBlock(shard, cellsForBytes(bytes + keyBytes + length), nowMs);
  if (block === NONE) return false;
  moveValue(shard, control[PROTECTED], block, isNarrow, keyBytes, length);
  control[PROTECTED] = block;
  return true;
}

/** Cuts an entry's value down to `length` bytes, where it stands. O(1). */
export function shrinkEntry(shard: Shard, ref: number, length: number): void {
  const { entries } = shard;
  const { words } = entries;
  const shape = ref * WORDS_PER_CELL + SHAPE;
  const keyBytes = keyLength(entries, ref);
  if (isWide(entries, ref)) {
    const bytes = WIDE_KEY_AT + keyBytes + length;
    words[ref * WORDS_PER_CELL + WIDE_VALUE_LENGTH] = length;
    if (bytes * WIDE_USED_SHARE < blockCells(words, ref) * CELL_BYTES)
      resizeInPlace(entries, ref, cellsForBytes(bytes));
    return;
  }
  const bytes = NARROW_KEY_AT + keyBytes + length;
  resizeInPlace(entries, ref, cellsForBytes(bytes));
  const slack = blockCells(words, ref) * CELL_BYTES - bytes;
  words[shape] = (words[shape] & ~SLACK_BITS) | (slack << SHAPE_SLACK_SHIFT);
}

function growInPlace(shard: Shard, ref: number, length: number): boolean {
  const { entries } = shard;
  const { words } = entries;
  const keyBytes = keyLength(entries, ref);
  if (isWide(entries, ref)) {
    const bytes = WIDE_KEY_AT + keyBytes + length;
    const hasRoom =
      bytes <= blockCells(words, ref) * CELL_BYTES ||
      resizeInPlaceWithin(shard, ref, cellsForBytes(bytes + growthFor(length)));
    if (hasRoom) words[ref * WORDS_PER_CELL + WIDE_VALUE_LENGTH] = length;
    return hasRoom;
  }
  const bytes = NARROW_KEY_AT + keyBytes + length;
  if (bytes > blockCells(words, ref) * CELL_BYTES) {
    if (!isNarrowFor(keyBytes, length) || !resizeInPlaceWithin(shard, ref, cellsForBytes(bytes)))
      return false;
  }
  const shape = ref * WORDS_PER_CELL + SHAPE;
  const slack = blockCells(words, ref) * CELL_BYTES - bytes;
  words[shape] = (words[shape] & ~SLACK_BITS) | (slack << SHAPE_SLACK_SHIFT);
  return true;
}

/** Copies key and value to another block, and makes that the entry. */
function moveValue(
  shard: Shard,
  from: number,
  to: number,
  isNarrow: boolean,
  keyBytes: number,
  length: number,
): void {
  const { control, entries } = shard;
  const { words } = entries;
  const hash = hashOfEntry(shard, from);
  const type = typeOf(entries, from);
  const source = entryBytes(entries, from);
  const target = entryBytes(entries, to);
  const at = entryOffset(to) + (isNarrow ? NARROW_KEY_AT : WIDE_KEY_AT);
  const key = keyOffset(entries, from);
  const value = valueOffset(entries, from);
  const kept = Math.min(length, valueLength(entries, from));
  copySharedBytes(source, key, key + keyBytes, target, at);
  copySharedBytes(source, value, value + kept, target, at + keyBytes);
  const before = control[WRITING];
  const isScheduled = isTimed(entries, from);
  // In change, it passes for an entry in neither place without the mark.
  if (before === from) words[from * WORDS_PER_CELL + SHAPE] &= ~TYPE_BITS;
  control[WRITING] = to;
  const word = to * WORDS_PER_CELL;
  const lsn = lsnOf(entries, from);
  takeOver(shard, from, to, hash, isScheduled);
  writeLsn(entries, to, lsn);
  if (isNarrow) {
    const slack = blockCells(words, to) * CELL_BYTES - NARROW_KEY_AT - keyBytes - length;
    // The upper half is the key's.
    const shape = keyBytes | (slack << SHAPE_SLACK_SHIFT) | (type << SHAPE_TYPE_SHIFT);
    words[word + SHAPE] = (words[word + SHAPE] & SHAPE_KEY_HALF) | shape;
  } else {
    words[word + WIDE_KEY_LENGTH] = keyBytes;
    words[word + WIDE_VALUE_LENGTH] = length;
    words[word + SHAPE] = SHAPE_WIDE | (type << SHAPE_TYPE_SHIFT);
  }
  control[WRITING] = before === NONE ? NONE : to;
}

function isNarrowFor(keyBytes: number, length: number): boolean {
  return keyBytes <= NARROW_KEY_BYTES_MAX && length <= PACKED_EXACT_BYTES_MAX;
}

function growthFor(length: number): number {
  return length <= PACKED_EXACT_BYTES_MAX ? 0 : Math.floor(length / PACKED_GROWTH_SHARE);
}
