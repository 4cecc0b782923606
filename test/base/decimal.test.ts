/**
 * Integers and doubles as text, around every border, and against what redis-server reads and prints.
 */
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  decimalDigits,
  formatDouble,
  parseFloatArgument,
  parseInt64,
  parseSafeInteger,
  writeDecimal,
} from '../../src/base/decimal.ts';
import { exchangeBytes } from '../support/redis-exchange.ts';
import { describeWithRedis, type RedisServer, startRedisServer } from '../support/redis-server.ts';
import { requestBytes } from '../support/request-bytes.ts';

/** Digits stand around the text, so that reading beyond an end shows. */
function within<T>(text: string, parse: (bytes: Uint8Array, start: number, end: number) => T): T {
  const bytes = Buffer.from(`11${text}11`, 'latin1');
  return parse(bytes, 2, bytes.length - 2);
}

const NO_INTEGERS = [
  ...[
    '',
    '-',
    '+',
    '+1',
    '-0',
    '00',
    '01',
    '-01',
    ' 1',
    '1 ',
    '1\n',
    '\0',
    '1\0',
    '1.',
    '1.0',
    '1e3',
    '0x1',
    'a',
    '1a',
  ],
  ...[
    '--1',
    '-+1',
    '1-',
    ':',
    '/',
    '1:',
    '1/',
    '-a',
    '123456789012345a',
    '12345678901234567890123',
    '\xb1',
    '9_9',
  ],
  ...[
    '9223372036854775808',
    '-9223372036854775809',
    '18446744073709551616',
    '99999999999999999999',
    '1'.repeat(21),
  ],
  ...[
    '0000000000000000',
    '00000000000000001',
    '-0000000000000001',
    '09223372036854775',
    '922337203685477580x',
  ],
];

/** Around every power of ten and of two, both signs. */
const INTEGERS: bigint[] = [0n];
for (const base of [2n, 10n]) {
  for (let power = 1n; power <= 2n ** 63n; power *= base) {
    for (const near of [power - 1n, power, power + 1n]) INTEGERS.push(near, -near);
  }
}
const INT64S = INTEGERS.filter((value) => BigInt.asIntN(64, value) === value);

describe('reading integers', () => {
  it('takes every int64 and tells the safe ones as numbers', () => {
    for (const value of INT64S) {
      const safe = Number.isSafeInteger(Number(value)) ? Number(value) : Number.NaN;
      expect(within(String(value), parseSafeInteger), String(value)).toBe(safe);
      expect(within(String(value), parseInt64), String(value)).toBe(value);
    }
  });

  it('refuses everything else', () => {
    for (const text of NO_INTEGERS) {
      expect(within(text, parseSafeInteger), text).toBeNaN();
      expect(within(text, parseInt64), text).toBeUndefined();
    }
  });

  it('accepts a random text only when it is the shortest spelling of an int64', () => {
    const text = fc.string({ unit: fc.constantFrom(...'000112345678999-+ '), maxLength: 21 });
    fc.assert(
      fc.property(text, (sample) => {
        const value = /^-?\d+$/.test(sample) ? BigInt(sample) : undefined;
        const valid = value !== undefined && String(value) === sample && BigInt.asIntN(64, value) === value;
        expect(within(sample, parseInt64)).toBe(valid ? value : undefined);
        expect(within(sample, parseSafeInteger)).toBe(
          valid && Number.isSafeInteger(Number(sample)) ? Number(sample) : Number.NaN,
        );
      }),
      { numRuns: 5000 },
    );
  });
});

describe('writing integers', () => {
  it('writes what String gives, in as many characters as announced, and nothing else', () => {
    const bytes = Buffer.alloc(30);
    const check = (value: number) => {
      bytes.fill('#');
      const end = writeDecimal(bytes, 3, value);
      expect(bytes.toString('latin1', 3, end)).toBe(String(value));
      expect(decimalDigits(value)).toBe(end - 3);
      expect(bytes.toString('latin1', 0, 3) + bytes.toString('latin1', end)).toBe('#'.repeat(33 - end));
    };
    for (const value of INTEGERS) if (Number.isSafeInteger(Number(value))) check(Number(value));
    check(-0);
    fc.assert(fc.property(fc.maxSafeInteger(), check), { numRuns: 2000 });
  });
});

const FLOATS = [
  ...[
    '0',
    '-0',
    '1',
    '-1',
    '+1',
    '.5',
    '5.',
    '-.5e1',
    '1e308',
    '1.7976931348623157e308',
    '1.7976931348623159e308',
  ],
  ...[
    '1e309',
    '-1e309',
    '5e-324',
    '3e-324',
    '2e-324',
    '-2e-324',
    '1e-400',
    '0e-400',
    '0e99999',
    '1e99999999999999999999',
  ],
  ...[
    'inf',
    '-inf',
    '+inf',
    'Infinity',
    'INFINITY',
    'infin',
    'nan',
    '-nan',
    'NaN',
    'nan(1)',
    '0x10',
    '-0x1.8p1',
    '0x',
  ],
  ...[
    '0x1p1023',
    '0x1p1024',
    '0x1p-1074',
    '0x1p-1075',
    '0x1.8p-1075',
    '0x1.fffffffffffff7p1023',
    '0x1.fffffffffffff8p1023',
  ],
  ...[
    '0x20000000000001',
    '0x20000000000003',
    '0x1.00000000000008',
    '0x1.000000000000080000001',
    '0x1.0000000000000p-1060',
  ],
  ...[
    '',
    ' 1',
    '1 ',
    '1\t',
    '\n1',
    '1\0',
    '1.2.3',
    '1,2',
    '1e',
    '1e+',
    '.',
    '-',
    'e1',
    'abc',
    '1f',
    '--1',
    '0b1',
    '0o7',
    '1_1',
  ],
  ...[
    '9007199254740993',
    '0.1',
    '123456789012345678901234567890',
    `${'0'.repeat(400)}1`,
    `0.${'0'.repeat(400)}1e401`,
  ],
  ...[
    '1000000.00048828125',
    '1000000.00146484375',
    '1e-5',
    '0.0001',
    '0.00012345',
    '1e16',
    '1e17',
    '123456789012345680',
  ],
  ...[
    '1e21',
    '3.0',
    '1.5e300',
    '2.2250738585072014e-308',
    '2.2250738585072011e-308',
    '4.9e-324',
    '99999999999999990000',
  ],
];

