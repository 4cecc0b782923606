/**
 * INCRBYFLOAT sums, against redis-server on telling and on random pairs.
 */
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { addLongDouble, formatLongDouble, parseLongDouble } from '../../src/base/long-double.ts';
import { exchangeBytes } from '../support/redis-exchange.ts';
import { describeWithRedis, type RedisServer, startRedisServer } from '../support/redis-server.ts';
import { requestBytes } from '../support/request-bytes.ts';

const INVALID = '-ERR value is not a valid float';
const OUT_OF_RANGE = '-ERR increment would produce NaN or Infinity';

/** INCRBYFLOAT on a key that holds `a`. */
function incremented(a: string, b: string): string {
  const [first, second] = [a, b].map((text) => {
    const bytes = Buffer.from(`1${text}1`, 'latin1');
    return parseLongDouble(bytes, 1, bytes.length - 1);
  });
  if (first === undefined || second === undefined) return INVALID;
  const sum = addLongDouble(first, second);
  return sum === undefined ? OUT_OF_RANGE : formatLongDouble(sum);
}

/** The largest long double, the smallest normal and the smallest subnormal one. */
const LARGEST = '1.18973149535723176502126385303097021e4932';
const SMALLEST_NORMAL = '3.36210314311209350626267781732175260e-4932';
const SMALLEST = '3.64519953188247460252840593361941982e-4951';

const TEXTS = [
  ...[
    '0',
    '-0',
    '+0',
    '1',
    '-1',
    '+1',
    '01',
    '1.',
    '.5',
    '-.5',
    '.',
    '',
    '-',
    '+',
    '1e',
    '1e+',
    'e5',
    '1e5',
    '1E-5',
  ],
  ...[' 1', '1 ', '1\n', '\t1', '1\0', '\x001', '1,5', '1_0', '1f', '--1', '+-1', '1.2.3', '1e5.5', '٣'],
  ...[
    'inf',
    '-inf',
    '+inf',
    'INF',
    'Infinity',
    '-infinity',
    'infinit',
    'infx',
    'nan',
    '-nan',
    'NAN',
    'nan(1)',
  ],
  ...[
    '0x',
    '0x1',
    '0X1P4',
    '-0x1.8p1',
    '0x.8',
    '0x.',
    '0xp1',
    '0x1p',
    '0x1p-16445',
    '0x1p-16446',
    '0x1.8p-16446',
  ],
  ...[
    '0x1p16383',
    '0x1p16384',
    '0xffffffffffffffff',
    '0x1ffffffffffffffff',
    '0x1fffffffffffffffe',
    '0x10000000000000001',
  ],
  ...[
    '0x8000000000000000.8',
    '0x8000000000000001.8',
    `0x${'0'.repeat(100)}1`,
    `0x8000000000000000.8${'0'.repeat(50)}1`,
  ],
  ...[
    '3.0',
    '10.50',
    '5.0e3',
    '0.1',
    '0.2',
    '-0.3',
    '1.23456789012345678901234567890',
    '9007199254740993',
    '3.14159',
  ],
  ...[
    '0.000000000000000005',
    '0.000000000000000015',
    '0.00000000000000001',
    '-0.000000000000000004',
    '1e-17',
    '5e-18',
  ],
  ...[
    '18446744073709551615',
    '18446744073709551616',
    '18446744073709551617',
    '9223372036854775807',
    '1e20',
    '1e30',
  ],
  ...[
    '36893488147419103233',
    '36893488147419103234',
    '36893488147419103235',
    '73786976294838206469',
    '-1e18',
  ],
  ...[
    LARGEST,
    `-${LARGEST}`,
    SMALLEST_NORMAL,
    SMALLEST,
    `-${SMALLEST}`,
    '1.9e-4951',
    '1.8e-4951',
    '1.822599e-4951',
  ],
  ...[
    '1e4932',
    '1.2e4932',
    '1e4933',
    '1e-4950',
    '1e-4951',
    '1e-4952',
    '1e-5000',
    '0e5000',
    '0e-5000',
    '1e99999999999',
  ],
  ...['1e-99999999999', '0e99999999999999999999', '-1e5000', '1e999999999999999999999999', '0x0p99999999999'],
  ...[
    `1${'0'.repeat(4932)}`,
    `1${'0'.repeat(4933)}`,
    `0.${'0'.repeat(4949)}4`,
    `${'0'.repeat(5118)}1`,
    `${'0'.repeat(5119)}1`,
  ],
  ...[
    `${'9'.repeat(5000)}e-4990`,
    `${'1'.repeat(5114)}e-99`,
    `0.${'3'.repeat(5117)}`,
    `11${'8'.repeat(4931)}.5`,
    `1189${'9'.repeat(4929)}.5`,
    `0.${'0'.repeat(5000)}1e5000`,
  ],
];

