/** The commands on keys, side by side with redis-server: random programs over several databases, both protocols. */
import fc from 'fast-check';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { createHarness } from '../support/harness.ts';
import { type ProgramCommand, runOnRedis } from '../support/redis-program.ts';
import { describeWithRedis, type RedisServer, startRedisServer } from '../support/redis-server.ts';

/** How far apart two clocks may read the same deadline while a program runs. */
const TOLERANCE_MS = 2000;

/** Deadlines are kept up to this; redis-server keeps any 64-bit one. */
const DEADLINE_MS_MAX = 2 ** 48 - 1;

const BAD_INTEGERS = [
  '',
  'x',
  '1.5',
  '+1',
  ' 1',
  '1 ',
  '01',
  '-0',
  '1e3',
  '9223372036854775808',
  '-9223372036854775809',
];

/** They overflow some units and bases and not others. */
const FAR_INTEGERS = [
  '9223372036854775807',
  '-9223372036854775808',
  '9223372036854775',
  '9223372036854776',
  '-9223372036854775',
  '-9223372036854776',
  '9007199254740993',
  '-9007199254740993',
];

/** The last database, those that are none, and what is no number. */
const DATABASES = [
  '15',
  '16',
  '-1',
  '',
  'x',
  '1.0',
  '01',
  '2147483647',
  '2147483648',
  '-2147483649',
  '9223372036854775808',
];

/** Random, so that an RDB file would hold it as it is. */
const UNCOMPRESSIBLE = 'q8Zr1LwXe0TnVb5UcJ9sKdPy3HgMfA7oRi2QxWt6EuYvNz4BlGjCkOmShDpFaI!#%&()=?+*-';

let server: RedisServer;
beforeAll(async () => {
  server = await startRedisServer(['--maxmemory', '1gb', '--enable-debug-command', 'yes']);
});
afterAll(() => server?.stop());

const key = fc.constantFrom(
  'a',
  'b',
  'c',
  'd{a}',
  'e',
  '',
  'k\0\r\n\xff',
  '*',
  'a much longer key than others',
);
const database = fc.oneof(
  { weight: 8, arbitrary: fc.constantFrom('0', '1', '2') },
  fc.constantFrom(...DATABASES),
);
const value = fc.oneof(
  fc.constantFrom(
    '',
    '0',
    '-1',
    '9999',
    '10000',
    '-0',
    '007',
    '9223372036854775807',
    '9223372036854775808',
    ' 1',
    '1.5',
  ),
  fc.integer({ min: 40, max: 48 }).map((bytes) => 'v'.repeat(bytes)),
);
const badInteger = fc.constantFrom(...BAD_INTEGERS);
/** They come without GT and LT: two of them would both be kept as the latest moment. */
const farInteger = fc.constantFrom(...FAR_INTEGERS);
const condition = fc.constantFrom(
  'NX',
  'XX',
  'GT',
  'LT',
  'nx',
  'Gt',
  'KEEPTTL',
  'FOO\r\nbar',
  'FOO\0bar',
  '',
);
const conditions = fc.oneof(
  { weight: 4, arbitrary: fc.array(condition, { maxLength: 1 }) },
  fc.array(condition, { maxLength: 4 }),
);

function spans(nowMs: number): fc.Arbitrary<ProgramCommand> {
  const nowSeconds = Math.floor(nowMs / 1000);
  const seconds = fc.constantFrom(100, 1000, 5000, 100_000);
  const past = fc.constantFrom(0, -1, -100);
  const absolute = fc.oneof(
    { weight: 5, arbitrary: seconds.map((n) => n + nowSeconds) },
    past,
    fc.constant(nowSeconds - 5),
  );
  const relative = fc.oneof({ weight: 5, arbitrary: seconds }, past);
  const inMs = (arbitrary: fc.Arbitrary<number>) => arbitrary.map((n) => n * 1000 + 7);
  const near = fc.oneof(
    fc.tuple(fc.constantFrom('EXPIRE', 'expire'), relative),
    fc.tuple(
      fc.constant('PEXPIRE'),
      inMs(relative).map((n) => (n < 1000 ? n - 8 : n)),
    ),
    fc.tuple(fc.constant('EXPIREAT'), absolute),
    fc.tuple(fc.constant('PEXPIREAT'), inMs(absolute)),
  );
  const name = fc.constantFrom('EXPIRE', 'PEXPIRE', 'EXPIREAT', 'PEXPIREAT');
  return fc.oneof(
    {
      weight: 6,
      arbitrary: fc.tuple(near, key, conditions).map(([[verb, n], k, rest]) => [verb, k, String(n), ...rest]),
    },
    fc
      .tuple(name, key, fc.oneof(badInteger, farInteger), fc.constantFrom([], ['NX'], ['XX'], ['XX', 'NX']))
      .map(([verb, k, n, rest]) => [verb, k, n, ...rest]),
  );
}

