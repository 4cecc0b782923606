/** The commands on bits against redis-server: every edge by hand, and random programs; replies and values compared byte by byte. */
import { Buffer } from 'node:buffer';
import fc from 'fast-check';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { createHarness } from '../support/harness.ts';
import { askRedis } from '../support/redis-replies.ts';
import { describeWithRedis, type RedisServer, startRedisServer } from '../support/redis-server.ts';

type Command = (string | Buffer)[];

const PROGRAM_COMMANDS = 200;
const PROGRAMS = 30;

const KEYS = ['a', 'b', 'c', 'd', 'none', '{a}1', 'long'.repeat(70)];
const READ_ALL: Command[] = [...KEYS, 'key', 'to'].flatMap((key) => [
  ['GET', key],
  ['PEXPIRETIME', key],
]);

let redis: RedisServer;
beforeAll(async () => {
  redis = await startRedisServer();
});
afterAll(() => redis.stop());

/** Runs the commands on an empty server of each kind, and compares in the end what all keys hold. */
async function expectSameReplies(commands: readonly Command[], protocol: 2 | 3): Promise<void> {
  const hello: Command[] = [['FLUSHALL'], ['HELLO', String(protocol)]];
  const harness = createHarness({ shardBytes: 32 * 2 ** 20 });
  harness.session.protocol = protocol;
  const all = [...commands, ...READ_ALL];
  const theirs = (await askRedis(redis.port, [...hello, ...all])).slice(hello.length);
  for (const [index, one] of all.entries()) {
    const ours = harness.run(...one);
    if (ours === theirs[index]) continue;
    expect({ command: one.map(String), reply: ours }).toEqual({
      command: one.map(String),
      reply: theirs[index],
    });
  }
  harness.expectWhole();
}

