/**
 * Who was used last: exact recency lists over the entries, and the counters of uses that the lfu policies and S3-FIFO have.
 *
 * Runs on every thread, under the shard's lock. Three circular lists run through the entries' NEWER and OLDER words,
 * from a head each: one of all entries; while a `volatile-*` policy is set, one of those that expire; and one of the entries that
 * S3-FIFO has in its small queue (fifo.ts). A head is a pseudo-entry, so that no link is a special case, and `connect` is
 * the only function that writes one.
 * An entry that changes lists keeps its place in time by moving to the newest end, where its use has just put it.
 * Under S3-FIFO the lists are queues: a use moves nothing.
 *
 * The 24-bit clock of an entry means, as in redis-server's object.c and evict.c: seconds of the last use, or 16 bits
 * of minutes and 8 bits of a counter that grows with probability 1 / (uses * lfu-log-factor + 1) and decays with time. Under
 * S3-FIFO the lowest two bits of the seconds count hits, and the rest is rounded down so far that the whole never lies ahead of
 * the true time: such a clock and one in seconds pass for each other, at most 6 seconds off.
 */
import { nextRandom } from '../base/random.ts';
import type { Arena } from './arena.ts';
import { clockOf, expiresAt, isSmall, writeClock, writeSmall } from './entry.ts';
import { fitGhosts, formatGhosts, recallGhost } from './ghosts.ts';
import {
  CLOCK_AND_TABLE,
  HEAD_ALL,
  HEAD_SMALL,
  HEAD_VOLATILE,
  LFU_DECAY_MINUTES,
  LFU_LOG_FACTOR,
  MIGRATION_CURSOR,
  NEWER,
  OLDER,
  POLICY,
  RANDOM_STATE,
  SMALL_KEYS,
  SMALL_MARK,
  TABLE_MASK,
  WORDS_PER_CELL,
} from './layout.ts';
import { ALL_S3FIFO, isLfu, isVolatile } from './policy.ts';
import type { Shard } from './shard.ts';

const CLOCK_MASK = 0xffffff;
const LFU_INITIAL = 5;
const LFU_COUNTER_MAX = 255;
const MINUTES_MASK = 0xffff;
const MS_PER_SECOND = 1000;
const MS_PER_MINUTE = 60_000;
const SECONDS_PER_MINUTE = 60;
const UINT32 = 2 ** 32;

/** Hits that S3-FIFO counts, and the bits of the clock that they take. */
export const FIFO_HITS_MAX = 3;
const FIFO_HITS_MASK = 0b11;

/** Empties the lists: each head is its own neighbour. */
export function formatRecency(shard: Shard): void {
  const { control, entries } = shard;
  for (const head of [HEAD_ALL, HEAD_VOLATILE, HEAD_SMALL]) connect(entries.words, head, head);
  control[SMALL_KEYS] = 0;
  formatGhosts(shard, control[POLICY] === ALL_S3FIFO);
}

/** Puts a new entry, whose key has this hash, at the newest end, with a fresh clock. */
export function admitEntry(shard: Shard, ref: number, hash: number, nowMs: number): void {
  const { control, entries } = shard;
  const policy = control[POLICY];
  if (policy === ALL_S3FIFO) {
    enqueueEntry(shard, ref, hash, nowMs);
    return;
  }
  writeClock(entries, ref, isLfu(policy) ? lfuClock(nowMs, LFU_INITIAL) : secondsClock(nowMs));
  linkNewest(entries.words, headFor(shard, ref), ref);
}

/** Puts an entry that has its clock at the newest end: it stands for another, or was here before. */
export function adoptEntry(shard: Shard, ref: number): void {
  const { control, entries } = shard;
  const small = isSmall(entries, ref);
  if (small) control[SMALL_KEYS] += 1;
  linkNewest(entries.words, small ? HEAD_SMALL : headFor(shard, ref), ref);
}

