/**
 * A packed collection becomes a tree: its groups are dealt out to leaves, in the order of the tree.
 *
 * Runs on every thread, under the shard's lock. All pages are set aside before the entry is touched. O(n), by hash O(n log n);
 * a packed collection is small, so that its leaves have one parent.
 */
import { assert } from '../base/assert.ts';
import { copySharedBytes } from '../base/bytes.ts';
import { LEAF_FILL } from '../config/limits-collections.ts';
import { blockCells } from '../shard/arena.ts';
import { entryBytes, entryOffset, valueLength } from '../shard/entry.ts';
import { LSN, TYPE_LIST, TYPE_ZSET } from '../shard/layout.ts';
import { shrinkEntry } from '../shard/resize-entry.ts';
import type { Shard } from '../shard/shard.ts';
import { beginRebuilding, endRebuilding } from '../shard/writing.ts';
import type { Cursor } from './cursor.ts';
import { groupKey } from './elements.ts';
import { bounds, formatTree, readPackedCount, TREE_VALUE_BYTES } from './form.ts';
import { skipGroups } from './leaf.ts';
import { lengthenPacked } from './packed.ts';
import {
  addCells,
  BY_HASH,
  BY_POSITION,
  BY_SCORE,
  formatInner,
  formatLeaf,
  formatPair,
  innerCells,
  PAGE_HEADER_BYTES,
  pairCells,
  writeChild,
  writeGroups,
  writeOwner,
  writeSeparator,
  writeUsed,
} from './page.ts';
import { leafCells } from './tree-leaf.ts';
import { reserveWanted, takeBlock, wantBlock, wantNothing } from './tree-room.ts';
import { hashOfElement } from './tree-seek.ts';

/** An offset in a packed collection is below this: a group's key of sorting is its hash times this, and its offset. */
const OFFSETS = 2 ** 16;

const KEYS_START = 512;

/** Which groups, in which order, go to which leaves of one tree: leaf i gets those from `cuts[i]` to `cuts[i + 1]`. */
type Plan = {
  order: number;
  keys: Float64Array;
  groups: number;
  cuts: Int32Array;
  leaves: number;
};

/** Of the main tree, and of the members of a sorted set. One of each per thread. */
const mainPlan = createPlan();
const memberPlan = createPlan();

/**
 * Makes the packed collection at the cursor a tree and adds to its flags; the cursor then only names the entry. False: no room,
 * nothing changed.
 */
export function buildTree(shard: Shard, cursor: Cursor, flags: number, nowMs: number): boolean {
  const { entries } = shard;
  const { type } = cursor;
  const isPaired = type === TYPE_ZSET;
  const length = valueLength(entries, cursor.ref);
  if (length < TREE_VALUE_BYTES && !lengthenPacked(shard, cursor, TREE_VALUE_BYTES, nowMs)) return false;
  wantNothing();
  planTree(mainPlan, shard, cursor, type === TYPE_LIST ? BY_POSITION : isPaired ? BY_SCORE : BY_HASH);
  if (isPaired) {
    planTree(memberPlan, shard, cursor, BY_HASH);
    wantBlock(pairCells());
  }
  if (!reserveWanted(shard, cursor, nowMs)) {
    if (length < TREE_VALUE_BYTES) shrinkEntry(shard, cursor.ref, length);
    return false;
  }
  const mark = beginRebuilding(shard, cursor.ref);
  const total = { cells: 0 };
  let head = layTree(mainPlan, shard, cursor, total);
  if (isPaired) {
    const members = layTree(memberPlan, shard, cursor, total);
    const main = head;
    head = takeBlock();
    formatPair(entries, head, main, members);
    total.cells += blockCells(entries.words, head);
  }
  shrinkEntry(shard, cursor.ref, TREE_VALUE_BYTES);
  formatTree(entries, cursor.ref, flags, head, shard.numbers[LSN]);
  writeOwner(shard, head, cursor.ref);
  addCells(entries, head, total.cells);
  endRebuilding(shard, mark);
  return true;
}

function createPlan(): Plan {
  return {
    order: BY_POSITION,
    keys: new Float64Array(KEYS_START),
    groups: 0,
    cuts: new Int32Array(KEYS_START),
    leaves: 0,
  };
}

