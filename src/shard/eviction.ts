/**
 * Who goes when memory or the number of keys is at its limit, by the nine policies; and the room that new blocks need.
 *
 * Runs on every thread, under the shard's lock. lru is exact; ttl takes the nearest deadline of the earliest bucket;
 * lfu takes the least used of a random group of about 24 entries (redis-server samples 5); s3fifo has a file of its own (fifo.ts).
 */
import { JOURNAL_EVICTION_BYTES_MAX } from '../config/limits.ts';
import { DOOMED_PAGES_PER_EVICTION } from '../config/limits-collections.ts';
import { allocate, BLOCK_CELLS_MAX, blockCells, release, resizeInPlace, usedCells } from './arena.ts';
import { compact, compactAtLast } from './compaction.ts';
import { drainDoomed } from './databases.ts';
import { freeDoomedPages } from './doomed-trees.ts';
import { expiresAt } from './entry.ts';
import { BUCKETS, firstInBucket, nextFilled, nextInBucket } from './expiry.ts';
import { nextToLeave, noteLeaving } from './fifo.ts';
import { ghostCells, shrinkGhosts } from './ghosts.ts';
import { pendingBytes } from './journal.ts';
import { EVENT_EVICTED, WATCHES_EVICTED } from './key-events.ts';
import {
  CELL_BYTES,
  COMPACTION_HAND,
  DOOMED_TREES_COUNT,
  EVICTED_IDLE_BUCKETS,
  EVICTED_IDLE_SECONDS_LAST,
  EVICTED_IDLE_SECONDS_MAX,
  EVICTED_IDLE_SECONDS_SUM,
  EVICTED_KEYS,
  HEAD_ALL,
  HEAD_SMALL,
  HEAD_VOLATILE,
  KEYS_DOOMED,
  KEYS_LIVE,
  KEYS_MAX,
  LIMIT_BYTES,
  NONE,
  POLICY,
  SMALL_KEYS,
} from './layout.ts';
import { destroyEntry, noteGone } from './lifecycle.ts';
import { isMigrating, migrateRecency } from './migration.ts';
import {
  ALL_LFU,
  ALL_LRU,
  ALL_RANDOM,
  ALL_S3FIFO,
  isVolatile,
  NO_EVICTION,
  VOLATILE_LFU,
  VOLATILE_LRU,
  VOLATILE_TTL,
} from './policy.ts';
import { isProtected, oldestUnprotected } from './protection.ts';
import { frequencyOf, idleSeconds, newerThan, oldestOf } from './recency.ts';
import { NONE_DRAWN, sampleEntry, sampleGroup, sampleTable } from './sampling.ts';
import type { Shard } from './shard.ts';
import { groupSize, hashOfEntry, refAt } from './table.ts';

/** Entries of the earliest buckets whose deadlines are compared. */
const DEADLINES_COMPARED_MAX = 64;

/** Random draws for an entry that expires, before the oldest of those that do is taken. */
const VOLATILE_DRAWS_MAX = 16;

/** Entries that expire, oldest first, whose use counters are compared when random groups hold none. */
const OLDEST_COMPARED_MAX = 32;

/** Entries that one look for migrated recency may move. */
const MIGRATED_PER_LOOK = 256;

/** What one key needs of the index at least: a segment and a group. */
export const INDEX_BYTES_MIN = 8 * 1024;

/** Whether there is room now; there is none and nothing more may be evicted; or the journal must be drained first. */
export const ROOM_MADE = 0;
export const ROOM_NONE = 1;
export const ROOM_LATER = 2;

/** Bytes of all blocks of a shard, entries and index, and of what it remembers of others. */
export function usedBytes(shard: Shard): number {
  return (usedCells(shard.entries) + usedCells(shard.groups) + ghostCells(shard)) * CELL_BYTES;
}

/** A block for an entry, after evicting what must go; NONE when nothing (more) may be evicted. */
export function reserveBlock(shard: Shard, cells: number, nowMs: number): number {
  const { entries } = shard;
  if (cells > BLOCK_CELLS_MAX || cells * CELL_BYTES + INDEX_BYTES_MIN > shard.numbers[LIMIT_BYTES])
    return NONE;
  let isCompacted = false;
  for (;;) {
    if (hasRoom(shard, cells)) {
      const ref = allocate(entries, cells);
      if (ref !== NONE) {
        if (isCompacted) shard.control[COMPACTION_HAND] = ref;
        return ref;
      }
      // As long as pages are there that nobody needs, it is cheaper to free some than to move others.
      isCompacted = shard.control[DOOMED_TREES_COUNT] === 0 && compact(shard, cells);
      if (isCompacted) continue;
    }
    if (evictOne(shard, nowMs)) continue;
    isCompacted = hasRoom(shard, cells) && compactAtLast(shard, cells);
    if (!isCompacted) return NONE;
  }
}

