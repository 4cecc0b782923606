/**
 * Sorted sets: what changes one, in both forms, without a record of it (change.ts).
 *
 * Runs on every thread, under the shard's lock. A group is a score and a member, always as text. A packed one goes by score and member; a
 * tree has two roots: 0 goes by score and member, 1 has the same groups by the hash of the member, so that a score is found without a
 * walk. O(log n). Source of the rules: Redis 7.0 `t_zset.c`.
 */
import { Buffer } from 'node:buffer';
import { copyBytes, shiftSharedBytes } from '../base/bytes.ts';
import { NONE } from '../shard/layout.ts';
import type { Shard } from '../shard/shard.ts';
import { beginWriting, endWriting } from '../shard/writing.ts';
import { createCursor } from './cursor.ts';
import { elementEnd, encodingEnd, SCORE_BYTES, textLength, textStart } from './elements.ts';
import { isLarge, markLarge } from './form.ts';
import { compareScored, groupBefore } from './leaf.ts';
import {
  countOf,
  insertGroup,
  isTree,
  rankOf,
  removeGroup,
  removeRun,
  replaceGroup,
  seekMember,
  seekRank,
  seekScore,
} from './sequence.ts';
import { thresholds } from './thresholds.ts';

const BY_SCORE = 0;
const BY_MEMBER = 1;

/** On what conditions `changeScore` changes something; and whether it adds to the score that is there. */
export const ONLY_NEW = 1;
export const ONLY_KNOWN = 2;
export const ONLY_GREATER = 4;
export const ONLY_LESS = 8;
export const ADDS_UP = 16;

/** What `changeScore` has done. */
export const KEPT = 0;
export const ADDED = 1;
export const MOVED = 2;
/** The condition was not met. */
export const UNMET = 3;
export const NOT_A_NUMBER = 4;

/** What the last change has done, and the score as it came out. One per thread. */
export const scoring = { outcome: KEPT, score: 0 };

const MEMBER_BYTES_START = 256;

/** Where the last look-up, or change, was. One of each per thread. */
const found = createCursor();
const scored = createCursor();

/** A member that is taken out, while the pages that it lies in change. */
const taken = { bytes: Buffer.alloc(MEMBER_BYTES_START) };

/** The score of the member whose element is `bytes[start, end)`; NaN when it is none. */
export function scoreOf(shard: Shard, ref: number, bytes: Buffer, start: number, end: number): number {
  return seekName(shard, ref, bytes, start, end) ? found.bytes.readDoubleLE(found.at) : Number.NaN;
}

/** How many come before the member whose element is `bytes[start, end)`; -1 when it is none. O(log n). */
export function rankOfMember(shard: Shard, ref: number, bytes: Buffer, start: number, end: number): number {
  if (!seekName(shard, ref, bytes, start, end)) return -1;
  if (!isTree(shard, ref)) return rankOf(shard, found);
  seekScored(shard, ref, found.bytes.readDoubleLE(found.at), bytes, start);
  return rankOf(shard, scored);
}

/**
 * Puts the group `bytes[start, end)` of a score and a member, in the place of the member's group if it has one. The entry's reference
 * from then on; NONE without room, and then nothing has changed.
 */
export function putScored(
  shard: Shard,
  ref: number,
  bytes: Buffer,
  start: number,
  end: number,
  nowMs: number,
): number {
  return changeScore(shard, ref, bytes, start, end, 0, nowMs);
}

/**
 * The same under `rules`; what came of it is in `scoring`, and the score as it came out is written into the group. Nothing has changed
 * unless the outcome is ADDED or MOVED.
 */
