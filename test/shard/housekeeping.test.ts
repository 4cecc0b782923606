/** What a shard's owner does between turns: flushes drained, deadlines kept, policies changed, a slice at a time. */
import { afterEach, describe, expect, it } from 'vitest';
import {
  drainDoomed,
  expiringCount,
  flushDatabase,
  keyCount,
  swapDatabases,
} from '../../src/shard/databases.ts';
import { usedBytes } from '../../src/shard/eviction.ts';
import { expireDue, keepHouse } from '../../src/shard/housekeeping.ts';
import { KEYS_DOOMED, KEYS_LIVE, LOCK, MIGRATION_CURSOR, NONE, TABLES } from '../../src/shard/layout.ts';
import { changePolicy } from '../../src/shard/migration.ts';
import { VOLATILE_LRU } from '../../src/shard/policy.ts';
import type { Shard } from '../../src/shard/shard.ts';
import { createTestShard, expectWhole, find, get, START_MS, set } from '../support/shard.ts';

let shard: Shard;
afterEach(() => expectWhole(shard));

function fill(database: number, count: number, expiresAtMs = 0): void {
  for (let index = 0; index < count; index += 1)
    set(shard, `k${index}`, `${index}`, { database, expiresAtMs });
}

describe('housekeeping', () => {
  it('does every duty in slices, frees the lock behind each, and says when it is done', () => {
    shard = createTestShard();
    fill(0, 1000, START_MS + 100);
    fill(1, 1000);
    fill(2, 1000, START_MS + 10 ** 9);
    flushDatabase(shard, 1);
    changePolicy(shard, VOLATILE_LRU);
    let slices = 1;
    for (; keepHouse(shard, START_MS + 1000, true); slices += 1) {
      expect(shard.control[LOCK]).toBe(0);
      expectWhole(shard);
    }
    expect(slices).toBeGreaterThanOrEqual(4);
    expect(slices).toBeLessThan(20);
    expect([keyCount(shard, 0), keyCount(shard, 1), keyCount(shard, 2)]).toEqual([0, 0, 1000]);
    expect([shard.control[KEYS_DOOMED], shard.control[MIGRATION_CURSOR]]).toEqual([0, NONE]);
    expect(keepHouse(shard, START_MS + 1000, true)).toBe(false);
  });

  it('leaves what is due alone when active expiry is off', () => {
    shard = createTestShard();
    fill(0, 10, START_MS + 100);
    expect(keepHouse(shard, START_MS + 1000, false)).toBe(false);
    expect(keyCount(shard, 0)).toBe(10);
  });

  it.each([1, 2, 7, 1000])('drains a flushed database in slices of %i while the new one is used', (slice) => {
    shard = createTestShard();
    fill(0, 500, START_MS + 10 ** 7);
    flushDatabase(shard, 0);
    expect([keyCount(shard, 0), expiringCount(shard, 0)]).toEqual([0, 0]);
    expect(find(shard, 'k1')).toBe(NONE);
    let turn = 0;
    for (; drainDoomed(shard, slice); turn += 1) {
      set(shard, `k${turn}`, 'new');
      if (turn % 50 === 0) expectWhole(shard);
    }
    expect(keyCount(shard, 0)).toBe(turn);
    expect(shard.control[KEYS_LIVE]).toBe(turn);
    if (turn > 3) expect(get(shard, 'k3')).toBe('new');
  });

  it('takes more flushes than it has tables, each with keys', () => {
    shard = createTestShard({ databases: 2 });
    for (let round = 0; round < shard.control[TABLES] * 5; round += 1) {
      fill(round % 2, 600);
      flushDatabase(shard, round % 2);
      expect(keyCount(shard, round % 2)).toBe(0);
      expectWhole(shard);
    }
    while (drainDoomed(shard, 100));
    expect(usedBytes(shard)).toBeLessThan(20_000);
  });

  it('takes more flushes than it has tables when the flushed keys expire before they are drained', () => {
    shard = createTestShard({ databases: 2 });
    for (let round = 0; round < shard.control[TABLES] * 5; round += 1) {
      const nowMs = START_MS + round * 1000;
      fill(round % 2, 30, nowMs + 100);
      flushDatabase(shard, round % 2);
      while (expireDue(shard, nowMs + 500, 100));
      expect(shard.control[KEYS_DOOMED]).toBe(0);
      expectWhole(shard);
    }
  });

  it('a swap exchanges two databases, also while one of them drains', () => {
    shard = createTestShard();
    fill(0, 100);
    fill(1, 5);
    swapDatabases(shard, 0, 1);
    expect([keyCount(shard, 0), keyCount(shard, 1)]).toEqual([5, 100]);
    flushDatabase(shard, 1);
    swapDatabases(shard, 1, 0);
    expect([keyCount(shard, 0), keyCount(shard, 1)]).toEqual([0, 5]);
    swapDatabases(shard, 1, 1);
    while (drainDoomed(shard, 10));
    expect([keyCount(shard, 0), keyCount(shard, 1)]).toEqual([0, 5]);
    expect(get(shard, 'k4', { database: 1 })).toBe('4');
  });
});
