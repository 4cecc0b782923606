/** Tests of a reading under this server's own names, read back from the Prometheus text by a strict parser. */
import { describe, expect, test } from 'vitest';
import { createPage, finishPage } from '../../src/admin/exposition.ts';
import { METRIC_GROUPS } from '../../src/admin/metric-groups.ts';
import { writeMissRatio, writeNativeMetrics } from '../../src/admin/native-metrics.ts';
import { countErrors } from '../../src/metrics/error-counts.ts';
import {
  FIRST_COMMAND_HISTOGRAM,
  LOOP_DELAYS_HISTOGRAM,
  recordLatency,
  TURNS_HISTOGRAM,
} from '../../src/metrics/latencies.ts';
import {
  COMMAND_CALLS,
  COMMAND_FAILED,
  COMMAND_NS,
  COMMAND_REJECTED,
  COUNTER_METRICS,
  KEYSPACE_HITS,
} from '../../src/metrics/names.ts';
import { createPersistenceBuffer, LOG_BREAKER_STATE } from '../../src/metrics/persistence.ts';
import { LOG_STREAM_METRICS, PERSISTENCE_METRICS } from '../../src/metrics/persistence-names.ts';
import { readPersistence } from '../../src/metrics/persistence-reading.ts';
import { type ReadingSources, takeReading } from '../../src/metrics/reading.ts';
import {
  DATABASE_METRICS,
  NS_TO_SECONDS,
  PROCESS_METRICS,
  SHARD_METRICS,
} from '../../src/metrics/shard-names.ts';
import { COMMAND_METRICS } from '../../src/metrics/timing-names.ts';
import { parsePrometheusText } from '../support/prometheus-parser.ts';
import {
  SAMPLE_STARTED_AT_MS,
  sampleCluster,
  sampleMissRatio,
  sampleShard,
  sampleSources,
  sampleStream,
} from '../support/sample-reading.ts';

function textOf(sources: ReadingSources): string {
  const page = createPage('text');
  writeNativeMetrics(page, takeReading(sources));
  return finishPage(page);
}

function parsedPage(sources: ReadingSources) {
  return parsePrometheusText(textOf(sources));
}

function valuesOf(sources: ReadingSources, name: string) {
  return parsedPage(sources)
    .get(name)
    ?.samples.map(({ labels, value }) => ({ ...labels, value }));
}

