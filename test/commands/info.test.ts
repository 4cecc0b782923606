/** Tests of INFO: the numbers of its fields, its sections, its form. */
import { describe, expect, it } from 'vitest';
import { tickRates } from '../../src/commands/engine-reading.ts';
import { humanBytes } from '../../src/commands/memory-figures.ts';
import {
  BYTES_IN,
  BYTES_OUT,
  CONNECTIONS_ACCEPTED,
  CONNECTIONS_OPEN,
  CONNECTIONS_REFUSED,
  READS,
  WRITES,
} from '../../src/metrics/names.ts';
import { createHarness, type Harness } from '../support/harness.ts';

/** The text of INFO with these sections. */
function infoText(harness: Harness, ...sections: string[]): string {
  const reply = harness.run('INFO', ...sections);
  const lineEnd = reply.indexOf('\r\n');
  expect(reply.slice(0, lineEnd)).toBe(`$${reply.length - lineEnd - 4}`);
  return reply.slice(lineEnd + 2, -2);
}

function infoFields(harness: Harness, ...sections: string[]): Record<string, string> {
  const lines = infoText(harness, ...sections).split('\r\n');
  const fields = lines.filter((line) => line.includes(':'));
  return Object.fromEntries(
    fields.map((line) => [line.slice(0, line.indexOf(':')), line.slice(line.indexOf(':') + 1)]),
  );
}

/** Each reading is `stepMs` later. */
function steppingClock(stepMs: number): () => number {
  let readings = 0;
  return () => readings++ * stepMs;
}

