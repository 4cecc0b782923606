/** What the real server counts and times of commands, over two workers and with the real clock. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { COUNTER_METRICS } from '../../src/metrics/names.ts';
import { type DistcacheServer, startDistcache } from '../support/distcache-server.ts';
import { eventually, infoField, metricTotal } from '../support/readings.ts';
import { requestBytes } from '../support/request-bytes.ts';
import { openWire, type Wire } from '../support/wire.ts';

const CLIENTS = 8;
const MAXCLIENTS = CLIENTS + 1;
const ROUNDS = 500;
/** What takes certificates, a pause, clients of great memory, caching clients or other nodes is moved in the tests of those. */
const COUNTED_ELSEWHERE = /_tls_|_cluster_|_clients_(evicted|blocked|bytes)|_track(ing|ed)_|put_bytes_max$/;

let server: DistcacheServer;
let wire: Wire;
beforeAll(async () => {
  const flags = ['--appendonly', 'no', '--save', '', '--enable-debug-command', 'yes'];
  server = await startDistcache([...flags, '--maxclients', `${MAXCLIENTS}`]);
  wire = await openWire(server.port);
});
afterAll(async () => {
  wire.close();
  await server.stop();
});

/** The fields of one line of INFO. */
async function infoLine(section: string, name: string): Promise<Record<string, number>> {
  const text = String(await wire.ask('INFO', section));
  const line = text.split('\r\n').find((one) => one.startsWith(`${name}:`)) ?? '';
  const pairs = line.slice(name.length + 1).split(',');
  return Object.fromEntries(pairs.map((pair) => [pair.split('=')[0], Number(pair.split('=')[1])]));
}

async function withClients(run: (client: Wire, index: number) => Promise<void>): Promise<void> {
  const clients = await Promise.all(Array.from({ length: CLIENTS }, () => openWire(server.port)));
  await Promise.all(clients.map(run));
  for (const client of clients) client.close();
  await eventually(async () => (await infoField(wire, 'connected_clients')) === 1);
}

describe('the statistics of commands', () => {
  it('are exact over the workers: calls, failures, refusals, errors and latencies', async () => {
    await wire.ask('CONFIG', 'RESETSTAT');
    await wire.ask('SET', 'text', 'x');
    const commands = [['GET', 'text'], ['INCR', 'text'], ['GET']];
    const round = Buffer.concat(commands.map((args) => Buffer.from(requestBytes(...args))));
    await withClients(async (client) => {
      for (let i = 0; i < ROUNDS; i += 1) client.socket.write(round);
      for (let i = 0; i < 3 * ROUNDS; i += 1) await client.reply();
    });
    const each = CLIENTS * ROUNDS;
    expect(await infoLine('commandstats', 'cmdstat_get')).toMatchObject({
      calls: each,
      rejected_calls: each,
      failed_calls: 0,
    });
    expect(await infoLine('commandstats', 'cmdstat_incr')).toMatchObject({
      calls: each,
      rejected_calls: 0,
      failed_calls: each,
    });
    expect(await infoLine('errorstats', 'errorstat_ERR')).toEqual({ count: 2 * each });
    expect(await infoField(wire, 'total_error_replies')).toBe(2 * each);
    const [, [, calls, , steps]] = (await wire.ask('LATENCY', 'HISTOGRAM', 'get')) as [string, string[]];
    expect(calls).toBe(`:${each}`);
    expect(steps.at(-1)).toBe(`:${each}`);
  });

  it('say how long a command took', async () => {
    await wire.ask('CONFIG', 'RESETSTAT');
    await wire.ask('DEBUG', 'SLEEP', '0.05');
    const { calls, usec } = await infoLine('commandstats', 'cmdstat_debug');
    expect(calls).toBe(1);
    expect(usec).toBeGreaterThan(45_000);
    expect(usec).toBeLessThan(1_000_000);
    const { p50 } = await infoLine('latencystats', 'latency_percentiles_usec_debug');
    expect(p50).toBeGreaterThan(0.96 * usec);
    expect(p50).toBeLessThan(1.04 * usec);
  });

  it('follow CONFIG SET on every worker', async () => {
    await wire.ask('CONFIG', 'SET', 'latency-tracking', 'no', 'slowlog-log-slower-than', '0');
    await wire.ask('CONFIG', 'RESETSTAT');
    await wire.ask('SLOWLOG', 'RESET');
    await withClients(async (client) => {
      await client.ask('STRLEN', 'text');
    });
    expect(await wire.ask('LATENCY', 'HISTOGRAM', 'strlen')).toEqual([]);
    expect((await infoLine('commandstats', 'cmdstat_strlen')).calls).toBe(CLIENTS);
    const slow = JSON.stringify(await wire.ask('SLOWLOG', 'GET', '-1'));
    expect(slow.match(/"STRLEN"/g)).toHaveLength(CLIENTS);
    await wire.ask('CONFIG', 'SET', 'latency-tracking', 'yes', 'slowlog-log-slower-than', '10000');
  });

  it('are reset within a transaction, which holds locks that this takes', async () => {
    await wire.ask('MULTI');
    await wire.ask('SET', 'here', '1');
    await wire.ask('CONFIG', 'RESETSTAT');
    await wire.ask('SWAPDB', '0', '0');
    expect(await wire.ask('EXEC')).toEqual(['+OK', '+OK', '+OK']);
    expect(await wire.ask('GET', 'here')).toBe('1');
  });

  it('are gone on every worker after CONFIG RESETSTAT', async () => {
    await withClients(async (client) => {
      await client.ask('STRLEN', 'text');
      await client.ask('STRLEN');
    });
    await wire.ask('CONFIG', 'RESETSTAT');
    const text = String(await wire.ask('INFO', 'commandstats', 'errorstats', 'latencystats'));
    const names = text.split('\r\n').map((line) => line.split(':')[0]);
    expect(names.filter((name) => name !== '' && !name.startsWith('#'))).toEqual([
      'cmdstat_config|resetstat',
      'latency_percentiles_usec_config|resetstat',
    ]);
  });
});

describe('every counter', () => {
  it("(the predecessor's bug: counters that nothing counted) is moved by what it is named after", async () => {
    const { port, httpPort } = server;
    await wire.ask('CONFIG', 'SET', 'client-query-buffer-limit', '1mb');
    await wire.ask('SET', 'here', '1');
    await wire.ask('GET', 'here');
    await wire.ask('GET', 'missing');
    await wire.ask('DEBUG', 'THROW');
    const babbler = await openWire(port);
    babbler.socket.write('*nonsense\r\n');
    await babbler.closed;
    const glutton = await openWire(port);
    glutton.socket.write(`*2\r\n$3\r\nGET\r\n$5000000\r\n${'x'.repeat(4_000_000)}`);
    await glutton.closed;
    const crowd = await Promise.all(Array.from({ length: MAXCLIENTS }, () => openWire(port)));
    await Promise.race(crowd.map(({ closed }) => closed));
    for (const { name } of COUNTER_METRICS.filter((metric) => !COUNTED_ELSEWHERE.test(metric.name))) {
      // What clients have in memory is looked at now and then.
      await eventually(async () => (await metricTotal(httpPort, name)) > 0);
    }
    for (const client of crowd) client.close();
  });
});