const copyOption = fc.oneof(
  fc.constantFrom(['REPLACE'], ['replace'], ['DB'], ['NX'], ['']),
  database.map((n) => ['db', n]),
);
const scanOption = fc.oneof(
  fc.constantFrom(['TYPE', 'string'], ['type', 'STRING'], ['TYPE', 'list'], ['TYPE', 'nothing'], ['TYPE']),
  fc.constantFrom(
    ['MATCH', '*'],
    ['match', 'a*'],
    ['MATCH', '?'],
    ['MATCH', '[a-c]'],
    ['MATCH', ''],
    ['MATCH'],
  ),
  fc.constantFrom(
    ['COUNT', '0'],
    ['COUNT', '-5'],
    ['COUNT'],
    ['COUNT', '2000'],
    ['count', '9223372036854775807'],
    ['X', 'y'],
  ),
  badInteger.map((n) => ['COUNT', n]),
);
/** Cursors that are the start, or none. */
const cursor = fc.oneof(
  { weight: 4, arbitrary: fc.constant('0') },
  fc.constantFrom(
    '',
    '00',
    '+0',
    '-0',
    'x',
    ' 0',
    '0 ',
    '0x',
    '18446744073709551616',
    '-18446744073709551616',
    '0\0junk',
  ),
);
const looking = fc.oneof(
  fc.tuple(
    fc.constantFrom('TTL', 'PTTL', 'EXPIRETIME', 'PEXPIRETIME', 'PERSIST', 'TYPE', 'GET', 'STRLEN'),
    key,
  ),
  fc.tuple(
    fc.constant('OBJECT'),
    fc.constantFrom('ENCODING', 'encoding', 'REFCOUNT', 'IDLETIME', 'FREQ', 'FOO', 'help'),
    key,
  ),
  fc.constantFrom(
    ['OBJECT', 'HELP'],
    ['object', 'Help'],
    ['OBJECT'],
    ['OBJECT', 'ENCODING'],
    ['OBJECT', 'no\r\nsub'],
  ),
  fc
    .tuple(fc.constantFrom('EXISTS', 'TOUCH'), fc.array(key, { maxLength: 4 }))
    .map(([verb, keys]) => [verb, ...keys]),
  fc.constantFrom(
    ['DBSIZE'],
    ['RANDOMKEY'],
    ['KEYS', '*'],
    ['KEYS', '**'],
    ['KEYS', '[^a]*'],
    ['KEYS', ''],
    ['KEYS'],
    ['DBSIZE', 'x'],
  ),
  fc
    .tuple(cursor, fc.array(scanOption, { maxLength: 3 }))
    .map(([n, options]) => ['SCAN', n, 'COUNT', '1000', ...options.flat()]),
  fc
    .tuple(
      key,
      fc.constantFrom([], ['SAMPLES', '5'], ['SAMPLES'], ['SAMPLES', '-1'], ['SAMPLES', 'x'], ['x', '1']),
    )
    .map(([k, rest]) => ['MEMORY', 'USAGE', k, ...rest]),
);
const changing = fc.oneof(
  fc
    .tuple(fc.constantFrom('DEL', 'UNLINK'), fc.array(key, { maxLength: 3 }))
    .map(([verb, keys]) => [verb, ...keys]),
  fc.tuple(fc.constantFrom('RENAME', 'RENAMENX', 'rename'), key, key),
  fc
    .tuple(key, key, fc.array(copyOption, { maxLength: 3 }))
    .map(([from, to, options]) => ['COPY', from, to, ...options.flat()]),
  fc.tuple(fc.constant('MOVE'), key, database),
  fc.tuple(fc.constant('SELECT'), fc.constantFrom('0', '1', '2')),
  fc.tuple(fc.constant('SWAPDB'), database, database),
);
const filling = fc.oneof(
  fc.tuple(fc.constant('SET'), key, value),
  fc.tuple(fc.constant('SET'), key, value, fc.constant('EX'), fc.constantFrom('100', '1000', '5000')),
  fc.tuple(fc.constantFrom('APPEND', 'GETSET', 'SETNX'), key, value),
  fc.tuple(fc.constant('SETRANGE'), key, fc.constantFrom('0', '3'), value),
  fc.tuple(fc.constant('INCR'), key),
);
const flushing = fc.constantFrom<string[]>(
  ['FLUSHDB'],
  ['FLUSHALL'],
  ['FLUSHDB', 'async'],
  ['FLUSHALL', 'SYNC'],
  ['FLUSHDB', 'now'],
  ['FLUSHALL', 'SYNC', 'ASYNC'],
  ['RENAME', 'a'],
  ['COPY', 'a'],
  ['MOVE', 'a'],
  ['SWAPDB', '0'],
  ['TTL'],
  ['PERSIST', 'a', 'b'],
  ['SCAN'],
  ['TYPE'],
  ['EXPIRE', 'a'],
);

