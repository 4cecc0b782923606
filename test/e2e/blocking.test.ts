/**
 * Clients that wait for keys, over all workers of the real server: whoever came first is served first, nothing is lost or served
 * twice, and whatever ends a client or a worker ends its waits.
 */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type DistcacheServer, startDistcache, WITHOUT_HTTP } from '../support/distcache-server.ts';
import { eventually, infoField } from '../support/readings.ts';
import { requestBytes } from '../support/request-bytes.ts';
import { openWire, type Wire } from '../support/wire.ts';

const WORKERS = 3;

let server: DistcacheServer;
let control: Wire;
let wires: Wire[];
beforeAll(async () => {
  const flags = ['--workers', `${WORKERS}`, '--enable-debug-command', 'yes', '--latency-tracking', 'yes'];
  server = await startDistcache([...WITHOUT_HTTP, ...flags]);
});
beforeEach(async () => {
  wires = [];
  control = await connect();
  await control.ask('FLUSHALL');
});
afterEach(async () => {
  for (const { close } of wires) close();
  const last = await openWire(server.port);
  await eventually(async () => (await infoField(last, 'connected_clients')) === 1);
  expect(await infoField(last, 'blocked_clients')).toBe(0);
  last.close();
});
afterAll(() => server.stop());

/** Served before the next connects: the least loaded worker gets each. */
async function connect(): Promise<Wire> {
  const wire = await openWire(server.port);
  wires.push(wire);
  await wire.ask('PING');
  return wire;
}

function send(wire: Wire, ...words: string[]): void {
  wire.socket.write(requestBytes(...words));
}

async function untilBlocked(count: number): Promise<void> {
  await eventually(async () => (await infoField(control, 'blocked_clients')) === count);
}

/** A new client that waits. */
async function waiting(...words: string[]): Promise<Wire> {
  const before = await infoField(control, 'blocked_clients');
  const wire = await connect();
  send(wire, ...words);
  await untilBlocked(before + 1);
  return wire;
}

async function textsOf(wire: Wire): Promise<string[]> {
  return ((await wire.reply()) as Buffer[]).map(String);
}

describe('those who wait for one key', () => {
  it('are served in the order in which they came, whichever workers they are with', async () => {
    const clients: Wire[] = [];
    for (let i = 0; i < 3 * WORKERS; i += 1) clients.push(await waiting('BLPOP', 'queue', 'other', '0'));
    const values = clients.map((_, i) => `value-${i}`);
    await control.ask('RPUSH', 'queue', ...values);
    const got: string[] = [];
    for (const client of clients) got.push((await textsOf(client))[1]);
    expect(got).toEqual(values);
    await untilBlocked(0);
  });

  it('get every element once while others push, pop and wait anew on all workers', async () => {
    const ITEMS = 3_000;
    const keys = ['q1', 'q2', 'q3', 'q4'];
    const got: string[] = [];
    const consumers = await Promise.all(Array.from({ length: 2 * WORKERS }, connect));
    const consumed = consumers.map(async (wire, i) => {
      for (;;) {
        send(
          wire,
          ...(i % 2 === 0 ? ['BLPOP', ...keys, '0'] : ['BRPOP', keys[i % 4], keys[(i + 1) % 4], '0']),
        );
        const [, value] = await textsOf(wire);
        if (value === 'end') return;
        got.push(value);
      }
    });
    const producers = await Promise.all([connect(), connect()]);
    await Promise.all(
      producers.map(async (wire, p) => {
        for (let i = 0; i < ITEMS; i += 1) await wire.ask('LPUSH', keys[i % keys.length], `${p}-${i}`);
      }),
    );
    await eventually(() => got.length === 2 * ITEMS);
    expect(new Set(got).size).toBe(2 * ITEMS);
    let isOver = false;
    const over = Promise.all(consumed).then(() => {
      isOver = true;
    });
    await eventually(async () => {
      for (const key of keys) await control.ask('RPUSH', key, 'end');
      return isOver;
    });
    await over;
    await untilBlocked(0);
  }, 60_000);
});

describe('what has a key appear', () => {
  it.each([
    ['RENAME', ['RENAME', 'src', 'dst']],
    ['COPY', ['COPY', 'src', 'dst']],
    ['LMOVE', ['LMOVE', 'src', 'dst', 'LEFT', 'LEFT']],
  ])('wakes who waits: %s', async (_, command) => {
    await control.ask('RPUSH', 'src', 'x');
    const client = await waiting('BRPOP', 'dst', '0');
    await control.ask(...command);
    expect(await textsOf(client)).toEqual(['dst', 'x']);
  });

  it('wakes who waits: MOVE, SWAPDB, and a transaction', async () => {
    await control.ask('SELECT', '5');
    await control.ask('RPUSH', 'a', '1');
    await control.ask('RPUSH', 'b', '2');
    const first = await waiting('BLPOP', 'a', '0');
    await control.ask('MOVE', 'a', '0');
    expect(await textsOf(first)).toEqual(['a', '1']);
    const second = await waiting('BLPOP', 'b', '0');
    await control.ask('SWAPDB', '0', '5');
    expect(await textsOf(second)).toEqual(['b', '2']);
    await control.ask('SELECT', '0');
    const third = await waiting('BLPOP', 'a', '0');
    await control.ask('MULTI');
    for (const value of ['1', '2', '3']) await control.ask('RPUSH', 'a', value);
    await control.ask('EXEC');
    expect(await textsOf(third)).toEqual(['a', '1']);
  });
});

