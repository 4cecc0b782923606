/**
 * A server that is still loading: what it answers, and what it tells of its progress.
 */
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type DistcacheServer, WITHOUT_HTTP } from '../support/distcache-server.ts';
import { askAll, createDataFolder, type DataFolder, killServer } from '../support/lasting-folder.ts';
import { eventually } from '../support/readings.ts';
import { freePort } from '../support/redis-server.ts';
import { openWire, type Wire } from '../support/wire.ts';

const KEYS = 120_000;
const KEYS_AT_ONCE = 2_000;
const LOADING = '-LOADING Redis is loading the dataset in memory';

let folder: DataFolder;
beforeAll(() => {
  folder = createDataFolder(WITHOUT_HTTP);
});
afterAll(() => folder.remove());

async function fill(server: DistcacheServer): Promise<void> {
  const wire = await openWire(server.port);
  const value = 'x'.repeat(80);
  for (let at = 0; at < KEYS; at += KEYS_AT_ONCE) {
    await wire.ask(
      'MSET',
      ...Array.from({ length: KEYS_AT_ONCE }, (_, i) => [`key-${at + i}`, value]).flat(),
    );
  }
  wire.close();
}

async function page(httpPort: number, path: string): Promise<{ status: number; text: string }> {
  const response = await fetch(`http://127.0.0.1:${httpPort}${path}`, { headers: { connection: 'close' } });
  return { status: response.status, text: await response.text() };
}

it('answers -LOADING but for what needs no data, tells its progress, and then has everything', async () => {
  const flags = ['--maxmemory', '256mb'];
  const first = await folder.start(flags);
  await fill(first);
  await killServer(first);
  const port = await freePort();
  const httpPort = await freePort();
  const starting = folder.start([...flags, '--port', `${port}`, '--http-port', `${httpPort}`]);
  let wire: Wire | undefined;
  await eventually(async () => {
    wire = await openWire(port).catch(() => undefined);
    return wire !== undefined;
  });
  if (wire === undefined) throw new Error('not connected');
  const [ready, live] = [page(httpPort, '/readyz?verbose'), page(httpPort, '/livez')];
  const commands = [
    ['GET', 'key-1'],
    ['PING'],
    ['SET', 'key', 'value'],
    ['DBSIZE'],
    ['SELECT', '1'],
    ['INFO', 'persistence'],
    ['CONFIG', 'GET', 'port'],
    ['CLIENT', 'ID'],
    ['HELLO', '2'],
  ];
  const [get, ping, set, size, select, info, config, id, hello] = await askAll(wire, commands);
  expect([get, ping, set, size]).toEqual([LOADING, LOADING, LOADING, LOADING]);
  expect(select).toBe('+OK');
  expect(String(info)).toContain('loading:1\r\n');
  expect(String(info)).toContain('loading_loaded_perc:');
  expect(String(config)).toBe(`port,${port}`);
  expect(String(id)).toMatch(/^:\d+$/);
  expect(hello).toHaveLength(14);
  expect(await live).toEqual({ status: 200, text: 'ok\n' });
  const { status, text } = await ready;
  expect(status).toBe(503);
  expect(text).toMatch(/\[-\] loading: loading(, \d+ % of \d+ MB)?\n/);
  await starting;
  expect(await wire.ask('SELECT', '0')).toBe('+OK');
  expect(await wire.ask('DBSIZE')).toBe(`:${KEYS}`);
  expect((await page(httpPort, '/readyz?verbose')).text).toContain('[+] loading: ok\n[+] log: ok\n');
  wire.close();
});

it('that had to evict what it loaded takes a snapshot, so that more memory later brings nothing back', async () => {
  const small = createDataFolder(WITHOUT_HTTP);
  try {
    const first = await small.start(['--maxmemory', '256mb']);
    await fill(first);
    await killServer(first);
    const tight = await small.start(['--maxmemory', '8mb']);
    await eventually(() => tight.output().includes('snapshot taken'));
    const kept = await databaseSize(tight);
    expect(kept).toBeGreaterThan(0);
    expect(kept).toBeLessThan(KEYS);
    await killServer(tight);
    const roomy = await small.start(['--maxmemory', '256mb']);
    expect(await databaseSize(roomy)).toBe(kept);
  } finally {
    await small.remove();
  }
});

async function databaseSize({ port }: DistcacheServer): Promise<number> {
  const wire = await openWire(port);
  const size = Number(String(await wire.ask('DBSIZE')).slice(1));
  wire.close();
  return size;
}