const titles = (text: string) => [...text.matchAll(/^# (.*)\r$/gm)].map(([, title]) => title);

describe('INFO', () => {
  it('parts sections by an empty line, and ends every line', () => {
    const text = infoText(createHarness(), 'cluster', 'modules');
    expect(text).toBe('# Modules\r\n\r\n# Cluster\r\ncluster_enabled:0\r\n');
  });

  it('is a verbatim text in RESP3', () => {
    const harness = createHarness();
    harness.run('HELLO', '3');
    expect(harness.run('INFO', 'cluster')).toBe('=34\r\ntxt:# Cluster\r\ncluster_enabled:0\r\n\r\n');
    expect(harness.run('INFO', 'nothing')).toBe('=4\r\ntxt:\r\n');
  });

  it('has every section once, in any case and order, and what is told by command only when asked for', () => {
    const harness = createHarness();
    const all = titles(infoText(harness, 'all'));
    for (const title of ['Commandstats', 'Latencystats']) expect(all).toContain(title);
    expect(titles(infoText(harness, 'EVERYTHING', 'cpu', 'nothing'))).toEqual(all);
    const usual = all.filter((title) => title !== 'Commandstats' && title !== 'Latencystats');
    expect(titles(infoText(harness))).toEqual(usual);
    expect(titles(infoText(harness, 'Default', 'SERVER'))).toEqual(usual);
    expect(titles(infoText(harness, 'keyspace', 'Server', 'keyspace'))).toEqual(['Server', 'Keyspace']);
  });

  it('tells of the server', () => {
    const harness = createHarness({ shards: 3, flags: ['--port', '7001'] });
    harness.nowMs += 3 * 86_400_000 + 5000;
    expect(infoFields(harness, 'server')).toMatchObject({
      redis_version: '7.0.15',
      redis_mode: 'standalone',
      run_id: '0'.repeat(40),
      tcp_port: '7001',
      process_id: `${process.pid}`,
      executable: process.execPath,
      uptime_in_seconds: '259205',
      uptime_in_days: '3',
      server_time_usec: `${harness.nowMs * 1000}`,
      distcache_workers: '3',
      config_file: '',
      io_threads_active: '1',
    });
    expect(infoFields(createHarness({ shards: 1 }), 'server').io_threads_active).toBe('0');
  });

  it('tells of clients and traffic what the counters say', () => {
    const harness = createHarness({ flags: ['--maxclients', '77'] });
    const { counters } = harness.engine;
    [CONNECTIONS_ACCEPTED, CONNECTIONS_OPEN, CONNECTIONS_REFUSED, BYTES_IN, BYTES_OUT, READS, WRITES].forEach(
      (index, at) => {
        counters[index] = 100 + at;
      },
    );
    harness.run('nonsense');
    expect(infoFields(harness, 'clients', 'stats')).toMatchObject({
      connected_clients: '101',
      maxclients: '77',
      blocked_clients: '0',
      total_connections_received: '100',
      rejected_connections: '102',
      total_net_input_bytes: '103',
      total_net_output_bytes: '104',
      total_reads_processed: '105',
      total_writes_processed: '106',
      total_commands_processed: '0',
      total_error_replies: '1',
    });
  });

  it('tells rates and the peak of memory from the ticks', () => {
    const harness = createHarness();
    tickRates(harness.engine);
    harness.run('SET', 'big', 'v'.repeat(100_000));
    harness.nowMs += 100;
    tickRates(harness.engine);
    harness.run('DEL', 'big');
    const fields = infoFields(harness, 'stats', 'memory');
    expect(fields.instantaneous_ops_per_sec).toBe('1');
    expect(Number(fields.used_memory_peak)).toBeGreaterThan(100_000);
    expect(Number(fields.used_memory)).toBeLessThan(100_000);
  });

  it('tells memory, its limit and its policy', () => {
    const harness = createHarness({ flags: ['--maxmemory', '100mb', '--maxmemory-policy', 'volatile-ttl'] });
    for (let index = 0; index < 100; index += 1) harness.run('SET', `key:${index}`, 'v'.repeat(1000));
    const fields = infoFields(harness, 'memory');
    expect(Number(fields.used_memory)).toBeGreaterThan(100 * 1000);
    expect(fields.used_memory_human).toBe(humanBytes(Number(fields.used_memory)));
    expect(Number(fields.used_memory_overhead) + Number(fields.used_memory_dataset)).toBe(
      Number(fields.used_memory),
    );
    expect(fields).toMatchObject({
      maxmemory: '104857600',
      maxmemory_human: '100.00M',
      maxmemory_policy: 'volatile-ttl',
    });
    expect(fields.used_memory_peak_perc).toBe('100.00%');
  });

  it('tells hits, misses, expired and evicted keys, and the databases that are not empty', () => {
    const harness = createHarness({ shards: 2, flags: ['--maxkeys', '2'] });
    harness.run('SET', 'a', '1', 'PX', '10');
    harness.nowMs += 100;
    for (const key of ['a', 'b', '{b}c', '{b}d', '{b}e']) {
      harness.run('GET', key);
      harness.run('SET', key, '1');
    }
    harness.run('GET', '{b}e');
    const { evicted_keys: evicted, ...fields } = infoFields(harness, 'stats', 'keyspace');
    expect(fields).toMatchObject({ keyspace_hits: '1', keyspace_misses: '5', expired_keys: '1' });
    expect(Number(evicted)).toBeGreaterThan(0);
    expect(fields.db0).toBe(`keys=${5 - Number(evicted)},expires=0,avg_ttl=0`);
    harness.run('FLUSHALL');
    harness.run('SELECT', '5');
    harness.run('SET', 'z', '1', 'EX', '100');
    expect(infoText(harness, 'keyspace')).toBe('# Keyspace\r\ndb5:keys=1,expires=1,avg_ttl=0\r\n');
  });

  it('tells calls and times by command, subcommands apart', () => {
    const harness = createHarness({ monotonicMs: steppingClock(0.00075) });
    harness.run('SET', 'a', '1');
    harness.run('SET', 'a', '1');
    harness.run('CONFIG', 'GET', 'port');
    const lines = infoText(harness, 'commandstats').split('\r\n');
    const rest = 'rejected_calls=0,failed_calls=0';
    expect(lines).toContain(`cmdstat_set:calls=2,usec=2,usec_per_call=0.75,${rest}`);
    expect(lines).toContain(`cmdstat_config|get:calls=1,usec=1,usec_per_call=0.75,${rest}`);
  });

  it('tells the latencies of commands by the percentiles that the configuration names, if they are kept', () => {
    const harness = createHarness({ monotonicMs: steppingClock(1) });
    for (let call = 0; call < 4; call += 1) harness.run('GET', 'a');
    const lines = () => infoText(harness, 'latencystats').split('\r\n');
    expect(lines()).toContain('latency_percentiles_usec_get:p50=999.423,p99=999.423,p99.9=999.423');
    harness.engine.config.latencyTrackingInfoPercentiles = '100 33.333';
    expect(lines()).toContain('latency_percentiles_usec_get:p100=1000.000,p33.333=999.423');
    harness.engine.config.latencyTrackingInfoPercentiles = '';
    expect(lines()).toContain('latency_percentiles_usec_get:');
    harness.engine.config.latencyTracking = false;
    expect(lines()).toEqual(['# Latencystats', '']);
  });
});

describe('bytes for people', () => {
  it.each([
    [0, '0B'],
    [1023, '1023B'],
    [1024, '1.00K'],
    [941_200, '919.14K'],
    [1024 ** 2 - 1, '1024.00K'],
    [1024 ** 2, '1.00M'],
    [25_276_514_304, '23.54G'],
    [1024 ** 4, '1.00T'],
    [2 ** 53, '8.00P'],
  ])('%i is %s', (bytes, text) => expect(humanBytes(bytes)).toBe(text));
});
