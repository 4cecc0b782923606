/**
 * Keyspace notifications against redis-server: every command that changes keys or misses them, in all forms that matter; a client
 * listens to all events, another runs the commands, and the messages are compared.
 */
import fc from 'fast-check';
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { hearOracle, hearServer, type Step } from '../support/conversations.ts';
import { type DistcacheServer, startDistcache, WITHOUT_HTTP } from '../support/distcache-server.ts';
import { EVENT_PROGRAMS, FAR } from '../support/event-programs.ts';
import { eventually } from '../support/readings.ts';
import { describeWithRedis, type RedisServer, startRedisServer } from '../support/redis-server.ts';
import { converse } from '../support/replies.ts';
import { openWire, type Wire } from '../support/wire.ts';

const RUNS = 50;
const LISTENER = 0;
const WRITER = 1;
const EVERYTHING = 'KEAnm';

const key = fc.constantFrom('a', 'b', 'c', '{a}1', '', 'ü\0');
const option = fc.constantFrom('EX 100', `EXAT ${FAR}`, 'KEEPTTL', 'NX', 'XX', 'GET', 'PERSIST', '');
const command = fc.oneof(
  fc.tuple(fc.constantFrom('SET', 'GETSET', 'APPEND', 'SETNX', 'LCS'), key, key),
  fc
    .tuple(fc.constant('SET'), key, fc.constantFrom('1', 'x'), option)
    .map((args) => args.join(' ').trim().split(' ')),
  fc.tuple(
    fc.constantFrom('GET', 'GETDEL', 'INCR', 'DECR', 'PERSIST', 'TTL', 'STRLEN', 'TYPE', 'GETEX'),
    key,
  ),
  fc.tuple(
    fc.constantFrom('EXPIRE', 'PEXPIREAT', 'INCRBYFLOAT', 'DECRBY'),
    key,
    fc.constantFrom('100', '-1', FAR, 'x'),
  ),
  fc.tuple(fc.constantFrom('RENAME', 'RENAMENX', 'COPY'), key, key),
  fc.tuple(
    fc.constant('COPY'),
    key,
    key,
    fc.constant('DB'),
    fc.constantFrom('0', '1'),
    fc.constant('REPLACE'),
  ),
  fc.tuple(fc.constant('MOVE'), key, fc.constantFrom('0', '1', '2')),
  fc.tuple(fc.constantFrom('DEL', 'UNLINK', 'EXISTS', 'TOUCH', 'MGET'), key, key, key),
  fc.tuple(fc.constantFrom('MSET', 'MSETNX'), key, fc.constant('1'), key, fc.constant('2')),
  fc.tuple(fc.constant('SETRANGE'), key, fc.constantFrom('0', '3'), fc.constantFrom('', 'x')),
  fc.constantFrom(['FLUSHDB'], ['SELECT', '0'], ['SELECT', '1'], ['SWAPDB', '0', '1']),
);

