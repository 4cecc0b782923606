/** In-process cases over the shard: storing, finding, evicting, expiring, and the ring in front of it. */
import { systemClock } from '../../src/base/clock.ts';
import { createReplyWriter } from '../../src/resp/reply-writer.ts';
import { slotOfKey } from '../../src/routing/slot.ts';
import { keepHouse } from '../../src/shard/housekeeping.ts';
import { putString } from '../../src/shard/keyspace.ts';
import { EVICTED_KEYS, KEYS_LIVE } from '../../src/shard/layout.ts';
import { acquireShard, releaseShard } from '../../src/shard/lock.ts';
import { changePolicy } from '../../src/shard/migration.ts';
import { ALL_LRU, ALL_S3FIFO } from '../../src/shard/policy.ts';
import { type Deck, getKey, setKey } from './cache-operations.ts';
import type { Case, Workload } from './measure.ts';
import {
  createBenchShard,
  createBenchSlotTable,
  createKeys,
  type Keys,
  shortKeys,
  shuffledOrder,
} from './workload-data.ts';

const KEYS = 100_000;
const VALUE = Buffer.from('value-0123'.slice(0, 10));
const SHARD_BYTES = 64 * 2 ** 20;
const LOOKUP_SHARDS = 4;
const LOOKUP_ROUNDS = 20;
const EXPIRING_KEYS = 1_000_000;
const EXPIRING_SHARD_BYTES = 256 * 2 ** 20;
const EVICTING_SHARD_BYTES = 4 * 2 ** 20;
const LOCK_ROUNDS = 1_000_000;

const PATH = 'key to slot to shard, the lock taken and given back';

export const CACHE_CASES: readonly Case[] = [
  {
    name: 'Cache SET',
    data: '100k inserts into an empty shard, keys 8 B, values 10 B, random order',
    adds: `${PATH}; deadline field, LSN, exact LRU, memory limit, fresh pages from the kernel`,
    create: () => setWorkload(true),
  },
  {
    name: 'Cache SET, replacing',
    data: 'the same over 100k keys that are there',
    adds: `${PATH}; deadline field, LSN, exact LRU`,
    create: () => setWorkload(false),
  },
  {
    name: 'Cache GET',
    data: '100k random hits of 100k keys of 8 B, values 10 B',
    adds: `${PATH}; deadline check, exact LRU, the RESP reply written`,
    create: () => getWorkload(ALL_LRU),
  },
  {
    name: 'Cache GET, S3-FIFO',
    data: 'the same under allkeys-s3fifo',
    adds: `${PATH}; deadline check, a hit counted, the RESP reply written`,
    create: () => getWorkload(ALL_S3FIFO),
  },
  {
    name: 'Hash ring lookup',
    data: '100k keys of 15-19 B, 4 shards',
    adds: 'CRC16 with hash tags, as Redis Cluster; then one table load',
    create: ringWorkload,
  },
  {
    name: 'Lock acquire and release',
    data: 'one lock, nobody else wants it',
    adds: 'one hold in 64 timed',
    create: lockWorkload,
  },
  {
    name: 'Expiry',
    data: '1M keys of 8 B that are due, in slices, counted in entries',
    adds: 'the lock per slice; index, LRU, wheel and memory given back entry by entry',
    create: expiryWorkload,
  },
  {
    name: 'SET that evicts',
    data: 'new keys of 8 B, values 10 B, at maxmemory under allkeys-lru',
    adds: `${PATH}; one entry evicted per SET, oldest first`,
    create: () => evictionWorkload(ALL_LRU),
  },
  {
    name: 'SET that evicts, S3-FIFO',
    data: 'the same under allkeys-s3fifo',
    adds: `${PATH}; one entry evicted per SET, which is remembered`,
    create: () => evictionWorkload(ALL_S3FIFO),
  },
];

