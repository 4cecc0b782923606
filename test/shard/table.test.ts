/** The index: at every size, while it grows and shrinks, with hashes that collide, and when its memory runs out. */
import { Buffer } from 'node:buffer';
import { afterEach, describe, expect, it } from 'vitest';
import { usedCells } from '../../src/shard/arena.ts';
import { keyCount } from '../../src/shard/databases.ts';
import { scanBucket } from '../../src/shard/keyspace.ts';
import {
  CELL_BYTES,
  DATABASE_TABLES,
  EVICTED_KEYS,
  NONE,
  TABLE_LEVEL,
  TABLE_SPLIT,
} from '../../src/shard/layout.ts';
import { removeEntry } from '../../src/shard/lifecycle.ts';
import { NO_EVICTION } from '../../src/shard/policy.ts';
import { createShardBuffers, formatShard, openShard, type Shard } from '../../src/shard/shard.ts';
import { groupCount, hashOf, tableBase } from '../../src/shard/table.ts';
import {
  createTestShard,
  expectWhole,
  find,
  get,
  keyText,
  START_MS,
  set,
  stillClock,
} from '../support/shard.ts';

/** What the first key of a database costs: room for the references of 1024 groups. */
const SEGMENT_BYTES = 4104;
const POSITIONS_END = 2 ** 32;

let shard: Shard;
afterEach(() => expectWhole(shard));

function indexBytes(): number {
  return usedCells(shard.groups) * CELL_BYTES;
}

function remove(key: string): void {
  removeEntry(shard, find(shard, key));
}

describe('table', () => {
  it('is whole and finds every key at every size up to 1000 and back', () => {
    shard = createTestShard();
    for (let count = 1; count <= 1000; count += 1) {
      set(shard, `k${count}`, `${count}`);
      if (count % 23 === 0) expectWhole(shard);
      for (const known of [1, count >>> 1, count])
        if (known > 0) expect(get(shard, `k${known}`)).toBe(`${known}`);
    }
    for (let count = 1000; count > 0; count -= 1) {
      remove(`k${count}`);
      expect(find(shard, `k${count}`)).toBe(NONE);
      if (count > 1) expect(get(shard, `k${count >>> 1}`)).toBe(`${count >>> 1}`);
      if (count % 23 === 0) expectWhole(shard);
    }
    expect(groupCount(shard, shard.control[DATABASE_TABLES])).toBe(1);
  });

  it('grows to 60,000 keys at no more than 8.5 bytes each, and gives nearly all back', () => {
    shard = createTestShard({ limitBytes: 16 * 2 ** 20 });
    const marks = new Set([1000, 2000, 5000, 10_000, 24_576, 40_000, 50_000, 60_000]);
    for (let count = 1; count <= 60_000; count += 1) {
      set(shard, `k${count}`, '');
      if (!marks.has(count)) continue;
      expect(indexBytes() - SEGMENT_BYTES, `${count} keys`).toBeLessThanOrEqual(8.5 * count);
      if (count >= 5000) expect(indexBytes() / count, `${count} keys`).toBeLessThanOrEqual(8.5);
    }
    expectWhole(shard);
    expect(keyCount(shard, 0)).toBe(60_000);
    for (let count = 60_000; count > 0; count -= 1) {
      remove(`k${count}`);
      if (count === 15_001) expect(indexBytes() / 15_000).toBeLessThan(14);
    }
    expect(indexBytes()).toBeLessThan(10_000);
  });

  it('holds keys whose hashes are equal where groups are picked', () => {
    shard = createTestShard();
    const target = shard.control[DATABASE_TABLES];
    const keys: string[] = [];
    for (let index = 0; keys.length < 300; index += 1) {
      const bytes = Buffer.from(`c${index}`);
      if ((hashOf(shard, bytes, 0, bytes.length) & 0x7f) === 5) keys.push(`c${index}`);
    }
    for (const [index, key] of keys.entries()) set(shard, key, `${index}`);
    expect(groupCount(shard, target)).toBeLessThan(64);
    for (const [index, key] of keys.entries()) expect(get(shard, key)).toBe(`${index}`);
    expectWhole(shard);
    for (const key of keys) remove(key);
    expect(keyCount(shard, 0)).toBe(0);
  });

  it('tells keys apart whose group and tag are the same', () => {
    shard = createTestShard();
    const seen = new Map<number, string>();
    const pairs: [string, string][] = [];
    for (let index = 0; pairs.length < 8; index += 1) {
      const bytes = Buffer.from(`t${index}`);
      const place = hashOf(shard, bytes, 0, bytes.length) & 0xffff001f;
      const twin = seen.get(place);
      if (twin === undefined) seen.set(place, `t${index}`);
      else pairs.push([twin, `t${index}`]);
    }
    for (const [one, other] of pairs) {
      set(shard, one, 'one');
      expect(find(shard, other)).toBe(NONE);
      set(shard, other, 'other');
      expect([get(shard, one), get(shard, other)]).toEqual(['one', 'other']);
      remove(one);
      expect([get(shard, one), get(shard, other)]).toEqual([undefined, 'other']);
    }
  });
});

