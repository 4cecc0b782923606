/**
 * A reading: all numbers of the server at one moment, as one plain record that INFO, the Prometheus text and the status
 * page are written from, so that they never disagree. Owns nothing; any thread that has the counters takes one.
 */
import { sumCounter } from './counters.ts';
import type { HistogramReading } from './histogram.ts';
import type { LogReading } from './log-reading.ts';
import { COMMAND_CALLS, COUNTER_METRICS, type CounterField } from './names.ts';
import type { PersistenceReading } from './persistence-reading.ts';
import type { RatesReading } from './rates.ts';

/** What a shard tells of itself. Times in ms but for `lockHoldNs`; the counts since start. */
export type ShardReading = {
  index: number;
  keys: number;
  expiring: number;
  /** Keys of flushed databases that are still to be freed. */
  doomed: number;
  /** Bytes that count against the limit, of `limitBytes`; `indexBytes` of them are the index. */
  usedBytes: number;
  limitBytes: number;
  indexBytes: number;
  /** Bytes of both arenas up to their last used block, and those of them that are free. */
  arenaBytes: number;
  freeBlocksBytes: number;
  evictedKeys: number;
  expiredKeys: number;
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
  /** Bytes of the records that are still to be written to the log. */
  pendingLogBytes: number;
  /** Of the holds that were timed; here `below` includes its bound. */
  lockHoldNs: HistogramReading;
  /** By database number. */
  databases: readonly DatabaseReading[];
};

type DatabaseReading = { keys: number; expiring: number };

type ServerReading = { version: string; runId: string; startedAtMs: number; workers: number };

/** What the operating system says of the process. */
type ProcessReading = {
  residentBytes: number;
  heapUsedBytes: number;
  cpuUserSeconds: number;
  cpuSystemSeconds: number;
};

type CounterReading = Record<CounterField, number>;

type CommandReading = { name: string; calls: number };

/** All shards together; the lags are those of the latest shard. */
type KeyspaceReading = Omit<ShardReading, 'index' | 'lockHoldNs' | 'databases'>;

export type Reading = {
  takenAtMs: number;
  uptimeSeconds: number;
  server: ServerReading;
  process: ProcessReading;
  rates: RatesReading;
  totals: CounterReading;
  /** By thread: 0 is the main thread, 1 + i is worker i. */
  threads: CounterReading[];
  /** Commands that were called, in the order of their ids. */
  commands: CommandReading[];
  keyspace: KeyspaceReading;
  databases: DatabaseReading[];
  shards: readonly ShardReading[];
  persistence: PersistenceReading;
  /** By stream. */
  log: LogReading;
};

/** Where the numbers come from; `counters` by thread, `commandNames` by command id. */
export type ReadingSources = {
  nowMs: number;
  server: ServerReading;
  process: ProcessReading;
  rates: RatesReading;
  counters: readonly Float64Array[];
  commandNames: readonly string[];
  shards: readonly ShardReading[];
  persistence: PersistenceReading;
  log: LogReading;
};

/** Sums the threads' counters and the shards into one record. Off the hot path: some ten microseconds per thread. */
export function takeReading(sources: ReadingSources): Reading {
  const { nowMs, server, process, rates, counters, shards } = sources;
  return {
    takenAtMs: nowMs,
    uptimeSeconds: Math.max(0, Math.floor((nowMs - server.startedAtMs) / 1000)),
    server,
    process,
    rates,
    totals: readCounters(counters),
    threads: counters.map((thread) => readCounters([thread])),
    commands: readCommands(counters, sources.commandNames),
    keyspace: sumShards(shards),
    databases: sumDatabases(shards),
    shards,
    persistence: sources.persistence,
    log: sources.log,
  };
}

function readCounters(threads: readonly Float64Array[]): CounterReading {
  const reading = {} as CounterReading;
  for (const { field, index } of COUNTER_METRICS) reading[field] = sumCounter(threads, index);
  return reading;
}

function readCommands(threads: readonly Float64Array[], names: readonly string[]): CommandReading[] {
  const commands = names.map((name, id) => ({ name, calls: sumCounter(threads, COMMAND_CALLS + id) }));
  return commands.filter((command) => command.calls > 0);
}

function sumShards(shards: readonly ShardReading[]): KeyspaceReading {
  const sum = (numberOf: (shard: ShardReading) => number) =>
    shards.reduce((total, shard) => total + numberOf(shard), 0);
  return {
    keys: sum((shard) => shard.keys),
    expiring: sum((shard) => shard.expiring),
    doomed: sum((shard) => shard.doomed),
    usedBytes: sum((shard) => shard.usedBytes),
    limitBytes: sum((shard) => shard.limitBytes),
    indexBytes: sum((shard) => shard.indexBytes),
    arenaBytes: sum((shard) => shard.arenaBytes),
    freeBlocksBytes: sum((shard) => shard.freeBlocksBytes),
    evictedKeys: sum((shard) => shard.evictedKeys),
    expiredKeys: sum((shard) => shard.expiredKeys),
    expiryLagMs: shards.reduce((latest, shard) => Math.max(latest, shard.expiryLagMs), 0),
    expiryLagMsMax: shards.reduce((latest, shard) => Math.max(latest, shard.expiryLagMsMax), 0),
    changes: sum((shard) => shard.changes),
    compactedEntries: sum((shard) => shard.compactedEntries),
    repairs: sum((shard) => shard.repairs),
    lockWaits: sum((shard) => shard.lockWaits),
    pendingLogBytes: sum((shard) => shard.pendingLogBytes),
  };
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
