/**
 * What the owner of a shard does between turns: expire what is due, drain what was flushed, free what large collections have left,
 * finish a change of policy.
 *
 * Runs on the owner's thread. It takes the lock itself, a slice at a time, and gives it back in between.
 */
import { HOUSEKEEPING_SLICE_ENTRIES } from '../config/limits.ts';
import { DOOMED_PAGES_PER_SLICE } from '../config/limits-collections.ts';
import { drainDoomed } from './databases.ts';
import { freeDoomedPages } from './doomed-trees.ts';
import { removeDue } from './due.ts';
import { isWheelBehind } from './expiry.ts';
import { DOOMED_TREES_COUNT, EXPIRY_LAG_MS, EXPIRY_LAG_MS_MAX, KEYS_DOOMED } from './layout.ts';
import { acquireShard, releaseShard } from './lock.ts';
import { isMigrating, migrateRecency } from './migration.ts';
import type { Shard } from './shard.ts';

/** One slice of every duty that has work; true when some is left. Holds the lock for some 100 us at the most. */
export function keepHouse(shard: Shard, nowMs: number, expires: boolean): boolean {
  acquireShard(shard);
  try {
    const dueLeft = expires && expireDue(shard, nowMs, HOUSEKEEPING_SLICE_ENTRIES);
    const doomedLeft = shard.control[KEYS_DOOMED] > 0 && drainDoomed(shard, HOUSEKEEPING_SLICE_ENTRIES);
    const treesLeft = shard.control[DOOMED_TREES_COUNT] > 0 && freeDoomedPages(shard, DOOMED_PAGES_PER_SLICE);
    const migrating = isMigrating(shard) && migrateRecency(shard, HOUSEKEEPING_SLICE_ENTRIES);
    return dueLeft || doomedLeft || treesLeft || migrating;
  } finally {
    releaseShard(shard);
  }
}

/** Removes at most `entriesMax` entries whose time has passed and notes how late; true when more are due. */
export function expireDue(shard: Shard, nowMs: number, entriesMax: number): boolean {
  const { numbers } = shard;
  const lagMs = removeDue(shard, nowMs, entriesMax);
  numbers[EXPIRY_LAG_MS] = lagMs;
  if (lagMs > numbers[EXPIRY_LAG_MS_MAX]) numbers[EXPIRY_LAG_MS_MAX] = lagMs;
  return isWheelBehind(shard, nowMs);
}