describeWithRedis('keyspace notifications against redis-server', () => {
  let oracle: RedisServer;
  let server: DistcacheServer;
  let wires: Wire[];
  beforeAll(async () => {
    [oracle, server] = await Promise.all([
      startRedisServer(['--enable-debug-command', 'yes']),
      startDistcache(['--enable-debug-command', 'yes', ...WITHOUT_HTTP]),
    ]);
    wires = await Promise.all([openWire(oracle.port), openWire(server.port)]);
  });
  beforeEach(async () => {
    await onBoth('FLUSHALL');
    await onBoth('CONFIG', 'SET', 'notify-keyspace-events', EVERYTHING);
  });
  afterAll(async () => {
    for (const wire of wires) wire.close();
    await Promise.all([oracle.stop(), server.stop()]);
  });

  async function onBoth(...words: string[]): Promise<unknown[]> {
    return Promise.all(wires.map((wire) => wire.ask(...words)));
  }

  /** What both hear of a program; the listener and the writer are on different workers of ours. */
  async function compare(commands: readonly (readonly string[])[], protocol = '2'): Promise<void> {
    const steps: Step[] = [
      [LISTENER, 'PSUBSCRIBE', '__key*__:*'],
      [WRITER, 'HELLO', protocol],
      ...commands.map((words): Step => [WRITER, ...words]),
    ];
    const theirs = await hearOracle(oracle.port, 2, steps);
    const ours = await hearServer(server.port, theirs, steps);
    expect(ours.slice(2).map(([heard]) => heard)).toEqual(theirs.slice(2).map(([heard]) => heard));
  }

  it.each(Object.keys(EVENT_PROGRAMS))('are the same after %s', async (name) => {
    await compare(EVENT_PROGRAMS[name]);
  });

  it('are the same after a transaction, in their order among its messages', async () => {
    const transaction = [
      ['MULTI'],
      ['SET', 'k', 'v'],
      ['PUBLISH', '__keyx__:', 'between'],
      ['INCR', 'n'],
      ['GET', 'x'],
      ['DEL', 'k', 'n'],
      ['EXEC'],
    ];
    const heard = await Promise.all(
      [oracle, server].map(async ({ port }) => {
        const listener = await openWire(port);
        await listener.ask('PSUBSCRIBE', '__key*__:*');
        await converse(port, transaction);
        const messages: string[] = [];
        while (!messages.at(-1)?.endsWith('__keyevent@0__:del,n'))
          messages.push(String(await listener.reply()));
        listener.close();
        return messages;
      }),
    );
    expect(heard[1]).toEqual(heard[0]);
    expect(heard[0]).toHaveLength(15);
  });

  it('are the same after random programs', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(command, { minLength: 1, maxLength: 25 }), async (commands) => {
        await onBoth('FLUSHALL');
        await compare(commands);
      }),
      { numRuns: RUNS },
    );
  });

  /** What a listener hears from now on, until it is told to stop. */
  async function listen(port: number): Promise<{ next: () => Promise<string>; close: () => void }> {
    const wire = await openWire(port);
    await wire.ask('PSUBSCRIBE', '__keyevent@*');
    return {
      next: async () => {
        const [, , channel, body] = (await wire.reply()) as Buffer[];
        return `${channel} ${body}`;
      },
      close: wire.close,
    };
  }

  it('tell of keys that expire, met by somebody or not', async () => {
    for (const wire of wires) {
      const isOurs = wire === wires[1];
      await wire.ask('CONFIG', 'SET', 'notify-keyspace-events', 'Exg');
      const listener = await listen(isOurs ? server.port : oracle.port);
      await wire.ask('SET', 'k', 'v', 'PX', '1');
      expect(await listener.next()).toBe('__keyevent@0__:expire k');
      expect(await listener.next()).toBe('__keyevent@0__:expired k');
      await wire.ask('SET', 'k', 'v', 'PXAT', '1');
      expect(await listener.next()).toBe('__keyevent@0__:expire k');
      expect(await listener.next()).toBe('__keyevent@0__:expired k');
      await wire.ask('DEBUG', 'SET-ACTIVE-EXPIRE', '0');
      await wire.ask('MSET', 'a', '1', 'b', '1', 'c', '1', 'd', '1', 'e', '1', 'f', '1');
      for (const name of ['a', 'b', 'c', 'd', 'e', 'f']) {
        await wire.ask('PEXPIRE', name, '1');
        expect(await listener.next()).toBe(`__keyevent@0__:expire ${name}`);
      }
      // The last one's time has come: that of the others has, too.
      await eventually(async () => (await wire.ask('TTL', 'f')) === ':-2');
      await wire.ask('GET', 'a');
      await wire.ask('SET', 'b', '2');
      await wire.ask('DEL', 'c');
      await wire.ask('INCR', 'd');
      await wire.ask('RENAME', 'b', 'e');
      const heard: string[] = [];
      for (let i = 0; i < 8; i += 1) heard.push(await listener.next());
      expect(heard).toEqual([
        ...['f', 'a', 'b', 'c', 'd', 'e'].map((name) => `__keyevent@0__:expired ${name}`),
        '__keyevent@0__:rename_from b',
        '__keyevent@0__:rename_to e',
      ]);
      await wire.ask('DEBUG', 'SET-ACTIVE-EXPIRE', '1');
      listener.close();
    }
  });

  it('tell of keys that are evicted', async () => {
    const flags = ['--maxmemory-policy', 'allkeys-lru', '--notify-keyspace-events', 'Ee'];
    const small = await startDistcache([...flags, '--maxmemory', '8mb', ...WITHOUT_HTTP]);
    try {
      const wire = await openWire(small.port);
      const listener = await listen(small.port);
      const value = 'v'.repeat(100_000);
      for (let i = 0; i < 200; i += 1) await wire.ask('SET', `key:${i}`, value);
      const evicted = Number(/evicted_keys:(\d+)/.exec(String(await wire.ask('INFO', 'stats')))?.[1]);
      expect(evicted).toBeGreaterThan(50);
      const heard = new Set<string>();
      for (let i = 0; i < evicted; i += 1) heard.add(await listener.next());
      expect(heard.size).toBe(evicted);
      for (const text of heard) expect(text).toMatch(/^__keyevent@0__:evicted key:\d+$/);
      for (const close of [wire.close, listener.close]) close();
    } finally {
      await small.stop();
    }
  });

  it.each([
    ['', 0],
    ['K', 0],
    ['E$', 1],
    ['K$', 1],
    ['KE$', 2],
    ['KEg', 0],
    ['An', 0],
    ['KEn', 2],
    ['KA', 1],
  ])('with the classes "%s" tell as many times of a SET', async (classes, count) => {
    await onBoth('CONFIG', 'SET', 'notify-keyspace-events', classes);
    const steps: Step[] = [
      [LISTENER, 'PSUBSCRIBE', '__key*__:*'],
      [WRITER, 'SET', 'k', 'v'],
    ];
    const theirs = await hearOracle(oracle.port, 2, steps);
    expect(theirs[1][LISTENER]).toHaveLength(count);
    await expect(hearServer(server.port, theirs, steps)).resolves.toEqual(theirs);
  });
});