describeWithRedis('the commands on bits answer as redis-server', () => {
  for (const protocol of [2, 3] as const) {
    it(`in RESP${protocol}, over random programs`, async () => {
      const program = fc.array(command, { minLength: PROGRAM_COMMANDS, maxLength: PROGRAM_COMMANDS });
      await fc.assert(
        fc.asyncProperty(program, (commands) => expectSameReplies(commands, protocol)),
        { numRuns: PROGRAMS, endOnFailure: true },
      );
    });
  }

  it('SETBIT and GETBIT over every offset that is none, and around those that are', async () => {
    const commands: Command[] = [];
    for (const offset of OFFSETS) {
      for (const bit of ['0', '1', '2', '-1', '01', '', 'x', '4294967296']) {
        commands.push(['SETBIT', 'key', offset, bit], ['STRLEN', 'key'], ['GETBIT', 'key', offset]);
        commands.push(['DEL', 'key']);
      }
      commands.push(['GETBIT', 'none', offset]);
    }
    await expectSameReplies(commands, 2);
  });

  it('BITCOUNT and BITPOS over every pair of ends, in bytes and in bits', async () => {
    const commands: Command[] = [];
    const ends = [...ENDS, 'x', ''];
    for (const value of ['', '\xff', '\0', '\xff\xf0\0', '\0\0\x10\xff']) {
      commands.push(['SET', 'key', Buffer.from(value, 'latin1')]);
      for (const first of ends) {
        for (const unit of ['0', '1', '2', 'x']) commands.push(['BITPOS', 'key', unit, first]);
        for (const last of ends) {
          for (const unit of [[], ['BIT'], ['byte'], ['bits']]) {
            commands.push(['BITCOUNT', 'key', first, last, ...unit]);
            commands.push(['BITPOS', 'key', '0', first, last, ...unit]);
            commands.push(['BITPOS', 'key', '1', first, last, ...unit]);
          }
        }
      }
    }
    await expectSameReplies(commands, 2);
  });

  it('with too many arguments or too few, on missing keys and on present ones', async () => {
    const commands: Command[] = [['SET', 'key', 'foobar']];
    for (const key of ['key', 'none']) {
      for (let count = 0; count < 6; count += 1) {
        const rest = ['0', '-1', 'BIT', 'x', 'y', 'z'].slice(0, count);
        for (const name of ['SETBIT', 'GETBIT', 'BITCOUNT', 'BITPOS', 'BITFIELD', 'BITFIELD_RO'])
          commands.push([name, key, ...rest], [name, key, '1', ...rest], [name, key, 'GET', 'u8', ...rest]);
        for (const operation of ['AND', 'or', 'Xor', 'NOT', 'nand', '']) {
          const sources = ['key', 'none', 'key', 'none', 'key', 'none'].slice(0, count);
          commands.push(['BITOP', operation, 'to', ...sources], ['GET', 'to']);
        }
      }
    }
    await expectSameReplies(commands, 3);
  });

  it('BITCOUNT, BITPOS and BITOP of values of all lengths around words and pieces', async () => {
    const commands: Command[] = [];
    const lengths = [1, 2, 3, 4, 5, 7, 8, 9, 31, 32, 33, 63, 64, 65, 127, 128, 129];
    for (const length of [...lengths, 16_383, 16_384, 16_385, 32_768, 49_155, 200_001]) {
      const bytes = Buffer.from(Array.from({ length }, (_, i) => (i * i * 31 + (i >> 3)) & 0xff));
      const zeros = Buffer.alloc(length);
      zeros[length - 1] = 1;
      const ones = Buffer.alloc(length, 0xff);
      commands.push(['MSET', 'a', bytes, 'b', zeros, 'c', ones, 'd', bytes.subarray(length >> 1)]);
      for (const key of ['a', 'b', 'c', 'd']) {
        commands.push(['BITCOUNT', key], ['BITPOS', key, '0'], ['BITPOS', key, '1']);
        commands.push(['BITCOUNT', key, '3', `${length * 8 - 3}`, 'BIT'], ['BITPOS', key, '1', '1']);
        commands.push(['BITPOS', key, '0', '5', `${length * 8 - 1}`, 'BIT']);
        commands.push(['BITPOS', key, '1', '3', `${length * 8 - 2}`, 'BIT'], ['BITPOS', key, '0', '1', '-2']);
        commands.push(['BITOP', 'NOT', 'to', key], ['GET', 'to']);
      }
      for (const operation of ['AND', 'OR', 'XOR']) {
        for (const sources of [['a', 'd'], ['d', 'a', 'none'], ['c', 'd', 'a', 'b'], ['a'], ['to', 'a']])
          commands.push(['BITOP', operation, 'to', ...sources], ['GET', 'to'], ['BITCOUNT', 'to']);
      }
    }
    await expectSameReplies(commands, 2);
  });

  it('BITFIELD over every size, sign, overflow and number at the edges', async () => {
    const commands: Command[] = [];
    for (let bits = 1; bits <= 64; bits += 1) {
      for (const type of [`i${bits}`, `u${bits}`]) {
        for (const number of numbersAround(bits)) {
          for (const overflow of ['WRAP', 'SAT', 'FAIL']) {
            const by = [number, `-${number}`.replace('--', '')];
            commands.push(['BITFIELD', 'key', 'OVERFLOW', overflow, 'SET', type, '3', number]);
            for (const increment of by)
              commands.push(['BITFIELD', 'key', 'OVERFLOW', overflow, 'INCRBY', type, '3', increment]);
            commands.push(['BITFIELD', 'key', 'GET', type, '3', 'GET', 'u16', '#1', 'GET', 'i64', '1']);
          }
        }
      }
    }
    await expectSameReplies(commands, 2);
  });

  it('BITFIELD over types and offsets that are none', async () => {
    const commands: Command[] = [];
    for (const type of ['u0', 'i0', 'u64', 'i65', 'u', 'i', '', '8', 'U8', 'I8', 'u+8', 'u08', 'x8', 'i-1']) {
      commands.push(['BITFIELD', 'key', 'GET', type, '0'], ['BITFIELD_RO', 'key', 'GET', type, '0']);
    }
    const counted = OFFSETS.map((offset) => `#${offset}`);
    const wrapping = [
      '#4611686018427387904',
      '#2305843009213693952',
      '#6148914691236517206',
      '##1',
      '#',
      '# 1',
    ];
    for (const type of ['u1', 'i3', 'u4', 'i8', 'u9', 'i64']) {
      for (const offset of [...OFFSETS, ...counted, ...wrapping]) {
        commands.push(['BITFIELD', 'key', 'GET', type, offset], ['BITFIELD', 'to', 'SET', type, offset, '1']);
        commands.push(['STRLEN', 'to'], ['DEL', 'to']);
      }
    }
    await expectSameReplies(commands, 2);
  });
});

/** None of them so large that it makes a value of many megabytes. */
const OFFSETS = [
  ...[
    '0',
    '1',
    '7',
    '8',
    '9',
    '63',
    '64',
    '1000',
    '99999',
    '-1',
    '-8',
    '+1',
    '01',
    '',
    'x',
    '1.0',
    ' 1',
    '#1',
  ],
  ...['4294967296', '4294967297', '34359738368', '9007199254740991', '9007199254740992'],
  ...['9223372036854775807', '9223372036854775808', '-9223372036854775808', '18446744073709551616'],
];

const ENDS = [
  ...['0', '1', '2', '3', '4', '5', '7', '8', '9', '20', '31', '32', '100'],
  ...['-1', '-2', '-3', '-4', '-5', '-8', '-9', '-20', '-31', '-32', '-33', '-100'],
  ...['9007199254740993', '-9007199254740993', '-9007199254740994', '9223372036854775807'],
  ...['-9223372036854775807', '-9223372036854775808', '9223372036854775808', '01', '1.5'],
];