/** As `resizeInPlace` of the arena, within the shard's limit. */
export function resizeInPlaceWithin(shard: Shard, ref: number, cells: number): boolean {
  const more = cells - blockCells(shard.entries.words, ref);
  return (more <= 0 || hasRoom(shard, more)) && resizeInPlace(shard.entries, ref, cells);
}

/** Gives back a block that was reserved and became no entry after all. */
export function giveUpBlock(shard: Shard, ref: number): void {
  if (shard.control[COMPACTION_HAND] === ref) shard.control[COMPACTION_HAND] = NONE;
  release(shard.entries, ref);
}

/** Evicts until one more key may come; false when the limit on keys stands in its way. */
export function admitKey(shard: Shard, nowMs: number): boolean {
  const { control } = shard;
  while (control[KEYS_MAX] !== 0 && control[KEYS_LIVE] >= control[KEYS_MAX]) {
    if (!evictVictim(shard, nowMs)) return false;
  }
  return true;
}

/**
 * Evicts until `bytes` more would fit: ROOM_MADE, or ROOM_NONE when that cannot be. What redis-server does before a
 * command that adds. For what the shard can never hold nothing is evicted: the command itself finds out, and says so.
 * ROOM_LATER when the journal holds more than `journalBytesMax`, by default the share of the evicted: once it is drained, it
 * is to be called again.
 */
export function makeRoom(
  shard: Shard,
  bytes: number,
  nowMs: number,
  journalBytesMax = JOURNAL_EVICTION_BYTES_MAX,
): number {
  if (!canEverHold(shard, bytes)) return ROOM_MADE;
  const cells = Math.ceil(bytes / CELL_BYTES);
  while (!hasRoom(shard, cells)) {
    if (pendingBytes(shard) > journalBytesMax) return ROOM_LATER;
    if (!evictOne(shard, nowMs)) return ROOM_NONE;
  }
  return ROOM_MADE;
}

/** Whether `bytes` of new blocks fit the shard's limit when everything else is gone. */
export function canEverHold(shard: Shard, bytes: number): boolean {
  return bytes + INDEX_BYTES_MIN <= shard.numbers[LIMIT_BYTES];
}

/** Whether `bytes` of new blocks find no room, and nothing is ever evicted for them. Without the lock it is a hint. */
export function isFullFor(shard: Shard, bytes: number): boolean {
  return shard.control[POLICY] === NO_EVICTION && !hasRoom(shard, Math.ceil(bytes / CELL_BYTES));
}

/** Makes some room, by removing one entry by the policy if nothing is to be had for less; false when the policy finds none. */
export function evictOne(shard: Shard, nowMs: number): boolean {
  if (shard.control[DOOMED_TREES_COUNT] > 0) {
    freeDoomedPages(shard, DOOMED_PAGES_PER_EVICTION);
    return true;
  }
  if (shard.control[KEYS_DOOMED] > 0) {
    drainDoomed(shard, 1);
    return true;
  }
  return shrinkGhosts(shard) || evictVictim(shard, nowMs);
}

/** Removes one entry by the policy; false when that finds none. */
function evictVictim(shard: Shard, nowMs: number): boolean {
  const victim = chooseVictim(shard, nowMs);
  if (victim === NONE) return false;
  noteEvicted(shard, idleSeconds(shard, victim, nowMs));
  if ((shard.keyEvents.watches & WATCHES_EVICTED) !== 0) noteGone(shard, EVENT_EVICTED, victim);
  const hash = hashOfEntry(shard, victim);
  noteLeaving(shard, victim, hash);
  destroyEntry(shard, victim, hash);
  return true;
}

/** Idle times have 24 bits, so that every one has a bucket. */
function noteEvicted({ numbers }: Shard, idle: number): void {
  numbers[EVICTED_KEYS] += 1;
  numbers[EVICTED_IDLE_SECONDS_LAST] = idle;
  numbers[EVICTED_IDLE_SECONDS_SUM] += idle;
  if (idle > numbers[EVICTED_IDLE_SECONDS_MAX]) numbers[EVICTED_IDLE_SECONDS_MAX] = idle;
  numbers[EVICTED_IDLE_BUCKETS + 32 - Math.clz32(idle)] += 1;
}

function hasRoom(shard: Shard, cells: number): boolean {
  return usedBytes(shard) + cells * CELL_BYTES <= shard.numbers[LIMIT_BYTES];
}

