/**
 * Client-side caching by the real process: clients of two workers keep what they read while all of them write, and at the end
 * what any of them keeps is what the server has.
 */
import { Buffer } from 'node:buffer';
import { BasicClientSideCache, createClient } from 'redis';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type CachingClient, openCachingClient } from '../support/caching-client.ts';
import { type DistcacheServer, startDistcache } from '../support/distcache-server.ts';
import { eventually, infoField } from '../support/readings.ts';
import { createRandom, type Random } from '../support/seeded-random.ts';
import { openWire, type Wire } from '../support/wire.ts';

const KEYS = 12;
const BURSTS = 25;
const ROUNDS = 4;
const DEEDS_AT_ONCE = 6;

const FLAGS = ['--save', '', '--appendonly', 'no', '--enable-debug-command', 'yes'];

let server: DistcacheServer;
let port: number;
beforeAll(async () => {
  server = await startDistcache(FLAGS);
  port = server.port;
});
beforeEach(async () => {
  const plain = await openWire(port);
  await plain.ask('FLUSHALL');
  // The worker with the fewest connections gets the next: each test begins with none.
  await eventually(async () => (await infoField(plain, 'connected_clients')) === 1);
  plain.close();
});
afterAll(() => server.stop());

type Deed = (client: CachingClient, key: string, other: string, random: Random) => Promise<unknown>;

const READS: Deed[] = [
  (client, key) => client.read(key),
  (client, key, other) => Promise.all([client.read(key), client.read(other), client.read(key)]),
];
const WRITES: Deed[] = [
  (client, key, _, random) => client.ask('SET', key, `${random(1e9)}`),
  (client, key, _, random) => client.ask('SET', key, `${random(1e9)}`, 'PX', `${1 + random(20)}`),
  (client, key) => client.ask('DEL', key),
  (client, key) => client.ask('APPEND', key, 'x'),
  (client, key, other) => client.ask('MSET', key, 'one', other, 'two'),
  (client, key, other) => client.ask('RENAME', key, other),
  (client, key) => client.ask('SETRANGE', key, '3', 'y'),
  (client, key, other, random) =>
    Promise.all([
      client.ask('MULTI'),
      client.ask('SET', key, `${random(1e9)}`),
      client.ask('GET', other),
      client.ask('DEL', other),
      client.ask('EXEC'),
    ]),
];

/** Lets all clients read and write at the same time, and waits again and again until what they keep is what there is. */
async function runToTheEnd(
  port: number,
  clients: CachingClient[],
  seed: number,
  more: Deed[] = [],
): Promise<void> {
  const deeds = [...READS, ...READS, ...READS, ...WRITES, ...more];
  const chances = clients.map((_, index) => createRandom(seed + index));
  // A later change would heal what was lost before: so there are many ends.
  for (let burst = 0; burst < BURSTS; burst += 1) {
    await Promise.all(clients.map((client, index) => runBurst(client, deeds, chances[index])));
    await expectSettled(port, clients);
  }
}

async function runBurst(client: CachingClient, deeds: readonly Deed[], random: Random): Promise<void> {
  const pick = () => `key:${random(KEYS)}`;
  for (let round = 0; round < ROUNDS; round += 1) {
    // Several on their way at once: what one has just read, another changes.
    const few = Array.from({ length: DEEDS_AT_ONCE }, () => deeds[random(deeds.length)]);
    await Promise.all(few.map((deed) => deed(client, pick(), pick(), random)));
  }
}

/** Reads past what the clients keep until nothing differs any more. */
async function expectSettled(port: number, clients: readonly CachingClient[]): Promise<void> {
  const plain = await openWire(port);
  const names = Array.from({ length: KEYS }, (_, index) => `key:${index}`);
  let stale: unknown[] = [];
  const isSettled = async () => {
    const values = (await plain.ask('MGET', ...names)) as (string | null)[];
    const isStale = (kept: CachingClient['kept'], index: number) => {
      const value = kept.get(names[index]);
      return value !== undefined && value !== values[index];
    };
    stale = clients.flatMap(({ kept }, client) =>
      names.flatMap((name, index) =>
        isStale(kept, index) ? [{ client, name, kept: kept.get(name), is: values[index] }] : [],
      ),
    );
    return stale.length === 0;
  };
  await eventually(isSettled).catch(() => expect(stale).toEqual([]));
  plain.close();
}