function createDeck(bytes: number, policy = ALL_LRU): Deck {
  const shard = createBenchShard(bytes);
  changePolicy(shard, policy);
  return { shards: [shard], slotShard: createBenchSlotTable(1) };
}

function setAll(deck: Deck, keys: Keys, order: Uint32Array): number {
  const { bytes, starts } = keys;
  const nowMs = systemClock.wallMs();
  for (let i = 0; i < order.length; i += 1) {
    const key = order[i];
    if (!setKey(deck, bytes, starts[key], starts[key + 1], VALUE, nowMs))
      throw new Error('a SET found no room');
  }
  return order.length;
}

function setWorkload(isFresh: boolean): Workload {
  const keys = shortKeys(KEYS);
  const order = shuffledOrder(KEYS);
  let deck = createDeck(SHARD_BYTES);
  const renew = (): void => {
    deck = createDeck(SHARD_BYTES);
  };
  if (!isFresh) setAll(deck, keys, order);
  return { ...(isFresh ? { before: renew } : {}), run: () => setAll(deck, keys, order) };
}

function getWorkload(policy: number): Workload {
  const keys = shortKeys(KEYS);
  const order = shuffledOrder(KEYS);
  const deck = createDeck(SHARD_BYTES, policy);
  setAll(deck, keys, order.toReversed());
  const reply = createReplyWriter(1024);
  const { bytes, starts } = keys;
  return {
    run: () => {
      const nowMs = systemClock.wallMs();
      for (let i = 0; i < order.length; i += 1) {
        const key = order[i];
        reply.length = 0;
        if (!getKey(deck, bytes, starts[key], starts[key + 1], reply, nowMs)) throw new Error('a GET missed');
      }
      return order.length;
    },
  };
}

function ringWorkload(): Workload {
  const { bytes, starts, count } = createKeys(KEYS, (index) => `benchmark_key_${index}`);
  const slotShard = createBenchSlotTable(LOOKUP_SHARDS);
  const owned = new Uint32Array(LOOKUP_SHARDS);
  return {
    run: () => {
      for (let round = 0; round < LOOKUP_ROUNDS; round += 1) {
        for (let i = 0; i < count; i += 1) owned[slotShard[slotOfKey(bytes, starts[i], starts[i + 1])]] += 1;
      }
      return LOOKUP_ROUNDS * count;
    },
  };
}

function lockWorkload(): Workload {
  const shard = createBenchShard(SHARD_BYTES);
  return {
    run: () => {
      for (let i = 0; i < LOCK_ROUNDS; i += 1) {
        acquireShard(shard);
        releaseShard(shard);
      }
      return LOCK_ROUNDS;
    },
  };
}

/** The keys fall due within one second; the clock is then moved past it. */
function expiryWorkload(): Workload {
  const { bytes, starts, count } = shortKeys(EXPIRING_KEYS);
  const order = shuffledOrder(count);
  const shard = createBenchShard(EXPIRING_SHARD_BYTES);
  let nowMs = systemClock.wallMs();
  return {
    before: () => {
      for (const key of order) {
        putString(
          shard,
          0,
          bytes,
          starts[key],
          starts[key + 1],
          VALUE,
          0,
          VALUE.length,
          nowMs + 1000 + (key % 1000),
          nowMs,
        );
      }
      if (shard.control[KEYS_LIVE] !== count) throw new Error('not all keys found room');
      nowMs += 3000;
    },
    run: () => {
      while (keepHouse(shard, nowMs, true));
      if (shard.control[KEYS_LIVE] !== 0) throw new Error('keys that are due were left');
      return count;
    },
  };
}

function evictionWorkload(policy: number): Workload {
  const keys = shortKeys(5 * KEYS);
  const order = shuffledOrder(keys.count);
  const deck = createDeck(EVICTING_SHARD_BYTES, policy);
  setAll(deck, keys, order);
  if (deck.shards[0].numbers[EVICTED_KEYS] === 0) throw new Error('the shard is too large to evict');
  return { run: () => setAll(deck, keys, order) };
}
