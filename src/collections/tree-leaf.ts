/**
 * The groups within one leaf page: gaps that open and close, and a block that grows and shrinks with them.
 *
 * Runs on every thread, under the shard's lock. The free bytes of a leaf lie before its groups as well as behind them, so
 * that pushing and popping at either end moves nothing. Moving 1 KiB takes some 100 ns.
 */
import { copySharedBytes, shiftSharedBytes } from '../base/bytes.ts';
import { LEAF_GROWTH_BYTES_MIN, LEAF_GROWTH_SHARE } from '../config/limits-collections.ts';
import { blockCells, cellsForBytes, resizeInPlace } from '../shard/arena.ts';
import { entryBytes, entryOffset } from '../shard/entry.ts';
import { resizeInPlaceWithin } from '../shard/eviction.ts';
import { CELL_BYTES, NONE } from '../shard/layout.ts';
import type { Shard } from '../shard/shard.ts';
import { beginRebuilding, endRebuilding } from '../shard/writing.ts';
import type { Cursor } from './cursor.ts';
import { bounds, readHead } from './form.ts';
import {
  addCells,
  BY_HASH,
  BY_POSITION,
  cellsOfHead,
  firstOf,
  formatLeaf,
  groupsOf,
  leafBytesOf,
  orderOf,
  PAGE_HEADER_BYTES,
  releasePage,
  replaceInParent,
  usedOf,
  writeFirst,
  writeGroups,
  writeUsed,
} from './page.ts';
import { allocateWithin, reserveWanted, takeBlock, wantBlock, wantNothing } from './tree-room.ts';
import { standAt, standInLeaf } from './tree-seek.ts';

/** A leaf that would be cut to less than this share of its block is cut. */
const KEPT_SHARE = 2;

/** Whether a group of so many bytes more fits the leaf's block. */
export function isRoomyFor({ entries }: Shard, { leaf, start, end }: Cursor, bytes: number): boolean {
  return leafBytesOf(entries, leaf) - (end - start) >= bytes;
}

/** Opens a gap of `bytes` at the cursor, for which the leaf has room; the cursor stands at its start. O(leaf). */
export function openGap({ entries }: Shard, cursor: Cursor, bytes: number): void {
  const { leaf, start, at, end } = cursor;
  const page = entryOffset(leaf);
  const front = start - page - PAGE_HEADER_BYTES;
  const back = leafBytesOf(entries, leaf) - front - (end - start);
  const behind = shiftBehind(at - start, end - at, front, back, bytes);
  const before = bytes - behind;
  if (at > start && before !== 0) shiftSharedBytes(cursor.bytes, start, at, start - before);
  if (at < end && behind !== 0) shiftSharedBytes(cursor.bytes, at, end, at + behind);
  cursor.start = start - before;
  cursor.at = at - before;
  cursor.end = end + behind;
  writeUsed(entries, leaf, cursor.end - cursor.start);
  writeFirst(entries, leaf, cursor.start - page);
}

/** Takes the bytes `[from, to)` of the leaf out; what lies behind `from` is at the cursor if it was there. O(leaf). */
export function closeGap({ entries }: Shard, cursor: Cursor, from: number, to: number): void {
  const { leaf, start, end } = cursor;
  const bytes = to - from;
  if (from - start < end - to) {
    shiftSharedBytes(cursor.bytes, start, from, start + bytes);
    cursor.start += bytes;
    cursor.at += bytes;
  } else {
    shiftSharedBytes(cursor.bytes, to, end, from);
    cursor.end -= bytes;
  }
  writeUsed(entries, leaf, cursor.end - cursor.start);
  writeFirst(entries, leaf, cursor.start - entryOffset(leaf));
}

/** Makes room for `bytes` more in the leaf's block, or in another. False: there is none. The cursor stands where it stood. */
export function growLeaf(shard: Shard, cursor: Cursor, bytes: number, nowMs: number): boolean {
  const { entries } = shard;
  const cells = leafCells(orderOf(entries, cursor.leaf), cursor.end - cursor.start + bytes);
  if (resizeLeaf(shard, cursor.ref, cursor.leaf, cells)) return true;
  wantNothing();
  wantBlock(cells);
  if (!reserveWanted(shard, cursor, nowMs)) return false;
  const mark = beginRebuilding(shard, cursor.ref);
  relocateLeaf(shard, cursor, takeBlock());
  endRebuilding(shard, mark);
  return true;
}

