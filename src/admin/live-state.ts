/**
 * How the server stands at this moment, for the page that shows it live: shards, workers, log, snapshot, readiness.
 *
 * Main thread. It is only made while somebody listens: some ten microseconds for each shard and worker.
 */
import { hostname } from 'node:os';
import { VERSION } from '../base/version.ts';
import { readCluster } from '../commands/cluster-figures.ts';
import type { Engine } from '../commands/engine.ts';
import type { ClusterReading } from '../metrics/cluster-reading.ts';
import { openAllCounters } from '../metrics/counters.ts';
import type { LogReading } from '../metrics/log-reading.ts';
import { BYTES_IN, BYTES_OUT, COMMANDS, CONNECTIONS_OPEN, TURNS } from '../metrics/names.ts';
import { BREAKER_STATES } from '../metrics/persistence-names.ts';
import { type PersistenceReading, readPersistence } from '../metrics/persistence-reading.ts';
import type { ShardReading } from '../metrics/reading.ts';
import { readShard } from '../metrics/shard-reading.ts';
import { TYPE_NAMES } from '../shard/type-names.ts';
import type { ThreadPace } from './live-sampler.ts';
import type { Readiness } from './sources.ts';

export type LiveState = {
  /** Wall time in ms. */
  readonly t: number;
  readonly server: {
    readonly version: string;
    readonly runId: string;
    readonly startedAtMs: number;
    readonly uptimeSeconds: number;
    readonly workers: number;
    readonly host: string;
    readonly port: number;
    readonly maxmemoryPolicy: string;
  };
  readonly ready: Readiness;
  readonly shards: readonly LiveShard[];
  /** Keys of each type, of all shards together, in the order of the types' numbers. */
  readonly types: readonly { readonly name: string; readonly keys: number }[];
  readonly workers: readonly LiveWorker[];
  readonly log: LiveLog;
  readonly snapshot: LiveSnapshot;
  readonly loading: { readonly loading: boolean; readonly bytes: number; readonly bytesDone: number };
  /** Null on a node that is alone. */
  readonly cluster: ClusterReading | null;
};

/** The counts since the start; the times of holding the lock, too. `owner` is a worker. */
type LiveShard = {
  readonly index: number;
  readonly owner: number;
  readonly slots: number;
  readonly keys: number;
  readonly expiring: number;
  readonly usedBytes: number;
  readonly limitBytes: number;
  readonly fragmentation: number;
  readonly evictedKeys: number;
  readonly expiredKeys: number;
  readonly expiryLagMs: number;
  readonly lockWaits: number;
  readonly lockHoldP99Us: number;
  readonly lockHoldMaxUs: number;
  readonly pendingLogBytes: number;
};

/** The counts since the start, the pace of the last second. */
type LiveWorker = ThreadPace & {
  readonly index: number;
  readonly connections: number;
  readonly commands: number;
  readonly bytesIn: number;
  readonly bytesOut: number;
  readonly turns: number;
};

type LiveLog = {
  readonly enabled: boolean;
  readonly policy: string;
  readonly breaker: string;
  readonly troubled: boolean;
  readonly bytes: number;
  readonly streams: readonly {
    readonly index: number;
    readonly bytesWritten: number;
    readonly syncs: number;
    readonly syncMsLast: number;
    readonly syncMsMax: number;
    readonly unsyncedBytes: number;
  }[];
};

type LiveSnapshot = {
  readonly running: boolean;
  readonly entries: number;
  readonly entriesDone: number;
  /** Wall time at which the latest was whole; that of the start where there was none. */
  readonly lastMs: number;
  readonly lastFailed: boolean;
  readonly bytes: number;
};

const MS_PER_SECOND = 1000;
const US_PER_NS = 1e-3;
const TOLD_PARTS = 1000;

