/** A thread dies at every single write that an operation makes: the shard is mended, and forgets rather than lies. */
import { Buffer } from 'node:buffer';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { blockCells, firstBlock, lastBlock, nextBlock } from '../../src/shard/arena.ts';
import { drainDoomed, flushDatabase, swapDatabases } from '../../src/shard/databases.ts';
import { valueLength } from '../../src/shard/entry.ts';
import { expireDue } from '../../src/shard/housekeeping.ts';
import { findEntry, putCopy, putString, resizeValue, writeValue } from '../../src/shard/keyspace.ts';
import {
  NEWER,
  NONE,
  OLDER,
  WHEEL_NEXT,
  WHEEL_PREVIOUS,
  WORDS_PER_CELL,
  WRITING,
} from '../../src/shard/layout.ts';
import { removeEntry, setExpiry } from '../../src/shard/lifecycle.ts';
import { acquireShard, holderOf } from '../../src/shard/lock.ts';
import { changePolicy, migrateRecency } from '../../src/shard/migration.ts';
import { ALL_LRU, ALL_S3FIFO, NO_EVICTION, VOLATILE_LRU } from '../../src/shard/policy.ts';
import { touchEntry } from '../../src/shard/recency.ts';
import { isSuspect, mendShard, recoverAfterDeath } from '../../src/shard/recover.ts';
import type { Shard } from '../../src/shard/shard.ts';
import { type Story, type ToBytes, tellDeaths } from '../support/deaths.ts';
import { createTestShard, expectWhole, find, get, START_MS, set } from '../support/shard.ts';

/** Words of which each looks like the SHAPE of a narrow entry of table 1. */
const MIMICRY = Buffer.from('\u0001\u0010\u0000\u0000'.repeat(200));

function put(shard: Shard, bytes: ToBytes, key: string, value: string, expiresAtMs = 0): number {
  const keyBytes = bytes(key);
  const valueBytes = bytes(value);
  return putString(
    shard,
    0,
    keyBytes,
    0,
    keyBytes.length,
    valueBytes,
    0,
    valueBytes.length,
    expiresAtMs,
    START_MS,
  );
}

function refOf(shard: Shard, bytes: ToBytes, key: string): number {
  const keyBytes = bytes(key);
  return findEntry(shard, 0, keyBytes, 0, keyBytes.length, START_MS);
}

function fewKeys(shard: Shard): void {
  for (let i = 0; i < 5; i += 1) {
    set(shard, `plain:${i}`, `value-${i}-`.repeat(i + 1));
    set(shard, `mortal:${i}`, `worth-${i}-`.repeat(3), { expiresAtMs: START_MS + 1000 * 17 ** i });
    set(shard, `other:${i}`, `elsewhere ${i}`, { database: 1 });
  }
}

function changeValue(shard: Shard, bytes: ToBytes, key: string, length: number): void {
  const ref = refOf(shard, bytes, key);
  const before = Math.min(valueLength(shard.entries, ref), length);
  const at = resizeValue(shard, ref, length, START_MS);
  const text = bytes('#'.repeat(length - before));
  writeValue(shard, at, before, text, 0, text.length);
}