export function changeScore(
  shard: Shard,
  ref: number,
  bytes: Buffer,
  start: number,
  end: number,
  rules: number,
  nowMs: number,
): number {
  const before = scoreOf(shard, ref, bytes, start + SCORE_BYTES, end);
  const isKnown = !Number.isNaN(before);
  const given = bytes.readDoubleLE(start);
  const score = isKnown && (rules & ADDS_UP) !== 0 ? before + given : given;
  scoring.score = score;
  scoring.outcome = outcomeOf(isKnown, before, score, rules);
  if (scoring.outcome === ADDED) return addScored(shard, ref, bytes, start, end, nowMs);
  if (scoring.outcome !== MOVED) return ref;
  writeScore(shard, ref, bytes, start);
  return moveScored(shard, ref, before, bytes, start, end, nowMs);
}

/** Removes the member whose element is `bytes[start, end)`; false where it is none. */
export function dropScored(shard: Shard, ref: number, bytes: Buffer, start: number, end: number): boolean {
  if (!seekName(shard, ref, bytes, start, end)) return false;
  if (isTree(shard, ref)) {
    const score = found.bytes.readDoubleLE(found.at);
    removeGroup(shard, found);
    seekScored(shard, ref, score, bytes, start);
    removeGroup(shard, scored);
  } else {
    removeGroup(shard, found);
  }
  return true;
}

/** Removes `count` members from a rank on, which are there. O(log n) each in a tree. */
export function dropRanks(shard: Shard, ref: number, rank: number, count: number): void {
  if (count <= 0) return;
  if (isTree(shard, ref)) {
    for (let place = rank; place < rank + count; place += 1) dropName(shard, ref, place);
  }
  removeRun(shard, ref, BY_SCORE, rank, count);
}

function outcomeOf(isKnown: boolean, before: number, score: number, rules: number): number {
  if (!isKnown) return (rules & ONLY_KNOWN) === 0 ? ADDED : UNMET;
  if ((rules & ONLY_NEW) !== 0) return UNMET;
  if (Number.isNaN(score)) return NOT_A_NUMBER;
  if ((rules & ONLY_LESS) !== 0 && score >= before) return UNMET;
  if ((rules & ONLY_GREATER) !== 0 && score <= before) return UNMET;
  return score === before ? KEPT : MOVED;
}

function addScored(
  shard: Shard,
  ref: number,
  bytes: Buffer,
  start: number,
  end: number,
  nowMs: number,
): number {
  const length = textLength(bytes, start + SCORE_BYTES);
  if (length > thresholds.zsetValueBytes || countOf(shard, ref) >= thresholds.zsetEntries) {
    markLarge(shard, ref);
  }
  writeScore(shard, ref, bytes, start);
  if (!insertScored(shard, ref, bytes, start, end, nowMs)) return NONE;
  if (isTree(shard, scored.ref) && !insertName(shard, bytes, start, end, nowMs)) return NONE;
  return scored.ref;
}

/** Writes the score into the group. Small sorted sets have no -0: redis-server keeps integers as such in them. */
function writeScore(shard: Shard, ref: number, bytes: Buffer, start: number): void {
  const { score } = scoring;
  bytes.writeDoubleLE(score === 0 && !isLarge(shard, ref) ? 0 : score, start);
}

/** The member, which `found` stands at, has another score. */
function moveScored(
  shard: Shard,
  ref: number,
  before: number,
  bytes: Buffer,
  start: number,
  end: number,
  nowMs: number,
): number {
  const member = start + SCORE_BYTES;
  if (!isTree(shard, ref)) {
    moveWithin(shard, ref, bytes, start, end);
    return ref;
  }
  let at = ref;
  seekScored(shard, ref, before, bytes, member);
  if (staysInPlace(bytes, start)) {
    replaceGroup(shard, scored, bytes, start, end, nowMs);
  } else {
    // It comes to its new place before it leaves the old one, so that it is not lost for want of room.
    if (!insertScored(shard, ref, bytes, start, end, nowMs)) return NONE;
    at = scored.ref;
    seekScored(shard, at, before, bytes, member);
    removeGroup(shard, scored);
  }
  seekMember(shard, at, BY_MEMBER, found, bytes, member, end);
  replaceGroup(shard, found, bytes, start, end, nowMs);
  return at;
}

