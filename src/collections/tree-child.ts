/**
 * The inner pages of a tree: a leaf that comes in beside another, and one that goes; pages that split, merge, and make the tree
 * higher or lower.
 *
 * Runs on every thread, under the shard's lock. The pages that a split needs are set aside before (tree-room.ts). What changes
 * here makes the cursor's way void, but for the levels above.
 */
import { type Arena, blockCells } from '../shard/arena.ts';
import type { Shard } from '../shard/shard.ts';
import type { Cursor } from './cursor.ts';
import { bounds, readHead } from './form.ts';
import {
  addCells,
  adoptChildren,
  BY_POSITION,
  cellsOfHead,
  childAt,
  childrenMaxOf,
  countsWord,
  formatInner,
  groupsOf,
  innerCells,
  levelOf,
  orderOf,
  refsWord,
  releasePage,
  replaceInParent,
  separatorAt,
  separatorsWord,
  usedOf,
  writeChild,
  writeGroups,
  writeSeparator,
  writeUsed,
} from './page.ts';
import { takeBlock, wantBlock } from './tree-room.ts';
import { rootOf } from './tree-seek.ts';

/** An inner page of at most this share of the children that it may have is merged with one beside it, if both fill no more than the other share. */
const FEW_SHARE = 0.25;
const MERGED_SHARE = 0.75;

/** Wants the pages that one more leaf beside the cursor's needs above. */
export function wantForLeaf({ entries }: Shard, cursor: Cursor): void {
  const order = orderOf(entries, cursor.leaf);
  for (let depth = cursor.depth - 1; depth >= 0; depth -= 1) {
    const page = cursor.pages[depth];
    const childrenMax = childrenMaxOf(entries, page);
    if (usedOf(entries, page) < childrenMax) return;
    if (childrenMax < bounds.childrenMax) {
      wantBlock(innerCells(roomier(childrenMax), order));
      return;
    }
    wantBlock(innerCells(bounds.childrenMax, order));
  }
  wantBlock(innerCells(bounds.childrenMin, order));
}

/** Puts the leaves `left` and `right`, of which one is the cursor's and the other new, in the place of the cursor's. */
export function linkLeaf(shard: Shard, cursor: Cursor, left: number, right: number, separator: number): void {
  const { entries } = shard;
  const added = left === cursor.leaf ? right : left;
  addCells(entries, readHead(entries, cursor.ref), blockCells(entries.words, added));
  let one = left;
  let other = right;
  let between = separator;
  for (let depth = cursor.depth - 1; depth >= 0; depth -= 1) {
    const page = cursor.pages[depth];
    const place = cursor.places[depth] + 1;
    const children = usedOf(entries, page);
    writeChild(entries, page, place - 1, one);
    if (children < bounds.childrenMax) {
      const roomy = children < childrenMaxOf(entries, page) ? page : enlargeInner(shard, cursor.ref, page);
      insertChild(entries, roomy, place, other, between);
      return;
    }
    const cut = place === children ? children : children >>> 1;
    const above = cut === children ? between : separatorAt(entries, page, cut);
    const beside = splitInner(shard, cursor.ref, page, cut);
    if (place <= cut && cut < children) insertChild(entries, page, place, other, between);
    else insertChild(entries, beside, place - cut, other, between);
    sumGroups(entries, page);
    sumGroups(entries, beside);
    one = page;
    other = beside;
    between = above;
  }
  addRoot(shard, cursor, cursor.depth === 0 ? cursor.leaf : one, one, other, between);
}

/** Takes the cursor's leaf, which is empty, out of the tree; it is not the only one. */
export function unlinkLeaf(shard: Shard, cursor: Cursor): void {
  const { entries } = shard;
  let page = cursor.leaf;
  let depth = cursor.depth;
  do {
    dropPage(shard, cursor.ref, page);
    depth -= 1;
    page = cursor.pages[depth];
    removeChild(entries, page, cursor.places[depth]);
  } while (usedOf(entries, page) === 0);
  tidyAbove(shard, cursor, depth);
}

/** Mends what a removal has left of the inner pages from `depth` up: few children in a page, or one in the root. */
export function tidyAbove(shard: Shard, cursor: Cursor, depth: number): void {
  for (let level = depth; level > 0; level -= 1) {
    if (!mergeInner(shard, cursor.ref, cursor.pages[level - 1], cursor.places[level - 1])) break;
  }
  lowerRoot(shard, cursor.ref, cursor.root);
}

/** Takes a child out of an inner page; its groups are in another, so that the sum stays. */
export function removeChild(arena: Arena, page: number, place: number): void {
  const children = usedOf(arena, page);
  copyChildren(arena, page, place + 1, children, page, place);
  writeUsed(arena, page, children - 1);
}

/** Frees a page that is in no place any more. */
export function dropPage(shard: Shard, ref: number, page: number): void {
  const { entries } = shard;
  const cells = blockCells(entries.words, page);
  releasePage(shard, page);
  addCells(entries, readHead(entries, ref), -cells);
}

function insertChild(arena: Arena, page: number, place: number, child: number, separator: number): void {
  const children = usedOf(arena, page);
  copyChildren(arena, page, place, children, page, place + 1);
  writeChild(arena, page, place, child);
  writeSeparator(arena, page, place, separator);
  writeUsed(arena, page, children + 1);
}

