/**
 * Whether a collection is whole: every group walked, every count, order and link compared with what is there.
 *
 * Runs on any thread, under the shard's lock; reads only. O(groups), where there are two trees O(groups log groups). Every
 * test of collections ends with it, and so does the check of a shard (shard/check.ts).
 */
import { Buffer } from 'node:buffer';
import { type Arena, blockCells } from '../shard/arena.ts';
import { entryBytes, entryOffset, typeOf } from '../shard/entry.ts';
import { TYPE_HASH, TYPE_LIST, TYPE_ZSET } from '../shard/layout.ts';
import type { Shard } from '../shard/shard.ts';
import { type Cursor, createCursor } from './cursor.ts';
import { groupDeadline, hasDeadlines } from './deadlines.ts';
import { encodingEnd, groupEnd, groupKey, textStart } from './elements.ts';
import { type Bytes, pushField } from './field-names.ts';
import { FORM_TREE, readForm, readHead, readPackedCount } from './form.ts';
import { compareScored, skipGroups } from './leaf.ts';
import { enterPacked } from './packed.ts';
import {
  BY_HASH,
  BY_POSITION,
  BY_SCORE,
  cellsOfHead,
  childAt,
  childrenMaxOf,
  firstOf,
  groupsAt,
  groupsOf,
  isPage,
  isPair,
  leafBytesOf,
  levelOf,
  orderOf,
  PAGE_HEADER_BYTES,
  parentOf,
  separatorAt,
  usedOf,
} from './page.ts';
import { HASHES, hashOfElement, nextLeaf, rootOf, seekTreeMember, seekTreeRank } from './tree-seek.ts';

/** What the check of one tree knows: cells and groups so far, and the place of the last group, in a sorted set by score. */
type Tally = { cells: number; groups: number; bytes: Buffer | undefined; at: number };

const walker = createCursor();
const seeker = createCursor();

/** What is wrong with a collection, or nothing. */
export function checkCollection(shard: Shard, ref: number): string | undefined {
  const { entries } = shard;
  const problem =
    (readForm(entries, ref) & FORM_TREE) === 0 ? checkPacked(shard, ref) : checkTrees(shard, ref);
  return problem === undefined ? undefined : `collection ${ref}: ${problem}`;
}

function checkPacked(shard: Shard, ref: number): string | undefined {
  enterPacked(shard, ref, walker);
  if (walker.end < walker.start) return 'its value is too short';
  const tally = createTally();
  const problem = checkGroups(walker.type, walker.bytes, walker.start, walker.end, tally);
  if (problem !== undefined) return problem;
  const counted = readPackedCount(shard.entries, ref);
  if (tally.groups !== counted) return `${tally.groups} groups, ${counted} are counted`;
  const isTimed = walker.type === TYPE_HASH && isAnyTimed(walker);
  return isTimed === hasDeadlines(shard.entries, ref) ? undefined : 'its form errs about its deadlines';
}

function isAnyTimed({ type, bytes, start, end }: Cursor): boolean {
  for (let at = start; at < end; at = skipGroups(type, bytes, at, end, 1)) {
    if (groupDeadline(bytes, at, end) !== 0) return true;
  }
  return false;
}

function checkTrees(shard: Shard, ref: number): string | undefined {
  const { entries } = shard;
  const type = typeOf(entries, ref);
  const head = readHead(entries, ref);
  if (!isPage(entries, head)) return `its head ${head} is no page`;
  if (parentOf(entries, head) !== ref) return 'its head belongs to another';
  if (isPair(entries, head) ? type !== TYPE_ZSET && type !== TYPE_HASH : type === TYPE_ZSET)
    return 'its head is not of its type';
  const tally = createTally();
  if (isPair(entries, head)) {
    tally.cells = blockCells(entries.words, head);
    const problem = type === TYPE_ZSET ? checkScored(shard, ref, tally) : checkTimed(shard, ref, tally);
    if (problem !== undefined) return problem;
  } else {
    if (hasDeadlines(entries, ref)) return 'it has no tree for its deadlines';
    const order = type === TYPE_LIST ? BY_POSITION : BY_HASH;
    const problem = checkTree(shard, ref, type, head, order, tally);
    if (problem !== undefined) return problem;
  }
  const counted = cellsOfHead(entries, head);
  return tally.cells === counted ? undefined : `its pages take ${tally.cells} cells, ${counted} are counted`;
}

