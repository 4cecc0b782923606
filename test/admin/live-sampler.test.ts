/** Tests of the sampler over counters and shards in this thread, with a clock that is moved. */
import { describe, expect, test } from 'vitest';
import { createHistory, type LiveSample, latestSample } from '../../src/admin/history.ts';
import { createSampler, paceOfWorker, takeSample } from '../../src/admin/live-sampler.ts';
import { createHistogram, recordValue } from '../../src/metrics/histogram.ts';
import type { LogReading } from '../../src/metrics/log-reading.ts';
import {
  BYTES_IN,
  COMMAND_CALLS,
  COMMANDS,
  CONNECTIONS_OPEN,
  ERROR_REPLIES,
  KEYSPACE_HITS,
  SECTION_COUNTERS,
} from '../../src/metrics/names.ts';
import {
  EVICTED_IDLE_SECONDS_SUM,
  EVICTED_KEYS,
  EXPIRED_KEYS,
  EXPIRY_LAG_MS,
  LOCK_CONTENTIONS,
} from '../../src/shard/layout.ts';
import { createTestShard, set } from '../support/shard.ts';

const THREADS = 3;
const NAMES = ['get', 'set', 'ping'];
const WALL_MS = 1_700_000_000_000;

type Stream = { bytesWritten: number; syncs: number; syncMsLast: number; unsyncedBytes: number };

function createWorld() {
  const time = { wallMs: WALL_MS, monotonicMs: 0 };
  const usage = { rssBytes: 0, cpuMs: 0 };
  const counters = Array.from({ length: THREADS }, () => new Float64Array(SECTION_COUNTERS));
  const timings = counters.map(() => ({
    latencyNs: createHistogram(),
    turnNs: createHistogram(),
    loopDelayNs: createHistogram(),
  }));
  const shards = [createTestShard(), createTestShard()];
  const streams: Stream[] = [0, 1].map(() => ({
    bytesWritten: 0,
    syncs: 0,
    syncMsLast: 0,
    unsyncedBytes: 0,
  }));
  counters[1][COMMANDS] = 1_000_000;
  shards[0].numbers[EXPIRED_KEYS] = 1_000_000;
  recordValue(timings[1].latencyNs, 1e9);
  const history = createHistory(NAMES);
  const now = () => ({ ...time });
  const sampler = createSampler(
    {
      clock: { wallMs: () => time.wallMs, monotonicMs: () => time.monotonicMs },
      ...{ counters, timings, shards },
      logReading: () => streams.map((stream) => ({ ...stream })) as unknown as LogReading,
      usage: () => ({ ...usage }),
    },
    history,
  );
  /** A sample after so many ms. */
  const sampleAfter = (elapsedMs: number): LiveSample => {
    time.monotonicMs += elapsedMs;
    time.wallMs += elapsedMs;
    takeSample(sampler);
    const sample = latestSample(history, now());
    if (sample === undefined) throw new Error('there is a sample');
    return sample;
  };
  return { time, usage, counters, timings, shards, streams, history, sampler, sampleAfter };
}