/** Resolves to the value before. */
async function configure(directive: string, value: string): Promise<string> {
  const plain = await openWire(port);
  const [, before] = (await plain.ask('CONFIG', 'GET', directive)) as string[];
  expect(await plain.ask('CONFIG', 'SET', directive, value)).toBe('+OK');
  plain.close();
  return before;
}

/** So many clients, on both workers: the one with the fewest connections gets the next. */
async function openClients(
  port: number,
  count: number,
  options: readonly string[] = [],
): Promise<CachingClient[]> {
  const clients: CachingClient[] = [];
  for (let index = 0; index < count; index += 1) clients.push(await openCachingClient(port, options));
  return clients;
}

/** The worker of a client, by its id. */
function workerOf(id: number): number {
  return (id - 1) % 2;
}

/** A connection that is served by this worker. */
async function openOn(worker: number): Promise<Wire> {
  const others: Wire[] = [];
  for (;;) {
    const wire = await openWire(port);
    const id = Number(String(await wire.ask('CLIENT', 'ID')).slice(1));
    if (workerOf(id) === worker) {
      for (const other of others) other.close();
      return wire;
    }
    others.push(wire);
  }
}

/** What a client hears without having asked: for the order of things, behind a PING of its own. */
async function heardBy(client: CachingClient): Promise<(string[] | null)[]> {
  await client.ask('PING');
  return client.heard.splice(0);
}

/** It keeps no other keys than these. */
function keepOnly({ kept }: CachingClient, pattern: RegExp): void {
  const set = kept.set.bind(kept);
  kept.set = (key, value) => (pattern.test(key) ? set(key, value) : kept);
}

/** It does not hear of its own changes: it drops the keys of its commands itself. */
function dropOwn(client: CachingClient): void {
  const { ask } = client;
  Object.assign(client, {
    ask: (...command: string[]) => {
      for (const argument of command) client.kept.delete(argument);
      return ask(...command).finally(() => {
        for (const argument of command) client.kept.delete(argument);
      });
    },
  });
}

describe('clients that keep what they read', () => {
  it.each([
    { name: 'by default', options: [] },
    { name: 'with OPTIN', options: ['OPTIN'] },
    { name: 'with OPTOUT', options: ['OPTOUT'] },
    { name: 'with NOLOOP', options: ['NOLOOP'] },
    { name: 'with BCAST', options: ['BCAST'] },
    { name: 'with BCAST and NOLOOP', options: ['BCAST', 'NOLOOP'] },
    { name: 'with prefixes', options: ['BCAST', 'PREFIX', 'key:1', 'PREFIX', 'key:2', 'PREFIX', 'key:3'] },
  ])('never keep what is not so any more, $name', async ({ options }) => {
    const clients = await openClients(port, 6, options);
    if (options.includes('PREFIX')) for (const client of clients) keepOnly(client, /^key:[123]/);
    if (options.includes('NOLOOP')) for (const client of clients) dropOwn(client);
    await runToTheEnd(port, clients, 1);
    for (const client of clients) client.close();
  });

  it.each([
    { name: 'when keys are evicted', options: [], directive: 'maxkeys', value: '6' },
    { name: 'when keys make room for their own', options: ['NOLOOP'], directive: 'maxkeys', value: '6' },
    { name: 'when few keys are remembered', options: [], directive: 'tracking-table-max-keys', value: '4' },
    { name: 'when their changes wait for the disk', options: [], directive: 'appendonly', value: 'yes' },
  ])('nor $name', async ({ options, directive, value }) => {
    await configure('appendfsync', 'always');
    const before = await configure(directive, value);
    const clients = await openClients(port, 6, options);
    if (options.includes('NOLOOP')) for (const client of clients) dropOwn(client);
    await runToTheEnd(port, clients, 2);
    for (const client of clients) client.close();
    await configure(directive, before);
  });

  it('nor when whole databases are emptied and exchanged', async () => {
    const clients = await openClients(port, 6);
    await runToTheEnd(port, clients, 3, [
      (client) => client.ask('FLUSHALL'),
      (client) => client.ask('FLUSHDB', 'ASYNC'),
      (client) => client.ask('SWAPDB', '0', '1'),
      (client, key) => client.ask('MOVE', key, '1'),
      (client, key, other) => client.ask('COPY', key, other, 'REPLACE'),
    ]);
    for (const client of clients) client.close();
  });

  it('nor when another is changed over HTTP', async () => {
    const { httpPort } = server;
    const clients = await openClients(port, 4);
    const url = (key: string) => `http://127.0.0.1:${httpPort}/v1/keys/${key}`;
    await runToTheEnd(port, clients, 4, [
      (_, key) => fetch(url(key), { method: 'PUT', body: 'over HTTP' }),
      (_, key) => fetch(url(key), { method: 'DELETE' }),
    ]);
    for (const client of clients) client.close();
  });

  it('nor when the data is loaded anew: all hear that all keys are invalid', async () => {
    const clients = await openClients(port, 2);
    for (const client of clients) await client.read('key:1');
    expect(await clients[0].ask('DEBUG', 'RELOAD')).toBe('+OK');
    for (const client of clients) await eventually(() => client.heard.includes(null));
    for (const client of clients) client.close();
  });

  it('nor when a worker dies: those of the other one hear that all keys are invalid', async () => {
    const clients = await openClients(port, 6);
    const ids = await Promise.all(
      clients.map(async (client) => Number(String(await client.ask('CLIENT', 'ID')).slice(1))),
    );
    const [dying, ...others] = clients.filter((_, index) => workerOf(ids[index]) === 0);
    const living = clients.filter((_, index) => workerOf(ids[index]) === 1);
    for (const client of living) await client.read('key:1');
    void dying.ask('SET', 'key:1', 'changed');
    void dying.ask('DEBUG', 'WORKER-EXIT');
    await Promise.all([dying, ...others].map(({ wire }) => wire.closed));
    for (const client of living) await eventually(() => client.heard.includes(null));
    await server.logged('serves again');
    const comers = await openClients(port, 2);
    await runToTheEnd(port, [...living, ...comers], 5);
    for (const client of [...living, ...comers]) client.close();
  });
});

