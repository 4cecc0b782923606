/**
 * Transactions beside redis-server: programs of one client byte by byte, and several clients whose commands come in a random order.
 */
import fc from 'fast-check';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { installServerTopics } from '../../src/commands/server-topics.ts';
import { type DistcacheServer, startDistcache, WITHOUT_HTTP } from '../support/distcache-server.ts';
import { createHarness } from '../support/harness.ts';
import { type Answer, interleaveHere, interleaveOnServer, type Step } from '../support/interleaving.ts';
import { describeWithRedis, type RedisServer, startRedisServer } from '../support/redis-server.ts';
import { converse } from '../support/replies.ts';
import { openWire } from '../support/wire.ts';

const RUNS = 40;
const SERVER_RUNS = 15;

const SHOWN_OF_MULTI = / (flags|multi|cmd)=\S*/g;

/** Each one is a new client's. */
const PROGRAMS: readonly Program[] = [
  [['EXEC'], ['DISCARD'], ['UNWATCH'], ['WATCH'], ['EXEC', 'x'], ['PING']],
  [['MULTI'], ['MULTI'], ['SET', 'a', '1'], ['EXEC'], ['EXEC']],
  [['MULTI'], ['WATCH', 'a'], ['GET', 'a'], ['EXEC']],
  [['MULTI'], ['EXEC']],
  [['MULTI'], ['EXEC', 'x'], ['PING'], ['EXEC']],
  [['MULTI'], ['DISCARD', 'x'], ['PING'], ['EXEC']],
  [['MULTI'], ['MULTI', 'x'], ['PING'], ['EXEC']],
  [['MULTI'], ['SET', 'a'], ['PING'], ['EXEC'], ['GET', 'a']],
  [['MULTI'], ['NOSUCH', 'a'], ['PING'], ['DISCARD'], ['GET', 'a']],
  [['MULTI'], ['CONFIG', 'NOSUCH'], ['EXEC'], ['GET', 'a']],
  [['MULTI'], ['CONFIG'], ['EXEC']],
  [['MULTI'], ['SAVE'], ['SET', 'a', '1'], ['EXEC']],
  [['MULTI'], ['SHUTDOWN', 'NOSAVE'], ['EXEC']],
  [['SET', 's', 'text'], ['MULTI'], ['INCR', 's'], ['SET', 's', '1'], ['INCR', 's'], ['EXEC'], ['GET', 's']],
  [
    ['MULTI'],
    ['SELECT', '3'],
    ['SET', 'a', '1'],
    ['SELECT', '99'],
    ['EXEC'],
    ['DBSIZE'],
    ['SELECT', '0'],
    ['DBSIZE'],
  ],
  [['WATCH', 'a'], ['SET', 'a', '1'], ['MULTI'], ['NOSUCH'], ['EXEC'], ['MULTI'], ['PING'], ['EXEC']],
  [['WATCH', 'a'], ['SET', 'a', '1'], ['MULTI'], ['GET', 'a'], ['EXEC'], ['MULTI'], ['PING'], ['EXEC']],
  [['WATCH', 'a'], ['SET', 'a', '1'], ['UNWATCH'], ['MULTI'], ['GET', 'a'], ['EXEC']],
  [['WATCH', 'a'], ['SET', 'a', '1'], ['MULTI'], ['DISCARD'], ['MULTI'], ['PING'], ['EXEC']],
  [['WATCH', 'a'], ['MULTI'], ['UNWATCH'], ['SET', 'a', '1'], ['EXEC']],
  [['WATCH', 'a'], ['SELECT', '1'], ['SET', 'a', '1'], ['SELECT', '0'], ['MULTI'], ['GET', 'a'], ['EXEC']],
  [['WATCH', 'a'], ['SET', 'a', '1'], ['RESET'], ['MULTI'], ['PING'], ['EXEC']],
  [['MULTI'], ['PING'], ['RESET'], ['EXEC']],
  [['MULTI'], ['PING'], ['QUIT']],
  [['MULTI'], ['SET', 'a', '1', 'PX', '1'], ['GET', 'a'], ['PTTL', 'nosuch'], ['EXEC']],
  [['MULTI'], ['MONITOR'], ['SET', 'a', '1'], ['EXEC'], ['PING']],
  [
    ['MULTI'],
    ['ECHO', 'x'],
    ['KEYS', '*'],
    ['DBSIZE'],
    ['RANDOMKEY'],
    ['SCAN', '0'],
    ['FLUSHALL'],
    ['DBSIZE'],
    ['EXEC'],
  ],
  [['MULTI'], ['COMMAND', 'GETKEYS', 'WATCH', 'a', 'b'], ['COMMAND', 'COUNT', 'x'], ['EXEC']],
];

