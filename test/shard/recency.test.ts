/** Who was used before whom: the classic LRU cases, exact order against a plain Map, clocks, and changes of policy. */
import fc from 'fast-check';
import { afterEach, describe, expect, it } from 'vitest';
import { usedBytes } from '../../src/shard/eviction.ts';
import { expireDue } from '../../src/shard/housekeeping.ts';
import {
  EVICTED_KEYS,
  HEAD_ALL,
  HEAD_VOLATILE,
  KEYS_LIVE,
  KEYS_MAX,
  LIMIT_BYTES,
  MIGRATION_CURSOR,
  NONE,
  POLICY,
} from '../../src/shard/layout.ts';
import { removeEntry, setExpiry } from '../../src/shard/lifecycle.ts';
import { changePolicy, migrateRecency } from '../../src/shard/migration.ts';
import { ALL_LFU, ALL_LRU, NO_EVICTION, VOLATILE_LRU, VOLATILE_TTL } from '../../src/shard/policy.ts';
import { frequencyOf, idleSeconds, newerThan, oldestOf, touchEntry } from '../../src/shard/recency.ts';
import type { Shard } from '../../src/shard/shard.ts';
import { createTestShard, expectWhole, find, get, keyText, START_MS, set } from '../support/shard.ts';

const LATER_MS = START_MS + 3_600_000;

let shard: Shard;
afterEach(() => expectWhole(shard));

/** Keys of a recency list, oldest first. */
function order(head: number): string[] {
  const keys: string[] = [];
  for (let ref = oldestOf(shard.entries, head); ref !== head; ref = newerThan(shard.entries, ref)) {
    keys.push(keyText(shard, ref));
  }
  return keys;
}

function present(keys: string): string {
  return [...keys].filter((key) => find(shard, key) !== NONE).join('');
}

describe('LRU', () => {
  it('set and get', () => {
    shard = createTestShard();
    set(shard, 'key1', 'value1');
    expect(get(shard, 'key1')).toBe('value1');
  });

  it('missing key', () => {
    shard = createTestShard();
    expect(get(shard, 'nonexistent')).toBeUndefined();
  });

  it('set and delete', () => {
    shard = createTestShard();
    set(shard, 'key1', 'value1');
    removeEntry(shard, find(shard, 'key1'));
    expect(get(shard, 'key1')).toBeUndefined();
  });

  it('TTL expiry after 1 s', () => {
    shard = createTestShard();
    set(shard, 'key1', 'value1', { expiresAtMs: START_MS + 1000 });
    expect(get(shard, 'key1', { nowMs: START_MS + 1000 })).toBe('value1');
    expect(get(shard, 'key1', { nowMs: START_MS + 1001 })).toBeUndefined();
  });

  it('eviction at capacity 5: the first is gone, the second and the last are there', () => {
    shard = createTestShard({ keysMax: 5 });
    for (let index = 1; index <= 6; index += 1) set(shard, `key${index}`, `value${index}`);
    expect(get(shard, 'key1')).toBeUndefined();
    expect(get(shard, 'key2')).toBe('value2');
    expect(get(shard, 'key6')).toBe('value6');
    expect(shard.numbers[EVICTED_KEYS]).toBe(1);
  });

  it('ordering after get: a, b, c, get a, d, e, f at capacity 5 keeps a and c, and drops b', () => {
    shard = createTestShard({ keysMax: 5 });
    for (const key of 'abc') set(shard, key, key);
    get(shard, 'a');
    for (const key of 'def') set(shard, key, key);
    expect(present('abcdef')).toBe('acdef');
  });

  it('size and capacity: 5 distinct keys are 5, however often they are set', () => {
    shard = createTestShard({ keysMax: 5 });
    for (let round = 0; round < 3; round += 1) for (const key of 'abcde') set(shard, key, `${round}`);
    expect(shard.control[KEYS_LIVE]).toBe(5);
    expect(shard.control[KEYS_MAX]).toBe(5);
    expect(shard.numbers[EVICTED_KEYS]).toBe(0);
    set(shard, 'f', '');
    expect(shard.control[KEYS_LIVE]).toBe(5);
  });

  it('hit rate: two hits of three looks', () => {
    shard = createTestShard();
    set(shard, 'key1', 'value1');
    const looks = ['key1', 'key1', 'key2'].map((key) => get(shard, key) !== undefined);
    expect(looks.filter(Boolean).length / looks.length).toBe(2 / 3);
  });
});

