/** Changes of policy to S3-FIFO and away from it: nobody is lost, and everybody who may go is found meanwhile. */
import fc from 'fast-check';
import { afterEach, describe, expect, it } from 'vitest';
import { flushDatabase, keyCount } from '../../src/shard/databases.ts';
import { ghostCells } from '../../src/shard/ghosts.ts';
import { keepHouse } from '../../src/shard/housekeeping.ts';
import {
  HEAD_ALL,
  HEAD_SMALL,
  HEAD_VOLATILE,
  KEYS_LIVE,
  KEYS_MAX,
  NONE,
  SMALL_KEYS,
} from '../../src/shard/layout.ts';
import { removeEntry, setExpiry } from '../../src/shard/lifecycle.ts';
import { changePolicy, isMigrating, migrateRecency } from '../../src/shard/migration.ts';
import {
  ALL_LRU,
  ALL_S3FIFO,
  NO_EVICTION,
  POLICY_NAMES,
  policyNumber,
  VOLATILE_LRU,
  VOLATILE_TTL,
} from '../../src/shard/policy.ts';
import { newerThan, oldestOf, touchEntry } from '../../src/shard/recency.ts';
import type { Shard } from '../../src/shard/shard.ts';
import { createTestShard, expectWhole, find, get, keyText, START_MS, set } from '../support/shard.ts';

const LATER_MS = START_MS + 3_600_000;

let shard: Shard;
afterEach(() => expectWhole(shard));

/** Keys of a list, oldest first. */
function order(head: number): string[] {
  const keys: string[] = [];
  for (let ref = oldestOf(shard.entries, head); ref !== head; ref = newerThan(shard.entries, ref))
    keys.push(keyText(shard, ref));
  return keys;
}

function present(keys: readonly string[]): string[] {
  return keys.filter((key) => find(shard, key) !== NONE);
}

