/**
 * A reading under this server's own names, as a page of metrics. Pure; main thread.
 *
 * The series are bounded: one per thread, shard, stream, database in use, command or error prefix that occurred, never per
 * client or key. With 64 workers, 256 shards and all commands in use that is some ten thousand lines, so the families are
 * written straight from the reading, with the text of each label made once.
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
import type { ByRole, ClusterNodeReading, ClusterReading } from '../metrics/cluster-reading.ts';
import type { HistogramReading } from '../metrics/histogram.ts';
import type { MissRatioReading } from '../metrics/miss-ratio.ts';
import {
  PREDICTED_HIT_RATIO_METRIC,
  PREDICTED_MEMORY_METRIC,
  SAMPLED_KEYS_METRIC,
} from '../metrics/miss-ratio-names.ts';
import { COUNTER_METRICS, type Metric } from '../metrics/names.ts';
import {
  BREAKER_STATE_METRIC,
  BREAKER_STATES,
  LOG_STREAM_METRICS,
  PERSISTENCE_METRICS,
  SYNC_METRIC,
} from '../metrics/persistence-names.ts';
import type { Reading } from '../metrics/reading.ts';
import {
  BUILD_INFO_METRIC,
  DATABASE_METRICS,
  EVICTED_IDLE_METRIC,
  LOCK_HOLD_MAX_METRIC,
  LOCK_HOLD_METRIC,
  NS_TO_SECONDS,
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
  createBounds,
  labelText,
  type Page,
  writeFamily,
  writeHistograms,
  writeNumber,
  writeSummaries,
} from './exposition.ts';

const NS_PER_SECOND = 1e9;
const MS_PER_SECOND = 1000;

/** 256 ns to 17 ms: few, because there is a histogram for each shard. */
const LOCK_HOLD_BOUNDS = createBounds(8, 24, 2, NS_PER_SECOND);
/** 256 ns to 0.27 s. */
const COMMAND_BOUNDS = createBounds(8, 28, 2, NS_PER_SECOND);
/** 1 us to 1.1 s. */
const TURN_BOUNDS = createBounds(10, 30, 2, NS_PER_SECOND);
/** 66 us to 4.3 s. */
const SLOW_BOUNDS = createBounds(16, 32, 2, NS_PER_SECOND);
/** A second to 48 days. */
const EVICTED_IDLE_BOUNDS = createBounds(0, 22, 2, 1);

export function writeNativeMetrics(page: Page, reading: Reading): void {
  writeServer(page, reading);
  writeThreads(page, reading);
  writeWorkers(page, reading);
  writeCommands(page, reading);
  writeErrors(page, reading);
  writeShards(page, reading);
  writeDatabases(page, reading);
  writeTypes(page, reading);
  writePersistence(page, reading);
  writeLog(page, reading);
  if (reading.cluster !== null) writeCluster(page, reading.cluster);
}

/** What the hit ratio would be with other memory; sizes of which nothing is known yet are left out. */
export function writeMissRatio(page: Page, reading: MissRatioReading): void {
  const sizes = (['half', 'now', 'double'] as const).map((memory) => ({ memory, ...reading[memory] }));
  const known = sizes.flatMap((size) =>
    size.hitRatio === null ? [] : [{ ...size, hitRatio: size.hitRatio }],
  );
  const labels = known.map(({ memory }) => labelText({ memory }));
  writeFamily(page, PREDICTED_HIT_RATIO_METRIC, known, labels, ({ hitRatio }) => hitRatio);
  writeFamily(page, PREDICTED_MEMORY_METRIC, known, labels, ({ bytes }) => bytes);
  writeNumber(page, SAMPLED_KEYS_METRIC, reading.sampledKeys);
}

function writeServer(page: Page, { server, process }: Reading): void {
  const build = labelText({ version: server.version, workers: `${server.workers}` });
  writeFamily(page, BUILD_INFO_METRIC, [1], [build], Number);
  writeNumber(page, START_TIME_METRIC, server.startedAtMs / MS_PER_SECOND);
  for (const metric of PROCESS_METRICS) writeNumber(page, metric, process[metric.field]);
}

