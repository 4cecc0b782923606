/**
 * What the types of collections are built on: a sequence of groups, packed or in a tree, behind one face.
 *
 * Runs on every thread, under the shard's lock. A cursor names a group; seeks set it, `step` moves it on, changes are made
 * at it. Groups that come in lie in private memory. A change that may allocate may evict other entries and move
 * everything: afterwards `cursor.ref` is the entry, and every other reference and cursor is void. Nothing here writes a record.
 */
import type { Buffer } from 'node:buffer';
import { tableFor } from '../shard/databases.ts';
import { footprintBytes, writeLsn } from '../shard/entry.ts';
import { createEntry } from '../shard/keyspace.ts';
import { CELL_BYTES, NONE, TYPE_LIST, TYPE_ZSET } from '../shard/layout.ts';
import type { Shard } from '../shard/shard.ts';
import { type Cursor, createCursor } from './cursor.ts';
import { elementEnd, groupEnd } from './elements.ts';
import {
  FORM_TREE,
  PACKED_GROUPS,
  readBirth,
  readForm,
  readHead,
  readHeadMoves,
  readMiddleMoves,
  readPackedCount,
  writeForm,
  writePackedCount,
} from './form.ts';
import { countGroups, findNamed, findScore, groupBefore, skipBack, skipGroups } from './leaf.ts';
import { enterPacked, insertPacked, removePacked, replacePacked, staysPacked } from './packed.ts';
import { cellsOfHead, groupsOf } from './page.ts';
import { buildTree } from './tree-build.ts';
import { insertInTree, replaceInTree } from './tree-insert.ts';
import { removeInTree, removeRunInTree } from './tree-remove.ts';
import {
  nextLeaf,
  previousLeaf,
  rankOfLeaf,
  rootOf,
  seekTreeHash,
  seekTreeMember,
  seekTreeRank,
  seekTreeScore,
} from './tree-seek.ts';

const walker = createCursor();

/** Groups of the collection. O(1). */
export function countOf(shard: Shard, ref: number): number {
  const { entries } = shard;
  return isTree(shard, ref) ? groupsOf(entries, rootOf(entries, ref, 0)) : readPackedCount(entries, ref);
}

export function isTree(shard: Shard, ref: number): boolean {
  return (readForm(shard.entries, ref) & FORM_TREE) !== 0;
}

/** The FORM_ bits of form.ts. */
export function flagsOf(shard: Shard, ref: number): number {
  return readForm(shard.entries, ref);
}

/**
 * Stands the cursor at the group of a rank: O(log n), or O(groups of a leaf) where that is more. False when there is none; the
 * cursor is then at the end. `root` is 0, or in the form of a tree 1 for the members of a sorted set and the deadlines of a hash.
 */
export function seekRank(shard: Shard, ref: number, root: number, cursor: Cursor, rank: number): boolean {
  if (isTree(shard, ref)) return seekTreeRank(shard, ref, root, cursor, rank);
  enterPacked(shard, ref, cursor);
  const { type, bytes, start, end } = cursor;
  const count = readPackedCount(shard.entries, ref);
  if (rank >= count) cursor.at = end;
  else if (rank > count / 2) cursor.at = skipBack(type, bytes, end, count - rank);
  else cursor.at = skipGroups(type, bytes, start, end, rank);
  return rank < count;
}

/** Stands the cursor at the first group; false when there is none. */
export function seekFirst(shard: Shard, ref: number, root: number, cursor: Cursor): boolean {
  return seekRank(shard, ref, root, cursor, 0);
}

/**
 * Stands the cursor at the group of which the key is the element `element[start, end)`, back length included. False: there is
 * none, and the cursor is where one may be inserted, but for packed sorted sets and sets of integers, which have an order.
 */
export function seekMember(
  shard: Shard,
  ref: number,
  root: number,
  cursor: Cursor,
  element: Buffer,
  start: number,
  end: number,
): boolean {
  if (isTree(shard, ref)) return seekTreeMember(shard, ref, root, cursor, element, start, end);
  enterPacked(shard, ref, cursor);
  cursor.at = findNamed(cursor.type, cursor.bytes, cursor.start, cursor.end, element, start, end);
  return cursor.at < cursor.end;
}

