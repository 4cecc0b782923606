/**
 * Many groups put into an empty collection at once: a copy, a stored result, what a snapshot brings. Leaves are laid one behind the
 * other, and inner pages over them, where putting them one by one is a search and maybe a split for each.
 *
 * Runs on every thread, under the shard's lock. All pages are set aside before the entry is touched. O(n), by hash O(n log n): some
 * 100 ns a group. What is packed becomes a tree in tree-build.ts.
 */
import type { Buffer } from 'node:buffer';
import { copyBytes } from '../base/bytes.ts';
import { FILL_GROUPS_MAX, LEAF_FILL, SCORE_LEAF_FILL } from '../config/limits-collections.ts';
import { blockCells } from '../shard/arena.ts';
import { entryBytes, entryOffset, typeOf } from '../shard/entry.ts';
import { LSN, NONE, TYPE_HASH, TYPE_LIST, TYPE_SET, TYPE_ZSET } from '../shard/layout.ts';
import { shrinkEntry } from '../shard/resize-entry.ts';
import type { Shard } from '../shard/shard.ts';
import { beginWriting, endWriting } from '../shard/writing.ts';
import { createCursor } from './cursor.ts';
import {
  DEADLINE_MARK,
  elementEnd,
  encodingEnd,
  groupKey,
  isElement,
  isIntegerElement,
  SCORE_BYTES,
  textLength,
  textStart,
} from './elements.ts';
import {
  bounds,
  FORM_DEADLINES,
  FORM_LARGE,
  FORM_TREE,
  formatTree,
  PACKED_GROUPS,
  readForm,
  TREE_VALUE_BYTES,
  writeForm,
  writePackedCount,
} from './form.ts';
import { compareScored } from './leaf.ts';
import { enterPacked, lengthenPacked } from './packed.ts';
import {
  addCells,
  BY_HASH,
  BY_POSITION,
  BY_SCORE,
  formatInner,
  formatLeaf,
  formatPair,
  groupsOf,
  innerCells,
  PAGE_HEADER_BYTES,
  pairCells,
  releasePage,
  visitPages,
  writeChild,
  writeGroups,
  writeOwner,
  writeSeparator,
  writeUsed,
} from './page.ts';
import { thresholds } from './thresholds.ts';
import { leafCells } from './tree-leaf.ts';
import { reserveWanted, takeBlock, wantBlock, wantNothing } from './tree-room.ts';
import { hashOfElement } from './tree-seek.ts';

/** They are too few, or not what a tree is laid of as they come: they have to be put one by one. */
export const UNFIT = -1;

/** A group's key of sorting is its hash times this, and its number: together 53 bits. */
const NUMBERS = FILL_GROUPS_MAX;

/** The groups as they came: group `i` is `bytes[offsets[i], offsets[i + 1])`. */
type Run = {
  type: number;
  bytes: Buffer;
  offsets: Float64Array;
  groups: number;
  /** The longest content of an element, in bytes; and whether all elements are integers. */
  longest: number;
  areIntegers: boolean;
};

/** One tree of them: which group is in which place, where leaf `i` begins, and how many pages each level above the leaves has. */
type Plan = {
  readonly order: number;
  /** By place; undefined: as they came. */
  readonly numbers: Float64Array | undefined;
  readonly cuts: number[];
  readonly levels: number[];
};

const cursor = createCursor();

/**
 * Puts the groups `bytes[start, end)`, private memory, into an empty collection that becomes a tree. The entry's reference from then on;
 * NONE without room, and UNFIT: nothing has changed then, but that it is packed.
 */
export function fillTree(
  shard: Shard,
  ref: number,
  bytes: Buffer,
  start: number,
  end: number,
  nowMs: number,
): number {
  const { entries } = shard;
  const type = typeOf(entries, ref);
  const flags = readForm(entries, ref) & ~FORM_TREE;
  if (end - start <= bounds.packedLargeBytesMax || (flags & FORM_DEADLINES) !== 0) return UNFIT;
  const run = readRun(type, bytes, start, end);
  if (run === undefined) return UNFIT;
  const large = flags | (isLargeRun(run) ? FORM_LARGE : 0);
  if (!becomesTree(run, large, end - start)) return UNFIT;
  const byHash = type === TYPE_LIST ? undefined : sortByHash(shard, run);
  if (byHash !== undefined && isAnyTwice(run, byHash)) return UNFIT;
  const main =
    type === TYPE_LIST ? planRun(run, BY_POSITION) : type === TYPE_ZSET ? planScores(run, flags) : undefined;
  if (type === TYPE_ZSET && main === undefined) return UNFIT;
  if ((readForm(entries, ref) & FORM_TREE) !== 0) fellEmptyTree(shard, ref);
  const plans = [main, byHash === undefined ? undefined : planHashes(run, byHash)].filter(
    (plan) => plan !== undefined,
  );
  return layPlans(shard, ref, run, plans, large, nowMs) ? cursor.ref : NONE;
}

