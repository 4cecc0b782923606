/**
 * Workloads of a cache with seeded chance: which key is read next, and how large entries are. Pure.
 */
import { nextRandom } from '../../src/base/random.ts';

export type Workload = {
  readonly name: string;
  /** Keys are 0 .. keys - 1. */
  readonly keys: number;
  readonly next: () => number;
  /** Bytes of a key's entry, always the same. */
  readonly bytesOf: (key: number) => number;
};

/** Numbers in [0, 1). */
type Chance = () => number;

export const WORKLOAD_NAMES = [
  'Zipf 0.7',
  'Zipf 0.99',
  'Zipf 1.2',
  'Zipf 0.99 and scans',
  'Zipf 0.99 and a loop',
  'shifting working set',
  'Zipf 0.99, sizes 64 to 2112',
  'Zipf 0.9, sizes 64 to 70,000',
] as const;

export type WorkloadName = (typeof WORKLOAD_NAMES)[number];

const ENTRY_BYTES = 128;
const SIZE_STEP_BYTES = 8;
const SMALLEST_BYTES = 64;
/** The logarithm of how much larger the largest entry is than the smallest. */
const HEAVY_LOG = 7;
/** One read in so many begins a scan, of a tenth of as many keys again. */
const SCAN_EVERY = 20_000;
const LOOP_SHARE = 0.3;
const SHIFTS = 16;

/** A workload over `keys` keys, or twice as many where scans read others. `reads` is how many there will be. */
export function createWorkload(name: WorkloadName, keys: number, reads: number, seed: number): Workload {
  const chance = createChance(seed);
  const plain = (skew: number): Workload => ({
    ...{ name, keys, next: zipf(keys, skew, chance) },
    bytesOf: () => ENTRY_BYTES,
  });
  switch (name) {
    case 'Zipf 0.7':
      return plain(0.7);
    case 'Zipf 0.99':
      return plain(0.99);
    case 'Zipf 1.2':
      return plain(1.2);
    case 'Zipf 0.99 and scans':
      return { ...plain(0.99), keys: 2 * keys, next: withScans(zipf(keys, 0.99, chance), keys, chance) };
    case 'Zipf 0.99 and a loop':
      return { ...plain(0.99), keys: 2 * keys, next: withLoop(zipf(keys, 0.99, chance), keys, chance) };
    case 'shifting working set':
      return { ...plain(0.9), next: shifting(keys, reads, chance) };
    case 'Zipf 0.99, sizes 64 to 2112':
      return { ...plain(0.99), bytesOf: (key) => SMALLEST_BYTES + (scatter(key) >>> 24) * SIZE_STEP_BYTES };
    case 'Zipf 0.9, sizes 64 to 70,000':
      return { ...plain(0.9), bytesOf: (key) => heavyBytes(scatter(key) / 2 ** 32) };
  }
}

/** The bytes of all entries. */
export function bytesOfAll({ keys, bytesOf }: Workload): number {
  let bytes = 0;
  for (let key = 0; key < keys; key += 1) bytes += bytesOf(key);
  return bytes;
}

export function createChance(seed: number): Chance {
  // Neighbouring seeds begin far apart.
  let state = Math.imul(seed, 0x9e37_79b1) || 1;
  return () => {
    state = nextRandom(state);
    return (state >>> 0) / 2 ** 32;
  };
}

/** Draws 0 .. keys - 1, number k with a probability in proportion to 1 / (k + 1) ** skew. */
export function zipf(keys: number, skew: number, chance: Chance): () => number {
  const sums = new Float64Array(keys);
  let sum = 0;
  for (let key = 0; key < keys; key += 1) {
    sum += (key + 1) ** -skew;
    sums[key] = sum;
  }
  return () => {
    const wanted = chance() * sum;
    let low = 0;
    let high = keys - 1;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (sums[middle] < wanted) low = middle + 1;
      else high = middle;
    }
    return low;
  };
}

/** Now and then a run over keys that nobody else reads, each once. */
function withScans(draw: () => number, keys: number, chance: Chance): () => number {
  let left = 0;
  let at = 0;
  return () => {
    if (left === 0 && chance() < 1 / SCAN_EVERY) left = keys / 10;
    if (left === 0) return draw();
    left -= 1;
    at = (at + 1) % keys;
    return keys + at;
  };
}

/** Part of the reads go round and round over keys of their own: the worst for an LRU cache that is a little too small. */
function withLoop(draw: () => number, keys: number, chance: Chance): () => number {
  let at = 0;
  return () => {
    if (chance() >= LOOP_SHARE) return draw();
    at = (at + 1) % Math.floor(keys * LOOP_SHARE);
    return keys + at;
  };
}

/** A quarter of the keys is read at a time, and moves on. */
function shifting(keys: number, reads: number, chance: Chance): () => number {
  const draw = zipf(keys / 4, 0.9, chance);
  const readsPerShift = Math.ceil(reads / SHIFTS);
  let read = 0;
  return () => {
    const shift = Math.floor(read / readsPerShift);
    read += 1;
    return (draw() + shift * Math.floor(keys / SHIFTS)) % keys;
  };
}

function heavyBytes(share: number): number {
  return Math.round(SMALLEST_BYTES * Math.exp(share * share * HEAVY_LOG));
}

/** 32 bits that look like chance. */
function scatter(key: number): number {
  return Math.imul(key + 1, 0x9e37_79b1) >>> 0;
}