function programs(nowMs: number): fc.Arbitrary<ProgramCommand[]> {
  const command = fc.oneof(
    { weight: 6, arbitrary: filling },
    { weight: 6, arbitrary: looking },
    { weight: 5, arbitrary: changing },
    { weight: 5, arbitrary: spans(nowMs) },
    { weight: 1, arbitrary: flushing },
  );
  return fc.array(command, { minLength: 1, maxLength: 60 });
}

const POLICIES = [
  ['allkeys-lru', '2'],
  ['noeviction', '3'],
  ['allkeys-lfu', '3'],
  ['volatile-ttl', '2'],
];

describeWithRedis('the commands on keys, compared with redis-server', () => {
  for (const [policy, protocol] of POLICIES) {
    it(`answer random programs alike under ${policy} in RESP${protocol}`, async () => {
      await fc.assert(
        fc.asyncProperty(programs(Date.now()), (program) => expectAlike(policy, protocol, program)),
        { numRuns: 30 },
      );
    });
  }

  it('set deadlines alike under every set of conditions, before, at and behind the one that is there', async () => {
    const base = Date.now() + 1_000_000;
    const words = ['NX', 'XX', 'GT', 'LT'];
    const sets = Array.from({ length: 16 }, (_, bits) => words.filter((_word, bit) => (bits >> bit) & 1));
    const program: ProgramCommand[] = [];
    for (const chosen of sets) {
      for (const before of [undefined, base]) {
        for (const deadlineMs of [base - 1, base, base + 1, 1]) {
          program.push(before === undefined ? ['SET', 'a', '1'] : ['SET', 'a', '1', 'PXAT', String(before)]);
          program.push(['PEXPIREAT', 'a', String(deadlineMs), ...chosen], ['PEXPIRETIME', 'a'], ['GET', 'a']);
          program.push(['PEXPIREAT', 'none', String(deadlineMs), ...chosen.toReversed()]);
        }
      }
    }
    await expectAlike('allkeys-lru', '2', program);
  });

  it('take and refuse the same numbers for deadlines, databases, cursors and counts', async () => {
    const numbers = [
      ...BAD_INTEGERS,
      ...FAR_INTEGERS,
      ...DATABASES,
      '12884901888',
      '9007199254740991',
      '9007199254740992',
    ];
    const program: ProgramCommand[] = [];
    for (const number of numbers) {
      for (const verb of ['EXPIRE', 'PEXPIRE', 'EXPIREAT', 'PEXPIREAT']) {
        program.push(['SET', 'a', '1'], [verb, 'a', number], ['PTTL', 'a'], ['EXPIRETIME', 'a']);
        program.push([verb, 'none', number], [verb, 'a', number, 'NX', 'GT']);
      }
      program.push(
        ['SET', 'a', '1'],
        ['COPY', 'a', 'b', 'DB', number],
        ['MOVE', 'a', number],
        ['SWAPDB', number, '3'],
      );
      program.push(['SWAPDB', '3', number], ['SCAN', '0', 'COUNT', number], ['FLUSHALL']);
    }
    await expectAlike('allkeys-lru', '3', program);
  });

  it('tell the same of values from outside', async () => {
    const values = ['-0', '00', '1.0', ' 1', '+1', 'x', '12345678901', '-1234567890', '123456789012', '0x10'];
    for (const bits of [7, 8, 15, 16, 31, 32, 63]) {
      for (const more of [-2n, -1n, 0n, 1n])
        values.push(String((1n << BigInt(bits)) + more), String(-(1n << BigInt(bits)) + more));
    }
    for (let bytes = 0; bytes <= 70; bytes += 1) values.push(UNCOMPRESSIBLE.slice(0, bytes));
    for (const [policy, protocol] of POLICIES) {
      const program = values.flatMap((text): ProgramCommand[] => [
        ['SET', 'a', text],
        ['OBJECT', 'ENCODING', 'a'],
        ['OBJECT', 'REFCOUNT', 'a'],
        ['DEBUG', 'OBJECT', 'a'],
        ['COPY', 'a', 'b', 'REPLACE'],
        ['OBJECT', 'ENCODING', 'b'],
        ['APPEND', 'a', ''],
        ['OBJECT', 'ENCODING', 'a'],
        ['SET', 'a', 'x'],
        ['APPEND', 'a', text],
        ['COPY', 'a', 'b', 'REPLACE'],
        ['DEBUG', 'OBJECT', 'b'],
        ['RENAME', 'a', 'b'],
        ['DEBUG', 'OBJECT', 'b'],
      ]);
      await expectAlike(policy, protocol, [...program, ['DEBUG', 'OBJECT', 'none'], ['OBJECT', 'HELP']]);
    }
  });
});

