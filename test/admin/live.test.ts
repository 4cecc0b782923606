/** Tests of the stream of live data: real sockets, and seconds that pass when the test says so. */
import type { FastifyInstance } from 'fastify';
import { afterEach, describe, expect, test } from 'vitest';
import { createAdminApp, listenAdmin } from '../../src/admin/app.ts';
import { createHistory, type LiveSample } from '../../src/admin/history.ts';
import { createLiveHub, type LiveHub, tellListeners } from '../../src/admin/live.ts';
import type { LiveState } from '../../src/admin/live-state.ts';
import type { AclAccess } from '../../src/commands/acl-access.ts';
import { LIVE_BEHIND_MS_MAX, LIVE_LISTENERS_MAX } from '../../src/config/limits.ts';
import { takeReading } from '../../src/metrics/reading.ts';
import { createBigKeysSearch } from '../../src/threads/big-keys.ts';
import { accessWith, setDefaultPassword } from '../support/access.ts';
import { type EventStream, openEventStream } from '../support/event-stream.ts';
import { createHarness } from '../support/harness.ts';
import { eventually } from '../support/readings.ts';
import { sampleSources } from '../support/sample-reading.ts';

const PATH = '/v1/live';

const apps: FastifyInstance[] = [];
const streams: EventStream[] = [];

afterEach(async () => {
  for (const stream of streams.splice(0)) stream.close();
  for (const app of apps.splice(0)) await app.close();
});

type World = {
  hub: LiveHub;
  app: FastifyInstance;
  port: number;
  /** How often each was made. */
  made: { samples: number; states: number };
  /** What the next events carry besides their number. */
  padding: string;
  nowMs: number;
  readonly access: AclAccess;
  open(reads?: boolean): Promise<EventStream>;
};

async function createWorld(password = ''): Promise<World> {
  const { engine } = createHarness();
  const world = {
    made: { samples: 0, states: 0 },
    padding: '',
    nowMs: 0,
    access: accessWith(password),
  } as World;
  world.hub = createLiveHub({
    sample: () => {
      world.made.samples += 1;
      return { number: world.made.samples, padding: world.padding } as unknown as LiveSample;
    },
    state: () => {
      world.made.states += 1;
      return { number: world.made.states } as unknown as LiveState;
    },
    monotonicMs: () => world.nowMs,
  });
  const bigKeys = createBigKeysSearch(undefined as never);
  const history = createHistory([]);
  const now = () => ({ wallMs: 0, monotonicMs: 0 });
  world.app = createAdminApp({
    reading: () => takeReading(sampleSources()),
    readiness: () => ({ ready: true, checks: [] }),
    access: world.access,
    live: { engine, history, now, hub: world.hub, bigKeys, stop: () => undefined },
  });
  apps.push(world.app);
  world.port = await listenAdmin(world.app, '127.0.0.1', 0);
  world.open = async (reads = true) => {
    const stream = await openEventStream(world.port, PATH, { reads });
    streams.push(stream);
    return stream;
  };
  return world;
}

