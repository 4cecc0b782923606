/** Tests of the names of redis_exporter: each says what INFO says. */
import { describe, expect, test } from 'vitest';
import { createPage, finishPage } from '../../src/admin/exposition.ts';
import { REDIS_METRIC_GROUPS } from '../../src/admin/metric-groups.ts';
import { writeRedisMetrics } from '../../src/admin/redis-metrics.ts';
import { INFO_SECTIONS } from '../../src/commands/info-sections.ts';
import { gatherInfo, type InfoSources } from '../../src/commands/info-sources.ts';
import { NO_NODE } from '../../src/routing/node-table.ts';
import { clusterTable } from '../support/cluster-table.ts';
import { createHarness } from '../support/harness.ts';
import { parseOpenMetrics, parsePrometheusText } from '../support/prometheus-parser.ts';

/** Where redis_exporter takes the number from. */
const FIELDS: Readonly<Record<string, string>> = {
  redis_uptime_in_seconds: 'uptime_in_seconds',
  redis_loading_dump_file: 'loading',
  redis_connected_clients: 'connected_clients',
  redis_blocked_clients: 'blocked_clients',
  redis_connected_slaves: 'connected_slaves',
  redis_config_maxclients: 'maxclients',
  redis_config_maxmemory: 'maxmemory',
  redis_memory_used_bytes: 'used_memory',
  redis_memory_used_rss_bytes: 'used_memory_rss',
  redis_memory_used_peak_bytes: 'used_memory_peak',
  redis_memory_used_dataset_bytes: 'used_memory_dataset',
  redis_memory_max_bytes: 'maxmemory',
  redis_connections_received_total: 'total_connections_received',
  redis_rejected_connections_total: 'rejected_connections',
  redis_commands_processed_total: 'total_commands_processed',
  redis_keyspace_hits_total: 'keyspace_hits',
  redis_keyspace_misses_total: 'keyspace_misses',
  redis_evicted_keys_total: 'evicted_keys',
  redis_expired_keys_total: 'expired_keys',
  redis_net_input_bytes_total: 'total_net_input_bytes',
  redis_net_output_bytes_total: 'total_net_output_bytes',
  redis_rdb_last_save_timestamp_seconds: 'rdb_last_save_time',
  redis_rdb_changes_since_last_save: 'rdb_changes_since_last_save',
  redis_aof_enabled: 'aof_enabled',
  redis_cluster_enabled: 'cluster_enabled',
};

/** INFO tells two digits of this one and six of those; the states are words there. */
const ROUNDED: Readonly<Record<string, string>> = {
  redis_mem_fragmentation_ratio: 'mem_fragmentation_ratio',
  redis_cpu_sys_seconds_total: 'used_cpu_sys',
  redis_cpu_user_seconds_total: 'used_cpu_user',
};
const OTHERS = [
  ...['redis_up', 'redis_start_time_seconds', 'redis_rdb_last_bgsave_status', 'redis_aof_last_write_status'],
];

function usedServer(): InfoSources {
  const { engine, run } = createHarness({ flags: ['--maxkeys', '8'] });
  for (let index = 0; index < 20; index += 1) run('SET', `key:${index}`, 'value', 'EX', '1000');
  run('GET', 'key:19');
  run('GET', 'no-such-key');
  return gatherInfo(engine);
}

function infoFields(sources: InfoSources): Map<string, string> {
  const lines = INFO_SECTIONS.flatMap((section) => section.lines(sources));
  return new Map(lines.map((line) => line.split(/:(.*)/s).slice(0, 2) as [string, string]));
}

function pageOf(sources: InfoSources, dialect: 'text' | 'open-metrics' = 'text'): string {
  const page = createPage(dialect);
  writeRedisMetrics(page, sources);
  return finishPage(page);
}

