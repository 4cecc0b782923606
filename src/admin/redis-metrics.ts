/**
 * A reading under the names of oliver006/redis_exporter (1.45), as far as the usual dashboards go by them: with
 * `metrics-redis-compat yes` they work without that exporter. Pure; main thread.
 *
 * Each number is what that exporter would tell from this server's INFO; its `cmd`, `db` and instance labels are kept.
 */
import { REDIS_VERSION } from '../base/version.ts';
import type { InfoSources } from '../commands/info-sources.ts';
import type { ClusterReading } from '../metrics/cluster-reading.ts';
import type { Metric } from '../metrics/names.ts';
import { labelText, type Page, writeFamily, writeNumber } from './exposition.ts';

type Row = Metric & { readonly valueOf: (sources: InfoSources) => number };
type ClusterRow = Metric & { readonly valueOf: (cluster: ClusterReading) => number };

const MS_PER_SECOND = 1000;

/** One number each. */
export const REDIS_METRICS: readonly Row[] = [
  {
    name: 'redis_up',
    type: 'gauge',
    unit: '',
    help: 'Whether the server answers: always 1.',
    valueOf: () => 1,
  },
  {
    name: 'redis_uptime_in_seconds',
    type: 'gauge',
    unit: 'seconds',
    help: 'How long the server has been up.',
    valueOf: ({ reading }) => reading.uptimeSeconds,
  },
  {
    name: 'redis_start_time_seconds',
    type: 'gauge',
    unit: 'seconds',
    help: 'When the server started, in seconds since 1970.',
    valueOf: ({ reading }) => Math.floor(reading.server.startedAtMs / MS_PER_SECOND),
  },
  {
    name: 'redis_loading_dump_file',
    type: 'gauge',
    unit: '',
    help: 'Whether the data set is being loaded: 1, else 0.',
    valueOf: ({ reading }) => reading.persistence.loading,
  },
  {
    name: 'redis_connected_clients',
    type: 'gauge',
    unit: '',
    help: 'Client connections open now.',
    valueOf: ({ reading }) => reading.totals.connectionsOpen,
  },
  {
    name: 'redis_blocked_clients',
    type: 'gauge',
    unit: '',
    help: 'Clients that wait in a blocking command: there are none yet.',
    valueOf: () => 0,
  },
  {
    name: 'redis_connected_slaves',
    type: 'gauge',
    unit: '',
    help: 'Nodes of the cluster that this one feeds with its changes.',
    valueOf: ({ attached }) => attached.replicas.length,
  },
  {
    name: 'redis_config_maxclients',
    type: 'gauge',
    unit: '',
    help: 'The directive maxclients.',
    valueOf: ({ config }) => config.maxclients,
  },
  {
    name: 'redis_config_maxmemory',
    type: 'gauge',
    unit: '',
    help: 'The directive maxmemory.',
    valueOf: ({ config }) => config.maxmemory,
  },
  {
    name: 'redis_memory_used_bytes',
    type: 'gauge',
    unit: 'bytes',
    help: 'Memory of keys, values and index.',
    valueOf: ({ memory }) => memory.usedBytes,
  },
  {
    name: 'redis_memory_used_rss_bytes',
    type: 'gauge',
    unit: 'bytes',
    help: 'Memory of the process that is in RAM.',
    valueOf: ({ memory }) => memory.residentBytes,
  },
  {
    name: 'redis_memory_used_peak_bytes',
    type: 'gauge',
    unit: 'bytes',
    help: 'The most memory that was used.',
    valueOf: ({ memory }) => memory.peakBytes,
  },
  {
    name: 'redis_memory_used_dataset_bytes',
    type: 'gauge',
    unit: 'bytes',
    help: 'Memory of keys and values alone.',
    valueOf: ({ memory }) => memory.datasetBytes,
  },
  {
    name: 'redis_memory_max_bytes',
    type: 'gauge',
    unit: 'bytes',
    help: 'The most memory that may be used.',
    valueOf: ({ config }) => config.maxmemory,
  },
  {
    name: 'redis_mem_fragmentation_ratio',
    type: 'gauge',
    unit: 'ratio',
    help: 'Memory in RAM for each byte used.',
    valueOf: ({ memory }) => memory.residentRatio,
  },
  {
    name: 'redis_connections_received_total',
    type: 'counter',
    unit: '',
    help: 'Client connections accepted.',
    valueOf: ({ reading }) => reading.totals.connectionsAccepted,
  },
  {
    name: 'redis_rejected_connections_total',
    type: 'counter',
    unit: '',
    help: 'Client connections refused.',
    valueOf: ({ reading }) => reading.totals.connectionsRefused,
  },
  {
    name: 'redis_commands_processed_total',
    type: 'counter',
    unit: '',
    help: 'Commands executed.',
    valueOf: ({ reading }) => reading.totals.commands,
  },
  {
    name: 'redis_keyspace_hits_total',
    type: 'counter',
    unit: '',
    help: 'Look-ups of keys that found one.',
    valueOf: ({ reading }) => reading.totals.keyspaceHits,
  },
  {
    name: 'redis_keyspace_misses_total',
    type: 'counter',
    unit: '',
    help: 'Look-ups of keys that found none.',
    valueOf: ({ reading }) => reading.totals.keyspaceMisses,
  },
  {
    name: 'redis_evicted_keys_total',
    type: 'counter',
    unit: '',
    help: 'Keys evicted.',
    valueOf: ({ reading }) => reading.keyspace.evictedKeys,
  },
  {
    name: 'redis_expired_keys_total',
    type: 'counter',
    unit: '',
    help: 'Keys removed after their deadline.',
    valueOf: ({ reading }) => reading.keyspace.expiredKeys,
  },
  {
    name: 'redis_net_input_bytes_total',
    type: 'counter',
    unit: 'bytes',
    help: 'Bytes read from clients.',
    valueOf: ({ reading }) => reading.totals.bytesIn,
  },
  {
    name: 'redis_net_output_bytes_total',
    type: 'counter',
    unit: 'bytes',
    help: 'Bytes sent to clients.',
    valueOf: ({ reading }) => reading.totals.bytesOut,
  },
  {
    name: 'redis_cpu_sys_seconds_total',
    type: 'counter',
    unit: 'seconds',
    help: 'Processor time spent in the kernel.',
    valueOf: ({ reading }) => reading.process.cpuSystemSeconds,
  },
  {
    name: 'redis_cpu_user_seconds_total',
    type: 'counter',
    unit: 'seconds',
    help: 'Processor time spent in the program.',
    valueOf: ({ reading }) => reading.process.cpuUserSeconds,
  },
  {
    name: 'redis_rdb_last_save_timestamp_seconds',
    type: 'gauge',
    unit: 'seconds',
    help: 'When the newest snapshot was whole, in seconds since 1970.',
    valueOf: ({ reading }) => Math.floor(reading.persistence.snapshotLastMs / MS_PER_SECOND),
  },
  {
    name: 'redis_rdb_last_bgsave_status',
    type: 'gauge',
    unit: '',
    help: 'Whether the last snapshot succeeded: 1, else 0.',
    valueOf: ({ reading }) => 1 - reading.persistence.snapshotLastFailed,
  },
  {
    name: 'redis_rdb_changes_since_last_save',
    type: 'gauge',
    unit: '',
    help: 'Changes since the newest snapshot.',
    valueOf: ({ reading }) => Math.max(0, reading.keyspace.changes - reading.persistence.snapshotLsns),
  },
  {
    name: 'redis_aof_enabled',
    type: 'gauge',
    unit: '',
    help: 'Whether changes are logged: 1, else 0.',
    valueOf: ({ reading }) => reading.persistence.logEnabled,
  },
  {
    name: 'redis_aof_last_write_status',
    type: 'gauge',
    unit: '',
    help: 'Whether the log can be written: 1, else 0.',
    valueOf: ({ reading }) => 1 - reading.persistence.logTroubled,
  },
  {
    name: 'redis_cluster_enabled',
    type: 'gauge',
    unit: '',
    help: 'Whether this server is a node of a cluster: 1, else 0.',
    valueOf: ({ config }) => (config.clusterEnabled ? 1 : 0),
  },
];

