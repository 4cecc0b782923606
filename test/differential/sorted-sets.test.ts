/** The commands of sorted sets against redis-server: random programs over small and large ones, and every option and error by hand. */
import fc from 'fast-check';
import { afterAll, beforeAll, it } from 'vitest';
import {
  type Command,
  commandOf,
  element,
  expectSameReplies,
  number,
} from '../support/collection-programs.ts';
import { describeWithRedis, type RedisServer, startRedisServer } from '../support/redis-server.ts';

const PROGRAM_COMMANDS = 150;
const PROGRAMS = 20;
const KEYS = ['a', 'b', 'c', 'd', 'set', 'text', 'none'];
const EQUAL_KEYS = ['e', 'f'];

let redis: RedisServer;
beforeAll(async () => {
  redis = await startRedisServer();
});
afterAll(() => redis.stop());

const SCORES = [
  ...[
    '0',
    '-0',
    '1',
    '-1',
    '0.1',
    '1.5',
    '-2.5',
    '3.0e3',
    '1e17',
    '1e18',
    '123456789012345678',
    '1e-7',
    'inf',
  ],
  ...[
    '-inf',
    '+INF',
    'Infinity',
    '0x10',
    '9007199254740993',
    '4611686018427387904',
    '1e300',
    '-1e300',
    '5e-324',
  ],
];
const NO_SCORES = ['nan', '', ' 1', '1 ', 'x', '(1', '1e400', '1e-400', '--1', '1.2.3', '+', '0x'];
const BOUNDS = [
  ...[
    '-inf',
    '+inf',
    '(-inf',
    '(inf',
    '(0',
    '(-0',
    '0',
    '(1',
    '1',
    '(1.5',
    '1.5',
    '2',
    '(9',
    '-5',
    '(',
    '',
    ' 1',
  ],
  ...[
    '1e400',
    '1e-400',
    '(5e-324',
    '1.7976931348623157e308',
    '(1.7976931348623157e308',
    '-5e-324',
    '(-5e-324',
  ],
];
const NO_BOUNDS = ['nan', 'x', '1 ', '((1', ' ', '(x', '[1', '1\0x', '(\0'];

const key = fc.constantFrom(...KEYS, 'a', 'a', 'b', 'b', 'c');
const equalKey = fc.constantFrom(...EQUAL_KEYS);
const score = fc.oneof(
  { weight: 10, arbitrary: fc.integer({ min: -5, max: 12 }).map(String) },
  { weight: 3, arbitrary: fc.double({ min: -10, max: 10, noNaN: true }).map(String) },
  { weight: 3, arbitrary: fc.constantFrom(...SCORES) },
);
const pairs = fc.array(fc.tuple(score, element), { minLength: 1, maxLength: 6 }).map((list) => list.flat());
const equalPairs = fc
  .array(element, { minLength: 1, maxLength: 8 })
  .map((list) => list.flatMap((member) => ['1', member]));
