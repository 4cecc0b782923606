/** What the threads of the concurrent case must agree on. */
import type { ShardBuffers } from '../../src/shard/shard.ts';

/** Words of the signal: the round that runs, and how many threads have finished it. -1 as the round ends the threads. */
export const ROUND = 0;
export const FINISHED = 1;
export const SIGNAL_WORDS = 2;
export const ROUND_LAST = -1;

/** Each of the threads does a third each of SET, GET and DEL. */
export const CONCURRENT_THREADS = 8;
export const CONCURRENT_OPERATIONS = 200_000;
export const CONCURRENT_KEYS = 100_000;

export type ConcurrentBoot = {
  readonly threadIndex: number;
  readonly signal: SharedArrayBuffer;
  readonly shards: readonly ShardBuffers[];
  readonly slotShard: Uint16Array;
};
