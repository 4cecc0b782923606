/** Tests of the Prometheus text, read back by a strict parser; and of that parser, on pages that are wrong. */
import { describe, expect, test } from 'vitest';
import { prometheusText } from '../../src/admin/prometheus.ts';
import { COMMAND_CALLS, COUNTER_METRICS, KEYSPACE_HITS } from '../../src/metrics/names.ts';
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
import { parsePrometheusText } from '../support/prometheus-parser.ts';
import { SAMPLE_STARTED_AT_MS, sampleShard, sampleSources, sampleStream } from '../support/sample-reading.ts';

function parsedPage(sources: ReadingSources) {
  return parsePrometheusText(prometheusText(takeReading(sources)));
}

function valuesOf(sources: ReadingSources, name: string) {
  return parsedPage(sources)
    .get(name)
    ?.samples.map(({ labels, value }) => ({ ...labels, value }));
}

describe('the Prometheus text', () => {
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
    expect(bucket(64e-9)).toBe(0);
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
    expect(prometheusText(takeReading(sources))).toContain('{command="a\\\\b\\"c\\nd,e=\\"f\\"} 1"} 1\n');
    expect(valuesOf(sources, 'distcache_command_calls_total')).toEqual([
      { command: sources.commandNames[0], value: 1 },
    ]);
  });
});

describe('the strict parser of these tests', () => {
  const head = '# HELP a_total Some.\n# TYPE a_total counter\n';
  const histogram = '# HELP h Some.\n# TYPE h histogram\n';

  test.each([
    ['no last line feed', `${head}a_total 1`],
    ['an empty line', `${head}\na_total 1\n`],
    ['no TYPE', '# HELP a_total Some.\na_total 1\n'],
    ['no HELP', '# TYPE a_total counter\na_total 1\n'],
    ['an unknown type', '# HELP a_total Some.\n# TYPE a_total count\na_total 1\n'],
    ['no sample', head],
    ['a name with a dash', `${head}a-total 1\n`],
    ['a sample of another family', `${head}b_total 1\n`],
    ['a value that is no number', `${head}a_total one\n`],
    ['a value that only JavaScript writes', `${head}a_total Infinity\n`],
    ['the same series twice', `${head}a_total{x="1",y="2"} 1\na_total{y="2",x="1"} 2\n`],
    ['the same label twice', `${head}a_total{x="1",x="2"} 1\n`],
    ['a quote in a label', `${head}a_total{x="a"b"} 1\n`],
    ['a bad escape', `${head}a_total{x="a\\tb"} 1\n`],
    ['a comma too many', `${head}a_total{x="a",} 1\n`],
    ['no labels in braces', `${head}a_total{} 1\n`],
    ['a family in two pieces', `${head}a_total{x="1"} 1\n${head}a_total{x="2"} 1\n`],
    ['no infinite bucket', `${histogram}h_bucket{le="1"} 1\nh_sum 1\nh_count 1\n`],
    ['buckets that fall', `${histogram}h_bucket{le="1"} 2\nh_bucket{le="+Inf"} 1\nh_sum 1\nh_count 1\n`],
    ['a count that differs', `${histogram}h_bucket{le="+Inf"} 1\nh_sum 1\nh_count 2\n`],
    ['no sum', `${histogram}h_bucket{le="+Inf"} 1\nh_count 1\n`],
  ])('refuses %s', (_, page) => {
    expect(() => parsePrometheusText(page)).toThrow();
  });
});

const empty = { keys: 0, expiring: 0 };
