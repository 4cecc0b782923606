/**
 * A reading: all numbers of the server at one moment, as one plain record that INFO, the Prometheus text and the status
 * page are written from, so that they never disagree. Owns nothing; any thread that has the counters takes one.
 */
import type { ClusterReading } from './cluster-reading.ts';
import { sumCounter } from './counters.ts';
import { type ErrorReading, readErrors } from './error-counts.ts';
import { type HistogramReading, readHistogram } from './histogram.ts';
import {
  COMMANDS_TOGETHER_HISTOGRAM,
  commandLatencies,
  LOOP_DELAYS_HISTOGRAM,
  latenciesOf,
  sumLatencies,
  TURNS_HISTOGRAM,
} from './latencies.ts';
import type { LogReading } from './log-reading.ts';
import {
  COMMAND_CALLS,
  COMMAND_FAILED,
  COMMAND_NS,
  COMMAND_REJECTED,
  COUNTER_METRICS,
  type CounterField,
} from './names.ts';
import type { PersistenceReading } from './persistence-reading.ts';
import type { RatesReading } from './rates.ts';

const NS_PER_SECOND = 1e9;

/** What a shard tells of itself; the counts since start. */
export type ShardReading = {
  index: number;
  keys: number;
  expiring: number;
  /** Keys of flushed databases that are still to be freed. */
  doomed: number;
  /** Large collections that are gone and still to be freed. */
  doomedTrees: number;
  /** Bytes that count against the limit, of `limitBytes`; `indexBytes` of them are the index. */
  usedBytes: number;
  limitBytes: number;
  indexBytes: number;
  /** Bytes of both arenas up to their last used block, and those of them that are free. */
  arenaBytes: number;
  freeBlocksBytes: number;
  /** Bytes of the arenas for each used one: 1 at best. */
  fragmentation: number;
  evictedKeys: number;
  expiredKeys: number;
  /** Fields of hashes. */
  expiredFields: number;
  /** How late the last key was expired after its deadline, and the latest ever. */
  expiryLagMs: number;
  expiryLagMsMax: number;
  /** Changes of keys: writes, removals, expiries, evictions. */
  changes: number;
  /** Entries that were moved to make one piece of scattered free memory. */
  compactedEntries: number;
  /** Times that the shard was rebuilt after a thread died in it. */
  repairs: number;
  lockWaits: number;
  /** How long threads waited, in all these times. */
  lockWaitNs: number;
  /** Bytes of the records that are still to be written to the log. */
  pendingLogBytes: number;
  /** Of the holds that were timed; here `below` includes its bound. */
  lockHoldNs: HistogramReading;
  /** For how long what was evicted had not been used. */
  evictedIdleSeconds: HistogramReading;
  evictedIdleSecondsLast: number;
  /** By database number. */
  databases: readonly DatabaseReading[];
  /** Every type, in the same order in all shards. */
  types: readonly TypeReading[];
};

type DatabaseReading = { keys: number; expiring: number };

type TypeReading = { name: string; keys: number };

type ServerReading = { version: string; runId: string; startedAtMs: number; workers: number };

/** What the operating system says of the process. */
type ProcessReading = {
  residentBytes: number;
  heapUsedBytes: number;
  cpuUserSeconds: number;
  cpuSystemSeconds: number;
};

type CounterReading = Record<CounterField, number>;

type CommandReading = {
  name: string;
  /** How often it was executed, and of these how often it answered an error. */
  calls: number;
  failed: number;
  /** How often it was refused before it was executed. */
  rejected: number;
  /** What its executions took in all. */
  seconds: number;
  /** Of the executions while latency-tracking was on. */
  latencyNs: HistogramReading;
};

/** How the event loop of a worker fares. */
type WorkerReading = { index: number; turnNs: HistogramReading; loopDelayNs: HistogramReading };

/** All shards together; the lags are those of the latest shard. */
type KeyspaceReading = Omit<
  ShardReading,
  'index' | 'lockHoldNs' | 'evictedIdleSeconds' | 'evictedIdleSecondsLast' | 'databases' | 'types'
>;

export type Reading = {
  takenAtMs: number;
  uptimeSeconds: number;
  server: ServerReading;
  process: ProcessReading;
  rates: RatesReading;
  totals: CounterReading;
  /** By thread: 0 is the main thread, 1 + i is worker i. */
  threads: CounterReading[];
  workers: WorkerReading[];
  /** Commands that were called or refused, in the order of their ids. */
  commands: CommandReading[];
  /** Executions of all commands together. */
  latencyNs: HistogramReading;
  /** Error replies by what they begin with; only what there has been. */
  errors: ErrorReading[];
  keyspace: KeyspaceReading;
  databases: DatabaseReading[];
  types: TypeReading[];
  shards: readonly ShardReading[];
  persistence: PersistenceReading;
  /** By stream. */
  log: LogReading;
  /** Null on a node that is alone. */
  cluster: ClusterReading | null;
};

/** Where the numbers come from; `counters` and `latencies` by thread, `commandNames` by command id. */
export type ReadingSources = {
  nowMs: number;
  server: ServerReading;
  process: ProcessReading;
  rates: RatesReading;
  counters: readonly Float64Array[];
  latencies: readonly Float64Array[];
  commandNames: readonly string[];
  shards: readonly ShardReading[];
  persistence: PersistenceReading;
  log: LogReading;
  cluster?: ClusterReading;
};

/**
 * Sums the threads' counters and histograms and the shards into one record. Off the hot path: some ten microseconds for each
 * thread, each command that was called, and each worker that called it.
 */