const KEYS = ['a', 'b', 'c', 'd{a}'];
/** These need a connection, or other threads. */
const SERVER_PROGRAMS: readonly Program[] = [
  [['MULTI'], ['CLIENT', 'REPLY', 'SKIP'], ['SET', 'a', '1'], ['EXEC'], ['PING'], ['PING']],
  [['CLIENT', 'REPLY', 'OFF'], ['MULTI'], ['PING'], ['EXEC'], ['CLIENT', 'REPLY', 'ON'], ['PING']],
  [
    ['MULTI'],
    ['CLIENT', 'REPLY', 'SKIP'],
    ['EXEC'],
    ['PING'],
    ['MULTI'],
    ['CLIENT', 'REPLY', 'SKIP'],
    ['DISCARD'],
  ],
  [
    ['MULTI'],
    ['SET', 'a', '1'],
    ['CONFIG', 'SET', 'lfu-log-factor', '7'],
    ['INCR', 'a'],
    ['CONFIG', 'GET', 'lfu-log-factor'],
    ['CONFIG', 'SET', 'lfu-log-factor', 'x'],
    ['GET', 'a'],
    ['CONFIG', 'SET', 'lfu-log-factor', '10'],
    ['CONFIG', 'GET', 'lfu-log-factor'],
    ['LCS', 'a', 'nosuch'],
    ['EXEC'],
    ['GET', 'a'],
  ],
  [
    ['MULTI'],
    ['SLOWLOG', 'RESET'],
    ['SLOWLOG', 'LEN'],
    ['SLOWLOG', 'GET'],
    ['CONFIG', 'RESETSTAT'],
    ['EXEC'],
    ['PING'],
  ],
  [
    ['WATCH', 'a'],
    ['MULTI'],
    ['CONFIG', 'SET', 'lfu-log-factor', '10'],
    ['SET', 'a', '1'],
    ['EXEC'],
    ['GET', 'a'],
  ],
  [
    ['MULTI'],
    ['CLIENT', 'KILL', 'ID', '987654321'],
    ['CLIENT', 'LIST', 'ID', '987654321'],
    ['PING'],
    ['EXEC'],
  ],
  // All locks are held when it asks all threads, its own among them, for what takes locks.
  [
    ['WATCH', 'a', 'none'],
    ['MULTI'],
    ['MSET', 'a', '1', 'b', '2', 'c', '3'],
    ['DBSIZE'],
    ['CONFIG', 'RESETSTAT'],
    ['CLIENT', 'UNPAUSE'],
    ['LATENCY', 'RESET'],
    ['GET', 'a'],
    ['EXEC'],
    ['PING'],
  ],
  // A user that changes what it may do itself, at once or behind something that takes time; and one that becomes another.
  [
    ['ACL', 'SETUSER', 'bob', 'reset', 'on', 'nopass', '+@all', '~*', '&*'],
    ['AUTH', 'bob', 'x'],
    ['MULTI'],
    ['ACL', 'SETUSER', 'bob', '-get', '-config'],
    ['SET', 'a', '1'],
    ['GET', 'a'],
    ['CONFIG', 'GET', 'lfu-log-factor'],
    ['ACL', 'SETUSER', 'bob', '+get', '-nosuch'],
    ['GET', 'a'],
    ['EXEC'],
    ['GET', 'a'],
  ],
  [
    ['ACL', 'SETUSER', 'bob', 'reset', 'on', 'nopass', '+@all', '~*', '&*'],
    ['AUTH', 'bob', 'x'],
    ['MULTI'],
    ['CONFIG', 'SET', 'lfu-log-factor', '10'],
    ['ACL', 'SETUSER', 'bob', 'resetkeys', '~b*'],
    ['SET', 'a', '1'],
    ['SET', 'b', '1'],
    ['EXEC'],
    ['MGET', 'a', 'b'],
  ],
  [
    ['MULTI'],
    ['ACL', 'SETUSER', 'cat', 'reset', 'on', '>secret', '+@all', '-set', '~*', '&*'],
    ['SET', 'a', '1'],
    ['AUTH', 'cat', 'wrong'],
    ['AUTH', 'cat', 'secret'],
    ['SET', 'a', '2'],
    ['ACL', 'WHOAMI'],
    ['EXEC'],
    ['SET', 'a', '3'],
    ['GET', 'a'],
    ['ACL', 'DELUSER', 'bob'],
  ],
];