const stories: Story[] = [
  { name: 'a new key', before: fewKeys, deed: (shard, bytes) => put(shard, bytes, 'new', 'fresh value') },
  {
    name: 'a new key that expires',
    before: fewKeys,
    deed: (shard, bytes) => put(shard, bytes, 'new', 'v'.repeat(100), START_MS + 5000),
  },
  {
    name: 'a new long key',
    before: fewKeys,
    deed: (shard, bytes) => put(shard, bytes, 'long'.repeat(100), 'v'.repeat(10)),
  },
  {
    name: 'a new key where a larger value lay whose bytes mimic entries',
    before: (shard) => {
      fewKeys(shard);
      set(shard, '12', MIMICRY);
      set(shard, 'behind', 'x');
      removeEntry(shard, find(shard, '12'));
    },
    deed: (shard, bytes) => {
      put(shard, bytes, 'n1', 'one');
      put(shard, bytes, 'n2', 'two');
      put(shard, bytes, 'n3', 'three');
    },
  },
  {
    name: 'a value of the same length',
    before: fewKeys,
    deed: (shard, bytes) => put(shard, bytes, 'plain:1', 'VALUE-1-VALUE-1-'),
  },
  {
    name: 'a longer value',
    before: fewKeys,
    deed: (shard, bytes) => put(shard, bytes, 'mortal:1', 'longer'.repeat(30), START_MS + 9e9),
  },
  {
    name: 'a shorter value that no longer expires',
    before: fewKeys,
    deed: (shard, bytes) => put(shard, bytes, 'mortal:2', 's'),
  },
  {
    name: 'a value under a long key',
    before: (shard) => {
      fewKeys(shard);
      set(shard, 'long'.repeat(100), 'old');
    },
    deed: (shard, bytes) => put(shard, bytes, 'long'.repeat(100), 'NEW'),
  },
  {
    name: 'a removal',
    before: fewKeys,
    deed: (shard, bytes) => {
      removeEntry(shard, refOf(shard, bytes, 'mortal:3'));
      removeEntry(shard, refOf(shard, bytes, 'plain:3'));
    },
  },
  {
    name: 'an expiry set, changed, removed',
    before: fewKeys,
    deed: (shard, bytes) => {
      setExpiry(shard, refOf(shard, bytes, 'plain:2'), START_MS + 2 ** 33);
      setExpiry(shard, refOf(shard, bytes, 'mortal:1'), START_MS + 2 ** 32 - 100_000);
      setExpiry(shard, refOf(shard, bytes, 'mortal:4'), 0);
    },
  },
  {
    name: 'an expiry under a volatile policy',
    options: { policy: VOLATILE_LRU },
    before: fewKeys,
    deed: (shard, bytes) => {
      setExpiry(shard, refOf(shard, bytes, 'plain:2'), START_MS + 2 ** 33);
      setExpiry(shard, refOf(shard, bytes, 'mortal:4'), 0);
    },
  },
  {
    name: 'uses',
    before: fewKeys,
    deed: (shard, bytes) => {
      for (const key of ['plain:0', 'plain:4', 'mortal:2'])
        touchEntry(shard, refOf(shard, bytes, key), START_MS + 1);
    },
  },
  {
    name: 'an append that changes the form',
    before: fewKeys,
    deed: (shard, bytes) => changeValue(shard, bytes, 'plain:4', 70),
  },
  {
    name: 'an append within the block',
    before: (shard) => {
      fewKeys(shard);
      changeValue(shard, Buffer.from, 'mortal:1', 200);
    },
    deed: (shard, bytes) => changeValue(shard, bytes, 'mortal:1', 215),
  },
  {
    name: 'an append that takes the free memory behind',
    before: (shard) => {
      fewKeys(shard);
      changeValue(shard, Buffer.from, 'mortal:1', 200);
    },
    deed: (shard, bytes) => changeValue(shard, bytes, 'mortal:1', 2000),
  },
  {
    name: 'an append that moves the value',
    before: (shard) => {
      fewKeys(shard);
      changeValue(shard, Buffer.from, 'mortal:1', 200);
      set(shard, 'wall', 'w');
    },
    deed: (shard, bytes) => changeValue(shard, bytes, 'mortal:1', 2000),
  },
  {
    name: 'a truncation of both forms',
    before: (shard) => {
      fewKeys(shard);
      changeValue(shard, Buffer.from, 'plain:3', 200);
    },
    deed: (shard, bytes) => {
      changeValue(shard, bytes, 'plain:4', 5);
      changeValue(shard, bytes, 'plain:3', 100);
    },
  },
  {
    name: 'copies to a new key and over another',
    before: (shard) => {
      fewKeys(shard);
      changeValue(shard, Buffer.from, 'plain:1', 30);
    },
    deed: (shard, bytes) => {
      for (const [from, to] of [
        ['plain:4', 'copy'],
        ['mortal:1', 'plain:0'],
        ['plain:1', 'raw copy'],
      ]) {
        const key = bytes(to);
        putCopy(shard, 0, key, 0, key.length, shard, refOf(shard, bytes, from), START_MS + 777_777, START_MS);
      }
    },
  },
  {
    name: 'a flush, and a flush of what came after it',
    before: fewKeys,
    deed: (shard, bytes) => {
      flushDatabase(shard, 0);
      put(shard, bytes, 'after', 'the flush');
      flushDatabase(shard, 0);
    },
    rewritten: ['0/after'],
  },
  {
    name: 'a swap of databases',
    before: fewKeys,
    deed: (shard) => swapDatabases(shard, 0, 1),
    isAtomic: true,
  },
  {
    name: 'a swap back',
    before: fewKeys,
    deed: (shard) => swapDatabases(shard, 2, 0),
    isAtomic: true,
  },
  {
    name: 'the draining of a flushed database',
    before: (shard) => {
      for (let i = 0; i < 12; i += 1)
        set(shard, `flushed:${i}`, 'x', { expiresAtMs: i % 2 ? START_MS + i : 0 });
      flushDatabase(shard, 0);
      fewKeys(shard);
    },
    deed: (shard) => {
      while (drainDoomed(shard, 5));
    },
  },
  {
    name: 'the growth of the index',
    before: (shard) => {
      for (let i = 0; i < 95; i += 1) set(shard, `k${i}`, `${i}`);
    },
    deed: (shard, bytes) => {
      for (let i = 95; i < 98; i += 1) put(shard, bytes, `k${i}`, `${i}`);
    },
  },
  {
    name: 'the shrinking of the index',
    before: (shard) => {
      for (let i = 0; i < 100; i += 1) set(shard, `k${i}`, `${i}`);
      for (let i = 0; i < 60; i += 1) removeEntry(shard, find(shard, `k${i}`));
    },
    deed: (shard, bytes) => {
      for (let i = 60; i < 72; i += 1) removeEntry(shard, refOf(shard, bytes, `k${i}`));
    },
  },
  {
    name: 'an eviction for a new key',
    options: { keysMax: 15 },
    before: fewKeys,
    deed: (shard, bytes) => put(shard, bytes, 'new', 'fresh'),
  },
  {
    name: 'evictions for a large value',
    options: { limitBytes: 24 * 1024 },
    before: (shard) => {
      for (let i = 0; i < 50; i += 1)
        set(shard, `k${i}`, `${i}`.repeat(50), { expiresAtMs: i % 3 ? 0 : START_MS + 10 ** 6 });
    },
    deed: (shard, bytes) => put(shard, bytes, 'k40', 'large'.repeat(800)),
  },
  {
    name: 'a compaction for a large value',
    options: { policy: NO_EVICTION, limitBytes: 32 * 1024, capacityBytes: 16 * 1024 },
    before: (shard) => {
      for (
        let i = 0;
        set(shard, `k${i}`, `${i % 10}`.repeat(80), { expiresAtMs: i % 3 ? 0 : START_MS + 10 ** 6 });
        i += 1
      );
      for (let i = 0; i < 400; i += 2) {
        const ref = find(shard, `k${i}`);
        if (ref !== NONE) removeEntry(shard, ref);
      }
    },
    deed: (shard, bytes) => put(shard, bytes, 'large', 'large'.repeat(100)),
  },
  {
    name: 'evictions from both queues of S3-FIFO, with entries that go over, stay and come back',
    options: { policy: ALL_S3FIFO, keysMax: 15 },
    before: (shard) => {
      for (let i = 0; i < 40; i += 1) {
        set(shard, `k${i}`, `${i}`);
        if (i % 3 !== 0) get(shard, `k${i - (i % 2)}`);
      }
    },
    deed: (shard, bytes) => {
      touchEntry(shard, refOf(shard, bytes, 'k38'), START_MS + 1);
      for (const key of ['new', 'k39', 'k0', 'newer', 'k33', 'k36']) put(shard, bytes, key, 'x');
    },
    rewritten: ['0/new', '0/k39', '0/k0', '0/newer', '0/k33', '0/k36'],
  },
  {
    name: 'an append and a longer value under S3-FIFO',
    options: { policy: ALL_S3FIFO },
    before: fewKeys,
    deed: (shard, bytes) => {
      changeValue(shard, bytes, 'plain:4', 70);
      put(shard, bytes, 'plain:1', 'longer'.repeat(30));
    },
  },
  {
    name: 'changes of policy to S3-FIFO and away from it',
    before: fewKeys,
    deed: (shard, bytes) => {
      changePolicy(shard, ALL_S3FIFO);
      put(shard, bytes, 'new', 'to the small queue', START_MS + 9e9);
      put(shard, bytes, 'newer', 'to the small queue');
      changePolicy(shard, VOLATILE_LRU);
      touchEntry(shard, refOf(shard, bytes, 'mortal:2'), START_MS + 1);
      touchEntry(shard, refOf(shard, bytes, 'newer'), START_MS + 1);
      while (migrateRecency(shard, 6));
    },
  },
  {
    name: 'active expiry with buckets handed down',
    before: (shard) => {
      fewKeys(shard);
      for (let i = 0; i < 6; i += 1) set(shard, `due:${i}`, 'x', { expiresAtMs: START_MS + i * 800 });
    },
    deed: (shard) => {
      for (const afterMs of [300, 3_000, 9_000]) expireDue(shard, START_MS + afterMs, 5);
    },
  },
  {
    name: 'changes of policy there and back',
    before: fewKeys,
    deed: (shard, bytes) => {
      changePolicy(shard, VOLATILE_LRU);
      migrateRecency(shard, 6);
      touchEntry(shard, refOf(shard, bytes, 'mortal:2'), START_MS + 1);
      migrateRecency(shard, 100);
      changePolicy(shard, ALL_LRU);
      touchEntry(shard, refOf(shard, bytes, 'mortal:3'), START_MS + 1);
      changePolicy(shard, VOLATILE_LRU);
      migrateRecency(shard, 100);
    },
  },
];