function writeThreads(page: Page, { threads }: Reading): void {
  const labels = threads.map((_, index) => labelText({ worker: index === 0 ? 'main' : `${index - 1}` }));
  for (const metric of COUNTER_METRICS) {
    writeFamily(page, metric, threads, labels, (thread) => thread[metric.field]);
  }
}

function writeWorkers(page: Page, { workers }: Reading): void {
  const labels = workers.map(({ index }) => labelText({ worker: `${index}` }));
  const turns = workers.map(({ turnNs }) => turnNs);
  writeHistograms(page, WORKER_TURN_METRIC, turns, labels, TURN_BOUNDS);
  const delays = workers.map(({ loopDelayNs }) => loopDelayNs);
  writeHistograms(page, LOOP_DELAY_METRIC, delays, labels, SLOW_BOUNDS);
}

function writeCommands(page: Page, { commands }: Reading): void {
  const labels = commands.map(({ name }) => labelText({ command: name }));
  for (const metric of COMMAND_METRICS) {
    writeFamily(page, metric, commands, labels, (command) => command[metric.field]);
  }
  const latencies = commands.map(({ latencyNs }) => latencyNs);
  writeHistograms(page, COMMAND_DURATION_METRIC, latencies, labels, COMMAND_BOUNDS);
  writeFamily(page, COMMAND_DURATION_MAX_METRIC, latencies, labels, ({ max }) => max * NS_TO_SECONDS);
}

function writeErrors(page: Page, { errors }: Reading): void {
  const labels = errors.map(({ prefix }) => labelText({ prefix }));
  writeFamily(page, ERRORS_METRIC, errors, labels, ({ count }) => count);
}

function writeShards(page: Page, { shards }: Reading): void {
  const labels = shards.map(({ index }) => labelText({ shard: `${index}` }));
  for (const metric of SHARD_METRICS) {
    writeFamily(page, metric, shards, labels, (shard) => shard[metric.field] * metric.scale);
  }
  const holds = shards.map(({ lockHoldNs }) => lockHoldNs);
  writeHistograms(page, LOCK_HOLD_METRIC, holds, labels, LOCK_HOLD_BOUNDS);
  writeFamily(page, LOCK_HOLD_MAX_METRIC, holds, labels, ({ max }) => max * NS_TO_SECONDS);
  const idle = shards.map(({ evictedIdleSeconds }) => evictedIdleSeconds);
  writeSummaries(page, SHARD_EVICTED_IDLE_METRIC, idle, labels, 1);
  if (idle.length > 0) writeHistograms(page, EVICTED_IDLE_METRIC, [addUp(idle)], [''], EVICTED_IDLE_BOUNDS);
}

function writeDatabases(page: Page, { databases }: Reading): void {
  const used = databases.flatMap(({ keys, expiring }, number) =>
    keys === 0 ? [] : [{ number, keys, expiring }],
  );
  const labels = used.map(({ number }) => labelText({ database: `${number}` }));
  for (const metric of DATABASE_METRICS) {
    writeFamily(page, metric, used, labels, (database) => database[metric.field]);
  }
}

function writeTypes(page: Page, { types }: Reading): void {
  const labels = types.map(({ name }) => labelText({ type: name }));
  writeFamily(page, TYPE_METRIC, types, labels, ({ keys }) => keys);
}

function writePersistence(page: Page, { persistence }: Reading): void {
  for (const metric of PERSISTENCE_METRICS) {
    const value = persistence[metric.field];
    if (value >= 0) writeNumber(page, metric, value * metric.scale);
  }
  const labels = BREAKER_STATES.map((state) => labelText({ state }));
  writeFamily(page, BREAKER_STATE_METRIC, [...BREAKER_STATES.keys()], labels, (number) =>
    persistence.logBreakerState === number ? 1 : 0,
  );
}