export function takeReading(sources: ReadingSources): Reading {
  const { nowMs, server, process, rates, counters, latencies, shards } = sources;
  return {
    takenAtMs: nowMs,
    uptimeSeconds: Math.max(0, Math.floor((nowMs - server.startedAtMs) / 1000)),
    server,
    process,
    rates,
    totals: readCounters(counters),
    threads: counters.map((thread) => readCounters([thread])),
    workers: latencies.slice(1).map(readWorker),
    commands: readCommands(sources),
    latencyNs: readHistogram(sumLatencies(latencies, COMMANDS_TOGETHER_HISTOGRAM)),
    errors: readErrors(counters),
    keyspace: sumShards(shards),
    databases: ownDatabases(sumDatabases(shards), sources.cluster),
    types: sumTypes(shards),
    shards,
    persistence: sources.persistence,
    log: sources.log,
    cluster: sources.cluster ?? null,
  };
}

function readCounters(threads: readonly Float64Array[]): CounterReading {
  const reading = {} as CounterReading;
  for (const { field, index } of COUNTER_METRICS) reading[field] = sumCounter(threads, index);
  return reading;
}

function readWorker(latencies: Float64Array, index: number): WorkerReading {
  return {
    index,
    turnNs: readHistogram(latenciesOf(latencies, TURNS_HISTOGRAM)),
    loopDelayNs: readHistogram(latenciesOf(latencies, LOOP_DELAYS_HISTOGRAM)),
  };
}

function readCommands({ counters, latencies, commandNames }: ReadingSources): CommandReading[] {
  return commandNames.flatMap((name, id): CommandReading[] => {
    const calls = sumCounter(counters, COMMAND_CALLS + id);
    const rejected = sumCounter(counters, COMMAND_REJECTED + id);
    if (calls === 0 && rejected === 0) return [];
    const failed = sumCounter(counters, COMMAND_FAILED + id);
    const seconds = sumCounter(counters, COMMAND_NS + id) / NS_PER_SECOND;
    const latencyNs = readHistogram(commandLatencies(counters, latencies, id));
    return [{ name, calls, failed, rejected, seconds, latencyNs }];
  });
}

function sumShards(shards: readonly ShardReading[]): KeyspaceReading {
  const sum = (numberOf: (shard: ShardReading) => number) =>
    shards.reduce((total, shard) => total + numberOf(shard), 0);
  return {
    keys: sum((shard) => shard.keys),
    expiring: sum((shard) => shard.expiring),
    doomed: sum((shard) => shard.doomed),
    doomedTrees: sum((shard) => shard.doomedTrees),
    usedBytes: sum((shard) => shard.usedBytes),
    limitBytes: sum((shard) => shard.limitBytes),
    indexBytes: sum((shard) => shard.indexBytes),
    arenaBytes: sum((shard) => shard.arenaBytes),
    freeBlocksBytes: sum((shard) => shard.freeBlocksBytes),
    fragmentation: fragmentationOf(
      sum((shard) => shard.arenaBytes),
      sum((shard) => shard.usedBytes),
    ),
    evictedKeys: sum((shard) => shard.evictedKeys),
    expiredKeys: sum((shard) => shard.expiredKeys),
    expiredFields: sum((shard) => shard.expiredFields),
    expiryLagMs: shards.reduce((latest, shard) => Math.max(latest, shard.expiryLagMs), 0),
    expiryLagMsMax: shards.reduce((latest, shard) => Math.max(latest, shard.expiryLagMsMax), 0),
    changes: sum((shard) => shard.changes),
    compactedEntries: sum((shard) => shard.compactedEntries),
    repairs: sum((shard) => shard.repairs),
    lockWaits: sum((shard) => shard.lockWaits),
    lockWaitNs: sum((shard) => shard.lockWaitNs),
    pendingLogBytes: sum((shard) => shard.pendingLogBytes),
  };
}

/** Bytes of arenas for each used one; 1 where nothing is used. */
export function fragmentationOf(arenaBytes: number, usedBytes: number): number {
  return usedBytes === 0 ? 1 : Math.max(1, arenaBytes / usedBytes);
}

/**
 * In a cluster, database 0 is what is in the node's own slots. How many of those keys expire is known of all together: it is taken for
 * as large a share as that of the own keys is.
 */
function ownDatabases(databases: DatabaseReading[], cluster: ClusterReading | undefined): DatabaseReading[] {
  if (cluster === undefined) return databases;
  return databases.map(({ keys, expiring }, number) => {
    const own = number === 0 ? Math.min(keys, cluster.keys.own) : keys;
    return { keys: own, expiring: keys === 0 ? 0 : Math.round((expiring * own) / keys) };
  });
}

function sumDatabases(shards: readonly ShardReading[]): DatabaseReading[] {
  const sums: DatabaseReading[] = [];
  for (const { databases } of shards) {
    databases.forEach(({ keys, expiring }, number) => {
      const sum = sums[number] ?? { keys: 0, expiring: 0 };
      sums[number] = { keys: sum.keys + keys, expiring: sum.expiring + expiring };
    });
  }
  return sums;
}

function sumTypes(shards: readonly ShardReading[]): TypeReading[] {
  const sums: TypeReading[] = [];
  for (const { types } of shards) {
    types.forEach(({ name, keys }, at) => {
      sums[at] = { name, keys: (sums[at]?.keys ?? 0) + keys };
    });
  }
  return sums;
}