const rules = fc.constantFrom<string[]>(
  [],
  [],
  [],
  ['NX'],
  ['XX'],
  ['GT'],
  ['lt'],
  ['XX', 'GT'],
  ['XX', 'Lt', 'CH'],
  ['CH'],
);
const bound = fc.oneof(
  { weight: 4, arbitrary: fc.integer({ min: -5, max: 12 }).map(String) },
  { weight: 3, arbitrary: fc.integer({ min: -5, max: 12 }).map((n) => `(${n}`) },
  { weight: 4, arbitrary: fc.constantFrom(...BOUNDS) },
  { weight: 1, arbitrary: fc.constantFrom(...NO_BOUNDS) },
);
const name = fc.oneof(
  { weight: 3, arbitrary: fc.constantFrom('-', '+') },
  {
    weight: 8,
    arbitrary: fc
      .tuple(fc.constantFrom('[', '('), element)
      .map(([sign, text]) => Buffer.concat([Buffer.from(sign), Buffer.from(text)])),
  },
  { weight: 1, arbitrary: fc.constantFrom('[', '(', '', 'x', '++', '-x', '+\0x', '-\0') },
);
const limit = fc.oneof(
  { weight: 3, arbitrary: fc.constant<string[]>([]) },
  { weight: 3, arbitrary: fc.tuple(number, number).map(([offset, count]) => ['LIMIT', offset, count]) },
);
const withScores = fc.constantFrom<string[]>([], ['WITHSCORES']);
const rangeOptions = fc.constantFrom<string[]>([], ['REV'], ['rev', 'WITHSCORES'], ['WITHSCORES']);
const sources = fc.array(fc.constantFrom('a', 'b', 'c', 'set', 'none', 'text', 'a', 'b', 'c', 'set'), {
  minLength: 1,
  maxLength: 4,
});
const aggregate = fc.constantFrom<string[]>(
  [],
  ['AGGREGATE', 'SUM'],
  ['aggregate', 'min'],
  ['AGGREGATE', 'MAX'],
  ['AGGREGATE', 'x'],
);
const algebra = fc
  .tuple(sources, fc.array(score, { minLength: 4, maxLength: 4 }), fc.boolean(), aggregate)
  .map(([names, weights, isWeighted, options]) => [
    ...[String(names.length), ...names],
    ...(isWeighted ? ['WEIGHTS', ...weights.slice(0, names.length)] : []),
    ...options,
  ]);
const difference = sources.map((names) => [String(names.length), ...names]);

const command: fc.Arbitrary<Command> = fc.oneof(
  { weight: 14, arbitrary: commandOf('ZADD', key, rules, pairs) },
  { weight: 4, arbitrary: commandOf('ZADD', key, rules, fc.constant('INCR'), score, element) },
  { weight: 4, arbitrary: commandOf('ZINCRBY', key, score, element) },
  {
    weight: 3,
    arbitrary: commandOf('SADD', fc.constant('set'), fc.array(element, { minLength: 1, maxLength: 4 })),
  },
  { weight: 4, arbitrary: commandOf('ZREM', key, fc.array(element, { minLength: 1, maxLength: 5 })) },
  { weight: 2, arbitrary: commandOf('ZSCORE', key, element) },
  { weight: 1, arbitrary: commandOf('ZMSCORE', key, element, element) },
  { weight: 1, arbitrary: commandOf('ZCARD', key) },
  { weight: 2, arbitrary: commandOf('ZRANK', key, element) },
  { weight: 2, arbitrary: commandOf('ZREVRANK', key, element) },
  { weight: 3, arbitrary: commandOf('ZCOUNT', key, bound, bound) },
  { weight: 4, arbitrary: commandOf('ZRANGE', key, number, number, rangeOptions) },
  {
    weight: 4,
    arbitrary: commandOf('ZRANGE', key, bound, bound, fc.constant('BYSCORE'), rangeOptions, limit),
  },
  { weight: 2, arbitrary: commandOf('ZREVRANGE', key, number, number, withScores) },
  { weight: 3, arbitrary: commandOf('ZRANGEBYSCORE', key, bound, bound, withScores, limit) },
  { weight: 3, arbitrary: commandOf('ZREVRANGEBYSCORE', key, bound, bound, withScores, limit) },
  { weight: 3, arbitrary: commandOf('ZRANGESTORE', key, key, number, number, fc.constantFrom([], ['REV'])) },
  { weight: 3, arbitrary: commandOf('ZRANGESTORE', key, key, bound, bound, fc.constant('BYSCORE'), limit) },
  { weight: 1, arbitrary: commandOf('ZREMRANGEBYRANK', key, number, number) },
  { weight: 1, arbitrary: commandOf('ZREMRANGEBYSCORE', key, bound, bound) },
  { weight: 2, arbitrary: commandOf('ZPOPMIN', key) },
  { weight: 2, arbitrary: commandOf('ZPOPMAX', key) },
  { weight: 1, arbitrary: commandOf('ZPOPMIN', key, number) },
  { weight: 1, arbitrary: commandOf('ZPOPMAX', key, number) },
  { weight: 2, arbitrary: commandOf('ZMPOP', fc.constant('2'), key, key, fc.constantFrom('MIN', 'max')) },
  {
    weight: 1,
    arbitrary: commandOf(
      'ZMPOP',
      fc.constant('1'),
      key,
      fc.constantFrom('MIN', 'MAX'),
      fc.constant('COUNT'),
      number,
    ),
  },
  { weight: 1, arbitrary: commandOf('ZRANDMEMBER', key) },
  {
    weight: 2,
    arbitrary: commandOf('ZRANDMEMBER', key, fc.integer({ min: -9, max: 40 }).map(String), withScores),
  },
  { weight: 3, arbitrary: commandOf('ZUNION', algebra, withScores) },
  { weight: 3, arbitrary: commandOf('ZINTER', algebra, withScores) },
  { weight: 2, arbitrary: commandOf('ZDIFF', difference, withScores) },
  { weight: 3, arbitrary: commandOf('ZUNIONSTORE', key, algebra) },
  { weight: 3, arbitrary: commandOf('ZINTERSTORE', key, algebra) },
  { weight: 2, arbitrary: commandOf('ZDIFFSTORE', key, difference) },
  {
    weight: 2,
    arbitrary: commandOf(
      'ZINTERCARD',
      difference,
      fc.oneof(
        fc.constant<string[]>([]),
        number.map((count) => ['LIMIT', count]),
      ),
    ),
  },
  { weight: 2, arbitrary: commandOf('ZSCAN', key, fc.constant(['0', 'COUNT', '1000'])) },
  { weight: 1, arbitrary: commandOf('DEL', key) },
  { weight: 1, arbitrary: commandOf('PEXPIREAT', key, fc.constant('9999999999999')) },
  { weight: 1, arbitrary: commandOf('OBJECT', fc.constant('ENCODING'), key) },
);