type Program = readonly (readonly string[])[];

const key = fc.constantFrom(...KEYS);
const database = fc.constantFrom('0', '1');
const value = fc.constantFrom('', '1', '5', 'text', 'x'.repeat(100));

/** What a client of a cache does, and what it should not. */
const plain: fc.Arbitrary<string[]> = fc.oneof(
  fc.tuple(fc.constantFrom('SET', 'APPEND', 'SETNX', 'GETSET'), key, value),
  fc.tuple(fc.constantFrom('SET', 'MSET', 'MSETNX'), key, value).map(([verb, k, v]) => [verb, k, v]),
  fc.tuple(
    fc.constantFrom('GET', 'DEL', 'INCR', 'GETDEL', 'GETEX', 'PERSIST', 'STRLEN', 'TOUCH', 'UNLINK'),
    key,
  ),
  fc.tuple(fc.constantFrom('DEL', 'EXISTS', 'MGET', 'RENAME', 'RENAMENX', 'COPY'), key, key),
  fc.tuple(fc.constant('EXPIRE'), key, fc.constantFrom('100', '-1', 'x')),
  fc.tuple(fc.constant('EXPIRE'), key, fc.constant('100'), fc.constantFrom('NX', 'XX')),
  fc.tuple(fc.constant('SET'), key, value, fc.constantFrom('NX', 'XX', 'KEEPTTL', 'GET')),
  fc.tuple(fc.constant('SETRANGE'), key, fc.constantFrom('0', '3'), value),
  fc.tuple(fc.constant('INCRBY'), key, fc.constantFrom('0', '7')),
  fc.tuple(fc.constant('MOVE'), key, database),
  fc.tuple(fc.constant('SELECT'), database),
  fc.tuple(fc.constant('SWAPDB'), database, database),
  fc.constantFrom<string[]>(
    ['FLUSHDB'],
    ['FLUSHALL'],
    ['DBSIZE'],
    ['PING'],
    ['ECHO', 'x'],
    ['SELECT', '99'],
    ['NOSUCH', 'a'],
    ['SET', 'a'],
    ['CONFIG', 'NOSUCH'],
    ['CLIENT', 'SETNAME', 'x'],
    ['CLIENT', 'GETNAME'],
    ['SAVE', 'x', 'y'],
    ['HELLO', '3', 'SETNAME', 'a b'],
  ),
);
const transactional: fc.Arbitrary<string[]> = fc.oneof(
  { weight: 4, arbitrary: fc.constant<string[]>(['MULTI']) },
  { weight: 6, arbitrary: fc.constant<string[]>(['EXEC']) },
  { weight: 1, arbitrary: fc.constantFrom<string[]>(['DISCARD'], ['UNWATCH'], ['RESET']) },
  { weight: 3, arbitrary: fc.array(key, { minLength: 1, maxLength: 3 }).map((keys) => ['WATCH', ...keys]) },
  {
    weight: 1,
    arbitrary: fc.constantFrom<string[]>(['EXEC', 'x'], ['MULTI', 'x'], ['WATCH'], ['DISCARD', 'x']),
  },
);
const command = fc.oneof({ weight: 3, arbitrary: plain }, { weight: 2, arbitrary: transactional });
const protocolStep = fc.constantFrom<string[]>(['HELLO', '3'], ['HELLO', '2']);

