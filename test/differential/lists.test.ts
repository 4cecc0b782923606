/** The commands of lists against redis-server: random programs over small and large lists, and every option and error by hand. */
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
/** As a rank: its negation is no int64, so that what redis-server does is undefined in C. */
const LEAST = '-9223372036854775808';
const KEYS = ['a', 'b', 'c', 'text', 'none'];

let redis: RedisServer;
beforeAll(async () => {
  redis = await startRedisServer();
});
afterAll(() => redis.stop());

const key = fc.constantFrom(...KEYS, 'a', 'b', 'a', 'b');
const keys = fc.array(key, { minLength: 1, maxLength: 4 });
const few = fc.integer({ min: 0, max: 4 }).map((n) => `m${n}`);
const some = fc.oneof({ weight: 2, arbitrary: few }, { weight: 1, arbitrary: element });
const side = fc.constantFrom('LEFT', 'RIGHT', 'left', 'right', 'Right', 'LEFT', 'x');
const option = fc.oneof(
  { weight: 3, arbitrary: fc.tuple(fc.constantFrom('COUNT', 'MAXLEN', 'count'), number) },
  {
    weight: 2,
    arbitrary: fc.tuple(
      fc.constantFrom('RANK', 'rank'),
      number.filter((text) => text !== LEAST),
    ),
  },
  {
    weight: 1,
    arbitrary: fc.constantFrom<string[]>(['RANK'], ['x'], ['x', '1'], ['COUNT', '0'], ['RANK', '0']),
  },
);
const options = fc.array(option, { maxLength: 3 }).map((all) => all.flat());
const count = fc.oneof(
  { weight: 2, arbitrary: fc.constant<string[]>([]) },
  { weight: 2, arbitrary: number.map((text) => ['COUNT', text]) },
  { weight: 1, arbitrary: fc.constantFrom(['COUNT'], ['x', '1'], ['COUNT', '1', 'COUNT', '1']) },
);
const command: fc.Arbitrary<Command> = fc.oneof(
  { weight: 6, arbitrary: commandOf('RPUSH', key, fc.array(some, { minLength: 1, maxLength: 8 })) },
  { weight: 6, arbitrary: commandOf('LPUSH', key, fc.array(some, { minLength: 1, maxLength: 8 })) },
  { weight: 1, arbitrary: commandOf('RPUSHX', key, elements(4)) },
  { weight: 1, arbitrary: commandOf('LPUSHX', key, elements(4)) },
  { weight: 1, arbitrary: commandOf('LPOP', key) },
  { weight: 1, arbitrary: commandOf('RPOP', key) },
  { weight: 2, arbitrary: commandOf('LPOP', key, number) },
  { weight: 2, arbitrary: commandOf('RPOP', key, number) },
  { weight: 1, arbitrary: commandOf('LLEN', key) },
  { weight: 3, arbitrary: commandOf('LINDEX', key, number) },
  { weight: 3, arbitrary: commandOf('LRANGE', key, number, number) },
  { weight: 3, arbitrary: commandOf('LSET', key, number, some) },
  { weight: 2, arbitrary: commandOf('LTRIM', key, number, number) },
  { weight: 3, arbitrary: commandOf('LREM', key, number, some) },
  {
    weight: 4,
    arbitrary: commandOf(
      'LINSERT',
      key,
      fc.constantFrom('BEFORE', 'AFTER', 'before', 'After', 'x'),
      some,
      some,
    ),
  },
  { weight: 4, arbitrary: commandOf('LPOS', key, some, options) },
  { weight: 4, arbitrary: commandOf('LMOVE', key, key, side, side) },
  { weight: 3, arbitrary: commandOf('RPOPLPUSH', key, key) },
  {
    weight: 3,
    arbitrary: fc
      .tuple(keys, side, count)
      .map(([names, end, rest]) => ['LMPOP', String(names.length), ...names, end, ...rest]),
  },
  { weight: 1, arbitrary: commandOf('LMPOP', number, keys, side, count) },
  { weight: 1, arbitrary: commandOf('DEL', key) },
  { weight: 1, arbitrary: commandOf('PEXPIREAT', key, fc.constant('9999999999999')) },
  { weight: 1, arbitrary: commandOf('OBJECT', fc.constant('ENCODING'), key) },
);