const byName: fc.Arbitrary<Command> = fc.oneof(
  { weight: 8, arbitrary: commandOf('ZADD', equalKey, equalPairs) },
  { weight: 3, arbitrary: commandOf('ZREM', equalKey, fc.array(element, { minLength: 1, maxLength: 5 })) },
  { weight: 3, arbitrary: commandOf('ZLEXCOUNT', equalKey, name, name) },
  { weight: 3, arbitrary: commandOf('ZRANGEBYLEX', equalKey, name, name, limit) },
  { weight: 3, arbitrary: commandOf('ZREVRANGEBYLEX', equalKey, name, name, limit) },
  {
    weight: 4,
    arbitrary: commandOf('ZRANGE', equalKey, name, name, fc.constant('BYLEX'), rangeOptions, limit),
  },
  {
    weight: 2,
    arbitrary: commandOf('ZRANGESTORE', equalKey, equalKey, name, name, fc.constant('BYLEX'), limit),
  },
  { weight: 2, arbitrary: commandOf('ZREMRANGEBYLEX', equalKey, name, name) },
);

describeWithRedis('the commands of sorted sets answer as redis-server', () => {
  for (const protocol of [2, 3] as const) {
    it.each([
      ['usual bounds', false, command, KEYS],
      ['small bounds', true, command, KEYS],
      ['usual bounds, by name', false, byName, EQUAL_KEYS],
      ['small bounds, by name', true, byName, EQUAL_KEYS],
    ] as const)(`in RESP${protocol}, over random programs, with %s`, async (_, isSmall, one, keys) => {
      const program = fc.array(one, { minLength: PROGRAM_COMMANDS, maxLength: PROGRAM_COMMANDS });
      await fc.assert(
        fc.asyncProperty(program, (commands) =>
          expectSameReplies(redis.port, [['SET', 'text', 'x'], ...commands], keys, { protocol, isSmall }),
        ),
        { numRuns: PROGRAMS, endOnFailure: true },
      );
    });
  }

  it('to every wrong argument, on every kind of key', async () => {
    const commands: Command[] = [
      ['SET', 'text', 'x'],
      ['SADD', 'set', '1', '2', 'x'],
      ['ZADD', 'a', '1', 'x', '2', 'y', '2', 'z', '5', '2'],
    ];
    for (const name of ['a', 'set', 'text', 'none']) {
      commands.push(...wrongAdditions(name), ['DEL', 'none']);
      // A range of names means something only among equal scores.
      if (name === 'a') commands.push(['DEL', 'a'], ['ZADD', 'a', '1', 'x', '1', 'y', '1', 'z', '1', '2']);
      commands.push(...wrongRanges(name), ...wrongPops(name), ...wrongAlgebra(name));
      commands.push(
        ['ZREM', name],
        ['ZSCORE', name],
        ['ZMSCORE', name],
        ['ZCARD', name, 'x'],
        ['ZRANK', name],
      );
      commands.push(['ZSCAN', name], ['ZSCAN', name, 'x'], ['ZSCAN', name, '0', 'MATCH', 'x*', 'COUNT', '5']);
      commands.push(['ZSCAN', name, '0', 'COUNT', '0'], ['ZSCAN', name, '0', 'NOSUCH']);
      for (const count of COUNTS) {
        commands.push(['ZRANDMEMBER', name, count], ['ZRANDMEMBER', name, count, 'WITHSCORES']);
      }
      commands.push(['ZRANDMEMBER', name, '1', 'x'], ['ZRANDMEMBER', name, '1', 'WITHSCORES', 'x']);
    }
    for (const protocol of [2, 3] as const) await expectSameReplies(redis.port, commands, KEYS, { protocol });
  });

  it('with scores of every size, which come out as they went in or as sums', async () => {
    const commands: Command[] = [];
    for (const one of [...SCORES, ...NO_SCORES]) {
      commands.push(['ZADD', 'a', one, one], ['ZSCORE', 'a', one], ['ZRANK', 'a', one]);
      for (const other of SCORES) {
        commands.push(['ZADD', 'b', one, 'm'], ['ZINCRBY', 'b', other, 'm'], ['ZSCORE', 'b', 'm']);
        commands.push(['ZUNION', '2', 'a', 'b', 'WEIGHTS', one, other, 'WITHSCORES']);
        commands.push(['ZINTERSTORE', 'c', '2', 'a', 'a', 'WEIGHTS', one, other]);
        commands.push(['ZINTER', '2', 'a', 'a', 'WEIGHTS', one, other, 'AGGREGATE', 'MIN', 'WITHSCORES']);
        commands.push(['ZRANGE', 'c', '0', '-1', 'WITHSCORES']);
      }
    }
    commands.push(['ZSCAN', 'a', '0', 'COUNT', '1000']);
    // Of three such sums the order decides.
    commands.push(['DEL', 'a', 'b', 'c'], ['ZADD', 'a', '1e16', 'm', '1', 'x', '1', 'y']);
    commands.push(['ZADD', 'b', '1', 'm'], ['ZADD', 'c', '-1e16', 'm', '1', 'x']);
    for (const names of [
      ['a', 'b', 'c'],
      ['b', 'c', 'a'],
      ['c', 'a', 'b'],
    ]) {
      commands.push(['ZUNION', '3', ...names, 'WITHSCORES'], ['ZINTER', '3', ...names, 'WITHSCORES']);
    }
    for (const isSmall of [false, true]) await expectSameReplies(redis.port, commands, KEYS, { isSmall });
  });
});