function layPlans(
  shard: Shard,
  ref: number,
  run: Run,
  plans: readonly Plan[],
  flags: number,
  nowMs: number,
): boolean {
  const { entries } = shard;
  enterPacked(shard, ref, cursor);
  if (!lengthenPacked(shard, cursor, TREE_VALUE_BYTES, nowMs)) return false;
  wantNothing();
  for (const plan of plans) wantPages(run, plan);
  if (plans.length === 2) wantBlock(pairCells());
  if (!reserveWanted(shard, cursor, nowMs)) {
    shrinkEntry(shard, cursor.ref, PACKED_GROUPS);
    return false;
  }
  beginWriting(shard, cursor.ref);
  const total = { cells: 0 };
  const roots = plans.map((plan) => layTree(shard, run, plan, total));
  let head = roots[0];
  if (roots.length === 2) {
    head = takeBlock();
    formatPair(entries, head, roots[0], roots[1]);
    total.cells += blockCells(entries.words, head);
  }
  formatTree(entries, cursor.ref, flags, head, shard.numbers[LSN]);
  writeOwner(shard, head, cursor.ref);
  addCells(entries, head, total.cells);
  endWriting(shard, cursor.ref);
  return true;
}

/** Where the groups are; undefined for what is no run of fit groups: too many of them, or of a hash with deadlines. */
function readRun(type: number, bytes: Buffer, start: number, end: number): Run | undefined {
  const run: Run = {
    type,
    bytes,
    offsets: new Float64Array(1024),
    groups: 0,
    longest: 0,
    areIntegers: true,
  };
  let at = start;
  for (; at < end; run.groups += 1) {
    if (run.groups >= bounds.fillGroupsMax) return undefined;
    if (run.groups + 1 >= run.offsets.length) {
      const larger = new Float64Array(2 * run.offsets.length);
      larger.set(run.offsets);
      run.offsets = larger;
    }
    run.offsets[run.groups] = at;
    const key = groupKey(type, at);
    noteElement(run, key);
    let next = elementEnd(bytes, key);
    if (type === TYPE_HASH) {
      noteElement(run, next);
      next = elementEnd(bytes, next);
      if (next < end && bytes[next] === DEADLINE_MARK) return undefined;
    }
    at = next;
  }
  run.offsets[run.groups] = at;
  return run;
}

function noteElement(run: Run, at: number): void {
  if (isIntegerElement(run.bytes, at)) return;
  run.areIntegers = false;
  run.longest = Math.max(run.longest, textLength(run.bytes, at));
}

/** Whether redis-server would call a collection of these groups large. */
function isLargeRun({ type, groups, longest, areIntegers }: Run): boolean {
  if (type === TYPE_SET) return !areIntegers || groups > thresholds.intsetEntries;
  if (type === TYPE_HASH) return groups > thresholds.hashEntries || longest > thresholds.hashValueBytes;
  return type === TYPE_ZSET && (groups > thresholds.zsetEntries || longest > thresholds.zsetValueBytes);
}

/** Whether so many groups are a tree when they have come one by one (packed.ts). */
function becomesTree({ type, groups }: Run, flags: number, bytes: number): boolean {
  const isSmall = (flags & FORM_LARGE) === 0 && type !== TYPE_LIST;
  if (groups < 2) return false;
  return (
    bytes > (isSmall ? bounds.packedBytesMax : bounds.packedLargeBytesMax) || groups > bounds.packedGroupsMax
  );
}

/** Hash and number of each group, ascending. */
function sortByHash(shard: Shard, { type, bytes, offsets, groups }: Run): Float64Array {
  const keys = new Float64Array(groups);
  for (let number = 0; number < groups; number += 1) {
    keys[number] = hashOfElement(shard, bytes, groupKey(type, offsets[number])) * NUMBERS + number;
  }
  return keys.sort();
}

