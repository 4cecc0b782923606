/**
 * When entries fall due: a hierarchical timing wheel whose lists run through the entries themselves. In it are those that expire, and the
 * hashes of which fields do: these fall due with the first of either.
 *
 * Runs on every thread, under the shard's lock; the owner of the shard advances it. Source: Varghese and Lauck, "Hashed
 * and hierarchical timing wheels" (SOSP 1987), with buckets handed down ahead of time.
 *
 *   level 0: 8 ms a bucket   level 1: 2.0 s   level 2: 8.7 min   level 3: 37 h (and all that is later)
 *
 * A bucket of level k holds 256 of level k - 1 and is handed down one whole bucket before it begins, in slices, so that
 * a million keys of one second are sorted before they fall due. Each level has 512 heads: the 256 of the bucket that
 * runs and the 256 of the next. The position of a level is the first bucket that still holds its entries: below level
 * 0's position all is expired, below level k's all is handed down. An entry's WHEEL_PREVIOUS is a reference, or the
 * complement of its bucket's number when it is the first.
 */

import { assert } from '../base/assert.ts';
import { firstDeadline, hasDeadlines } from '../collections/deadlines.ts';
import { REPLICA_EXPIRY_GRACE_MS } from '../config/limits.ts';
import type { Arena } from './arena.ts';
import { expiresAt, typeOf } from './entry.ts';
import {
  CELL_BYTES,
  NONE,
  SCHEDULED_LIVE,
  TYPE_HASH,
  WHEEL_BUCKETS,
  WHEEL_HEADS,
  WHEEL_LEVELS,
  WHEEL_NEXT,
  WHEEL_POSITIONS,
  WHEEL_PREVIOUS,
  WORDS_PER_CELL,
} from './layout.ts';
import type { Shard } from './shard.ts';

/** The width of a bucket of level 0, and so the resolution of active expiry. */
export const TICK_MS = 8;

const BUCKETS_PER_BUCKET = 256;
const WIDTHS_MS = [TICK_MS, TICK_MS * 256, TICK_MS * 256 ** 2, TICK_MS * 256 ** 3] as const;

/** What is handed down: the bucket that runs, without which nothing goes on; or also the next, ahead of time. */
const RUNNING = 0;
const NEXT = 1;

/** Later than this from now, an entry waits in the last level's farthest bucket and is sorted again from there. */
const TOP_BUCKETS_AHEAD = WHEEL_BUCKETS - 2;

assert(WIDTHS_MS.length === WHEEL_LEVELS, 'every level has a width');
assert(WHEEL_BUCKETS === 2 * BUCKETS_PER_BUCKET, 'a level holds the bucket that runs and the next');
assert(CELL_BYTES * NONE === 0, 'zero-filled heads are empty lists');

/**
 * Starts the wheel at `nowMs`, at first or because the clock was set back. Entries that are in it stay in their buckets:
 * these now come up too early, never too late, and what comes up too early is sorted again.
 */
export function startWheel(shard: Shard, nowMs: number): void {
  const { numbers } = shard;
  const first = Math.floor(nowMs / TICK_MS);
  numbers[WHEEL_POSITIONS] = first;
  for (let level = 1; level < WHEEL_LEVELS; level += 1) {
    numbers[WHEEL_POSITIONS + level] = Math.floor(first / BUCKETS_PER_BUCKET ** level) + 1;
  }
}

/** Whether the wheel has an entry: it expires, or some of its fields do. */
export function isTimed(arena: Arena, ref: number): boolean {
  return expiresAt(arena, ref) !== 0 || hasDeadlines(arena, ref);
}

/** When an entry falls due: with its own deadline, or with the first of its fields; 0: never. */
export function dueAt(arena: Arena, ref: number): number {
  const own = expiresAt(arena, ref);
  if (typeOf(arena, ref) !== TYPE_HASH) return own;
  const first = firstDeadline(arena, ref);
  return own === 0 || (first !== 0 && first < own) ? first : own;
}

/** Puts an entry that falls due, whole as it is, into its bucket. O(1), for a hash what its first deadline takes. */
export function scheduleEntry(shard: Shard, ref: number): void {
  scheduleAt(shard, ref, dueAt(shard.entries, ref));
}