const COUNTS = [
  ...['0', '-0', '1', '-1', '-3', '100', 'x', '', '1.5', '01', '+1', ' 1', '9007199254740992'],
  ...['9223372036854775807', '9223372036854775808', '-9223372036854775808', '-9223372036854775809'],
];

function wrongAdditions(name: string): Command[] {
  const commands: Command[] = [
    ['ZADD', name],
    ['ZADD', name, '1'],
    ['ZADD', name, 'NX', '1'],
    ['ZADD', name, 'NX', 'XX'],
    ['ZADD', name, '1', 'x', '2'],
    ['ZADD', name, 'XX', '1', 'new'],
    ['ZADD', name, 'XX', 'INCR', '1', 'new'],
    ['ZADD', name, 'NX', 'INCR', '1', 'x'],
    ['ZADD', name, '1', 'kept', 'x', 'lost'],
    ['ZADD', name, 'inf', 'endless'],
    ['ZADD', name, 'INCR', '-inf', 'endless'],
    ['ZADD', name, 'GT', 'INCR', '-1', 'x'],
    ['ZINCRBY', name, '-inf', 'endless'],
    ['ZINCRBY', name, 'NX', 'x'],
    ['ZINCRBY', name, '1'],
    ['ZREM', name, 'endless'],
  ];
  const rules = ['NX', 'XX', 'GT', 'LT', 'CH', 'INCR'];
  for (const one of rules) {
    for (const other of rules) {
      commands.push(['ZADD', name, one, other, '3', 'x'], ['ZADD', name, one, other, '3', 'x', '4', 'y']);
      commands.push(['ZADD', name, one, other, 'x', 'x'], ['ZADD', name, one, '3', 'x', other]);
    }
  }
  for (const score of NO_SCORES) commands.push(['ZADD', name, score, 'x'], ['ZINCRBY', name, score, 'x']);
  return commands;
}