describe('the stream', () => {
  test('tells the state at once, and a sample and a state each second', async () => {
    const { hub, open } = await createWorld();
    const stream = await open();
    expect(stream.response.statusCode).toBe(200);
    expect(stream.response.headers).toMatchObject({
      'content-type': 'text/event-stream',
      'cache-control': 'no-store',
      'x-content-type-options': 'nosniff',
    });
    await eventually(() => stream.events().length === 1);
    tellListeners(hub);
    await eventually(() => stream.events().length === 3);
    tellListeners(hub);
    await eventually(() => stream.events().length === 5);
    expect(stream.events()).toEqual([
      { event: 'state', data: '{"number":1}' },
      { event: 'sample', data: '{"number":1,"padding":""}' },
      { event: 'state', data: '{"number":2}' },
      { event: 'sample', data: '{"number":2,"padding":""}' },
      { event: 'state', data: '{"number":3}' },
    ]);
    expect(stream.text()).toMatch(/^retry: 2000\n\n/);
  });

  test('makes nothing while nobody listens, and everything once for ten', async () => {
    const { hub, made, open } = await createWorld();
    for (let second = 0; second < 5; second += 1) tellListeners(hub);
    expect(made).toEqual({ samples: 0, states: 0 });
    const ten = await Promise.all(Array.from({ length: 10 }, () => open()));
    expect(made).toEqual({ samples: 0, states: 10 });
    tellListeners(hub);
    await eventually(() => ten.every((stream) => stream.events().length === 3));
    expect(made).toEqual({ samples: 1, states: 11 });
    expect(new Set(ten.map((stream) => stream.events()[1].data)).size).toBe(1);
  });

  test('forgets a listener that went away', async () => {
    const { hub, open } = await createWorld();
    const [gone, stays] = [await open(), await open()];
    expect(hub.listeners.size).toBe(2);
    gone.close();
    await eventually(() => hub.listeners.size === 1);
    tellListeners(hub);
    await stays.next('sample');
  });

  test('is refused to one more than may listen, until another leaves', async () => {
    const { hub, app, open } = await createWorld();
    const all = await Promise.all(Array.from({ length: LIVE_LISTENERS_MAX }, () => open()));
    expect((await app.inject(PATH)).statusCode).toBe(503);
    all[0].close();
    await eventually(() => hub.listeners.size === LIVE_LISTENERS_MAX - 1);
    expect((await open()).response.statusCode).toBe(200);
  });

  test('drops a listener that does not read, and nobody else', async () => {
    const world = await createWorld();
    const { hub } = world;
    const reader = await world.open();
    const sleeper = await world.open(false);
    world.padding = 'x'.repeat(2 ** 20);
    const isBehind = () => [...hub.listeners].some(({ behindSinceMs }) => behindSinceMs !== undefined);
    while (!isBehind()) {
      const next = reader.next('state');
      tellListeners(hub);
      await next;
    }
    const waiting = [...hub.listeners].map(({ reply }) => reply.raw.writableLength);
    world.padding = '';
    for (world.nowMs = 1000; world.nowMs < LIVE_BEHIND_MS_MAX; world.nowMs += 1000) {
      const next = reader.next('state');
      tellListeners(hub);
      await next;
      expect([...hub.listeners].map(({ reply }) => reply.raw.writableLength)).toEqual(waiting);
    }
    expect(hub.listeners.size).toBe(2);
    tellListeners(hub);
    await eventually(() => hub.listeners.size === 1);
    const next = reader.next('sample');
    tellListeners(hub);
    await next;
    sleeper.close();
  });

  test('ends when it would not be let in any more', async () => {
    const world = await createWorld();
    const stream = await world.open();
    tellListeners(world.hub);
    await eventually(() => stream.events().length === 3);
    setDefaultPassword(world.access, 'secret');
    tellListeners(world.hub);
    await stream.ended;
    expect(stream.events()).toHaveLength(3);
    expect((await world.open()).response.statusCode).toBe(401);
    await eventually(() => world.hub.listeners.size === 0);
  });

  test('ends with the app, at once', async () => {
    const { hub, app, open } = await createWorld();
    const three = [await open(), await open(), await open(false)];
    await app.close();
    await Promise.all(three.slice(0, 2).map(({ ended }) => ended));
    expect(hub.listeners.size).toBe(0);
  });

  test('wants the password, and speaks of nothing else than events', async () => {
    const { app } = await createWorld('secret');
    expect((await app.inject(PATH)).statusCode).toBe(401);
    const authorization = 'Bearer secret';
    const headers = { authorization, accept: 'application/json' };
    expect((await app.inject({ url: PATH, headers })).statusCode).toBe(406);
    expect((await app.inject({ method: 'HEAD', url: PATH, headers: { authorization } })).statusCode).toBe(
      404,
    );
  });
});
