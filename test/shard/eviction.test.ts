/** The eight policies: whom each may drop, whom it never drops, and what happens when it may drop nobody. */
import { Buffer } from 'node:buffer';
import { afterEach, describe, expect, it } from 'vitest';
import { flushDatabase, keyCount } from '../../src/shard/databases.ts';
import { makeRoom, ROOM_NONE, usedBytes } from '../../src/shard/eviction.ts';
import { putCopy, resizeValue, writeValue } from '../../src/shard/keyspace.ts';
import { EVICTED_KEYS, KEYS_LIVE, LIMIT_BYTES, LSN, NONE } from '../../src/shard/layout.ts';
import {
  ALL_LFU,
  ALL_LRU,
  isVolatile,
  NO_EVICTION,
  POLICY_NAMES,
  policyNumber,
  VOLATILE_LFU,
  VOLATILE_TTL,
} from '../../src/shard/policy.ts';
import type { Shard } from '../../src/shard/shard.ts';
import { manyPairs, putHash, setDeadlines } from '../support/large-collections.ts';
import { createTestShard, expectWhole, find, get, START_MS, set, valueText } from '../support/shard.ts';

const LATER_MS = START_MS + 3_600_000;
const EVICTING = POLICY_NAMES.filter((name) => name !== 'noeviction');
const VOLATILE = EVICTING.filter((name) => isVolatile(policyNumber(name)));

let shard: Shard;
afterEach(() => expectWhole(shard));

function countPresent(prefix: string, count: number): number {
  let found = 0;
  for (let index = 0; index < count; index += 1) if (find(shard, `${prefix}${index}`) !== NONE) found += 1;
  return found;
}

describe('eviction', () => {
  it.each(EVICTING)('%s never refuses a write while something may go, and stays within the limit', (name) => {
    shard = createTestShard({ policy: policyNumber(name), limitBytes: 2 ** 18 });
    for (let index = 0; index < 5000; index += 1) {
      const value = Buffer.alloc((index * 37) % 700, 'v');
      expect(set(shard, `k${index}`, value, { expiresAtMs: LATER_MS + index }), `write ${index}`).toBe(true);
      expect(usedBytes(shard)).toBeLessThan(shard.numbers[LIMIT_BYTES] + 10_000);
    }
    expect(shard.numbers[EVICTED_KEYS]).toBe(5000 - keyCount(shard, 0));
    expect(keyCount(shard, 0)).toBeGreaterThan(300);
  });

  it.each(EVICTING)('%s keeps to a limit on keys', (name) => {
    shard = createTestShard({ policy: policyNumber(name), keysMax: 50 });
    for (let index = 0; index < 500; index += 1)
      set(shard, `k${index}`, '', { expiresAtMs: LATER_MS, database: index % 3 });
    expect(shard.control[KEYS_LIVE]).toBe(50);
    expect(shard.numbers[EVICTED_KEYS]).toBe(450);
  });

  it.each(VOLATILE)('%s drops only what expires, and then refuses', (name) => {
    shard = createTestShard({ policy: policyNumber(name), keysMax: 100 });
    for (let index = 0; index < 50; index += 1) set(shard, `stays${index}`, `${index}`);
    for (let index = 0; index < 50; index += 1) set(shard, `goes${index}`, '', { expiresAtMs: LATER_MS });
    for (let index = 0; index < 50; index += 1) expect(set(shard, `new${index}`, '')).toBe(true);
    expect(countPresent('goes', 50)).toBe(0);
    expectNothingChanges(() => set(shard, 'more', ''));
    expect(countPresent('stays', 50) + countPresent('new', 50)).toBe(100);
  });

  it.each(['noeviction', ...VOLATILE])(
    '%s with nobody to drop refuses every kind of growth and changes nothing',
    (name) => {
      shard = createTestShard({ policy: policyNumber(name), limitBytes: 2 ** 16 });
      let count = 0;
      while (set(shard, `k${count}`, Buffer.alloc(100, 'v'))) count += 1;
      const large = Buffer.alloc(3000, 'w');
      expectNothingChanges(() => set(shard, 'k3', large));
      expectNothingChanges(() => resizeValue(shard, find(shard, 'k4'), 3000, START_MS) !== NONE);
      expectNothingChanges(() => makeRoom(shard, 3000, START_MS) !== ROOM_NONE);
      const key = Buffer.from('copy');
      expectNothingChanges(
        () => putCopy(shard, 0, key, 0, 4, shard, find(shard, 'k5'), 0, START_MS) !== NONE,
      );
      for (let index = 0; index < count; index += 1) expect(get(shard, `k${index}`)).toBe('v'.repeat(100));
      expect(set(shard, 'k6', 'a shorter value fits')).toBe(true);
    },
  );

  it('refuses what is larger than the limit without dropping anybody', () => {
    shard = createTestShard({ limitBytes: 2 ** 18 });
    for (let index = 0; index < 100; index += 1) set(shard, `k${index}`, '');
    expectNothingChanges(() => set(shard, 'large', Buffer.alloc(2 ** 18)));
    expectNothingChanges(() => resizeValue(shard, find(shard, 'k1'), 2 ** 18, START_MS) !== NONE);
    expect(shard.numbers[EVICTED_KEYS]).toBe(0);
  });
});