describe('the page of metrics', () => {
  test('has the keys of each type', () => {
    expect(valuesOf(sampleSources(), 'distcache_keys_by_type')).toEqual([
      { type: 'string', value: 18 },
      { type: 'hash', value: 12 },
    ]);
  });

  test('has each counter of each thread, with its help and type', () => {
    const sources = sampleSources();
    for (const counters of sources.counters)
      for (const { index } of COUNTER_METRICS) counters[index] = index + 1;
    const page = parsedPage(sources);
    for (const { name, type, help, index } of COUNTER_METRICS) {
      expect(page.get(name)).toMatchObject({ type, help });
      const samples = page.get(name)?.samples.map(({ labels, value }) => [labels, value]);
      expect(samples).toEqual(['main', '0', '1'].map((worker) => [{ worker }, index + 1]));
    }
  });

  test('has only commands that were called, and no family where none was', () => {
    const sources = sampleSources();
    expect(valuesOf(sources, 'distcache_command_calls_total')).toBeUndefined();
    sources.counters[1][COMMAND_CALLS + 2] = 3;
    expect(valuesOf(sources, 'distcache_command_calls_total')).toEqual([{ command: 'config|get', value: 3 }]);
  });

  test('has of each command its calls, refusals and failures, how long they took, and a histogram of that', () => {
    const sources = sampleSources();
    const [, one, other] = sources.counters;
    one[COMMAND_CALLS + 1] = 3;
    other[COMMAND_CALLS + 1] = 4;
    other[COMMAND_REJECTED + 1] = 5;
    one[COMMAND_FAILED + 1] = 2;
    other[COMMAND_NS + 1] = 6e9;
    recordLatency(sources.latencies[1], FIRST_COMMAND_HISTOGRAM + 1, 700, 3);
    recordLatency(sources.latencies[2], FIRST_COMMAND_HISTOGRAM + 1, 2e6, 4);
    const page = parsedPage(sources);
    const values = [7, 5, 2, 6];
    for (const [at, { name }] of COMMAND_METRICS.entries()) {
      expect(page.get(name)?.samples).toEqual([{ name, labels: { command: 'set' }, value: values[at] }]);
    }
    const samples = page.get('distcache_command_duration_seconds')?.samples ?? [];
    const buckets = samples.filter(({ labels }) => labels.le !== undefined);
    expect(buckets.map(({ value }) => value)).toEqual([0, 3, 3, 3, 3, 3, 3, 7, 7, 7, 7, 7]);
    expect(samples.at(-1)).toMatchObject({ labels: { command: 'set' }, value: 7 });
    expect(samples.at(-2)?.value).toBeCloseTo(3 * 700e-9 + 4 * 2e-3, 12);
    expect(page.get('distcache_command_duration_max_seconds')?.samples[0].value).toBe(0.002);
  });

  test('has the turns and the loop delays of each worker', () => {
    const sources = sampleSources();
    recordLatency(sources.latencies[2], TURNS_HISTOGRAM, 5000, 1);
    recordLatency(sources.latencies[1], LOOP_DELAYS_HISTOGRAM, 3e6, 2);
    const page = parsedPage(sources);
    const countsOf = (name: string) =>
      page
        .get(name)
        ?.samples.filter((sample) => sample.name === `${name}_count`)
        .map(({ labels, value }) => [labels.worker, value]);
    expect(countsOf('distcache_worker_turn_seconds')).toEqual([
      ['0', 0],
      ['1', 1],
    ]);
    expect(countsOf('distcache_worker_loop_delay_seconds')).toEqual([
      ['0', 2],
      ['1', 0],
    ]);
  });

  test('has errors by what they begin with', () => {
    const sources = sampleSources();
    countErrors(sources.counters[1], 'WRONGTYPE', 2);
    countErrors(sources.counters[2], 'WRONGTYPE', 1);
    countErrors(sources.counters[2], 'SOMETHING', 1);
    expect(valuesOf(sources, 'distcache_errors_total')).toEqual([
      { prefix: 'WRONGTYPE', value: 3 },
      { prefix: 'other', value: 1 },
    ]);
  });

  test('has every number of every shard in base units', () => {
    const sources = sampleSources();
    const page = parsedPage(sources);
    for (const { field, name, scale } of SHARD_METRICS) {
      const samples = page.get(name)?.samples.map(({ labels, value }) => [labels, value]);
      expect(samples).toEqual(
        [0, 1].map((index) => [{ shard: `${index}` }, sampleShard(index)[field] * scale]),
      );
    }
    expect(valuesOf(sources, 'distcache_shard_expiry_lag_seconds')).toEqual([
      { shard: '0', value: 0.002 },
      { shard: '1', value: 0.004 },
    ]);
  });

  test('has lock holds as a histogram in seconds', () => {
    const samples = parsedPage(sampleSources()).get('distcache_shard_lock_hold_seconds')?.samples ?? [];
    const ofShard = samples.filter(({ labels }) => labels.shard === '1');
    const bucket = (le: number) => ofShard.find(({ labels }) => Number(labels.le) === le)?.value;
    expect(bucket(64e-9)).toBeUndefined();
    expect(bucket(256e-9)).toBe(2);
    expect(ofShard.find(({ name }) => name.endsWith('_count'))?.value).toBe(2);
    expect(ofShard.find(({ name }) => name.endsWith('_sum'))?.value).toBeCloseTo(200e-9, 15);
  });

  test('has the longest lock hold of each shard in seconds', () => {
    expect(valuesOf(sampleSources(), 'distcache_shard_lock_hold_max_seconds')).toEqual([
      { shard: '0', value: 100 * NS_TO_SECONDS },
      { shard: '1', value: 100 * NS_TO_SECONDS },
    ]);
  });

  test('has for how long evicted keys had lain unused: a sum by shard, a histogram of all', () => {
    const page = parsedPage(sampleSources());
    expect(page.get('distcache_shard_evicted_idle_seconds')?.samples).toEqual([
      { name: 'distcache_shard_evicted_idle_seconds_sum', labels: { shard: '0' }, value: 300 },
      { name: 'distcache_shard_evicted_idle_seconds_count', labels: { shard: '0' }, value: 1 },
      { name: 'distcache_shard_evicted_idle_seconds_sum', labels: { shard: '1' }, value: 600 },
      { name: 'distcache_shard_evicted_idle_seconds_count', labels: { shard: '1' }, value: 2 },
    ]);
    const samples = page.get('distcache_evicted_idle_seconds')?.samples ?? [];
    expect(samples.filter(({ labels }) => ['256.0', '1024.0', '+Inf'].includes(labels.le))).toMatchObject([
      { labels: { le: '256.0' }, value: 0 },
      { labels: { le: '1024.0' }, value: 3 },
      { labels: { le: '+Inf' }, value: 3 },
    ]);
    expect(samples.slice(-2).map(({ value }) => value)).toEqual([900, 3]);
  });

  test('has how long syncs of the log took as a histogram in seconds', () => {
    const samples = parsedPage(sampleSources()).get('distcache_log_sync_seconds')?.samples ?? [];
    const ofStream = samples.filter(({ labels }) => labels.stream === '1');
    expect(ofStream.map(({ value }) => value)).toEqual([0, 0, 2, 2, 2, 2, 2, 2, 2, 2, 0.002, 2]);
    expect(ofStream[2].labels.le).toBe('0.001048576');
  });

  test('has the predicted hit ratios that are known', () => {
    const page = createPage('text');
    writeMissRatio(page, sampleMissRatio());
    const families = parsePrometheusText(finishPage(page));
    const values = (name: string) =>
      families.get(name)?.samples.map(({ labels, value }) => [labels.memory, value]);
    expect(values('distcache_predicted_hit_ratio')).toEqual([
      ['now', 0.75],
      ['double', 0.875],
    ]);
    expect(values('distcache_predicted_memory_bytes')).toEqual([
      ['now', 64e6],
      ['double', 128e6],
    ]);
    expect(families.get('distcache_sampled_keys')?.samples[0].value).toBe(1000);
  });

  test('has databases in use, the process, the build and the start', () => {
    const sources = {
      ...sampleSources(),
      shards: [{ ...sampleShard(0), databases: [empty, { keys: 4, expiring: 1 }] }],
    };
    const page = parsedPage(sources);
    for (const { field, name } of DATABASE_METRICS) {
      expect(valuesOf(sources, name)).toEqual([{ database: '1', value: { keys: 4, expiring: 1 }[field] }]);
    }
    for (const { field, name } of PROCESS_METRICS) {
      expect(page.get(name)?.samples).toEqual([{ name, labels: {}, value: sources.process[field] }]);
    }
    expect(valuesOf(sources, 'distcache_build_info')).toEqual([{ version: '0.1.0', workers: '2', value: 1 }]);
    expect(valuesOf(sources, 'distcache_start_time_seconds')).toEqual([
      { value: SAMPLE_STARTED_AT_MS / 1000 },
    ]);
  });

  test('has how loading, snapshots and the log stand, in base units', () => {
    const numbers = new Float64Array(createPersistenceBuffer(0)).map((_, index) => 1000 + index);
    const persistence = readPersistence(numbers);
    const page = parsedPage({ ...sampleSources(), persistence });
    for (const { field, name, type, help, scale } of PERSISTENCE_METRICS) {
      expect(page.get(name)).toMatchObject({ type, help });
      expect(page.get(name)?.samples).toEqual([{ name, labels: {}, value: persistence[field] * scale }]);
    }
    expect(page.get('distcache_snapshot_last_duration_seconds')?.samples[0].value).toBeCloseTo(1.012, 9);
    expect(page.get('distcache_log_breaker_openings_total')?.samples[0].value).toBe(1026);
  });

  test('leaves out what has never happened', () => {
    const page = parsedPage(sampleSources());
    expect(page.has('distcache_load_duration_seconds')).toBe(false);
    expect(page.has('distcache_snapshot_last_duration_seconds')).toBe(false);
    expect(valuesOf(sampleSources(), 'distcache_loading')).toEqual([{ value: 0 }]);
    expect(valuesOf(sampleSources(), 'distcache_snapshot_last_timestamp_seconds')).toEqual([
      { value: SAMPLE_STARTED_AT_MS / 1000 },
    ]);
  });

  test.each([
    [0, 'closed'],
    [1, 'open'],
    [2, 'half-open'],
  ])("has 1 for the state of the log's breaker that is number %i, %s", (number, name) => {
    const numbers = new Float64Array(createPersistenceBuffer(0));
    numbers[LOG_BREAKER_STATE] = number;
    const sources = { ...sampleSources(), persistence: readPersistence(numbers) };
    expect(valuesOf(sources, 'distcache_log_breaker_state')).toEqual(
      ['closed', 'open', 'half-open'].map((state) => ({ state, value: state === name ? 1 : 0 })),
    );
  });

  test('has every number of every stream of the log, and no family of them where there is no log', () => {
    const page = parsedPage(sampleSources());
    const none = parsedPage({ ...sampleSources(), log: [] });
    for (const { field, name, type, help, scale } of LOG_STREAM_METRICS) {
      expect(page.get(name)).toMatchObject({ type, help });
      const samples = page.get(name)?.samples.map(({ labels, value }) => [labels, value]);
      expect(samples).toEqual(
        [0, 1].map((index) => [{ stream: `${index}` }, sampleStream(index)[field] * scale]),
      );
      expect(none.has(name)).toBe(false);
    }
  });

  test('is whole for a server without shards, and writes no number in a way that scrapers cannot read', () => {
    const sources = { ...sampleSources(), shards: [] };
    const extremes = [2 ** 53, 1e21, 1e-9, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, Number.NaN];
    for (const extreme of extremes) {
      sources.counters[0][KEYSPACE_HITS] = extreme;
      const [{ value }] = valuesOf(sources, 'distcache_keyspace_hits_total') ?? [];
      expect(value).toBe(extreme);
    }
  });

  test('escapes backslash, quote and line feed in labels', () => {
    const sources = { ...sampleSources(), commandNames: ['a\\b"c\nd,e="f"} 1'] };
    sources.counters[0][COMMAND_CALLS] = 1;
    expect(textOf(sources)).toContain('{command="a\\\\b\\"c\\nd,e=\\"f\\"} 1"} 1\n');
    expect(valuesOf(sources, 'distcache_command_calls_total')).toEqual([
      { command: sources.commandNames[0], value: 1 },
    ]);
  });
});

