/**
 * The real redis_exporter (Debian's prometheus-redis-exporter) against the real server: it finds everything where it looks
 * for it, tells our numbers, and complains of no more than it does of redis-server.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { Reading } from '../../src/metrics/reading.ts';
import { type DistcacheServer, startDistcache } from '../support/distcache-server.ts';
import { eventually } from '../support/readings.ts';
import { freePort, type RedisServer, startRedisServer } from '../support/redis-server.ts';
import { describeWithTools } from '../support/tools.ts';
import { openWire } from '../support/wire.ts';

const EXPORTER = 'prometheus-redis-exporter';
const KEYS = 50;
const EXPIRING = 20;

type Exported = { readonly samples: ReadonlyMap<string, number>; readonly complaints: string[] };

describeWithTools('redis_exporter', [EXPORTER, 'redis-server'], () => {
  let server: DistcacheServer;
  let redis: RedisServer;
  let ours: Exported;
  let theirs: Exported;

  beforeAll(async () => {
    server = await startDistcache(['--appendonly', 'yes']);
    redis = await startRedisServer();
    for (const { port } of [server, redis]) await fill(port);
    ours = await exportFrom(server.port);
    theirs = await exportFrom(redis.port);
  });
  afterAll(async () => {
    await server.stop();
    await redis.stop();
  });

  it('reaches the server and meets no error', () => {
    expect(ours.samples.get('redis_up')).toBe(1);
    expect(ours.samples.get('redis_exporter_last_scrape_error{err=""}')).toBe(0);
    expect(ours.samples.get('redis_target_scrape_request_errors_total')).toBe(0);
  });

  it('complains of nothing that it does not complain of with redis-server', () => {
    expect(ours.complaints).toEqual(theirs.complaints);
  });

  it('tells the same keys, commands and memory as the server', async () => {
    expect(ours.samples.get('redis_db_keys{db="db0"}')).toBe(KEYS);
    expect(ours.samples.get('redis_db_keys_expiring{db="db0"}')).toBe(EXPIRING);
    expect(ours.samples.get('redis_db_keys{db="db1"}')).toBe(0);
    expect(ours.samples.get('redis_commands_total{cmd="set"}')).toBe(KEYS);
    expect(ours.samples.get('redis_commands_total{cmd="get"}')).toBe(2);
    expect(ours.samples.get('redis_keyspace_hits_total')).toBe(1);
    expect(ours.samples.get('redis_keyspace_misses_total')).toBe(1);
    const response = await fetch(`http://127.0.0.1:${server.httpPort}/metrics.json`);
    const { keyspace } = (await response.json()) as Reading;
    expect(ours.samples.get('redis_memory_used_bytes')).toBe(keyspace.usedBytes);
    expect(ours.samples.get('redis_memory_max_bytes')).toBe(keyspace.limitBytes);
  });

  it('finds all families that the usual dashboards show', () => {
    const names = new Set([...ours.samples.keys()].map((series) => series.split('{')[0]));
    const missing = DASHBOARD_FAMILIES.filter((name) => !names.has(name));
    expect(missing).toEqual([]);
  });
});

const DASHBOARD_FAMILIES = [
  ...[
    'redis_uptime_in_seconds',
    'redis_start_time_seconds',
    'redis_instance_info',
    'redis_connected_clients',
  ],
  ...[
    'redis_blocked_clients',
    'redis_config_maxclients',
    'redis_memory_used_bytes',
    'redis_memory_max_bytes',
  ],
  ...['redis_memory_used_rss_bytes', 'redis_memory_used_peak_bytes', 'redis_mem_fragmentation_ratio'],
  ...['redis_commands_processed_total', 'redis_commands_total', 'redis_commands_duration_seconds_total'],
  ...['redis_keyspace_hits_total', 'redis_keyspace_misses_total', 'redis_evicted_keys_total'],
  ...['redis_expired_keys_total', 'redis_net_input_bytes_total', 'redis_net_output_bytes_total'],
  ...['redis_connections_received_total', 'redis_rejected_connections_total', 'redis_db_keys'],
  ...['redis_db_keys_expiring', 'redis_slowlog_length', 'redis_slowlog_last_id', 'redis_aof_enabled'],
  ...['redis_rdb_last_save_timestamp_seconds', 'redis_rdb_last_bgsave_status', 'redis_connected_slaves'],
  ...['redis_cpu_sys_seconds_total', 'redis_cpu_user_seconds_total', 'redis_loading_dump_file'],
];

async function fill(port: number): Promise<void> {
  const wire = await openWire(port);
  for (let index = 0; index < KEYS; index += 1) {
    const deadline = index < EXPIRING ? ['EX', '1000'] : [];
    await wire.ask('SET', `key:${index}`, 'value', ...deadline);
  }
  await wire.ask('GET', 'key:0');
  await wire.ask('GET', 'no-such-key');
  wire.close();
}

/** What one scrape of an exporter tells of the server on that port, and what it logs as wrong. */
async function exportFrom(port: number): Promise<Exported> {
  const exporterPort = await freePort();
  const child = spawn(
    EXPORTER,
    [
      ...['--redis.addr', `redis://127.0.0.1:${port}`, '--web.listen-address', `127.0.0.1:${exporterPort}`],
      ...['--debug', '--export-client-list', '--include-system-metrics'],
    ],
    { stdio: ['ignore', 'pipe', 'pipe'] },
  );
  const killWithUs = () => child.kill('SIGKILL');
  process.once('exit', killWithUs);
  const logged = logOf(child);
  try {
    const text = await scrape(exporterPort);
    return { samples: samplesOf(text), complaints: complaintsOf(logged()) };
  } finally {
    child.kill('SIGTERM');
    await new Promise((resolve) => child.once('close', resolve));
    process.off('exit', killWithUs);
  }
}

function logOf(child: ChildProcess): () => string {
  let log = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream?.on('data', (chunk) => {
      log += chunk;
    });
  }
  return () => log;
}

/** The page of the first scrape, once the exporter listens. */
async function scrape(port: number): Promise<string> {
  let text = '';
  await eventually(async () => {
    text = await fetch(`http://127.0.0.1:${port}/metrics`).then(
      (response) => response.text(),
      () => '',
    );
    return text !== '';
  });
  return text;
}

function samplesOf(text: string): Map<string, number> {
  const lines = text.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
  return new Map(
    lines.map((line) => {
      const at = line.lastIndexOf(' ');
      return [line.slice(0, at), Number(line.slice(at + 1))];
    }),
  );
}

/** Lines of the log that are warnings, or tell of an error, without what differs from run to run. */
function complaintsOf(log: string): string[] {
  const lines = log.split('\n').filter((line) => /level=(warning|error|fatal)|\berr(or)?\b/i.test(line));
  const told = lines.filter((line) => !/result: \[/.test(line));
  return told.map((line) => line.replace(/^time="[^"]*" /, '')).toSorted();
}