describe('the names of redis_exporter', () => {
  const sources = usedServer();
  const fields = infoFields(sources);
  const page = parsePrometheusText(pageOf(sources));
  const numberOf = (name: string) => page.get(name)?.samples[0].value;

  test.each(Object.entries(FIELDS))('%s is what INFO says of %s', (name, field) => {
    expect(numberOf(name)).toBe(Number(fields.get(field)));
  });

  test.each(Object.entries(ROUNDED))('%s is what INFO says of %s, rounded there', (name, field) => {
    const text = fields.get(field) ?? '';
    expect(numberOf(name)?.toFixed(text.split('.')[1].length)).toBe(text);
  });

  test('are all compared with INFO, but for those that are no number there', () => {
    const single = REDIS_METRIC_GROUPS[0].metrics.map(({ name }) => name);
    expect(single.toSorted()).toEqual(
      [...Object.keys(FIELDS), ...Object.keys(ROUNDED), ...OTHERS].toSorted(),
    );
    expect(single.length).toBeGreaterThanOrEqual(25);
    expect([numberOf('redis_up'), numberOf('redis_rdb_last_bgsave_status')]).toEqual([1, 1]);
    expect(numberOf('redis_start_time_seconds')).toBe(Math.floor(sources.reading.server.startedAtMs / 1000));
  });

  test('have each database and each command that was called', () => {
    const found = (name: string, label: string) =>
      page.get(name)?.samples.map(({ labels, value }) => [labels[label], value]);
    expect(found('redis_db_keys', 'db')?.slice(0, 2)).toEqual([
      ['db0', sources.reading.databases[0].keys],
      ['db1', 0],
    ]);
    expect(found('redis_db_keys_expiring', 'db')?.[0]).toEqual([
      'db0',
      sources.reading.databases[0].expiring,
    ]);
    expect(new Map(found('redis_commands_total', 'cmd') as [string, number][])).toEqual(
      new Map([
        ['get', 2],
        ['set', 20],
      ]),
    );
  });

  test('tell what is running in the labels of the instance', () => {
    expect(page.get('redis_instance_info')?.samples[0].labels).toMatchObject({
      role: 'master',
      redis_version: fields.get('redis_version'),
      redis_mode: 'standalone',
      maxmemory_policy: fields.get('maxmemory_policy'),
      run_id: fields.get('run_id'),
      process_id: `${process.pid}`,
    });
  });

  test('say so when the disk is sick', () => {
    const persistence = { ...sources.reading.persistence, logTroubled: 1, snapshotLastFailed: 1 };
    const sick = parsePrometheusText(pageOf({ ...sources, reading: { ...sources.reading, persistence } }));
    expect(sick.get('redis_aof_last_write_status')?.samples[0].value).toBe(0);
    expect(sick.get('redis_rdb_last_bgsave_status')?.samples[0].value).toBe(0);
  });

  test('are on a node of a cluster those of CLUSTER INFO, too', () => {
    const cluster = clusterTable({ nodes: 5, ownerOf: (slot) => (slot < 100 ? NO_NODE : slot % 4) });
    cluster.nodes = cluster.nodes.map((node) => node && { ...node, isAlive: node.index !== 2 });
    const harness = createHarness({ cluster, flags: ['--cluster-enabled', 'yes'] });
    const told = new Map(
      [...harness.run('CLUSTER', 'INFO').matchAll(/^cluster_(\w+):(\w+)\r$/gm)].map(([, name, value]) => [
        `redis_cluster_${name}`,
        Number(value.replace('ok', '1').replace('fail', '0')),
      ]),
    );
    const found = parsePrometheusText(pageOf(gatherInfo(harness.engine)));
    const [, , , , rows] = REDIS_METRIC_GROUPS;
    expect(rows.metrics.length).toBe(8);
    for (const { name } of rows.metrics)
      expect([name, found.get(name)?.samples[0].value]).toEqual([name, told.get(name)]);
    expect(found.get('redis_cluster_slots_fail')?.samples[0].value).toBeGreaterThan(4000);
    expect(found.get('redis_instance_info')?.samples[0].labels.redis_mode).toBe('cluster');
    expect(page.has('redis_cluster_state')).toBe(false);
  });

  test('are good OpenMetrics too', () => {
    expect(parseOpenMetrics(pageOf(sources, 'open-metrics')).size).toBe(page.size);
  });
});
