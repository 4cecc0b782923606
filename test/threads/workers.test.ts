/** Supervision of real threads that run a stub entry (test/support/stub-worker.ts). */
import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { StartError } from '../../src/base/errors.ts';
import type { Config } from '../../src/config/config.ts';
import { currentSurroundings } from '../../src/config/file.ts';
import { RESTART_CALM_MS, RESTART_DELAY_MS_MAX } from '../../src/config/limits.ts';
import { loadConfig } from '../../src/config/load.ts';
import { createLogBoardBuffer } from '../../src/durability/log-board.ts';
import { createAccessBuffer } from '../../src/metrics/access-ring.ts';
import { createCountersBuffer, openAllCounters, sumCounter } from '../../src/metrics/counters.ts';
import { CLIENTS_BLOCKED, CONNECTIONS_CLOSED, CONNECTIONS_OPEN } from '../../src/metrics/names.ts';
import { createPersistenceBuffer } from '../../src/metrics/persistence.ts';
import { createSlowLogIds } from '../../src/metrics/slow-log.ts';
import { createTrackingFilterBuffer } from '../../src/metrics/tracking-filter.ts';
import { createGateBuffer } from '../../src/resilience/gate.ts';
import { MAIN_THREAD_ID } from '../../src/threads/boot.ts';
import { createBus, handleTopic, requestAll } from '../../src/threads/bus.ts';
import { createLog, type LogLine } from '../../src/threads/log.ts';
import {
  handSocket,
  openConnections,
  restartDelayMs,
  servingWorkers,
  startWorkers,
  stopWorkers,
  type Workers,
} from '../../src/threads/workers.ts';

const STUB = new URL('../support/stub-worker.ts', import.meta.url);

type World = {
  workers: Workers;
  server: Server;
  port: number;
  config: Config;
  counters: SharedArrayBuffer;
  lines: LogLine[];
  recovered: number[];
  clients: Socket[];
};

type Client = { socket: Socket; answer: string };

let worlds: World[] = [];

afterEach(async () => {
  for (const { clients, server, workers } of worlds) {
    for (const client of clients) client.destroy();
    server.close();
    await stopWorkers(workers, 1_000);
  }
  worlds = [];
});

function configOf(plan: string): Config {
  const loaded = loadConfig(['--requirepass', plan], {}, currentSurroundings());
  if (loaded.kind !== 'run') throw new Error('no configuration');
  return loaded.config;
}