/** Whether two groups have the same name. */
function isAnyTwice({ type, bytes, offsets }: Run, keys: Float64Array): boolean {
  for (let place = 1; place < keys.length; place += 1) {
    // All of one hash with each other: there are hardly ever more than two.
    for (let other = place - 1; other >= 0 && hashIn(keys, other) === hashIn(keys, place); other -= 1) {
      const name = groupKey(type, offsets[keys[other] % NUMBERS]);
      const end = encodingEnd(bytes, name);
      if (isElement(bytes, groupKey(type, offsets[keys[place] % NUMBERS]), bytes, name, end)) return true;
    }
  }
  return false;
}

function hashIn(keys: Float64Array, place: number): number {
  return Math.floor(keys[place] / NUMBERS);
}

function planRun(run: Run, order: number): Plan {
  const fill = order === BY_SCORE ? SCORE_LEAF_FILL : 1;
  return plan(run, order, undefined, bounds.leafBytesMax[order] * fill, neverTied);
}

function planHashes(run: Run, keys: Float64Array): Plan {
  const isTied = (place: number) => hashIn(keys, place) === hashIn(keys, place - 1);
  return plan(run, BY_HASH, keys, bounds.leafBytesMax[BY_HASH] * LEAF_FILL, isTied);
}

/** By score and member: as they came if they ascend. Undefined: some score is one that only large ones have, and this may not be one. */
function planScores(run: Run, flags: number): Plan | undefined {
  const { bytes, offsets, groups } = run;
  let isSorted = true;
  const scores = new Float64Array(groups);
  for (let number = 0; number < groups; number += 1) {
    scores[number] = bytes.readDoubleLE(offsets[number]);
    if (Object.is(scores[number], -0) && (flags & FORM_LARGE) === 0) return undefined;
    if (number > 0 && isSorted) isSorted = compareGroups(run, scores, number - 1, number) < 0;
  }
  if (isSorted) return planRun(run, BY_SCORE);
  const numbers = Float64Array.from({ length: groups }, (_, number) => number);
  numbers.sort((a, b) => compareGroups(run, scores, a, b));
  return plan(run, BY_SCORE, numbers, bounds.leafBytesMax[BY_SCORE] * SCORE_LEAF_FILL, neverTied);
}

function compareGroups({ bytes, offsets }: Run, scores: Float64Array, one: number, other: number): number {
  if (scores[one] !== scores[other]) return scores[one] < scores[other] ? -1 : 1;
  const member = offsets[other] + SCORE_BYTES;
  const score = scores[other];
  return compareScored(
    bytes,
    offsets[one],
    score,
    bytes,
    textStart(bytes, member),
    encodingEnd(bytes, member),
  );
}

function neverTied(): boolean {
  return false;
}

/** Deals the groups out to leaves of about `bytesMax`, and these to inner pages. Those that are tied to the one before stay with it. */
function plan(
  run: Run,
  order: number,
  numbers: Float64Array | undefined,
  bytesMax: number,
  isTied: (place: number) => boolean,
): Plan {
  const cuts = [0];
  let bytes = 0;
  for (let place = 0; place < run.groups; place += 1) {
    const more = bytesOfGroup(run, numbers, place);
    if (bytes > 0 && bytes + more > bytesMax && !isTied(place)) {
      cuts.push(place);
      bytes = 0;
    }
    bytes += more;
  }
  const levels: number[] = [];
  for (let pages = cuts.length; pages > 1; ) {
    pages = Math.ceil(pages / (bounds.childrenMax * LEAF_FILL));
    levels.push(pages);
  }
  cuts.push(run.groups);
  return { order, numbers, cuts, levels };
}

function numberAt(numbers: Float64Array | undefined, place: number): number {
  return numbers === undefined ? place : numbers[place] % NUMBERS;
}

function bytesOfGroup({ offsets }: Run, numbers: Float64Array | undefined, place: number): number {
  const number = numberAt(numbers, place);
  return offsets[number + 1] - offsets[number];
}

