/** A made-up server's numbers for the tests of readings and of what is written from them. */
import type { ClusterReading } from '../../src/metrics/cluster-reading.ts';
import { createCountersBuffer, openAllCounters, openAllLatencies } from '../../src/metrics/counters.ts';
import {
  createHistogram,
  type HistogramReading,
  readHistogram,
  recordValue,
} from '../../src/metrics/histogram.ts';
import type { LogReading } from '../../src/metrics/log-reading.ts';
import type { MissRatioReading } from '../../src/metrics/miss-ratio.ts';
import { createPersistenceBuffer } from '../../src/metrics/persistence.ts';
import { readPersistence } from '../../src/metrics/persistence-reading.ts';
import type { ReadingSources, ShardReading } from '../../src/metrics/reading.ts';

export const SAMPLE_STARTED_AT_MS = 1_700_000_000_000;

/** Main and two workers, two shards, three commands; all counters zero. */
export function sampleSources(): ReadingSources {
  const buffer = createCountersBuffer(3);
  return {
    nowMs: SAMPLE_STARTED_AT_MS + 12_345,
    server: { version: '0.1.0', runId: 'c0ffee', startedAtMs: SAMPLE_STARTED_AT_MS, workers: 2 },
    process: { residentBytes: 4096, heapUsedBytes: 2048, cpuUserSeconds: 1.5, cpuSystemSeconds: 0.25 },
    rates: { opsPerSecond: 10, inputKbps: 1, outputKbps: 2 },
    counters: openAllCounters(buffer),
    latencies: openAllLatencies(buffer),
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
    syncNs: sampleHistogram(times, 1_000_000),
    unsyncedBytes: 128 * times,
    writesFailed: 2 * times,
  };
}

/** Shard `index`: every number is (index + 1) times that of shard 0. */
export function sampleShard(index: number): ShardReading {
  const times = index + 1;
  return {
    index,
    keys: 10 * times,
    expiring: 3 * times,
    doomed: 2 * times,
    doomedTrees: 4 * times,
    usedBytes: 1000 * times,
    indexBytes: 100 * times,
    limitBytes: 1_000_000 * times,
    arenaBytes: 4000 * times,
    freeBlocksBytes: 500 * times,
    fragmentation: 4,
    evictedKeys: 7 * times,
    expiredKeys: 5 * times,
    expiredFields: 9 * times,
    expiryLagMs: 2 * times,
    expiryLagMsMax: 20 * times,
    changes: 50 * times,
    compactedEntries: 6 * times,
    repairs: times,
    lockWaits: times,
    pendingLogBytes: 64 * times,
    lockWaitNs: 1500 * times,
    lockHoldNs: sampleHistogram(times, 100),
    evictedIdleSeconds: sampleHistogram(times, 300),
    evictedIdleSecondsLast: 300 * times,
    databases: [
      { keys: 8 * times, expiring: 3 * times },
      { keys: 2 * times, expiring: 0 },
    ],
    types: [
      { name: 'string', keys: 6 * times },
      { name: 'hash', keys: 4 * times },
    ],
  };
}

/** A cluster of two nodes, of which the other is a replica of this one, which coordinates. */
export function sampleCluster(): ClusterReading {
  const roles = { own: 8192, replica: 8000, importing: 2, strange: 190 };
  const node = { weight: 100, tlsPort: 0, coming: 0, heldSlots: 8192, heldWhole: 8190 };
  const [one, other] = ['a', 'b'].map((letter) => letter.repeat(40));
  return {
    ...{ name: 'distcache', ownId: one, coordinatorId: one, epoch: 42, isCovered: true, isServing: true },
    ...{ leaseLeftMs: 2500, slots: roles, keys: { own: 10, replica: 7, importing: 1, strange: 3 } },
    ...{ wholeReplicas: 7990, handingOver: 4, coveredSlots: 16_384, movingSlots: 5 },
    nodes: [
      {
        ...{ ...node, id: one, index: 0, host: '10.0.0.1', port: 6379, httpPort: 8080 },
        ...{ isAlive: true, isOwn: true, isCoordinator: true, slots: 8192, replicas: 8000 },
        ...{ fedSlots: 0, fedWhole: 0, fedHeardAgoMs: null, heldSlots: 0, heldWhole: 0 },
        ...{ isFed: false, fedBehindBytes: 0, fedInFlightBytes: 0, fedCopies: 0 },
        ...{ circuit: null, pingMs: null, commandsPerSecond: null },
      },
      {
        ...{ ...node, id: other, index: 1, host: '10.0.0.2', port: 6379, httpPort: 0 },
        ...{ isAlive: false, isOwn: false, isCoordinator: false, slots: 8192, replicas: 8192 },
        ...{ fedSlots: 8192, fedWhole: 8000, fedHeardAgoMs: 1500 },
        ...{ isFed: true, fedBehindBytes: 700, fedInFlightBytes: 300, fedCopies: 4 },
        ...{ circuit: 'open', pingMs: 0.25, commandsPerSecond: 1234 },
      },
    ],
  };
}

/** So many times the same value. */
function sampleHistogram(times: number, value: number): HistogramReading {
  const histogram = createHistogram();
  for (let i = 0; i < times; i++) recordValue(histogram, value);
  return readHistogram(histogram);
}

/** Predictions for 64 MB, of which those for half are not known. */
export function sampleMissRatio(): MissRatioReading {
  return {
    ...{ sampledKeys: 1000, rate: 0.01, references: 50_000, sampledReferences: 512, hitRatio: 0.75 },
    curve: [{ bytes: 64e6, keys: 1e5, missRatio: 0.25 }],
    half: { bytes: 32e6, hitRatio: null, missRatio: null },
    now: { bytes: 64e6, hitRatio: 0.75, missRatio: 0.25 },
    double: { bytes: 128e6, hitRatio: 0.875, missRatio: 0.125 },
  };
}
