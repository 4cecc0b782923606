/** Life and death of the real process, on real sockets. */
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { connect, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { openFilesMax } from '../src/base/open-files.ts';
import { VERSION } from '../src/base/version.ts';
import { PROTECTED_MODE_DENIAL, TOO_MANY_CLIENTS } from '../src/net/admission.ts';
import {
  type DistcacheServer,
  runDistcache,
  STOPPED_IN_TIME,
  startDistcache,
  WITHOUT_HTTP,
} from './support/distcache-server.ts';
import { eventually, metricTotal } from './support/readings.ts';
import { freePort } from './support/redis-server.ts';
import { connectClient, type RespClient } from './support/resp-client.ts';
import { CHECKOUT_MAIN } from './support/server-main.ts';

const EXIT_CONFIG = 78;

let folder: string;
let servers: DistcacheServer[] = [];
let clients: RespClient[] = [];

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'distcache-server-'));
});

afterAll(() => rmSync(folder, { recursive: true, force: true }));

afterEach(async () => {
  for (const { socket } of clients) socket.destroy();
  for (const server of servers) server.kill('SIGKILL');
  await Promise.all(servers.map(({ exit }) => exit));
  servers = [];
  clients = [];
});

async function startWithHttp(flags: readonly string[] = []): Promise<DistcacheServer> {
  const server = await startDistcache(flags);
  servers.push(server);
  return server;
}

function start(flags: readonly string[] = []): Promise<DistcacheServer> {
  return startWithHttp([...WITHOUT_HTTP, ...flags]);
}

async function client({ port }: DistcacheServer, localAddress?: string): Promise<RespClient> {
  const connected = await connectClient({ port, host: '127.0.0.1', localAddress });
  clients.push(connected);
  return connected;
}

/** A client that asks for `command` again and again until its connection closes. Resolves at the first answer. */
async function startLoad(server: DistcacheServer, command: string): Promise<{ ended: Promise<void> }> {
  const asking = await client(server);
  await asking.ask(command);
  const ended = (async () => {
    for (;;) await asking.ask(command);
  })().catch(() => undefined);
  return { ended };
}

/** One client on each of the two workers: connections go to the worker with the fewest. */
async function clientsOfBothWorkers(server: DistcacheServer): Promise<[RespClient, RespClient]> {
  const first = await client(server);
  await first.ask('PING');
  const second = await client(server);
  await second.ask('PING');
  return [first, second];
}

describe('starting', () => {
  it('ends in one line of log that says "ready", and RESP and HTTP answer by then', async () => {
    const server = await startDistcache([], {}, [], CHECKOUT_MAIN);
    servers.push(server);
    const ready = JSON.parse(server.output().trim().split('\n').at(-1) ?? '');
    expect(ready).toMatchObject({
      level: 'notice',
      msg: 'ready',
      port: server.port,
      httpPort: server.httpPort,
      workers: 2,
      maxmemoryBytes: 64 * 1024 * 1024,
    });
    expect(await (await client(server)).ask('PING')).toBe('+PONG\r\n');
    for (const page of ['livez', 'readyz', 'healthz', 'metrics']) {
      expect((await fetch(`http://127.0.0.1:${server.httpPort}/${page}`)).status).toBe(200);
    }
  });

  it('serves on a Unix socket with its permissions, over what a dead server left, and removes it at the end', async () => {
    const path = join(folder, 'distcache.sock');
    const flags = ['--port', '0', '--unixsocket', path, '--unixsocketperm', '700'];
    const first = await start(flags);
    first.kill('SIGKILL');
    await first.exit;
    expect(statSync(path).isSocket()).toBe(true);

    const second = await start(flags);
    expect(statSync(path).mode & 0o777).toBe(0o700);
    const connected = await connectClient({ path });
    clients.push(connected);
    expect(await connected.ask('PING')).toBe('+PONG\r\n');
    expect(await second.stop()).toBe(0);
    expect(() => statSync(path)).toThrow('ENOENT');
  });

  it('reads file, environment and flags, in the order in which they win', async () => {
    const file = join(folder, 'order.conf');
    writeFileSync(file, 'maxclients 11\ntimeout 11\ntcp-keepalive 11\n');
    const server = await startDistcache(['--config', file, '--timeout', '33'], {
      DISTCACHE_TIMEOUT: '22',
      DISTCACHE_TCP_KEEPALIVE: '22',
    });
    servers.push(server);
    const asked = await client(server);
    asked.socket.write('CONFIG GET maxclients\r\nCONFIG GET timeout\r\nCONFIG GET tcp-keepalive\r\n');
    const values: string[] = [];
    for (let i = 0; i < 3; i++) {
      expect(await asked.reply()).toBe('*2\r\n');
      await asked.reply();
      values.push(await asked.reply());
    }
    expect(values).toEqual(['$2\r\n11\r\n', '$2\r\n33\r\n', '$2\r\n22\r\n']);
  });

  it('prints help and version and ends', async () => {
    expect(await runDistcache(['--version'])).toEqual({
      code: 0,
      stdout: `distcache ${VERSION}\n`,
      stderr: '',
    });
    const help = await runDistcache(['--help']);
    expect(help.code).toBe(0);
    expect(help.stdout).toContain('--maxmemory');
  });
});

