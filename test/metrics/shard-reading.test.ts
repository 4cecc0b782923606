/** Tests of the reading of a shard, against what was done to the shard. */
import { describe, expect, it } from 'vitest';
import type { HistogramReading } from '../../src/metrics/histogram.ts';
import { readShard, resetShardTotals } from '../../src/metrics/shard-reading.ts';
import { flushDatabase } from '../../src/shard/databases.ts';
import { evictOne, usedBytes } from '../../src/shard/eviction.ts';
import { EXPIRY_LAG_MS_MAX, LOCK_CONTENTIONS, LOCK_WAITED_NS } from '../../src/shard/layout.ts';
import { removeEntry } from '../../src/shard/lifecycle.ts';
import { acquireShard, releaseShard } from '../../src/shard/lock.ts';
import { openShard } from '../../src/shard/shard.ts';
import { createTestShard, find, START_MS, set } from '../support/shard.ts';

/** A shard whose every lock hold is timed, by a clock that `hold` moves. */
function timedShard() {
  const clock = { nowMs: 0, wallMs: () => START_MS, monotonicMs: () => clock.nowMs };
  const shard = createTestShard({ holdSampling: 1 });
  const timed = { ...shard, clock };
  const hold = (ns: number) => {
    acquireShard(timed);
    clock.nowMs += ns / 1e6;
    releaseShard(timed);
  };
  return { shard: timed, hold };
}

/** A histogram that has these bounds, and counted nothing. */
function emptied({ below }: HistogramReading): HistogramReading {
  const none = { count: 0, sum: 0, max: 0, p50: 0, p99: 0, p999: 0 };
  return { ...none, below: below.map(({ bound }) => ({ bound, count: 0 })) };
}