/** Both trees of a sorted set. */
function checkScored(shard: Shard, ref: number, tally: Tally): string | undefined {
  const head = readHead(shard.entries, ref);
  return (
    checkTree(shard, head, TYPE_ZSET, childAt(shard.entries, head, 0), BY_SCORE, tally) ??
    checkTree(shard, head, TYPE_ZSET, childAt(shard.entries, head, 1), BY_HASH, tally) ??
    checkMembers(shard, ref)
  );
}

/** The fields of a hash, and its deadlines. */
function checkTimed(shard: Shard, ref: number, tally: Tally): string | undefined {
  const head = readHead(shard.entries, ref);
  return (
    checkTree(shard, head, TYPE_HASH, childAt(shard.entries, head, 0), BY_HASH, tally) ??
    checkTree(shard, head, TYPE_ZSET, childAt(shard.entries, head, 1), BY_SCORE, tally) ??
    checkFields(shard, ref)
  );
}

function checkTree(
  shard: Shard,
  parent: number,
  type: number,
  root: number,
  order: number,
  tally: Tally,
): string | undefined {
  tally.groups = 0;
  tally.bytes = undefined;
  const { entries } = shard;
  if (!isPage(entries, root)) return `its root ${root} is no page`;
  if (levelOf(entries, root) > 0 && usedOf(entries, root) < 2) return 'its root has one child';
  const problem = checkPage(shard, type, parent, root, order, -Infinity, Infinity, tally);
  if (problem !== undefined) return problem;
  const counted = groupsOf(entries, root);
  return tally.groups === counted ? undefined : `${tally.groups} groups, ${counted} are counted`;
}

/** A page whose hashes, or scores, lie from `low` to `high`; at `high` itself only scores do. */
function checkPage(
  shard: Shard,
  type: number,
  parent: number,
  page: number,
  order: number,
  low: number,
  high: number,
  tally: Tally,
): string | undefined {
  const { entries } = shard;
  if (!isPage(entries, page)) return `${page} is no page`;
  if (parentOf(entries, page) !== parent) return `page ${page} has another parent than ${parent}`;
  if (orderOf(entries, page) !== order) return `page ${page} has another order than its tree`;
  tally.cells += blockCells(entries.words, page);
  const before = tally.groups;
  const problem =
    levelOf(entries, page) === 0
      ? checkLeaf(shard, type, parent, page, low, high, tally)
      : checkInner(shard, type, page, low, high, tally);
  if (problem !== undefined) return problem;
  const groups = tally.groups - before;
  return groups === groupsOf(entries, page)
    ? undefined
    : `page ${page} has ${groups} groups, ${groupsOf(entries, page)} are counted`;
}

function checkInner(
  shard: Shard,
  type: number,
  page: number,
  low: number,
  high: number,
  tally: Tally,
): string | undefined {
  const { entries } = shard;
  const children = usedOf(entries, page);
  if (children < 1 || children > childrenMaxOf(entries, page)) return `page ${page} has ${children} children`;
  const order = orderOf(entries, page);
  for (let place = 0; place < children; place += 1) {
    const child = childAt(entries, page, place);
    if (levelOf(entries, child) !== levelOf(entries, page) - 1) return `page ${child} is on a wrong level`;
    if (groupsAt(entries, page, place) !== groupsOf(entries, child))
      return `page ${page} errs about the groups of page ${child}`;
    const from = place === 0 ? low : separatorAt(entries, page, place);
    const to = place + 1 === children ? high : separatorAt(entries, page, place + 1);
    if (order !== BY_POSITION && !(from >= low && to <= high && from <= to))
      return `the separators of page ${page} do not ascend`;
    const problem = checkPage(shard, type, page, child, order, from, to, tally);
    if (problem !== undefined) return problem;
  }
  return undefined;
}

function checkLeaf(
  shard: Shard,
  type: number,
  parent: number,
  leaf: number,
  low: number,
  high: number,
  tally: Tally,
): string | undefined {
  const { entries } = shard;
  const used = usedOf(entries, leaf);
  const first = firstOf(entries, leaf);
  if (used === 0 && isPage(entries, parent) && !isPair(entries, parent)) return `leaf ${leaf} is empty`;
  if (first < PAGE_HEADER_BYTES || first - PAGE_HEADER_BYTES + used > leafBytesOf(entries, leaf))
    return `the groups of leaf ${leaf} do not lie in it`;
  const bytes = entryBytes(entries, leaf);
  const start = entryOffset(leaf) + first;
  const order = orderOf(entries, leaf);
  return (
    checkGroups(type, bytes, start, start + used, tally, order === BY_SCORE) ??
    checkRange(shard, type, order, bytes, start, start + used, low, high)
  );
}

