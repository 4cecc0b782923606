/**
 * How what the whole process may have is shared out to the shards.
 *
 * Pure; any thread. Start-up and CONFIG SET use the same shares.
 */
import { SHARD_ROOMY_BYTES, SHARD_ROOMY_KEYS, SHARDS_PER_WORKER_MAX } from '../config/limits.ts';

/** A shard's key limit is a 32-bit word; no arena holds as many keys as that. */
const KEYS_MAX_MAX = 2 ** 31 - 1;

/** The share of part `index` of `parts`: whole numbers that differ by at most 1 and add up to `total`, larger ones first. */
export function shareOf(total: number, parts: number, index: number): number {
  const share = Math.floor(total / parts);
  return index < total - share * parts ? share + 1 : share;
}

/** The key limit of shard `index` for `maxkeys`: 0 for none, and never less than one key, since each key has its shard. */
export function keysMaxOf(maxkeys: number, shards: number, index: number): number {
  if (maxkeys === 0) return 0;
  return Math.min(KEYS_MAX_MAX, Math.max(1, shareOf(maxkeys, shards, index)));
}

/**
 * How many shards there are, a multiple of the workers: the more there are, the seldomer two workers want the same. One
 * worker contends with nobody, and its single shard evicts in the exact order of the whole cache.
 */
export function shardCountFor(workers: number, maxmemoryBytes: number, maxkeys: number): number {
  if (workers === 1) return 1;
  const roomy = Math.floor(maxmemoryBytes / workers / SHARD_ROOMY_BYTES);
  const full = maxkeys === 0 ? SHARDS_PER_WORKER_MAX : Math.floor(maxkeys / workers / SHARD_ROOMY_KEYS);
  return workers * Math.max(1, Math.min(SHARDS_PER_WORKER_MAX, roomy, full));
}

/** Whether worker `worker` owns shard `index`: each has every `workers`-th. */
export function ownsShard(worker: number, workers: number, index: number): boolean {
  return index % workers === worker;
}