describeWithRedis('the commands of lists answer as redis-server', () => {
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

  it('with every pair of ends, on lists of every small length', async () => {
    const commands: Command[] = [];
    for (let length = 1; length <= 4; length += 1) {
      const all = ['a', 'b', 'a', 'd'].slice(0, length);
      for (let first = -5; first <= 5; first += 1) {
        commands.push(['RPUSH', 'a', ...all], ['LINDEX', 'a', `${first}`], ['LSET', 'a', `${first}`, 'new']);
        commands.push(['LREM', 'a', `${first}`, 'a'], ['LRANGE', 'a', '0', '-1'], ['DEL', 'a']);
        for (let last = -5; last <= 5; last += 1) {
          commands.push(['RPUSH', 'a', ...all], ['LRANGE', 'a', `${first}`, `${last}`]);
          commands.push(['LPOS', 'a', 'a', 'RANK', `${first}`, 'COUNT', `${last}`]);
          commands.push(['LPOS', 'a', 'a', 'RANK', `${first}`, 'MAXLEN', `${last}`]);
          commands.push(['LTRIM', 'a', `${first}`, `${last}`], ['LRANGE', 'a', '0', '-1'], ['DEL', 'a']);
        }
      }
    }
    await expectSameReplies(redis.port, commands, ['a']);
  });

  it.each([true, false])('with elements of all lengths, with small bounds: %s', async (isSmall) => {
    const commands: Command[] = [];
    for (const [index, text] of longTexts.entries()) {
      commands.push(['RPUSH', 'a', text, 'x'], ['LPUSH', 'a', text, `${index}`], ['LINDEX', 'a', '2']);
      commands.push(
        ['LINSERT', 'a', 'BEFORE', 'x', text],
        ['LPOS', 'a', text],
        ['LPOS', 'a', text, 'RANK', '-1'],
      );
      commands.push(
        ['LSET', 'a', '3', text],
        ['LSET', 'a', '-3', 'short'],
        ['LMOVE', 'a', 'b', 'LEFT', 'RIGHT'],
      );
      commands.push(['LMOVE', 'b', 'b', 'LEFT', 'RIGHT'], ['LRANGE', 'a', '0', '1'], ['LLEN', 'a']);
    }
    for (const text of longTexts) commands.push(['LREM', 'a', '-1', text], ['LRANGE', 'a', '2', '4']);
    commands.push(['LTRIM', 'a', '5', '-6'], ['RPOP', 'a', '40'], ['LPOP', 'a', '40']);
    await expectSameReplies(redis.port, commands, KEYS, { isSmall });
  });

  it('to every wrong argument, on every kind of key', async () => {
    const commands: Command[] = [
      ['SET', 'text', 'x'],
      ['RPUSH', 'a', '1', '2', '3'],
    ];
    for (const name of KEYS) {
      commands.push(['LPUSH', name], ['LPUSHX', name], ['LPOP', name, '1', '2'], ['RPOP', name, '1', '2']);
      commands.push(['LINSERT', name, 'before', 'x'], ['LINSERT', name, 'x', '2', '3'], ['LLEN', name, 'x']);
      commands.push(
        ['LMPOP', '1', name],
        ['LMPOP', '2', name, 'LEFT'],
        ['LMPOP', '1', name, 'x', 'COUNT', 'x'],
      );
      commands.push(
        ['LMOVE', name, 'a', 'LEFT'],
        ['LMOVE', name, 'a', 'x', 'LEFT'],
        ['LMOVE', name, 'text', 'LEFT', 'x'],
      );
      commands.push(
        ['LMOVE', name, 'text', 'LEFT', 'RIGHT'],
        ['RPOPLPUSH', name, 'text'],
        ['RPOPLPUSH', 'text', name],
      );
      for (const text of COUNTS) {
        commands.push(['LINDEX', name, text], ['LRANGE', name, text, '1'], ['LRANGE', name, '1', text]);
        commands.push(['LSET', name, text, 'x'], ['LREM', name, text, '2'], ['LTRIM', name, 'x', text]);
        if (text !== LEAST) commands.push(['LPOS', name, '1', 'RANK', text]);
        commands.push(['LPOS', name, '1', 'COUNT', text]);
        commands.push(['LPOS', name, '1', 'MAXLEN', text], ['LMPOP', text, name, 'LEFT']);
        commands.push(['LMPOP', '1', name, 'LEFT', 'COUNT', text], ['RPUSH', name, '1', '2', '3']);
        commands.push(['LPOP', name, text], ['RPOP', name, text], ['LTRIM', name, text, '2'], ['DEL', 'a']);
        commands.push(['LTRIM', name, '0', text], ['RPUSH', 'a', '1', '2', '3']);
      }
    }
    for (const protocol of [2, 3] as const) await expectSameReplies(redis.port, commands, KEYS, { protocol });
  });
});

const COUNTS = [
  ...['0', '-0', '1', '-1', '-3', '100', 'x', '', '1.5', '01', '+1', ' 1', '9007199254740992'],
  ...['9223372036854775807', '9223372036854775808', '-9223372036854775808', '-9223372036854775809'],
];