/** The same for one whose value is not written yet, so that only its own deadline is known. O(1). */
export function scheduleAt(shard: Shard, ref: number, deadlineMs: number): void {
  shard.control[SCHEDULED_LIVE] += 1;
  placeEntry(shard, ref, deadlineMs);
}

/** Takes an entry out of its bucket. O(1). */
export function unscheduleEntry(shard: Shard, ref: number): void {
  unscheduleRun(shard, ref, ref, 1);
}

/** Takes `count` entries out of their bucket, from `first` to `last` as they follow one another in it. O(1). */
export function unscheduleRun(shard: Shard, first: number, last: number, count: number): void {
  const { words } = shard.entries;
  const next = words[last * WORDS_PER_CELL + WHEEL_NEXT];
  const previous = words[first * WORDS_PER_CELL + WHEEL_PREVIOUS];
  if (next !== NONE) words[next * WORDS_PER_CELL + WHEEL_PREVIOUS] = previous;
  if (previous >= 0) words[previous * WORDS_PER_CELL + WHEEL_NEXT] = next;
  else shard.control[WHEEL_HEADS + ~previous] = next;
  shard.control[SCHEDULED_LIVE] -= count;
}

/**
 * Has a due entry come up again at `atMs`, REPLICA_EXPIRY_GRACE_MS after its deadline at the latest, which stays as it is. It may come up
 * once more in between for each level that it is handed down. O(1).
 */
export function postponeDue(shard: Shard, ref: number, atMs: number): void {
  unscheduleEntry(shard, ref);
  scheduleAt(shard, ref, atMs);
}

/**
 * Has an entry of which only a part could be removed come up again behind all others that are due at `nowMs`, so that they need not wait
 * until all of it is. O(1).
 */
export function yieldDue(shard: Shard, ref: number, nowMs: number): void {
  const { control, numbers } = shard;
  const last = Math.min(Math.floor(nowMs / TICK_MS), numbers[WHEEL_POSITIONS + 1] * BUCKETS_PER_BUCKET) - 1;
  unscheduleEntry(shard, ref);
  control[SCHEDULED_LIVE] += 1;
  placeInBucket(shard, ref, bucketIndex(0, Math.max(last, numbers[WHEEL_POSITIONS])));
}

/** Mends the links to an entry that has moved to `to`. Its own words were copied. */
export function rescheduleMoved(shard: Shard, to: number): void {
  const { words } = shard.entries;
  const word = to * WORDS_PER_CELL;
  const next = words[word + WHEEL_NEXT];
  const previous = words[word + WHEEL_PREVIOUS];
  if (next !== NONE) words[next * WORDS_PER_CELL + WHEEL_PREVIOUS] = to;
  if (previous >= 0) words[previous * WORDS_PER_CELL + WHEEL_NEXT] = to;
  else shard.control[WHEEL_HEADS + ~previous] = to;
}

/**
 * The next entry that is due at `nowMs`, or NONE when none is left; on the way it hands down at most `handDownMax`
 * entries from the coarser levels. The caller removes the entry (which unschedules it), or what of it is due, and asks again. `undone` is told
 * through the return of `isWheelBehind`. Amortised O(1).
 */
export function nextDue(shard: Shard, nowMs: number, handDownMax: number): number {
  const { control, numbers } = shard;
  const target = Math.floor(nowMs / TICK_MS);
  if (control[SCHEDULED_LIVE] === 0 || target < numbers[WHEEL_POSITIONS]) {
    startWheel(shard, nowMs);
    return NONE;
  }
  let budget = handDownMax;
  while (numbers[WHEEL_POSITIONS] < target) {
    budget = handDown(shard, budget, RUNNING);
    if (budget <= 0) return NONE;
    const first = control[WHEEL_HEADS + bucketIndex(0, numbers[WHEEL_POSITIONS])];
    if (first === NONE) {
      numbers[WHEEL_POSITIONS] += 1;
      if (target - numbers[WHEEL_POSITIONS] > BUCKETS_PER_BUCKET) skipEmpty(shard, target);
    } else if (dueAt(shard.entries, first) < nowMs) {
      return first;
    } else {
      unscheduleEntry(shard, first);
      scheduleEntry(shard, first);
      budget -= 1;
    }
  }
  handDown(shard, budget, NEXT);
  return NONE;
}

