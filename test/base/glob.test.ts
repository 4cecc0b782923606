/**
 * Glob matching against a line-by-line translation of the original, and against KEYS of redis-server.
 */
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { globMatch } from '../../src/base/glob.ts';
import { exchangeBytes } from '../support/redis-exchange.ts';
import { describeWithRedis, type RedisServer, startRedisServer } from '../support/redis-server.ts';
import { requestBytes } from '../support/request-bytes.ts';

function matches(pattern: string, text: string, nocase = false): boolean {
  // Other bytes stand around both, so that reading beyond an end shows.
  const patternBytes = Buffer.from(`*]${pattern}*]`, 'latin1');
  const textBytes = Buffer.from(`ab${text}ab`, 'latin1');
  return globMatch(patternBytes, 2, patternBytes.length - 2, textBytes, 2, textBytes.length - 2, nocase);
}

/** Redis's own matcher, translated line by line: recursive, exponential at worst, reading a 0 behind the pattern. */
function oracle(
  pattern: Buffer,
  p: number,
  text: Buffer,
  t: number,
  nocase: boolean,
  skip = { longer: false },
): boolean {
  const at = (i: number) => (i < pattern.length ? pattern[i] : 0);
  const lower = (byte: number) => (byte >= 65 && byte <= 90 ? byte + 32 : byte);
  const signed = (byte: number) => (byte > 127 ? byte - 256 : byte);
  while (p < pattern.length && t < text.length) {
    if (at(p) === 42) {
      while (at(p + 1) === 42) p += 1;
      if (p === pattern.length - 1) return true;
      while (t < text.length) {
        if (oracle(pattern, p + 1, text, t, nocase, skip)) return true;
        if (skip.longer) return false;
        t += 1;
      }
      skip.longer = true;
      return false;
    }
    if (at(p) === 91) {
      p += 1;
      const not = at(p) === 94;
      if (not) p += 1;
      let match = false;
      for (;;) {
        if (at(p) === 92 && pattern.length - p >= 2) {
          p += 1;
          if (at(p) === text[t]) match = true;
        } else if (at(p) === 93 && p < pattern.length) {
          break;
        } else if (p >= pattern.length) {
          p -= 1;
          break;
        } else if (pattern.length - p >= 3 && at(p + 1) === 45) {
          let start = signed(at(p));
          let end = signed(at(p + 2));
          let c = signed(text[t]);
          if (start > end) [start, end] = [end, start];
          if (nocase) [start, end, c] = [lower(start), lower(end), lower(c)];
          p += 2;
          if (c >= start && c <= end) match = true;
        } else if (at(p) === text[t] || (nocase && lower(at(p)) === lower(text[t]))) {
          match = true;
        }
        p += 1;
      }
      if (match === not) return false;
    } else if (at(p) !== 63) {
      if (at(p) === 92 && pattern.length - p >= 2) p += 1;
      if (nocase ? lower(at(p)) !== lower(text[t]) : at(p) !== text[t]) return false;
    }
    t += 1;
    p += 1;
    if (t === text.length) {
      while (at(p) === 42) p += 1;
      break;
    }
  }
  return p === pattern.length && t === text.length;
}

function oracleMatches(pattern: string, text: string, nocase = false): boolean {
  return oracle(Buffer.from(pattern, 'latin1'), 0, Buffer.from(text, 'latin1'), 0, nocase);
}

function words(alphabet: string, lengthMax: number): string[] {
  const found = [''];
  for (let i = 0; i < found.length; i += 1) {
    if (found[i].length < lengthMax) for (const letter of alphabet) found.push(found[i] + letter);
  }
  return found;
}

const SAMPLES: [pattern: string, text: string, expected: boolean][] = [
  ['*', '', false],
  ['', '', true],
  ['h?llo', 'hello', true],
  ['h[^e]llo', 'hello', false],
  ['h[a-b]llo', 'hbllo', true],
  ['h[b-a]llo', 'hallo', true],
  ['h\\?llo', 'hello', false],
  ['[]a]', 'a]', false],
  ['[^]', 'x', true],
  ['[a-]', '_', true],
  ['[ab', 'b', true],
  ['a\\', 'a\\', true],
  ['[\\]]', ']', true],
];

