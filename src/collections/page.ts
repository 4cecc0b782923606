/**
 * One page of a large collection: how it lies in memory, and the links between pages and to the entry.
 *
 * Runs on every thread, under the shard's lock. A collection in the form of a tree (form.ts) has its groups in the leaves of
 * one counted B+tree, a sorted set in those of two: by score, and by the hash of the member. So has a hash of which fields
 * expire: by the hash of the field, and its deadlines by time. A page is a block of the arena; in 32-bit words:
 *
 *     0       1        2             3        4      5       6       7      8       9       10
 *  ┌───────┬────────┬─────────────┬────────┬──────┬───────┬───────┬──────┬──────┬───────┬──────────────────────
 *  │ BLOCK │ PARENT │ORDER │ LEVEL│ GROUPS │ USED │ FIRST │ CELLS │ LINK │  -   │ SHAPE │ groups, or children
 *  └───────┴────────┴─────────────┴────────┴──────┴───────┴───────┴──────┴──────┴───────┴──────────────────────
 *
 * PARENT is a page, or for the head the entry; NONE: the page belongs to no collection, and does not move. LEVEL is 0 in a leaf.
 * GROUPS counts those in it or below. A leaf has USED bytes of groups, the first of them FIRST bytes behind the page's
 * start: there may be room on both sides. An inner page has USED children and room for FIRST of them:
 *
 *      references ... │ groups of each ... │ separators ...: none by position, 1 word by hash, a float64 by score
 *
 * A child's separator is not above its first hash (or score), and above every hash (not below every score) of the child before;
 * the first child's says nothing. The head counts in CELLS what all pages take. LINK is for heads that wait to be freed.
 * The head of two trees is a pair: an inner page with their roots as its children.
 *
 * Source: Bayer and McCreight, "Organization and maintenance of large ordered indexes" (1972); counts for ranks: Knuth, TAOCP 3, 6.2.3.
 */
import { assert } from '../base/assert.ts';
import { type Arena, allocate, blockCells, cellsForBytes, release } from '../shard/arena.ts';
import { entryBytes, entryOffset, typeOf } from '../shard/entry.ts';
import {
  CELL_BYTES,
  COMPACTION_HAND,
  NONE,
  SHAPE,
  SHAPE_TYPE_MASK,
  SHAPE_TYPE_SHIFT,
  TYPE_HASH,
  TYPE_LIST,
  TYPE_PAGE,
  WORDS_PER_CELL,
} from '../shard/layout.ts';
import type { Shard } from '../shard/shard.ts';
import { FORM_TREE, readForm, readHead, writeHead } from './form.ts';

const PARENT = 1;
const KIND = 2;
const GROUPS = 3;
const USED = 4;
const FIRST = 5;
const CELLS = 6;
const LINK = 7;
const CHILDREN = SHAPE + 1;

const WORD_BYTES = CELL_BYTES / WORDS_PER_CELL;
export const PAGE_HEADER_BYTES = CHILDREN * WORD_BYTES;

const LEVEL_MASK = 0xff;
const ORDER_SHIFT = 8;

/** A pair's level, and that of a block that is set aside for a page. */
const LEVEL_PAIR = 0xfe;
const LEVEL_RESERVED = 0xff;

/** What a tree goes by. The number is that of the words of a separator. */
export const BY_POSITION = 0;
export const BY_HASH = 1;
export const BY_SCORE = 2;

const PAIR_CHILDREN = 2;

assert(PAGE_HEADER_BYTES === 40, 'groups begin on an even word');

/** Whether a used block is a page. */
export function isPage(arena: Arena, ref: number): boolean {
  return typeOf(arena, ref) === TYPE_PAGE;
}

/** The head page of an entry; NONE when it is no collection, or a packed one. */
export function headOf({ entries }: Shard, ref: number): number {
  const type = typeOf(entries, ref);
  if (type < TYPE_LIST || type > TYPE_HASH || (readForm(entries, ref) & FORM_TREE) === 0) return NONE;
  return readHead(entries, ref);
}

/** Notes that the entry to which a head belongs is `ref` now; NONE: it belongs to none. */
export function writeOwner({ entries }: Shard, head: number, ref: number): void {
  entries.words[head * WORDS_PER_CELL + PARENT] = ref;
}

/** The page above, or the entry of a head; NONE for a head without one, and for a block set aside. */
export function parentOf({ words }: Arena, page: number): number {
  return words[page * WORDS_PER_CELL + PARENT];
}

export function writeParent({ words }: Arena, page: number, parent: number): void {
  words[page * WORDS_PER_CELL + PARENT] = parent;
}

/** 0 is a leaf's. */
export function levelOf({ words }: Arena, page: number): number {
  return words[page * WORDS_PER_CELL + KIND] & LEVEL_MASK;
}

export function isPair(arena: Arena, page: number): boolean {
  return levelOf(arena, page) === LEVEL_PAIR;
}