function chooseVictim(shard: Shard, nowMs: number): number {
  const policy = shard.control[POLICY];
  if (policy === NO_EVICTION || shard.control[KEYS_LIVE] === 0) return NONE;
  if (isVolatile(policy)) finishMigration(shard);
  if (policy === ALL_LRU) return oldestOfAll(shard, nowMs);
  if (policy === ALL_S3FIFO) return nextToLeave(shard);
  if (policy === VOLATILE_LRU) return oldestUnprotected(shard, HEAD_VOLATILE);
  if (policy === VOLATILE_TTL) return nearestDeadline(shard);
  if (policy === ALL_LFU) return leastUsedOfGroup(shard, nowMs);
  if (policy === ALL_RANDOM) return randomUnprotected(shard, nowMs);
  if (policy === VOLATILE_LFU) return leastUsedVolatile(shard, nowMs);
  return randomVolatile(shard);
}

/** After a change of policy, entries that expire may still stand in the other list: look until one has come over. */
function finishMigration(shard: Shard): void {
  while (isMigrating(shard) && oldestOf(shard.entries, HEAD_VOLATILE) === HEAD_VOLATILE) {
    migrateRecency(shard, MIGRATED_PER_LOOK);
  }
}

/** The list of those that expire holds something only after a change from a `volatile-*` policy, the small queue after one from S3-FIFO. */
function oldestOfAll(shard: Shard, nowMs: number): number {
  const one = oldestUnprotected(shard, HEAD_ALL);
  const two = olderOf(shard, one, oldestUnprotected(shard, HEAD_VOLATILE), nowMs);
  if (shard.control[SMALL_KEYS] === 0) return two;
  return olderOf(shard, two, oldestUnprotected(shard, HEAD_SMALL), nowMs);
}

function olderOf(shard: Shard, one: number, other: number, nowMs: number): number {
  if (one === NONE || other === NONE) return one === NONE ? other : one;
  return idleSeconds(shard, other, nowMs) > idleSeconds(shard, one, nowMs) ? other : one;
}

function nearestDeadline(shard: Shard): number {
  const { entries } = shard;
  let best = NONE;
  let bestMs = Infinity;
  let compared = 0;
  let bucket = nextFilled(shard, 0);
  while (best === NONE && bucket < BUCKETS && compared < DEADLINES_COMPARED_MAX) {
    for (
      let ref = firstInBucket(shard, bucket);
      ref !== NONE && compared < DEADLINES_COMPARED_MAX;
      compared += 1
    ) {
      const deadlineMs = expiresAt(entries, ref);
      // A hash may be there for its fields.
      if (deadlineMs !== 0 && deadlineMs < bestMs && !isProtected(shard, ref)) {
        best = ref;
        bestMs = deadlineMs;
      }
      ref = nextInBucket(shard, ref);
    }
    bucket = nextFilled(shard, bucket + 1);
  }
  return best === NONE ? oldestUnprotected(shard, HEAD_VOLATILE) : best;
}

function leastUsedOfGroup(shard: Shard, nowMs: number): number {
  const table = sampleTable(shard);
  if (table === NONE_DRAWN) return NONE;
  const group = sampleGroup(shard, table);
  let best = NONE;
  for (let place = groupSize(shard, table, group) - 1; place >= 0; place -= 1) {
    best = lessUsed(shard, best, refAt(shard, table, group, place), nowMs);
  }
  return best === NONE ? randomUnprotected(shard, nowMs) : best;
}

function leastUsedVolatile(shard: Shard, nowMs: number): number {
  const { entries } = shard;
  let best = NONE;
  for (let draw = 0; draw < VOLATILE_DRAWS_MAX; draw += 1) {
    const ref = sampleEntry(shard);
    if (ref !== NONE && expiresAt(entries, ref) !== 0) best = lessUsed(shard, best, ref, nowMs);
  }
  let ref = oldestOf(entries, HEAD_VOLATILE);
  for (let compared = 0; ref !== HEAD_VOLATILE && compared < OLDEST_COMPARED_MAX; compared += 1) {
    best = lessUsed(shard, best, ref, nowMs);
    ref = newerThan(entries, ref);
  }
  return best;
}

function lessUsed(shard: Shard, best: number, ref: number, nowMs: number): number {
  if (isProtected(shard, ref)) return best;
  if (best === NONE) return ref;
  return frequencyOf(shard, ref, nowMs) < frequencyOf(shard, best, nowMs) ? ref : best;
}

function randomUnprotected(shard: Shard, nowMs: number): number {
  const ref = sampleEntry(shard);
  return isProtected(shard, ref) ? oldestOfAll(shard, nowMs) : ref;
}

function randomVolatile(shard: Shard): number {
  for (let draw = 0; draw < VOLATILE_DRAWS_MAX; draw += 1) {
    const ref = sampleEntry(shard);
    if (ref !== NONE && !isProtected(shard, ref) && expiresAt(shard.entries, ref) !== 0) return ref;
  }
  return oldestUnprotected(shard, HEAD_VOLATILE);
}
