/**
 * The deadlines of a hash that is a tree, in a second tree; and the hash's place in the wheel.
 *
 * Runs on every thread, under the shard's lock. A group of the second tree is a deadline (float64) and the field's content, always as text,
 * as the group of a sorted set is a score and a member: what is due comes first. It is made with the first deadline that comes to a tree
 * (tree-build.ts, tree-pair.ts), and stays, maybe empty, as long as the tree. A hash is in the wheel if it expires itself, or if
 * FORM_DEADLINES says that a field does; never too late there, maybe too early.
 */
import { Buffer } from 'node:buffer';
import { assert } from '../base/assert.ts';
import { expiresAt } from '../shard/entry.ts';
import { scheduleEntry, unscheduleEntry } from '../shard/expiry.ts';
import { NONE } from '../shard/layout.ts';
import type { Shard } from '../shard/shard.ts';
import { createCursor } from './cursor.ts';
import { DEADLINES_ROOT, firstDeadline, groupDeadline, hasDeadlines } from './deadlines.ts';
import { encodingEnd, SCORE_BYTES, textStart } from './elements.ts';
import { type Bytes, pushDeadline, pushField } from './field-names.ts';
import { FORM_DEADLINES, readForm, readHead, writeForm } from './form.ts';
import { skipGroups } from './leaf.ts';
import { isPair } from './page.ts';
import { insertGroup, isTree, rankOf, removeGroup, removeRun, seekRank, step } from './sequence.ts';
import { addSecondTree } from './tree-pair.ts';
import { seekTreeScore } from './tree-seek.ts';

const NAME_BYTES_START = 256;

const cursor = createCursor();

/** The group of the deadline at hand. One per thread. */
const name: Bytes = { bytes: Buffer.alloc(NAME_BYTES_START), length: 0 };

/**
 * Adds a deadline of the field whose element is at `start` to the second tree, which is made if need be. The hash is a tree. The entry from
 * then on; NONE without room, and then nothing has changed.
 */
export function addDeadline(
  shard: Shard,
  ref: number,
  deadlineMs: number,
  bytes: Buffer,
  start: number,
  nowMs: number,
): number {
  const { entries } = shard;
  const at = isPair(entries, readHead(entries, ref)) ? ref : addSecondTree(shard, ref, nowMs);
  if (at === NONE) return NONE;
  seekDeadline(shard, at, deadlineMs, bytes, start);
  return insertGroup(shard, cursor, name.bytes, 0, name.length, nowMs) ? cursor.ref : NONE;
}

/** Takes a deadline of the field whose element is at `start` out of the second tree. Nothing is allocated. */
export function removeDeadline(
  shard: Shard,
  ref: number,
  deadlineMs: number,
  bytes: Buffer,
  start: number,
): void {
  const isThere = seekDeadline(shard, ref, deadlineMs, bytes, start);
  assert(isThere, 'a deadline is in both trees');
  removeGroup(shard, cursor);
}

/** After a field's deadline has become another (0: none): the hash's flag and its place in the wheel. */
export function noteDeadline(shard: Shard, ref: number, beforeMs: number, deadlineMs: number): void {
  const { entries } = shard;
  if (deadlineMs !== 0) {
    if (!hasDeadlines(entries, ref)) beginDeadlines(shard, ref);
    else if (firstDeadline(entries, ref) === deadlineMs) {
      unscheduleEntry(shard, ref);
      scheduleEntry(shard, ref);
    }
  } else if (beforeMs !== 0 && firstDeadline(entries, ref) === 0) {
    endDeadlines(shard, ref);
  }
}

/** The hash has deadlines, and had none: it comes to the wheel, unless it is there. */
export function beginDeadlines(shard: Shard, ref: number): void {
  const { entries } = shard;
  if (expiresAt(entries, ref) !== 0) unscheduleEntry(shard, ref);
  writeForm(entries, ref, readForm(entries, ref) | FORM_DEADLINES);
  scheduleEntry(shard, ref);
}

/** The hash has lost its deadlines, or is about to. */
export function endDeadlines(shard: Shard, ref: number): void {
  const { entries } = shard;
  if (expiresAt(entries, ref) === 0) unscheduleEntry(shard, ref);
  writeForm(entries, ref, readForm(entries, ref) & ~FORM_DEADLINES);
}

/** How many fields of a hash with deadlines have one below `beforeMs`. O(log n); packed O(n). */
export function countDue(shard: Shard, ref: number, beforeMs: number): number {
  if (isTree(shard, ref)) {
    seekTreeScore(shard, ref, DEADLINES_ROOT, cursor, beforeMs, name.bytes, 0, 0);
    return rankOf(shard, cursor);
  }
  let count = 0;
  for (let more = seekRank(shard, ref, 0, cursor, 0); more; more = step(shard, cursor)) {
    if (isDue(cursor.bytes, cursor.at, cursor.end, beforeMs)) count += 1;
  }
  return count;
}

/** Whether the group at `at` of a hash, in a run that ends at `end`, has a deadline below `beforeMs`. */
export function isDue(bytes: Buffer, at: number, end: number, beforeMs: number): boolean {
  const deadlineMs = groupDeadline(bytes, at, end);
  return deadlineMs !== 0 && deadlineMs < beforeMs;
}

/**
 * Adds the elements of `count` fields that are due before `beforeMs` to `target`, one behind the other; there are so many. Of a tree those
 * whose deadlines come first. O(count); packed O(n).
 */
export function listDue(shard: Shard, ref: number, beforeMs: number, count: number, target: Bytes): void {
  const planted = isTree(shard, ref);
  let left = count;
  let more = seekRank(shard, ref, planted ? DEADLINES_ROOT : 0, cursor, 0);
  while (more && left > 0) {
    const { bytes, at, end } = cursor;
    if (planted || isDue(bytes, at, end, beforeMs)) {
      pushField(target, bytes, planted ? at + SCORE_BYTES : at);
      left -= 1;
    }
    more = step(shard, cursor);
  }
}

/** Takes the first `count` deadlines out of the second tree, whose fields are gone: whole leaves at once. */
export function removeFirstDeadlines(shard: Shard, ref: number, count: number): void {
  removeRun(shard, ref, DEADLINES_ROOT, 0, count);
}

function seekDeadline(shard: Shard, ref: number, deadlineMs: number, bytes: Buffer, start: number): boolean {
  name.length = 0;
  pushDeadline(name, deadlineMs, bytes, start);
  const from = textStart(name.bytes, SCORE_BYTES);
  const to = encodingEnd(name.bytes, SCORE_BYTES);
  const isBefore = !seekTreeScore(shard, ref, DEADLINES_ROOT, cursor, deadlineMs, name.bytes, from, to);
  return !isBefore && isSameGroup();
}

/** Whether the cursor's group is `name`. */
function isSameGroup(): boolean {
  const { type, bytes, at, end } = cursor;
  return (
    skipGroups(type, bytes, at, end, 1) - at === name.length &&
    bytes.compare(name.bytes, 0, name.length, at, at + name.length) === 0
  );
}