export function orderOf({ words }: Arena, page: number): number {
  return words[page * WORDS_PER_CELL + KIND] >>> ORDER_SHIFT;
}

/** Groups in a page or below it. */
export function groupsOf({ words }: Arena, page: number): number {
  return words[page * WORDS_PER_CELL + GROUPS];
}

export function writeGroups({ words }: Arena, page: number, groups: number): void {
  words[page * WORDS_PER_CELL + GROUPS] = groups;
}

/** Bytes of groups in a leaf; children of an inner page. */
export function usedOf({ words }: Arena, page: number): number {
  return words[page * WORDS_PER_CELL + USED];
}

export function writeUsed({ words }: Arena, page: number, used: number): void {
  words[page * WORDS_PER_CELL + USED] = used;
}

/** Where a leaf's first group begins, in bytes from the page's start. */
export function firstOf({ words }: Arena, leaf: number): number {
  return words[leaf * WORDS_PER_CELL + FIRST];
}

export function writeFirst({ words }: Arena, leaf: number, first: number): void {
  words[leaf * WORDS_PER_CELL + FIRST] = first;
}

/** Children for which an inner page has room. */
export function childrenMaxOf({ words }: Arena, page: number): number {
  return words[page * WORDS_PER_CELL + FIRST];
}

/** Cells of all pages of the collection to which a head belongs. */
export function cellsOfHead({ words }: Arena, head: number): number {
  return words[head * WORDS_PER_CELL + CELLS];
}

export function addCells({ words }: Arena, head: number, cells: number): void {
  words[head * WORDS_PER_CELL + CELLS] += cells;
}

/** The head that waits to be freed after this one, or NONE. */
export function linkOf({ words }: Arena, head: number): number {
  return words[head * WORDS_PER_CELL + LINK];
}

export function writeLink({ words }: Arena, head: number, next: number): void {
  words[head * WORDS_PER_CELL + LINK] = next;
}

export function childAt({ words }: Arena, page: number, place: number): number {
  return words[page * WORDS_PER_CELL + CHILDREN + place];
}

/** Groups below one child of an inner page. */
export function groupsAt({ words }: Arena, page: number, place: number): number {
  const word = page * WORDS_PER_CELL;
  return words[word + CHILDREN + words[word + FIRST] + place];
}

export function addGroupsAt({ words }: Arena, page: number, place: number, groups: number): void {
  const word = page * WORDS_PER_CELL;
  words[word + CHILDREN + words[word + FIRST] + place] += groups;
  words[word + GROUPS] += groups;
}

/** Puts a page in a place of an inner page; its groups are counted there, but not in the inner page's sum. */
export function writeChild(arena: Arena, page: number, place: number, child: number): void {
  const { words } = arena;
  const word = page * WORDS_PER_CELL;
  words[word + CHILDREN + place] = child;
  words[word + CHILDREN + words[word + FIRST] + place] = groupsOf(arena, child);
  words[child * WORDS_PER_CELL + PARENT] = page;
}

/** The word of the first reference, of the first count, and of the first separator of an inner page. */
export function refsWord(page: number): number {
  return page * WORDS_PER_CELL + CHILDREN;
}

export function countsWord({ words }: Arena, page: number): number {
  const word = page * WORDS_PER_CELL;
  return word + CHILDREN + words[word + FIRST];
}

export function separatorsWord({ words }: Arena, page: number): number {
  const word = page * WORDS_PER_CELL;
  return word + CHILDREN + 2 * words[word + FIRST];
}

/** The separator in front of a child: a hash (0 to 2^32 - 1) or a score; 0 by position. */
export function separatorAt(arena: Arena, page: number, place: number): number {
  const order = orderOf(arena, page);
  if (order === BY_POSITION) return 0;
  if (order === BY_HASH) return arena.words[separatorsWord(arena, page) + place] >>> 0;
  return entryBytes(arena, page).readDoubleLE(scoreOffset(arena, page, place));
}

export function writeSeparator(arena: Arena, page: number, place: number, separator: number): void {
  const order = orderOf(arena, page);
  if (order === BY_HASH) arena.words[separatorsWord(arena, page) + place] = separator;
  else if (order === BY_SCORE)
    entryBytes(arena, page).writeDoubleLE(separator, scoreOffset(arena, page, place));
}

/** The cells of an inner page with room for so many children. */
export function innerCells(childrenMax: number, order: number): number {
  return cellsForBytes(PAGE_HEADER_BYTES + childrenMax * (2 + order) * WORD_BYTES);
}

/** The bytes of groups for which a leaf has room. */
export function leafBytesOf({ words }: Arena, leaf: number): number {
  return blockCells(words, leaf) * CELL_BYTES - PAGE_HEADER_BYTES;
}

/** Makes a block a leaf without groups. */
export function formatLeaf(arena: Arena, page: number, order: number): void {
  format(arena, page, order << ORDER_SHIFT, PAGE_HEADER_BYTES);
}