describe('a change of policy with S3-FIFO', () => {
  it('takes what is there for the main queue, in its order', () => {
    shard = createTestShard();
    for (const key of 'abcd') set(shard, key, '');
    get(shard, 'b');
    changePolicy(shard, ALL_S3FIFO);
    set(shard, 'e', '');
    expect(order(HEAD_ALL)).toEqual(['a', 'c', 'd', 'b']);
    expect(order(HEAD_SMALL)).toEqual(['e']);
    expect(isMigrating(shard)).toBe(false);
  });

  it.each([1, 2, 100])('away from it lists the small queue behind the main one, in slices of %i', (slice) => {
    shard = createTestShard({ policy: ALL_S3FIFO, keysMax: 6 });
    for (const key of 'abcdef') set(shard, key, '');
    for (const key of 'abc') get(shard, key);
    set(shard, 'g', '');
    expect([order(HEAD_ALL), order(HEAD_SMALL)]).toEqual([
      ['a', 'b', 'c'],
      ['e', 'f', 'g'],
    ]);
    changePolicy(shard, ALL_LRU);
    get(shard, 'f');
    expectWhole(shard);
    while (migrateRecency(shard, slice)) expectWhole(shard);
    expect(order(HEAD_ALL)).toEqual(['e', 'g', 'a', 'b', 'c', 'f']);
    expect(shard.control[SMALL_KEYS]).toBe(0);
    expect(ghostCells(shard)).toBe(0);
  });

  it('to volatile puts those of the small queue that expire where it looks, before it evicts', () => {
    for (const policy of [VOLATILE_LRU, VOLATILE_TTL]) {
      shard = createTestShard({ policy: ALL_S3FIFO });
      for (const key of 'abcdef') set(shard, key, '', { expiresAtMs: key > 'c' ? LATER_MS : 0 });
      changePolicy(shard, policy);
      shard.control[KEYS_MAX] = 6;
      for (const key of 'ghi') expect(set(shard, key, '')).toBe(true);
      expect(set(shard, 'j', '')).toBe(false);
      expect(present([...'abcdefghi'])).toEqual([...'abcghi']);
      while (migrateRecency(shard, 1));
      expect(order(HEAD_VOLATILE)).toEqual([]);
      expectWhole(shard);
    }
  });

  it.each(POLICY_NAMES)('from %s, or back to it, finds all that may go before anything has moved', (name) => {
    const other = policyNumber(name);
    if (other === NO_EVICTION) return;
    for (const [from, to] of [
      [other, ALL_S3FIFO],
      [ALL_S3FIFO, other],
    ]) {
      shard = createTestShard({ policy: from, keysMax: 6 });
      for (const key of 'abcdef') set(shard, key, '', { expiresAtMs: LATER_MS });
      get(shard, 'c');
      changePolicy(shard, to);
      for (const key of 'ghijkl') expect(set(shard, key, '', { expiresAtMs: LATER_MS })).toBe(true);
      expect(shard.control[KEYS_LIVE]).toBe(6);
      expectWhole(shard);
    }
  });

  it('to volatile lists an entry whose deadline comes or goes before it was moved', () => {
    shard = createTestShard({ policy: ALL_S3FIFO });
    for (const key of 'abcd') set(shard, key, '', { expiresAtMs: key < 'c' ? LATER_MS : 0 });
    changePolicy(shard, VOLATILE_LRU);
    setExpiry(shard, find(shard, 'c'), LATER_MS);
    setExpiry(shard, find(shard, 'a'), 0);
    expectWhole(shard);
    expect([HEAD_ALL, HEAD_VOLATILE, HEAD_SMALL].map(order)).toEqual([['a'], ['c'], ['b', 'd']]);
    while (migrateRecency(shard, 1)) expectWhole(shard);
    expect([HEAD_ALL, HEAD_VOLATILE, HEAD_SMALL].map(order)).toEqual([['d', 'a'], ['b', 'c'], []]);
  });

  it('is whole after every step of random programs with changes among all policies', () => {
    const key = fc.integer({ min: 0, max: 30 }).map((number) => `k${number}`);
    const step = fc.oneof(
      {
        weight: 4,
        arbitrary: fc.record({ kind: fc.constant('set'), key, length: fc.nat(300), ttl: fc.boolean() }),
      },
      { weight: 4, arbitrary: fc.record({ kind: fc.constant('get'), key }) },
      { weight: 1, arbitrary: fc.record({ kind: fc.constant('delete'), key }) },
      { weight: 1, arbitrary: fc.record({ kind: fc.constant('expire'), key, ttl: fc.boolean() }) },
      {
        weight: 1,
        arbitrary: fc.record({ kind: fc.constant('policy'), policy: fc.nat(POLICY_NAMES.length - 1) }),
      },
      { weight: 2, arbitrary: fc.record({ kind: fc.constant('policy'), policy: fc.constant(ALL_S3FIFO) }) },
      {
        weight: 2,
        arbitrary: fc.record({ kind: fc.constant('migrate'), entries: fc.integer({ min: 1, max: 3 }) }),
      },
      { weight: 1, arbitrary: fc.record({ kind: fc.constant('flush') }) },
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 80 }), (steps) => {
        shard = createTestShard({ policy: ALL_S3FIFO, keysMax: 20, limitBytes: 2 ** 15 });
        const read = (one: object, name: string): never => (one as Record<string, never>)[name];
        for (const one of steps) {
          const ref = 'key' in one ? find(shard, one.key) : NONE;
          const expiresAtMs = 'ttl' in one && one.ttl ? LATER_MS : 0;
          if (one.kind === 'set')
            set(shard, read(one, 'key'), 'v'.repeat(read(one, 'length')), { expiresAtMs });
          else if (one.kind === 'policy') changePolicy(shard, read(one, 'policy'));
          else if (one.kind === 'migrate') migrateRecency(shard, read(one, 'entries'));
          else if (one.kind === 'flush') flushDatabase(shard, 0);
          else if (ref === NONE) continue;
          else if (one.kind === 'get') touchEntry(shard, ref, START_MS);
          else if (one.kind === 'delete') removeEntry(shard, ref);
          else setExpiry(shard, ref, expiresAtMs);
          expectWhole(shard);
        }
        changePolicy(shard, ALL_LRU);
        while (keepHouse(shard, START_MS, false));
        expect(order(HEAD_SMALL)).toEqual([]);
        expect(order(HEAD_ALL).length + order(HEAD_VOLATILE).length).toBe(keyCount(shard, 0));
      }),
      { numRuns: 100 },
    );
  });
});