/** Deals the groups out, and wants the pages for them. */
function planTree(plan: Plan, shard: Shard, cursor: Cursor, order: number): void {
  plan.order = order;
  sortGroups(plan, shard, cursor);
  const bytesMax = bounds.leafBytesMax[order] * (order === BY_POSITION ? 1 : LEAF_FILL);
  let bytes = 0;
  plan.leaves = 0;
  plan.cuts[0] = 0;
  for (let index = 0; index < plan.groups; index += 1) {
    const isFull = bytes >= bytesMax && !isOneHash(plan, index);
    if (isFull) {
      endLeaf(plan, index, bytes);
      bytes = 0;
    }
    bytes += groupBytes(plan, cursor, index);
  }
  endLeaf(plan, plan.groups, bytes);
  assert(plan.leaves <= bounds.childrenMax, 'the leaves of a packed collection have one parent');
  if (plan.leaves > 1) wantBlock(innerCells(childrenFor(plan.leaves), order));
}

/** The groups' offsets, by hash or as they lie. */
function sortGroups(plan: Plan, shard: Shard, { ref, type, bytes, start, end }: Cursor): void {
  const groups = readPackedCount(shard.entries, ref);
  if (plan.keys.length < groups) {
    plan.keys = new Float64Array(2 * groups);
    plan.cuts = new Int32Array(2 * groups + 1);
  }
  const { keys, order } = plan;
  plan.groups = groups;
  for (let at = start, index = 0; index < groups; index += 1) {
    const hash = order === BY_HASH ? hashOfElement(shard, bytes, groupKey(type, at)) : 0;
    keys[index] = hash * OFFSETS + at - start;
    at = skipGroups(type, bytes, at, end, 1);
  }
  if (order === BY_HASH) keys.subarray(0, groups).sort();
}

/** Whether a group has the hash of the one before it. */
function isOneHash({ order, keys }: Plan, index: number): boolean {
  if (order !== BY_HASH) return false;
  return Math.floor(keys[index] / OFFSETS) === Math.floor(keys[index - 1] / OFFSETS);
}

function endLeaf(plan: Plan, index: number, bytes: number): void {
  plan.leaves += 1;
  plan.cuts[plan.leaves] = index;
  wantBlock(leafCells(plan.order, bytes));
}

function groupBytes({ keys }: Plan, { type, bytes, start, end }: Cursor, index: number): number {
  const at = start + (keys[index] % OFFSETS);
  return skipGroups(type, bytes, at, end, 1) - at;
}

/** Copies the groups to the leaves set aside, and puts a page over them if they are several. Returns the root. */
function layTree(plan: Plan, shard: Shard, cursor: Cursor, total: { cells: number }): number {
  const { entries } = shard;
  const { order, leaves } = plan;
  const pages: number[] = [];
  for (let leaf = 0; leaf < leaves; leaf += 1) pages.push(layLeaf(plan, shard, cursor, leaf));
  for (const page of pages) total.cells += blockCells(entries.words, page);
  if (leaves === 1) return pages[0];
  const root = takeBlock();
  formatInner(entries, root, order, 1, childrenFor(leaves));
  for (let leaf = 0; leaf < leaves; leaf += 1) {
    writeChild(entries, root, leaf, pages[leaf]);
    writeSeparator(entries, root, leaf, separatorOf(plan, cursor, plan.cuts[leaf]));
  }
  writeUsed(entries, root, leaves);
  writeGroups(entries, root, plan.groups);
  total.cells += blockCells(entries.words, root);
  return root;
}

function layLeaf(plan: Plan, shard: Shard, cursor: Cursor, leaf: number): number {
  const { entries } = shard;
  const { keys, cuts } = plan;
  const page = takeBlock();
  formatLeaf(entries, page, plan.order);
  const target = entryBytes(entries, page);
  const to = entryOffset(page) + PAGE_HEADER_BYTES;
  let used = 0;
  for (let index = cuts[leaf]; index < cuts[leaf + 1]; index += 1) {
    const from = cursor.start + (keys[index] % OFFSETS);
    const bytes = groupBytes(plan, cursor, index);
    copySharedBytes(cursor.bytes, from, from + bytes, target, to + used);
    used += bytes;
  }
  writeUsed(entries, page, used);
  writeGroups(entries, page, cuts[leaf + 1] - cuts[leaf]);
  return page;
}

function separatorOf({ order, keys }: Plan, { bytes, start }: Cursor, index: number): number {
  if (order === BY_POSITION) return 0;
  if (order === BY_HASH) return Math.floor(keys[index] / OFFSETS);
  return bytes.readDoubleLE(start + keys[index]);
}

/** The room of an inner page for so many children. */
function childrenFor(leaves: number): number {
  let children = bounds.childrenMin;
  while (children < leaves) children *= 2;
  return Math.min(children, bounds.childrenMax);
}