describe('a start that cannot be', () => {
  it.each([
    ['an unknown flag', ['--no-such-flag', 'x'], EXIT_CONFIG, /no-such-flag/],
    ['a bad value', ['--maxmemory', 'much'], EXIT_CONFIG, /maxmemory.*"much".*allowed/],
    ['a missing file', ['--config', '/no/such/file.conf'], EXIT_CONFIG, /\/no\/such\/file\.conf/],
    ['no bound on memory', ['--maxmemory', '0'], EXIT_CONFIG, /maxmemory/],
    [
      'a missing folder',
      ['--dir', '/no/such/folder'],
      1,
      /'\/no\/such\/folder' \(dir\): no such file or directory/,
    ],
    ['a folder that is a file', ['--dir', '/etc/hostname'], 1, /'\/etc\/hostname' \(dir\): not a directory/],
    ['a log file that cannot be', ['--logfile', '/no/such/log'], 1, /log file '\/no\/such\/log'/],
    [
      'a Unix socket that cannot be',
      ['--unixsocket', '/no/such/socket', '--port', '0', '--http-port', '0'],
      1,
      /socket/,
    ],
    [
      'a Unix socket that is a file',
      ['--unixsocket', '/etc/hostname', '--port', '0', '--http-port', '0'],
      1,
      /is no socket/,
    ],
  ])('ends with one clear line: %s', async (_name, flags, code, text) => {
    const ended = await runDistcache(['--maxmemory', '64mb', ...flags]);
    expect(ended.stderr).toMatch(/^distcache: [^\n]+\n$/);
    expect(ended.stderr).toMatch(text);
    expect(ended.code).toBe(code);
  });

  it.each(['--port', '--http-port'])('ends with one clear line: the port of %s in use', async (flag) => {
    const port = await freePort();
    const other = createServer();
    await new Promise<void>((resolve) => other.listen(port, '127.0.0.1', resolve));
    const flags = ['--port', '0', '--http-port', '0', '--maxmemory', '64mb', flag, `${port}`];
    const ended = await runDistcache(flags);
    other.close();
    expect(ended.stderr).toMatch(new RegExp(`^distcache: cannot .* 127\\.0\\.0\\.1:${port}: .*in use\n$`));
    expect(ended.code).toBe(1);
  });
});