/** Stands the cursor at the first group of the leaf to which a hash belongs, in a tree that goes by hashes. */
export function seekHash(shard: Shard, ref: number, root: number, cursor: Cursor, hash: number): boolean {
  return seekTreeHash(shard, ref, root, cursor, hash);
}

/** After `seekHash` or `seekMember` in a tree: the least hash behind the leaf of the cursor, 2^32 at the last. */
export function leafHashEnd(cursor: Cursor): number {
  return cursor.hashEnd;
}

/**
 * Stands the cursor at the first group of a sorted set that is not below a score and the member whose text is
 * `member[start, end)`; an empty text is below all members. False: all are below, and the cursor is at the end.
 */
export function seekScore(
  shard: Shard,
  ref: number,
  cursor: Cursor,
  score: number,
  member: Buffer,
  start: number,
  end: number,
): boolean {
  if (isTree(shard, ref)) return seekTreeScore(shard, ref, 0, cursor, score, member, start, end);
  enterPacked(shard, ref, cursor);
  cursor.at = findScore(cursor.bytes, cursor.start, cursor.end, score, member, start, end);
  return cursor.at < cursor.end;
}

/**
 * Moves the cursor on to the first group, from its own on, of which the key is the element `element[start, end)`, back length included.
 * Returns how many groups it has passed; -1: there is none, and it is at the end. O(n), some ns a group.
 */
export function seekElement(
  { entries }: Shard,
  cursor: Cursor,
  element: Buffer,
  start: number,
  end: number,
): number {
  let passed = 0;
  do {
    const { type, bytes, at } = cursor;
    cursor.at = findNamed(type, bytes, at, cursor.end, element, start, end);
    passed += countGroups(type, bytes, at, cursor.at);
    if (cursor.at < cursor.end) return passed;
  } while (cursor.leaf !== NONE && nextLeaf(entries, cursor));
  return -1;
}

/** On to the next group; false at the end. */
export function step({ entries }: Shard, cursor: Cursor): boolean {
  if (cursor.at >= cursor.end) return false;
  const at = groupEnd(cursor.type, cursor.bytes, cursor.at);
  if (at < cursor.end) {
    cursor.at = at;
    return true;
  }
  cursor.at = cursor.end;
  return cursor.leaf !== NONE && nextLeaf(entries, cursor);
}

/** Back to the group before; false at the first, where the cursor stays. */
export function stepBack({ entries }: Shard, cursor: Cursor): boolean {
  if (cursor.at === cursor.start) return cursor.leaf !== NONE && previousLeaf(entries, cursor);
  cursor.at = groupBefore(cursor.type, cursor.bytes, cursor.at);
  return true;
}

/** How many groups come before the cursor's. O(log n). */
export function rankOf({ entries }: Shard, cursor: Cursor): number {
  const own = countGroups(cursor.type, cursor.bytes, cursor.start, cursor.at);
  return cursor.leaf === NONE ? own : own + rankOfLeaf(entries, cursor);
}

/** Puts a group before the cursor's, and stands the cursor on it. False: no room, and nothing has changed but what was evicted. */
export function insertGroup(
  shard: Shard,
  cursor: Cursor,
  group: Buffer,
  start: number,
  end: number,
  nowMs: number,
): boolean {
  if (cursor.leaf === NONE) {
    if (staysPacked(shard, cursor.ref, end - start, 1))
      return insertPacked(shard, cursor, group, start, end, nowMs);
    if (!plant(shard, cursor, group, start, nowMs)) return false;
  }
  return insertInTree(shard, cursor, group, start, end, nowMs);
}

