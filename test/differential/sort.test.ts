/** SORT and SORT_RO against redis-server: random programs over lists, sets and sorted sets with keys that patterns name, and edges by hand. */
import { Buffer } from 'node:buffer';
import fc from 'fast-check';
import { afterAll, beforeAll, it } from 'vitest';
import { type Command, commandOf, expectSameReplies, number } from '../support/collection-programs.ts';
import { describeWithRedis, type RedisServer, startRedisServer } from '../support/redis-server.ts';

const PROGRAM_COMMANDS = 120;
const PROGRAMS = 25;
const KEYS = ['list', 'set', 'zset', 'none', 'to', 'text'];

let redis: RedisServer;
beforeAll(async () => {
  // As the strings of C: SORT with ALPHA goes by the locale.
  process.env.LC_ALL = 'C';
  redis = await startRedisServer();
});
afterAll(() => redis.stop());

const key = fc.constantFrom('list', 'list', 'list', 'to', 'none', 'text', 'hash:1');
const name = fc.oneof(
  { weight: 8, arbitrary: fc.integer({ min: -3, max: 12 }).map(String) },
  { weight: 2, arbitrary: fc.constantFrom('a', 'b', 'B', 'aa', 'é', '1.5', '-0', '') },
);
const value = fc.oneof(
  { weight: 8, arbitrary: fc.integer({ min: -4, max: 9 }).map(String) },
  { weight: 3, arbitrary: fc.constantFrom('x', 'y', 'X', 'xx', '', '2.5', '1e2', 'inf', '-inf', '0x1f') },
  { weight: 1, arbitrary: fc.constantFrom(Buffer.from('x\0y'), Buffer.from([0]), Buffer.from([0xff, 1])) },
);
const numeric = fc.oneof(
  fc.integer({ min: -20, max: 20 }).map(String),
  fc.constantFrom('1.5', '-2.25', '1e3', ' 7', '+8', '0x10', '.5', '3.', '-0', '1e-3'),
);
const pattern = fc.constantFrom<string | Buffer>(
  ...['weight:*', 'weight:*', 'hash:*->field', 'hash:*->field', 'hash:*->', 'nosort', '*', '#', '*->field'],
  ...['text:*', '*:*', 'hash:*->*', 'hash:*->field->field', 'x*->', Buffer.from('weight:*\0'), ''],
);
const by = fc.tuple(fc.constantFrom('BY', 'by'), pattern);
const byWeight = fc.constantFrom(['BY', 'weight:*'], ['BY', 'hash:*->field'], ['BY', 'hash:*->none']);
const nosort = fc.constantFrom(['BY', 'nosort'], ['BY', '#'], ['BY', '']);
const alpha = fc.constantFrom(['ALPHA'], ['alpha']);
const other: fc.Arbitrary<readonly (string | Buffer)[]> = fc.oneof(
  { weight: 3, arbitrary: fc.tuple(fc.constantFrom('GET', 'Get'), pattern) },
  { weight: 3, arbitrary: fc.tuple(fc.constant('LIMIT'), number, number) },
  { weight: 2, arbitrary: fc.constantFrom(['ASC'], ['DESC'], ['desc']) },
);
const store = fc.constantFrom<string[]>([], [], [], ['STORE', 'to'], ['store', 'list'], ['STORE', 'set']);
const broken = fc.constantFrom(['BY'], ['GET'], ['LIMIT', '1'], ['STORE'], ['x'], ['LIMIT', '1', 'x']);
const severalOf = (...options: fc.Arbitrary<readonly (string | Buffer)[]>[]) =>
  fc.array(fc.oneof(...options), { maxLength: 4 }).map((all) => all.flat());
const any = severalOf(by, alpha, other, other);
/** Of what has no order, only what leaves none to chance. */
const unordered = fc.constantFrom('set', 'zset');

const command: fc.Arbitrary<Command> = fc.oneof(
  {
    weight: 4,
    arbitrary: commandOf('RPUSH', fc.constant('list'), fc.array(name, { minLength: 1, maxLength: 9 })),
  },
  {
    weight: 2,
    arbitrary: commandOf('LPUSH', fc.constant('list'), fc.array(numeric, { minLength: 1, maxLength: 5 })),
  },
  {
    weight: 2,
    arbitrary: commandOf('SADD', fc.constant('set'), fc.array(name, { minLength: 1, maxLength: 5 })),
  },
  { weight: 3, arbitrary: commandOf('ZADD', fc.constant('zset'), fc.constantFrom('0', '1', '2'), name) },
  {
    weight: 3,
    arbitrary: commandOf(
      'SET',
      name.map((text) => `weight:${text}`),
      value,
    ),
  },
  {
    weight: 2,
    arbitrary: commandOf(
      'SET',
      name.map((text) => `text:${text}`),
      value,
    ),
  },
  {
    weight: 3,
    arbitrary: commandOf(
      'HSET',
      name.map((text) => `hash:${text}`),
      fc.constant('field'),
      value,
    ),
  },
  { weight: 1, arbitrary: commandOf('SET', name, value) },
  { weight: 1, arbitrary: commandOf('DEL', fc.constantFrom('list', 'set', 'zset', 'to')) },
  { weight: 2, arbitrary: commandOf('OBJECT', fc.constant('ENCODING'), fc.constantFrom('zset', 'to')) },
  { weight: 8, arbitrary: commandOf('SORT', key, any, store) },
  { weight: 8, arbitrary: commandOf('SORT', key, alpha, any, store) },
  { weight: 4, arbitrary: commandOf('SORT', fc.constant(['list', 'BY', 'weight:*', 'ALPHA']), any) },
  { weight: 4, arbitrary: commandOf('SORT', unordered, severalOf(alpha, other), store) },
  { weight: 4, arbitrary: commandOf('SORT', unordered, byWeight, severalOf(byWeight, other), store) },
  { weight: 4, arbitrary: commandOf('SORT', fc.constant('zset'), nosort, any, store) },
  { weight: 1, arbitrary: commandOf('SORT', fc.constant('set'), nosort, any, fc.constant(['STORE', 'to'])) },
  { weight: 2, arbitrary: commandOf('SORT_RO', key, any) },
  { weight: 1, arbitrary: commandOf('SORT', key, any, broken) },
  { weight: 1, arbitrary: commandOf('SORT_RO', key, broken, any) },
);