/** Whether the group that `scored` stands at would, with its new score, still lie between its neighbours, both in the same leaf. */
function staysInPlace(bytes: Buffer, start: number): boolean {
  const { type, bytes: leaf, at, start: first, end } = scored;
  const next = elementEnd(leaf, at + SCORE_BYTES);
  if (at === first || next === end) return false;
  return (
    compareWith(leaf, groupBefore(type, leaf, at), bytes, start) < 0 &&
    compareWith(leaf, next, bytes, start) > 0
  );
}

/** Moves the packed group that `found` stands at to where its new score puts it: those between make place. */
function moveWithin(shard: Shard, ref: number, bytes: Buffer, start: number, end: number): void {
  const { bytes: leaf, at } = found;
  const length = end - start;
  seekScored(shard, ref, bytes.readDoubleLE(start), bytes, start + SCORE_BYTES);
  const isUp = scored.at > at;
  beginWriting(shard, ref);
  if (isUp) shiftSharedBytes(leaf, at + length, scored.at, at);
  else shiftSharedBytes(leaf, scored.at, at, scored.at + length);
  copyBytes(bytes, start, end, leaf, isUp ? scored.at - length : scored.at);
  endWriting(shard, ref);
}

function insertScored(
  shard: Shard,
  ref: number,
  bytes: Buffer,
  start: number,
  end: number,
  nowMs: number,
): boolean {
  seekScored(shard, ref, bytes.readDoubleLE(start), bytes, start + SCORE_BYTES);
  return insertGroup(shard, scored, bytes, start, end, nowMs);
}

/** Puts a group that is in the one tree already into the other; without room it leaves the first again. */
function insertName(shard: Shard, bytes: Buffer, start: number, end: number, nowMs: number): boolean {
  const member = start + SCORE_BYTES;
  const { ref } = scored;
  seekMember(shard, ref, BY_MEMBER, found, bytes, member, end);
  const isIn = insertGroup(shard, found, bytes, start, end, nowMs);
  scored.ref = found.ref;
  if (isIn) return true;
  seekScored(shard, found.ref, bytes.readDoubleLE(start), bytes, member);
  removeGroup(shard, scored);
  return false;
}

/** Takes the member of a rank out of the tree of members. */
function dropName(shard: Shard, ref: number, rank: number): void {
  seekRank(shard, ref, BY_SCORE, scored, rank);
  const start = scored.at + SCORE_BYTES;
  const end = elementEnd(scored.bytes, start);
  if (end - start > taken.bytes.length) taken.bytes = Buffer.alloc(2 * (end - start));
  copyBytes(scored.bytes, start, end, taken.bytes, 0);
  seekMember(shard, ref, BY_MEMBER, found, taken.bytes, 0, end - start);
  removeGroup(shard, found);
}

function seekName(shard: Shard, ref: number, bytes: Buffer, start: number, end: number): boolean {
  return seekMember(shard, ref, isTree(shard, ref) ? BY_MEMBER : BY_SCORE, found, bytes, start, end);
}

/** Stands the cursor at a score and the member whose element begins at `member`, or where they belong. */
function seekScored(shard: Shard, ref: number, score: number, bytes: Buffer, member: number): boolean {
  return seekScore(shard, ref, scored, score, bytes, textStart(bytes, member), encodingEnd(bytes, member));
}

/** Below, at or above 0 as the group at `at` of a leaf comes before, is, or comes behind the group at `start`. */
function compareWith(leaf: Buffer, at: number, bytes: Buffer, start: number): number {
  const member = start + SCORE_BYTES;
  return compareScored(
    leaf,
    at,
    bytes.readDoubleLE(start),
    bytes,
    textStart(bytes, member),
    encodingEnd(bytes, member),
  );
}