describe('messages to another client', () => {
  it.each(['the same worker', 'another worker'])('go to one of %s', async (where) => {
    const [target, writer] = [await openOn(0), await openOn(1)];
    const reader = await openOn(where === 'the same worker' ? 0 : 1);
    const id = String(await target.ask('CLIENT', 'ID')).slice(1);
    await target.ask('SUBSCRIBE', '__redis__:invalidate');
    expect(await reader.ask('CLIENT', 'TRACKING', 'ON', 'REDIRECT', id)).toBe('+OK');
    await reader.ask('GET', 'key');
    await writer.ask('SET', 'key', 'value');
    expect(text(await target.reply())).toEqual(['message', '__redis__:invalidate', ['key']]);
    await writer.ask('FLUSHALL');
    expect(text(await target.reply())).toEqual(['message', '__redis__:invalidate', null]);
    for (const wire of [target, writer, reader]) wire.close();
  });

  it.each(['the same worker', 'another worker'])(
    'that has gone from %s come back as a notice',
    async (where) => {
      const [target, writer] = [await openOn(0), await openOn(1)];
      const reader = await openOn(where === 'the same worker' ? 0 : 1);
      const id = String(await target.ask('CLIENT', 'ID')).slice(1);
      await reader.ask('HELLO', '3');
      await reader.ask('CLIENT', 'TRACKING', 'ON', 'REDIRECT', id);
      target.close();
      await eventually(async () => String(await writer.ask('CLIENT', 'LIST', 'ID', id)) === '');
      await reader.ask('GET', 'key');
      await writer.ask('SET', 'key', 'value');
      expect(text(await reader.reply())).toEqual(['tracking-redir-broken', `:${id}`]);
      expect(String(await reader.ask('CLIENT', 'INFO'))).toMatch(new RegExp(` flags=tR .* redir=${id} `));
      for (const wire of [writer, reader]) wire.close();
    },
  );

  it('that takes its leave come back as a notice from its last reply on', async () => {
    const [target, reader, writer] = [await openOn(0), await openOn(0), await openOn(0)];
    const id = String(await target.ask('CLIENT', 'ID')).slice(1);
    await reader.ask('HELLO', '3');
    await reader.ask('CLIENT', 'TRACKING', 'ON', 'REDIRECT', id);
    await reader.ask('GET', 'key');
    expect(await target.ask('QUIT')).toBe('+OK');
    await writer.ask('SET', 'key', 'value');
    expect(text(await reader.reply())).toEqual(['tracking-redir-broken', `:${id}`]);
    for (const wire of [reader, writer]) wire.close();
  });

  it('whose worker has died come back as a notice as well', async () => {
    const [target, reader] = [await openOn(0), await openOn(1)];
    const id = String(await target.ask('CLIENT', 'ID')).slice(1);
    await reader.ask('HELLO', '3');
    expect(await reader.ask('CLIENT', 'TRACKING', 'ON', 'REDIRECT', id)).toBe('+OK');
    target.socket.write('DEBUG WORKER-EXIT\r\n');
    expect(text(await reader.reply())).toEqual(['tracking-redir-broken', `:${id}`]);
    await server.logged('serves again', 2);
    reader.close();
  });
});

