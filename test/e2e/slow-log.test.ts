/** The slow log and the latency monitor of the real server, over connections on two workers. */
import { Redis } from 'ioredis';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type DistcacheServer, startDistcache, WITHOUT_HTTP } from '../support/distcache-server.ts';

type Entry = [
  id: number,
  seconds: number,
  microseconds: number,
  shown: string[],
  client: string,
  name: string,
];

let server: DistcacheServer;
/** Two clients on different workers. */
let clients: Redis[];
beforeAll(async () => {
  server = await startDistcache(['--enable-debug-command', 'yes', ...WITHOUT_HTTP]);
  clients = [0, 1].map((index) => new Redis({ port: server.port, connectionName: `client-${index}` }));
  const ids = await Promise.all(clients.map((client) => client.client('ID')));
  // Ids are given by worker in turn.
  expect(new Set(ids.map((id) => Number(id) % 2)).size).toBe(2);
});
afterAll(async () => {
  for (const client of clients) client.disconnect();
  await server.stop();
});

const slowLog = async (client: Redis) => (await client.call('SLOWLOG', 'GET', '-1')) as Entry[];

it('shows every command of both workers when the threshold is 0, the newest first', async () => {
  const [one, other] = clients;
  await one.config('SET', 'slowlog-log-slower-than', '0');
  await other.call('SLOWLOG', 'RESET');
  for (let index = 0; index < 20; index += 1) await clients[index % 2].set(`key:${index}`, 'v'.repeat(200));
  await one.call('AUTH', 'secret').catch(() => undefined);
  const entries = await slowLog(other);
  const [local] = String(await one.client('INFO')).match(/(?<= addr=)\S+/) ?? [];
  await one.config('SET', 'slowlog-log-slower-than', '-1');

  const ids = entries.map(([id]) => id);
  expect(ids).toEqual([...ids].sort((a, b) => b - a));
  expect(new Set(ids).size).toBe(ids.length);
  const shown = entries.map(([, , , args]) => args.join(' ').toLowerCase());
  const expected = Array.from(
    { length: 20 },
    (_, at) => `set key:${19 - at} ${'v'.repeat(128)}... (72 more bytes)`,
  );
  expect(shown).toEqual(['auth (redacted)', ...expected, 'slowlog reset']);
  for (const [at, [, seconds, microseconds, , client, name]] of entries.slice(1, -1).entries()) {
    expect(Math.abs(seconds - Date.now() / 1000)).toBeLessThan(60);
    expect(microseconds).toBeLessThan(1e6);
    expect(name).toBe(`client-${(19 - at) % 2}`);
    if (name === 'client-0') expect(client).toBe(local);
  }
});

it('bounds, counts and empties the logs of all workers', async () => {
  const [one, other] = clients;
  await one.config('SET', 'slowlog-log-slower-than', '0', 'slowlog-max-len', '10');
  for (let index = 0; index < 20; index += 1) await clients[index % 2].get('k');
  expect(await slowLog(one)).toHaveLength(10);
  expect(await other.call('SLOWLOG', 'LEN')).toBe(10);
  await one.config('SET', 'slowlog-log-slower-than', '-1');
  await one.call('SLOWLOG', 'RESET');
  expect(await other.call('SLOWLOG', 'LEN')).toBe(0);
});

it('shows a sleep with its duration, and so does the latency monitor', async () => {
  const [one, other] = clients;
  await one.config('SET', 'slowlog-log-slower-than', '20000', 'latency-monitor-threshold', '20');
  await Promise.all([one.call('DEBUG', 'SLEEP', '0.05'), other.call('DEBUG', 'SLEEP', '0.03')]);
  const slow = (await slowLog(one)).filter(([, , , [name]]) => name === 'DEBUG');
  expect(slow.map(([, , , args]) => args)).toEqual([
    ['DEBUG', 'SLEEP', '0.05'],
    ['DEBUG', 'SLEEP', '0.03'],
  ]);
  // Timers of the runtime come up to a millisecond early.
  expect(slow[0][2]).toBeGreaterThan(49_000);
  expect(slow[1][2]).toBeGreaterThan(29_000);
  const latest = (await other.call('LATENCY', 'LATEST')) as [string, number, number, number][];
  const command = latest.find(([event]) => event === 'command');
  expect(command?.[3]).toBeGreaterThanOrEqual(49);
  expect(await one.call('LATENCY', 'GRAPH', 'command')).toContain('all time high');
  expect(await one.call('LATENCY', 'RESET', 'command')).toBe(1);
  expect(await other.call('LATENCY', 'HISTORY', 'command')).toEqual([]);
});