function writeLog(page: Page, { log }: Reading): void {
  const labels = log.map((_, index) => labelText({ stream: `${index}` }));
  for (const metric of LOG_STREAM_METRICS) {
    writeFamily(page, metric, log, labels, (stream) => stream[metric.field] * metric.scale);
  }
  const syncs = log.map(({ syncNs }) => syncNs);
  writeHistograms(page, SYNC_METRIC, syncs, labels, SLOW_BOUNDS);
}

function writeCluster(page: Page, cluster: ClusterReading): void {
  const { nodes } = cluster;
  for (const metric of CLUSTER_METRICS) writeNumber(page, metric, cluster[metric.field] * metric.scale);
  writeNumber(page, COORDINATOR_METRIC, nodes.some((node) => node.isOwn && node.isCoordinator) ? 1 : 0);
  const alive = nodes.filter(({ isAlive }) => isAlive).length;
  const counts = [alive, nodes.length - alive];
  writeFamily(page, CLUSTER_NODES_METRIC, counts, ['state="alive"', 'state="dead"'], Number);
  writeRoles(page, CLUSTER_SLOTS_METRIC, cluster.slots);
  writeRoles(page, CLUSTER_KEYS_METRIC, cluster.keys);
  writeNodes(page, NODE_ALIVE_METRIC, nodes, ({ isAlive }) => (isAlive ? 1 : 0));
  writeNodes(page, NODE_SLOTS_METRIC, nodes, ({ slots }) => slots);
  const fed = nodes.filter(({ fedSlots }) => fedSlots > 0);
  for (const metric of REPLICATION_METRICS)
    writeNodes(page, metric, fed, (node) => Number(node[metric.field]));
  writeNodes(page, REPLICATION_HEARD_METRIC, fed, ({ fedHeardAgoMs }) => scaled(fedHeardAgoMs));
  const circuits = nodes.filter(({ circuit }) => circuit !== null);
  const states = circuits.flatMap((node) => BREAKER_STATES.map((state) => ({ node, state })));
  const labels = states.map(({ node, state }) => labelText({ node: node.id, state }));
  writeFamily(page, PEER_CIRCUIT_METRIC, states, labels, ({ node, state }) =>
    node.circuit === state ? 1 : 0,
  );
  writeNodes(page, PEER_PING_METRIC, nodes, ({ pingMs }) => scaled(pingMs));
  writeNodes(page, PEER_COMMANDS_METRIC, nodes, ({ commandsPerSecond }) => commandsPerSecond);
}

function writeRoles(page: Page, metric: Metric, counts: ByRole): void {
  const roles = Object.keys(counts) as (keyof ByRole)[];
  const labels = roles.map((role) => labelText({ role }));
  writeFamily(page, metric, roles, labels, (role) => counts[role]);
}

/** What is not known of a node is left out. */
function writeNodes(
  page: Page,
  metric: Metric,
  nodes: readonly ClusterNodeReading[],
  numberOf: (node: ClusterNodeReading) => number | null,
): void {
  const known = nodes.flatMap((node) => {
    const value = numberOf(node);
    return value === null ? [] : [{ value, label: labelText({ node: node.id }) }];
  });
  const labels = known.map(({ label }) => label);
  writeFamily(page, metric, known, labels, ({ value }) => value);
}

function scaled(ms: number | null): number | null {
  return ms === null ? null : ms / MS_PER_SECOND;
}

/** Histograms with the same bounds as one; its quantiles are not told. */
function addUp(histograms: readonly HistogramReading[]): HistogramReading {
  const sum: HistogramReading = { count: 0, sum: 0, max: 0, p50: 0, p99: 0, p999: 0, below: [] };
  sum.below = histograms[0].below.map(({ bound }) => ({ bound, count: 0 }));
  for (const { count, sum: total, below } of histograms) {
    sum.count += count;
    sum.sum += total;
    below.forEach((bucket, at) => {
      sum.below[at].count += bucket.count;
    });
  }
  return sum;
}
