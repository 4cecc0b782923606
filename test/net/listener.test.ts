/** The doors of the server over real sockets, with a test in the place of the workers. */
import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { StartError } from '../../src/base/errors.ts';
import type { Config } from '../../src/config/config.ts';
import { currentSurroundings } from '../../src/config/file.ts';
import { ACCEPT_TROUBLE_LOG_MS } from '../../src/config/limits.ts';
import { loadConfig } from '../../src/config/load.ts';
import { createCountersBuffer, openCounters } from '../../src/metrics/counters.ts';
import { CONNECTIONS_REFUSED } from '../../src/metrics/names.ts';
import { PROTECTED_MODE_DENIAL, TOO_MANY_CLIENTS } from '../../src/net/admission.ts';
import { type Listener, type ListenerOptions, startListener, stopListener } from '../../src/net/listener.ts';
import { MAIN_THREAD_ID } from '../../src/threads/boot.ts';
import { createLog, type LogLine } from '../../src/threads/log.ts';
import { freePort } from '../support/redis-server.ts';

type World = { options: ListenerOptions; taken: Socket[]; lines: LogLine[]; nowMs: number; open: number };

let listeners: Listener[] = [];
let sockets: Socket[] = [];

afterEach(async () => {
  for (const socket of sockets) socket.destroy();
  await Promise.all(listeners.map(stopListener));
  listeners = [];
  sockets = [];
});

async function createWorld(flags: readonly string[] = []): Promise<World> {
  const loaded = loadConfig(
    ['--port', `${await freePort()}`, '--bind', '127.0.0.1', ...flags],
    {},
    currentSurroundings(),
  );
  if (loaded.kind !== 'run') throw new Error('no configuration');
  const { config } = loaded;
  const lines: LogLine[] = [];
  const taken: Socket[] = [];
  const world: World = {
    taken,
    lines,
    nowMs: 0,
    open: 0,
    options: {
      config,
      counters: openCounters(createCountersBuffer(1), 0),
      log: createLog(config, MAIN_THREAD_ID, (line) => lines.push(line)),
      monotonicMs: () => world.nowMs,
      hasPassword: () => config.requirepass !== '',
      openConnections: () => world.open,
      handOver: (socket) => {
        sockets.push(socket);
        taken.push(socket);
        socket.write('taken');
        return true;
      },
    },
  };
  return world;
}

async function start(world: World): Promise<Listener> {
  const listener = await startListener(world.options);
  listeners.push(listener);
  return listener;
}

/** What the server says first, and the connection. */
async function greeting(config: Config, host = '127.0.0.1', localAddress?: string): Promise<string> {
  const socket = connect({ port: config.port, host, localAddress });
  sockets.push(socket);
  const [data] = await once(socket, 'data');
  return `${data}`;
}

describe('listening', () => {
  it('is on every address of bind, and hands fresh sockets over unread', async () => {
    const world = await createWorld(['--bind', '127.0.0.1 127.0.0.2']);
    await start(world);
    expect(await greeting(world.options.config, '127.0.0.1')).toBe('taken');
    expect(await greeting(world.options.config, '127.0.0.2', '127.0.0.1')).toBe('taken');
    expect(world.taken.map((socket) => [socket.isPaused(), socket.bytesRead])).toEqual([
      [true, 0],
      [true, 0],
    ]);
  });

  it('is nowhere for port 0', async () => {
    const world = await createWorld(['--port', '0']);
    expect((await start(world)).servers).toEqual([]);
  });

  it('passes over an address that may be missing, and says so at the level verbose', async () => {
    const world = await createWorld(['--bind', '127.0.0.1 -203.0.113.77', '--loglevel', 'verbose']);
    expect((await start(world)).servers).toHaveLength(1);
    const { port } = world.options.config;
    expect(world.lines.map(({ text }) => text)).toEqual([
      `cannot listen on 203.0.113.77:${port}: this machine does not have the address`,
    ]);
  });

  it('fails where an address must be had, and leaves none open', async () => {
    const world = await createWorld(['--bind', '127.0.0.1 203.0.113.77']);
    await expect(start(world)).rejects.toThrow('203.0.113.77');
    await expect(greeting(world.options.config)).rejects.toThrow('ECONNREFUSED');
  });

  it('fails where no address is left', async () => {
    await expect(start(await createWorld(['--bind', '-203.0.113.77']))).rejects.toThrow(StartError);
  });

  it('fails in one line where the port is in use', async () => {
    const world = await createWorld();
    const { port } = world.options.config;
    const other = createServer();
    await once(other.listen(port, '127.0.0.1'), 'listening');
    await expect(start(world)).rejects.toThrow(`cannot listen on 127.0.0.1:${port}: the address is in use`);
    other.close();
  });

  it('ends with stopListener; a connection that was handed over goes on', async () => {
    const world = await createWorld();
    const listener = await start(world);
    const client = connect(world.options.config.port, '127.0.0.1');
    sockets.push(client);
    await once(client, 'data');
    const stopped = stopListener(listener);
    await expect(greeting(world.options.config)).rejects.toThrow('ECONNREFUSED');
    expect(client.destroyed).toBe(false);
    world.taken[0].destroy();
    await stopped;
  });
});