/** Around half of what so many bits hold, and all of it. */
function numbersAround(bits: number): string[] {
  const numbers = ['0', '1', '-1', '9223372036854775807', '-9223372036854775807'];
  for (const power of [BigInt(bits - 1), BigInt(bits)]) {
    for (const near of [-1n, 0n, 1n]) {
      const number = (1n << power) + near;
      if (number < 2n ** 63n) numbers.push(String(number), String(-number));
    }
  }
  return [...new Set(numbers)];
}

const key = fc.constantFrom(...KEYS);
const value = fc.oneof(
  fc.uint8Array({ maxLength: 40, size: 'max' }).map((bytes) => Buffer.from(bytes)),
  fc.constantFrom('', '1', '12345', 'foobar', '\0\0\0', '\xff'.repeat(9), 'x'.repeat(45)),
);
const small = fc.integer({ min: -40, max: 40 }).map(String);
const end = fc.oneof({ weight: 4, arbitrary: small }, { weight: 1, arbitrary: fc.constantFrom(...ENDS) });
const offset = fc.oneof(
  { weight: 8, arbitrary: fc.nat(400).map(String) },
  { weight: 2, arbitrary: fc.nat(20).map((count) => `#${count}`) },
  { weight: 1, arbitrary: fc.constantFrom(...OFFSETS) },
);
const type = fc
  .tuple(fc.constantFrom('i', 'u'), fc.integer({ min: 1, max: 64 }))
  .map((parts) => parts.join(''));
const number = fc.oneof(
  small,
  fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }).map(String),
  fc.constantFrom('127', '128', '255', '256', '-128', '-129', '9223372036854775808', 'x'),
);
const operation: fc.Arbitrary<string[]> = fc.oneof(
  { weight: 4, arbitrary: fc.tuple(fc.constantFrom('GET', 'get'), type, offset) },
  { weight: 4, arbitrary: fc.tuple(fc.constantFrom('SET', 'Set'), type, offset, number) },
  { weight: 4, arbitrary: fc.tuple(fc.constantFrom('INCRBY', 'incrby'), type, offset, number) },
  { weight: 2, arbitrary: fc.tuple(fc.constant('OVERFLOW'), fc.constantFrom('WRAP', 'sat', 'FAIL')) },
  {
    weight: 1,
    arbitrary: fc.constantFrom<string[]>(['GET'], ['NOSUCH'], ['OVERFLOW', 'x'], ['SET', 'u8', '0']),
  },
);

function commandOf(
  name: string,
  ...parts: fc.Arbitrary<string | Buffer | (string | Buffer)[]>[]
): fc.Arbitrary<Command> {
  return fc.tuple(...parts).map((values) => [name, ...values.flat()]);
}

const unit = fc.constantFrom<string[]>([], ['BIT'], ['BYTE'], ['bit'], ['x']);
const bit = fc.constantFrom('0', '1', '1', '0', '2');
const keys = fc.array(key, { minLength: 1, maxLength: 4 });
const operations = fc.array(operation, { maxLength: 4 }).map((lists) => lists.flat());
const command: fc.Arbitrary<Command> = fc.oneof(
  { weight: 2, arbitrary: commandOf('SET', key, value) },
  { weight: 1, arbitrary: commandOf('SET', key, value, fc.constant(['EXAT', '9999999999'])) },
  { weight: 1, arbitrary: commandOf('DEL', key) },
  { weight: 4, arbitrary: commandOf('SETBIT', key, offset, bit) },
  { weight: 2, arbitrary: commandOf('GETBIT', key, offset) },
  { weight: 2, arbitrary: commandOf('BITCOUNT', key) },
  { weight: 3, arbitrary: commandOf('BITCOUNT', key, end, end, unit) },
  { weight: 2, arbitrary: commandOf('BITPOS', key, bit) },
  { weight: 2, arbitrary: commandOf('BITPOS', key, bit, end) },
  { weight: 3, arbitrary: commandOf('BITPOS', key, bit, end, end, unit) },
  { weight: 4, arbitrary: commandOf('BITOP', fc.constantFrom('AND', 'OR', 'XOR', 'NOT', 'no'), key, keys) },
  { weight: 1, arbitrary: commandOf('BITOP', fc.constant('NOT'), key, key) },
  { weight: 6, arbitrary: commandOf('BITFIELD', key, operations) },
  { weight: 2, arbitrary: commandOf('BITFIELD_RO', key, operations) },
  { weight: 1, arbitrary: commandOf('APPEND', key, value) },
  { weight: 1, arbitrary: commandOf('INCR', key) },
);
