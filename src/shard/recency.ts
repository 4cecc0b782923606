/**
 * Who was used last: exact recency lists over the entries, and the logarithmic use counter of the lfu policies.
 *
 * Runs on every thread, under the shard's lock. Two circular lists run through the entries' NEWER and OLDER words,
 * from a head each: one of all entries and, while a `volatile-*` policy is set, one of those that expire. A head is a
 * pseudo-entry, so that no link is a special case, and `connect` is the only function that writes one.
 * An entry that changes lists keeps its place in time by moving to the newest end, where its use has just put it.
 *
 * The 24-bit clock of an entry means, as in redis-server's object.c and evict.c: seconds of the last use, or 16 bits
 * of minutes and 8 bits of a counter that grows with probability 1 / (uses * lfu-log-factor + 1) and decays with time.
 */
import { nextRandom } from '../base/random.ts';
import type { Arena } from './arena.ts';
import { clockOf, expiresAt, writeClock } from './entry.ts';
import {
  HEAD_ALL,
  HEAD_VOLATILE,
  LFU_DECAY_MINUTES,
  LFU_LOG_FACTOR,
  MIGRATION_CURSOR,
  NEWER,
  OLDER,
  POLICY,
  RANDOM_STATE,
  WORDS_PER_CELL,
} from './layout.ts';
import { isLfu, isVolatile } from './policy.ts';
import type { Shard } from './shard.ts';

const CLOCK_MASK = 0xffffff;
const LFU_INITIAL = 5;
const LFU_COUNTER_MAX = 255;
const MINUTES_MASK = 0xffff;
const MS_PER_SECOND = 1000;
const MS_PER_MINUTE = 60_000;
const SECONDS_PER_MINUTE = 60;
const UINT32 = 2 ** 32;

/** Empties both lists: each head is its own neighbour. */
export function formatRecency(shard: Shard): void {
  connect(shard.entries.words, HEAD_ALL, HEAD_ALL);
  connect(shard.entries.words, HEAD_VOLATILE, HEAD_VOLATILE);
}

/** Puts a new entry at the newest end, with a fresh clock. */
export function admitEntry(shard: Shard, ref: number, nowMs: number): void {
  const { control, entries } = shard;
  const lfu = isLfu(control[POLICY]);
  writeClock(entries, ref, lfu ? lfuClock(nowMs, LFU_INITIAL) : secondsClock(nowMs));
  linkNewest(entries.words, headFor(shard, ref), ref);
}

/** Notes a use: moves the entry to the newest end of its list, or counts it. O(1). */
export function touchEntry(shard: Shard, ref: number, nowMs: number): void {
  const { control, entries } = shard;
  if (isLfu(control[POLICY])) writeClock(entries, ref, lfuClock(nowMs, countUse(shard, ref, nowMs)));
  else writeClock(entries, ref, secondsClock(nowMs));
  const { words } = entries;
  const head = headFor(shard, ref);
  if (words[head * WORDS_PER_CELL + OLDER] === ref) return;
  if (control[MIGRATION_CURSOR] === ref) control[MIGRATION_CURSOR] = words[ref * WORDS_PER_CELL + OLDER];
  unlinkEntry(words, ref);
  linkNewest(words, head, ref);
}

/** Takes an entry out of whichever list it is in. */
export function unlinkEntry(words: Int32Array, ref: number): void {
  const word = ref * WORDS_PER_CELL;
  connect(words, words[word + OLDER], words[word + NEWER]);
}

/** Puts `to` where `from` stood: the entry has moved. Its own words were copied. */
export function relinkEntry(words: Int32Array, to: number): void {
  const word = to * WORDS_PER_CELL;
  connect(words, words[word + OLDER], to);
  connect(words, to, words[word + NEWER]);
}

/** Puts an entry whose expiry began or ended into the list in which its policy looks for it. */
export function relistEntry(shard: Shard, ref: number): void {
  const { control, entries } = shard;
  if (!isVolatile(control[POLICY])) return;
  if (control[MIGRATION_CURSOR] === ref) control[MIGRATION_CURSOR] = olderThan(entries, ref);
  unlinkEntry(entries.words, ref);
  linkNewest(entries.words, headFor(shard, ref), ref);
}

/** The oldest entry of a list, or its head when it is empty. */
export function oldestOf(arena: Arena, head: number): number {
  return arena.words[head * WORDS_PER_CELL + NEWER];
}

