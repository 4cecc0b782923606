/** The miss-ratio curve: rules one by one, and against exact caches under several workloads. */
import { describe, expect, it } from 'vitest';
import { compareWithExact } from '../../bench/support/cache-simulation.ts';
import { bytesOfAll, createWorkload, WORKLOAD_NAMES } from '../../bench/support/cache-workloads.ts';
import { MISS_RATIO_HALF_LIFE_MS, MISS_RATIO_POINTS_MAX, MISS_RATIO_REACH } from '../../src/config/limits.ts';
import {
  type Access,
  changeThreshold,
  createAccess,
  createMissRatio,
  forgetKeys,
  type MissRatio,
  NO_REFERENCE,
  noteAccess,
  noteReads,
  POINTS,
  READ_HIT,
  READ_MISS,
  readMissRatio,
  resetMissRatio,
  tendMissRatio,
} from '../../src/metrics/miss-ratio.ts';

const START_MS = 1_700_000_000_000;
const LIMIT_BYTES = 100_000;
const ENTRY_BYTES = 1000;

function createRatio(keysMax = 1024): MissRatio {
  return createMissRatio(keysMax, LIMIT_BYTES, START_MS);
}

/** One access to key number `low`. */
function access(ratio: MissRatio, low: number, more: Partial<Access>): void {
  noteAccess(ratio, { ...createAccess(), low, high: low, atMs: START_MS, bytes: ENTRY_BYTES, ...more });
}

function write(ratio: MissRatio, low: number, more: Partial<Access> = {}): void {
  access(ratio, low, { reference: NO_REFERENCE, ...more });
}

function readHit(ratio: MissRatio, low: number, more: Partial<Access> = {}): void {
  noteReads(ratio, 1, 0);
  access(ratio, low, { reference: READ_HIT, ...more });
}

function readMiss(ratio: MissRatio, low: number, more: Partial<Access> = {}): void {
  noteReads(ratio, 0, 1);
  access(ratio, low, { reference: READ_MISS, bytes: 0, ...more });
}

function hitRatioAt(ratio: MissRatio, bytes: number): number | null {
  ratio.limitBytes = bytes;
  const { hitRatio } = readMissRatio(ratio).now;
  ratio.limitBytes = LIMIT_BYTES;
  return hitRatio;
}

describe('a reuse distance', () => {
  it('is the bytes of the keys that were used since, and the key itself', () => {
    const ratio = createRatio();
    for (const key of [1, 2, 3, 4]) write(ratio, key);
    readHit(ratio, 1);
    // Four entries of a thousand bytes: with a margin for the width of a bucket.
    expect(hitRatioAt(ratio, 3900)).toBe(0);
    expect(hitRatioAt(ratio, 4100)).toBe(1);
  });

  it('counts the index that each key needs', () => {
    const ratio = createRatio();
    ratio.overheadBytes = 500;
    for (const key of [1, 2, 3, 4]) write(ratio, key);
    readHit(ratio, 1);
    expect(hitRatioAt(ratio, 5800)).toBe(0);
    expect(hitRatioAt(ratio, 6200)).toBe(1);
  });

  it('is scaled by the rate, but for the key itself', () => {
    const ratio = createRatio();
    changeThreshold(ratio, POINTS / 4);
    for (const key of [1, 2, 3]) write(ratio, key);
    readHit(ratio, 1);
    noteReads(ratio, 3, 0);
    expect(hitRatioAt(ratio, 8800)).toBeLessThan(0.05);
    expect(hitRatioAt(ratio, 9200)).toBe(1);
  });

  it('is that of the size which the key has now', () => {
    const ratio = createRatio();
    write(ratio, 1);
    write(ratio, 2, { bytes: 50_000 });
    write(ratio, 2, { bytes: 10_000 });
    readHit(ratio, 1);
    expect(hitRatioAt(ratio, 10_700)).toBe(0);
    expect(hitRatioAt(ratio, 11_300)).toBe(1);
  });
});

