/** Counting: exact over all of int64, in place, with the TTL kept. */
import fc from 'fast-check';
import { afterEach, describe, expect, it } from 'vitest';
import { createHarness, type Harness } from '../support/harness.ts';
import { find } from '../support/shard.ts';

const OVERFLOW = '-ERR increment or decrement would overflow\r\n';
const NOT_AN_INTEGER = '-ERR value is not an integer or out of range\r\n';
const INT64_MAX = 2n ** 63n - 1n;
const INT64_MIN = -(2n ** 63n);

let harness: Harness;
afterEach(() => harness.expectWhole());

const bulk = (text: string) => `$${text.length}\r\n${text}\r\n`;

describe('INCR and DECR', () => {
  it('count from 0, below and above', () => {
    harness = createHarness();
    expect(harness.run('INCR', 'key')).toBe(':1\r\n');
    expect(harness.run('DECR', 'key')).toBe(':0\r\n');
    expect(harness.run('DECR', 'key')).toBe(':-1\r\n');
    expect(harness.run('INCRBY', 'key', '43')).toBe(':42\r\n');
    expect(harness.run('DECRBY', 'key', '52')).toBe(':-10\r\n');
    expect(harness.run('GET', 'key')).toBe(bulk('-10'));
  });

  it('are exact for every pair of int64, and refuse to overflow', () => {
    harness = createHarness();
    const int64 = fc.oneof(
      fc.bigInt({ min: INT64_MIN, max: INT64_MAX }),
      fc.constantFrom(INT64_MIN, INT64_MAX, 2n ** 53n - 1n, 2n ** 53n, -(2n ** 53n), 0n, 1n, -1n),
    );
    fc.assert(
      fc.property(int64, int64, (value, change) => {
        for (const [name, sum] of [
          ['INCRBY', value + change],
          ['DECRBY', value - change],
        ] as const) {
          harness.run('SET', 'key', `${value}`);
          const fits = sum >= INT64_MIN && sum <= INT64_MAX;
          const negatable = name === 'INCRBY' || change !== INT64_MIN;
          const expected = fits ? `:${sum}\r\n` : OVERFLOW;
          expect(harness.run(name, 'key', `${change}`)).toBe(
            negatable ? expected : '-ERR decrement would overflow\r\n',
          );
          expect(harness.run('GET', 'key')).toBe(bulk(`${negatable && fits ? sum : value}`));
        }
      }),
      { numRuns: 500 },
    );
  });

  it('refuse what is no integer, in the argument or in the value', () => {
    harness = createHarness();
    for (const text of ['', ' 1', '1 ', '+1', '01', '-0', '1.0', 'abc', '9223372036854775808']) {
      harness.run('SET', 'key', text);
      expect([text, harness.run('INCR', 'key')]).toEqual([text, NOT_AN_INTEGER]);
      expect([text, harness.run('INCRBY', 'none', text)]).toEqual([text, NOT_AN_INTEGER]);
      expect([text, harness.run('DECRBY', 'none', text)]).toEqual([text, NOT_AN_INTEGER]);
      expect(harness.run('GET', 'key')).toBe(bulk(text));
    }
    expect(harness.run('EXISTS', 'none')).toBe(':0\r\n');
  });

  it('write over the value where it stands while its length does not change', () => {
    harness = createHarness({ shards: 1 });
    harness.run('SET', 'key', '100');
    harness.run('SET', 'neighbour', 'x');
    const [shard] = harness.shards;
    const ref = find(shard, 'key');
    for (let count = 101; count <= 999; count += 1) expect(harness.run('INCR', 'key')).toBe(`:${count}\r\n`);
    expect(find(shard, 'key')).toBe(ref);
  });

  it('keep the TTL, also of a value that was changed in place before', () => {
    harness = createHarness();
    harness.run('SET', 'key', '9', 'PX', '500');
    harness.run('INCR', 'key');
    expect(harness.run('PTTL', 'key')).toBe(':500\r\n');
    harness.run('APPEND', 'key', '99');
    expect(harness.run('INCR', 'key')).toBe(':1100\r\n');
    expect(harness.run('INCRBYFLOAT', 'key', '0.5')).toBe(bulk('1100.5'));
    expect(harness.run('PTTL', 'key')).toBe(':500\r\n');
    harness.run('SET', 'huge', '9007199254740991', 'PX', '500');
    expect(harness.run('INCR', 'huge')).toBe(':9007199254740992\r\n');
    expect(harness.run('PTTL', 'huge')).toBe(':500\r\n');
    harness.nowMs += 501;
    expect(harness.run('INCR', 'key')).toBe(':1\r\n');
    expect(harness.run('PTTL', 'key')).toBe(':-1\r\n');
  });

  it('answer with an error when there is no room for a new key', () => {
    harness = createHarness({ shards: 1, flags: ['--maxkeys', '1', '--maxmemory-policy', 'noeviction'] });
    harness.run('SET', 'a', '1');
    for (const command of [
      ['INCR', 'b'],
      ['INCRBY', 'b', `${INT64_MAX}`],
      ['INCRBYFLOAT', 'b', '1'],
    ]) {
      expect(harness.run(...command)).toBe("-OOM command not allowed when used memory > 'maxmemory'.\r\n");
    }
    expect(harness.run('INCR', 'a')).toBe(':2\r\n');
  });
});

describe('INCRBYFLOAT', () => {
  it('adds as an 80-bit long double and prints without trailing zeros', () => {
    harness = createHarness();
    expect(harness.run('INCRBYFLOAT', 'key', '10.50')).toBe(bulk('10.5'));
    expect(harness.run('INCRBYFLOAT', 'key', '0.1')).toBe(bulk('10.6'));
    expect(harness.run('INCRBYFLOAT', 'key', '-5.6e0')).toBe(bulk('5'));
    expect(harness.run('GET', 'key')).toBe(bulk('5'));
    expect(harness.run('INCR', 'key')).toBe(':6\r\n');
  });

  it('refuses what is no float, and sums that are not finite', () => {
    harness = createHarness();
    expect(harness.run('INCRBYFLOAT', 'key', 'x')).toBe('-ERR value is not a valid float\r\n');
    expect(harness.run('INCRBYFLOAT', 'key', 'inf')).toBe('-ERR increment would produce NaN or Infinity\r\n');
    harness.run('SET', 'key', 'abc');
    expect(harness.run('INCRBYFLOAT', 'key', '1')).toBe('-ERR value is not a valid float\r\n');
    expect(harness.run('GET', 'key')).toBe(bulk('abc'));
  });
});