describe('table, of more than 2^15 groups', () => {
  it('finds every key while it shrinks, also where tags change their place', () => {
    shard = createTestShard({ limitBytes: 2 ** 26 });
    const base = tableBase(shard.control[DATABASE_TABLES]);
    shard.control[base + TABLE_LEVEL] = 15;
    shard.control[base + TABLE_SPLIT] = 4000;
    for (let index = 0; index < 5000; index += 1) set(shard, `k${index}`, `${index}`);
    expectWhole(shard);
    for (let merges = 0; merges < 4500; merges += 1) {
      set(shard, 'passing', '');
      remove('passing');
    }
    expect(shard.control[base + TABLE_LEVEL]).toBe(14);
    for (let index = 0; index < 5000; index += 1) expect(get(shard, `k${index}`)).toBe(`${index}`);
  });
});

describe('table, when a scan goes on between changes', () => {
  it.each([
    ['stands still', () => undefined],
    ['grows', (turn: number) => addExtra(turn, 40)],
    ['shrinks', (turn: number) => removeExtra(turn, 40)],
    [
      'grows and shrinks',
      (turn: number) => (turn % 40 < 20 ? addExtra(turn % 20, 90) : removeExtra(turn % 20, 90)),
    ],
  ])('every key that is there throughout is seen while the table %s', (_, change) => {
    shard = createTestShard();
    for (let index = 0; index < 700; index += 1) set(shard, `stays${index}`, '');
    for (let turn = 0; turn < 100; turn += 1) addExtra(turn, 40);
    if (change.length > 0 && change.name.length >= 0)
      for (let turn = 50; turn < 100; turn += 1) removeExtra(turn, 40);
    const seen = new Map<string, number>();
    let position = 0;
    for (let turn = 0; position < POSITIONS_END; turn += 1) {
      const before = position;
      position = scanBucket(shard, 0, position, (ref) => {
        const key = keyText(shard, ref);
        seen.set(key, (seen.get(key) ?? 0) + 1);
      });
      expect(position).toBeGreaterThan(before);
      change(turn);
    }
    for (let index = 0; index < 700; index += 1)
      expect(seen.has(`stays${index}`), `stays${index}`).toBe(true);
    if (change.length === 0) expect([...seen.values()].every((count) => count === 1)).toBe(true);
  });

  it('any position may be asked for, and none answers one that is not behind it', () => {
    shard = createTestShard();
    for (let index = 0; index < 500; index += 1) set(shard, `k${index}`, '');
    for (let position = 1; position < POSITIONS_END; position = position * 3 + 1) {
      const next = scanBucket(shard, 0, position, () => undefined);
      expect(next).toBeGreaterThan(position);
      expect(next).toBeLessThanOrEqual(POSITIONS_END);
    }
  });
});

function addExtra(turn: number, count: number): void {
  for (let index = 0; index < count; index += 1) set(shard, `extra${turn * count + index}`, '');
}

function removeExtra(turn: number, count: number): void {
  for (let index = 0; index < count; index += 1) {
    const ref = find(shard, `extra${turn * count + index}`);
    if (ref !== NONE) removeEntry(shard, ref);
  }
}

describe('table, when the index arena is full', () => {
  /** A shard whose limit is far above what its index can hold. */
  function createNarrow(policy?: number): Shard {
    const options = { limitBytes: 64 * 2 ** 20, capacityBytes: 64 * 2 ** 20, keysMax: 0, databases: 2 };
    const rest = {
      lfuLogFactor: 10,
      lfuDecayMinutes: 1,
      holdSampling: 64,
      hashKey: [77, 78] as const,
      seed: 77,
      nowMs: START_MS,
    };
    const buffers = createShardBuffers({ policy: policy ?? 1, ...options, ...rest });
    const narrow = openShard({ ...buffers, groups: new SharedArrayBuffer(40 * 1024) }, 0, 1, stillClock);
    formatShard(narrow, START_MS);
    return narrow;
  }

  it('evicts to take a new key in', () => {
    shard = createNarrow();
    for (let index = 0; index < 20_000; index += 1) expect(set(shard, `k${index}`, `${index}`)).toBe(true);
    expect(shard.numbers[EVICTED_KEYS]).toBeGreaterThan(1000);
    expect(keyCount(shard, 0)).toBe(20_000 - shard.numbers[EVICTED_KEYS]);
    expect(get(shard, 'k19999')).toBe('19999');
  });

  it('refuses a new key where nothing may be evicted, and keeps all others', () => {
    shard = createNarrow(NO_EVICTION);
    let kept = 0;
    while (set(shard, `k${kept}`, `${kept}`)) kept += 1;
    expect(kept).toBeGreaterThan(1000);
    expect(find(shard, `k${kept}`)).toBe(NONE);
    expectWhole(shard);
    for (let index = 0; index < kept; index += 1) expect(get(shard, `k${index}`)).toBe(`${index}`);
    for (let index = 0; index < kept; index += 1) remove(`k${index}`);
    expect(set(shard, 'again', 'there')).toBe(true);
  });
});
