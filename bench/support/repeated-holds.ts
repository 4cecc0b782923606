/**
 * How long a lock is held for an insert because of what the insert does: the same inserts into the same empty shard several
 * times over, and of each the shortest hold. What is long each time is the code's doing; what is long once was the kernel, the
 * hypervisor or the compiler.
 */
import { Buffer } from 'node:buffer';
import { systemClock } from '../../src/base/clock.ts';
import { keepHouse } from '../../src/shard/housekeeping.ts';
import { putString } from '../../src/shard/keyspace.ts';
import { NONE } from '../../src/shard/layout.ts';
import { acquireShard, releaseShard } from '../../src/shard/lock.ts';
import { ALL_LRU } from '../../src/shard/policy.ts';
import { createShardBuffers, formatShard, openShard, type Shard } from '../../src/shard/shard.ts';

export type RepeatedHolds = {
  readonly keys: number;
  readonly runs: number;
  /** Holds above a millisecond in each run. */
  readonly longInRun: readonly number[];
  /** Inserts whose hold was above a millisecond in every run. */
  readonly longInAll: number;
  /** The longest of the shortest holds. */
  readonly maxMs: number;
};

const RUNS = 3;
const KEY_DIGITS = 9;
const VALUE = Buffer.from('x'.repeat(64));
const LONG_MS = 1;
const THREAD = 1;
const KEYS_PER_HOUSEKEEPING = 10_000;

/** Inserts `keys` new keys in each run. `bytesPerKey` is what the shard gets for each. */
export function measureRepeatedHolds(keys: number, bytesPerKey: number): RepeatedHolds {
  const shortestMs = new Float32Array(keys).fill(Infinity);
  const longInRun: number[] = [];
  for (let run = 0; run < RUNS; run += 1) {
    longInRun.push(insertAll(createEmptyShard(keys * bytesPerKey), shortestMs));
  }
  let longInAll = 0;
  let maxMs = 0;
  for (const ms of shortestMs) {
    if (ms > LONG_MS) longInAll += 1;
    if (ms > maxMs) maxMs = ms;
  }
  return { keys, runs: RUNS, longInRun, longInAll, maxMs };
}

function createEmptyShard(bytes: number): Shard {
  const nowMs = systemClock.wallMs();
  const buffers = createShardBuffers({
    capacityBytes: bytes,
    limitBytes: bytes,
    keysMax: 0,
    policy: ALL_LRU,
    databases: 1,
    lfuLogFactor: 10,
    lfuDecayMinutes: 1,
    // Timed here instead.
    holdSampling: 2 ** 30,
    hashKey: [1, 2],
    seed: 1,
    nowMs,
  });
  const shard = openShard(buffers, 0, THREAD, systemClock);
  formatShard(shard, nowMs);
  return shard;
}

/** Answers how many holds were above a millisecond. */
function insertAll(shard: Shard, shortestMs: Float32Array): number {
  const key = Buffer.alloc(KEY_DIGITS);
  const nowMs = systemClock.wallMs();
  let long = 0;
  for (let index = 0; index < shortestMs.length; index += 1) {
    key.write(String(index).padStart(KEY_DIGITS, '0'), 'latin1');
    acquireShard(shard);
    const startedMs = performance.now();
    const ref = putString(shard, 0, key, 0, KEY_DIGITS, VALUE, 0, VALUE.length, 0, nowMs);
    const heldMs = performance.now() - startedMs;
    releaseShard(shard);
    if (ref === NONE) throw new Error('the shard is full: more bytes for each key, please');
    if (heldMs > LONG_MS) long += 1;
    if (heldMs < shortestMs[index]) shortestMs[index] = heldMs;
    if (index % KEYS_PER_HOUSEKEEPING === 0) keepHouse(shard, nowMs, true);
  }
  return long;
}
