/**
 * Groups that leave a tree: leaves that are empty go, small ones merge with a neighbour.
 *
 * Runs on every thread, under the shard's lock. Nothing here needs memory: where a merge would, and there is none, the leaves
 * stay as they are.
 */
import { copySharedBytes } from '../base/bytes.ts';
import { entryBytes, entryOffset } from '../shard/entry.ts';
import { NONE, TYPE_LIST } from '../shard/layout.ts';
import type { Shard } from '../shard/shard.ts';
import { beginWriting, endWriting } from '../shard/writing.ts';
import { type Cursor, createCursor } from './cursor.ts';
import { addHeadMoves, bounds, noteMiddleMove } from './form.ts';
import { countGroups, skipGroups } from './leaf.ts';
import {
  childAt,
  firstOf,
  groupsOf,
  orderOf,
  PAGE_HEADER_BYTES,
  usedOf,
  writeChild,
  writeGroups,
  writeUsed,
} from './page.ts';
import { dropPage, removeChild, tidyAbove, unlinkLeaf } from './tree-child.ts';
import { noteGroups, noteMove } from './tree-insert.ts';
import { closeGap, fitLeaf, packLeaf, shrinkLeaf } from './tree-leaf.ts';
import { nextLeaf, previousLeaf, rootOf, standAt } from './tree-seek.ts';

/** A leaf of less than this share of its bound is merged with one beside it, if both fill no more than the other share. */
const SMALL_SHARE = 0.25;
const MERGED_SHARE = 0.75;

/** Takes the cursor's group out. The cursor is then on the one behind it, or at the end. O(log n + leaf). */
export function removeInTree(shard: Shard, cursor: Cursor): void {
  if (cursor.type === TYPE_LIST) {
    const { type, bytes, at, end } = cursor;
    noteMove(shard.entries, cursor, -1, skipGroups(type, bytes, at, end, 1));
  }
  removeInLeaf(shard, cursor, 1);
}

/** Takes out `count` groups from the cursor's on, which a seek of their `rank` has found: whole leaves at once. Returns their bytes. */
export function removeRunInTree(shard: Shard, cursor: Cursor, rank: number, count: number): number {
  const { entries } = shard;
  const { ref } = cursor;
  if (cursor.type === TYPE_LIST && rank + count < groupsOf(entries, rootOf(entries, ref, 0))) {
    if (rank === 0) addHeadMoves(entries, ref, -count);
    else noteMiddleMove(entries, ref);
  }
  let own = Math.min(count, groupsOf(entries, cursor.leaf) - cursor.before);
  let bytes = removeInLeaf(shard, cursor, own);
  for (let left = count - own; left > 0; left -= own) {
    const before = countGroups(cursor.type, cursor.bytes, cursor.start, cursor.at);
    own = Math.min(left, groupsOf(entries, cursor.leaf) - before);
    bytes += removeInLeaf(shard, cursor, own);
  }
  return bytes;
}

/** Takes out `count` groups of the cursor's leaf, from the cursor's on. Returns their bytes. */
function removeInLeaf(shard: Shard, cursor: Cursor, count: number): number {
  const { entries } = shard;
  const { type, bytes, at, start, end } = cursor;
  beginWriting(shard, cursor.ref);
  const isWhole = at === start && count === groupsOf(entries, cursor.leaf);
  const to = isWhole ? end : skipGroups(type, bytes, at, end, count);
  closeGap(shard, cursor, at, to);
  noteGroups(entries, cursor, -count);
  if (isWhole) dropLeaf(shard, cursor);
  else tidyLeaf(shard, cursor);
  endWriting(shard, cursor.ref);
  return to - at;
}

/** The cursor's leaf is empty: it goes, unless it is the only one. */
function dropLeaf(shard: Shard, cursor: Cursor): void {
  const { entries } = shard;
  if (cursor.depth === 0) {
    shrinkLeaf(shard, cursor);
    return;
  }
  copyWay(cursor, emptied);
  const hasNext = nextLeaf(entries, cursor);
  if (!hasNext) previousLeaf(entries, cursor);
  const offset = hasNext ? 0 : cursor.end - cursor.start;
  const { leaf } = cursor;
  unlinkLeaf(shard, emptied);
  standAt(entries, cursor, leaf, offset);
}

/** The way of a cursor to a leaf that goes. One per thread. */
const emptied = createCursor();

function copyWay(from: Cursor, to: Cursor): void {
  to.ref = from.ref;
  to.root = from.root;
  to.leaf = from.leaf;
  to.depth = from.depth;
  for (let depth = 0; depth < from.depth; depth += 1) {
    to.pages[depth] = from.pages[depth];
    to.places[depth] = from.places[depth];
  }
}

/** The cursor's leaf has lost groups: it is merged, or its block is cut. Then the cursor goes on if it is at the leaf's end. */
function tidyLeaf(shard: Shard, cursor: Cursor): void {
  const { entries } = shard;
  const bytesMax = bounds.leafBytesMax[orderOf(entries, cursor.leaf)];
  const isSmall = cursor.depth > 0 && cursor.end - cursor.start < bytesMax * SMALL_SHARE;
  if (!isSmall || !mergeLeaf(shard, cursor)) shrinkLeaf(shard, cursor);
  if (cursor.at === cursor.end) nextLeaf(entries, cursor);
}

function mergeLeaf(shard: Shard, cursor: Cursor): boolean {
  const depth = cursor.depth - 1;
  const parent = cursor.pages[depth];
  const place = cursor.places[depth];
  if (place > 0 && mergeWithNext(shard, cursor, parent, place - 1)) return true;
  return place + 1 < usedOf(shard.entries, parent) && mergeWithNext(shard, cursor, parent, place);
}

/** Merges the leaves in a place and behind it, of which one is the cursor's; false when they are too full, or it needs memory. */
function mergeWithNext(shard: Shard, cursor: Cursor, parent: number, place: number): boolean {
  const { entries } = shard;
  const right = childAt(entries, parent, place + 1);
  const isRight = cursor.leaf === right;
  const before = usedOf(entries, childAt(entries, parent, place));
  const used = before + usedOf(entries, right);
  if (used > bounds.leafBytesMax[orderOf(entries, right)] * MERGED_SHARE) return false;
  const offset = cursor.at - cursor.start + (isRight ? before : 0);
  const left = fitLeaf(shard, cursor.ref, childAt(entries, parent, place), used);
  if (left === NONE) return false;
  packLeaf(shard, left);
  const from = entryOffset(right) + firstOf(entries, right);
  const to = entryOffset(left) + PAGE_HEADER_BYTES + before;
  copySharedBytes(entryBytes(entries, right), from, from + used - before, entryBytes(entries, left), to);
  writeUsed(entries, left, used);
  writeGroups(entries, left, groupsOf(entries, left) + groupsOf(entries, right));
  writeChild(entries, parent, place, left);
  removeChild(entries, parent, place + 1);
  dropPage(shard, cursor.ref, right);
  tidyAbove(shard, cursor, cursor.depth - 1);
  standAt(entries, cursor, left, offset);
  return true;
}
