/**
 * The sections of INFO as data: redis-server's titles, field names and order, with the numbers of a reading.
 *
 * Pure; any thread. Fields for which there is no number here are left out; a 0 is a true one: of something that this
 * server does not do (replication, scripts, forks), none has happened.
 */
import { REDIS_VERSION } from '../base/version.ts';
import { quantileOf } from '../metrics/histogram.ts';
import type { CounterField } from '../metrics/names.ts';
import type { Reading } from '../metrics/reading.ts';
import { persistenceLines } from './info-persistence.ts';
import type { InfoSources } from './info-sources.ts';
import { humanBytes } from './memory-figures.ts';
import { CHANNELS, PATTERNS, SHARD_CHANNELS } from './subscriptions.ts';

export type InfoSection = {
  /** What it is asked for by, in lower case. */
  readonly names: readonly string[];
  readonly title: string;
  readonly byDefault: boolean;
  readonly lines: (sources: InfoSources) => string[];
};

const SECONDS_PER_DAY = 86_400;
const US_PER_SECOND = 1e6;
const NS_PER_US = 1e3;
const PERCENT = 100;
const LRU_CLOCK_MASK = 0xffffff;
const NO_REPLICATION_ID = '0'.repeat(40);

export const INFO_SECTIONS: readonly InfoSection[] = [
  { names: ['server'], title: 'Server', byDefault: true, lines: serverLines },
  { names: ['clients'], title: 'Clients', byDefault: true, lines: clientLines },
  { names: ['memory'], title: 'Memory', byDefault: true, lines: memoryLines },
  { names: ['persistence'], title: 'Persistence', byDefault: true, lines: persistenceLines },
  { names: ['stats'], title: 'Stats', byDefault: true, lines: statisticsLines },
  { names: ['replication'], title: 'Replication', byDefault: true, lines: replicationLines },
  { names: ['cpu'], title: 'CPU', byDefault: true, lines: processorLines },
  { names: ['modules', 'module_list'], title: 'Modules', byDefault: true, lines: () => [] },
  { names: ['commandstats'], title: 'Commandstats', byDefault: false, lines: commandLines },
  { names: ['errorstats'], title: 'Errorstats', byDefault: true, lines: errorLines },
  { names: ['latencystats'], title: 'Latencystats', byDefault: false, lines: latencyLines },
  { names: ['cluster'], title: 'Cluster', byDefault: true, lines: clusterLines },
  { names: ['keyspace'], title: 'Keyspace', byDefault: true, lines: keyspaceLines },
];

function serverLines(sources: InfoSources): string[] {
  const { reading, config } = sources;
  const { server, takenAtMs, uptimeSeconds } = reading;
  return [
    `redis_version:${REDIS_VERSION}`,
    `distcache_version:${server.version}`,
    'redis_git_sha1:00000000',
    'redis_git_dirty:0',
    `redis_mode:${config.clusterEnabled ? 'cluster' : 'standalone'}`,
    `os:${sources.operatingSystem}`,
    'arch_bits:64',
    'multiplexing_api:libuv',
    `process_id:${sources.processId}`,
    'process_supervised:no',
    `run_id:${server.runId}`,
    `tcp_port:${config.port || config.tlsPort}`,
    `server_time_usec:${Math.floor(takenAtMs * 1000)}`,
    `uptime_in_seconds:${uptimeSeconds}`,
    `uptime_in_days:${Math.floor(uptimeSeconds / SECONDS_PER_DAY)}`,
    `hz:${config.texts.hz}`,
    `configured_hz:${config.texts.hz}`,
    `lru_clock:${Math.floor(takenAtMs / 1000) & LRU_CLOCK_MASK}`,
    `executable:${sources.executable}`,
    `config_file:${config.configFile ?? ''}`,
    `io_threads_active:${server.workers > 1 ? 1 : 0}`,
    `distcache_workers:${server.workers}`,
  ];
}

function clientLines({ reading, config }: InfoSources): string[] {
  return [
    `connected_clients:${reading.totals.connectionsOpen}`,
    'cluster_connections:0',
    `maxclients:${config.maxclients}`,
    `client_recent_max_input_buffer:${maxOf(reading, 'clientInputBytesMax')}`,
    `client_recent_max_output_buffer:${maxOf(reading, 'clientOutputBytesMax')}`,
    `blocked_clients:${reading.totals.clientsBlocked}`,
    `tracking_clients:${reading.totals.trackingClients}`,
    'clients_in_timeout_table:0',
  ];
}

