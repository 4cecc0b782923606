/**
 * The metrics of a real server that was used: every row of every table is on the page and counts what was done, in both
 * formats, and Prometheus' own checker has nothing to say against it.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { METRIC_GROUPS, type MetricGroup, REDIS_METRIC_GROUPS } from '../../src/admin/metric-groups.ts';
import type { Reading } from '../../src/metrics/reading.ts';
import type { DistcacheServer } from '../support/distcache-server.ts';
import { askAll, createDataFolder } from '../support/lasting-folder.ts';
import { type ParsedFamily, parseOpenMetrics, parsePrometheusText } from '../support/prometheus-parser.ts';
import { eventually } from '../support/readings.ts';
import { describeWithTools, runTool } from '../support/tools.ts';
import { openWire, type Wire } from '../support/wire.ts';

const OPEN_METRICS = 'application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5,*/*;q=0.1';
const KEYS_MAX = 100;
const KEYS_SET = 300;
const SLEEP_SECONDS = 0.05;

const folder = createDataFolder();
let server: DistcacheServer;
let wire: Wire;
let page: Map<string, ParsedFamily>;

async function fetchMetrics(accept = 'text/plain'): Promise<string> {
  return (await fetch(`http://127.0.0.1:${server.httpPort}/metrics`, { headers: { accept } })).text();
}

/** Groups that a server that is alone has, too. */
const isOfAll = ({ isOfCluster }: MetricGroup): boolean => isOfCluster !== true;

function total(name: string, labels: Record<string, string> = {}): number {
  const samples = page.get(name)?.samples ?? [];
  const chosen = samples.filter(({ labels: found }) =>
    Object.entries(labels).every(([label, value]) => found[label] === value),
  );
  return chosen.reduce((sum, { value }) => sum + value, 0);
}

beforeAll(async () => {
  const flags = ['--appendonly', 'yes', '--maxkeys', `${KEYS_MAX}`];
  await (await folder.start(flags)).stop();
  server = await folder.start([...flags, '--metrics-redis-compat', 'yes', '--lock-hold-sampling', '1']);
  wire = await openWire(server.port);
  await use();
  page = parsePrometheusText(await fetchMetrics());
});

afterAll(async () => {
  wire.close();
  await folder.remove();
});

/** Something of everything that the tables count. */
async function use(): Promise<void> {
  const keys = Array.from({ length: KEYS_SET }, (_, index) => `key:${index}`);
  await askAll(
    wire,
    keys.map((key) => ['SET', key, 'value']),
  );
  await wire.ask('GET', `key:${KEYS_SET - 1}`);
  await wire.ask('GET', 'no-such-key');
  await wire.ask('INCR', `key:${KEYS_SET - 1}`);
  await wire.ask('GET');
  await wire.ask('DEBUG', 'SLEEP', `${SLEEP_SECONDS}`);
  await wire.ask('SET', 'short', 'lived', 'PX', '1');
  await eventually(async () => (await wire.ask('EXISTS', 'short')) === ':0');
  expect(await wire.ask('BGREWRITEAOF')).toMatch(/^\+/);
  await eventually(async () => String(await wire.ask('INFO', 'persistence')).includes('aof_rewrites:1\r\n'));
}

