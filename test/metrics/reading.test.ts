/** Tests of the reading: sums over threads and shards. */
import { describe, expect, test } from 'vitest';
import { countErrors } from '../../src/metrics/error-counts.ts';
import {
  COMMANDS_TOGETHER_HISTOGRAM,
  FIRST_COMMAND_HISTOGRAM,
  LOOP_DELAYS_HISTOGRAM,
  recordLatency,
  TURNS_HISTOGRAM,
} from '../../src/metrics/latencies.ts';
import {
  COMMAND_CALLS,
  COMMAND_FAILED,
  COMMAND_NS,
  COMMAND_REJECTED,
  COUNTER_METRICS,
  KEYSPACE_HITS,
} from '../../src/metrics/names.ts';
import { takeReading } from '../../src/metrics/reading.ts';
import { sampleShard, sampleSources } from '../support/sample-reading.ts';

describe('a reading', () => {
  test('has every counter by name, for each thread and in total', () => {
    const sources = sampleSources();
    for (const { index } of COUNTER_METRICS) {
      sources.counters.forEach((counters, thread) => {
        counters[index] = (index + 1) * 10 ** thread;
      });
    }
    const reading = takeReading(sources);
    for (const { index, field } of COUNTER_METRICS) {
      expect(reading.threads.map((thread) => thread[field])).toEqual([
        index + 1,
        10 * (index + 1),
        100 * (index + 1),
      ]);
      expect(reading.totals[field]).toBe(111 * (index + 1));
    }
  });

  test('counts the calls of a command over all threads, and leaves out the commands never called', () => {
    const sources = sampleSources();
    sources.counters[1][COMMAND_CALLS] = 4;
    sources.counters[2][COMMAND_CALLS] = 5;
    sources.counters[2][COMMAND_CALLS + 2] = 1;
    expect(takeReading(sources).commands).toMatchObject([
      { name: 'get', calls: 9 },
      { name: 'config|get', calls: 1 },
    ]);
  });

  test('tells of a command how often it was refused and failed, and how long it took, over all threads', () => {
    const sources = sampleSources();
    const get = FIRST_COMMAND_HISTOGRAM;
    for (const [thread, ns] of [1000, 3000].entries()) {
      sources.counters[thread][COMMAND_CALLS] = 2;
      sources.counters[thread][COMMAND_FAILED] = 1;
      sources.counters[thread][COMMAND_NS] = 2 * ns;
      recordLatency(sources.latencies[thread], get, ns, 2);
      recordLatency(sources.latencies[thread], COMMANDS_TOGETHER_HISTOGRAM, ns, 2);
    }
    sources.counters[1][COMMAND_REJECTED + 1] = 4;
    const { commands, latencyNs } = takeReading(sources);
    expect(commands).toMatchObject([
      { name: 'get', calls: 4, failed: 2, rejected: 0, seconds: 8e-6, latencyNs: { count: 4, max: 3000 } },
      { name: 'set', calls: 0, failed: 0, rejected: 4, seconds: 0, latencyNs: { count: 0, max: 0 } },
    ]);
    expect(latencyNs).toMatchObject({ count: 4, sum: 8000, max: 3000 });
  });

  test('tells the turns and the lateness of each worker, without main', () => {
    const sources = sampleSources();
    for (const [thread, latencies] of sources.latencies.entries()) {
      recordLatency(latencies, TURNS_HISTOGRAM, 10 * thread, 1);
      recordLatency(latencies, LOOP_DELAYS_HISTOGRAM, 20 * thread, 1);
    }
    expect(takeReading(sources).workers).toMatchObject([
      { index: 0, turnNs: { count: 1, max: 10 }, loopDelayNs: { count: 1, max: 20 } },
      { index: 1, turnNs: { count: 1, max: 20 }, loopDelayNs: { count: 1, max: 40 } },
    ]);
  });

  test('tells error replies by their prefix, and only those that there were', () => {
    const sources = sampleSources();
    countErrors(sources.counters[0], 'ERR', 2);
    countErrors(sources.counters[1], 'ERR', 3);
    countErrors(sources.counters[2], 'WRONGTYPE', 1);
    countErrors(sources.counters[2], 'SURPRISE', 1);
    const { errors, totals } = takeReading(sources);
    expect(errors).toEqual([
      { prefix: 'ERR', count: 5 },
      { prefix: 'WRONGTYPE', count: 1 },
      { prefix: 'other', count: 1 },
    ]);
    expect(totals.errorReplies).toBe(7);
  });

  test('sums the shards, and takes the latest of their lags', () => {
    expect(takeReading(sampleSources()).keyspace).toEqual({
      keys: 30,
      expiring: 9,
      doomed: 6,
      doomedTrees: 12,
      usedBytes: 3000,
      indexBytes: 300,
      limitBytes: 3_000_000,
      arenaBytes: 12_000,
      freeBlocksBytes: 1500,
      fragmentation: 4,
      evictedKeys: 21,
      expiredKeys: 15,
      expiredFields: 27,
      expiryLagMs: 4,
      expiryLagMsMax: 40,
      changes: 150,
      compactedEntries: 18,
      repairs: 3,
      lockWaits: 3,
      lockWaitNs: 4500,
      pendingLogBytes: 192,
    });
  });

  test('sums each database over the shards', () => {
    expect(takeReading(sampleSources()).databases).toEqual([
      { keys: 24, expiring: 9 },
      { keys: 6, expiring: 0 },
    ]);
  });

  test('sums each type over the shards', () => {
    expect(takeReading(sampleSources()).types).toEqual([
      { name: 'string', keys: 18 },
      { name: 'hash', keys: 12 },
    ]);
  });

  test('of no shards has no keys, and its uptime never runs backwards', () => {
    const reading = takeReading({ ...sampleSources(), shards: [], nowMs: 5 });
    expect(reading).toMatchObject({
      uptimeSeconds: 0,
      databases: [],
      types: [],
      keyspace: { keys: 0, expiryLagMsMax: 0 },
    });
    expect(takeReading(sampleSources()).uptimeSeconds).toBe(12);
  });

  test('is plain data that survives JSON, and does not change when the counters go on', () => {
    const sources = sampleSources();
    const reading = takeReading(sources);
    sources.counters[0][KEYSPACE_HITS]++;
    expect(reading.totals.keyspaceHits).toBe(0);
    expect(JSON.parse(JSON.stringify(reading))).toEqual(reading);
    expect(reading.shards[1]).toEqual(sampleShard(1));
  });
});