/** One number each, on a node of a cluster: what that exporter takes from CLUSTER INFO. */
export const REDIS_CLUSTER_METRICS: readonly ClusterRow[] = [
  {
    name: 'redis_cluster_state',
    type: 'gauge',
    unit: '',
    help: 'Whether this node serves its slots: 1, else 0.',
    valueOf: ({ isServing }) => (isServing ? 1 : 0),
  },
  {
    name: 'redis_cluster_slots_assigned',
    type: 'gauge',
    unit: '',
    help: 'Slots that have an owner.',
    valueOf: slotsAssigned,
  },
  {
    name: 'redis_cluster_slots_ok',
    type: 'gauge',
    unit: '',
    help: 'Slots whose owner is alive.',
    valueOf: ({ coveredSlots }) => coveredSlots,
  },
  {
    name: 'redis_cluster_slots_fail',
    type: 'gauge',
    unit: '',
    help: 'Slots whose owner is not.',
    valueOf: (cluster) => slotsAssigned(cluster) - cluster.coveredSlots,
  },
  {
    name: 'redis_cluster_known_nodes',
    type: 'gauge',
    unit: '',
    help: 'Nodes of the cluster.',
    valueOf: ({ nodes }) => nodes.length,
  },
  {
    name: 'redis_cluster_size',
    type: 'gauge',
    unit: '',
    help: 'Nodes that own slots.',
    valueOf: ({ nodes }) => nodes.filter(({ slots }) => slots > 0).length,
  },
  {
    name: 'redis_cluster_current_epoch',
    type: 'gauge',
    unit: '',
    help: 'The epoch of the topology.',
    valueOf: ({ epoch }) => epoch,
  },
  {
    name: 'redis_cluster_my_epoch',
    type: 'gauge',
    unit: '',
    help: 'The same: the topology has one.',
    valueOf: ({ epoch }) => epoch,
  },
];