/** Whether work is left for `nextDue` at `nowMs` that it put off for want of budget. */
export function isWheelBehind(shard: Shard, nowMs: number): boolean {
  if (shard.control[SCHEDULED_LIVE] === 0) return false;
  const target = Math.floor(nowMs / TICK_MS);
  return shard.numbers[WHEEL_POSITIONS] !== target || levelToHandDown(shard, NEXT) !== NONE;
}

/** How many buckets there are, numbered in the order of their times, from the one that runs on. */
export const BUCKETS = WHEEL_LEVELS * WHEEL_BUCKETS;

/** The first bucket from `bucket` on that has entries; BUCKETS without one. */
export function nextFilled(shard: Shard, bucket: number): number {
  let next = bucket;
  while (next < BUCKETS && firstInBucket(shard, next) === NONE) next += 1;
  return next;
}

/** Some entry of a bucket, or NONE. */
export function firstInBucket({ control, numbers }: Shard, bucket: number): number {
  const level = Math.floor(bucket / WHEEL_BUCKETS);
  const ahead = bucket % WHEEL_BUCKETS;
  return control[WHEEL_HEADS + bucketIndex(level, numbers[WHEEL_POSITIONS + level] + ahead)];
}

/** The entry behind `ref` in its bucket, or NONE. */
export function nextInBucket(shard: Shard, ref: number): number {
  return shard.entries.words[ref * WORDS_PER_CELL + WHEEL_NEXT];
}

/** The number of entries in all buckets, and the first link that is wrong. For checks: O(entries that fall due). */
export function checkWheel(shard: Shard): { count: number; problem?: string } {
  const { control } = shard;
  const { words } = shard.entries;
  let count = 0;
  for (let bucket = 0; bucket < WHEEL_LEVELS * WHEEL_BUCKETS; bucket += 1) {
    let previous = ~bucket;
    for (
      let ref = control[WHEEL_HEADS + bucket];
      ref !== NONE;
      ref = words[ref * WORDS_PER_CELL + WHEEL_NEXT]
    ) {
      if (words[ref * WORDS_PER_CELL + WHEEL_PREVIOUS] !== previous) {
        return { count, problem: `entry ${ref} of wheel bucket ${bucket} has a wrong link back` };
      }
      const deadlineMs = dueAt(shard.entries, ref);
      if (deadlineMs === 0) return { count, problem: `entry ${ref} is scheduled without expiry` };
      if (comesUpLate(shard, bucket, deadlineMs))
        return { count, problem: `entry ${ref} is in too late a wheel bucket` };
      previous = ref;
      count += 1;
      if (count > control[SCHEDULED_LIVE])
        return { count, problem: `wheel bucket ${bucket} runs in a circle` };
    }
  }
  return { count };
}

function placeEntry(shard: Shard, ref: number, deadlineMs: number): void {
  placeInBucket(shard, ref, bucketFor(shard, deadlineMs));
}

function placeInBucket(shard: Shard, ref: number, bucket: number): void {
  const { control } = shard;
  const { words } = shard.entries;
  const first = control[WHEEL_HEADS + bucket];
  words[ref * WORDS_PER_CELL + WHEEL_NEXT] = first;
  words[ref * WORDS_PER_CELL + WHEEL_PREVIOUS] = ~bucket;
  if (first !== NONE) words[first * WORDS_PER_CELL + WHEEL_PREVIOUS] = ref;
  control[WHEEL_HEADS + bucket] = ref;
}

/** The bucket for a deadline, numbered over all levels. What is due already goes where the wheel looks next. */
function bucketFor(shard: Shard, deadlineMs: number): number {
  const { numbers } = shard;
  for (let level = 0; level < WHEEL_LEVELS - 1; level += 1) {
    const bucket = Math.floor(deadlineMs / WIDTHS_MS[level]);
    if (bucket < numbers[WHEEL_POSITIONS + level + 1] * BUCKETS_PER_BUCKET) {
      return bucketIndex(level, Math.max(bucket, numbers[WHEEL_POSITIONS + level]));
    }
  }
  const top = WHEEL_LEVELS - 1;
  const position = numbers[WHEEL_POSITIONS + top];
  const bucket = Math.floor(deadlineMs / WIDTHS_MS[top]);
  return bucketIndex(top, Math.min(Math.max(bucket, position), position + TOP_BUCKETS_AHEAD));
}

