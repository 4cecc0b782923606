/** The string commands against redis-server: random programs with nasty arguments, replies compared byte by byte. */
import { Buffer } from 'node:buffer';
import fc from 'fast-check';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { createHarness, type Harness } from '../support/harness.ts';
import { askRedis } from '../support/redis-replies.ts';
import { describeWithRedis, type RedisServer, startRedisServer } from '../support/redis-server.ts';

type Command = (string | Buffer)[];

const PROGRAM_COMMANDS = 500;
const PROGRAMS = 20;

/** Between the two servers' clocks while a program runs. */
const CLOCK_TOLERANCE_MS = 10_000;

/** Where our deadlines end; redis-server keeps 64 bits. */
const DEADLINE_MS_MAX = 2 ** 48 - 1;

let redis: RedisServer;
beforeAll(async () => {
  redis = await startRedisServer();
});
afterAll(() => redis.stop());

describeWithRedis('the string commands answer as redis-server', () => {
  for (const protocol of [2, 3] as const) {
    it(`in RESP${protocol}, over random programs`, async () => {
      const program = fc.array(command, { minLength: PROGRAM_COMMANDS, maxLength: PROGRAM_COMMANDS });
      await fc.assert(
        fc.asyncProperty(program, (commands) => expectSameReplies(commands, protocol)),
        { numRuns: PROGRAMS, endOnFailure: false },
      );
    });
  }

  it('over every pair of options of SET and GETEX, on a missing key, a lasting and an expiring one', async () => {
    const times = ['EX', 'PX', 'EXAT', 'PXAT'].flatMap((word) => [
      [word],
      [word, '9000000000000'],
      [word, '1'.repeat(word.endsWith('T') ? 1 : 7)],
      [word, '0'],
    ]);
    const options: string[][] = [[], ['NX'], ['xx'], ['Get'], ['KEEPTTL'], ['PERSIST'], ['NOPE'], ...times];
    const commands: Command[] = [];
    for (const one of options) {
      for (const other of options) {
        for (const setUp of [[], ['SET', 'key', 'old'], ['SET', 'key', 'old', 'PX', '5000000']]) {
          for (const head of [
            ['SET', 'key', 'new'],
            ['GETEX', 'key'],
          ]) {
            commands.push(['DEL', 'key'], ...(setUp.length > 0 ? [setUp] : []));
            commands.push([...head, ...one, ...other], ['PEXPIRETIME', 'key'], ['GET', 'key']);
          }
        }
      }
    }
    await expectSameReplies(commands, 2);
  });

  it('over every pair of numbers at the edges of their ranges', async () => {
    const commands: Command[] = [];
    for (const value of INTEGERS) {
      for (const increment of INTEGERS) {
        for (const name of ['INCRBY', 'DECRBY', 'INCRBYFLOAT', 'GETRANGE', 'SETRANGE']) {
          commands.push(
            ['SET', 'key', value],
            [name, 'key', increment, '1'].slice(0, name.endsWith('E') ? 4 : 3),
          );
        }
        commands.push(['SET', 'key', 'abcdef'], ['GETRANGE', 'key', value, increment]);
      }
      commands.push(
        ['SET', 'key', value],
        ['INCR', 'key'],
        ['SET', 'key', value],
        ['DECR', 'key'],
        ['DEL', 'key'],
      );
      commands.push(['INCRBY', 'key', value], ['DECRBY', 'gone', value], ['DEL', 'key', 'gone']);
    }
    await expectSameReplies(commands, 2);
  });

  it('with values of any bytes up to 1 MiB', async () => {
    const commands: Command[] = [];
    for (const bytes of [1, 255, 4096, 65_535, 65_536, 262_144, 1_048_576]) {
      const value = Buffer.from(Array.from({ length: bytes }, (_, i) => (i * 7 + (i >> 8)) & 0xff));
      commands.push(['SET', 'big', value], ['GET', 'big'], ['STRLEN', 'big'], ['APPEND', 'big', value]);
      commands.push(
        ['GETRANGE', 'big', '-1000', '-2'],
        ['SETRANGE', 'big', `${bytes}`, value.subarray(bytes >> 1)],
      );
      commands.push(
        ['MSET', 'big', value, 'other', value],
        ['MGET', 'big', 'other', 'none'],
        ['INCR', 'big'],
      );
      commands.push(['GETSET', 'other', 'x'], ['SET', 'other', value, 'GET'], ['GETDEL', 'big']);
    }
    await expectSameReplies(commands, 3);
  });

  it('LCS of values around the sizes at which it becomes a job', async () => {
    const text = (bytes: number, step: number) =>
      Buffer.from(Array.from({ length: bytes }, (_, i) => 97 + ((((i * i) >> 3) * step) % 7)));
    const commands: Command[] = [];
    for (const [first, second] of [
      [29, 31],
      [30, 60],
      [61, 90],
      [1, 70_000],
      [70_000, 1],
      [2100, 2100],
      [3000, 40],
      [12_000, 12_000],
    ]) {
      commands.push(
        ['MSET', 'a', text(first, 3), 'b', text(second, 5)],
        ['LCS', 'a', 'b'],
        ['LCS', 'a', 'b', 'LEN'],
      );
      commands.push(['LCS', 'a', 'b', 'IDX', 'MINMATCHLEN', '2'], ['LCS', 'b', 'a', 'IDX', 'WITHMATCHLEN']);
    }
    await expectSameReplies(commands, 3);
  });
});