function wrongRanges(name: string): Command[] {
  const commands: Command[] = [];
  const options = [
    [],
    ['BYSCORE'],
    ['BYLEX'],
    ['REV'],
    ['WITHSCORES'],
    ['LIMIT', '0', '1'],
    ['LIMIT', '0', '-1'],
  ];
  const moreOptions = [
    ...options,
    ['LIMIT', '0'],
    ['LIMIT', '0', '0'],
    ['LIMIT', '0', '-2'],
    ['LIMIT', 'x', '1'],
    ['LIMIT', '1', 'x'],
    ['NOSUCH'],
  ];
  for (const one of options) {
    for (const other of moreOptions) {
      for (const [least, greatest] of [
        ['0', '1'],
        ['x', 'y'],
        ['-', '+'],
        ['[x', '(z'],
        ['(1', '5'],
      ]) {
        commands.push(['ZRANGE', name, least, greatest, ...one, ...other]);
        commands.push(['ZRANGESTORE', 'c', name, least, greatest, ...one, ...other]);
      }
    }
    for (const old of ['ZREVRANGE', 'ZRANGEBYSCORE', 'ZREVRANGEBYSCORE', 'ZRANGEBYLEX', 'ZREVRANGEBYLEX']) {
      commands.push([old, name, '0', '1', ...one], [old, name, '-', '+', ...one], [old, name, '0']);
    }
  }
  for (const count of COUNTS) {
    commands.push(['ZRANGE', name, count, '-1'], ['ZRANGE', name, '0', count, 'REV', 'WITHSCORES']);
    commands.push(['ZRANGE', name, '-inf', 'inf', 'BYSCORE', 'LIMIT', count, '2']);
    commands.push(['ZRANGE', name, 'inf', '-inf', 'BYSCORE', 'REV', 'LIMIT', '1', count]);
    commands.push(['ZREMRANGEBYRANK', name, count, '-9'], ['ZREMRANGEBYRANK', name, '9', count]);
  }
  for (const bound of [...BOUNDS, ...NO_BOUNDS]) {
    commands.push(
      ['ZCOUNT', name, bound, '9'],
      ['ZCOUNT', name, '0', bound],
      ['ZLEXCOUNT', name, bound, '+'],
    );
    commands.push(['ZREMRANGEBYSCORE', name, bound, '-inf'], ['ZREMRANGEBYLEX', name, bound, '-']);
  }
  commands.push(['ZCOUNT', name, '0'], ['ZLEXCOUNT', name, '-'], ['ZRANGESTORE', 'c', name, '0']);
  return commands;
}