function bucketIndex(level: number, bucket: number): number {
  return level * WHEEL_BUCKETS + (bucket - Math.floor(bucket / WHEEL_BUCKETS) * WHEEL_BUCKETS);
}

/** The number, not taken modulo the heads, of a level's first bucket that has entries; Infinity when none has. */
function firstFilled(shard: Shard, level: number): number {
  const { control, numbers } = shard;
  const position = numbers[WHEEL_POSITIONS + level];
  for (let ahead = 0; ahead < WHEEL_BUCKETS; ahead += 1) {
    if (control[WHEEL_HEADS + bucketIndex(level, position + ahead)] !== NONE) return position + ahead;
  }
  return Infinity;
}

/** Goes on to just before the first bucket that has entries: the clock has leapt over many that have none. */
function skipEmpty(shard: Shard, target: number): void {
  const { numbers } = shard;
  let to = target;
  for (let level = 0; level < WHEEL_LEVELS; level += 1) {
    to = Math.min(to, firstFilled(shard, level) * BUCKETS_PER_BUCKET ** level - 1);
  }
  if (to <= numbers[WHEEL_POSITIONS]) return;
  numbers[WHEEL_POSITIONS] = to;
  for (let level = 1; level < WHEEL_LEVELS; level += 1) {
    const next = Math.floor(to / BUCKETS_PER_BUCKET ** level) + 1;
    if (next > numbers[WHEEL_POSITIONS + level]) numbers[WHEEL_POSITIONS + level] = next;
  }
}

/** Hands down the bucket that runs or also the next, coarsest level first; returns what is left of the budget. */
function handDown(shard: Shard, budget: number, ahead: number): number {
  let left = budget;
  while (left > 0) {
    const level = levelToHandDown(shard, ahead);
    if (level === NONE) break;
    left = handDownBucket(shard, level, left);
  }
  return left;
}

/** The coarsest level that still holds the bucket in which level 0 runs, or (`ahead` 1) the next; NONE when none does. */
function levelToHandDown(shard: Shard, ahead: number): number {
  const { numbers } = shard;
  for (let level = WHEEL_LEVELS - 1; level > 0; level -= 1) {
    const running = Math.floor(numbers[WHEEL_POSITIONS] / BUCKETS_PER_BUCKET ** level);
    if (numbers[WHEEL_POSITIONS + level] <= running + ahead) return level;
  }
  return NONE;
}

/** Whether the wheel comes to a bucket only after a deadline in it, or its grace. Level 0 holds what was late when it came, too. */
function comesUpLate(shard: Shard, index: number, deadlineMs: number): boolean {
  const level = Math.floor(index / WHEEL_BUCKETS);
  if (level === 0) return false;
  const position = shard.numbers[WHEEL_POSITIONS + level];
  const bucket = position + ((index - (position % WHEEL_BUCKETS) + WHEEL_BUCKETS) % WHEEL_BUCKETS);
  const graceMs = shard.roles === undefined ? 0 : REPLICA_EXPIRY_GRACE_MS;
  return bucket * WIDTHS_MS[level] > deadlineMs + graceMs;
}

function handDownBucket(shard: Shard, level: number, budget: number): number {
  const { control, numbers } = shard;
  const { words } = shard.entries;
  const head = WHEEL_HEADS + bucketIndex(level, numbers[WHEEL_POSITIONS + level]);
  let left = budget;
  // The chain is cut off bucket by bucket: `position + 1` first, so that the entries go to the level below.
  while (control[head] !== NONE && left > 0) {
    const ref = control[head];
    const next = words[ref * WORDS_PER_CELL + WHEEL_NEXT];
    control[head] = next;
    if (next !== NONE) words[next * WORDS_PER_CELL + WHEEL_PREVIOUS] = ~(head - WHEEL_HEADS);
    numbers[WHEEL_POSITIONS + level] += 1;
    placeEntry(shard, ref, dueAt(shard.entries, ref));
    numbers[WHEEL_POSITIONS + level] -= 1;
    left -= 1;
  }
  if (control[head] === NONE) {
    numbers[WHEEL_POSITIONS + level] += 1;
    left -= 1;
  }
  return left;
}