/** Moves the children from `cut` on to a page set aside, which is returned. */
function splitInner(shard: Shard, ref: number, page: number, cut: number): number {
  const { entries } = shard;
  const beside = takeBlock();
  const children = usedOf(entries, page);
  formatInner(entries, beside, orderOf(entries, page), levelOf(entries, page), bounds.childrenMax);
  copyChildren(entries, page, cut, children, beside, 0);
  writeUsed(entries, page, cut);
  writeUsed(entries, beside, children - cut);
  adoptChildren(entries, beside);
  addCells(entries, readHead(entries, ref), blockCells(entries.words, beside));
  return beside;
}

/** Moves an inner page to one set aside that has more room. */
function enlargeInner(shard: Shard, ref: number, page: number): number {
  const { entries } = shard;
  const to = takeBlock();
  const children = usedOf(entries, page);
  formatInner(
    entries,
    to,
    orderOf(entries, page),
    levelOf(entries, page),
    roomier(childrenMaxOf(entries, page)),
  );
  copyChildren(entries, page, 0, children, to, 0);
  writeUsed(entries, to, children);
  writeGroups(entries, to, groupsOf(entries, page));
  adoptChildren(entries, to);
  takePlace(entries, page, to);
  addCells(entries, readHead(entries, ref), blockCells(entries.words, to));
  dropPage(shard, ref, page);
  return to;
}

/** Puts a page set aside over two, in the place of the root that was. */
function addRoot(
  shard: Shard,
  cursor: Cursor,
  before: number,
  one: number,
  other: number,
  separator: number,
): void {
  const { entries } = shard;
  const root = takeBlock();
  formatInner(entries, root, orderOf(entries, one), levelOf(entries, one) + 1, bounds.childrenMin);
  takePlace(entries, before, root);
  writeChild(entries, root, 0, one);
  writeChild(entries, root, 1, other);
  writeSeparator(entries, root, 1, separator);
  writeUsed(entries, root, 2);
  sumGroups(entries, root);
  addCells(entries, readHead(entries, cursor.ref), blockCells(entries.words, root));
}

/** While the root has one child only, that becomes the root. */
function lowerRoot(shard: Shard, ref: number, root: number): void {
  const { entries } = shard;
  let page = rootOf(entries, ref, root);
  while (levelOf(entries, page) > 0 && usedOf(entries, page) === 1) {
    const child = childAt(entries, page, 0);
    takePlace(entries, page, child);
    dropPage(shard, ref, page);
    page = child;
  }
}

/** Merges the page in a place with one beside it, if it has few children; whether it did. */
function mergeInner(shard: Shard, ref: number, parent: number, place: number): boolean {
  const { entries } = shard;
  const page = childAt(entries, parent, place);
  if (usedOf(entries, page) > bounds.childrenMax * FEW_SHARE) return false;
  if (place > 0 && mergeWithNext(shard, ref, parent, place - 1)) return true;
  return place + 1 < usedOf(entries, parent) && mergeWithNext(shard, ref, parent, place);
}

function mergeWithNext(shard: Shard, ref: number, parent: number, place: number): boolean {
  const { entries } = shard;
  const left = childAt(entries, parent, place);
  const right = childAt(entries, parent, place + 1);
  const own = usedOf(entries, left);
  const more = usedOf(entries, right);
  if (own + more > Math.min(childrenMaxOf(entries, left), bounds.childrenMax * MERGED_SHARE)) return false;
  copyChildren(entries, right, 0, more, left, own);
  writeSeparator(entries, left, own, separatorAt(entries, parent, place + 1));
  writeUsed(entries, left, own + more);
  writeGroups(entries, left, groupsOf(entries, left) + groupsOf(entries, right));
  adoptChildren(entries, left);
  writeChild(entries, parent, place, left);
  removeChild(entries, parent, place + 1);
  dropPage(shard, ref, right);
  return true;
}

/** Puts `to` in the place of `from` above; a head hands on what it counts. */
function takePlace(arena: Arena, from: number, to: number): void {
  const cells = cellsOfHead(arena, from);
  addCells(arena, from, -cells);
  addCells(arena, to, cells);
  replaceInParent(arena, from, to);
}

function sumGroups(arena: Arena, page: number): void {
  const { words } = arena;
  const counts = countsWord(arena, page);
  let groups = 0;
  for (let place = usedOf(arena, page) - 1; place >= 0; place -= 1) groups += words[counts + place];
  writeGroups(arena, page, groups);
}

/** Copies children `[start, end)` of a page, with counts and separators, to `place` of another or the same. */
function copyChildren(
  arena: Arena,
  from: number,
  start: number,
  end: number,
  to: number,
  place: number,
): void {
  if (start === end) return;
  const { words } = arena;
  words.copyWithin(refsWord(to) + place, refsWord(from) + start, refsWord(from) + end);
  const counts = countsWord(arena, from);
  words.copyWithin(countsWord(arena, to) + place, counts + start, counts + end);
  const width = orderOf(arena, from);
  if (width === BY_POSITION) return;
  const separators = separatorsWord(arena, from);
  words.copyWithin(
    separatorsWord(arena, to) + place * width,
    separators + start * width,
    separators + end * width,
  );
}

/** The number of children for which a page gets room after `childrenMax`. */
function roomier(childrenMax: number): number {
  return Math.min(2 * childrenMax, bounds.childrenMax);
}