describe('recover', () => {
  it.each(stories)('a death at any write of $name leaves a whole shard that tells the truth', (story) => {
    expect(tellDeaths(story)).toBeGreaterThan(0);
  });

  it('frees the lock of the dead only, and tells whose shard was held', () => {
    const shards = [createTestShard(), createTestShard(), createTestShard()];
    for (const shard of shards) set(shard, 'key', 'value');
    acquireShard({ ...shards[1], threadId: 7 });
    acquireShard({ ...shards[2], threadId: 8 });
    expect(recoverAfterDeath(shards, 7, START_MS)).toEqual(['shard 0: its lock was held; it is whole']);
    expect(shards.map(holderOf)).toEqual([0, 0, 8]);
    for (const shard of shards) {
      expect(get(shard, 'key')).toBe('value');
      expectWhole(shard);
    }
  });

  it('suspects a shard in which an entry is half written, and drops that entry alone', () => {
    const shard = createTestShard();
    fewKeys(shard);
    expect(isSuspect(shard)).toBe(false);
    shard.control[WRITING] = find(shard, 'plain:3');
    expect(isSuspect(shard)).toBe(true);
    expect(mendShard(shard, START_MS)).toContain('rebuilt with 14 keys');
    expect(isSuspect(shard)).toBe(false);
    expect(get(shard, 'plain:3')).toBeUndefined();
    expect(get(shard, 'plain:4')).toBe('value-4-'.repeat(5));
    expectWhole(shard);
  });

  it('keeps who was used before whom, to the second', () => {
    const shard = createTestShard({ keysMax: 3 });
    for (const [index, key] of ['a', 'b', 'c'].entries())
      set(shard, key, key, { nowMs: START_MS + index * 1000 });
    get(shard, 'a', { nowMs: START_MS + 5000 });
    shard.entries.words[NEWER] = NONE;
    expect(mendShard(shard, START_MS + 6000)).toContain('rebuilt with 3 keys, 0 dropped');
    set(shard, 'd', 'd', { nowMs: START_MS + 7000 });
    expect(['a', 'b', 'c', 'd'].map((key) => get(shard, key))).toEqual(['a', undefined, 'c', 'd']);
    expectWhole(shard);
  });

  it('empties a shard whose blocks are broken', () => {
    const shard = createTestShard();
    fewKeys(shard);
    shard.entries.words[find(shard, 'plain:3') * WORDS_PER_CELL] = 0;
    mendShard(shard, START_MS);
    expect(get(shard, 'plain:1')).toBeUndefined();
    expect(set(shard, 'new', 'start')).toBe(true);
    expectWhole(shard);
  });

  it('mends whatever happened to index, lists and wheel without losing a key', () => {
    fc.assert(
      fc.property(fc.array(damage, { minLength: 1, maxLength: 10 }), (damages) => {
        const shard = createTestShard({ limitBytes: 2 ** 18 });
        fewKeys(shard);
        for (const one of damages) hurt(shard, one);
        mendShard(shard, START_MS);
        expectWhole(shard);
        for (let i = 0; i < 5; i += 1) {
          expect(get(shard, `plain:${i}`)).toBe(`value-${i}-`.repeat(i + 1));
          expect(get(shard, `mortal:${i}`)).toBe(`worth-${i}-`.repeat(3));
          expect(get(shard, `other:${i}`, { database: 1 })).toBe(`elsewhere ${i}`);
        }
      }),
      { numRuns: 200 },
    );
  });
});

const damage = fc.record({
  where: fc.constantFrom('group', 'link'),
  which: fc.nat(),
  word: fc.constantFrom(NEWER, OLDER, WHEEL_NEXT, WHEEL_PREVIOUS),
  value: fc.oneof(fc.nat(2000), fc.integer()),
});
type Damage = typeof damage extends fc.Arbitrary<infer T> ? T : never;

function hurt(shard: Shard, { where, which, word, value }: Damage): void {
  const arena = where === 'group' ? shard.groups : shard.entries;
  const blocks: number[] = [];
  for (let ref = firstBlock(); ref < lastBlock(arena) && blocks.length < 30; ref = nextBlock(arena, ref))
    blocks.push(ref);
  const block = blocks[which % blocks.length] * WORDS_PER_CELL;
  const cells = Math.min(8, blockCells(arena.words, block / WORDS_PER_CELL));
  arena.words[block + (where === 'link' ? word : 1 + (which % (cells * WORDS_PER_CELL - 1)))] = value;
}