const empty = { keys: 0, expiring: 0 };

describe('the metrics of a cluster', () => {
  const one = 'a'.repeat(40);
  const other = 'b'.repeat(40);
  const valuesIn = (name: string, cluster = sampleCluster()) =>
    valuesOf({ ...sampleSources(), cluster }, name);

  test('are not there on a node that is alone', () => {
    const page = textOf(sampleSources());
    const families = METRIC_GROUPS.filter(({ isOfCluster }) => isOfCluster).flatMap(({ metrics }) => metrics);
    expect(families.length).toBeGreaterThan(15);
    for (const { name } of families) expect(page).not.toContain(`# TYPE ${name} `);
  });

  test('are there in all families on a node of one', () => {
    const page = parsedPage({ ...sampleSources(), cluster: sampleCluster() });
    for (const { isOfCluster, metrics, labels } of METRIC_GROUPS) {
      if (!isOfCluster) continue;
      for (const { name } of metrics)
        expect(Object.keys(page.get(name)?.samples[0].labels ?? { no: '' })).toEqual(labels);
    }
  });

  test('tell how the node stands', () => {
    expect(valuesIn('distcache_cluster_epoch')).toEqual([{ value: 42 }]);
    expect(valuesIn('distcache_cluster_lease_seconds')).toEqual([{ value: 2.5 }]);
    expect(valuesIn('distcache_cluster_covered_slots')).toEqual([{ value: 16_384 }]);
    expect(valuesIn('distcache_cluster_coordinator')).toEqual([{ value: 1 }]);
    expect(valuesIn('distcache_cluster_nodes')).toEqual([
      { state: 'alive', value: 1 },
      { state: 'dead', value: 1 },
    ]);
    expect(valuesIn('distcache_cluster_keys')).toEqual([
      { role: 'own', value: 10 },
      { role: 'replica', value: 7 },
      { role: 'importing', value: 1 },
      { role: 'strange', value: 3 },
    ]);
  });

  test('tell of each node what is known, and leave out what is not', () => {
    expect(valuesIn('distcache_cluster_node_alive')).toEqual([
      { node: one, value: 1 },
      { node: other, value: 0 },
    ]);
    expect(valuesIn('distcache_replication_in_sync_slots')).toEqual([{ node: other, value: 8000 }]);
    expect(valuesIn('distcache_replication_connected')).toEqual([{ node: other, value: 1 }]);
    expect(valuesIn('distcache_replication_behind_bytes')).toEqual([{ node: other, value: 700 }]);
    expect(valuesIn('distcache_replication_heard_seconds')).toEqual([{ node: other, value: 1.5 }]);
    expect(valuesIn('distcache_peer_ping_seconds')).toEqual([{ node: other, value: 0.00025 }]);
    expect(valuesIn('distcache_peer_circuit_state')).toEqual([
      { node: other, state: 'closed', value: 0 },
      { node: other, state: 'open', value: 1 },
      { node: other, state: 'half-open', value: 0 },
    ]);
    const nobody = { ...sampleCluster(), nodes: [sampleCluster().nodes[0]] };
    expect(valuesIn('distcache_peer_circuit_state', nobody)).toBeUndefined();
  });
});