export const REDIS_INSTANCE_METRIC: Metric = {
  name: 'redis_instance_info',
  type: 'gauge',
  unit: '',
  help: 'Always 1; the labels tell what is running.',
};

/** By database, all of them. */
export const REDIS_DATABASE_METRICS = [
  { field: 'keys', name: 'redis_db_keys', type: 'gauge', unit: '', help: 'Keys in the database.' },
  {
    field: 'expiring',
    name: 'redis_db_keys_expiring',
    type: 'gauge',
    unit: '',
    help: 'Keys in the database that have a deadline.',
  },
] as const satisfies readonly (Metric & { field: string })[];

/** By command that was called. */
export const REDIS_COMMAND_METRICS = [
  { field: 'calls', name: 'redis_commands_total', type: 'counter', unit: '', help: 'Calls of the command.' },
  {
    field: 'seconds',
    name: 'redis_commands_duration_seconds_total',
    type: 'counter',
    unit: 'seconds',
    help: 'How long all calls of the command took together.',
  },
  {
    field: 'rejected',
    name: 'redis_commands_rejected_calls_total',
    type: 'counter',
    unit: '',
    help: 'Calls of the command that were refused.',
  },
  {
    field: 'failed',
    name: 'redis_commands_failed_calls_total',
    type: 'counter',
    unit: '',
    help: 'Calls of the command that answered an error.',
  },
] as const satisfies readonly (Metric & { field: string })[];

export function writeRedisMetrics(page: Page, sources: InfoSources): void {
  const { reading } = sources;
  for (const row of REDIS_METRICS) writeNumber(page, row, row.valueOf(sources));
  const { cluster } = reading;
  if (cluster !== null) {
    for (const row of REDIS_CLUSTER_METRICS) writeNumber(page, row, row.valueOf(cluster));
  }
  writeFamily(page, REDIS_INSTANCE_METRIC, [1], [instanceLabels(sources)], Number);
  const databases = reading.databases.map((_, number) => labelText({ db: `db${number}` }));
  for (const row of REDIS_DATABASE_METRICS) {
    writeFamily(page, row, reading.databases, databases, (database) => database[row.field]);
  }
  const commands = reading.commands.map(({ name }) => labelText({ cmd: name }));
  for (const row of REDIS_COMMAND_METRICS) {
    writeFamily(page, row, reading.commands, commands, (command) => command[row.field]);
  }
}

function slotsAssigned({ nodes }: ClusterReading): number {
  return nodes.reduce((sum, { slots }) => sum + slots, 0);
}

function instanceLabels({ reading, config, operatingSystem, processId }: InfoSources): string {
  return labelText({
    role: 'master',
    redis_version: REDIS_VERSION,
    redis_mode: config.clusterEnabled ? 'cluster' : 'standalone',
    os: operatingSystem,
    maxmemory_policy: config.maxmemoryPolicy,
    tcp_port: `${config.port}`,
    run_id: reading.server.runId,
    process_id: `${processId}`,
  });
}