/** Whether all groups of a leaf are within the separators around it. */
function checkRange(
  shard: Shard,
  type: number,
  order: number,
  bytes: Buffer,
  start: number,
  end: number,
  low: number,
  high: number,
): string | undefined {
  if (order === BY_POSITION) return undefined;
  for (let at = start; at < end; at = skipGroups(type, bytes, at, end, 1)) {
    const own = order === BY_HASH ? hashOfElement(shard, bytes, groupKey(type, at)) : bytes.readDoubleLE(at);
    const isBelow = order === BY_HASH ? own < Math.min(high, HASHES) : own <= high;
    if (own < low || !isBelow) return `a group of ${own} lies between ${low} and ${high}`;
  }
  return undefined;
}

/** Whether `bytes[start, end)` is whole groups, and in a sorted set by score ascending ones. */
function checkGroups(
  type: number,
  bytes: Buffer,
  start: number,
  end: number,
  tally: Tally,
  isByScore = type === TYPE_ZSET,
): string | undefined {
  let at = start;
  while (at < end) {
    const next = type === TYPE_HASH ? skipGroups(type, bytes, at, end, 1) : groupEnd(type, bytes, at);
    if (next <= at || next > end) return `a group begins at ${at - start} and ends at ${next - start}`;
    if (isByScore) {
      const { bytes: before, at: beforeAt } = tally;
      if (before !== undefined && compareGroups(before, beforeAt, bytes, at) >= 0)
        return `groups ${tally.groups - 1} and ${tally.groups} do not ascend`;
    }
    tally.bytes = bytes;
    tally.at = at;
    tally.groups += 1;
    at = next;
  }
  return undefined;
}

/** Whether both trees of a sorted set hold the same. */
function checkMembers(shard: Shard, ref: number): string | undefined {
  const { entries } = shard;
  if (groupsOf(entries, rootOf(entries, ref, 0)) !== groupsOf(entries, rootOf(entries, ref, 1)))
    return 'its trees have different numbers of groups';
  if (!seekTreeRank(shard, ref, 0, walker, 0)) return undefined;
  do {
    const key = groupKey(TYPE_ZSET, walker.at);
    const end = groupEnd(TYPE_ZSET, walker.bytes, walker.at);
    if (!seekTreeMember(shard, ref, 1, seeker, walker.bytes, key, end)) return 'a member is in one tree only';
    if (walker.bytes.readDoubleLE(walker.at) !== seeker.bytes.readDoubleLE(seeker.at))
      return 'a member has two scores';
  } while (stepOn(entries, walker));
  return undefined;
}

/** Whether the second tree of a hash holds the deadlines that its fields have, and the form says so. */
function checkFields(shard: Shard, ref: number): string | undefined {
  const { entries } = shard;
  const timed = groupsOf(entries, rootOf(entries, ref, 1));
  if (timed > 0 !== hasDeadlines(entries, ref)) return `its form errs about ${timed} deadlines`;
  let found = 0;
  if (seekTreeRank(shard, ref, 0, walker, 0)) {
    do found += groupDeadline(walker.bytes, walker.at, walker.end) === 0 ? 0 : 1;
    while (stepOn(entries, walker));
  }
  if (found !== timed) return `${found} fields have deadlines, ${timed} are in the second tree`;
  if (!seekTreeRank(shard, ref, 1, walker, 0)) return undefined;
  do {
    const field: Bytes = { bytes: Buffer.alloc(0), length: 0 };
    pushField(field, walker.bytes, groupKey(TYPE_ZSET, walker.at));
    if (!seekTreeMember(shard, ref, 0, seeker, field.bytes, 0, field.length))
      return 'a deadline is of no field';
    if (groupDeadline(seeker.bytes, seeker.at, seeker.end) !== walker.bytes.readDoubleLE(walker.at))
      return 'a field has two deadlines';
  } while (stepOn(entries, walker));
  return undefined;
}

function stepOn(arena: Arena, cursor: Cursor): boolean {
  cursor.at = skipGroups(cursor.type, cursor.bytes, cursor.at, cursor.end, 1);
  return cursor.at < cursor.end || nextLeaf(arena, cursor);
}

function compareGroups(one: Buffer, at: number, other: Buffer, otherAt: number): number {
  const key = groupKey(TYPE_ZSET, otherAt);
  const end = encodingEnd(other, key);
  return compareScored(one, at, other.readDoubleLE(otherAt), other, textStart(other, key), end);
}

function createTally(): Tally {
  return { cells: 0, groups: 0, bytes: undefined, at: 0 };
}
