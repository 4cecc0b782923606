/**
 * What a shard tells of itself, as one plain record of numbers.
 *
 * Runs on any thread, without the lock: every number is one word that its writer stores whole, so each is true for some
 * moment, but they need not be of the same one. A few microseconds and some hundred bytes of garbage.
 */
import { spannedCells, usedCells } from '../shard/arena.ts';
import { expiringCount, expiringKeys, keyCount } from '../shard/databases.ts';
import { usedBytes } from '../shard/eviction.ts';
import { ghostCells } from '../shard/ghosts.ts';
import { pendingBytes } from '../shard/journal.ts';
import {
  CELL_BYTES,
  COMPACTED_ENTRIES,
  DATABASES,
  DOOMED_TREES_COUNT,
  EVICTED_IDLE_BUCKET_COUNT,
  EVICTED_IDLE_BUCKETS,
  EVICTED_IDLE_SECONDS_LAST,
  EVICTED_IDLE_SECONDS_MAX,
  EVICTED_IDLE_SECONDS_SUM,
  EVICTED_KEYS,
  EXPIRED_FIELDS,
  EXPIRED_KEYS,
  EXPIRY_LAG_MS,
  EXPIRY_LAG_MS_MAX,
  HOLD_BUCKET_COUNT,
  HOLD_BUCKETS,
  HOLD_COUNT,
  HOLD_MAX_NS,
  HOLD_SUM_NS,
  KEYS_DOOMED,
  KEYS_LIVE,
  LIMIT_BYTES,
  LOCK_CONTENTIONS,
  LOCK_WAITED_NS,
  LSN,
  REPAIRS,
} from '../shard/layout.ts';
import type { Shard } from '../shard/shard.ts';
import { keysOfType } from '../shard/type-counts.ts';
import { TYPE_NAMES } from '../shard/type-names.ts';
import type { HistogramReading } from './histogram.ts';
import { fragmentationOf, type ShardReading } from './reading.ts';

/** A histogram by powers of two: where it lies, and which of them the bounds of its reading are. */
type PowerHistogram = {
  readonly buckets: number;
  readonly bucketCount: number;
  readonly sum: number;
  readonly max: number;
  readonly boundBitsMin: number;
  readonly boundBitsMax: number;
};

const BOUND_BITS_STEP = 2;

/** From 64 ns to 4.3 s. */
const HOLDS: PowerHistogram = {
  buckets: HOLD_BUCKETS,
  bucketCount: HOLD_BUCKET_COUNT,
  sum: HOLD_SUM_NS,
  max: HOLD_MAX_NS,
  boundBitsMin: 6,
  boundBitsMax: 32,
};

/** From a second to 48 days. */
const EVICTED_IDLE: PowerHistogram = {
  buckets: EVICTED_IDLE_BUCKETS,
  bucketCount: EVICTED_IDLE_BUCKET_COUNT,
  sum: EVICTED_IDLE_SECONDS_SUM,
  max: EVICTED_IDLE_SECONDS_MAX,
  boundBitsMin: 0,
  boundBitsMax: 22,
};