const KEYS = ['k1', 'k2', 'k3', 'k4', 'k5', 'k6', '', 'key with spaces', 'long'.repeat(70)];
const INTEGERS = [
  ...[
    '0',
    '1',
    '-1',
    '2',
    '5',
    '10',
    '-10',
    '99',
    '999999',
    '-3000000000',
    '+1',
    ' 1',
    '1 ',
    '01',
    '-0',
    '',
    '-',
    'abc',
  ],
  ...[
    '9007199254740991',
    '9007199254740992',
    '-9007199254740991',
    '-9007199254740993',
    '1e3',
    '0x10',
    '3.0',
    '1.5',
  ],
  ...['9223372036854775807', '9223372036854775806', '-9223372036854775807', '-9223372036854775808'],
  ...['9223372036854775808', '-9223372036854775809', '18446744073709551616', '1'.repeat(40)],
];
const FLOATS = [
  '0.1',
  '-0.3',
  '1e10',
  '5e-3',
  '1e400',
  'inf',
  '-inf',
  'nan',
  '1e4000',
  '-2.5e-17',
  '1e-5000',
  '1_0',
];
/** Nothing that ends while a program runs. */
const SPANS = [
  '1000',
  '1000000',
  '9007199254740993',
  '9223372036854775',
  '9223372036854776',
  '0',
  '-1',
  'x',
  '',
];
const MOMENTS = ['1', '1000', '2000000000000', '99999999999999', '9223372036854775807', '0', '-5', '1.0'];

const key = fc.constantFrom(...KEYS);
const integer = fc.oneof(
  { weight: 3, arbitrary: fc.integer({ min: -60, max: 60 }).map(String) },
  { weight: 1, arbitrary: fc.constantFrom(...INTEGERS) },
);
const float = fc.constantFrom(...FLOATS, ...INTEGERS, '3.14', '1.0e2', '0.5');
const value = fc.oneof(
  { weight: 3, arbitrary: integer },
  {
    weight: 2,
    arbitrary: fc.constantFrom('', 'a', 'ohmytext', 'mynewtext', '3.0', 'x'.repeat(44), 'x'.repeat(45)),
  },
  { weight: 2, arbitrary: fc.uint8Array({ maxLength: 60, size: 'max' }).map((bytes) => Buffer.from(bytes)) },
  { weight: 1, arbitrary: fc.integer({ min: 0, max: 400 }).map((length) => 'abc'.repeat(length)) },
);
/** A word in the case that its letters happen to get. */
const word = (...words: string[]) =>
  fc
    .tuple(fc.constantFrom(...words), fc.nat(255))
    .map(([text, bits]) =>
      [...text].map((letter, i) => ((bits >> (i % 8)) & 1 ? letter.toLowerCase() : letter)).join(''),
    );
const timeOption = fc.oneof(
  fc.tuple(word('EX', 'PX'), fc.constantFrom(...SPANS)),
  fc.tuple(word('EXAT', 'PXAT'), fc.constantFrom(...MOMENTS)),
);
const plainOption = word('NX', 'XX', 'GET', 'KEEPTTL', 'PERSIST', 'EX', 'PXAT', 'NXX', '').map((text) => [
  text,
]);
const options = fc.array(fc.oneof(timeOption, plainOption), { maxLength: 3 }).map((lists) => lists.flat());
const oneOption = fc.oneof(
  timeOption,
  word('NX', 'XX', 'GET', 'KEEPTTL', 'PERSIST').map((text) => [text]),
);
const lcsOption = fc.oneof(
  word('IDX', 'LEN', 'WITHMATCHLEN', 'MINMATCHLEN', 'NOPE').map((text) => [text]),
  word('IDX', 'WITHMATCHLEN').map((text) => [text]),
  integer.map((bytes) => ['minmatchlen', bytes]),
);
const offset = fc.oneof(
  { weight: 8, arbitrary: fc.integer({ min: -1, max: 200 }).map(String) },
  {
    weight: 1,
    arbitrary: fc.constantFrom('536870912', '4294967296', '9223372036854775807', '-9223372036854775808', 'x'),
  },
);