describe('stopping', () => {
  it.each(['SIGTERM', 'SIGINT'] as const)(
    'by %s ends within two seconds with code 0, idle',
    async (signal) => {
      const server = await start();
      const idle = await clientsOfBothWorkers(server);
      server.kill(signal);
      expect(await server.exit).toBe(0);
      expect(server.output()).toContain(STOPPED_IN_TIME);
      await Promise.all(idle.map(({ closed }) => closed));
      expect(server.output()).not.toContain('were ended');
    },
  );

  it('under load answers whole replies to the last and ends within two seconds with code 0', async () => {
    const server = await start();
    const loads = [];
    for (let i = 0; i < 10; i++) loads.push(await startLoad(server, `INCR counter-${i}`));
    const pipelined = await client(server);
    let tail = '';
    // A client whose worker has not answered yet is owed nothing when the stop begins.
    const isServed = new Promise<void>((resolve) => {
      pipelined.socket.on('data', (chunk) => {
        tail = (tail + chunk.toString('latin1')).slice(-100);
        resolve();
        if (!pipelined.socket.writableEnded) pipelined.socket.write('GET absent\r\n'.repeat(1000));
      });
    });
    pipelined.socket.write('GET absent\r\n'.repeat(1000));
    await isServed;
    server.kill('SIGTERM');
    expect(await server.exit).toBe(0);
    expect(server.output()).toContain(STOPPED_IN_TIME);
    await Promise.all(loads.map(({ ended }) => ended));
    expect(tail).toMatch(/\$-1\r\n$/);
  });

  it('cuts a client that does not read after a while, within two seconds, with code 0', async () => {
    const server = await startWithHttp();
    await stallWorker(server);
    server.kill('SIGTERM');
    expect(await server.exit).toBe(0);
    expect(server.output()).toContain(STOPPED_IN_TIME);
    expect(server.output()).toContain('some workers did not finish in time');
  });

  it('at the second signal ends at once', async () => {
    const server = await startWithHttp();
    await stallWorker(server);
    server.kill('SIGTERM');
    await server.logged('SIGTERM: stopping');
    server.kill('SIGTERM');
    expect(await server.exit).toBe(1);
  });

  it('is not what a hang-up does; by SHUTDOWN it closes the client and ends with code 0', async () => {
    const server = await start();
    server.kill('SIGHUP');
    const asking = await client(server);
    expect(await asking.ask('PING')).toBe('+PONG\r\n');
    await expect(asking.ask('SHUTDOWN NOSAVE')).rejects.toThrow('closed');
    expect(await server.exit).toBe(0);
  });
});

describe('a worker that dies', () => {
  it.each(['WORKER-EXIT', 'WORKER-THROW', 'WORKER-DIE-HOLDING-LOCK'])(
    'by DEBUG %s in the middle of load is replaced; the keys are still there',
    async (death) => {
      const server = await startWithHttp(['--enable-debug-command', 'yes']);
      const [victim, neighbour] = await clientsOfBothWorkers(server);
      for (let i = 0; i < 60; i++) await neighbour.ask(`SET key-${i} value-${i}`);
      const loads = [];
      for (let i = 0; i < 6; i++) loads.push(await startLoad(server, `INCR counter-${i}`));
      await neighbour.ask('PING');

      victim.ask(`DEBUG ${death}`).catch(() => undefined);
      await victim.closed;
      await server.logged('serves again');

      const [first, second] = [await client(server), await client(server)];
      for (let i = 0; i < 60; i++) {
        const expected = `$${`value-${i}`.length}\r\nvalue-${i}\r\n`;
        expect(await (i % 2 === 0 ? first : second).ask(`GET key-${i}`)).toBe(expected);
        expect(await neighbour.ask(`GET key-${i}`)).toBe(expected);
      }
      await eventually(
        async () => (await fetch(`http://127.0.0.1:${server.httpPort}/readyz`)).status === 200,
      );
      expect(await server.stop()).toBe(0);
      await Promise.all(loads.map(({ ended }) => ended));
    },
  );

  it('again and again never takes the process along', async () => {
    const server = await start(['--enable-debug-command', 'yes', '--workers', '1']);
    await (await client(server)).ask('SET key value');
    for (let deaths = 1; deaths <= 5; deaths++) {
      const victim = await client(server);
      victim.ask('DEBUG WORKER-THROW').catch(() => undefined);
      await server.logged('serves again', deaths);
    }
    expect(await (await client(server)).ask('GET key')).toBe('$5\r\nvalue\r\n');
  });
});

