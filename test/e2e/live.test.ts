/**
 * The live data of the real server with two workers: it moves, it agrees with INFO, it survives what a server goes through, and
 * it never holds up a stop.
 */
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { LiveSample } from '../../src/admin/history.ts';
import type { LiveState } from '../../src/admin/live-state.ts';
import { type DistcacheServer, STOPPED_IN_TIME, startDistcache } from '../support/distcache-server.ts';
import { type EventStream, openEventStream } from '../support/event-stream.ts';
import { eventually, infoField } from '../support/readings.ts';
import { requestBytes } from '../support/request-bytes.ts';
import { openWire, type Wire } from '../support/wire.ts';

let server: DistcacheServer;
let wire: Wire;
const streams: EventStream[] = [];

beforeAll(async () => {
  server = await startDistcache(['--enable-debug-command', 'yes']);
  wire = await openWire(server.port);
});
afterEach(() => {
  for (const stream of streams.splice(0)) stream.close();
});
afterAll(async () => {
  wire.close();
  await server.stop();
});

async function listen(): Promise<EventStream> {
  const stream = await openEventStream(server.httpPort, '/v1/live');
  streams.push(stream);
  return stream;
}

async function getJson<Answer>(path: string): Promise<Answer> {
  const response = await fetch(`http://127.0.0.1:${server.httpPort}/v1/${path}`);
  expect(response.status).toBe(200);
  return (await response.json()) as Answer;
}

async function readSamples(): Promise<LiveSample[]> {
  return (await getJson<{ samples: LiveSample[] }>('history')).samples;
}

function request(method: string, path: string): Promise<Response> {
  return fetch(`http://127.0.0.1:${server.httpPort}/v1/${path}`, { method });
}

/** Sends so many commands as one pipeline, and takes their replies. */
async function send(count: number, command: (index: number) => readonly string[]): Promise<void> {
  wire.socket.write(
    Buffer.concat(Array.from({ length: count }, (_, index) => requestBytes(...command(index)))),
  );
  for (let index = 0; index < count; index += 1) await wire.reply();
}