describe('the metrics of a server that was used', () => {
  it.each(METRIC_GROUPS.filter(isOfAll))(
    'have every row of the table "$title", with its labels',
    ({ labels, metrics }) => {
      for (const { name, type, help } of metrics) {
        const family = page.get(name);
        expect(family, name).toMatchObject({ type, help });
        for (const sample of family?.samples ?? []) {
          const { le, quantile, ...others } = sample.labels;
          expect(Object.keys(others), name).toEqual(labels);
        }
      }
    },
  );

  it.each(REDIS_METRIC_GROUPS.filter(isOfAll))(
    'have every row of the table of Redis "$title"',
    ({ labels, metrics }) => {
      for (const { name, type, help } of metrics) {
        expect(page.get(name), name).toMatchObject({ type, help });
        expect(Object.keys(page.get(name)?.samples[0].labels ?? {}), name).toEqual(labels);
      }
    },
  );

  it('have nothing that no table names', () => {
    const groups = [...METRIC_GROUPS, ...REDIS_METRIC_GROUPS];
    const names = new Set(groups.flatMap(({ metrics }) => metrics.map(({ name }) => name)));
    expect([...page.keys()].filter((name) => !names.has(name))).toEqual([]);
  });

  it('count what was done', () => {
    expect(total('distcache_command_calls_total', { command: 'set' })).toBe(KEYS_SET + 1);
    expect(total('distcache_keyspace_hits_total')).toBeGreaterThanOrEqual(1);
    expect(total('distcache_keyspace_misses_total')).toBeGreaterThanOrEqual(1);
    expect(total('distcache_error_replies_total')).toBe(2);
    expect(total('distcache_errors_total', { prefix: 'ERR' })).toBe(2);
    expect(total('distcache_command_failed_calls_total', { command: 'incr' })).toBe(1);
    expect(total('distcache_command_rejected_calls_total', { command: 'get' })).toBe(1);
    expect(total('distcache_shard_keys')).toBe(total('distcache_database_keys'));
    expect(total('distcache_shard_evicted_keys_total')).toBeGreaterThan(0);
    expect(total('distcache_log_syncs_total')).toBeGreaterThan(0);
    expect(total('distcache_snapshots_total')).toBeGreaterThan(0);
  });

  it('tell how long commands really took', () => {
    const seconds = (command: string) => total('distcache_command_seconds_total', { command });
    const slow = page
      .get('distcache_command_duration_seconds')
      ?.samples.filter(({ name, labels }) => labels.command === 'debug' && name.endsWith('_bucket'));
    // A timer may come a moment early.
    expect(seconds('debug')).toBeGreaterThan(0.98 * SLEEP_SECONDS);
    for (const { labels, value } of slow ?? []) {
      if (Number(labels.le) < SLEEP_SECONDS) expect(value, labels.le).toBe(0);
    }
    expect(slow?.at(-1)?.value).toBe(1);
    expect(seconds('set')).toBeGreaterThan(0);
    expect(seconds('set') / KEYS_SET).toBeLessThan(SLEEP_SECONDS / 10);
  });

  it('say the same in histograms and counters', () => {
    const countOf = (name: string) =>
      (page.get(name)?.samples ?? [])
        .filter((sample) => sample.name === `${name}_count`)
        .reduce((sum, { value }) => sum + value, 0);
    const calls = page.get('distcache_command_calls_total')?.samples ?? [];
    expect(calls.length).toBeGreaterThan(5);
    for (const { labels, value } of calls) {
      const count = page
        .get('distcache_command_duration_seconds')
        ?.samples.find(
          ({ name, labels: found }) => name.endsWith('_count') && found.command === labels.command,
        );
      expect(count?.value, labels.command).toBe(value);
    }
    expect(total('distcache_errors_total')).toBe(total('distcache_error_replies_total'));
    expect(countOf('distcache_worker_turn_seconds')).toBe(total('distcache_turns_total'));
    expect(countOf('distcache_log_sync_seconds')).toBe(total('distcache_log_syncs_total'));
    expect(countOf('distcache_evicted_idle_seconds')).toBe(total('distcache_shard_evicted_keys_total'));
    expect(countOf('distcache_shard_evicted_idle_seconds')).toBe(total('distcache_shard_evicted_keys_total'));
    expect(countOf('distcache_shard_lock_hold_seconds')).toBeGreaterThan(KEYS_SET);
  });

  it('are the same families as OpenMetrics', async () => {
    const families = parseOpenMetrics(await fetchMetrics(OPEN_METRICS));
    expect([...families.keys()]).toEqual(
      [...page.values()].map(({ name, type }) => (type === 'counter' ? name.replace(/_total$/, '') : name)),
    );
  });

  it('are told as JSON with the same numbers', async () => {
    const response = await fetch(`http://127.0.0.1:${server.httpPort}/metrics.json`);
    const reading = (await response.json()) as Reading;
    expect(reading.keyspace.evictedKeys).toBe(total('distcache_shard_evicted_keys_total'));
    expect(reading.commands.find(({ name }) => name === 'set')?.calls).toBe(KEYS_SET + 1);
    expect(reading).toHaveProperty('missRatio');
  });
});

describeWithTools('promtool', ['promtool'], () => {
  it('has nothing to say against the metrics', async () => {
    const { code, stdout, stderr } = await runTool('promtool', ['check', 'metrics'], await fetchMetrics());
    expect({ code, stdout, stderr }).toEqual({ code: 0, stdout: '', stderr: '' });
  });
});

describe('CONFIG RESETSTAT', () => {
  it('begins anew what is counted, histograms too, and leaves what is', async () => {
    const before = page;
    expect(await wire.ask('CONFIG', 'RESETSTAT')).toBe('+OK');
    const after = parsePrometheusText(await fetchMetrics());
    const sumOf = (families: typeof page, name: string, series = name) =>
      (families.get(name)?.samples ?? [])
        .filter((sample) => sample.name === series)
        .reduce((sum, { value }) => sum + value, 0);
    const counted = ['distcache_shard_evicted_keys_total', 'distcache_shard_lock_wait_seconds_total'];
    for (const name of counted) expect(sumOf(after, name), name).toBe(0);
    for (const name of ['distcache_evicted_idle_seconds', 'distcache_shard_evicted_idle_seconds']) {
      expect(sumOf(after, name, `${name}_count`), name).toBe(0);
    }
    const syncs = 'distcache_log_sync_seconds';
    expect(sumOf(after, syncs, `${syncs}_count`)).toBe(sumOf(after, 'distcache_log_syncs_total'));
    for (const name of ['distcache_shard_keys', 'distcache_shard_changes_total']) {
      expect(sumOf(after, name), name).toBe(sumOf(before, name));
    }
    const calls = after.get('distcache_command_calls_total')?.samples.map(({ labels }) => labels.command);
    expect(calls).not.toContain('set');
  });
});

describe('the pages of health', () => {
  it('have a line for each check', async () => {
    const response = await fetch(`http://127.0.0.1:${server.httpPort}/readyz?verbose`);
    expect(await response.text()).toBe(
      '[+] running: ok\n[+] workers: ok\n[+] loading: ok\n[+] log: ok\n[+] snapshot: ok\n' +
        '[+] cluster: ok (not configured)\nok\n',
    );
  });
});