describe('what CLIENT TRACKING costs', () => {
  it('is bounded: the clients that have read the oldest keys hear that they changed', async () => {
    const before = await configure('tracking-table-max-keys', '100');
    const clients = await openClients(port, 2);
    for (const client of clients) {
      for (let index = 0; index < 300; index += 1) await client.read(`key:${index}`);
    }
    const plain = await openWire(port);
    await eventually(async () => (await infoField(plain, 'tracking_total_keys')) <= 100);
    for (const client of clients) {
      const heard = (await heardBy(client)).flat();
      expect(heard.slice(0, 3)).toEqual(['key:0', 'key:1', 'key:2']);
      expect(new Set(heard).size).toBe(heard.length);
    }
    expect(await infoField(plain, 'tracking_clients')).toBe(2);
    for (const client of clients) client.close();
    await eventually(async () => (await infoField(plain, 'tracking_total_keys')) === 0);
    expect(await infoField(plain, 'tracking_clients')).toBe(0);
    plain.close();
    await configure('tracking-table-max-keys', before);
  });

  it('shows in INFO, prefixes of all workers each once', async () => {
    const [one, other, plain] = [await openWire(port), await openWire(port), await openWire(port)];
    await one.ask('CLIENT', 'TRACKING', 'ON', 'BCAST', 'PREFIX', 'a', 'PREFIX', 'b');
    await other.ask('CLIENT', 'TRACKING', 'ON', 'BCAST', 'PREFIX', 'b', 'PREFIX', 'c');
    expect(await infoField(plain, 'tracking_total_prefixes')).toBe(3);
    await other.ask('RESET');
    await eventually(async () => (await infoField(plain, 'tracking_total_prefixes')) === 2);
    expect(await infoField(plain, 'tracking_clients')).toBe(1);
    for (const wire of [one, other, plain]) wire.close();
  });
});

describe('the cache of node-redis', () => {
  it('answers from memory what the server was asked, until a client of another worker changes it', async () => {
    const cache = new BasicClientSideCache({ ttl: 0, maxEntries: 0, evictPolicy: 'LRU', recordStats: true });
    const caching = createClient({ RESP: 3, clientSideCache: cache, socket: { port } });
    await caching.connect();
    const writers = [await openWire(port), await openWire(port)];
    for (const [index, writer] of writers.entries()) {
      await writer.ask('SET', 'key', `value ${index}`);
      await eventually(async () => (await caching.get('key')) === `value ${index}`);
      const { hitCount } = cache.stats();
      for (let read = 0; read < 5; read += 1) expect(await caching.get('key')).toBe(`value ${index}`);
      expect(cache.stats().hitCount).toBe(hitCount + 5);
    }
    await writers[0].ask('SET', 'key', 'for a moment', 'PX', '1');
    await eventually(async () => (await caching.get('key')) === null);
    await writers[0].ask('SET', 'key', 'again');
    await eventually(async () => (await caching.get('key')) === 'again');
    await writers[1].ask('FLUSHALL');
    await eventually(async () => (await caching.get('key')) === null);
    await caching.close();
    for (const writer of writers) writer.close();
  });
});

/** Bulk strings as text. */
function text(reply: unknown): unknown {
  if (Array.isArray(reply)) return reply.map(text);
  return Buffer.isBuffer(reply) ? reply.toString('latin1') : reply;
}