describe('sums of long doubles', () => {
  it('are exact where binary fractions of 64 bits are', () => {
    expect(incremented('10.50', '0.1')).toBe('10.6');
    expect(incremented('5.0e3', '2.0e2')).toBe('5200');
    expect(incremented('-0', '0')).toBe('0');
    expect(incremented('1', '-1.000000000000000000001')).toBe('0');
    expect(incremented('18446744073709551615', '1')).toBe('18446744073709551616');
    expect(incremented('18446744073709551616', '1')).toBe('18446744073709551616');
    expect(incremented('18446744073709551616', '3')).toBe('18446744073709551620');
  });

  it('refuse what is no number and what leaves the range', () => {
    for (const text of ['', ' 1', '1 ', 'nan', '0x', '1e4933', '1e-5000', 'abc', '1'.repeat(5120)]) {
      expect(incremented(text, '1')).toBe(INVALID);
      expect(incremented('1', text)).toBe(INVALID);
    }
    expect(incremented(LARGEST, LARGEST)).toBe(OUT_OF_RANGE);
    expect(incremented('inf', '-inf')).toBe(OUT_OF_RANGE);
  });

  it('do not depend on the order', () => {
    for (const a of TEXTS) expect(incremented(a, '-0.7e3')).toBe(incremented('-0.7e3', a));
  });
});

describeWithRedis('INCRBYFLOAT of redis-server', () => {
  let server: RedisServer;
  beforeAll(async () => {
    server = await startRedisServer();
  });
  afterAll(() => server.stop());

  async function compare(pairs: readonly (readonly [string, string])[]): Promise<void> {
    const stream = pairs.map(([a, b]) =>
      Buffer.concat([
        requestBytes('SET', 'key', Buffer.from(a, 'latin1')),
        requestBytes('INCRBYFLOAT', 'key', Buffer.from(b, 'latin1')),
      ]),
    );
    const answers = (await exchangeBytes(server.port, Buffer.concat(stream))).toString('latin1');
    const sums = answers.split('+OK\r\n').slice(1);
    expect(sums.length).toBe(pairs.length);
    for (const [i, [a, b]] of pairs.entries()) {
      const answer = sums[i].trimEnd().replace(/^\$\d+\r\n/, '');
      expect(incremented(a, b), `${a.slice(0, 80)} + ${b.slice(0, 80)}`).toBe(answer);
    }
  }

  it('agrees on every pair of telling texts', async () => {
    await compare(TEXTS.map((text) => [text, '0'] as const));
    const others = [
      '1',
      '-1',
      '0.1',
      '1e-17',
      LARGEST,
      `-${LARGEST}`,
      SMALLEST,
      '-inf',
      '18446744073709551615',
      '1e18',
    ];
    await compare(TEXTS.flatMap((text) => others.map((other) => [text, other] as const)));
  });

  it('agrees on thousands of random pairs', async () => {
    const digits = fc.string({ unit: fc.constantFrom(...'0123456789'), maxLength: 24 });
    const sign = fc.constantFrom('', '-', '');
    const exponent = fc.oneof(
      fc.constant(''),
      fc.integer({ min: -25, max: 25 }).map((power) => `e${power}`),
      fc.integer({ min: -4990, max: 4960 }).map((power) => `e${power}`),
    );
    const decimal = fc
      .tuple(sign, digits, fc.constantFrom('', '.'), digits, exponent)
      .map((parts) => parts.join(''));
    const hexDigits = fc.string({ unit: fc.constantFrom(...'0123456789abcdef'), maxLength: 20 });
    const hex = fc
      .tuple(sign, hexDigits, fc.constantFrom('', '.'), hexDigits, fc.integer({ min: -90, max: 90 }))
      .map(([s, whole, point, fraction, power]) => `${s}0x${whole}${point}${fraction}p${power}`);
    // Sums whose last bits are a tie, or nearly.
    const integer = fc.bigInt({ min: -(2n ** 66n), max: 2n ** 66n }).map(String);
    const half = fc.integer({ min: -1000, max: 1000 }).map((n) => String(n / 16));
    const any = fc.oneof(decimal, decimal, hex, integer, half);
    await compare(fc.sample(fc.tuple(any, any), { numRuns: 6000, seed: 42 }));
  });
});