describe('the stream and the history', () => {
  it('tell what the clients did, and agree with INFO', async () => {
    const stream = await listen();
    await stream.next('sample');
    const [{ t: startMs }] = (await readSamples()).slice(-1);
    await send(1000, (index) => ['SET', `key:${index}`, 'value']);
    await send(3000, (index) => ['GET', `key:${index % 1500}`]);
    // The second that the last command falls into is over with one of the next two samples.
    await stream.next('sample');
    await stream.next('sample');
    const samples = (await readSamples()).filter(({ t }) => t > startMs);
    const sumOf = (read: (sample: LiveSample) => number) =>
      samples.reduce((sum, sample, index) => {
        const elapsedMs = sample.t - (index === 0 ? startMs : samples[index - 1].t);
        return sum + (read(sample) * elapsedMs) / 1000;
      }, 0);
    // Times are told in whole milliseconds, of a thousand.
    const expectNear = (told: number, wanted: number) =>
      expect(Math.abs(told / wanted - 1)).toBeLessThan(0.01);
    expectNear(
      sumOf(({ commands }) => commands.set),
      1000,
    );
    expectNear(
      sumOf(({ commands }) => commands.get),
      3000,
    );
    expectNear(
      sumOf(({ hitsPerSecond }) => hitsPerSecond),
      2000,
    );
    expectNear(
      sumOf(({ missesPerSecond }) => missesPerSecond),
      1000,
    );
    const timed = samples.filter(({ opsPerSecond }) => opsPerSecond > 500);
    expect(timed.length).toBeGreaterThan(0);
    for (const { latencyUs, turnUs } of timed) {
      expect(latencyUs.p50).toBeGreaterThan(0);
      expect(latencyUs.p99).toBeGreaterThanOrEqual(latencyUs.p50);
      expect(latencyUs.max).toBeGreaterThanOrEqual(latencyUs.p999);
      expect(turnUs.max).toBeGreaterThanOrEqual(turnUs.p50);
      expect(turnUs.p50).toBeGreaterThan(0);
    }
    const last = samples[samples.length - 1];
    expect(last.loopDelayMs.max).toBeGreaterThan(0);
    expect([last.keys, last.connections]).toEqual([1000, 1]);
    expect(last.usedBytes).toBe(await infoField(wire, 'used_memory'));
    expect(last.limitBytes).toBe(64 * 2 ** 20);
    expect(last.rssBytes).toBeGreaterThan(last.usedBytes);

    const state = JSON.parse((await stream.next('state')).data) as LiveState;
    expect(state.server).toMatchObject({ workers: 2, port: server.port, maxmemoryPolicy: 'allkeys-lru' });
    expect(state.ready.ready).toBe(true);
    expect(state.workers).toHaveLength(2);
    const commands = state.workers.reduce((sum, worker) => sum + worker.commands, 0);
    expect(commands).toBe(await infoField(wire, 'total_commands_processed'));
    expect(state.shards.reduce((sum, { keys }) => sum + keys, 0)).toBe(1000);
  });

  it('are there for a page that is loaded anew', async () => {
    const stream = await listen();
    const event = JSON.parse((await stream.next('sample')).data) as LiveSample;
    const samples = await readSamples();
    const times = samples.map(({ t }) => t);
    expect(samples.length).toBeGreaterThan(1);
    expect(times).toEqual(times.toSorted((a, b) => a - b));
    // The two were told at times a little apart by clocks that drift.
    expect(samples.some(({ t }) => Math.abs(t - event.t) <= 2)).toBe(true);
    expect(samples[samples.length - 1]).toMatchObject({ keys: event.keys, limitBytes: event.limitBytes });
  });

  it('go on over CONFIG RESETSTAT and the death of a worker, never below zero', async () => {
    const stream = await listen();
    await send(500, () => ['PING']);
    await wire.ask('CONFIG', 'RESETSTAT');
    await send(500, () => ['PING']);
    await stream.next('sample');
    const dying = await openWire(server.port);
    await dying.ask('PING');
    dying.socket.write(requestBytes('DEBUG', 'WORKER-EXIT'));
    await dying.closed;
    await server.logged('serves again');
    if (wire.socket.destroyed) wire = await openWire(server.port);
    await send(500, () => ['PING']);
    await stream.next('sample');
    await stream.next('sample');
    const numbersOf = (value: unknown): number[] =>
      typeof value === 'number' ? [value] : Object.values(value as object).flatMap(numbersOf);
    for (const sample of await readSamples())
      expect(Math.min(...numbersOf(sample))).toBeGreaterThanOrEqual(0);
    const state = JSON.parse((await stream.next('state')).data) as LiveState;
    expect(state.workers).toHaveLength(2);
  });
});

describe('the pages', () => {
  it('list the clients of both workers, and close one', async () => {
    const others = [await openWire(server.port), await openWire(server.port)];
    for (const other of others) await other.ask('PING');
    const { total, clients } = await getJson<{ total: number; clients: { id: number; worker: number }[] }>(
      'clients?order=newest',
    );
    expect(total).toBe(3);
    expect(new Set(clients.map(({ worker }) => worker)).size).toBe(2);
    const id = Number(String(await others[1].ask('CLIENT', 'ID')).slice(1));
    expect(clients.slice(0, 2).map((client) => client.id)).toContain(id);
    expect((await request('DELETE', `clients/${id}`)).status).toBe(204);
    await others[1].closed;
    expect((await request('DELETE', `clients/${id}`)).status).toBe(404);
    expect(await others[0].ask('PING')).toBe('+PONG');
    others[0].close();
  });

  it('show the slow commands of all threads, and forget them', async () => {
    await wire.ask('CONFIG', 'SET', 'slowlog-log-slower-than', '0');
    await wire.ask('SET', 'slow', 'value');
    await wire.ask('CONFIG', 'SET', 'slowlog-log-slower-than', '10000');
    const slow = await getJson<{ arguments: string[]; durationUs: number }[]>('slowlog?count=100');
    expect(slow.map((entry) => entry.arguments.join(' '))).toContain('SET slow value');
    expect((await request('POST', 'slowlog/reset')).status).toBe(204);
    expect(await getJson('slowlog')).toEqual([]);
  });

  it('show the keys that are used most, and the miss ratio', async () => {
    const stream = await listen();
    await send(20_000, (index) => ['GET', index % 2 === 0 ? 'hot' : `key:${index}`]);
    await stream.next('sample');
    const [first] = await getJson<{ key: string; share: number; base64: boolean }[]>('hot-keys?count=5');
    expect(first).toMatchObject({ key: 'hot', base64: false });
    expect(await getJson('miss-ratio')).toMatchObject({
      curve: expect.any(Array),
      now: { bytes: 64 * 2 ** 20 },
    });
  });
});