/** Of all threads. */
function maxOf({ threads }: Reading, field: CounterField): number {
  return Math.max(...threads.map((thread) => thread[field]));
}

function memoryLines(sources: InfoSources): string[] {
  const { memory, config } = sources;
  const { usedBytes, peakBytes, residentBytes, arenaBytes } = memory;
  return [
    ...withHuman('used_memory', usedBytes),
    ...withHuman('used_memory_rss', residentBytes),
    ...withHuman('used_memory_peak', peakBytes),
    `used_memory_peak_perc:${memory.peakPercent.toFixed(2)}%`,
    `used_memory_overhead:${memory.overheadBytes}`,
    'used_memory_startup:0',
    `used_memory_dataset:${memory.datasetBytes}`,
    `used_memory_dataset_perc:${memory.datasetPercent.toFixed(2)}%`,
    `allocator_allocated:${usedBytes}`,
    `allocator_active:${arenaBytes}`,
    `allocator_resident:${arenaBytes}`,
    ...withHuman('total_system_memory', sources.totalMemoryBytes),
    ...scriptMemoryLines(),
    ...withHuman('maxmemory', config.maxmemory),
    `maxmemory_policy:${config.maxmemoryPolicy}`,
    `allocator_frag_ratio:${memory.arenaRatio.toFixed(2)}`,
    `allocator_frag_bytes:${arenaBytes - usedBytes}`,
    'allocator_rss_ratio:1.00',
    'allocator_rss_bytes:0',
    `rss_overhead_ratio:${memory.processRatio.toFixed(2)}`,
    `rss_overhead_bytes:${memory.processBytes}`,
    `mem_fragmentation_ratio:${memory.residentRatio.toFixed(2)}`,
    `mem_fragmentation_bytes:${residentBytes - usedBytes}`,
    'mem_not_counted_for_evict:0',
    'mem_replication_backlog:0',
    'mem_total_replication_buffers:0',
    'mem_clients_slaves:0',
    'mem_cluster_links:0',
    'mem_aof_buffer:0',
    'mem_allocator:tlsf',
    'active_defrag_running:0',
    `lazyfree_pending_objects:${sources.reading.keyspace.doomed + sources.reading.keyspace.doomedTrees}`,
  ];
}

/** There are no scripts and no functions, hence no memory of theirs. */
function scriptMemoryLines(): string[] {
  return [
    'used_memory_lua:0',
    'used_memory_vm_eval:0',
    'used_memory_lua_human:0B',
    'used_memory_scripts_eval:0',
    'number_of_cached_scripts:0',
    'number_of_functions:0',
    'number_of_libraries:0',
    'used_memory_vm_functions:0',
    ...withHuman('used_memory_vm_total', 0),
    'used_memory_functions:0',
    ...withHuman('used_memory_scripts', 0),
  ];
}

function statisticsLines({ reading, listening, trackingPrefixes }: InfoSources): string[] {
  const { totals, rates, keyspace } = reading;
  return [
    `total_connections_received:${totals.connectionsAccepted}`,
    `total_commands_processed:${totals.commands}`,
    `instantaneous_ops_per_sec:${Math.round(rates.opsPerSecond)}`,
    `total_net_input_bytes:${totals.bytesIn}`,
    `total_net_output_bytes:${totals.bytesOut}`,
    'total_net_repl_input_bytes:0',
    'total_net_repl_output_bytes:0',
    `instantaneous_input_kbps:${rates.inputKbps.toFixed(2)}`,
    `instantaneous_output_kbps:${rates.outputKbps.toFixed(2)}`,
    'instantaneous_input_repl_kbps:0.00',
    'instantaneous_output_repl_kbps:0.00',
    `rejected_connections:${totals.connectionsRefused}`,
    'sync_full:0',
    'sync_partial_ok:0',
    'sync_partial_err:0',
    `expired_subkeys:${keyspace.expiredFields}`,
    `expired_keys:${keyspace.expiredKeys}`,
    `evicted_keys:${keyspace.evictedKeys}`,
    `evicted_clients:${reading.totals.clientsEvicted}`,
    `keyspace_hits:${totals.keyspaceHits}`,
    `keyspace_misses:${totals.keyspaceMisses}`,
    `pubsub_channels:${listening[CHANNELS].size}`,
    `pubsub_patterns:${listening[PATTERNS].size}`,
    `pubsubshard_channels:${listening[SHARD_CHANNELS].size}`,
    'latest_fork_usec:0',
    'total_forks:0',
    'migrate_cached_sockets:0',
    'slave_expires_tracked_keys:0',
    'active_defrag_hits:0',
    'active_defrag_misses:0',
    'active_defrag_key_hits:0',
    'active_defrag_key_misses:0',
    `tracking_total_keys:${totals.trackedKeys}`,
    `tracking_total_items:${totals.trackedItems}`,
    `tracking_total_prefixes:${trackingPrefixes}`,
    'unexpected_error_replies:0',
    `total_error_replies:${totals.errorReplies}`,
    'dump_payload_sanitizations:0',
    `total_reads_processed:${totals.reads}`,
    `total_writes_processed:${totals.writes}`,
  ];
}