function expectNothingChanges(deed: () => boolean): void {
  const before = [
    shard.control[KEYS_LIVE],
    shard.numbers[EVICTED_KEYS],
    shard.numbers[LSN],
    usedBytes(shard),
  ];
  expect(deed()).toBe(false);
  expect([
    shard.control[KEYS_LIVE],
    shard.numbers[EVICTED_KEYS],
    shard.numbers[LSN],
    usedBytes(shard),
  ]).toEqual(before);
  expectWhole(shard);
}

describe('eviction, by whom it drops', () => {
  it.each([ALL_LFU, VOLATILE_LFU])('lfu keeps what is used often (policy %i)', (policy) => {
    shard = createTestShard({ policy, keysMax: 1000 });
    for (let index = 0; index < 50; index += 1) set(shard, `hot${index}`, '', { expiresAtMs: LATER_MS });
    for (let round = 0; round < 40; round += 1)
      for (let index = 0; index < 50; index += 1) get(shard, `hot${index}`);
    for (let index = 0; index < 10_000; index += 1) set(shard, `cold${index}`, '', { expiresAtMs: LATER_MS });
    expect(countPresent('hot', 50)).toBeGreaterThanOrEqual(49);
  });

  it('ttl drops the nearest deadline first while deadlines are near', () => {
    shard = createTestShard({ policy: VOLATILE_TTL, keysMax: 90 });
    for (let index = 0; index < 90; index += 1) {
      set(shard, `k${(index * 77) % 90}`, '', { expiresAtMs: START_MS + 20 + ((index * 77) % 90) * 10_000 });
    }
    for (let nearest = 0; nearest < 90; nearest += 1) {
      set(shard, `new${nearest}`, '');
      expect(find(shard, `k${nearest}`)).toBe(NONE);
      if (nearest < 89) expect(find(shard, `k${nearest + 1}`)).not.toBe(NONE);
    }
  });

  it('ttl drops near deadlines rather than far ones when they lie months ahead', () => {
    shard = createTestShard({ policy: VOLATILE_TTL, keysMax: 1000 });
    const day = 86_400_000;
    for (let index = 0; index < 1000; index += 1) {
      set(shard, `k${(index * 77) % 1000}`, '', { expiresAtMs: START_MS + ((index * 77) % 1000) * day });
    }
    for (let count = 0; count < 500; count += 1) set(shard, `new${count}`, '');
    expect(countPresent('k', 500)).toBeLessThan(10);
  });

  it.each(VOLATILE)('%s never drops a hash that does not expire, whatever its fields do', (name) => {
    shard = createTestShard({ policy: policyNumber(name), keysMax: 210 });
    for (let index = 0; index < 100; index += 1) {
      setDeadlines(shard, putHash(shard, `hash${index}`, manyPairs(2)), ['field 0'], START_MS + 5 + index);
    }
    for (let index = 0; index < 110; index += 1)
      set(shard, `k${index}`, '', { expiresAtMs: LATER_MS + index });
    for (let index = 0; index < 110; index += 1) expect(set(shard, `new${index}`, '')).toBe(true);
    expect(set(shard, 'one more', '')).toBe(false);
    expect(countPresent('hash', 100)).toBe(100);
    expect(countPresent('k', 110)).toBe(0);
  });

  it('ttl drops the nearest deadline of keys, behind hashes of which fields are due before', () => {
    shard = createTestShard({ policy: VOLATILE_TTL, keysMax: 20 });
    for (let index = 0; index < 10; index += 1)
      setDeadlines(shard, putHash(shard, `hash${index}`, manyPairs(2)), ['field 0'], START_MS + 5);
    for (let index = 0; index < 10; index += 1)
      set(shard, `k${index}`, '', { expiresAtMs: START_MS + 20 + (10 - index) * 10_000 });
    for (let nearest = 9; nearest >= 0; nearest -= 1) {
      set(shard, `new${nearest}`, '');
      expect(find(shard, `k${nearest}`)).toBe(NONE);
      if (nearest > 0) expect(find(shard, `k${nearest - 1}`)).not.toBe(NONE);
    }
  });

  it.each(['allkeys-random', 'volatile-random'])('%s drops young and old alike', (name) => {
    shard = createTestShard({ policy: policyNumber(name), keysMax: 1000 });
    for (let index = 0; index < 1000; index += 1) set(shard, `k${index}`, '', { expiresAtMs: LATER_MS });
    for (let index = 0; index < 500; index += 1) set(shard, `new${index}`, '');
    const old = countPresent('k', 500);
    expect(old).toBeGreaterThan(200);
    expect(old).toBeLessThan(420);
  });

  it.each(EVICTING)('%s never drops the entry that is being changed or copied', (name) => {
    for (let keys = 1; keys <= 4; keys += 1) {
      shard = createTestShard({ policy: policyNumber(name), limitBytes: 2 ** 15 });
      for (let index = 0; index < keys; index += 1)
        set(shard, `k${index}`, 'v'.repeat(4500), { expiresAtMs: LATER_MS });
      const ref = resizeValue(shard, find(shard, 'k0'), 11_000, START_MS);
      expect(ref).not.toBe(NONE);
      writeValue(shard, ref, 4500, Buffer.alloc(6500, 'w'), 0, 6500);
      expect(valueText(shard, ref)).toBe('v'.repeat(4500) + 'w'.repeat(6500));
      const key = Buffer.from('copy');
      const copy = putCopy(shard, 0, key, 0, 4, shard, find(shard, 'k0'), LATER_MS, START_MS);
      if (copy !== NONE) expect(valueText(shard, copy)).toBe('v'.repeat(4500) + 'w'.repeat(6500));
      expect(find(shard, 'k0')).not.toBe(NONE);
      expectWhole(shard);
    }
  });

  it('takes what a flush left before it drops anybody, whatever the policy', () => {
    for (const policy of [ALL_LRU, NO_EVICTION, VOLATILE_TTL]) {
      shard = createTestShard({ policy, limitBytes: 2 ** 17 });
      for (
        let index = 0;
        set(shard, `old${index}`, Buffer.alloc(200), { database: 1 }) && index < 400;
        index += 1
      );
      flushDatabase(shard, 1);
      const evicted = shard.numbers[EVICTED_KEYS];
      for (let index = 0; index < 300; index += 1)
        expect(set(shard, `new${index}`, Buffer.alloc(200))).toBe(true);
      expect(shard.numbers[EVICTED_KEYS]).toBe(evicted);
      expectWhole(shard);
    }
  });
});