describe('the search for large keys', () => {
  type Search = { state: string; progress: number; keys: number; largest: { key: string; bytes: number }[] };

  it('finds the largest of 200,000 while clients write', async () => {
    const BATCH = 10_000;
    await wire.ask('FLUSHALL');
    for (let from = 0; from < 200_000; from += BATCH)
      await send(BATCH, (index) => ['SET', `many:${from + index}`, 'x'.repeat(32)]);
    for (let index = 0; index < 5; index += 1)
      await wire.ask('SET', `large:${index}`, 'x'.repeat(1000 * index + 500));
    let isDone = false;
    const load = (async () => {
      for (let round = 0; !isDone; round += 1)
        await send(1000, (index) => ['SET', `many:${(1000 * round + index) % 200_000}`, 'x'.repeat(32)]);
    })();
    expect((await request('POST', 'big-keys')).status).toBe(202);
    const progress: number[] = [];
    let search: Search | undefined;
    await eventually(async () => {
      search = await getJson<Search>('big-keys');
      progress.push(search.progress);
      return search.state !== 'running';
    });
    isDone = true;
    await load;
    expect(search?.state).toBe('done');
    expect(search?.keys).toBeGreaterThanOrEqual(200_005);
    const names = search?.largest.slice(0, 5).map(({ key }) => key);
    expect(names).toEqual([4, 3, 2, 1, 0].map((index) => `large:${index}`));
    const usage = Number(String(await wire.ask('MEMORY', 'USAGE', 'large:4')).slice(1));
    expect(search?.largest[0].bytes).toBe(usage);
    expect(progress).toEqual(progress.toSorted((a, b) => a - b));
  });
});

describe('a server with a password', () => {
  const headers = { authorization: 'Bearer secret' };
  let own: DistcacheServer;
  beforeAll(async () => {
    own = await startDistcache(['--save', '', '--requirepass', 'secret']);
  });
  afterAll(() => own.stop());

  it('has pages for those who know it', async () => {
    const get = (sent: Record<string, string>) =>
      fetch(`http://127.0.0.1:${own.httpPort}/v1/history`, { headers: sent });
    expect((await get({})).status).toBe(401);
    expect((await get(headers)).status).toBe(200);
    const refused = await openEventStream(own.httpPort, '/v1/live');
    streams.push(refused);
    expect(refused.response.statusCode).toBe(401);
  });

  it('is not held up in its stop by ten pages that listen, nor by one that does not read, nor by a search', async () => {
    const open = (reads: boolean) => openEventStream(own.httpPort, '/v1/live', { headers, reads });
    const many = await Promise.all(Array.from({ length: 10 }, () => open(true)));
    streams.push(...many, await open(false));
    await many[0].next('sample');
    await fetch(`http://127.0.0.1:${own.httpPort}/v1/big-keys`, { method: 'POST', headers });
    expect(await own.stop()).toBe(0);
    expect(own.output()).toContain(STOPPED_IN_TIME);
    await Promise.all(many.map(({ ended }) => ended));
  });
});