async function startWorld(count: number, plan = ''): Promise<World> {
  const config = configOf(plan);
  const counters = createCountersBuffer(1 + count);
  const lines: LogLine[] = [];
  const recovered: number[] = [];
  const bus = createBus(MAIN_THREAD_ID, () => undefined, []);
  handleTopic(bus, 'who', () => MAIN_THREAD_ID);
  const workers = await startWorkers({
    entry: STUB,
    boot: {
      workerCount: count,
      shardBuffers: [],
      slotTable: new SharedArrayBuffer(0),
      counters,
      gate: createGateBuffer(),
      logBoard: createLogBoardBuffer(count, 1),
      accesses: createAccessBuffer(1 + count, 1, 2),
      trackingFilter: createTrackingFilterBuffer(count, 1, 2),
      slowLogIds: createSlowLogIds(),
      persistence: createPersistenceBuffer(0),
      nodeTable: undefined,
      peerBoard: new SharedArrayBuffer(0),
      replication: undefined,
      config,
      users: new Map(),
      startedAtMs: 0,
      runId: '',
    },
    bus,
    log: createLog(config, MAIN_THREAD_ID, (line) => lines.push(line)),
    monotonicMs: () => performance.now(),
    logSegment: () => undefined,
    recover: (threadId) => {
      recovered.push(threadId);
      return [`thread ${threadId} was cleaned up after`];
    },
  });
  const server = createServer({ pauseOnConnect: true }, (socket) => {
    if (!handSocket(workers, socket, false)) socket.end('nobody');
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  const world = { workers, server, port, config, counters, lines, recovered, clients: [] };
  worlds.push(world);
  return world;
}

/** A client that has had its first answer. */
async function connectClient(world: World, text = 'hello'): Promise<Client> {
  const socket = connect(world.port, '127.0.0.1');
  world.clients.push(socket);
  socket.on('error', () => undefined);
  socket.write(text);
  const [data] = await once(socket, 'data');
  return { socket, answer: `${data}` };
}

/** Waits until the log has `count` lines that hold `text`. */
async function logged(world: World, text: string, count = 1): Promise<void> {
  while (world.lines.filter((line) => line.text.includes(text)).length < count) {
    await new Promise(setImmediate);
  }
}

async function killWorker(world: World, how: string): Promise<void> {
  const { socket } = await connectClient(world, how);
  await once(socket, 'close');
}

describe('handing sockets over', () => {
  it('gives each connection to the worker with the fewest', async () => {
    const world = await startWorld(3);
    const clients: Client[] = [];
    for (let i = 0; i < 9; i++) clients.push(await connectClient(world));
    const perWorker = [0, 1, 2].map((index) => clients.filter(({ answer }) => answer[0] === `${index}`));
    expect(perWorker.map((held) => held.length)).toEqual([3, 3, 3]);
    expect(openConnections(world.workers)).toBe(9);

    for (const { socket } of perWorker[1]) socket.destroy();
    while (openConnections(world.workers) > 6) await new Promise(setImmediate);
    for (let i = 0; i < 3; i++) expect((await connectClient(world)).answer).toBe('1 hello');
  });

  it('balances connections that come all at once', async () => {
    const world = await startWorld(2);
    const clients = await Promise.all(Array.from({ length: 100 }, () => connectClient(world)));
    expect(clients.filter(({ answer }) => answer === '0 hello')).toHaveLength(50);
  });

  it('counts the connections that a worker accepted itself', async () => {
    const world = await startWorld(1);
    const { socket } = await connectClient(world);
    expect(openConnections(world.workers)).toBe(1);
    world.workers.options.bus.handlers.get('accepted')?.(null, 2);
    expect(openConnections(world.workers)).toBe(2);
    socket.destroy();
    while (openConnections(world.workers) > 1) await new Promise(setImmediate);
  });
});

describe('the mesh', () => {
  it('joins every thread to every other, also after a replacement', async () => {
    const world = await startWorld(3);
    expect((await connectClient(world, 'everybody')).answer).toBe('1 2 3 4');
    await killWorker(world, 'throw');
    await logged(world, 'serves again');
    for (let i = 0; i < 3; i++) expect((await connectClient(world, 'everybody')).answer).toBe('1 2 3 4');
    expect(await requestAll(world.workers.options.bus, 'who', null)).toEqual([1, 2, 3, 4]);
  });
});

describe('a worker that dies', () => {
  it.each(['throw', 'reject', 'end'])('by "%s" is replaced at once; its clients are closed', async (how) => {
    const world = await startWorld(2);
    const neighbours = [await connectClient(world), await connectClient(world)];
    const closed = Promise.race(neighbours.map(({ socket }) => once(socket, 'close')));
    await killWorker(world, how);
    await closed;
    await logged(world, 'serves again');
    expect(servingWorkers(world.workers)).toBe(2);
    expect(neighbours.filter(({ socket }) => !socket.destroyed)).toHaveLength(1);
    expect((await connectClient(world)).answer).toMatch(/^\d hello$/);
    expect((await connectClient(world)).answer).toMatch(/^\d hello$/);
  });

  it('leaves its locks to be recovered before the replacement starts, and its end in the log', async () => {
    const world = await startWorld(2);
    await killWorker(world, 'throw');
    await logged(world, 'serves again');
    expect(world.recovered).toEqual([2]);
    const texts = world.lines.map(({ text }) => text);
    expect(texts).toEqual([
      'worker 0 failed',
      'thread 2 was cleaned up after',
      'worker 0 ended; a replacement starts',
      'worker 0 serves again',
    ]);
    expect(world.lines[0].err?.message).toBe('thrown by the stub');
    expect(world.lines[2].fields).toEqual({ code: 1, connectionsLost: 1, delayMs: 0 });
  });

  it('takes its connections out of the counts', async () => {
    const world = await startWorld(1);
    for (let i = 0; i < 5; i++) await connectClient(world);
    openAllCounters(world.counters)[1][CLIENTS_BLOCKED] = 3;
    await killWorker(world, 'throw');
    await logged(world, 'serves again');
    expect(openConnections(world.workers)).toBe(0);
    const sections = openAllCounters(world.counters);
    expect(sumCounter(sections, CONNECTIONS_OPEN)).toBe(0);
    expect(sumCounter(sections, CLIENTS_BLOCKED)).toBe(0);
    expect(sumCounter(sections, CONNECTIONS_CLOSED)).toBe(6);
  });

  it('gives its replacement the configuration as it is by then', async () => {
    const world = await startWorld(1);
    world.config.requirepass = 'refuse';
    await killWorker(world, 'throw');
    await logged(world, 'the stub refuses');
  });

  it('again and again is replaced again and again, ever more slowly', async () => {
    const world = await startWorld(1);
    world.config.requirepass = 'throw';
    await killWorker(world, 'throw');
    await logged(world, 'a replacement starts', 5);
    const ends = world.lines.filter(({ text }) => text.endsWith('a replacement starts'));
    expect(ends.map(({ fields }) => fields?.delayMs).slice(0, 5)).toEqual([0, 0, 0, 100, 200]);
    world.config.requirepass = '';
    await logged(world, 'serves again');
    expect((await connectClient(world)).answer).toBe('0 hello');
  });
});

describe('the delay before a replacement', () => {
  it('is none for three deaths in a row, then doubles up to a bound that is no calm', () => {
    expect([1, 2, 3, 4, 5, 6, 7, 8, 9].map(restartDelayMs)).toEqual([
      0, 0, 0, 100, 200, 400, 800, 1600, 3200,
    ]);
    for (let deaths = 10; deaths < 2000; deaths++) expect(restartDelayMs(deaths)).toBe(RESTART_DELAY_MS_MAX);
    expect(RESTART_DELAY_MS_MAX).toBeLessThan(RESTART_CALM_MS);
  });
});

describe('starting', () => {
  it.each([
    ['refuse', 'the stub refuses'],
    ['throw', 'worker 0 failed: thrown by the stub'],
    ['end', 'worker 0 ended with code 0 before it served'],
  ])('fails where a worker does "%s" before it serves', async (plan, text) => {
    const started = startWorld(1, plan);
    await expect(started).rejects.toThrow(StartError);
    await expect(started).rejects.toThrow(text);
  });
});

describe('stopping', () => {
  it('lets workers finish and end by themselves', async () => {
    const world = await startWorld(3);
    const { socket } = await connectClient(world);
    const bye = once(socket, 'data');
    expect(await stopWorkers(world.workers, 1_000)).toBe(true);
    expect(`${(await bye)[0]}`).toBe('bye');
    expect(servingWorkers(world.workers)).toBe(0);
    expect(world.recovered).toEqual([]);
  });

  it('ends a worker that does not listen by force', async () => {
    const world = await startWorld(2);
    await connectClient(world, 'spin');
    expect(await stopWorkers(world.workers, 50)).toBe(false);
    expect(servingWorkers(world.workers)).toBe(0);
  });

  it('in the middle of a crash loop ends it', async () => {
    const world = await startWorld(1);
    world.config.requirepass = 'throw';
    await killWorker(world, 'throw');
    await logged(world, 'a replacement starts', 4);
    expect(await stopWorkers(world.workers, 1_000)).toBe(true);
    const { length } = world.lines;
    await new Promise(setImmediate);
    expect(world.lines).toHaveLength(length);
  });
});