/** The next newer entry, or the list's head behind the newest. */
export function newerThan(arena: Arena, ref: number): number {
  return arena.words[ref * WORDS_PER_CELL + NEWER];
}

/** The next older entry, or the list's head behind the oldest. */
export function olderThan(arena: Arena, ref: number): number {
  return arena.words[ref * WORDS_PER_CELL + OLDER];
}

/** Whole seconds since the last use; under an lfu policy, since the counter was last written, to the minute. */
export function idleSeconds(shard: Shard, ref: number, nowMs: number): number {
  return secondsSince(shard, clockOf(shard.entries, ref), nowMs);
}

/** The same for a clock: 0 .. 2^24 - 1. */
export function secondsSince(shard: Shard, clock: number, nowMs: number): number {
  const isUses = isLfu(shard.control[POLICY]);
  return clockAge(clock, clockTime(isUses, nowMs), isUses) * (isUses ? SECONDS_PER_MINUTE : 1);
}

/** The time of this moment as clocks have it: seconds, or minutes where they count uses. */
export function clockTime(isUses: boolean, nowMs: number): number {
  return isUses ? minutesClock(nowMs) : secondsClock(nowMs);
}

/** How long before `time` a clock was written, in the unit of that. */
export function clockAge(clock: number, time: number, isUses: boolean): number {
  return isUses ? (time - (clock >>> 8)) & MINUTES_MASK : (time - clock) & CLOCK_MASK;
}

/** The use counter (0..255) as it stands after decay. */
export function frequencyOf(shard: Shard, ref: number, nowMs: number): number {
  const clock = clockOf(shard.entries, ref);
  const decayMinutes = shard.control[LFU_DECAY_MINUTES];
  if (decayMinutes === 0) return clock & 0xff;
  const elapsed = (minutesClock(nowMs) - (clock >>> 8)) & MINUTES_MASK;
  const periods = Math.floor(elapsed / decayMinutes);
  return Math.max(0, (clock & 0xff) - periods);
}

/** A clock of one meaning as one of the other, as well as that can be: a new counter, or the minute of the last use. */
export function translateClock(clock: number, isUses: boolean, toUses: boolean, nowMs: number): number {
  if (isUses === toUses) return clock;
  if (toUses)
    return lfuClock(nowMs - ((secondsClock(nowMs) - clock) & CLOCK_MASK) * MS_PER_SECOND, LFU_INITIAL);
  return secondsClock(nowMs - ((minutesClock(nowMs) - (clock >>> 8)) & MINUTES_MASK) * MS_PER_MINUTE);
}

/** Which list an entry belongs to under the policy of this moment. */
export function headFor(shard: Shard, ref: number): number {
  return isVolatile(shard.control[POLICY]) && expiresAt(shard.entries, ref) !== 0 ? HEAD_VOLATILE : HEAD_ALL;
}

function linkNewest(words: Int32Array, head: number, ref: number): void {
  const newest = words[head * WORDS_PER_CELL + OLDER];
  connect(words, newest, ref);
  connect(words, ref, head);
}

export /** Writes both links between two neighbours. Nothing else writes one. */
function connect(words: Int32Array, older: number, newer: number): void {
  words[older * WORDS_PER_CELL + NEWER] = newer;
  words[newer * WORDS_PER_CELL + OLDER] = older;
}

function secondsClock(nowMs: number): number {
  return Math.floor(nowMs / 1000) & CLOCK_MASK;
}

function minutesClock(nowMs: number): number {
  return Math.floor(nowMs / MS_PER_MINUTE) & MINUTES_MASK;
}

function lfuClock(nowMs: number, counter: number): number {
  return (minutesClock(nowMs) << 8) | counter;
}

function countUse(shard: Shard, ref: number, nowMs: number): number {
  const counter = frequencyOf(shard, ref, nowMs);
  if (counter === LFU_COUNTER_MAX) return counter;
  const base = Math.max(0, counter - LFU_INITIAL);
  const chance = 1 / (base * shard.control[LFU_LOG_FACTOR] + 1);
  return randomUint32(shard) / UINT32 < chance ? counter + 1 : counter;
}

/** The next number of the shard's own generator: its state lies in shared memory, seeded at creation. */
export function randomUint32(shard: Shard): number {
  const { control } = shard;
  const next = nextRandom(control[RANDOM_STATE]);
  control[RANDOM_STATE] = next;
  return next >>> 0;
}