export function readState(
  engine: Engine,
  readiness: Readiness,
  paceOf: (worker: number) => ThreadPace,
): LiveState {
  const { config, startedAtMs, runId, workerCount } = engine;
  const nowMs = engine.wallMs();
  const persistence = readPersistence(engine.persistence);
  const readings = engine.shards.map((shard) => readShard(shard));
  return {
    t: nowMs,
    server: {
      version: VERSION,
      runId,
      startedAtMs,
      uptimeSeconds: Math.max(0, Math.floor((nowMs - startedAtMs) / MS_PER_SECOND)),
      workers: workerCount,
      host: hostname(),
      port: config.port,
      maxmemoryPolicy: config.maxmemoryPolicy,
    },
    ready: reasonsOfFailed(readiness),
    shards: shardsOf(engine, readings),
    types: typesOf(readings),
    workers: readWorkers(engine, paceOf),
    log: readLog(persistence, config.appendfsync, engine.logReading()),
    snapshot: readSnapshot(persistence),
    loading: {
      loading: persistence.loading !== 0,
      bytes: persistence.loadingBytes,
      bytesDone: persistence.loadingBytesDone,
    },
    cluster: readCluster(engine) ?? null,
  };
}

function typesOf(readings: readonly ShardReading[]): LiveState['types'] {
  return TYPE_NAMES.map(({ name }, place) => {
    return { name, keys: readings.reduce((sum, { types }) => sum + types[place].keys, 0) };
  });
}

/** By shard: how many of the slots are its own. */
export function slotsByShard({ slotShard, shards }: Engine): number[] {
  const slots = shards.map(() => 0);
  for (const shard of slotShard) slots[shard] += 1;
  return slots;
}

/** A check that is well has nothing to say. */
function reasonsOfFailed({ ready, checks }: Readiness): Readiness {
  return {
    ready,
    checks: checks.map(({ name, ok, reason = '' }) => ({ name, ok, reason: ok ? '' : reason })),
  };
}

function shardsOf(engine: Engine, readings: readonly ShardReading[]): LiveShard[] {
  const slots = slotsByShard(engine);
  return readings.map((reading) => {
    const { index, keys, expiring, usedBytes, limitBytes, evictedKeys, expiredKeys, lockHoldNs } = reading;
    const { expiryLagMs, lockWaits, pendingLogBytes, fragmentation } = reading;
    return {
      index,
      owner: index % engine.workerCount,
      slots: slots[index],
      ...{ keys, expiring, usedBytes, limitBytes },
      fragmentation: thousandths(fragmentation),
      ...{ evictedKeys, expiredKeys, expiryLagMs, lockWaits },
      lockHoldP99Us: thousandths(lockHoldNs.p99 * US_PER_NS),
      lockHoldMaxUs: thousandths(lockHoldNs.max * US_PER_NS),
      pendingLogBytes,
    };
  });
}

function readWorkers(
  { allCounters, workerCount }: Engine,
  paceOf: (worker: number) => ThreadPace,
): LiveWorker[] {
  const [, ...workers] = openAllCounters(allCounters);
  return workers.slice(0, workerCount).map((counters, index) => {
    const { turnP99Us, loopDelayP99Ms } = paceOf(index);
    return {
      index,
      connections: counters[CONNECTIONS_OPEN],
      commands: counters[COMMANDS],
      bytesIn: counters[BYTES_IN],
      bytesOut: counters[BYTES_OUT],
      turnP99Us: thousandths(turnP99Us),
      loopDelayP99Ms: thousandths(loopDelayP99Ms),
      turns: counters[TURNS],
    };
  });
}

function readLog(persistence: PersistenceReading, policy: string, streams: LogReading): LiveLog {
  return {
    enabled: persistence.logEnabled !== 0,
    policy,
    breaker: BREAKER_STATES[persistence.logBreakerState] ?? '',
    troubled: persistence.logTroubled !== 0,
    bytes: persistence.logBytes,
    streams: streams.map(({ bytesWritten, syncs, syncMsLast, syncMsMax, unsyncedBytes }, index) => ({
      index,
      bytesWritten,
      syncs,
      syncMsLast: thousandths(syncMsLast),
      syncMsMax: thousandths(syncMsMax),
      unsyncedBytes,
    })),
  };
}

function readSnapshot(persistence: PersistenceReading): LiveSnapshot {
  return {
    running: persistence.snapshotRunning !== 0,
    entries: persistence.snapshotEntries,
    entriesDone: persistence.snapshotEntriesDone,
    lastMs: persistence.snapshotLastMs,
    lastFailed: persistence.snapshotLastFailed !== 0,
    bytes: persistence.snapshotBytes,
  };
}

function thousandths(value: number): number {
  return Math.round(value * TOLD_PARTS) / TOLD_PARTS;
}