function steps(clients: number): fc.Arbitrary<Step[]> {
  const step = fc.record({ client: fc.nat(clients - 1), command });
  const start = fc.record({ client: fc.nat(clients - 1), command: protocolStep });
  return fc
    .tuple(fc.array(start, { maxLength: 2 }), fc.array(step, { minLength: 1, maxLength: 40 }))
    .map(([starts, rest]) => [...starts, ...rest]);
}

/** What HELLO tells of the server is each one's own. */
function comparable(program: readonly Step[], answers: readonly Answer[]): unknown[] {
  return program.map(({ client, command }, index) => {
    const answer = answers[index];
    return [client, command.join(' '), command[0] === 'HELLO' && Array.isArray(answer) ? 'HELLO' : answer];
  });
}

describeWithRedis('transactions beside redis-server', () => {
  let redis: RedisServer;
  beforeAll(async () => {
    redis = await startRedisServer();
  });
  afterAll(() => redis?.stop());

  async function theirs(program: readonly Step[]): Promise<Answer[]> {
    await converse(redis.port, [['FLUSHALL']]);
    return interleaveOnServer(redis.port, program);
  }

  it.each(PROGRAMS)(
    'a program that begins with %s and %s is answered byte by byte the same',
    async (...program) => {
      await converse(redis.port, [['FLUSHALL']]);
      for (const hello of [
        ['HELLO', '2'],
        ['HELLO', '3'],
      ]) {
        const harness = createHarness();
        const [, ...theirs] = await converse(redis.port, [hello, ...program]);
        const [, ...ours] = [hello, ...program].map((command) => harness.run(...command));
        expect(ours.join('')).toBe(theirs.join(''));
        await converse(redis.port, [['FLUSHALL']]);
      }
    },
  );

  it('commands and errors are counted alike', async () => {
    const program = PROGRAMS.flatMap((commands) => commands.filter(([name]) => name !== 'QUIT'));
    const harness = createHarness();
    const last: Program = [['DISCARD'], ['RESET'], ['INFO', 'commandstats', 'errorstats', 'stats']];
    const [, , ...theirs] = await converse(redis.port, [
      ['FLUSHALL'],
      ['CONFIG', 'RESETSTAT'],
      ...program,
      ...last,
    ]);
    installServerTopics(harness.engine);
    harness.run('CONFIG', 'RESETSTAT');
    await new Promise(setImmediate);
    const ours = [...program, ...last].map((command) => harness.run(...command));
    expect(countsIn(ours.at(-1) ?? '')).toEqual(countsIn(theirs.at(-1) ?? ''));
  });

  it('CLIENT INFO shows a client in MULTI, how much it has queued, and whether it will be turned down', async () => {
    const program: Program = [
      ['WATCH', 'k', 'z'],
      ['CLIENT', 'INFO'],
      ['MULTI'],
      ['PING'],
      ['CLIENT', 'INFO'],
      ['SET', 'k', '1'],
      ['CLIENT', 'INFO'],
      ['EXEC'],
      ['WATCH', 'k', 'z'],
      ['SET', 'k', '2'],
      ['CLIENT', 'INFO'],
      ['MULTI'],
      ['EXEC'],
      ['CLIENT', 'INFO'],
    ];
    const harness = createHarness();
    const theirs = await converse(redis.port, [['FLUSHALL'], ...program]);
    const ours = program.map((command) => harness.run(...command)).join('');
    expect(ours.match(SHOWN_OF_MULTI)).toEqual(theirs.slice(1).join('').match(SHOWN_OF_MULTI));
  });

  it.each([1, 2, 3, 4])(
    'commands of %i clients in a random order are answered alike',
    async (clients) => {
      await fc.assert(
        fc.asyncProperty(steps(clients), async (program) => {
          const ours = interleaveHere(createHarness(), program);
          expect(comparable(program, ours)).toEqual(comparable(program, await theirs(program)));
        }),
        { numRuns: RUNS },
      );
    },
    60_000,
  );
});

