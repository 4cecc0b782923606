/** The commands of hashes against redis-server: random programs over small and large hashes, and every option and error by hand. */
import fc from 'fast-check';
import { afterAll, beforeAll, it } from 'vitest';
import {
  type Command,
  commandOf,
  element,
  elements,
  expectSameReplies,
  longTexts,
  number,
} from '../support/collection-programs.ts';
import { describeWithRedis, type RedisServer, startRedisServer } from '../support/redis-server.ts';

const PROGRAM_COMMANDS = 150;
const PROGRAMS = 20;
const KEYS = ['a', 'b', 'c', 'text', 'none'];

let redis: RedisServer;
beforeAll(async () => {
  redis = await startRedisServer();
});
afterAll(() => redis.stop());

const key = fc.constantFrom(...KEYS, 'a', 'b', 'a', 'b');
const pairs = fc.array(fc.tuple(element, element), { minLength: 1, maxLength: 5 }).map((all) => all.flat());
const match = fc.constantFrom('*', 'm*', '1*', '-?', 'm[1-3]', 'x', '');
const increment = fc.oneof(
  number,
  fc.integer({ min: -(2 ** 40), max: 2 ** 40 }).map(String),
  fc.constantFrom('9223372036854775800', '-9223372036854775800'),
);
const float = fc.oneof(
  fc.double({ noNaN: true, min: -1e9, max: 1e9 }).map(String),
  fc.integer({ min: -100, max: 100 }).map((n) => String(n / 8)),
  fc.constantFrom(
    '1e3',
    '0x10',
    'inf',
    '-inf',
    'nan',
    'x',
    '',
    ' 1',
    '1 ',
    '5e-324',
    '1e400',
    '3.0e3',
    '.5',
    '5.',
  ),
);
const command: fc.Arbitrary<Command> = fc.oneof(
  { weight: 10, arbitrary: commandOf('HSET', key, pairs) },
  { weight: 2, arbitrary: commandOf('HMSET', key, pairs) },
  { weight: 1, arbitrary: commandOf('HSET', key, elements(5)) },
  { weight: 1, arbitrary: commandOf('HMSET', key, elements(5)) },
  { weight: 3, arbitrary: commandOf('HSETNX', key, element, element) },
  { weight: 6, arbitrary: commandOf('HDEL', key, elements(5)) },
  { weight: 2, arbitrary: commandOf('HGET', key, element) },
  { weight: 2, arbitrary: commandOf('HMGET', key, elements(5)) },
  { weight: 1, arbitrary: commandOf('HGETALL', key) },
  { weight: 1, arbitrary: commandOf('HKEYS', key) },
  { weight: 1, arbitrary: commandOf('HVALS', key) },
  { weight: 1, arbitrary: commandOf('HLEN', key) },
  { weight: 2, arbitrary: commandOf('HEXISTS', key, element) },
  { weight: 2, arbitrary: commandOf('HSTRLEN', key, element) },
  { weight: 5, arbitrary: commandOf('HINCRBY', key, element, increment) },
  { weight: 5, arbitrary: commandOf('HINCRBYFLOAT', key, element, float) },
  { weight: 1, arbitrary: commandOf('HRANDFIELD', key) },
  {
    weight: 2,
    arbitrary: commandOf(
      'HRANDFIELD',
      key,
      fc.integer({ min: -9, max: 40 }).map(String),
      fc.constantFrom<string[]>([], ['WITHVALUES'], ['withvalues'], ['x'], ['WITHVALUES', 'x']),
    ),
  },
  { weight: 2, arbitrary: commandOf('HSCAN', key, fc.constant('0'), fc.constant(['COUNT', '1000'])) },
  {
    weight: 1,
    arbitrary: commandOf('HSCAN', key, fc.constant(['0', 'MATCH']), match, fc.constant(['COUNT', '900'])),
  },
  { weight: 1, arbitrary: commandOf('DEL', key) },
  { weight: 1, arbitrary: commandOf('PEXPIREAT', key, fc.constant('9999999999999')) },
  { weight: 1, arbitrary: commandOf('OBJECT', fc.constant('ENCODING'), key) },
);

