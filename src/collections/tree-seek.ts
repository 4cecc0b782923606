/**
 * Ways through a tree: down by rank, by hash and by score, on to the next leaf and back, and the rank of a place.
 *
 * Runs on every thread, under the shard's lock; reads only. A cursor in a tree keeps the inner pages above its leaf, from
 * the root down, and the places taken in them. Every way down costs a search of one page for each level.
 */
import type { Buffer } from 'node:buffer';
import type { Arena } from '../shard/arena.ts';
import { entryBytes, entryOffset, typeOf } from '../shard/entry.ts';
import { NONE, TYPE_ZSET } from '../shard/layout.ts';
import type { Shard } from '../shard/shard.ts';
import { hashOf } from '../shard/table.ts';
import type { Cursor } from './cursor.ts';
import { encodingEnd } from './elements.ts';
import { readHead } from './form.ts';
import { compareScored, findNamed, findScore, groupBefore, skipBack, skipGroups } from './leaf.ts';
import {
  childAt,
  countsWord,
  firstOf,
  groupsOf,
  isPage,
  isPair,
  levelOf,
  parentOf,
  placeIn,
  refsWord,
  separatorAt,
  separatorsWord,
  usedOf,
} from './page.ts';

/** Hashes end here. */
export const HASHES = 2 ** 32;

/** The root page of the main tree (0), or of the members of a sorted set or the deadlines of a hash (1). */
export function rootOf(arena: Arena, ref: number, root: number): number {
  const head = readHead(arena, ref);
  return isPair(arena, head) ? childAt(arena, head, root) : head;
}

/** The hash by which trees place the element at `start`: 0 to 2^32 - 1. */
export function hashOfElement(shard: Shard, bytes: Buffer, start: number): number {
  return hashOf(shard, bytes, start, encodingEnd(bytes, start)) >>> 0;
}

/** Stands the cursor at the group of a rank; false, and at the end, when there are not so many. */
export function seekTreeRank(
  { entries }: Shard,
  ref: number,
  root: number,
  cursor: Cursor,
  rank: number,
): boolean {
  let page = begin(entries, ref, root, cursor);
  const { words } = entries;
  let left = rank;
  while (levelOf(entries, page) > 0) {
    const last = usedOf(entries, page) - 1;
    const counts = countsWord(entries, page);
    const groups = groupsOf(entries, page);
    let place = 0;
    if (left > groups / 2) {
      // From the last: those who push and pop there are many.
      let before = groups - words[counts + last];
      for (place = last; place > 0 && left < before; place -= 1) before -= words[counts + place - 1];
      left -= before;
    } else {
      for (; place < last && left >= words[counts + place]; place += 1) left -= words[counts + place];
    }
    page = enter(entries, cursor, page, place);
  }
  standInLeaf(entries, cursor, page);
  const { type, bytes, start, end } = cursor;
  const count = groupsOf(entries, page);
  cursor.before = Math.min(left, count);
  if (left >= count) cursor.at = end;
  else if (left > count / 2) cursor.at = skipBack(type, bytes, end, count - left);
  else cursor.at = skipGroups(type, bytes, start, end, left);
  return left < count;
}

/** Stands the cursor at the first group of the leaf for a hash; whether it has one. */
export function seekTreeHash(
  { entries }: Shard,
  ref: number,
  root: number,
  cursor: Cursor,
  hash: number,
): boolean {
  const { words } = entries;
  let page = begin(entries, ref, root, cursor);
  cursor.hashEnd = HASHES;
  while (levelOf(entries, page) > 0) {
    const separators = separatorsWord(entries, page);
    const children = usedOf(entries, page);
    let low = 0;
    let high = children - 1;
    while (low < high) {
      const middle = (low + high + 1) >>> 1;
      if (words[separators + middle] >>> 0 <= hash) low = middle;
      else high = middle - 1;
    }
    if (low + 1 < children) cursor.hashEnd = words[separators + low + 1] >>> 0;
    page = enter(entries, cursor, page, low);
  }
  standInLeaf(entries, cursor, page);
  return cursor.at < cursor.end;
}

/** Stands the cursor at the group of an element; false: there is none, and the cursor is at the end of the leaf for its hash. */
export function seekTreeMember(
  shard: Shard,
  ref: number,
  root: number,
  cursor: Cursor,
  element: Buffer,
  start: number,
  end: number,
): boolean {
  seekTreeHash(shard, ref, root, cursor, hashOfElement(shard, element, start));
  cursor.at = findNamed(cursor.type, cursor.bytes, cursor.start, cursor.end, element, start, end);
  return cursor.at < cursor.end;
}

/** Stands the cursor at the first group that is not below a score and a member's text; false, and at the end, when there is none. */
export function seekTreeScore(
  { entries }: Shard,
  ref: number,
  root: number,
  cursor: Cursor,
  score: number,
  member: Buffer,
  start: number,
  end: number,
): boolean {
  let page = begin(entries, ref, root, cursor);
  while (levelOf(entries, page) > 0) {
    page = enter(entries, cursor, page, placeOfScore(entries, page, score, member, start, end));
  }
  standInLeaf(entries, cursor, page);
  cursor.at = findScore(cursor.bytes, cursor.start, cursor.end, score, member, start, end);
  return cursor.at < cursor.end || nextLeaf(entries, cursor);
}

