/**
 * Groups that come into a tree, or take another's place: the leaf grows, then it splits.
 *
 * Runs on every thread, under the shard's lock. A list's leaf is not halved at the list's ends but a new one begun, so that
 * pushes leave full leaves; a sorted set to which groups come in order, the same.
 */
import type { Buffer } from 'node:buffer';
import { copyBytes } from '../base/bytes.ts';
import type { Arena } from '../shard/arena.ts';
import { TYPE_LIST } from '../shard/layout.ts';
import type { Shard } from '../shard/shard.ts';
import { beginWriting, endWriting } from '../shard/writing.ts';
import type { Cursor } from './cursor.ts';
import { groupKey } from './elements.ts';
import { addHeadMoves, bounds, noteMiddleMove } from './form.ts';
import { skipGroups } from './leaf.ts';
import {
  addGroupsAt,
  BY_HASH,
  BY_SCORE,
  groupsOf,
  orderOf,
  separatorAt,
  usedOf,
  writeGroups,
  writeSeparator,
} from './page.ts';
import { closeGap, growLeaf, isRoomyFor, openGap, shrinkLeaf } from './tree-leaf.ts';
import { hashOfElement, isFirstLeaf, isLastLeaf } from './tree-seek.ts';
import { beginLeaf, SPLIT_IN_VAIN, SPLIT_NO_ROOM, splitAt, splitByHash } from './tree-split.ts';

/** A group of more than this share of a leaf's bound gets a leaf of its own where it comes to an edge. */
const LARGE_SHARE = 0.5;

/** Puts a group before the cursor's, and stands the cursor on it. False: no room, nothing changed. O(log n + leaf). */
export function insertInTree(
  shard: Shard,
  cursor: Cursor,
  group: Buffer,
  start: number,
  end: number,
  nowMs: number,
): boolean {
  const { entries } = shard;
  const bytes = end - start;
  const isByHash = orderOf(entries, cursor.leaf) === BY_HASH;
  while (!isRoomyFor(shard, cursor, bytes)) {
    const isMade = isByHash
      ? makeRoomByHash(shard, cursor, group, start, bytes, nowMs)
      : makeRoomInOrder(shard, cursor, group, start, bytes, nowMs);
    if (!isMade) return false;
  }
  beginWriting(shard, cursor.ref);
  if (cursor.type === TYPE_LIST) noteMove(entries, cursor, 1, cursor.at);
  openGap(shard, cursor, bytes);
  copyBytes(group, start, end, cursor.bytes, cursor.at);
  noteGroups(entries, cursor, 1);
  if (cursor.at === cursor.start) noteFirst(entries, cursor);
  endWriting(shard, cursor.ref);
  return true;
}

/** Puts another group, which belongs there, in the place of the cursor's. As `insertInTree`. */
export function replaceInTree(
  shard: Shard,
  cursor: Cursor,
  group: Buffer,
  start: number,
  end: number,
  nowMs: number,
): boolean {
  const { entries } = shard;
  const before = skipGroups(cursor.type, cursor.bytes, cursor.at, cursor.end, 1) - cursor.at;
  const more = end - start - before;
  while (more > 0 && !isRoomyFor(shard, cursor, more)) {
    if (!makeRoomAround(shard, cursor, more, nowMs)) return false;
  }
  beginWriting(shard, cursor.ref);
  if (more > 0) {
    cursor.at += before;
    openGap(shard, cursor, more);
    cursor.at -= before;
  } else if (more < 0) {
    closeGap(shard, cursor, cursor.at + before + more, cursor.at + before);
  }
  copyBytes(group, start, end, cursor.bytes, cursor.at);
  if (cursor.at === cursor.start) noteFirst(entries, cursor);
  if (cursor.at + end - start === cursor.end) noteLast(entries, cursor);
  if (more < 0) shrinkLeaf(shard, cursor);
  endWriting(shard, cursor.ref);
  return true;
}

/**
 * Notes for those who copy a list that `count` elements come at the cursor, or (below 0) go from there on; those up to `end` of the
 * leaf have no place any more. In front of the first, behind the last, or in the middle.
 */
export function noteMove(arena: Arena, cursor: Cursor, count: number, end: number): void {
  if (end === cursor.end && isLastLeaf(arena, cursor)) return;
  if (cursor.at === cursor.start && isFirstLeaf(cursor)) addHeadMoves(arena, cursor.ref, count);
  else noteMiddleMove(arena, cursor.ref);
}

