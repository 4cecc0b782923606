/** Which options of SET and GETEX go together, and which times they take. Against redis-server: test/differential. */
import { afterEach, describe, expect, it } from 'vitest';
import { createHarness, type Harness } from '../support/harness.ts';

const SYNTAX_ERROR = '-ERR syntax error\r\n';
const NOT_AN_INTEGER = '-ERR value is not an integer or out of range\r\n';
const OK = '+OK\r\n';

let harness: Harness;
afterEach(() => harness.expectWhole());

describe('the options of strings', () => {
  it('refuse words that exclude each other, lack their time, belong to another command, or are none', () => {
    harness = createHarness();
    for (const words of [
      'NX XX',
      'XX NX',
      'KEEPTTL EX 5',
      'EX 5 KEEPTTL',
      'EX 5 PX 5',
      'PXAT 5 EXAT 5',
      'EX',
      'NX PX',
      'PERSIST',
      'NX NOPE',
      'N',
      'EXATT 5',
    ]) {
      expect([words, harness.run('SET', 'key', 'v', ...words.split(' '))]).toEqual([words, SYNTAX_ERROR]);
    }
    for (const words of ['NX', 'XX', 'GET', 'KEEPTTL', 'PERSIST EX 5', 'EX 5 PERSIST', 'PX 1 EX 1', 'EXAT']) {
      expect([words, harness.run('GETEX', 'key', ...words.split(' '))]).toEqual([words, SYNTAX_ERROR]);
    }
    expect(harness.run('DBSIZE')).toBe(':0\r\n');
  });

  it('take the same word twice, in any case, and its last time', () => {
    harness = createHarness();
    expect(harness.run('SET', 'key', 'v', 'nX', 'NX', 'eX', 'oops', 'Ex', '9')).toBe(OK);
    expect(harness.run('TTL', 'key')).toBe(':9\r\n');
  });

  it('refuse times that are no integers, not positive, or overflow 64 bits of milliseconds', () => {
    harness = createHarness();
    const invalid = (name: string) => `-ERR invalid expire time in '${name}' command\r\n`;
    for (const time of ['x', '', '1.5', '+1', '9223372036854775808']) {
      expect([time, harness.run('SET', 'key', 'v', 'EX', time)]).toEqual([time, NOT_AN_INTEGER]);
    }
    for (const time of ['0', '-1', '-9223372036854775808', '9223372036854775807', '9223372036854775']) {
      expect([time, harness.run('SET', 'key', 'v', 'EX', time)]).toEqual([time, invalid('set')]);
      expect(harness.run('SETEX', 'key', time, 'v')).toBe(invalid('setex'));
    }
    expect(harness.run('PSETEX', 'key', '9223372036854775807', 'v')).toBe(invalid('psetex'));
    expect(harness.run('SET', 'key', 'v', 'EXAT', '9223372036854776')).toBe(invalid('set'));
    expect(harness.run('DBSIZE')).toBe(':0\r\n');
    expect(harness.run('SET', 'key', 'v', 'PXAT', '9223372036854775807')).toBe(OK);
    expect(harness.run('GETEX', 'key', 'PX', '-1')).toBe(invalid('getex'));
    expect(harness.run('SET', 'key', 'v', 'EX', '9223370000000000')).toBe(OK);
    expect(harness.run('PEXPIRETIME', 'key')).toBe(`:${2 ** 48 - 1}\r\n`);
  });

  it('are read before the key is looked at, but the time of GETEX after', () => {
    harness = createHarness();
    expect(harness.run('SET', 'none', 'v', 'XX', 'EX', '0')).toContain('invalid expire time');
    expect(harness.run('GETEX', 'none', 'EX', '0')).toBe('$-1\r\n');
    expect(harness.run('GETEX', 'none', 'EX', '0', 'NOPE')).toBe(SYNTAX_ERROR);
  });
});