describeWithRedis('transactions of the whole server beside redis-server', () => {
  let redis: RedisServer;
  let server: DistcacheServer;
  beforeAll(async () => {
    // On a busy machine any command may be slow: none is logged.
    const patient = ['--slowlog-log-slower-than', '-1'];
    [redis, server] = await Promise.all([
      startRedisServer(patient),
      startDistcache([...WITHOUT_HTTP, ...patient]),
    ]);
  });
  afterAll(() => Promise.all([redis?.stop(), server?.stop()]));

  it('commands over the connections of several workers are answered alike', async () => {
    await fc.assert(
      fc.asyncProperty(steps(4), async (program) => {
        const answers: Answer[][] = [];
        for (const { port } of [server, redis]) {
          await converse(port, [['FLUSHALL']]);
          answers.push(await interleaveOnServer(port, program));
        }
        expect(comparable(program, answers[0])).toEqual(comparable(program, answers[1]));
      }),
      { numRuns: SERVER_RUNS },
    );
  }, 60_000);

  it.each(SERVER_PROGRAMS)('%s, %s, %s and so on are answered byte by byte the same', async (...program) => {
    for (const protocol of ['2', '3']) {
      const [ours, theirs] = await Promise.all(
        [server, redis].map(({ port }) => converse(port, [['FLUSHALL'], ['HELLO', protocol], ...program])),
      );
      expect(ours.slice(2)).toEqual(theirs.slice(2));
    }
  });

  it('monitors are told of the commands where they are executed, and of EXEC behind them', async () => {
    const programs: readonly Program[] = [
      [['MULTI'], ['SET', 'a', '1'], ['SELECT', '2'], ['INCR', 'a'], ['NOSUCH'], ['EXEC']],
      [['MULTI'], ['SET', 'a', '1'], ['SELECT', '2'], ['INCR', 'a'], ['EXEC'], ['GET', 'a']],
      [['WATCH', 'a'], ['SET', 'a', '2'], ['MULTI'], ['GET', 'a'], ['EXEC'], ['UNWATCH']],
      [['MULTI'], ['GET', 'a'], ['DISCARD'], ['EXEC']],
      [['MULTI'], ['EXEC', 'x'], ['PING']],
    ];
    for (const program of programs) {
      const [ours, theirs] = await Promise.all([server, redis].map(({ port }) => monitored(port, program)));
      expect(ours).toEqual(theirs);
    }
  });
});

/** What INFO tells of commands and errors, without times and in one order. */
function countsIn(reply: string): string[] {
  const lines = reply
    .split('\r\n')
    .filter((line) => /^(cmdstat|errorstat|total_(commands|error))/.test(line));
  return lines.map((line) => line.replace(/usec=.*(?=rejected)/, '')).sort();
}

/** What a monitor is told while a client sends the program, without times and addresses. */
async function monitored(port: number, program: Program): Promise<string[]> {
  const [monitor, client] = [await openWire(port), await openWire(port)];
  await monitor.ask('MONITOR');
  for (const command of program) await client.ask(...command);
  await client.ask('ECHO', 'the end');
  const lines: string[] = [];
  while (!lines.at(-1)?.includes('the end')) {
    lines.push(String(await monitor.reply()).replace(/^\+[\d.]+ \[(\d+) \S+\]/, '$1'));
  }
  for (const wire of [monitor, client]) wire.close();
  return lines;
}