describe('reads', () => {
  it('of keys that were evicted would hit in a larger cache', () => {
    const ratio = createRatio();
    for (let key = 0; key < 150; key += 1) write(ratio, key);
    readMiss(ratio, 0);
    expect(readMissRatio(ratio).now.hitRatio).toBe(0);
    expect(readMissRatio(ratio).double.hitRatio).toBe(1);
    // Nobody has written it: still a larger cache would have it, and as its newest.
    readMiss(ratio, 0);
    expect(readMissRatio(ratio).now.hitRatio).toBe(0.5);
    expect(readMissRatio(ratio).double.hitRatio).toBe(1);
  });

  it('of keys that were deleted, or whose time had passed, miss in every cache', () => {
    const ratio = createRatio();
    write(ratio, 1);
    write(ratio, 1, { bytes: 0 });
    readMiss(ratio, 1);
    write(ratio, 2, { deadlineMs: START_MS + 10 });
    readMiss(ratio, 2, { atMs: START_MS + 11 });
    expect(readMissRatio(ratio).double.hitRatio).toBe(0);
    expect(ratio.stack.count).toBe(0);
  });

  it('of keys that never were miss in every cache and are not tracked', () => {
    const ratio = createRatio();
    readMiss(ratio, 1);
    readMiss(ratio, 1);
    expect(readMissRatio(ratio).double.hitRatio).toBe(0);
    expect(ratio.stack.count).toBe(0);
  });

  it('that hit keys of which nothing is known are left out', () => {
    const ratio = createRatio();
    readHit(ratio, 1);
    expect(readMissRatio(ratio).now.hitRatio).toBeNull();
    readHit(ratio, 1);
    expect(readMissRatio(ratio).now.hitRatio).toBe(1);
  });

  it('that sampling has missed count as reads of near keys', () => {
    const ratio = createRatio();
    write(ratio, 1);
    readHit(ratio, 1);
    noteReads(ratio, 8, 0);
    readMiss(ratio, 2);
    expect(readMissRatio(ratio).now.hitRatio).toBeCloseTo(0.9, 9);
  });

  it('that missed without being sampled were as far away as those that were', () => {
    const ratio = createRatio();
    for (let key = 0; key < 150; key += 1) write(ratio, key);
    readMiss(ratio, 0);
    readMiss(ratio, 1000);
    noteReads(ratio, 10, 8);
    const { now, double } = readMissRatio(ratio);
    expect([now.hitRatio, double.hitRatio]).toEqual([0.5, 0.75]);
  });

  it('count half after the half-life', () => {
    const ratio = createRatio();
    for (let i = 0; i < 100; i += 1) readMiss(ratio, i);
    tendMissRatio(ratio, START_MS + MISS_RATIO_HALF_LIFE_MS);
    expect(readMissRatio(ratio).references).toBe(50);
    write(ratio, 1);
    for (let i = 0; i < 50; i += 1) readHit(ratio, 1);
    const { now, hitRatio } = readMissRatio(ratio);
    expect([now.hitRatio, hitRatio]).toEqual([0.5, 0.5]);
  });
});