/** Notes a use: moves the entry to the newest end of its list, or counts it. O(1). */
export function touchEntry(shard: Shard, ref: number, nowMs: number): void {
  const { control, entries } = shard;
  const policy = control[POLICY];
  if (policy === ALL_S3FIFO) {
    countHit(entries.words, ref, nowMs);
    return;
  }
  if (isLfu(policy)) writeClock(entries, ref, lfuClock(nowMs, countUse(shard, ref, nowMs)));
  else writeClock(entries, ref, secondsClock(nowMs));
  if (control[SMALL_KEYS] !== 0) leaveSmall(shard, ref);
  const { words } = entries;
  const head = headFor(shard, ref);
  if (words[head * WORDS_PER_CELL + OLDER] === ref) return;
  if (control[MIGRATION_CURSOR] === ref) control[MIGRATION_CURSOR] = words[ref * WORDS_PER_CELL + OLDER];
  unlinkEntry(words, ref);
  linkNewest(words, head, ref);
}

/** Takes an entry that goes out of its list, and out of what is kept about the lists. */
export function forgetRecency(shard: Shard, ref: number): void {
  const { control, entries } = shard;
  if (control[MIGRATION_CURSOR] === ref) control[MIGRATION_CURSOR] = olderThan(entries, ref);
  if (isSmall(entries, ref)) control[SMALL_KEYS] -= 1;
  unlinkEntry(entries.words, ref);
}

/** Puts an entry at the newest end of the main queue, with so many hits. */
export function enqueueMain(shard: Shard, ref: number, hits: number): void {
  const { entries } = shard;
  leaveSmall(shard, ref);
  unlinkEntry(entries.words, ref);
  writeClock(entries, ref, (clockOf(entries, ref) & ~FIFO_HITS_MASK) | hits);
  linkNewest(entries.words, HEAD_ALL, ref);
}

/** The hits (0 .. FIFO_HITS_MAX) that S3-FIFO has counted. */
export function hitsOf(arena: Arena, ref: number): number {
  return clockOf(arena, ref) & FIFO_HITS_MASK;
}

/** An entry that is unlinked next is not of the small queue any more. */
export function leaveSmall(shard: Shard, ref: number): void {
  const { control, entries } = shard;
  if (!isSmall(entries, ref)) return;
  writeSmall(entries, ref, false);
  control[SMALL_KEYS] -= 1;
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
  leaveSmall(shard, ref);
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

/** Whole seconds since the last use, under S3-FIFO in steps of four; under an lfu policy, since the counter was last written, to the minute. */
export function idleSeconds(shard: Shard, ref: number, nowMs: number): number {
  return secondsSince(shard, clockOf(shard.entries, ref), nowMs);
}

/** The same for a clock: 0 .. 2^24 - 1. */
export function secondsSince(shard: Shard, clock: number, nowMs: number): number {
  const policy = shard.control[POLICY];
  if (policy === ALL_S3FIFO) return fifoAge(clock, secondsClock(nowMs));
  const isUses = isLfu(policy);
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

/** A new key goes to the small queue, one that comes back soon to the main one. */
function enqueueEntry(shard: Shard, ref: number, hash: number, nowMs: number): void {
  const { control, entries } = shard;
  const small = !recallGhost(shard, hash);
  writeClock(entries, ref, fifoClock(nowMs));
  writeSmall(entries, ref, small);
  if (small) control[SMALL_KEYS] += 1;
  linkNewest(entries.words, small ? HEAD_SMALL : HEAD_ALL, ref);
  fitGhosts(shard);
}

/** A hit of S3-FIFO writes one word of the entry, and no link. */
function countHit(words: Int32Array, ref: number, nowMs: number): void {
  const at = ref * WORDS_PER_CELL + CLOCK_AND_TABLE;
  const word = words[at];
  const hits = Math.min(FIFO_HITS_MAX, ((word >>> 8) & FIFO_HITS_MASK) + 1);
  words[at] = ((fifoClock(nowMs) | hits) << 8) | (word & (SMALL_MARK | TABLE_MASK));
}

/** This moment, rounded down to a step, and a step's less one second before, so that hits never lead beyond it. */
function fifoClock(nowMs: number): number {
  return (Math.floor(nowMs / MS_PER_SECOND) - FIFO_HITS_MASK) & CLOCK_MASK & ~FIFO_HITS_MASK;
}

/** Seconds in steps of four; of a clock in seconds, too. */
function fifoAge(clock: number, time: number): number {
  const age = (time - (clock & ~FIFO_HITS_MASK)) & CLOCK_MASK;
  return Math.max(0, age - FIFO_HITS_MASK) & ~FIFO_HITS_MASK;
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
