/**
 * Leaves that split, and leaves that begin beside another.
 *
 * Runs on every thread, under the shard's lock. Everything that a split needs is set aside first; afterwards no group has come
 * or gone, and the cursor is where the group that it is for belongs.
 */
import { copySharedBytes, shiftSharedBytes } from '../base/bytes.ts';
import type { Arena } from '../shard/arena.ts';
import { entryBytes, entryOffset } from '../shard/entry.ts';
import type { Shard } from '../shard/shard.ts';
import { beginRebuilding, endRebuilding } from '../shard/writing.ts';
import type { Cursor } from './cursor.ts';
import { groupKey } from './elements.ts';
import { countGroups, skipGroups } from './leaf.ts';
import {
  BY_HASH,
  BY_SCORE,
  formatLeaf,
  groupsOf,
  orderOf,
  PAGE_HEADER_BYTES,
  writeGroups,
  writeUsed,
} from './page.ts';
import { linkLeaf, wantForLeaf } from './tree-child.ts';
import { leafCells, shrinkLeaf } from './tree-leaf.ts';
import { reserveWanted, takeBlock, wantBlock, wantNothing } from './tree-room.ts';
import { hashOfElement, standAt } from './tree-seek.ts';

/** What became of a split by hash: all groups have one hash; there is no room; it is done. */
export const SPLIT_IN_VAIN = 0;
export const SPLIT_NO_ROOM = 1;
const SPLIT_DONE = 2;

const HASHES_START = 512;

/** The hashes of a leaf's groups, in their order. One per thread. */
const scratch = { hashes: new Float64Array(HASHES_START) };

/** Begins a leaf for `bytes` of groups before or behind the cursor's, and stands the cursor in it. False: no room. */
export function beginLeaf(
  shard: Shard,
  cursor: Cursor,
  isBefore: boolean,
  bytes: number,
  separator: number,
  nowMs: number,
): boolean {
  const { entries } = shard;
  const order = orderOf(entries, cursor.leaf);
  if (!reserveFor(shard, cursor, leafCells(order, bytes), nowMs)) return false;
  const mark = beginRebuilding(shard, cursor.ref);
  const { leaf } = cursor;
  const added = takeBlock();
  formatLeaf(entries, added, order);
  if (isBefore) linkLeaf(shard, cursor, added, leaf, separator);
  else linkLeaf(shard, cursor, leaf, added, separator);
  standAt(entries, cursor, added, 0);
  endRebuilding(shard, mark);
  return true;
}

/**
 * Splits the cursor's leaf in front of the group at `cut`. With `keepsGroup` the cursor stays with its group; else it stays at its
 * place between two, which at the cut is the end of the left leaf. False: no room.
 */
export function splitAt(
  shard: Shard,
  cursor: Cursor,
  cut: number,
  keepsGroup: boolean,
  nowMs: number,
): boolean {
  const { entries } = shard;
  const order = orderOf(entries, cursor.leaf);
  const offset = cursor.at - cursor.start;
  const kept = cut - cursor.start;
  const moved = cursor.end - cut;
  if (!reserveFor(shard, cursor, leafCells(order, moved), nowMs)) return false;
  const mark = beginRebuilding(shard, cursor.ref);
  const { type, leaf, bytes, start, end } = cursor;
  const added = takeBlock();
  const groups = countGroups(type, bytes, start + kept, end);
  formatLeaf(entries, added, order);
  const at = entryOffset(added) + PAGE_HEADER_BYTES;
  copySharedBytes(bytes, start + kept, end, entryBytes(entries, added), at);
  fillLeaf(entries, added, groups, moved);
  fillLeaf(entries, leaf, groupsOf(entries, leaf) - groups, kept);
  linkLeaf(shard, cursor, leaf, added, order === BY_SCORE ? bytes.readDoubleLE(start + kept) : 0);
  const isRight = keepsGroup ? offset >= kept : offset > kept;
  standAt(entries, cursor, leaf, isRight ? 0 : offset);
  shrinkLeaf(shard, cursor);
  if (isRight) standAt(entries, cursor, added, offset - kept);
  endRebuilding(shard, mark);
  return true;
}

/**
 * Splits the cursor's leaf at the mean of its groups' hashes and of `hash`, that of a group of `bytes` to come: the cursor is then
 * where that goes. NaN: none comes, and the cursor keeps its group. Returns a SPLIT_ constant.
 */