describe('connections', () => {
  it('over maxclients are refused, until one closes; CONFIG SET moves the limit', async () => {
    const server = await start(['--maxclients', '3']);
    const held = [await client(server), await client(server), await client(server)];
    for (const connected of held) await connected.ask('PING');
    const refused = await client(server);
    expect(await refused.reply()).toBe(TOO_MANY_CLIENTS);
    await refused.closed;

    expect(await held[0].ask('CONFIG SET maxclients 4')).toBe('+OK\r\n');
    const fourth = await client(server);
    expect(await fourth.ask('PING')).toBe('+PONG\r\n');
    fourth.socket.destroy();
    held[1].socket.destroy();
    await served(server);
  });

  it('of other machines are refused in protected mode, until there is a password', async () => {
    const server = await start(['--bind', '0.0.0.0']);
    // redis-server, too, counts the other addresses of 127.0.0.0/8 as foreign.
    expect(await (await client(server, '127.0.0.2')).reply()).toBe(PROTECTED_MODE_DENIAL);
    const local = await client(server);
    expect(await local.ask('CONFIG SET requirepass secret')).toBe('+OK\r\n');
    const foreign = await client(server, '127.0.0.2');
    expect(await foreign.ask('AUTH secret')).toBe('+OK\r\n');
  });

  it('that were reset before they were served leave nothing behind', async () => {
    const server = await start(['--maxclients', '20']);
    for (let i = 0; i < 300; i++) {
      const { socket, closed } = await client(server);
      socket.resetAndDestroy();
      await closed;
    }
    await served(server);
  });

  it('are as many as the operating system allows, and the log says so', async () => {
    const server = await startDistcache([], {}, ['sh', '-c', 'ulimit -n 100; exec "$@"', 'sh']);
    servers.push(server);
    expect(server.output()).toContain('maxclients is 44 instead of 10000: 100 files may be open');
    const held = await Promise.all(Array.from({ length: 44 }, () => client(server)));
    for (const { ask } of held) expect(await ask('PING')).toBe('+PONG\r\n');
    expect(await (await client(server)).reply()).toBe(TOO_MANY_CLIENTS);
  });

  it('10,000 idle ones are held and served, as far as this machine allows so many', async () => {
    const count = Math.min(10_000, openFilesMax() - 1_000);
    const server = await startWithHttp(['--maxclients', '10001']);
    const held: Socket[] = [];
    while (held.length < count) {
      const batch = Array.from({ length: Math.min(250, count - held.length) }, () =>
        idleConnection(server.port),
      );
      held.push(...(await Promise.all(batch)));
    }
    const active = await client(server);
    expect(await active.ask('PING')).toBe('+PONG\r\n');
    // The last ones may still be on their way from main to the other worker.
    await eventually(
      async () => (await metricTotal(server.httpPort, 'distcache_connections_open')) === count + 1,
    );
    expect(await server.stop()).toBe(0);
    for (const socket of held) socket.destroy();
  });
});

describe('CONFIG REWRITE', () => {
  it('writes what was set to the file and keeps its comments', async () => {
    const file = join(folder, 'rewrite.conf');
    writeFileSync(file, '# a comment\nmaxclients 50\n');
    const server = await start(['--config', file]);
    const asking = await client(server);
    expect(await asking.ask('CONFIG SET maxclients 60')).toBe('+OK\r\n');
    expect(await asking.ask('CONFIG REWRITE')).toBe('+OK\r\n');
    expect(readFileSync(file, 'utf8')).toMatch(/^# a comment\nmaxclients 60\n/);
  });

  it('is refused as redis-server does without a file', async () => {
    const asking = await client(await start());
    expect(await asking.ask('CONFIG REWRITE')).toBe('-ERR The server is running without a config file\r\n');
  });
});

/** A client that asks for much and reads nothing: its worker has answers to deliver that never go out. */
async function stallWorker(server: DistcacheServer): Promise<void> {
  const reader = await client(server);
  reader.socket.pause();
  const other = await client(server);
  await other.ask(`SET big ${'x'.repeat(60_000)}`);
  reader.socket.write('GET big\r\n'.repeat(500));
  const page = `http://127.0.0.1:${server.httpPort}/metrics`;
  const sentBytes = async () => {
    const text = await (await fetch(page)).text();
    return [...text.matchAll(/^distcache_sent_bytes_total\{.*\} (\d+)$/gm)].reduce(
      (sum, [, n]) => sum + Number(n),
      0,
    );
  };
  while ((await sentBytes()) < 500 * 60_000);
}

/** Resolves when a new connection is let in: those that closed may not have been noticed at once. */
async function served(server: DistcacheServer): Promise<void> {
  for (;;) {
    const connected = await client(server);
    const answer = await connected.ask('PING').catch(() => TOO_MANY_CLIENTS);
    connected.socket.destroy();
    if (answer === '+PONG\r\n') return;
    expect(answer).toBe(TOO_MANY_CLIENTS);
  }
}

function idleConnection(port: number): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1');
    socket.once('error', reject);
    socket.once('connect', () => resolve(socket));
  });
}
