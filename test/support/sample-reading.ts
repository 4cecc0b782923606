/** A made-up server's numbers for the tests of readings and of what is written from them. */
import { createCountersBuffer, openAllCounters } from '../../src/metrics/counters.ts';
import { createHistogram, readHistogram, recordValue } from '../../src/metrics/histogram.ts';
import type { LogReading } from '../../src/metrics/log-reading.ts';
import { createPersistenceBuffer } from '../../src/metrics/persistence.ts';
import { readPersistence } from '../../src/metrics/persistence-reading.ts';
import type { ReadingSources, ShardReading } from '../../src/metrics/reading.ts';

export const SAMPLE_STARTED_AT_MS = 1_700_000_000_000;

/** Main and two workers, two shards, three commands; all counters zero. */
export function sampleSources(): ReadingSources {
  return {
    nowMs: SAMPLE_STARTED_AT_MS + 12_345,
    server: { version: '0.1.0', runId: 'c0ffee', startedAtMs: SAMPLE_STARTED_AT_MS, workers: 2 },
    process: { residentBytes: 4096, heapUsedBytes: 2048, cpuUserSeconds: 1.5, cpuSystemSeconds: 0.25 },
    rates: { opsPerSecond: 10, inputKbps: 1, outputKbps: 2 },
    counters: openAllCounters(createCountersBuffer(3)),
    commandNames: ['get', 'set', 'config|get'],
    shards: [sampleShard(0), sampleShard(1)],
    persistence: readPersistence(new Float64Array(createPersistenceBuffer(SAMPLE_STARTED_AT_MS))),
    log: [sampleStream(0), sampleStream(1)],
  };
}

/** Stream `index`: every number is (index + 1) times that of stream 0. */
export function sampleStream(index: number): LogReading[number] {
  const times = index + 1;
  return {
    bytesWritten: 9000 * times,
    blocksWritten: 30 * times,
    syncs: 8 * times,
    syncsDelayed: times,
    syncMsLast: 4 * times,
    syncMsMax: 40 * times,
    unsyncedBytes: 128 * times,
    writesFailed: 2 * times,
  };
}

/** Shard `index`: every number is (index + 1) times that of shard 0. */
export function sampleShard(index: number): ShardReading {
  const times = index + 1;
  const lockHold = createHistogram();
  for (let i = 0; i < times; i++) recordValue(lockHold, 100);
  return {
    index,
    keys: 10 * times,
    expiring: 3 * times,
    doomed: 2 * times,
    usedBytes: 1000 * times,
    indexBytes: 100 * times,
    limitBytes: 1_000_000 * times,
    arenaBytes: 4000 * times,
    freeBlocksBytes: 500 * times,
    evictedKeys: 7 * times,
    expiredKeys: 5 * times,
    expiryLagMs: 2 * times,
    expiryLagMsMax: 20 * times,
    changes: 50 * times,
    compactedEntries: 6 * times,
    repairs: times,
    lockWaits: times,
    pendingLogBytes: 64 * times,
    lockHoldNs: readHistogram(lockHold),
    databases: [
      { keys: 8 * times, expiring: 3 * times },
      { keys: 2 * times, expiring: 0 },
    ],
  };
}
