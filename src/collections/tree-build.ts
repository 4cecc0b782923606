/**
 * A packed collection becomes a tree: its groups are dealt out to leaves, in the order of the tree.
 *
 * Runs on every thread, under the shard's lock. All pages are set aside before the entry is touched. O(n), by hash O(n log n);
 * a packed collection is small, so that its leaves have one parent.
 */
import { Buffer } from 'node:buffer';
import { assert } from '../base/assert.ts';
import { copySharedBytes } from '../base/bytes.ts';
import { LEAF_FILL } from '../config/limits-collections.ts';
import { blockCells } from '../shard/arena.ts';
import { entryBytes, entryOffset, valueLength } from '../shard/entry.ts';
import { LSN, TYPE_HASH, TYPE_LIST, TYPE_ZSET } from '../shard/layout.ts';
import { shrinkEntry } from '../shard/resize-entry.ts';
import type { Shard } from '../shard/shard.ts';
import { beginRebuilding, endRebuilding } from '../shard/writing.ts';
import { type Cursor, createCursor } from './cursor.ts';
import { groupDeadline, hasDeadlines } from './deadlines.ts';
import { encodingEnd, groupKey, textStart } from './elements.ts';
import { type Bytes, pushDeadline } from './field-names.ts';
import { bounds, formatTree, readPackedCount, TREE_VALUE_BYTES } from './form.ts';
import { compareScored, skipGroups } from './leaf.ts';
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

/** An offset in a packed collection, or in what its deadlines come to, is below this: a group's key of sorting is its hash times this, and its offset. */
const OFFSETS = 2 ** 17;

const KEYS_START = 512;

/** Which groups, in which order, go to which leaves of one tree: leaf i gets those from `cuts[i]` to `cuts[i + 1]`. */
type Plan = {
  order: number;
  keys: Float64Array;
  groups: number;
  cuts: Int32Array;
  leaves: number;
};

/** Of the main tree, and of the members of a sorted set or the deadlines of a hash. One of each per thread. */
const mainPlan = createPlan();
const secondPlan = createPlan();

/** The groups of a hash's deadlines, in their order, as a run of its own in private memory. One per thread. */
const deadlines = createCursor();
const listed: Bytes = { bytes: Buffer.alloc(0), length: 0 };

/**
 * Makes the packed collection at the cursor a tree and adds to its flags; the cursor then only names the entry. False: no room,
 * nothing changed.
 */
export function buildTree(shard: Shard, cursor: Cursor, flags: number, nowMs: number): boolean {
  const { entries } = shard;
  const { type } = cursor;
  const isPaired = type === TYPE_ZSET || hasDeadlines(entries, cursor.ref);
  const length = valueLength(entries, cursor.ref);
  if (length < TREE_VALUE_BYTES && !lengthenPacked(shard, cursor, TREE_VALUE_BYTES, nowMs)) return false;
  wantNothing();
  const groups = readPackedCount(entries, cursor.ref);
  const order = type === TYPE_LIST ? BY_POSITION : type === TYPE_ZSET ? BY_SCORE : BY_HASH;
  planTree(mainPlan, shard, cursor, groups, order, order === BY_POSITION ? 1 : LEAF_FILL);
  const second = type === TYPE_HASH ? deadlines : cursor;
  if (isPaired) {
    // Deadlines may take more than the groups that they are of: their leaves are filled to the full.
    if (type === TYPE_HASH) planTree(secondPlan, shard, second, listDeadlines(cursor), BY_SCORE, 1);
    else planTree(secondPlan, shard, second, groups, BY_HASH, LEAF_FILL);
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
    const beside = layTree(secondPlan, shard, second, total);
    const main = head;
    head = takeBlock();
    formatPair(entries, head, main, beside);
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

/** Deals the cursor's run of groups out to leaves, of which so much is filled, and wants the pages for them. */
function planTree(
  plan: Plan,
  shard: Shard,
  cursor: Cursor,
  groups: number,
  order: number,
  fill: number,
): void {
  plan.order = order;
  plan.groups = groups;
  sortGroups(plan, shard, cursor);
  const bytesMax = bounds.leafBytesMax[order] * fill;
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

/** Makes `deadlines` the run of the groups that the second tree of a packed hash is to have; how many. */
function listDeadlines({ bytes, start, end }: Cursor): number {
  listed.length = 0;
  const places: number[] = [];
  for (let at = start; at < end; at = skipGroups(TYPE_HASH, bytes, at, end, 1)) {
    const deadlineMs = groupDeadline(bytes, at, end);
    if (deadlineMs === 0) continue;
    places.push(listed.length);
    pushDeadline(listed, deadlineMs, bytes, at);
  }
  const { bytes: unsorted, length } = listed;
  const sorted = Buffer.alloc(length);
  places.sort((one, other) => compareGroups(unsorted, one, other));
  let to = 0;
  for (const from of places)
    to += unsorted.copy(sorted, to, from, skipGroups(TYPE_ZSET, unsorted, from, length, 1));
  listed.bytes = Buffer.alloc(0);
  deadlines.type = TYPE_ZSET;
  deadlines.bytes = sorted;
  deadlines.start = 0;
  deadlines.end = length;
  return places.length;
}

function compareGroups(bytes: Buffer, one: number, other: number): number {
  const key = groupKey(TYPE_ZSET, other);
  return compareScored(
    bytes,
    one,
    bytes.readDoubleLE(other),
    bytes,
    textStart(bytes, key),
    encodingEnd(bytes, key),
  );
}

/** The groups' offsets, by hash or as they lie. */
function sortGroups(plan: Plan, shard: Shard, { type, bytes, start, end }: Cursor): void {
  const { groups } = plan;
  if (plan.keys.length < groups) {
    plan.keys = new Float64Array(2 * groups);
    plan.cuts = new Int32Array(2 * groups + 1);
  }
  const { keys, order } = plan;
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