/** As `growLeaf` for a leaf of another cursor's tree, if nothing must go for it: the leaf from then on, or NONE. */
export function fitLeaf(shard: Shard, ref: number, leaf: number, bytes: number): number {
  const { entries } = shard;
  if (leafBytesOf(entries, leaf) >= bytes) return leaf;
  const cells = leafCells(orderOf(entries, leaf), bytes);
  if (resizeLeaf(shard, ref, leaf, cells)) return leaf;
  const block = allocateWithin(shard, cells);
  if (block === NONE) return NONE;
  moveLeaf(shard, ref, leaf, block, PAGE_HEADER_BYTES);
  return block;
}

/** Gives back what is free in a leaf's block, if that is much; the cursor stands where it stood. */
export function shrinkLeaf(shard: Shard, cursor: Cursor): void {
  const { entries } = shard;
  const { leaf, start, at, end } = cursor;
  const cells = leafCells(BY_HASH, end - start);
  if (cells * KEPT_SHARE > blockCells(entries.words, leaf)) return;
  packLeaf(shard, leaf);
  const before = blockCells(entries.words, leaf);
  resizeInPlace(entries, leaf, cells);
  addCells(entries, readHead(entries, cursor.ref), blockCells(entries.words, leaf) - before);
  standInLeaf(entries, cursor, leaf);
  cursor.at = cursor.start + at - start;
}

/** Moves a leaf's groups to the start of its page. */
export function packLeaf({ entries }: Shard, leaf: number): void {
  const first = firstOf(entries, leaf);
  if (first === PAGE_HEADER_BYTES) return;
  const page = entryOffset(leaf);
  const bytes = entryBytes(entries, leaf);
  shiftSharedBytes(bytes, page + first, page + first + usedOf(entries, leaf), page + PAGE_HEADER_BYTES);
  writeFirst(entries, leaf, PAGE_HEADER_BYTES);
}

/** The cells of a leaf for so many bytes of groups, with room to grow: half of it in a list, which grows at its ends. */
export function leafCells(order: number, bytes: number): number {
  const growth = order === BY_POSITION ? bytes : Math.floor(bytes / LEAF_GROWTH_SHARE);
  const wanted = bytes + Math.max(LEAF_GROWTH_BYTES_MIN, growth);
  return cellsForBytes(PAGE_HEADER_BYTES + Math.max(bytes, Math.min(wanted, bounds.leafBytesMax[order])));
}

/** By how much the part behind a gap moves; the part before it moves by the rest. At an end, all the room that is left goes there. */
function shiftBehind(before: number, behind: number, front: number, back: number, bytes: number): number {
  if (behind === 0) return back >= bytes ? bytes : bytes - front;
  if (before === 0) return front >= bytes ? 0 : back;
  if (front >= bytes && (before < behind || back < bytes)) return 0;
  return back >= bytes ? bytes : bytes - front;
}

function resizeLeaf(shard: Shard, ref: number, leaf: number, cells: number): boolean {
  const { entries } = shard;
  const before = blockCells(entries.words, leaf);
  if (!resizeInPlaceWithin(shard, leaf, cells)) return false;
  addCells(entries, readHead(entries, ref), blockCells(entries.words, leaf) - before);
  return true;
}

/** Moves the cursor's leaf to another block; its groups go to the end of that when the cursor is before them. */
function relocateLeaf(shard: Shard, cursor: Cursor, to: number): void {
  const { entries } = shard;
  const { leaf, start, at, end } = cursor;
  const isInFront = at === start && end > start;
  const first = isInFront ? blockCells(entries.words, to) * CELL_BYTES - (end - start) : PAGE_HEADER_BYTES;
  moveLeaf(shard, cursor.ref, leaf, to, first);
  standAt(entries, cursor, to, at - start);
}

function moveLeaf(shard: Shard, ref: number, from: number, to: number, first: number): void {
  const { entries } = shard;
  const used = usedOf(entries, from);
  const source = entryOffset(from) + firstOf(entries, from);
  const cells = blockCells(entries.words, to) - blockCells(entries.words, from);
  formatLeaf(entries, to, orderOf(entries, from));
  addCells(entries, to, cellsOfHead(entries, from));
  writeGroups(entries, to, groupsOf(entries, from));
  writeUsed(entries, to, used);
  writeFirst(entries, to, first);
  copySharedBytes(
    entryBytes(entries, from),
    source,
    source + used,
    entryBytes(entries, to),
    entryOffset(to) + first,
  );
  replaceInParent(entries, from, to);
  releasePage(shard, from);
  addCells(entries, readHead(entries, ref), cells);
}