describeWithRedis('the commands of hashes answer as redis-server', () => {
  for (const protocol of [2, 3] as const) {
    it.each([true, false])(
      `in RESP${protocol}, over random programs, with small bounds: %s`,
      async (isSmall) => {
        const program = fc.array(command, { minLength: PROGRAM_COMMANDS, maxLength: PROGRAM_COMMANDS });
        await fc.assert(
          fc.asyncProperty(program, (commands) =>
            expectSameReplies(redis.port, [['SET', 'text', 'x'], ...commands], KEYS, { protocol, isSmall }),
          ),
          { numRuns: PROGRAMS, endOnFailure: true },
        );
      },
    );
  }

  it('in the same order while they are small', async () => {
    const short = fc.constantFrom('a', 'b', 'c', 'd', 'e', '1', '2', '300', '-70000');
    const small: fc.Arbitrary<Command> = fc.oneof(
      commandOf('HSET', fc.constant('a'), short, short),
      commandOf('HSET', fc.constant('a'), short, short),
      commandOf('HINCRBYFLOAT', fc.constant('a'), short, fc.constant('0.5')),
      commandOf('HDEL', fc.constant('a'), short),
      fc.constantFrom<Command>(['HGETALL', 'a'], ['HKEYS', 'a'], ['HVALS', 'a'], ['HSCAN', 'a', '0']),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(small, { minLength: 100, maxLength: 100 }), (commands) =>
        expectSameReplies(redis.port, commands, ['a'], { isOrdered: true }),
      ),
      { numRuns: PROGRAMS, endOnFailure: true },
    );
  });

  it.each([true, false])('with fields and values of all lengths, with small bounds: %s', async (isSmall) => {
    const commands: Command[] = [];
    for (const [index, text] of longTexts.entries()) {
      commands.push(['HSET', 'a', text, `${index}`, `${index}`, text], ['HGET', 'a', `${index}`]);
      commands.push(['HSTRLEN', 'a', `${index}`], ['HSETNX', 'a', text, 'x'], ['HINCRBY', 'a', text, '1']);
      commands.push(['HSET', 'b', 'same', text], ['HGET', 'b', 'same'], ['HSET', 'b', text, text]);
      commands.push(['HSET', 'b', text, 'short'], ['HGET', 'b', text], ['OBJECT', 'ENCODING', 'b']);
    }
    for (const [index, text] of longTexts.entries())
      commands.push(['HDEL', 'a', text, `${index}`], ['HLEN', 'a']);
    await expectSameReplies(redis.port, commands, KEYS, { isSmall });
  });

  it('to every wrong argument, on every kind of key', async () => {
    const commands: Command[] = [
      ['SET', 'text', 'x'],
      ['HSET', 'a', 'f', '1', 'text', 'x', 'far', '9223372036854775807', 'float', '1.5', 'empty', ''],
    ];
    for (const name of KEYS) {
      commands.push(['HSET', name], ['HSET', name, 'f'], ['HSET', name, 'f', '1', 'g'], ['HMSET', name, 'f']);
      commands.push(
        ['HGET', name],
        ['HMGET', name],
        ['HDEL', name],
        ['HLEN', name, 'x'],
        ['HGETALL', name, 'x'],
      );
      commands.push(
        ['HMSET', name, 'f', '1', 'g'],
        ['HSETNX', name, 'f'],
        ['HSTRLEN', name],
        ['HEXISTS', name],
      );
      for (const count of COUNTS) {
        if (!ENDLESS.includes(count)) commands.push(['HRANDFIELD', name, count]);
        commands.push(['HRANDFIELD', name, count, 'WITHVALUES']);
        commands.push(['HSCAN', name, count], ['HSCAN', name, '0', 'COUNT', count]);
        for (const field of ['f', 'text', 'far', 'float', 'empty', 'new']) {
          commands.push(['HINCRBY', name, field, count], ['HGET', name, field]);
          commands.push(['HINCRBYFLOAT', name, field, count], ['HGET', name, field]);
        }
        commands.push(['HDEL', name, 'new']);
      }
      for (const text of ['1e4932', '-1e4932', '1e-4950', '0x1p10', 'infinity', 'nan', '1e5000', '1_0']) {
        commands.push(['HINCRBYFLOAT', name, 'float', text], ['HGET', name, 'float']);
        commands.push(
          ['HSET', 'a', 'odd', text],
          ['HINCRBYFLOAT', 'a', 'odd', '1'],
          ['HINCRBY', 'a', 'odd', '1'],
        );
      }
      commands.push(['HRANDFIELD', name, '1', 'x'], ['HRANDFIELD', name, '1', 'WITHVALUES', 'x']);
      commands.push(['HRANDFIELD', name, 'x', 'x'], ['HSCAN', name], ['HSCAN', name, '0', 'MATCH']);
      commands.push(['HSCAN', name, '0', 'NOVALUES'], ['HSCAN', name, '0', 'MATCH', '*', 'COUNT', '500']);
    }
    for (const protocol of [2, 3] as const) await expectSameReplies(redis.port, commands, KEYS, { protocol });
  });
});

const COUNTS = [
  ...['0', '-0', '1', '-1', '-3', '100', 'x', '', '1.5', '01', '+1', ' 1', '9007199254740992'],
  ...['4611686018427387903', '4611686018427390000', '-4611686018427390000'],
  ...['9223372036854775807', '9223372036854775808', '-9223372036854775808', '-9223372036854775809'],
];

/** As counts of a draw, what redis-server would answer to without an end. */
const ENDLESS = ['-4611686018427390000'];
