/** The shard's lock between real threads: nothing is lost, nobody spins for ever, and a dead holder's lock is freed. */
import { Buffer } from 'node:buffer';
import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { describe, expect, it, vi } from 'vitest';
import { systemClock } from '../../src/base/clock.ts';
import { ShardBusyError } from '../../src/base/errors.ts';
import { HOLD_COUNT, HOLD_MAX_NS, LOCK, LOCK_CONTENTIONS, LOCK_WAITED_NS } from '../../src/shard/layout.ts';
import {
  acquireShard,
  acquireShards,
  holderOf,
  releaseShard,
  seizeShard,
  tryAcquireShard,
} from '../../src/shard/lock.ts';
import { recoverAfterDeath } from '../../src/shard/recover.ts';
import {
  createShardBuffers,
  formatShard,
  openShard,
  type Shard,
  type ShardBuffers,
} from '../../src/shard/shard.ts';
import { addOne, readNumber } from '../support/lock-deeds.ts';
import type { LockErrand } from '../support/lock-worker.ts';
import { createTestShard, expectWhole, START_MS } from '../support/shard.ts';

const ENTRY = new URL('../support/lock-worker.ts', import.meta.url);
const MAIN = 1;
const FIRST = 2;
const SECOND = 3;
const PATIENCE = { timeout: 20_000, interval: 5 };
const KEY = Buffer.from('total');
/** The bit of the lock's word that says that somebody sleeps on it. */
const SLEEPERS = 2 ** 30;

type World = { readonly buffers: ShardBuffers; readonly shard: Shard; readonly witness: Int32Array };

function createWorld(): World {
  const limits = { capacityBytes: 2 ** 20, limitBytes: 2 ** 20, keysMax: 0, policy: 1, databases: 1 };
  const rest = {
    lfuLogFactor: 10,
    lfuDecayMinutes: 1,
    holdSampling: 4,
    hashKey: [5, 6] as const,
    seed: 5,
    nowMs: START_MS,
  };
  const buffers = createShardBuffers({ ...limits, ...rest });
  const shard = openShard(buffers, 0, MAIN, systemClock);
  formatShard(shard, START_MS);
  return { buffers, shard, witness: new Int32Array(new SharedArrayBuffer(12)) };
}

function startThread(world: World, threadId: number, additions: number, staysInside = false): Worker {
  const errand: LockErrand = {
    buffers: world.buffers,
    threadId,
    witness: world.witness,
    additions,
    staysInside,
  };
  return new Worker(ENTRY, { workerData: errand });
}

