/** Tests of the reading: sums over threads and shards. */
import { describe, expect, test } from 'vitest';
import { COMMAND_CALLS, COUNTER_METRICS, KEYSPACE_HITS } from '../../src/metrics/names.ts';
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
    expect(takeReading(sources).commands).toEqual([
      { name: 'get', calls: 9 },
      { name: 'config|get', calls: 1 },
    ]);
  });

  test('sums the shards, and takes the latest of their lags', () => {
    expect(takeReading(sampleSources()).keyspace).toEqual({
      keys: 30,
      expiring: 9,
      doomed: 6,
      usedBytes: 3000,
      indexBytes: 300,
      limitBytes: 3_000_000,
      arenaBytes: 12_000,
      freeBlocksBytes: 1500,
      evictedKeys: 21,
      expiredKeys: 15,
      expiryLagMs: 4,
      expiryLagMsMax: 40,
      changes: 150,
      compactedEntries: 18,
      repairs: 3,
      lockWaits: 3,
      pendingLogBytes: 192,
    });
  });

  test('sums each database over the shards', () => {
    expect(takeReading(sampleSources()).databases).toEqual([
      { keys: 24, expiring: 9 },
      { keys: 6, expiring: 0 },
    ]);
  });

  test('of no shards has no keys, and its uptime never runs backwards', () => {
    const reading = takeReading({ ...sampleSources(), shards: [], nowMs: 5 });
    expect(reading).toMatchObject({
      uptimeSeconds: 0,
      databases: [],
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
