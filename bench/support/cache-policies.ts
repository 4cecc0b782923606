/**
 * Caches of so many bytes that a reader fills after each miss, simulated: least recently used first, SIEVE, S3-FIFO as its paper has
 * it and as the server has it (src/shard/fifo.ts). Those that count uses are in cache-frequency.ts. Pure.
 */
import {
  createKeyQueues,
  moveKey,
  NO_KEY,
  NO_QUEUE,
  newerIn,
  oldestIn,
  pushKey,
  takeKey,
} from './key-queues.ts';

/** Whether the read hits. A miss brings the key in. */
export type SimulatedCache = (key: number, bytes: number) => boolean;

/** `keys` are all there may be, `entries` is for how many of them there is room. */
export type CacheSize = { readonly keys: number; readonly bytesMax: number; readonly entries: number };

const ALL = 1;
const SMALL = 1;
const MAIN = 2;
const HITS_MAX = 3;
const TAG_BITS = 16;

export function createLru({ keys, bytesMax }: CacheSize): SimulatedCache {
  const queues = createKeyQueues(keys, 1);
  return (key, bytes) => {
    const isHit = queues.queue[key] !== NO_QUEUE;
    if (isHit) takeKey(queues, key);
    while (queues.bytes[ALL] + bytes > bytesMax && queues.counts[ALL] > 0)
      takeKey(queues, oldestIn(queues, ALL));
    pushKey(queues, ALL, key, bytes);
    return isHit;
  };
}

/** Zhang, Yang, Yue, Vigfusson, Rashmi, "SIEVE is simpler than LRU" (NSDI 2024). */
export function createSieve({ keys, bytesMax }: CacheSize): SimulatedCache {
  const queues = createKeyQueues(keys, 1);
  const isVisited = new Uint8Array(keys);
  let hand = NO_KEY;
  const evict = (): void => {
    let key = hand === NO_KEY ? oldestIn(queues, ALL) : hand;
    while (isVisited[key] === 1) {
      isVisited[key] = 0;
      key = newerIn(queues, ALL, key);
      if (key === NO_KEY) key = oldestIn(queues, ALL);
    }
    hand = newerIn(queues, ALL, key);
    takeKey(queues, key);
  };
  return (key, bytes) => {
    if (queues.queue[key] !== NO_QUEUE) {
      isVisited[key] = 1;
      return true;
    }
    while (queues.bytes[ALL] + bytes > bytesMax && queues.counts[ALL] > 0) evict();
    isVisited[key] = 0;
    pushKey(queues, ALL, key, bytes);
    return false;
  };
}

/** Who has left the small queue: to remember a key, and whether one is remembered, which it then is no more. */
export type Ghosts = { readonly remember: (key: number) => void; readonly recall: (key: number) => boolean };

export type FifoOptions = {
  /** The small queue's share. */
  readonly small: number;
  /** Whether the share is one of the keys and not of the bytes. */
  readonly isCounted: boolean;
  /** Hits that lead from the small queue to the main one. */
  readonly hitsMin: number;
  /** Keys that one eviction may put back. */
  readonly stepsMax: number;
  readonly createGhosts: (size: CacheSize) => Ghosts;
};

/** Yang, Zhang, Qiu, Yue, Vinayak, "FIFO queues are all you need for cache eviction" (SOSP 2023). */
export function createFifo(size: CacheSize, options: FifoOptions): SimulatedCache {
  const { keys, bytesMax } = size;
  const { small, isCounted, hitsMin, stepsMax } = options;
  const queues = createKeyQueues(keys, 2);
  const { counts, bytes: held } = queues;
  const hits = new Uint8Array(keys);
  const ghosts = options.createGhosts(size);
  const isSmallDue = (): boolean => {
    if (counts[MAIN] === 0) return true;
    return isCounted
      ? counts[SMALL] > small * (counts[SMALL] + counts[MAIN])
      : held[SMALL] > small * bytesMax;
  };
  const evict = (): void => {
    for (let step = 0; ; step += 1) {
      const isFromSmall = isSmallDue();
      const key = oldestIn(queues, isFromSmall ? SMALL : MAIN);
      if (step === stepsMax || hits[key] < (isFromSmall ? hitsMin : 1)) {
        takeKey(queues, key);
        if (isFromSmall) ghosts.remember(key);
        return;
      }
      hits[key] = isFromSmall ? 0 : hits[key] - 1;
      moveKey(queues, MAIN, key);
    }
  };
  return (key, bytes) => {
    if (queues.queue[key] !== NO_QUEUE) {
      if (hits[key] < HITS_MAX) hits[key] += 1;
      return true;
    }
    const isKnown = ghosts.recall(key);
    while (held[SMALL] + held[MAIN] + bytes > bytesMax && counts[SMALL] + counts[MAIN] > 0) evict();
    hits[key] = 0;
    pushKey(queues, isKnown ? MAIN : SMALL, key, bytes);
    return false;
  };
}

/** As many keys as the main queue holds, exactly. */
export function createExactGhosts({ keys, entries }: CacheSize): Ghosts {
  const rememberedAt = new Float64Array(keys).fill(-Infinity);
  let remembered = 0;
  return {
    remember: (key) => {
      rememberedAt[key] = remembered;
      remembered += 1;
    },
    recall: (key) => {
      const isKnown = remembered - rememberedAt[key] <= entries;
      rememberedAt[key] = -Infinity;
      return isKnown;
    },
  };
}

/** Tags in buckets, as src/shard/ghosts.ts has them: `perBucket` tags for every eight keys. */
export function createTagGhosts({ entries }: CacheSize, perBucket: number): Ghosts {
  const buckets = Math.max(1, Math.ceil(entries / 8));
  const tags = new Uint16Array(buckets * perBucket);
  const bucketOf = (hash: number): number => (hash % buckets) * perBucket;
  const tagOf = (hash: number): number => Math.imul(hash, 0xcc9e_2d51) >>> TAG_BITS || 1;
  return {
    remember: (key) => {
      const hash = mixKey(key);
      const at = bucketOf(hash);
      tags.copyWithin(at + 1, at, at + perBucket - 1);
      tags[at] = tagOf(hash);
    },
    recall: (key) => {
      const hash = mixKey(key);
      const from = bucketOf(hash);
      const at = tags.subarray(from, from + perBucket).indexOf(tagOf(hash));
      if (at >= 0) tags[from + at] = 0;
      return at >= 0;
    },
  };
}

/** 32 bits that look like chance (the end of MurmurHash3). */
export function mixKey(key: number): number {
  let mixed = Math.imul(key + 1, 0x9e37_79b1);
  mixed = Math.imul(mixed ^ (mixed >>> 16), 0x85eb_ca6b);
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2_ae35);
  return (mixed ^ (mixed >>> 16)) >>> 0;
}