/** On to the first group of the next leaf; false at the last, where the cursor stays. */
export function nextLeaf(arena: Arena, cursor: Cursor): boolean {
  for (let depth = cursor.depth - 1; depth >= 0; depth -= 1) {
    const page = cursor.pages[depth];
    const place = cursor.places[depth] + 1;
    if (place === usedOf(arena, page)) continue;
    cursor.depth = depth;
    let below = enter(arena, cursor, page, place);
    while (levelOf(arena, below) > 0) below = enter(arena, cursor, below, 0);
    standInLeaf(arena, cursor, below);
    return true;
  }
  return false;
}

/** Back to the last group of the leaf before; false at the first, where the cursor stays. */
export function previousLeaf(arena: Arena, cursor: Cursor): boolean {
  for (let depth = cursor.depth - 1; depth >= 0; depth -= 1) {
    const page = cursor.pages[depth];
    const place = cursor.places[depth] - 1;
    if (place < 0) continue;
    cursor.depth = depth;
    let below = enter(arena, cursor, page, place);
    while (levelOf(arena, below) > 0) below = enter(arena, cursor, below, usedOf(arena, below) - 1);
    standInLeaf(arena, cursor, below);
    cursor.at = groupBefore(cursor.type, cursor.bytes, cursor.end);
    return true;
  }
  return false;
}

/** Groups of all leaves before the cursor's. */
export function rankOfLeaf(arena: Arena, cursor: Cursor): number {
  const { words } = arena;
  let rank = 0;
  for (let depth = 0; depth < cursor.depth; depth += 1) {
    const counts = countsWord(arena, cursor.pages[depth]);
    const end = counts + cursor.places[depth];
    for (let word = counts; word < end; word += 1) rank += words[word];
  }
  return rank;
}

/** Whether no leaf comes behind the cursor's. */
export function isLastLeaf(arena: Arena, { depth, pages, places }: Cursor): boolean {
  for (let i = 0; i < depth; i += 1) {
    if (places[i] + 1 < usedOf(arena, pages[i])) return false;
  }
  return true;
}

/** Whether no leaf comes before the cursor's. */
export function isFirstLeaf({ depth, places }: Cursor): boolean {
  for (let i = 0; i < depth; i += 1) {
    if (places[i] > 0) return false;
  }
  return true;
}

/** Stands the cursor in a leaf of its tree, `offset` bytes behind its first group: from the leaf up, when pages have changed. */
export function standAt(arena: Arena, cursor: Cursor, leaf: number, offset: number): void {
  let depth = 0;
  for (let above = parentOf(arena, leaf); isInner(arena, above); above = parentOf(arena, above)) depth += 1;
  cursor.depth = depth;
  let child = leaf;
  for (let i = depth - 1; i >= 0; i -= 1) {
    const parent = parentOf(arena, child);
    cursor.pages[i] = parent;
    cursor.places[i] = placeIn(arena, parent, child);
    child = parent;
  }
  standInLeaf(arena, cursor, leaf);
  cursor.at = cursor.start + offset;
}

/** Stands the cursor at the first group of a leaf, the way to which it has. */
export function standInLeaf(arena: Arena, cursor: Cursor, leaf: number): void {
  cursor.leaf = leaf;
  cursor.bytes = entryBytes(arena, leaf);
  cursor.start = entryOffset(leaf) + firstOf(arena, leaf);
  cursor.end = cursor.start + usedOf(arena, leaf);
  cursor.at = cursor.start;
}

function isInner(arena: Arena, page: number): boolean {
  return page !== NONE && isPage(arena, page) && !isPair(arena, page);
}

function begin(arena: Arena, ref: number, root: number, cursor: Cursor): number {
  cursor.ref = ref;
  // A second tree holds scores, or deadlines, and texts.
  cursor.type = root === 0 ? typeOf(arena, ref) : TYPE_ZSET;
  cursor.root = root;
  cursor.depth = 0;
  return rootOf(arena, ref, root);
}

/** Notes the way through a page; returns the child. */
function enter({ words }: Arena, cursor: Cursor, page: number, place: number): number {
  cursor.pages[cursor.depth] = page;
  cursor.places[cursor.depth] = place;
  cursor.depth += 1;
  return words[refsWord(page) + place];
}

/** The last child that does not begin behind the score and member, or the first. Of equal scores only the groups tell. */
function placeOfScore(
  arena: Arena,
  page: number,
  score: number,
  member: Buffer,
  start: number,
  end: number,
): number {
  let low = 0;
  let high = usedOf(arena, page) - 1;
  while (low < high) {
    const middle = (low + high + 1) >>> 1;
    const separator = separatorAt(arena, page, middle);
    const isBefore =
      separator === score
        ? compareFirst(arena, childAt(arena, page, middle), score, member, start, end) <= 0
        : separator < score;
    if (isBefore) low = middle;
    else high = middle - 1;
  }
  return low;
}

function compareFirst(
  arena: Arena,
  page: number,
  score: number,
  member: Buffer,
  start: number,
  end: number,
): number {
  let leaf = page;
  while (levelOf(arena, leaf) > 0) leaf = childAt(arena, leaf, 0);
  const at = entryOffset(leaf) + firstOf(arena, leaf);
  return compareScored(entryBytes(arena, leaf), at, score, member, start, end);
}