export function splitByHash(
  shard: Shard,
  cursor: Cursor,
  hash: number,
  bytes: number,
  nowMs: number,
): number {
  const { entries } = shard;
  const pivot = findPivot(shard, cursor, hash);
  if (Number.isNaN(pivot)) return SPLIT_IN_VAIN;
  const moved = bytesFrom(cursor, pivot);
  const isLeftEmpty = moved === cursor.end - cursor.start;
  if (moved === 0 || isLeftEmpty)
    return beginLeaf(shard, cursor, isLeftEmpty, bytes, pivot, nowMs) ? SPLIT_DONE : SPLIT_NO_ROOM;
  if (!reserveFor(shard, cursor, leafCells(BY_HASH, moved), nowMs)) return SPLIT_NO_ROOM;
  const mark = beginRebuilding(shard, cursor.ref);
  const { leaf } = cursor;
  const added = takeBlock();
  formatLeaf(entries, added, BY_HASH);
  const place = divideLeaf(shard, cursor, pivot, added);
  linkLeaf(shard, cursor, leaf, added, pivot);
  const isKept = Number.isNaN(hash);
  const isRight = isKept ? place < 0 : hash >= pivot;
  standAt(entries, cursor, leaf, isRight || !isKept ? 0 : place);
  shrinkLeaf(shard, cursor);
  if (isRight) standAt(entries, cursor, added, isKept ? -1 - place : 0);
  if (!isKept) cursor.at = cursor.end;
  endRebuilding(shard, mark);
  return SPLIT_DONE;
}

/** Sets aside a leaf, and the inner pages that one more leaf needs. */
function reserveFor(shard: Shard, cursor: Cursor, cells: number, nowMs: number): boolean {
  wantNothing();
  wantBlock(cells);
  wantForLeaf(shard, cursor);
  return reserveWanted(shard, cursor, nowMs);
}

function fillLeaf(arena: Arena, leaf: number, groups: number, used: number): void {
  writeGroups(arena, leaf, groups);
  writeUsed(arena, leaf, used);
}

/** The mean of the hashes, rounded up: some are below it and some are not, unless all are one (NaN). Notes the hashes. */
function findPivot(shard: Shard, cursor: Cursor, hash: number): number {
  const { type, leaf, bytes, start, end } = cursor;
  const groups = groupsOf(shard.entries, leaf);
  if (scratch.hashes.length < groups) scratch.hashes = new Float64Array(2 * groups);
  const { hashes } = scratch;
  const isAlone = Number.isNaN(hash);
  let sum = isAlone ? 0 : hash;
  let isVaried = false;
  for (let at = start, index = 0; at < end; at = skipGroups(type, bytes, at, end, 1), index += 1) {
    const own = hashOfElement(shard, bytes, groupKey(type, at));
    hashes[index] = own;
    sum += own;
    if (own !== (isAlone ? hashes[0] : hash)) isVaried = true;
  }
  return isVaried ? Math.ceil(sum / (isAlone ? groups : groups + 1)) : Number.NaN;
}

/** The bytes of the groups with hashes from the pivot on. */
function bytesFrom({ type, bytes, start, end }: Cursor, pivot: number): number {
  let sum = 0;
  for (let at = start, index = 0; at < end; index += 1) {
    const next = skipGroups(type, bytes, at, end, 1);
    if (scratch.hashes[index] >= pivot) sum += next - at;
    at = next;
  }
  return sum;
}

/**
 * Moves the groups with hashes from the pivot on to another leaf. Returns where the cursor's group lies behind the first of its leaf
 * in bytes: in the other leaf -1 less that.
 */
function divideLeaf({ entries }: Shard, cursor: Cursor, pivot: number, added: number): number {
  const { type, leaf, bytes, start, end } = cursor;
  const target = entryBytes(entries, added);
  const to = entryOffset(added) + PAGE_HEADER_BYTES;
  let kept = 0;
  let moved = 0;
  let groups = 0;
  let place = 0;
  for (let at = start, index = 0; at < end; index += 1) {
    const next = skipGroups(type, bytes, at, end, 1);
    const isMoved = scratch.hashes[index] >= pivot;
    if (at === cursor.at) place = isMoved ? -1 - moved : kept;
    if (isMoved) {
      copySharedBytes(bytes, at, next, target, to + moved);
      moved += next - at;
      groups += 1;
    } else {
      if (start + kept < at) shiftSharedBytes(bytes, at, next, start + kept);
      kept += next - at;
    }
    at = next;
  }
  fillLeaf(entries, added, groups, moved);
  fillLeaf(entries, leaf, groupsOf(entries, leaf) - groups, kept);
  return place;
}