/** Makes a block an inner page without children, one level above its children's. */
export function formatInner(
  arena: Arena,
  page: number,
  order: number,
  level: number,
  childrenMax: number,
): void {
  format(arena, page, (order << ORDER_SHIFT) | level, childrenMax);
}

/** Makes a block the head over two roots. */
export function formatPair(arena: Arena, page: number, main: number, second: number): void {
  format(arena, page, (BY_POSITION << ORDER_SHIFT) | LEVEL_PAIR, PAIR_CHILDREN);
  writeUsed(arena, page, PAIR_CHILDREN);
  writeChild(arena, page, 0, main);
  writeChild(arena, page, 1, second);
}

export function pairCells(): number {
  return innerCells(PAIR_CHILDREN, BY_POSITION);
}

/** Marks a block that is set aside for a page, so that nobody takes it for an entry or moves it. */
export function formatReserved(arena: Arena, page: number): void {
  format(arena, page, LEVEL_RESERVED, 0);
}

/** Frees a page's block. Nothing names it any more. */
export function releasePage(shard: Shard, page: number): void {
  const { control, entries } = shard;
  if (control[COMPACTION_HAND] === page) control[COMPACTION_HAND] = NONE;
  entries.words[page * WORDS_PER_CELL + SHAPE] = 0;
  release(entries, page);
}

/** Puts `to` in the place of a page in its parent or its entry. */
export function replaceInParent(arena: Arena, from: number, to: number): void {
  const parent = parentOf(arena, from);
  writeParent(arena, to, parent);
  if (isPage(arena, parent)) arena.words[refsWord(parent) + placeIn(arena, parent, from)] = to;
  else writeHead(arena, parent, to);
}

/** Which child of its parent a page is. */
export function placeIn(arena: Arena, parent: number, child: number): number {
  const { words } = arena;
  const word = refsWord(parent);
  let place = 0;
  while (words[word + place] !== child) place += 1;
  return place;
}

/**
 * Moves a page to a fresh block, for compaction; false when there is none, or when nothing owns the page. The old block stays a
 * used one. O(bytes), plus the children of an inner page.
 */
export function movePage(shard: Shard, from: number): boolean {
  const { control, entries } = shard;
  const { words } = entries;
  if (parentOf(entries, from) === NONE) return false;
  const cells = blockCells(words, from);
  const to = allocate(entries, cells);
  if (to === NONE) return false;
  words.copyWithin(to * WORDS_PER_CELL + 1, from * WORDS_PER_CELL + 1, (from + cells) * WORDS_PER_CELL);
  replaceInParent(entries, from, to);
  if (levelOf(entries, to) > 0) adoptChildren(entries, to);
  addCells(entries, headAbove(entries, to), blockCells(words, to) - cells);
  if (control[COMPACTION_HAND] === from) control[COMPACTION_HAND] = NONE;
  words[from * WORDS_PER_CELL + SHAPE] &= ~(SHAPE_TYPE_MASK << SHAPE_TYPE_SHIFT);
  return true;
}

/** Makes an inner page the parent of all its children. */
export function adoptChildren({ words }: Arena, page: number): void {
  const first = refsWord(page);
  const end = first + words[page * WORDS_PER_CELL + USED];
  for (let word = first; word < end; word += 1) words[words[word] * WORDS_PER_CELL + PARENT] = page;
}

/** Visits all pages of an entry, parents first. The visitor changes nothing. */
export function visitPages(shard: Shard, ref: number, visit: (page: number) => void): void {
  const head = headOf(shard, ref);
  if (head !== NONE) visitBelow(shard.entries, head, visit);
}

function visitBelow(arena: Arena, page: number, visit: (page: number) => void): void {
  visit(page);
  if (levelOf(arena, page) === 0) return;
  const children = usedOf(arena, page);
  for (let place = 0; place < children; place += 1) visitBelow(arena, childAt(arena, page, place), visit);
}

/** The head of the tree or pair of trees that a page is in. */
function headAbove(arena: Arena, page: number): number {
  let head = page;
  let above = parentOf(arena, head);
  while (above !== NONE && isPage(arena, above)) {
    head = above;
    above = parentOf(arena, head);
  }
  return head;
}

function format({ words }: Arena, page: number, kind: number, first: number): void {
  const word = page * WORDS_PER_CELL;
  words.fill(0, word + PARENT, word + SHAPE);
  words[word + KIND] = kind;
  words[word + FIRST] = first;
  words[word + SHAPE] = TYPE_PAGE << SHAPE_TYPE_SHIFT;
}

function scoreOffset(arena: Arena, page: number, place: number): number {
  const word = separatorsWord(arena, page) - page * WORDS_PER_CELL + place * BY_SCORE;
  return entryOffset(page) + word * WORD_BYTES;
}