function commandOf(
  name: string,
  ...parts: fc.Arbitrary<string | Buffer | (string | Buffer)[]>[]
): fc.Arbitrary<Command> {
  return fc.tuple(...parts).map((values) => [name, ...values.flat()]);
}

const NAMES = [
  'GET',
  'SET',
  'GETDEL',
  'GETEX',
  'GETSET',
  'STRLEN',
  'APPEND',
  'SETNX',
  'SETEX',
  'PSETEX',
  'MSETNX',
  'INCR',
  'DECRBY',
  'LCS',
];

const pairs = fc.array(fc.tuple(key, value), { minLength: 1, maxLength: 4 }).map((list) => list.flat());
const command: fc.Arbitrary<Command> = fc.oneof(
  { weight: 4, arbitrary: commandOf('SET', key, value) },
  { weight: 3, arbitrary: commandOf('SET', key, value, oneOption) },
  { weight: 3, arbitrary: commandOf('SET', key, value, options) },
  { weight: 3, arbitrary: commandOf('GET', key) },
  { weight: 3, arbitrary: commandOf('PEXPIRETIME', key) },
  { weight: 1, arbitrary: commandOf('DEL', key) },
  ...[
    ...[commandOf('GETDEL', key), commandOf('GETEX', key, options), commandOf('GETEX', key, oneOption)],
    ...[commandOf('GETSET', key, value), commandOf('GETRANGE', key, integer, integer)],
    ...[commandOf('SUBSTR', key, integer, integer), commandOf('SETRANGE', key, offset, value)],
    ...[commandOf('STRLEN', key), commandOf('APPEND', key, value), commandOf('SETNX', key, value)],
    ...[commandOf('SETEX', key, fc.constantFrom(...SPANS), value)],
    ...[commandOf('PSETEX', key, fc.constantFrom('500000', ...SPANS.slice(1)), value)],
    ...[commandOf('MSET', pairs), commandOf('MSET', pairs, key), commandOf('MSETNX', pairs)],
    ...[commandOf('MGET', fc.array(key, { minLength: 1, maxLength: 6 }))],
    ...[commandOf('INCR', key), commandOf('DECR', key), commandOf('INCRBY', key, integer)],
    ...[commandOf('DECRBY', key, integer), commandOf('INCRBYFLOAT', key, float)],
    ...[
      commandOf('LCS', key, key),
      commandOf('LCS', key, key, lcsOption),
      commandOf('LCS', key, key, lcsOption, lcsOption),
    ],
  ].map((arbitrary) => ({ weight: 1, arbitrary })),
  {
    weight: 1,
    arbitrary: fc.constantFrom(...NAMES).chain((name) => commandOf(name, fc.array(value, { maxLength: 4 }))),
  },
);

/** Runs the commands on an empty server of each kind. */
async function expectSameReplies(commands: Command[], protocol: 2 | 3): Promise<void> {
  const hello: Command[] = [['FLUSHALL'], ['HELLO', String(protocol)]];
  const harness = createHarness({ nowMs: Date.now(), shardBytes: 32 * 2 ** 20 });
  harness.session.protocol = protocol;
  const theirs = (await askRedis(redis.port, [...hello, ...commands])).slice(hello.length);
  for (const [index, one] of commands.entries()) {
    const ours = await runOne(harness, one);
    if (ours === theirs[index] || isSameMoment(one, ours, theirs[index])) continue;
    expect({ command: one.map(String), reply: ours }).toEqual({
      command: one.map(String),
      reply: theirs[index],
    });
  }
  harness.expectWhole();
}

async function runOne(harness: Harness, one: Command): Promise<string> {
  const reply = harness.run(...one);
  if (reply !== '') return reply;
  while (harness.deferredReplies.length === 0) await new Promise((resolve) => setImmediate(resolve));
  return harness.deferredReplies.pop() ?? '';
}

/** Deadlines are counted from two clocks, and ours end earlier than theirs. */
function isSameMoment(one: Command, ours: string, theirs: string): boolean {
  if (one[0] !== 'PEXPIRETIME' || !ours.startsWith(':') || !theirs.startsWith(':')) return false;
  const expected = Math.min(Number(theirs.slice(1)), DEADLINE_MS_MAX);
  return expected > 0 && Math.abs(Number(ours.slice(1)) - expected) < CLOCK_TOLERANCE_MS;
}