describe('LRU under random programs', () => {
  it.each([
    ['a limit on keys', { keysMax: 7 }],
    ['a limit on memory and values of one size', { limitBytes: 9000 }],
  ])('drops exactly the oldest under %s', (_, options) => {
    fc.assert(
      fc.property(fc.array(use, { minLength: 20, maxLength: 200 }), (uses) => {
        shard = createTestShard({ policy: ALL_LRU, capacityBytes: 2 ** 16, ...options });
        const model = new Map<string, string>();
        for (const one of uses) applyUse(model, one);
        expect(order(HEAD_ALL)).toEqual([...model.keys()]);
        expectWhole(shard);
      }),
      { numRuns: 100 },
    );
  });
});

const use = fc.record({
  kind: fc.constantFrom('set', 'set', 'set', 'get', 'get', 'look', 'delete'),
  key: fc.integer({ min: 10, max: 49 }).map((n) => `key${n}`),
  letter: fc.constantFrom('x', 'y'),
});
type Use = typeof use extends fc.Arbitrary<infer T> ? T : never;

/** In the model a key's place in the Map is its recency. */
function applyUse(model: Map<string, string>, { kind, key, letter }: Use): void {
  const known = model.get(key);
  if (kind === 'look') {
    expect(find(shard, key) !== NONE).toBe(known !== undefined);
  } else if (kind === 'delete' && known !== undefined) {
    removeEntry(shard, find(shard, key));
    model.delete(key);
  } else if (kind === 'get') {
    expect(get(shard, key)).toBe(known);
    if (known === undefined) return;
    model.delete(key);
    model.set(key, known);
  } else if (kind === 'set') {
    const evictedBefore = shard.numbers[EVICTED_KEYS];
    expect(set(shard, key, letter.repeat(60))).toBe(true);
    const evicted = shard.numbers[EVICTED_KEYS] - evictedBefore;
    model.delete(key);
    for (let count = 0; count < evicted; count += 1) model.delete([...model.keys()][0]);
    model.set(key, letter.repeat(60));
    if (shard.control[KEYS_MAX] > 0) expect(model.size).toBeLessThanOrEqual(shard.control[KEYS_MAX]);
    expect(usedBytes(shard)).toBeLessThanOrEqual(shard.numbers[LIMIT_BYTES] + 200);
  }
}

describe('recency', () => {
  it('counts idle time in whole seconds, over the end of its 24 bits too', () => {
    shard = createTestShard();
    const nearTheEndMs = (2 ** 24 - 2) * 1000 + 2 ** 24 * 1000 * 100;
    set(shard, 'key', '', { nowMs: nearTheEndMs });
    for (const seconds of [0, 1, 5, 100_000]) {
      expect(idleSeconds(shard, find(shard, 'key'), nearTheEndMs + seconds * 1000)).toBe(seconds);
    }
  });

  it('keeps the exact order while values change their size', () => {
    shard = createTestShard();
    for (const key of 'abcd') set(shard, key, key);
    set(shard, 'b', 'b'.repeat(500));
    set(shard, 'a', 'a'.repeat(5000));
    expect(order(HEAD_ALL)).toEqual(['c', 'd', 'b', 'a']);
  });

  it('counts uses under lfu, slower and slower, and forgets them with time', () => {
    shard = createTestShard({ policy: ALL_LFU });
    set(shard, 'key', '');
    const ref = find(shard, 'key');
    expect(frequencyOf(shard, ref, START_MS)).toBe(5);
    const seen: number[] = [];
    for (const uses of [10, 90, 900, 9000]) {
      for (let count = 0; count < uses; count += 1) touchEntry(shard, ref, START_MS);
      seen.push(frequencyOf(shard, ref, START_MS));
    }
    expect(seen).toEqual([...seen].sort((a, b) => a - b));
    expect(seen[1]).toBeLessThan(20);
    expect(seen[3]).toBeGreaterThan(30);
    expect(frequencyOf(shard, ref, START_MS + 3 * 60_000)).toBe(seen[3] - 3);
    expect(frequencyOf(shard, ref, START_MS + 255 * 60_000)).toBe(0);
  });
});