describe('the tracked keys', () => {
  it('are those below the threshold, which falls when there are too many', () => {
    const ratio = createRatio(64);
    for (let key = 0; key < 1000; key += 1) write(ratio, key, { point: (key * 7919) % POINTS, bytes: 8 });
    const { stack, points, threshold } = ratio;
    expect(stack.count).toBeLessThanOrEqual(64);
    expect(stack.count).toBeGreaterThan(40);
    for (let key = 0; key < 64; key += 1) {
      if (ratio.stack.position[key] >= 0) expect(points[key]).toBeLessThan(threshold);
    }
    const before = stack.count;
    write(ratio, 5000, { point: threshold });
    expect(stack.count).toBe(before);
  });

  it('leave when no size that is asked about would hold them', () => {
    const ratio = createRatio();
    for (let key = 0; key < 1000; key += 1) write(ratio, key);
    expect(ratio.stack.totalBytes).toBeLessThanOrEqual(MISS_RATIO_REACH * LIMIT_BYTES);
    expect(ratio.stack.count).toBe((MISS_RATIO_REACH * LIMIT_BYTES) / ENTRY_BYTES);
  });

  it('leave when their database is emptied, and the others stay', () => {
    const ratio = createRatio();
    write(ratio, 1, { database: 0 });
    write(ratio, 2, { database: 3 });
    forgetKeys(ratio, 3);
    readHit(ratio, 1);
    readMiss(ratio, 2);
    expect(readMissRatio(ratio).double.hitRatio).toBe(0.5);
  });

  it('are not looked for again and again in a database that is emptied again and again', () => {
    const ratio = createRatio();
    let looks = 0;
    const databases = new Proxy(ratio.databases, {
      get: (target, name) => {
        looks += 1;
        return Reflect.get(target, name);
      },
    });
    const watched = { ...ratio, databases };
    write(watched, 1, { database: 0 });
    write(watched, 2, { database: 3 });
    forgetKeys(watched, 3);
    expect(ratio.stack.count).toBe(1);
    const before = looks;
    for (let times = 0; times < 1000; times += 1) forgetKeys(watched, 3);
    expect(looks).toBe(before);
    write(watched, 2, { database: 3 });
    forgetKeys(watched, 3);
    expect(ratio.stack.count).toBe(1);
  });

  it('leave some time after their deadline without being asked for', () => {
    const ratio = createRatio();
    write(ratio, 1, { deadlineMs: START_MS + 10 });
    write(ratio, 2);
    tendMissRatio(ratio, START_MS + 11);
    expect(ratio.stack.count).toBe(1);
  });
});

describe('a reading', () => {
  it('has no curve and no ratios before anything is known, and after a reset', () => {
    const ratio = createRatio();
    const blank = readMissRatio(ratio);
    expect([blank.curve, blank.hitRatio, blank.now.missRatio]).toEqual([[], null, null]);
    write(ratio, 1);
    readHit(ratio, 1);
    resetMissRatio(ratio);
    expect(readMissRatio(ratio)).toEqual(blank);
  });

  it('has a curve that ascends in bytes, never rises, and reaches beyond double', () => {
    const ratio = createRatio();
    for (let round = 0; round < 5; round += 1) {
      for (let key = 0; key < 300; key += 1)
        (round === 0 ? write : readHit)(ratio, (key * (round + 1)) % 300);
    }
    const { curve, half, now, double } = readMissRatio(ratio);
    expect(curve).toHaveLength(MISS_RATIO_POINTS_MAX);
    for (let at = 1; at < curve.length; at += 1) {
      expect(curve[at].bytes).toBeGreaterThan(curve[at - 1].bytes);
      expect(curve[at].missRatio).toBeLessThanOrEqual(curve[at - 1].missRatio);
      expect(curve[at].keys).toBe(Math.round(curve[at].bytes / ENTRY_BYTES));
    }
    expect(curve[curve.length - 1].bytes).toBe(MISS_RATIO_REACH * LIMIT_BYTES);
    expect([half.bytes, now.bytes, double.bytes]).toEqual([50_000, 100_000, 200_000]);
  });
});

describe('against exact least-recently-used caches', () => {
  const KEYS = 50_000;
  const READS = 150_000;
  const SEED = 20_261_122;
  const FACTORS = [0.25, 0.5, 1, 2, 3];

  it.each(WORKLOAD_NAMES)(`${'%s'} is predicted within 0.02 at every size (seed ${SEED})`, (name) => {
    const workload = createWorkload(name, KEYS, READS, SEED);
    const { errorMax, sizes, sampledKeys } = compareWithExact({
      ...{ workload, seed: SEED, reads: READS, keysMax: 8192, rateMax: 0.2 },
      limitBytes: bytesOfAll(workload) * 0.2,
      factors: FACTORS,
    });
    expect(errorMax, JSON.stringify(sizes)).toBeLessThanOrEqual(0.02);
    expect(sampledKeys).toBeLessThanOrEqual(8192);
  });
});
