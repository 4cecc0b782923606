/** The commands of sets against redis-server: random programs over small and large sets, and every option and error by hand. */
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
const KEYS = ['a', 'b', 'c', 'd', 'text', 'none'];

let redis: RedisServer;
beforeAll(async () => {
  redis = await startRedisServer();
});
afterAll(() => redis.stop());

const key = fc.constantFrom(...KEYS, 'a', 'b', 'c');
const keys = fc.array(key, { minLength: 1, maxLength: 4 });
const integers = fc.array(fc.integer({ min: -9, max: 40 }).map(String), { minLength: 1, maxLength: 6 });
const match = fc.constantFrom('*', 'm*', '1*', '-?', 'm[1-3]', 'x', '');
const limit = fc.oneof(
  fc.constant<string[]>([]),
  number.map((count) => ['LIMIT', count]),
  fc.constantFrom(['LIMIT'], ['limit', '1', 'x'], ['x', '1'], ['LIMIT', '1', 'LIMIT', '2']),
);
const command: fc.Arbitrary<Command> = fc.oneof(
  { weight: 10, arbitrary: commandOf('SADD', key, elements(8)) },
  { weight: 6, arbitrary: commandOf('SADD', key, integers) },
  { weight: 5, arbitrary: commandOf('SREM', key, elements(5)) },
  { weight: 1, arbitrary: commandOf('SCARD', key) },
  { weight: 2, arbitrary: commandOf('SISMEMBER', key, element) },
  { weight: 2, arbitrary: commandOf('SMISMEMBER', key, elements(4)) },
  { weight: 1, arbitrary: commandOf('SMEMBERS', key) },
  { weight: 4, arbitrary: commandOf('SMOVE', key, key, element) },
  { weight: 2, arbitrary: commandOf('SPOP', key) },
  { weight: 2, arbitrary: commandOf('SPOP', key, number) },
  { weight: 1, arbitrary: commandOf('SRANDMEMBER', key) },
  { weight: 2, arbitrary: commandOf('SRANDMEMBER', key, fc.integer({ min: -9, max: 40 }).map(String)) },
  { weight: 3, arbitrary: commandOf('SINTER', keys) },
  { weight: 3, arbitrary: commandOf('SUNION', keys) },
  { weight: 3, arbitrary: commandOf('SDIFF', keys) },
  { weight: 2, arbitrary: commandOf('SINTERSTORE', key, keys) },
  { weight: 2, arbitrary: commandOf('SUNIONSTORE', key, keys) },
  { weight: 2, arbitrary: commandOf('SDIFFSTORE', key, keys) },
  {
    weight: 3,
    arbitrary: fc
      .tuple(keys, limit)
      .map(([names, options]) => ['SINTERCARD', String(names.length), ...names, ...options]),
  },
  { weight: 1, arbitrary: commandOf('SINTERCARD', number, keys, limit) },
  { weight: 2, arbitrary: commandOf('SSCAN', key, fc.constant('0'), fc.constant(['COUNT', '1000'])) },
  {
    weight: 1,
    arbitrary: commandOf('SSCAN', key, fc.constant(['0', 'MATCH']), match, fc.constant(['COUNT', '900'])),
  },
  { weight: 1, arbitrary: commandOf('DEL', key) },
  { weight: 1, arbitrary: commandOf('PEXPIREAT', key, fc.constant('9999999999999')) },
  { weight: 1, arbitrary: commandOf('OBJECT', fc.constant('ENCODING'), key) },
);

describeWithRedis('the commands of sets answer as redis-server', () => {
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

  it.each([true, false])('with members of all lengths, with small bounds: %s', async (isSmall) => {
    const commands: Command[] = [];
    for (const text of longTexts) {
      commands.push(['SADD', 'a', text, text.slice(1)], ['SADD', 'b', text], ['SISMEMBER', 'a', text]);
      commands.push(['SADD', 'a', text], ['SISMEMBER', 'a', `${text}x`], ['SCARD', 'a']);
    }
    commands.push(
      ['SDIFFSTORE', 'c', 'a', 'b'],
      ['SINTERCARD', '2', 'a', 'b'],
      ['SUNIONSTORE', 'd', 'c', 'b'],
    );
    for (const text of longTexts) commands.push(['SMOVE', 'a', 'b', text.slice(1)], ['SREM', 'b', text]);
    await expectSameReplies(redis.port, commands, KEYS, { isSmall });
  });

  it('to every wrong argument, on every kind of key', async () => {
    const commands: Command[] = [
      ['SET', 'text', 'x'],
      ['SADD', 'a', '1', '2', '3'],
    ];
    for (const name of KEYS) {
      commands.push(['SADD', name], ['SREM', name], ['SCARD', name, 'x'], ['SMOVE', name, 'a']);
      commands.push(['SMOVE', name, 'text', '1'], ['SMOVE', name, 'none', 'nosuch'], ['SMISMEMBER', name]);
      commands.push(['SPOP', name, '1', '2'], ['SRANDMEMBER', name, '1', '2'], ['SPOP', name, '0']);
      for (const count of COUNTS) commands.push(['SRANDMEMBER', name, count], ['SPOP', name, count]);
      commands.push(['SADD', 'a', '1', '2', '3'], ['SINTERCARD', '2', name], ['SINTERCARD', '0', name]);
      for (const count of COUNTS) {
        commands.push(['SINTERCARD', count, name], ['SINTERCARD', '1', name, 'LIMIT', count]);
        commands.push(['SSCAN', name, count], ['SSCAN', name, '0', 'COUNT', count]);
      }
      commands.push(['SSCAN', name], ['SSCAN', name, '0', 'MATCH'], ['SSCAN', name, '0', 'x', '*']);
      commands.push(['SSCAN', name, '0', 'MATCH', '*', 'COUNT', '500'], ['SSCAN', name, '0', 'TYPE', 'set']);
    }
    for (const protocol of [2, 3] as const) await expectSameReplies(redis.port, commands, KEYS, { protocol });
  });
});

const COUNTS = [
  ...['0', '-0', '1', '-1', '-3', '100', 'x', '', '1.5', '01', '+1', ' 1', '9007199254740992'],
  ...['9223372036854775807', '9223372036854775808', '-9223372036854775808', '-9223372036854775809'],
];
