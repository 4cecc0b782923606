/** Tests of the search for the largest keys, against a plain list of what the shards hold. */
import { Buffer } from 'node:buffer';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Clock } from '../../src/base/clock.ts';
import { BIG_KEY_BYTES_TOLD, BIG_KEYS_MAX, VISIT_SLICE_ENTRIES } from '../../src/config/limits.ts';
import {
  BIG_KEYS_CALLED_OFF,
  BIG_KEYS_NUMBERS,
  BIG_KEYS_VISITED,
  type BigKeysReport,
  bigKeysJob,
} from '../../src/shard/big-keys.ts';
import { memoryOfEntry } from '../../src/shard/footprint.ts';
import { TYPE_HASH, TYPE_LIST, TYPE_STRING } from '../../src/shard/layout.ts';
import { holderOf } from '../../src/shard/lock.ts';
import { createShardBuffers, formatShard, openShard, type Shard } from '../../src/shard/shard.ts';
import { KEYS_PER_GROUP } from '../../src/shard/table.ts';
import { manyPairs, manyTexts, putHash, putList } from '../support/large-collections.ts';
import { expectWhole, find, START_MS, set, stillClock } from '../support/shard.ts';

const OPTIONS = {
  capacityBytes: 32 * 2 ** 20,
  limitBytes: 32 * 2 ** 20,
  keysMax: 0,
  policy: 0,
  databases: 16,
  lfuLogFactor: 10,
  lfuDecayMinutes: 1,
  holdSampling: 64,
  hashKey: [1, 2] as [number, number],
  seed: 3,
  nowMs: START_MS,
};

/** `times`: how often the search is given each shard. */
function createShards(count: number, clock: Clock = stillClock, times = 1) {
  const buffers = Array.from({ length: count }, () => createShardBuffers(OPTIONS));
  const shards = buffers.map((own, index) => openShard(own, index, 1, clock));
  for (const shard of shards) formatShard(shard, START_MS);
  const numbers = new Float64Array(new SharedArrayBuffer(BIG_KEYS_NUMBERS * 8));
  const search = (pace: () => void = () => undefined): BigKeysReport => {
    const progress = numbers.buffer as SharedArrayBuffer;
    const given = Array.from({ length: times }, () => buffers).flat();
    return bigKeysJob({ buffers: given, threadId: 9, share: 1, progress }, clock, pace);
  };
  return { shards, numbers, search };
}

function namesOf({ largest }: BigKeysReport): string[] {
  return largest.map(({ key }) => Buffer.from(key).toString());
}

/** So many keys of rising sizes, dealt to all shards and the first three databases. */
function fill(shards: readonly Shard[], count: number): void {
  for (let index = 0; index < count; index += 1)
    set(shards[index % shards.length], `key:${index}`, 'x'.repeat(8 * index), { database: index % 3 });
}

