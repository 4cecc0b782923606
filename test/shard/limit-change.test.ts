/** Tests of limits that change while a shard is in use: lowered in slices, with room for writes in between. */
import { describe, expect, it } from 'vitest';
import { usedBytes } from '../../src/shard/eviction.ts';
import { EVICTED_KEYS, KEYS_LIVE, KEYS_MAX, LIMIT_BYTES } from '../../src/shard/layout.ts';
import { approachLimits } from '../../src/shard/limit-change.ts';
import { ALL_LRU, NO_EVICTION } from '../../src/shard/policy.ts';
import { createTestShard, expectWhole, find, START_MS, set } from '../support/shard.ts';

const LOW_BYTES = 64 * 1024;
const SLICE = 100;

function filledShard(policy: number, keys = 5000) {
  const shard = createTestShard({ policy });
  for (let index = 0; index < keys; index += 1) expect(set(shard, `key:${index}`, 'v'.repeat(64))).toBe(true);
  return shard;
}

describe('a change of limits', () => {
  it('that raises them holds at once', () => {
    const shard = filledShard(ALL_LRU);
    expect(approachLimits(shard, 2 ** 23, 9000, START_MS, SLICE)).toBe(false);
    expect(shard.numbers[LIMIT_BYTES]).toBe(2 ** 23);
    expect(shard.control[KEYS_MAX]).toBe(9000);
    expect(shard.control[KEYS_LIVE]).toBe(5000);
  });

  it('that lowers the memory evicts a slice at a time, oldest first, until it fits', () => {
    const shard = filledShard(ALL_LRU);
    let slices = 1;
    while (approachLimits(shard, LOW_BYTES, 0, START_MS, SLICE)) {
      expect(shard.control[KEYS_LIVE]).toBe(5000 - slices * SLICE);
      expect(shard.numbers[LIMIT_BYTES]).toBe(usedBytes(shard));
      slices += 1;
    }
    expect(slices).toBeGreaterThan(10);
    expect(shard.numbers[LIMIT_BYTES]).toBe(LOW_BYTES);
    expect(usedBytes(shard)).toBeLessThanOrEqual(LOW_BYTES);
    expect(find(shard, 'key:0')).toBe(0);
    expect(find(shard, 'key:4999')).not.toBe(0);
    expectWhole(shard);
  });

  it('leaves writes between its slices no more to evict than what they add', () => {
    const shard = filledShard(ALL_LRU);
    expect(approachLimits(shard, LOW_BYTES, 1000, START_MS, SLICE)).toBe(true);
    const evicted = shard.numbers[EVICTED_KEYS];
    expect(set(shard, 'another', 'v'.repeat(64))).toBe(true);
    expect(shard.numbers[EVICTED_KEYS] - evicted).toBeLessThanOrEqual(3);
    expectWhole(shard);
  });

  it('that lowers the number of keys follows the keys down', () => {
    const shard = filledShard(ALL_LRU, 1000);
    while (approachLimits(shard, 2 ** 22, 250, START_MS, SLICE)) {
      expect(shard.control[KEYS_MAX]).toBe(shard.control[KEYS_LIVE]);
    }
    expect(shard.control[KEYS_LIVE]).toBe(250);
    expect(shard.control[KEYS_MAX]).toBe(250);
    expectWhole(shard);
  });

  it('holds at once where nothing may be evicted: writes are refused from then on', () => {
    const shard = filledShard(NO_EVICTION);
    expect(approachLimits(shard, LOW_BYTES, 10, START_MS, SLICE)).toBe(false);
    expect(shard.numbers[LIMIT_BYTES]).toBe(LOW_BYTES);
    expect(shard.control[KEYS_LIVE]).toBe(5000);
    expect(set(shard, 'another', 'value')).toBe(false);
    expectWhole(shard);
  });
});