describe('the reading of a shard', () => {
  it('of a fresh one is all zero but for its limit', () => {
    const reading = readShard(createTestShard());
    expect(reading).toMatchObject({
      keys: 0,
      expiring: 0,
      doomed: 0,
      evictedKeys: 0,
      changes: 0,
      repairs: 0,
    });
    expect(reading.limitBytes).toBe(4 * 2 ** 20);
    expect(reading.databases).toHaveLength(16);
    expect(reading.lockHoldNs).toMatchObject({ count: 0, sum: 0, max: 0, p50: 0, p999: 0 });
    expect(reading.evictedIdleSeconds).toMatchObject({ count: 0, sum: 0, max: 0, p50: 0, p999: 0 });
    expect(reading.fragmentation).toBeGreaterThanOrEqual(1);
  });

  it('counts keys, deadlines, evictions, expiries and changes, by database too', () => {
    const shard = createTestShard();
    set(shard, 'a', '1');
    set(shard, 'b', '2', { expiresAtMs: START_MS + 10 });
    set(shard, 'c', '3', { database: 3, expiresAtMs: START_MS + 1000 });
    expect(readShard(shard)).toMatchObject({ keys: 3, expiring: 2, changes: 3 });
    find(shard, 'b', { nowMs: START_MS + 20 });
    evictOne(shard, START_MS);
    const reading = readShard(shard);
    expect(reading).toMatchObject({ keys: 1, expiring: 1, expiredKeys: 1, evictedKeys: 1, changes: 5 });
    expect(reading.databases[0]).toEqual({ keys: 0, expiring: 0 });
    expect(reading.databases[3]).toEqual({ keys: 1, expiring: 1 });
  });

  it('counts the keys of a flushed database as doomed, no longer as keys', () => {
    const shard = createTestShard();
    for (let index = 0; index < 10; index += 1) set(shard, `key:${index}`, 'value');
    flushDatabase(shard, 0);
    expect(readShard(shard)).toMatchObject({ keys: 0, doomed: 10 });
  });

  it('tells the arenas up to their last used block, and the holes before it', () => {
    const shard = createTestShard();
    set(shard, 'low', 'v'.repeat(8000));
    set(shard, 'high', 'value');
    const full = readShard(shard);
    expect(full.usedBytes).toBe(usedBytes(shard));
    expect(full.indexBytes).toBeGreaterThan(0);
    expect(full.usedBytes - full.indexBytes).toBeGreaterThan(8000);
    expect(full.arenaBytes).toBe(full.usedBytes + full.freeBlocksBytes);
    expect(full.fragmentation).toBe(full.arenaBytes / full.usedBytes);
    removeEntry(shard, find(shard, 'low'));
    const holed = readShard(shard);
    expect(holed.arenaBytes).toBe(full.arenaBytes);
    expect(holed.fragmentation).toBeGreaterThan(full.fragmentation);
    expect(holed.freeBlocksBytes - full.freeBlocksBytes).toBeGreaterThan(8000);
    removeEntry(shard, find(shard, 'high'));
    expect(readShard(shard).arenaBytes).toBeLessThan(8000 + full.indexBytes);
  });

  it('tells lock holds by powers of two, each bound included', () => {
    const { shard, hold } = timedShard();
    for (const ns of [64, 64, 65, 256, 257, 4096]) hold(ns);
    const { lockHoldNs } = readShard(shard);
    expect(lockHoldNs.count).toBe(6);
    expect(lockHoldNs.sum).toBeCloseTo(64 + 64 + 65 + 256 + 257 + 4096, 3);
    expect(lockHoldNs.max).toBeCloseTo(4096, 3);
    expect(lockHoldNs.below.slice(0, 4)).toEqual([
      { bound: 64, count: 2 },
      { bound: 256, count: 4 },
      { bound: 1024, count: 5 },
      { bound: 4096, count: 6 },
    ]);
    expect(lockHoldNs.below.at(-1)).toEqual({ bound: 2 ** 32, count: 6 });
    expect(lockHoldNs.p50).toBe(128);
    expect(lockHoldNs.p999).toBeCloseTo(4096, 3);
  });

  it('tells for how long what was evicted had lain unused', () => {
    const shard = createTestShard({ keysMax: 4 });
    const idleSeconds = [100_000, 300, 4, 3];
    const nowMs = START_MS + 200_000_000;
    idleSeconds.forEach((idle, at) => {
      set(shard, `old:${at}`, '', { nowMs: nowMs - idle * 1000 });
    });
    for (let index = 0; index < 5; index += 1) set(shard, `new:${index}`, '', { nowMs });
    const { evictedKeys, evictedIdleSeconds, evictedIdleSecondsLast } = readShard(shard);
    expect(evictedKeys).toBe(5);
    expect(evictedIdleSeconds).toMatchObject({ count: 5, sum: 100_307, max: 100_000, p50: 8 });
    expect(evictedIdleSecondsLast).toBe(0);
    const below = (seconds: number) => evictedIdleSeconds.below.find(({ bound }) => bound === seconds)?.count;
    expect([1, 4, 16, 256, 1024, 65_536, 262_144].map(below)).toEqual([1, 2, 3, 3, 4, 4, 5]);
  });

  it('can be taken on a thread that has its own views', () => {
    const shard = createTestShard();
    set(shard, 'a', '1');
    const buffers = {
      numbers: shard.numbers.buffer as SharedArrayBuffer,
      control: shard.control.buffer as SharedArrayBuffer,
      entries: shard.entries.words.buffer as SharedArrayBuffer,
      groups: shard.groups.words.buffer as SharedArrayBuffer,
      journal: shard.journal.words.buffer as SharedArrayBuffer,
      ghosts: shard.ghosts.buffer as SharedArrayBuffer,
      slotKeys: shard.slotKeys?.buffer as SharedArrayBuffer,
      backlog: undefined,
    };
    expect(readShard(openShard(buffers, 0, 9, shard.clock))).toEqual(readShard(shard));
  });
});

describe('the reset of a shard', () => {
  it('zeroes what was counted and leaves what is', () => {
    const { shard, hold } = timedShard();
    set(shard, 'a', '1', { expiresAtMs: START_MS + 5000 });
    set(shard, 'b', '2', { expiresAtMs: START_MS + 10 });
    find(shard, 'b', { nowMs: START_MS + 20 });
    set(shard, 'c', '3');
    evictOne(shard, START_MS);
    hold(1000);
    shard.numbers[LOCK_CONTENTIONS] = 4;
    shard.numbers[LOCK_WAITED_NS] = 4;
    shard.numbers[EXPIRY_LAG_MS_MAX] = 4;
    const before = readShard(shard);
    resetShardTotals(shard);
    expect(readShard(shard)).toEqual({
      ...before,
      evictedKeys: 0,
      expiredKeys: 0,
      expiryLagMsMax: 0,
      lockWaits: 0,
      lockWaitNs: 0,
      lockHoldNs: emptied(before.lockHoldNs),
      evictedIdleSeconds: emptied(before.evictedIdleSeconds),
    });
  });
});
