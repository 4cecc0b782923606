/**
 * What a shard tells of itself, read from its shared memory without its lock: each number is whole, but they are not all of
 * one moment. Any thread; owns nothing.
 */
import { expiringCount, keyCount } from '../shard/databases.ts';
import { usedBytes } from '../shard/eviction.ts';
import {
  CELL_BYTES,
  DATABASES,
  EVICTED_KEYS,
  EXPIRED_KEYS,
  EXPIRY_LAG_MS,
  EXPIRY_LAG_MS_MAX,
  HOLD_BUCKET_COUNT,
  HOLD_BUCKETS,
  HOLD_MAX_NS,
  HOLD_SUM_NS,
  LIMIT_BYTES,
  LOCK_ACQUISITIONS,
  LOCK_CONTENTIONS,
} from '../shard/layout.ts';
import type { Shard } from '../shard/shard.ts';
import type { HistogramReading } from './histogram.ts';
import type { ShardReading } from './reading.ts';

/** The bounds that a reading of lock holds tells: every second power of two from 64 ns to 4.3 s. */
const BOUND_BITS_MIN = 6;
const BOUND_BITS_MAX = 32;
const BOUND_BITS_STEP = 2;

/** A few microseconds. */
export function readShard(shard: Shard): ShardReading {
  const { numbers, control } = shard;
  const databases = Array.from({ length: control[DATABASES] }, (_, database) => ({
    keys: keyCount(shard, database),
    expiring: expiringCount(shard, database),
  }));
  const arenaBytes = (shard.entries.cells + shard.groups.cells) * CELL_BYTES;
  const used = usedBytes(shard);
  return {
    index: shard.index,
    keys: databases.reduce((sum, { keys }) => sum + keys, 0),
    expiring: databases.reduce((sum, { expiring }) => sum + expiring, 0),
    usedBytes: used,
    limitBytes: numbers[LIMIT_BYTES],
    arenaBytes,
    freeBlocksBytes: arenaBytes - used,
    evictedKeys: numbers[EVICTED_KEYS],
    expiredKeys: numbers[EXPIRED_KEYS],
    expiryLagMs: numbers[EXPIRY_LAG_MS],
    expiryLagMsMax: numbers[EXPIRY_LAG_MS_MAX],
    lockAcquisitions: numbers[LOCK_ACQUISITIONS],
    lockWaits: numbers[LOCK_CONTENTIONS],
    lockHoldNs: readLockHolds(shard),
    databases,
  };
}

/** Bucket i counts the sampled holds of 2^(i-1) to 2^i ns; a quantile is told as the upper end of its bucket. */
function readLockHolds({ numbers }: Shard): HistogramReading {
  const buckets = Array.from(numbers.subarray(HOLD_BUCKETS, HOLD_BUCKETS + HOLD_BUCKET_COUNT));
  const countUpTo = (bits: number) => buckets.slice(0, bits + 1).reduce((sum, count) => sum + count, 0);
  const count = countUpTo(HOLD_BUCKET_COUNT);
  const max = numbers[HOLD_MAX_NS];
  const quantile = (share: number) => {
    const rank = Math.ceil(share * count);
    const bits = buckets.findIndex((_, index) => countUpTo(index) >= rank);
    return count === 0 ? 0 : Math.min(2 ** bits, max);
  };
  const below = [];
  for (let bits = BOUND_BITS_MIN; bits <= BOUND_BITS_MAX; bits += BOUND_BITS_STEP) {
    below.push({ bound: 2 ** bits, count: countUpTo(bits) });
  }
  return {
    count,
    sum: numbers[HOLD_SUM_NS],
    max,
    p50: quantile(0.5),
    p99: quantile(0.99),
    p999: quantile(0.999),
    below,
  };
}