/** Wants the pages of a tree, in the order in which `layTree` takes them. */
function wantPages(run: Run, { order, numbers, cuts, levels }: Plan): void {
  for (let leaf = 0; leaf + 1 < cuts.length; leaf += 1) {
    let bytes = 0;
    for (let place = cuts[leaf]; place < cuts[leaf + 1]; place += 1)
      bytes += bytesOfGroup(run, numbers, place);
    wantBlock(leafCells(order, bytes));
  }
  let below = cuts.length - 1;
  for (const pages of levels) {
    for (let page = 0; page < pages; page += 1) {
      wantBlock(innerCells(roomFor(share(below, pages, page + 1) - share(below, pages, page)), order));
    }
    below = pages;
  }
}

/** Lays leaves and what is above them; the root. */
function layTree(shard: Shard, run: Run, plan: Plan, total: { cells: number }): number {
  const { entries } = shard;
  const { cuts, levels } = plan;
  let pages: number[] = [];
  let separators: number[] = [];
  for (let leaf = 0; leaf + 1 < cuts.length; leaf += 1) {
    pages.push(layLeaf(shard, run, plan, cuts[leaf], cuts[leaf + 1]));
    separators.push(separatorOf(run, plan, cuts[leaf]));
  }
  for (const page of pages) total.cells += blockCells(entries.words, page);
  levels.forEach((count, level) => {
    const firsts = Array.from({ length: count + 1 }, (_, page) => share(pages.length, count, page));
    const above = firsts
      .slice(0, count)
      .map((first, page) =>
        layInner(
          shard,
          plan.order,
          level + 1,
          pages.slice(first, firsts[page + 1]),
          separators.slice(first, firsts[page + 1]),
        ),
      );
    for (const page of above) total.cells += blockCells(entries.words, page);
    pages = above;
    separators = firsts.slice(0, count).map((first) => separators[first]);
  });
  return pages[0];
}

function layLeaf({ entries }: Shard, run: Run, { order, numbers }: Plan, from: number, to: number): number {
  const page = takeBlock();
  formatLeaf(entries, page, order);
  const target = entryBytes(entries, page);
  const first = entryOffset(page) + PAGE_HEADER_BYTES;
  let at = first;
  if (numbers === undefined) {
    at += run.offsets[to] - run.offsets[from];
    copyBytes(run.bytes, run.offsets[from], run.offsets[to], target, first);
  } else {
    for (let place = from; place < to; place += 1) {
      const number = numberAt(numbers, place);
      copyBytes(run.bytes, run.offsets[number], run.offsets[number + 1], target, at);
      at += run.offsets[number + 1] - run.offsets[number];
    }
  }
  writeUsed(entries, page, at - first);
  writeGroups(entries, page, to - from);
  return page;
}

function layInner(
  { entries }: Shard,
  order: number,
  level: number,
  children: readonly number[],
  separators: readonly number[],
): number {
  const page = takeBlock();
  formatInner(entries, page, order, level, roomFor(children.length));
  let groups = 0;
  children.forEach((child, place) => {
    writeChild(entries, page, place, child);
    writeSeparator(entries, page, place, separators[place]);
    groups += groupsOf(entries, child);
  });
  writeUsed(entries, page, children.length);
  writeGroups(entries, page, groups);
  return page;
}

function separatorOf({ bytes, offsets }: Run, { order, numbers }: Plan, place: number): number {
  if (order === BY_POSITION) return 0;
  if (order === BY_SCORE) return bytes.readDoubleLE(offsets[numberAt(numbers, place)]);
  return numbers === undefined ? 0 : hashIn(numbers, place);
}

/** The first of `children` that falls to page `page` of `pages`. */
function share(children: number, pages: number, page: number): number {
  return Math.floor((children * page) / pages);
}

/** The room of an inner page for so many children. */
function roomFor(children: number): number {
  let room = bounds.childrenMin;
  while (room < children) room *= 2;
  return Math.min(room, bounds.childrenMax);
}

/** A tree without groups becomes packed again. */
function fellEmptyTree(shard: Shard, ref: number): void {
  const { entries } = shard;
  const pages: number[] = [];
  visitPages(shard, ref, (page) => pages.push(page));
  writeForm(entries, ref, readForm(entries, ref) & ~FORM_TREE);
  writePackedCount(entries, ref, 0);
  shrinkEntry(shard, ref, PACKED_GROUPS);
  for (const page of pages) releasePage(shard, page);
}