/** Counts groups that have come into the cursor's leaf, or gone from it. */
export function noteGroups(arena: Arena, { leaf, depth, pages, places }: Cursor, groups: number): void {
  writeGroups(arena, leaf, groupsOf(arena, leaf) + groups);
  for (let i = 0; i < depth; i += 1) addGroupsAt(arena, pages[i], places[i], groups);
}

function makeRoomByHash(
  shard: Shard,
  cursor: Cursor,
  group: Buffer,
  start: number,
  bytes: number,
  nowMs: number,
): boolean {
  if (isWithin(shard, cursor, bytes)) return growLeaf(shard, cursor, bytes, nowMs);
  const hash = hashOfElement(shard, group, groupKey(cursor.type, start));
  const outcome = splitByHash(shard, cursor, hash, bytes, nowMs);
  return outcome === SPLIT_IN_VAIN ? growLeaf(shard, cursor, bytes, nowMs) : outcome !== SPLIT_NO_ROOM;
}

/** For a group that comes between two: at the ends of the sequence in a leaf of its own, and so where it is large; else in the better half. */
function makeRoomInOrder(
  shard: Shard,
  cursor: Cursor,
  group: Buffer,
  start: number,
  bytes: number,
  nowMs: number,
): boolean {
  const { entries } = shard;
  if (isWithin(shard, cursor, bytes)) return growLeaf(shard, cursor, bytes, nowMs);
  const order = orderOf(entries, cursor.leaf);
  const isAlone = groupsOf(entries, cursor.leaf) === 1 || bytes > bounds.leafBytesMax[order] * LARGE_SHARE;
  if (cursor.at === cursor.end && (isAlone || isLastLeaf(entries, cursor))) {
    const separator = order === BY_SCORE ? group.readDoubleLE(start) : 0;
    return beginLeaf(shard, cursor, false, bytes, separator, nowMs);
  }
  if (cursor.at === cursor.start && (isAlone || isFirstLeaf(cursor))) {
    const separator = order === BY_SCORE ? cursor.bytes.readDoubleLE(cursor.at) : 0;
    return beginLeaf(shard, cursor, true, bytes, separator, nowMs);
  }
  return splitAt(shard, cursor, isAlone ? cursor.at : middleOf(cursor), false, nowMs);
}

/** For a group that stays where it is and becomes larger. */
function makeRoomAround(shard: Shard, cursor: Cursor, bytes: number, nowMs: number): boolean {
  const { entries } = shard;
  if (groupsOf(entries, cursor.leaf) === 1 || isWithin(shard, cursor, bytes))
    return growLeaf(shard, cursor, bytes, nowMs);
  if (orderOf(entries, cursor.leaf) !== BY_HASH) return splitAt(shard, cursor, middleOf(cursor), true, nowMs);
  const outcome = splitByHash(shard, cursor, Number.NaN, bytes, nowMs);
  return outcome === SPLIT_IN_VAIN ? growLeaf(shard, cursor, bytes, nowMs) : outcome !== SPLIT_NO_ROOM;
}

/** Whether a leaf with so many bytes more is within its bound, or has nothing to split. */
function isWithin({ entries }: Shard, { leaf, start, end }: Cursor, bytes: number): boolean {
  return start === end || end - start + bytes <= bounds.leafBytesMax[orderOf(entries, leaf)];
}

/** The first place between two groups of the leaf with half of its bytes before it. */
function middleOf({ type, bytes, start, end }: Cursor): number {
  let before = start;
  let at = start;
  while (at - start < (end - start) / 2) {
    before = at;
    at = skipGroups(type, bytes, at, end, 1);
  }
  return at < end ? at : before;
}

/** The cursor's group is the first of its leaf: the separator in front of that is not above its score. */
function noteFirst(arena: Arena, { bytes, at, depth, leaf, pages, places }: Cursor): void {
  if (orderOf(arena, leaf) !== BY_SCORE) return;
  const score = bytes.readDoubleLE(at);
  for (let i = depth - 1; i >= 0; i -= 1) {
    if (places[i] === 0) continue;
    if (separatorAt(arena, pages[i], places[i]) > score) writeSeparator(arena, pages[i], places[i], score);
    return;
  }
}

/** The cursor's group is the last of its leaf: the separator behind that is not below its score. */
function noteLast(arena: Arena, { bytes, at, depth, leaf, pages, places }: Cursor): void {
  if (orderOf(arena, leaf) !== BY_SCORE) return;
  const score = bytes.readDoubleLE(at);
  for (let i = depth - 1; i >= 0; i -= 1) {
    const place = places[i] + 1;
    if (place === usedOf(arena, pages[i])) continue;
    if (separatorAt(arena, pages[i], place) < score) writeSeparator(arena, pages[i], place, score);
    return;
  }
}
