/** The simulated policies: LRU to the letter, what holds for each, and S3-FIFO as the shard has it. */
import { describe, expect, it } from 'vitest';
import { createSampledLfu, createTinyLfu } from '../../bench/support/cache-frequency.ts';
import {
  type CacheSize,
  createExactGhosts,
  createFifo,
  createLru,
  createSieve,
  createTagGhosts,
  type SimulatedCache,
} from '../../bench/support/cache-policies.ts';
import {
  bytesOfAll,
  createWorkload,
  WORKLOAD_NAMES,
  type Workload,
} from '../../bench/support/cache-workloads.ts';
import { ALL_S3FIFO } from '../../src/shard/policy.ts';
import { createTestShard, expectWhole, get, set } from '../support/shard.ts';

const KEYS = 2000;
const READS = 40_000;
const SEED = 7;
const SHARE = 0.1;
const OURS = { small: 0.05, isCounted: true, hitsMin: 1, stepsMax: 32 };

const POLICIES: readonly [string, (size: CacheSize) => SimulatedCache][] = [
  ['LRU', createLru],
  ['SIEVE', createSieve],
  ['LFU', (size) => createSampledLfu(size, 5, chance())],
  ['W-TinyLFU', (size) => createTinyLfu(size, { window: 0.01, counters: 16, rows: 4 })],
  ['S3-FIFO', (size) => createFifo(size, { ...OURS, createGhosts: (of) => createTagGhosts(of, 4) })],
  [
    'S3-FIFO of the paper',
    (size) =>
      createFifo(size, {
        ...{ small: 0.1, isCounted: false, hitsMin: 2, stepsMax: Infinity },
        createGhosts: createExactGhosts,
      }),
  ],
];

function chance(): () => number {
  let state = SEED;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}

function sizeFor(workload: Workload): CacheSize {
  const { keys } = workload;
  return { keys, bytesMax: bytesOfAll(workload) * SHARE, entries: keys * SHARE };
}

/** Least recently used first, told with a Map. */
function createPlainLru(bytesMax: number): SimulatedCache {
  const held = new Map<number, number>();
  return (key, bytes) => {
    const isHit = held.delete(key);
    let sum = bytes;
    for (const other of held.values()) sum += other;
    for (const [other, size] of held) {
      if (sum <= bytesMax) break;
      held.delete(other);
      sum -= size;
    }
    held.set(key, bytes);
    return isHit;
  };
}

describe('the simulated LRU', () => {
  it('hits as a plain one does, also where sizes differ', () => {
    const workload = createWorkload('Zipf 0.9, sizes 64 to 70,000', 300, READS, SEED);
    const size = sizeFor(workload);
    const [cache, plain] = [createLru(size), createPlainLru(size.bytesMax)];
    for (let read = 0; read < 3000; read += 1) {
      const key = workload.next();
      expect(cache(key, workload.bytesOf(key))).toBe(plain(key, workload.bytesOf(key)));
    }
  });
});

describe.each(POLICIES)('the simulated %s', (_, create) => {
  it('hits nothing that was not read before, and everything where there is room for all', () => {
    const workload = createWorkload('Zipf 0.99 and scans', KEYS, READS, SEED);
    const size = sizeFor(workload);
    const [small, large] = [create(size), create({ ...size, bytesMax: bytesOfAll(workload) * 2 })];
    const seen = new Set<number>();
    for (let read = 0; read < READS; read += 1) {
      const key = workload.next();
      const isHit = small(key, workload.bytesOf(key));
      if (isHit) expect(seen.has(key)).toBe(true);
      expect(large(key, workload.bytesOf(key))).toBe(seen.has(key));
      seen.add(key);
    }
  });

  it.each(WORKLOAD_NAMES)('hits less than a cache for all and more than one for nothing: %s', (name) => {
    const workload = createWorkload(name, KEYS, READS, SEED);
    const cache = create(sizeFor(workload));
    let hits = 0;
    for (let read = 0; read < READS; read += 1) {
      const key = workload.next();
      if (cache(key, workload.bytesOf(key))) hits += 1;
    }
    expect(hits / READS).toBeGreaterThan(0.2);
    expect(hits / READS).toBeLessThan(0.95);
  });
});

describe('the simulated S3-FIFO', () => {
  it.each(['Zipf 0.7', 'Zipf 0.99 and scans', 'shifting working set'] as const)(
    'hits as often as the one of the shard: %s',
    (name) => {
      const workload = createWorkload(name, KEYS, READS, SEED);
      const entries = Math.floor(workload.keys * SHARE);
      const size = { keys: workload.keys, bytesMax: entries, entries };
      const cache = createFifo(size, { ...OURS, createGhosts: (of) => createTagGhosts(of, 4) });
      const shard = createTestShard({ policy: ALL_S3FIFO, keysMax: entries });
      let [simulated, real] = [0, 0];
      for (let read = 0; read < READS; read += 1) {
        const key = workload.next();
        if (cache(key, 1)) simulated += 1;
        if (get(shard, `k${key}`) !== undefined) real += 1;
        else set(shard, `k${key}`, '');
      }
      expectWhole(shard);
      expect(Math.abs(simulated - real) / READS).toBeLessThan(0.005);
    },
  );
});