export function readShard(shard: Shard): ShardReading {
  const { control, numbers, entries, groups } = shard;
  const arenaBytes = (spannedCells(entries) + spannedCells(groups) + ghostCells(shard)) * CELL_BYTES;
  const used = usedBytes(shard);
  return {
    index: shard.index,
    keys: control[KEYS_LIVE],
    expiring: expiringKeys(shard),
    doomed: control[KEYS_DOOMED],
    doomedTrees: control[DOOMED_TREES_COUNT],
    usedBytes: used,
    limitBytes: numbers[LIMIT_BYTES],
    indexBytes: (usedCells(groups) + ghostCells(shard)) * CELL_BYTES,
    arenaBytes,
    freeBlocksBytes: Math.max(0, arenaBytes - used),
    fragmentation: fragmentationOf(arenaBytes, used),
    evictedKeys: numbers[EVICTED_KEYS],
    expiredKeys: numbers[EXPIRED_KEYS],
    expiredFields: numbers[EXPIRED_FIELDS],
    expiryLagMs: numbers[EXPIRY_LAG_MS],
    expiryLagMsMax: numbers[EXPIRY_LAG_MS_MAX],
    changes: numbers[LSN],
    compactedEntries: numbers[COMPACTED_ENTRIES],
    repairs: control[REPAIRS],
    lockWaits: numbers[LOCK_CONTENTIONS],
    lockWaitNs: numbers[LOCK_WAITED_NS],
    pendingLogBytes: pendingBytes(shard),
    lockHoldNs: readPowers(numbers, HOLDS),
    evictedIdleSeconds: readPowers(numbers, EVICTED_IDLE),
    evictedIdleSecondsLast: numbers[EVICTED_IDLE_SECONDS_LAST],
    databases: Array.from({ length: control[DATABASES] }, (_, database) => ({
      keys: keyCount(shard, database),
      expiring: expiringCount(shard, database),
    })),
    types: TYPE_NAMES.map(({ type, name }) => ({ name, keys: keysOfType(shard, type) })),
  };
}

/** Zeroes what the shard has counted, as CONFIG RESETSTAT does; the caller holds the lock. Changes and repairs stay. */
export function resetShardTotals(shard: Shard): void {
  const { numbers } = shard;
  for (const total of [
    EVICTED_KEYS,
    EXPIRED_KEYS,
    EXPIRED_FIELDS,
    EXPIRY_LAG_MS_MAX,
    LOCK_CONTENTIONS,
    LOCK_WAITED_NS,
    COMPACTED_ENTRIES,
    HOLD_COUNT,
    HOLD_SUM_NS,
    HOLD_MAX_NS,
    EVICTED_IDLE_SECONDS_LAST,
    EVICTED_IDLE_SECONDS_MAX,
    EVICTED_IDLE_SECONDS_SUM,
  ]) {
    numbers[total] = 0;
  }
  numbers.fill(0, HOLD_BUCKETS, HOLD_BUCKETS + HOLD_BUCKET_COUNT);
  numbers.fill(0, EVICTED_IDLE_BUCKETS, EVICTED_IDLE_BUCKETS + EVICTED_IDLE_BUCKET_COUNT);
}

/** Bucket b holds the values from 2^(b-1) to 2^b, so a quantile is told as at most twice what it is. */
function readPowers(numbers: Float64Array, histogram: PowerHistogram): HistogramReading {
  const { bucketCount, boundBitsMin, boundBitsMax } = histogram;
  const buckets = numbers.slice(histogram.buckets, histogram.buckets + bucketCount);
  const count = countUpTo(buckets, bucketCount - 1);
  const max = numbers[histogram.max];
  const below = [];
  for (let bits = boundBitsMin; bits <= boundBitsMax; bits += BOUND_BITS_STEP) {
    below.push({ bound: 2 ** bits, count: countUpTo(buckets, bits) });
  }
  const quantile = (share: number) => Math.min(max, boundOfRank(buckets, Math.ceil(share * count)));
  return {
    count,
    sum: numbers[histogram.sum],
    max,
    p50: quantile(0.5),
    p99: quantile(0.99),
    p999: quantile(0.999),
    below,
  };
}

function countUpTo(buckets: Float64Array, last: number): number {
  let count = 0;
  for (let bucket = 0; bucket <= last; bucket += 1) count += buckets[bucket];
  return count;
}

/** The upper bound of the bucket in which the value of this rank (from 1) lies; 0 without values. */
function boundOfRank(buckets: Float64Array, rank: number): number {
  if (rank === 0) return 0;
  let seen = buckets[0];
  let bucket = 0;
  while (seen < rank) {
    bucket += 1;
    seen += buckets[bucket];
  }
  return 2 ** bucket;
}