describe('reading and writing doubles', () => {
  it('reads what C reads, but for spaces and texts that become infinite or zero', () => {
    expect(within('1e2', parseFloatArgument)).toBe(100);
    expect(within('-Inf', parseFloatArgument)).toBe(-Infinity);
    expect(within('0x1.8p1', parseFloatArgument)).toBe(3);
    expect(within('-0', parseFloatArgument)).toBe(-0);
    for (const bad of ['', ' 1', '1 ', 'nan', '1e309', '1e-400', '0x', '0x1p1024', '0x1p-1075', '1.2.3']) {
      expect(within(bad, parseFloatArgument), bad).toBeNaN();
    }
  });

  it('reads a hexadecimal text of any length', () => {
    expect(within(`0x${'f'.repeat(300_000)}p-1200000`, parseFloatArgument)).toBe(1);
    expect(within(`0x${'0'.repeat(300_000)}1`, parseFloatArgument)).toBe(1);
  });

  it('prints 17 significant digits, ties to even, and no trailing zeros', () => {
    const texts: [number, string][] = [
      [0, '0'],
      [-0, '-0'],
      [3, '3'],
      [-1.5, '-1.5'],
      [0.1, '0.10000000000000001'],
      [1e-5, '1.0000000000000001e-05'],
      [0.0001, '0.0001'],
      [1e16, '10000000000000000'],
      [1e17, '1e+17'],
      [1e100, '1e+100'],
      [2 ** 53 + 2, '9007199254740994'],
      [1_000_000 + 1 / 2048, '1000000.0004882812'],
      [1_000_000 + 3 / 2048, '1000000.0014648438'],
      [5e-324, '4.9406564584124654e-324'],
      [Infinity, 'inf'],
      [-Infinity, '-inf'],
      [Number.NaN, 'nan'],
    ];
    for (const [value, text] of texts) expect(formatDouble(value)).toBe(text);
  });

  it('prints every double so that it is read back', () => {
    fc.assert(
      fc.property(
        fc.double({ noNaN: true }),
        (value) => within(formatDouble(value), parseFloatArgument) === value,
      ),
      { numRuns: 3000 },
    );
  });
});

describeWithRedis('numbers asked of redis-server', () => {
  let server: RedisServer;
  beforeAll(async () => {
    // Small sorted sets keep whole scores as integers, which lose the sign of -0.
    server = await startRedisServer(['--zset-max-listpack-entries', '0']);
  });
  afterAll(() => server.stop());

  async function ask(requests: readonly Buffer[]): Promise<string> {
    return (await exchangeBytes(server.port, Buffer.concat(requests))).toString('latin1');
  }

  it('are integers for the same texts', async () => {
    const texts = [...NO_INTEGERS, ...INT64S.map(String)];
    const requests = texts.flatMap((text) => [
      requestBytes('SET', 'key', '0'),
      requestBytes('INCRBY', 'key', Buffer.from(text, 'latin1')),
    ]);
    const answers = (await ask(requests)).split('+OK\r\n').slice(1);
    for (const [i, text] of texts.entries()) {
      const value = within(text, parseInt64);
      const expected = value === undefined ? '-ERR value is not an integer or out of range' : `:${value}`;
      expect(answers[i].trimEnd(), text).toBe(expected);
    }
  });

  it('are doubles for the same texts, and printed alike', async () => {
    const digits = fc.string({ unit: fc.constantFrom(...'0123456789'), minLength: 1, maxLength: 19 });
    const exponent = fc.oneof(
      fc.constant(''),
      fc.integer({ min: -345, max: 320 }).map((power) => `e${power}`),
    );
    const decimal = fc.tuple(digits, digits, exponent).map(([a, b, e]) => `${a}.${b}${e}`);
    const dyadic = fc.tuple(fc.nat(2 ** 31), fc.nat(40)).map(([n, power]) => String(n / 2 ** power));
    const hex = fc
      .tuple(fc.bigInt({ min: 0n, max: 2n ** 70n }), fc.integer({ min: -1150, max: 1030 }))
      .map(([n, power]) => `-0x${n.toString(16)}p${power}`);
    const texts = [...FLOATS, ...fc.sample(fc.oneof(decimal, dyadic, hex), { numRuns: 3000, seed: 11 })];
    const requests = texts.flatMap((text) => [
      requestBytes('DEL', 'key'),
      requestBytes('ZADD', 'key', Buffer.from(text, 'latin1'), 'member'),
      requestBytes('ZSCORE', 'key', 'member'),
      requestBytes('PING'),
    ]);
    const answers = (await ask(requests)).split('+PONG\r\n');
    for (const [i, text] of texts.entries()) {
      const value = within(text, parseFloatArgument);
      const printed = formatDouble(value);
      const expected = Number.isNaN(value)
        ? /^:[01]\r\n-ERR value is not a valid float\r\n\$-1\r\n$/
        : new RegExp(
            `^:[01]\\r\\n:1\\r\\n\\$${printed.length}\\r\\n${printed.replace(/[.+]/g, '\\$&')}\\r\\n$`,
          );
      expect(answers[i], text).toMatch(expected);
    }
  });
});