describeWithRedis('SORT and SORT_RO answer as redis-server', () => {
  for (const protocol of [2, 3] as const) {
    it(`in RESP${protocol}, over random programs`, async () => {
      const program = fc.array(command, { minLength: PROGRAM_COMMANDS, maxLength: PROGRAM_COMMANDS });
      await fc.assert(
        fc.asyncProperty(program, (commands) =>
          expectSameReplies(redis.port, [['SET', 'text', 'x'], ...commands], KEYS, { protocol }),
        ),
        { numRuns: PROGRAMS, endOnFailure: true },
      );
    });
  }

  it('with every number at the edge of what is one', async () => {
    const commands: Command[] = [];
    for (const text of NUMBERS) {
      commands.push(
        ['DEL', 'list'],
        ['RPUSH', 'list', '1', text, '-1'],
        ['SORT', 'list'],
        ['SORT', 'list', 'DESC'],
      );
      commands.push(
        ['DEL', 'list'],
        ['RPUSH', 'list', '1', '2'],
        ['SET', 'weight:1', text],
        ['SET', 'weight:2', '3'],
      );
      commands.push(['SORT', 'list', 'BY', 'weight:*'], ['SORT', 'list', 'BY', 'weight:*', 'STORE', 'to']);
    }
    await expectSameReplies(redis.port, commands, ['to']);
  });

  it('with LIMIT over ties, in lists of every length up to some hundred', async () => {
    const commands: Command[] = [];
    for (let index = 0; index < 300; index += 1)
      commands.push(['SET', `weight:${index}`, `${(index * 7919) % 11}`]);
    for (const length of [0, 1, 5, 6, 7, 8, 9, 39, 40, 41, 42, 100, 300]) {
      commands.push(['DEL', 'list']);
      for (let index = 0; index < length; index += 1)
        commands.push(['RPUSH', 'list', `${(index * 31) % 300}`]);
      for (const first of [0, 1, 3, 7, 40, 150, 299]) {
        for (const count of [0, 1, 2, 10, 100, -1]) {
          const limit = ['LIMIT', `${first}`, `${count}`];
          commands.push(['SORT', 'list', 'BY', 'weight:*', 'ALPHA', ...limit]);
          commands.push([
            'SORT',
            'list',
            'BY',
            'weight:*',
            'ALPHA',
            'DESC',
            ...limit,
            'GET',
            '#',
            'GET',
            'weight:*',
          ]);
          commands.push(['SORT', 'list', 'BY', 'weight:*', ...limit], ['SORT', 'list', ...limit]);
        }
      }
    }
    await expectSameReplies(redis.port, commands, ['list']);
  });

  it('with NULs and nothing at all in elements, patterns and weights', async () => {
    const commands: Command[] = [['RPUSH', 'list', 'b\0z', 'b\0a', 'b', 'a\0', 'a', '\0', '']];
    for (const store of [[], ['STORE', 'to']]) {
      commands.push(['SORT', 'list', 'ALPHA', ...store], ['LRANGE', 'to', '0', '-1']);
      commands.push(['SORT', 'list', 'ALPHA', 'DESC', ...store], ['LRANGE', 'to', '0', '-1']);
      for (const by of ['w*', 'w\0*', 'w*\0', 'h*->f\0g', 'h*\0->f', 'h*->\0', 'h\0*->f', 'h*->', '#\0']) {
        commands.push(['SET', 'wa\0', '3'], ['SET', 'wb', '2'], ['SET', 'wb\0z', '1'], ['SET', 'wb\0', '7']);
        commands.push(
          ['HSET', 'hb', 'f', '1', 'f\0g', '2'],
          ['HSET', 'hb\0z', 'f\0g', '1'],
          ['HSET', 'hb\0', 'f', '5'],
          ['HSET', 'ha', '', '8', 'x', '1'],
          ['SET', 'hb->', '9'],
          ['SET', 'h->\0', '4'],
        );
        commands.push(
          ['SORT', 'list', 'BY', by, 'GET', by, 'GET', '#', ...store],
          ['LRANGE', 'to', '0', '-1'],
        );
        commands.push(['SORT', 'list', 'ALPHA', 'BY', by, 'GET', by, ...store], ['LRANGE', 'to', '0', '-1']);
      }
    }
    await expectSameReplies(redis.port, commands, ['list', 'to']);
  });
});

const NUMBERS = [
  ...[
    '',
    ' ',
    ' 1',
    '1 ',
    '\t\n2',
    '+1',
    '--1',
    '0x',
    '0x1p4',
    '0X1F',
    '1e',
    '1e5',
    '1.',
    '.1',
    '.',
    'inf',
    'INFINITY',
  ],
  ...[
    '-inf',
    'nan',
    'nan(1)',
    '-nan',
    '1_0',
    '1,5',
    '9007199254740993',
    '9223372036854775807',
    '9223372036854775808',
  ],
  ...[
    '1e308',
    '2.2250738585072014e-308',
    '1\0x',
    '\0',
    '123456789012345678901234567890',
    '0.1',
    '00012',
    '-0',
    '0',
  ],
];