describe('glob patterns', () => {
  it('match as documented, and with the quirks of Redis', () => {
    for (const [pattern, text, expected] of SAMPLES) {
      expect(matches(pattern, text), `${pattern} on ${text}`).toBe(expected);
      expect(oracleMatches(pattern, text), `${pattern} on ${text}, oracle`).toBe(expected);
    }
  });

  it('match in no case where they are told to', () => {
    expect(matches('HeL[l-m]*', 'hEllO')).toBe(false);
    expect(matches('HeL[L-M]*', 'hEllO', true)).toBe(true);
    expect(matches('[\\L]', 'l', true)).toBe(false);
  });

  it('agree with the translated original on every short pattern', () => {
    const texts = words('ab]', 3);
    for (const pattern of words('*?[]^-\\ab', 4)) {
      for (const text of texts) {
        if (matches(pattern, text) !== oracleMatches(pattern, text)) expect.fail(`${pattern} on ${text}`);
      }
    }
  });

  it('agree with the translated original on random patterns and bytes', () => {
    const pattern = fc.string({
      unit: fc.constantFrom(...'***??[[]]^--\\abAZz_\x00\x80\xff'),
      maxLength: 14,
    });
    const text = fc.string({ unit: fc.constantFrom(...'abAZz_]-^\\\x00\x80\xff'), maxLength: 12 });
    fc.assert(
      fc.property(
        pattern,
        text,
        fc.boolean(),
        (p, t, nocase) => matches(p, t, nocase) === oracleMatches(p, t, nocase),
      ),
      { numRuns: 20_000 },
    );
  });

  it('cost about the length of the text, however many stars they have', () => {
    let reads = 0;
    const text = new Proxy(Buffer.alloc(10_000, 'a'), {
      get: (target, name) => {
        reads += 1;
        return Reflect.get(target, name);
      },
    });
    const pattern = Buffer.from('a*a*a*a*a*a*a*a*a*b');
    expect(globMatch(pattern, 0, pattern.length, text, 0, 10_000, false)).toBe(false);
    expect(reads).toBeLessThan(30_000);
  });

  it('give up on more than a thousand stars in a row of parts', () => {
    expect(matches('*a'.repeat(1000), 'a'.repeat(1000))).toBe(true);
    expect(matches(`${'*a'.repeat(1000)}**`, 'a'.repeat(1000))).toBe(true);
    expect(matches('*a'.repeat(1001), 'a'.repeat(1001))).toBe(false);
  });
});

describeWithRedis('the same patterns asked of redis-server', () => {
  let server: RedisServer;
  beforeAll(async () => {
    server = await startRedisServer();
  });
  afterAll(() => server.stop());

  it('match the same keys', async () => {
    const texts = words('ab]-\xff', 2).concat('hello', 'HELLO', 'a*b', 'a\\b', 'a\x00b', 'a'.repeat(1001));
    const unit = fc.constantFrom(...'**?[[]]^--\\ab\xff\x80A');
    const random = fc.sample(fc.string({ unit, maxLength: 8 }), { numRuns: 600, seed: 3 });
    const patterns = [
      ...random,
      ...SAMPLES.map(([pattern]) => pattern),
      '*a'.repeat(1000),
      '*a'.repeat(1001),
    ];
    const latin1 = (text: string) => Buffer.from(text, 'latin1');
    await exchangeBytes(server.port, requestBytes('MSET', ...texts.flatMap((text) => [latin1(text), ''])));
    const answers = await exchangeBytes(
      server.port,
      Buffer.concat(patterns.map((pattern) => requestBytes('KEYS', latin1(pattern)))),
    );
    const found = answers
      .toString('latin1')
      .split(/(?:^|\r\n)\*\d+/)
      .slice(1);
    expect(found.length).toBe(patterns.length);
    for (const [i, pattern] of patterns.entries()) {
      const keys = [...found[i].matchAll(/\r\n\$\d+\r\n([^\r]*)/g)].map((match) => match[1]).sort();
      // KEYS does not ask the matcher about a lone star.
      const expected = texts.filter((text) => pattern === '*' || matches(pattern, text)).sort();
      expect(keys, pattern).toEqual(expected);
    }
  });
});