describe('a wait', () => {
  it('ends at its timeout on a server that dozes', async () => {
    const client = await connect();
    // Every worker dozes by the end of this.
    const startedMs = performance.now();
    send(client, 'BLPOP', 'a', '1.5');
    expect(await client.reply()).toBeNull();
    const tookMs = performance.now() - startedMs;
    expect(tookMs).toBeGreaterThanOrEqual(1_495);
    // Without the timeout it would not end at all.
    expect(tookMs).toBeLessThan(10_000);
  });

  it('holds back what the client has sent behind it, and nothing else', async () => {
    const client = await waiting('BLPOP', 'a', '0');
    send(client, 'LLEN', 'a');
    send(client, 'BLPOP', 'a', '0');
    await control.ask('RPUSH', 'a', '1', '2', '3');
    expect(await textsOf(client)).toEqual(['a', '1']);
    expect(await client.reply()).toBe(':2');
    expect(await textsOf(client)).toEqual(['a', '2']);
  });

  it('ends by CLIENT UNBLOCK from any other worker', async () => {
    for (const [reason, reply] of [
      ['TIMEOUT', null],
      ['ERROR', '-UNBLOCKED client unblocked via CLIENT UNBLOCK'],
    ] as const) {
      const clients: Wire[] = [];
      for (let i = 0; i < WORKERS; i += 1) clients.push(await connect());
      for (const client of clients) {
        const id = String(await client.ask('CLIENT', 'ID')).slice(1);
        send(client, 'BLPOP', 'a', '0');
        await untilBlocked(1);
        expect(await control.ask('CLIENT', 'UNBLOCK', id, reason)).toBe(':1');
        expect(await client.reply()).toBe(reply);
        expect(await control.ask('CLIENT', 'UNBLOCK', id, reason)).toBe(':0');
      }
    }
  });

  it('ends with its client: closed, half closed, or killed', async () => {
    const closed = await waiting('BLPOP', 'a', '0');
    const halfClosed = await waiting('BLPOP', 'a', '0');
    const killed = await connect();
    const id = String(await killed.ask('CLIENT', 'ID')).slice(1);
    send(killed, 'BLPOP', 'a', '0');
    await untilBlocked(3);
    closed.close();
    await untilBlocked(2);
    halfClosed.socket.end();
    await untilBlocked(1);
    await halfClosed.closed;
    await control.ask('CLIENT', 'KILL', 'ID', id);
    await killed.closed;
    await untilBlocked(0);
    await control.ask('RPUSH', 'a', '1');
    expect(await control.ask('LLEN', 'a')).toBe(':1');
  });

  it('ends with a client that had sent no more by the time its command began to wait', async () => {
    const client = await connect();
    // The first asks all workers, and is answered when the end of the input has come.
    client.socket.end(Buffer.concat([requestBytes('CLIENT', 'LIST'), requestBytes('BLPOP', 'a', '0')]));
    expect(String(await client.reply())).toContain('cmd=client|list');
    await client.closed;
    await untilBlocked(0);
  });

  it('counts as a call when it is over, and never as a slow one', async () => {
    await control.ask('CONFIG', 'RESETSTAT');
    await control.ask('CONFIG', 'SET', 'slowlog-log-slower-than', '100000');
    await control.ask('SLOWLOG', 'RESET');
    const client = await connect();
    send(client, 'BLPOP', 'a', '0.3');
    await untilBlocked(1);
    expect(String(await control.ask('INFO', 'commandstats'))).not.toContain('cmdstat_blpop');
    expect(await client.reply()).toBeNull();
    expect(String(await control.ask('INFO', 'commandstats'))).toMatch(/cmdstat_blpop:calls=1,/);
    expect(await control.ask('SLOWLOG', 'LEN')).toBe(':0');
  });
});

describe('a worker that dies', () => {
  it('takes its own clients along, and those of others go on to wait and are served', async () => {
    const clients: Wire[] = [];
    const keys = Array.from({ length: 4 * WORKERS }, (_, i) => `key-${i}`);
    for (const key of keys) clients.push(await waiting('BLPOP', key, 'shared', '0'));
    const victim = await connect();
    send(victim, 'DEBUG', 'WORKER-EXIT');
    await victim.closed;
    const survivors = () => clients.filter(({ socket }) => !socket.destroyed);
    await eventually(() => survivors().length <= clients.length - 3);
    if (control.socket.destroyed) control = await connect();
    await eventually(async () => (await control.ask('PING')) === '+PONG');
    await untilBlocked(survivors().length);
    for (const client of survivors()) {
      const key = keys[clients.indexOf(client)];
      await eventually(async () => (await control.ask('RPUSH', key, 'x')) === ':1');
      expect(await textsOf(client)).toEqual([key, 'x']);
    }
    await untilBlocked(0);
  });
});