describe('a change of policy', () => {
  function fill(keys: string, volatile: string): void {
    for (const key of keys) set(shard, key, key, { expiresAtMs: volatile.includes(key) ? LATER_MS : 0 });
  }

  it.each([1, 2, 1000])('to volatile moves what expires in its exact order, in slices of %i', (slice) => {
    shard = createTestShard();
    fill('abcdefgh', 'bdegh');
    get(shard, 'd');
    changePolicy(shard, VOLATILE_LRU);
    while (migrateRecency(shard, slice)) expectWhole(shard);
    expect(order(HEAD_VOLATILE)).toEqual(['b', 'e', 'g', 'h', 'd']);
    expect(order(HEAD_ALL)).toEqual(['a', 'c', 'f']);
  });

  it('keeps the order while keys are used, removed and expire between the slices', () => {
    shard = createTestShard();
    fill('abcdefgh', 'abcdefgh');
    changePolicy(shard, VOLATILE_LRU);
    migrateRecency(shard, 2);
    get(shard, 'c');
    removeEntry(shard, find(shard, 'f'));
    get(shard, 'h');
    set(shard, 'i', '', { expiresAtMs: LATER_MS });
    setExpiry(shard, find(shard, 'a'), 0);
    setExpiry(shard, find(shard, 'e'), START_MS + 50);
    expireDue(shard, START_MS + 1000, 10);
    while (migrateRecency(shard, 1));
    expect(order(HEAD_VOLATILE)).toEqual(['b', 'd', 'g', 'c', 'h', 'i']);
    expect(order(HEAD_ALL)).toEqual(['a']);
  });

  it('there, back and there again keeps the order of uses in between', () => {
    shard = createTestShard();
    fill('abcd', 'abcd');
    changePolicy(shard, VOLATILE_LRU);
    while (migrateRecency(shard, 10));
    changePolicy(shard, ALL_LRU);
    expect(shard.control[MIGRATION_CURSOR]).toBe(NONE);
    get(shard, 'a');
    set(shard, 'e', '', { expiresAtMs: LATER_MS });
    changePolicy(shard, VOLATILE_LRU);
    while (migrateRecency(shard, 10));
    expect(order(HEAD_VOLATILE)).toEqual(['b', 'c', 'd', 'a', 'e']);
  });

  it('back from volatile drops the oldest of both lists, to the second', () => {
    shard = createTestShard({ policy: VOLATILE_LRU });
    for (const [index, key] of [...'abcdef'].entries()) {
      set(shard, key, '', { nowMs: START_MS + index * 1000, expiresAtMs: index % 2 === 0 ? LATER_MS : 0 });
    }
    changePolicy(shard, ALL_LRU);
    shard.control[KEYS_MAX] = 6;
    for (const [index, gone] of [...'abcdef'].entries()) {
      set(shard, `new${index}`, '', { nowMs: START_MS + 10_000 });
      expect(find(shard, gone), gone).toBe(NONE);
      expect(shard.control[KEYS_LIVE]).toBe(6);
    }
  });

  it('between volatile policies, or away before the migration ended, loses nobody', () => {
    shard = createTestShard();
    fill('abcdef', 'abcdef');
    for (const policy of [
      VOLATILE_LRU,
      VOLATILE_TTL,
      NO_EVICTION,
      VOLATILE_TTL,
      ALL_LFU,
      VOLATILE_LRU,
      ALL_LRU,
    ]) {
      changePolicy(shard, policy);
      expect(shard.control[POLICY]).toBe(policy);
      if (shard.control[MIGRATION_CURSOR] !== NONE) migrateRecency(shard, 2);
      expectWhole(shard);
      expect([...order(HEAD_ALL), ...order(HEAD_VOLATILE)].sort()).toEqual([...'abcdef']);
    }
  });
});