describe('refusing', () => {
  it('answers one over maxclients, counts it and closes it', async () => {
    const world = await createWorld(['--maxclients', '5']);
    await start(world);
    world.open = 4;
    expect(await greeting(world.options.config)).toBe('taken');
    world.open = 5;
    const client = connect(world.options.config.port, '127.0.0.1');
    sockets.push(client);
    const [[data]] = await Promise.all([once(client, 'data'), once(client, 'close')]);
    expect(`${data}`).toBe(TOO_MANY_CLIENTS);
    expect(world.options.counters[CONNECTIONS_REFUSED]).toBe(1);
  });

  it('follows the configuration as it changes', async () => {
    const world = await createWorld(['--bind', '0.0.0.0']);
    await start(world);
    const { config } = world.options;
    expect(await greeting(config, '127.0.0.1', '127.0.0.9')).toBe(PROTECTED_MODE_DENIAL);
    config.requirepass = 'secret';
    expect(await greeting(config, '127.0.0.1', '127.0.0.9')).toBe('taken');
    config.requirepass = '';
    config.protectedMode = false;
    expect(await greeting(config, '127.0.0.1', '127.0.0.9')).toBe('taken');
    config.maxclients = 0;
    expect(await greeting(config)).toBe(TOO_MANY_CLIENTS);
  });

  it('is what happens while no worker lives', async () => {
    const world = await createWorld();
    await start({ ...world, options: { ...world.options, handOver: () => false } });
    expect(await greeting(world.options.config)).toBe('-ERR no worker can serve this connection now\r\n');
  });
});

describe('trouble', () => {
  it('with handing over closes the connection and is logged once in a while', async () => {
    const world = await createWorld();
    const trouble = new Error('cannot transfer');
    const handOver = () => {
      throw trouble;
    };
    await start({ ...world, options: { ...world.options, handOver } });
    const closed = async () => {
      const client = connect(world.options.config.port, '127.0.0.1');
      client.on('error', () => undefined);
      await once(client, 'close');
    };
    await closed();
    await closed();
    expect(world.lines).toHaveLength(1);
    expect(world.lines[0].err?.message).toBe('cannot transfer');
    world.nowMs = ACCEPT_TROUBLE_LOG_MS;
    await closed();
    expect(world.lines).toHaveLength(2);
  });

  it('of a peer that resets at once is none', async () => {
    const world = await createWorld(['--maxclients', '1']);
    const listener = await start(world);
    world.open = 1;
    for (let i = 0; i < 50; i++) {
      const client = connect(world.options.config.port, '127.0.0.1');
      client.on('error', () => undefined);
      await once(client, 'connect');
      client.resetAndDestroy();
    }
    world.open = 0;
    expect(await greeting(world.options.config)).toBe('taken');
    expect(listener.servers[0].listening).toBe(true);
    expect(world.lines).toEqual([]);
  });
});
