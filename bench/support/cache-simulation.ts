/**
 * The exact truth about a workload: least-recently-used caches of several sizes in bytes, simulated one by one. What the
 * sampled miss-ratio curve is held against.
 *
 * Pure; used by bench/miss-ratio.ts and by its test.
 */
import { Buffer } from 'node:buffer';
import { pointOfKey, rankOfSlot } from '../../src/commands/sample-point.ts';
import {
  changeThreshold,
  createAccess,
  createMissRatio,
  type MissRatio,
  NO_REFERENCE,
  noteAccess,
  noteReads,
  POINTS,
  READ_HIT,
  READ_MISS,
  readMissRatio,
} from '../../src/metrics/miss-ratio.ts';
import { slotOfKey } from '../../src/routing/slot.ts';
import { hashKey } from '../../src/shard/key-hash.ts';
import type { Workload } from './cache-workloads.ts';

/** A least-recently-used cache of so many bytes that a reader fills after each miss: a ring of keys, its head behind the last. */
type ExactCache = {
  readonly bytesMax: number;
  readonly newer: Int32Array;
  readonly older: Int32Array;
  /** By key, 0 when it is not in the cache. */
  readonly sizes: Float64Array;
  bytes: number;
  hits: number;
};

function createExactCache(keys: number, bytesMax: number): ExactCache {
  const newer = new Int32Array(keys + 1);
  const older = new Int32Array(keys + 1);
  newer[keys] = keys;
  older[keys] = keys;
  return { bytesMax, newer, older, sizes: new Float64Array(keys), bytes: 0, hits: 0 };
}

/** Whether the read hits; the entry is there and the newest afterwards, unless it can never fit. */
function readThrough(cache: ExactCache, key: number, bytes: number): boolean {
  const { newer, older, sizes } = cache;
  const head = sizes.length;
  const isHit = sizes[key] > 0;
  if (isHit) {
    cache.hits += 1;
    leave(cache, key);
  }
  const newest = older[head];
  newer[newest] = key;
  older[key] = newest;
  newer[key] = head;
  older[head] = key;
  sizes[key] = bytes;
  cache.bytes += bytes;
  while (cache.bytes > cache.bytesMax) leave(cache, newer[head]);
  return isHit;
}

function leave(cache: ExactCache, key: number): void {
  const { newer, older, sizes } = cache;
  newer[older[key]] = newer[key];
  older[newer[key]] = older[key];
  cache.bytes -= sizes[key];
  sizes[key] = 0;
}

/** Ranges of names that seeds choose among. */
const NAME_RANGES = 1_000_003;

type Places = { readonly points: Int32Array; readonly low: Int32Array; readonly high: Int32Array };

/** How the server places the keys for sampling, by their names. */
function placesOf(keys: number, seed: number): Places {
  const places = { points: new Int32Array(keys), low: new Int32Array(keys), high: new Int32Array(keys) };
  for (let key = 0; key < keys; key += 1) {
    // Another seed, other names, other keys that are sampled.
    const name = Buffer.from(nameOfKey(key + keys * (seed % NAME_RANGES)));
    places.low[key] = hashKey(name, 0, name.length, seed, 1);
    places.high[key] = hashKey(name, 0, name.length, seed, 2);
    places.points[key] = pointOfKey(rankOfSlot(slotOfKey(name, 0, name.length)), places.high[key]);
  }
  return places;
}

/** As redis-benchmark writes it. */
export function nameOfKey(key: number): string {
  return `key:${String(key).padStart(12, '0')}`;
}

/** One size: the exact hit ratio and the curve's. */
type ComparedSize = { readonly bytes: number; readonly exact: number; readonly predicted: number };

export type Comparison = {
  readonly sampledKeys: number;
  /** Of all keys, at the end. */
  readonly rate: number;
  /** Of all reads, those that were sampled. */
  readonly sampledShare: number;
  readonly sizes: readonly ComparedSize[];
  readonly errorMax: number;
  readonly errorMean: number;
};

export type ComparisonOptions = {
  readonly workload: Workload;
  /** Of the sampling. */
  readonly seed: number;
  readonly reads: number;
  /** The size of the cache that serves; the others' are `factors` of it. */
  readonly limitBytes: number;
  readonly factors: readonly number[];
  readonly keysMax: number;
  /** The share of keys that is sampled at most. */
  readonly rateMax: number;
};

/** Lets all caches and the sampled curve see the same reads. */
export function compareWithExact(options: ComparisonOptions): Comparison {
  const { workload, reads, limitBytes, factors, rateMax } = options;
  const places = placesOf(workload.keys, options.seed);
  const caches = factors.map((factor) => createExactCache(workload.keys, limitBytes * factor));
  const served = createExactCache(workload.keys, limitBytes);
  const ratio = createMissRatio(options.keysMax, limitBytes, 0);
  changeThreshold(ratio, Math.floor(POINTS * rateMax));
  for (let read = 0; read < reads; read += 1) {
    const key = workload.next();
    const bytes = workload.bytesOf(key);
    for (const cache of caches) readThrough(cache, key, bytes);
    const isHit = readThrough(served, key, bytes);
    noteReads(ratio, isHit ? 1 : 0, isHit ? 0 : 1);
    notePlace(ratio, places, key, isHit ? READ_HIT : READ_MISS, isHit ? bytes : 0);
    if (!isHit) notePlace(ratio, places, key, NO_REFERENCE, bytes);
  }
  const sizes = caches.map(({ bytesMax, hits }) => ({
    bytes: bytesMax,
    exact: hits / reads,
    predicted: predictHitRatio(ratio, bytesMax) ?? 0,
  }));
  const errors = sizes.map(({ exact, predicted }) => Math.abs(exact - predicted));
  return {
    sampledKeys: ratio.stack.count,
    rate: ratio.threshold / POINTS,
    sampledShare: ratio.sampledReads / reads,
    sizes,
    errorMax: Math.max(...errors),
    errorMean: errors.reduce((sum, error) => sum + error, 0) / errors.length,
  };
}

const access = createAccess();

function notePlace(ratio: MissRatio, places: Places, key: number, reference: number, bytes: number): void {
  access.low = places.low[key];
  access.high = places.high[key];
  access.point = places.points[key];
  access.reference = reference;
  access.bytes = bytes;
  noteAccess(ratio, access);
}

function predictHitRatio(ratio: MissRatio, bytes: number): number | null {
  const { limitBytes } = ratio;
  ratio.limitBytes = bytes;
  const { hitRatio } = readMissRatio(ratio).now;
  ratio.limitBytes = limitBytes;
  return hitRatio;
}