function wrongPops(name: string): Command[] {
  const commands: Command[] = [
    ['ZPOPMIN', name, '0'],
    ['ZPOPMIN', name, '1', '2'],
    ['ZMPOP', '1', name],
    ['ZMPOP', '2', name, 'MIN'],
    ['ZMPOP', '1', name, 'MID'],
    ['ZMPOP', '1', name, 'MIN', 'COUNT'],
    ['ZMPOP', '1', name, 'MIN', 'COUNT', '1', 'COUNT', '1'],
    ['ZMPOP', '1', name, 'MIN', 'NOSUCH', '1'],
    ['BZMPOP', 'x', '1', name, 'MIN'],
    ['BZMPOP', '-1', '1', name, 'MIN'],
    ['BZMPOP', 'x', '0', name, 'MIN'],
    ['BZMPOP', 'x', '1', name, 'MIN', 'COUNT', '0'],
    ['BZPOPMIN', name, 'x'],
    ['BZPOPMAX', name, '-1'],
    ['BZPOPMIN', name],
  ];
  for (const count of COUNTS) {
    commands.push(
      ['ZADD', 'b', '1', 'x', '2', 'y', '3', 'z'],
      ['ZPOPMAX', 'b', count],
      ['ZMPOP', count, 'b', 'MIN'],
    );
    commands.push(
      ['ZMPOP', '1', 'b', 'MAX', 'COUNT', count],
      ['BZMPOP', '1', count, 'a', 'MIN', 'COUNT', 'x'],
    );
  }
  commands.push(['ZADD', 'b', '1', 'x', '2', 'y', '3.5', 'z', '4', 'w'], ['BZPOPMIN', 'none', 'b', '1']);
  commands.push(['BZPOPMAX', 'b', 'a', '1'], ['BZMPOP', '1', '2', 'none', 'b', 'MAX', 'COUNT', '5']);
  return commands;
}

function wrongAlgebra(name: string): Command[] {
  const commands: Command[] = [];
  const options = [
    ...[
      [],
      ['WEIGHTS'],
      ['WEIGHTS', '1'],
      ['WEIGHTS', '1', '2'],
      ['WEIGHTS', '1', 'x'],
      ['WEIGHTS', 'nan', '1'],
    ],
    ...[['AGGREGATE'], ['AGGREGATE', 'SUM'], ['AGGREGATE', 'AVG'], ['WITHSCORES'], ['LIMIT', '1'], ['LIMIT']],
    ...[['LIMIT', '-1'], ['LIMIT', 'x'], ['LIMIT', '0'], ['NOSUCH']],
  ];
  for (const one of ['ZUNION', 'ZINTER', 'ZDIFF', 'ZINTERCARD']) {
    for (const option of options) {
      commands.push([one, '2', 'a', name, ...option], [one, '2', 'a', name, ...option, 'WITHSCORES']);
      if (one !== 'ZINTERCARD') commands.push([`${one}STORE`, 'c', '2', 'a', name, ...option]);
    }
    for (const count of COUNTS) commands.push([one, count, 'a', name], [one, count]);
    commands.push([one, '1'], [`${one}STORE`, 'c', '0', name], [`${one}STORE`, 'c', '3', name, 'a']);
    commands.push([`${one}STORE`, 'c', 'x', name], [`${one}STORE`, name === 'a' ? 'd' : name, '1', 'a']);
    commands.push(['SET', 'text', 'x'], ['DEL', 'none'], ['DEL', 'set'], ['SADD', 'set', '1', '2', 'x']);
  }
  return commands;
}