describe('lock', () => {
  it('lets two threads and this one add to one key without losing one addition', async () => {
    const world = createWorld();
    const { shard, witness } = world;
    const threads = [startThread(world, FIRST, 30_000), startThread(world, SECOND, 30_000)];
    await Promise.all(threads.map((thread) => once(thread, 'online')));
    for (let count = 0; count < 10_000; count += 1) {
      acquireShard(shard);
      addOne(shard, KEY);
      releaseShard(shard);
    }
    await Promise.all(threads.map((thread) => once(thread, 'exit')));
    expect(readNumber(shard, KEY)).toBe(70_000);
    expect(witness[1]).toBe(0);
    expect(shard.control[LOCK]).toBe(0);
    expect(shard.numbers[HOLD_COUNT]).toBeGreaterThan(1000);
    expect(shard.numbers[HOLD_MAX_NS]).toBeGreaterThan(0);
    expectWhole(shard);
  });

  it('of a thread that died inside is waited for asleep, and is free once it was seized', async () => {
    const world = createWorld();
    const { shard } = world;
    const holder = startThread(world, FIRST, 10, true);
    await vi.waitFor(
      () => expect(readNumber(shard, KEY) === 10 && holderOf(shard) === FIRST).toBe(true),
      PATIENCE,
    );
    await holder.terminate();
    expect(holderOf(shard)).toBe(FIRST);
    const waiter = startThread(world, SECOND, 10);
    const ended = once(waiter, 'exit');
    await vi.waitFor(() => expect(Atomics.load(shard.control, LOCK)).toBe(SLEEPERS + FIRST), PATIENCE);
    expect(recoverAfterDeath([shard], SECOND, START_MS)).toEqual([]);
    expect(recoverAfterDeath([shard], FIRST, START_MS)).toHaveLength(1);
    await ended;
    expect(readNumber(shard, KEY)).toBe(20);
    expect(holderOf(shard)).toBe(0);
    expectWhole(shard);
  });

  it('waits asleep, not spinning', () => {
    const { shard } = createWorld();
    acquireShard({ ...shard, threadId: FIRST });
    const before = process.threadCpuUsage();
    const startedMs = systemClock.monotonicMs();
    expect(tryAcquireShard(shard, 300)).toBe(false);
    const { user, system } = process.threadCpuUsage(before);
    expect((user + system) / 1000).toBeLessThan(150);
    expect(systemClock.monotonicMs() - startedMs).toBeGreaterThan(250);
    expect(holderOf(shard)).toBe(FIRST);
    expectWhole(shard);
  });

  it('tells a thread since when it has waited, once it goes to sleep for it', () => {
    const { shard } = createWorld();
    acquireShard(shard);
    releaseShard(shard);
    expect(shard.delays.sinceMs).toBe(0);
    Atomics.store(shard.control, LOCK, SECOND);
    const beforeMs = systemClock.monotonicMs();
    expect(tryAcquireShard(shard, 1)).toBe(false);
    const { sinceMs } = shard.delays;
    expect(sinceMs).toBeGreaterThanOrEqual(beforeMs);
    expect(tryAcquireShard(shard, 1)).toBe(false);
    expect(shard.delays.sinceMs).toBe(sinceMs);
  });

  it('is tried for a bounded time, also while others pass it among themselves', async () => {
    const world = createWorld();
    const { shard } = world;
    const threads = [startThread(world, FIRST, 20_000), startThread(world, SECOND, 20_000)];
    await Promise.all(threads.map((thread) => once(thread, 'online')));
    for (let tries = 0; tries < 50; tries += 1) {
      const startedMs = systemClock.monotonicMs();
      if (tryAcquireShard(shard, 5)) releaseShard(shard);
      expect(systemClock.monotonicMs() - startedMs).toBeLessThan(1000);
    }
    await Promise.all(threads.map((thread) => once(thread, 'exit')));
    expect(readNumber(shard, KEY)).toBe(40_000);
    expectWhole(shard);
  });

  it('is seized also when a waiter sets its bit just before', () => {
    const shard = createTestShard();
    acquireShard({ ...shard, threadId: FIRST });
    const original = Atomics.compareExchange;
    let isFirst = true;
    const waiter = vi.spyOn(Atomics, 'compareExchange').mockImplementation(((
      control: Int32Array,
      at: number,
      from: number,
      to: number,
    ) => {
      if (isFirst) Atomics.or(control, at, 1 << 30);
      isFirst = false;
      return original(control, at, from, to);
    }) as typeof Atomics.compareExchange);
    try {
      expect(seizeShard(shard, FIRST)).toBe(true);
    } finally {
      waiter.mockRestore();
    }
    expect(holderOf(shard)).toBe(shard.threadId);
    releaseShard(shard);
    expectWhole(shard);
  });

  it('is seized from the one that is known to be dead, and from nobody else', () => {
    const shard = createTestShard();
    expect(seizeShard(shard, FIRST)).toBe(false);
    acquireShard({ ...shard, threadId: FIRST });
    expect(seizeShard(shard, SECOND)).toBe(false);
    expect(seizeShard(shard, FIRST)).toBe(true);
    expect(holderOf(shard)).toBe(shard.threadId);
    releaseShard(shard);
    expect(holderOf(shard)).toBe(0);
    expect(tryAcquireShard(shard, 0)).toBe(true);
    releaseShard(shard);
    expect(shard.numbers[LOCK_CONTENTIONS]).toBe(0);
    expect(shard.numbers[LOCK_WAITED_NS]).toBe(0);
    expectWhole(shard);
  });

  it('main gives up after its bound, and takes of several shards all or none', () => {
    const shards = [0, 1, 2].map((index) => ({
      ...createTestShard(),
      index,
      clock: systemClock,
      lockWaitMs: 2,
    }));
    const locks = () => shards.map((shard) => holderOf(shard));
    acquireShards(shards);
    expect(locks()).toEqual(shards.map(({ threadId }) => threadId));
    for (const shard of shards) releaseShard(shard);
    for (const [index, shard] of shards.entries()) {
      acquireShard({ ...shard, threadId: SECOND });
      const held = locks();
      expect(() => acquireShards(shards)).toThrow(new ShardBusyError(index));
      expect(locks()).toEqual(held);
      releaseShard({ ...shard, threadId: SECOND });
    }
  });

  it('counts a wait and its time once the waiter has the lock, and nothing of a wait given up', () => {
    const shard = createTestShard();
    const times = [5, 5.75, 8, 8.5];
    const monotonicMs = () => {
      // Whoever looks at the clock finds the lock free right after.
      releaseShard(shard);
      return times.shift() ?? 0;
    };
    for (const waits of [1, 2]) {
      acquireShard({ ...shard, threadId: FIRST });
      const clock = { ...shard.clock, monotonicMs };
      acquireShard({ ...shard, threadId: SECOND, holdCountdown: 9, clock });
      expect(shard.numbers[LOCK_CONTENTIONS]).toBe(waits);
    }
    expect(shard.numbers[LOCK_WAITED_NS]).toBe(1_250_000);
    releaseShard(shard);
    acquireShard({ ...shard, threadId: FIRST });
    expect(tryAcquireShard({ ...shard, clock: systemClock }, 1)).toBe(false);
    expect([shard.numbers[LOCK_CONTENTIONS], shard.numbers[LOCK_WAITED_NS]]).toEqual([2, 1_250_000]);
    releaseShard(shard);
    expectWhole(shard);
  });
});
