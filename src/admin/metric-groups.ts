/**
 * All metrics in groups, for whoever wants to know of every one: the page that documents them, and the tests. Constants
 * only; main thread.
 */
import {
  CLUSTER_KEYS_METRIC,
  CLUSTER_METRICS,
  CLUSTER_NODES_METRIC,
  CLUSTER_SLOTS_METRIC,
  COORDINATOR_METRIC,
  NODE_ALIVE_METRIC,
  NODE_SLOTS_METRIC,
  PEER_CIRCUIT_METRIC,
  PEER_COMMANDS_METRIC,
  PEER_PING_METRIC,
  REPLICATION_HEARD_METRIC,
  REPLICATION_METRICS,
} from '../metrics/cluster-names.ts';
import {
  PREDICTED_HIT_RATIO_METRIC,
  PREDICTED_MEMORY_METRIC,
  SAMPLED_KEYS_METRIC,
} from '../metrics/miss-ratio-names.ts';
import { COUNTER_METRICS, type Metric } from '../metrics/names.ts';
import {
  BREAKER_STATE_METRIC,
  LOG_STREAM_METRICS,
  PERSISTENCE_METRICS,
  SYNC_METRIC,
} from '../metrics/persistence-names.ts';
import {
  BUILD_INFO_METRIC,
  DATABASE_METRICS,
  EVICTED_IDLE_METRIC,
  LOCK_HOLD_MAX_METRIC,
  LOCK_HOLD_METRIC,
  PROCESS_METRICS,
  SHARD_EVICTED_IDLE_METRIC,
  SHARD_METRICS,
  START_TIME_METRIC,
  TYPE_METRIC,
} from '../metrics/shard-names.ts';
import {
  COMMAND_DURATION_MAX_METRIC,
  COMMAND_DURATION_METRIC,
  COMMAND_METRICS,
  ERRORS_METRIC,
  LOOP_DELAY_METRIC,
  WORKER_TURN_METRIC,
} from '../metrics/timing-names.ts';
import {
  REDIS_CLUSTER_METRICS,
  REDIS_COMMAND_METRICS,
  REDIS_DATABASE_METRICS,
  REDIS_INSTANCE_METRIC,
  REDIS_METRICS,
} from './redis-metrics.ts';

/** Metrics that have the same labels. */
export type MetricGroup = {
  readonly title: string;
  readonly labels: readonly string[];
  readonly metrics: readonly Metric[];
  /** There on a node of a cluster only. */
  readonly isOfCluster?: true;
};

/** This server's own names, `distcache_*`. */
export const METRIC_GROUPS: readonly MetricGroup[] = [
  { title: 'The build', labels: ['version', 'workers'], metrics: [BUILD_INFO_METRIC] },
  { title: 'The process', labels: [], metrics: [START_TIME_METRIC, ...PROCESS_METRICS] },
  { title: 'Threads', labels: ['worker'], metrics: COUNTER_METRICS },
  { title: 'Workers', labels: ['worker'], metrics: [WORKER_TURN_METRIC, LOOP_DELAY_METRIC] },
  {
    title: 'Commands',
    labels: ['command'],
    metrics: [...COMMAND_METRICS, COMMAND_DURATION_METRIC, COMMAND_DURATION_MAX_METRIC],
  },
  { title: 'Errors', labels: ['prefix'], metrics: [ERRORS_METRIC] },
  {
    title: 'Shards',
    labels: ['shard'],
    metrics: [...SHARD_METRICS, LOCK_HOLD_METRIC, LOCK_HOLD_MAX_METRIC, SHARD_EVICTED_IDLE_METRIC],
  },
  { title: 'All shards', labels: [], metrics: [EVICTED_IDLE_METRIC] },
  { title: 'Databases', labels: ['database'], metrics: DATABASE_METRICS },
  { title: 'Types of keys', labels: ['type'], metrics: [TYPE_METRIC] },
  { title: 'Loading, snapshots, log', labels: [], metrics: PERSISTENCE_METRICS },
  { title: "The log's circuit breaker", labels: ['state'], metrics: [BREAKER_STATE_METRIC] },
  { title: 'Streams of the log', labels: ['stream'], metrics: [...LOG_STREAM_METRICS, SYNC_METRIC] },
  {
    title: 'The hit ratio with other memory',
    labels: ['memory'],
    metrics: [PREDICTED_HIT_RATIO_METRIC, PREDICTED_MEMORY_METRIC],
  },
  { title: 'What that is predicted from', labels: [], metrics: [SAMPLED_KEYS_METRIC] },
  {
    title: 'A node of a cluster',
    labels: [],
    metrics: [...CLUSTER_METRICS, COORDINATOR_METRIC],
    isOfCluster: true,
  },
  {
    title: 'The nodes of a cluster',
    labels: ['state'],
    metrics: [CLUSTER_NODES_METRIC],
    isOfCluster: true,
  },
  {
    title: 'Slots of a cluster and their keys',
    labels: ['role'],
    metrics: [CLUSTER_SLOTS_METRIC, CLUSTER_KEYS_METRIC],
    isOfCluster: true,
  },
  {
    title: 'Each node of a cluster',
    labels: ['node'],
    metrics: [
      ...[NODE_ALIVE_METRIC, NODE_SLOTS_METRIC],
      ...REPLICATION_METRICS,
      REPLICATION_HEARD_METRIC,
      ...[PEER_PING_METRIC, PEER_COMMANDS_METRIC],
    ],
    isOfCluster: true,
  },
  {
    title: 'Circuit breakers to other nodes',
    labels: ['node', 'state'],
    metrics: [PEER_CIRCUIT_METRIC],
    isOfCluster: true,
  },
];

/** With `metrics-redis-compat yes`. */
export const REDIS_METRIC_GROUPS: readonly MetricGroup[] = [
  { title: 'The server', labels: [], metrics: REDIS_METRICS },
  {
    title: 'What is running',
    labels: [
      ...[
        'role',
        'redis_version',
        'redis_mode',
        'os',
        'maxmemory_policy',
        'tcp_port',
        'run_id',
        'process_id',
      ],
    ],
    metrics: [REDIS_INSTANCE_METRIC],
  },
  { title: 'Databases', labels: ['db'], metrics: REDIS_DATABASE_METRICS },
  { title: 'Commands', labels: ['cmd'], metrics: REDIS_COMMAND_METRICS },
  { title: 'A node of a cluster', labels: [], metrics: REDIS_CLUSTER_METRICS, isOfCluster: true },
];