describe('a sample', () => {
  test('has what came since the one before, per second, of all threads', () => {
    const { counters, sampleAfter } = createWorld();
    expect(sampleAfter(1000)).toMatchObject({
      ...{ opsPerSecond: 0, expiredPerSecond: 0, t: WALL_MS + 1000 },
      latencyUs: { p50: 0, max: 0 },
    });
    counters[1][COMMANDS] += 300;
    counters[2][COMMANDS] += 100;
    counters[0][BYTES_IN] += 50;
    counters[2][KEYSPACE_HITS] += 30;
    counters[2][ERROR_REPLIES] += 20;
    counters[1][COMMAND_CALLS + 1] += 7;
    counters[1][CONNECTIONS_OPEN] = 3;
    counters[2][CONNECTIONS_OPEN] = 4;
    const sample = sampleAfter(2000);
    expect(sample).toMatchObject({
      opsPerSecond: 200,
      inBytesPerSecond: 25,
      hitsPerSecond: 15,
      errorsPerSecond: 10,
      connections: 7,
      commands: { set: 3.5, other: 0 },
    });
    expect(sampleAfter(1000)).toMatchObject({ opsPerSecond: 0, connections: 7, commands: { set: 0 } });
  });

  test('has no negative rates when threads forget their counts, one sooner than the other', () => {
    const { counters, timings, shards, sampleAfter } = createWorld();
    counters[1][COMMANDS] += 500;
    counters[2][COMMANDS] += 400_000;
    recordValue(timings[1].latencyNs, 5000);
    shards[0].numbers[EVICTED_KEYS] = 100;
    sampleAfter(1000);
    counters[1].fill(0);
    timings[1].latencyNs.fill(0);
    shards[0].numbers[EVICTED_KEYS] = 0;
    counters[1][COMMANDS] = 20;
    counters[2][COMMANDS] += 10;
    expect(sampleAfter(1000)).toMatchObject({
      opsPerSecond: 30,
      evictedPerSecond: 0,
      latencyUs: { p50: 0, max: 0 },
    });
    counters[2].fill(0);
    expect(sampleAfter(1000)).toMatchObject({ opsPerSecond: 0 });
  });

  test('is not taken when no time has passed, and rates heed the monotonic clock alone', () => {
    const { time, counters, history, sampler, sampleAfter } = createWorld();
    takeSample(sampler);
    expect(history.length).toBe(0);
    counters[1][COMMANDS] += 10;
    time.wallMs -= 3_600_000;
    expect(sampleAfter(1000)).toMatchObject({ opsPerSecond: 10, t: WALL_MS - 3_600_000 + 1000 });
  });

  test('has the percentiles of that time only, of all threads', () => {
    const { timings, sampler, sampleAfter } = createWorld();
    for (let count = 0; count < 99; count += 1) recordValue(timings[1].latencyNs, 10_000);
    recordValue(timings[2].latencyNs, 1_000_000);
    recordValue(timings[2].turnNs, 3_000_000);
    recordValue(timings[1].loopDelayNs, 2_000_000);
    const { latencyUs, turnUs, loopDelayMs } = sampleAfter(1000);
    expect(latencyUs.p50).toBeCloseTo(10, 0);
    expect(latencyUs.p99).toBeCloseTo(10, 0);
    expect([latencyUs.max, turnUs.max, loopDelayMs.max]).toEqual([1000, 3000, 2]);
    expect(latencyUs.p999 / 1000).toBeCloseTo(1, 1);
    const [first, second] = [paceOfWorker(sampler, 0), paceOfWorker(sampler, 1)];
    expect([first.turnP99Us, second.loopDelayP99Ms]).toEqual([0, 0]);
    expect(first.loopDelayP99Ms / 2).toBeCloseTo(1, 1);
    expect(second.turnP99Us / 3000).toBeCloseTo(1, 1);
    recordValue(timings[2].latencyNs, 20_000);
    expect(sampleAfter(1000).latencyUs.p50).toBeCloseTo(20, 0);
    expect(sampleAfter(1000).latencyUs).toEqual({ p50: 0, p99: 0, p999: 0, max: 0 });
  });

  test('has what the shards hold, and the mean idle time and lag of what left them', () => {
    const { shards, sampleAfter } = createWorld();
    set(shards[0], 'key', 'value');
    set(shards[1], 'key', 'value');
    shards[0].numbers[EVICTED_KEYS] = 2;
    shards[0].numbers[EVICTED_IDLE_SECONDS_SUM] = 30;
    shards[1].numbers[EVICTED_KEYS] = 1;
    shards[1].numbers[EXPIRED_KEYS] = 5;
    shards[1].numbers[EXPIRY_LAG_MS] = 7;
    shards[0].numbers[EXPIRY_LAG_MS] = 70;
    shards[0].numbers[LOCK_CONTENTIONS] = 4;
    const sample = sampleAfter(1000);
    expect(sample).toMatchObject({
      keys: 2,
      evictedPerSecond: 3,
      evictedIdleSeconds: 10,
      expiredPerSecond: 5,
      expiryLagMs: 7,
      lockWaitsPerSecond: 4,
    });
    expect(sample.usedBytes).toBeGreaterThan(0);
    expect(sample.limitBytes).toBeGreaterThan(sample.usedBytes);
    expect(sampleAfter(1000)).toMatchObject({ evictedIdleSeconds: 0, expiryLagMs: 0, keys: 2 });
  });

  test('has the log and its syncs, and the processor and memory of the process', () => {
    const { streams, usage, sampleAfter } = createWorld();
    Object.assign(streams[0], { bytesWritten: 4000, syncs: 2, syncMsLast: 3, unsyncedBytes: 100 });
    Object.assign(streams[1], { bytesWritten: 2000, syncMsLast: 90, unsyncedBytes: 10 });
    Object.assign(usage, { cpuMs: 3000, rssBytes: 5_000_000 });
    expect(sampleAfter(2000)).toMatchObject({
      logBytesPerSecond: 3000,
      syncsPerSecond: 1,
      syncMs: 3,
      unsyncedBytes: 110,
      cpuPercent: 150,
      rssBytes: 5_000_000,
    });
    expect(sampleAfter(2000)).toMatchObject({ logBytesPerSecond: 0, syncMs: 0, cpuPercent: 0 });
  });
});