/** Runs a program on both sides, from empty databases, and compares reply by reply. */
async function expectAlike(policy: string, protocol: string, program: ProgramCommand[]): Promise<void> {
  const flags = ['--maxmemory-policy', policy, '--enable-debug-command', 'yes'];
  const harness = createHarness({ nowMs: Date.now(), shardBytes: 2 ** 20, flags });
  const opening: ProgramCommand[] = [['FLUSHALL'], ['HELLO', protocol]];
  const setting: ProgramCommand[] = [['CONFIG', 'SET', 'maxmemory-policy', policy]];
  const theirs = await runOnRedis(server.port, [...setting, ...opening, ...program]);
  for (const command of opening) harness.run(...command);
  const ours = program.map((command) => harness.run(...command));
  for (const [index, command] of program.entries()) {
    const context = `command ${index}: ${JSON.stringify(command)}`;
    const one = comparable(command, ours[index]);
    const other = comparable(command, theirs[index + setting.length + opening.length]);
    if (typeof one === 'number' && typeof other === 'number') {
      expect(Math.abs(one - other), context).toBeLessThanOrEqual(TOLERANCE_MS);
    } else {
      expect(one, context).toEqual(other);
    }
  }
  harness.expectWhole();
}

/** A reply in the form in which two servers' may be compared: milliseconds as a number, unordered replies sorted. */
function comparable(command: ProgramCommand, reply: string): string | number | string[] {
  const [verb, subcommand = ''] = command.map((argument) => argument.toString().toUpperCase());
  const integer = /^:(\d+)\r\n$/.exec(reply)?.[1];
  if (integer !== undefined && /TTL$|EXPIRETIME$/.test(verb)) {
    const latestMs = verb.endsWith('TTL') ? DEADLINE_MS_MAX - Date.now() : DEADLINE_MS_MAX;
    return Math.min(Number(integer) * (verb.startsWith('P') ? 1 : 1000), latestMs);
  }
  if (integer !== undefined && (verb === 'MEMORY' || /^(IDLETIME|FREQ)$/.test(subcommand)))
    return 'an integer';
  if (verb === 'RANDOMKEY' && reply.startsWith('$') && reply !== '$-1\r\n') return 'a key';
  if (reply.startsWith('*') && (verb === 'KEYS' || verb === 'SCAN'))
    return reply.split(/(?<=\r\n)(?=\$)/).sort();
  if (verb === 'DEBUG')
    return reply.replace(/0x[0-9a-f]+/, 'address').replace(/lru:\d+ lru_seconds_idle:\d+/, 'clock');
  return reply;
}