function clusterLines({ config }: InfoSources): string[] {
  return [`cluster_enabled:${config.clusterEnabled ? 1 : 0}`];
}

/** A node feeds others with the changes of the slots that they have replicas of; whose replicas it has itself is no part of this. */
function replicationLines({ reading, attached }: InfoSources): string[] {
  const { offset, replicas } = attached;
  return [
    'role:master',
    `connected_slaves:${replicas.length}`,
    ...replicas.map(
      ({ node, offset: acknowledged, lagSeconds }, at) =>
        `slave${at}:ip=${node.host},port=${node.port || node.tlsPort},state=online,offset=${acknowledged},lag=${lagSeconds}`,
    ),
    'master_failover_state:no-failover',
    `master_replid:${reading.server.runId}`,
    `master_replid2:${NO_REPLICATION_ID}`,
    `master_repl_offset:${offset}`,
    'second_repl_offset:-1',
    'repl_backlog_active:0',
    'repl_backlog_first_byte_offset:0',
    'repl_backlog_histlen:0',
  ];
}

function processorLines({ reading }: InfoSources): string[] {
  const { cpuSystemSeconds, cpuUserSeconds } = reading.process;
  return [
    `used_cpu_sys:${cpuSystemSeconds.toFixed(6)}`,
    `used_cpu_user:${cpuUserSeconds.toFixed(6)}`,
    'used_cpu_sys_children:0.000000',
    'used_cpu_user_children:0.000000',
  ];
}

function commandLines({ reading }: InfoSources): string[] {
  return reading.commands.map(({ name, calls, seconds, rejected, failed }) => {
    const us = seconds * US_PER_SECOND;
    const usPerCall = calls === 0 ? 0 : us / calls;
    const times = `usec=${Math.round(us)},usec_per_call=${usPerCall.toFixed(2)}`;
    return `cmdstat_${name}:calls=${calls},${times},rejected_calls=${rejected},failed_calls=${failed}`;
  });
}

function errorLines({ reading }: InfoSources): string[] {
  return reading.errors.map(({ prefix, count }) => `errorstat_${prefix}:count=${count}`);
}

function latencyLines({ latencies, config }: InfoSources): string[] {
  if (!config.latencyTracking) return [];
  const text = config.latencyTrackingInfoPercentiles;
  const percentiles = text === '' ? [] : text.split(' ');
  return latencies().map(({ name, histogram }) => {
    const parts = percentiles.map((percentile) => {
      const us = quantileOf(histogram, Number(percentile) / PERCENT) / NS_PER_US;
      return `p${percentile}=${us.toFixed(3)}`;
    });
    return `latency_percentiles_usec_${name}:${parts.join(',')}`;
  });
}

function keyspaceLines({ reading }: InfoSources): string[] {
  const lines = reading.databases.map(({ keys, expiring }, number) =>
    keys === 0 ? '' : `db${number}:keys=${keys},expires=${expiring},avg_ttl=0`,
  );
  return lines.filter((line) => line !== '');
}

function withHuman(field: string, bytes: number): string[] {
  return [`${field}:${bytes}`, `${field}_human:${humanBytes(bytes)}`];
}