/** Puts another group, which belongs in the same place, in the place of the cursor's. As `insertGroup`. */
export function replaceGroup(
  shard: Shard,
  cursor: Cursor,
  group: Buffer,
  start: number,
  end: number,
  nowMs: number,
): boolean {
  if (cursor.leaf === NONE) {
    const more = end - start - (skipGroups(cursor.type, cursor.bytes, cursor.at, cursor.end, 1) - cursor.at);
    if (more <= 0 || staysPacked(shard, cursor.ref, more, 0))
      return replacePacked(shard, cursor, group, start, end, nowMs);
    if (!plant(shard, cursor, group, start, nowMs)) return false;
  }
  return replaceInTree(shard, cursor, group, start, end, nowMs);
}

/** Takes the cursor's group out; the cursor is then on the next, or at the end. Nothing is allocated, the entry stays where it is. */
export function removeGroup(shard: Shard, cursor: Cursor): void {
  if (cursor.leaf === NONE) removePacked(shard, cursor, 1);
  else removeInTree(shard, cursor);
}

/** Takes `count` groups out, from a rank on: whole leaves at once. Returns the bytes of the groups. O(log n + leaves). */
export function removeRun(shard: Shard, ref: number, root: number, rank: number, count: number): number {
  seekRank(shard, ref, root, walker, rank);
  return walker.leaf === NONE
    ? removePacked(shard, walker, count)
    : removeRunInTree(shard, walker, rank, count);
}

/**
 * A packed collection without groups, for a key that has no entry. `type` as in layout.ts, `flags` as in form.ts. NONE: no
 * room. It must get a group, or be removed, before the command is over.
 */
export function createCollection(
  shard: Shard,
  database: number,
  hash: number,
  key: Buffer,
  keyStart: number,
  keyEnd: number,
  type: number,
  flags: number,
  nowMs: number,
): number {
  const table = tableFor(shard, database);
  const ref = createEntry(shard, table, hash, key, keyStart, keyEnd, type, PACKED_GROUPS, 0, nowMs);
  if (ref === NONE) return NONE;
  writeForm(shard.entries, ref, flags);
  writePackedCount(shard.entries, ref, 0);
  writeLsn(shard.entries, ref, 0);
  return ref;
}

/** Makes a packed collection a tree, and sets its flags. The entry from then on; NONE: no room. */
export function makeTree(shard: Shard, ref: number, flags: number, nowMs: number): number {
  enterPacked(shard, ref, walker);
  return buildTree(shard, walker, flags, nowMs) ? walker.ref : NONE;
}

/** What tells a collection in the form of a tree from another that its key had before, or has later. */
export function birthOf({ entries }: Shard, ref: number): number {
  return readBirth(entries, ref);
}

/** How many elements more came in front of a list's first than went from there, since it is a tree. */
export function headMovesOf({ entries }: Shard, ref: number): number {
  return readHeadMoves(entries, ref);
}

/** How often elements of a list came or went between others, since it is a tree; modulo 2^32. */
export function middleMovesOf({ entries }: Shard, ref: number): number {
  return readMiddleMoves(entries, ref);
}

/** What the collection takes of the memory: entry, share of the index, and pages. O(1). */
export function collectionBytes({ entries }: Shard, ref: number): number {
  const isPlanted = (readForm(entries, ref) & FORM_TREE) !== 0;
  const cells = isPlanted ? cellsOfHead(entries, readHead(entries, ref)) : 0;
  return footprintBytes(entries, ref) + cells * CELL_BYTES;
}

/** Makes a tree for a group that is about to come, or to grow, at the cursor, and stands that where it was. */
function plant(shard: Shard, cursor: Cursor, group: Buffer, start: number, nowMs: number): boolean {
  const isOrdered = cursor.type === TYPE_LIST || cursor.type === TYPE_ZSET;
  const rank = isOrdered ? countGroups(cursor.type, cursor.bytes, cursor.start, cursor.at) : 0;
  if (!buildTree(shard, cursor, readForm(shard.entries, cursor.ref), nowMs)) return false;
  if (isOrdered) seekTreeRank(shard, cursor.ref, 0, cursor, rank);
  else seekTreeMember(shard, cursor.ref, 0, cursor, group, start, elementEnd(group, start));
  return true;
}