describe('the search for the largest keys', () => {
  test('tells a large collection with all its pages, and the types apart', () => {
    const { shards, search } = createShards(2);
    set(shards[0], 'string', 'x'.repeat(100_000));
    const list = putList(shards[1], 'list', manyTexts(20_000));
    const hash = putHash(shards[1], 'hash', manyPairs(2), { database: 3 });
    const report = search();
    expect(report.largest.map(({ type, bytes }) => [type, bytes])).toEqual([
      [TYPE_LIST, memoryOfEntry(shards[1], list)],
      [TYPE_STRING, memoryOfEntry(shards[0], find(shards[0], 'string'))],
      [TYPE_HASH, memoryOfEntry(shards[1], hash)],
    ]);
    expect(report.largest[0].bytes).toBeGreaterThan(20_000 * 20);
    expect(report.byType.map(({ type, keys }) => [type, keys])).toEqual([
      [TYPE_STRING, 1],
      [TYPE_LIST, 1],
      [TYPE_HASH, 1],
    ]);
  });

  test('finds nothing in empty shards', () => {
    expect(createShards(2).search()).toEqual({
      calledOff: false,
      keys: 0,
      bytes: 0,
      largest: [],
      byType: [],
      bySize: [],
    });
  });

  test('finds the largest of all shards and databases, the largest first', () => {
    const { shards, search, numbers } = createShards(3);
    fill(shards, 700);
    const report = search();
    expect(namesOf(report)).toEqual(Array.from({ length: BIG_KEYS_MAX }, (_, place) => `key:${699 - place}`));
    expect(report.keys).toBe(700);
    expect(numbers[BIG_KEYS_VISITED]).toBe(700);
    expect(report.byType).toEqual([{ type: TYPE_STRING, keys: 700, bytes: report.bytes }]);
    expect(report.bySize.reduce((sum, { keys }) => sum + keys, 0)).toBe(700);
    expect(report.bySize.reduce((sum, { bytes }) => sum + bytes, 0)).toBe(report.bytes);
    for (const { bytesMax, keys, bytes } of report.bySize) {
      expect(bytes).toBeLessThanOrEqual(bytesMax * keys);
      expect(bytes).toBeGreaterThan((bytesMax / 2) * keys);
    }
    for (const shard of shards) expectWhole(shard);
  });

  test('tells of a key where it is, what it takes, and when it is due', () => {
    const { shards, search } = createShards(2);
    set(shards[1], 'big', 'x'.repeat(1000), { database: 7, expiresAtMs: START_MS + 5000 });
    const [{ key, ...told }] = search().largest;
    expect(Buffer.from(key).toString()).toBe('big');
    expect(told).toEqual({
      database: 7,
      keyBytes: 3,
      type: TYPE_STRING,
      bytes: expect.any(Number),
      expiresAtMs: START_MS + 5000,
    });
    expect(told.bytes).toBeGreaterThan(1040);
    expect(told.bytes).toBeLessThan(1070);
  });

  test('tells of a long key how it begins and how long it is', () => {
    const { shards, search } = createShards(1);
    set(shards[0], 'k'.repeat(5000), 'value');
    const [{ key, keyBytes }] = search().largest;
    expect(Buffer.from(key).toString()).toBe('k'.repeat(BIG_KEY_BYTES_TOLD));
    expect(keyBytes).toBe(5000);
  });

  test('is right whatever the sizes and their order', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 3000 }), { maxLength: 400 }), (sizes) => {
        const { shards, search } = createShards(1);
        sizes.forEach((size, index) => void set(shards[0], `key:${index}`, 'x'.repeat(size)));
        const { largest, keys } = search();
        const bytes = largest.map((key) => key.bytes);
        expect(keys).toBe(sizes.length);
        expect(bytes).toEqual(bytes.toSorted((a, b) => b - a));
        const told = largest.map(({ key }) => sizes[Number(Buffer.from(key).toString().slice(4))]);
        const wanted = sizes.toSorted((a, b) => b - a).slice(0, BIG_KEYS_MAX);
        // Sizes that differ by less than a cell take the same.
        told.forEach((size, place) => void expect(Math.abs(size - wanted[place])).toBeLessThan(8));
      }),
      { numRuns: 20 },
    );
  });

  test('holds no lock between its slices, and takes few entries in each', () => {
    const { shards, search, numbers } = createShards(2);
    for (let index = 0; index < 10_000; index += 1) set(shards[index % 2], `key:${index}`, 'value');
    let visited = 0;
    search(() => {
      for (const shard of shards) expect(holderOf(shard)).toBe(0);
      expect(numbers[BIG_KEYS_VISITED] - visited).toBeLessThan(VISIT_SLICE_ENTRIES + KEYS_PER_GROUP * 4);
      visited = numbers[BIG_KEYS_VISITED];
    });
    expect(visited).toBe(10_000);
  });

  test('ends a slice when its time is over, after a group of the index', () => {
    let readings = 0;
    const hurried = { wallMs: () => START_MS, monotonicMs: () => readings++ };
    const { shards, search } = createShards(1, hurried);
    for (let index = 0; index < 1000; index += 1) set(shards[0], `key:${index}`, 'value');
    let slices = 0;
    const { keys } = search(() => {
      slices += 1;
    });
    expect(keys).toBe(1000);
    expect(slices).toBeGreaterThan(1000 / KEYS_PER_GROUP);
  });

  test('tells a key once, even if it is met twice', () => {
    const { shards, search } = createShards(1, stillClock, 2);
    fill(shards, 30);
    const names = namesOf(search());
    expect(names).toEqual(Array.from({ length: 30 }, (_, place) => `key:${29 - place}`));
  });

  test('ends early when it is called off', () => {
    const { shards, search, numbers } = createShards(2);
    fill(shards, 1000);
    const report = search(() => {
      numbers[BIG_KEYS_CALLED_OFF] = 1;
    });
    expect(report.calledOff).toBe(true);
    expect(report.keys).toBeLessThan(1000);
  });

  test('finds all keys that are there throughout while others come and go', () => {
    const { shards, search } = createShards(1);
    fill(shards, 300);
    let next = 0;
    const report = search(() => {
      for (let index = 0; index < 200; index += 1) set(shards[0], `other:${next++}`, 'value');
    });
    expect(namesOf(report)).toEqual(Array.from({ length: BIG_KEYS_MAX }, (_, place) => `key:${299 - place}`));
  });
});
