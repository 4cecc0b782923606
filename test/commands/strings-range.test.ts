/** Parts of strings: every range of a short one, growth with zeros, and the bounds. */
import { afterEach, describe, expect, it } from 'vitest';
import { createHarness, type Harness } from '../support/harness.ts';

const TOO_LONG = '-ERR string exceeds maximum allowed size (proto-max-bulk-len)\r\n';

let harness: Harness;
afterEach(() => harness.expectWhole());

const bulk = (text: string) => `$${text.length}\r\n${text}\r\n`;

describe('GETRANGE', () => {
  it('cuts out what stands between both ends, however they are given', () => {
    harness = createHarness();
    for (const text of ['', 'a', 'abcd']) {
      harness.run('SET', 'key', text);
      for (let first = -6; first <= 6; first += 1) {
        for (let last = -6; last <= 6; last += 1) {
          const expected = bulk(cut(text, first, last));
          expect(harness.run('GETRANGE', 'key', `${first}`, `${last}`)).toBe(expected);
          expect(harness.run('SUBSTR', 'key', `${first}`, `${last}`)).toBe(expected);
        }
      }
    }
  });

  it('takes ends of 64 bits', () => {
    harness = createHarness();
    harness.run('SET', 'key', 'abcd');
    const [least, most] = ['-9223372036854775808', '9223372036854775807'];
    expect(harness.run('GETRANGE', 'key', least, most)).toBe(bulk('abcd'));
    expect(harness.run('GETRANGE', 'key', most, least)).toBe(bulk(''));
    expect(harness.run('GETRANGE', 'key', least, least)).toBe(bulk('a'));
    expect(harness.run('GETRANGE', 'key', '-9223372036854775807', least)).toBe(bulk(''));
    expect(harness.run('GETRANGE', 'none', least, most)).toBe(bulk(''));
    expect(harness.run('GETRANGE', 'none', '0', '9223372036854775808')).toContain('not an integer');
    expect(harness.run('GETRANGE', 'none', 'x', '0')).toContain('not an integer');
  });
});

describe('SETRANGE', () => {
  it('overwrites, grows, and fills the gap with zeros', () => {
    harness = createHarness();
    expect(harness.run('SETRANGE', 'key', '2', 'ab')).toBe(':4\r\n');
    expect(harness.run('GET', 'key')).toBe(bulk('\0\0ab'));
    expect(harness.run('SETRANGE', 'key', '0', 'xyz')).toBe(':4\r\n');
    expect(harness.run('SETRANGE', 'key', '6', '!')).toBe(':7\r\n');
    expect(harness.run('GET', 'key')).toBe(bulk('xyzb\0\0!'));
  });

  it('keeps the TTL', () => {
    harness = createHarness();
    harness.run('SET', 'key', 'a', 'EX', '5');
    harness.run('SETRANGE', 'key', '100', 'a');
    harness.run('APPEND', 'key', 'a');
    expect(harness.run('TTL', 'key')).toBe(':5\r\n');
  });

  it('does nothing for an empty value, not even create the key', () => {
    harness = createHarness();
    expect(harness.run('SETRANGE', 'key', '9223372036854775807', '')).toBe(':0\r\n');
    expect(harness.run('EXISTS', 'key')).toBe(':0\r\n');
    harness.run('SET', 'key', 'abc');
    expect(harness.run('SETRANGE', 'key', '10', '')).toBe(':3\r\n');
  });

  it('refuses offsets that are negative, no integers, or beyond the longest value', () => {
    harness = createHarness();
    expect(harness.run('SETRANGE', 'key', '-1', '')).toBe('-ERR offset is out of range\r\n');
    expect(harness.run('SETRANGE', 'key', '-9223372036854775808', 'a')).toBe(
      '-ERR offset is out of range\r\n',
    );
    expect(harness.run('SETRANGE', 'key', 'x', 'a')).toContain('not an integer');
    expect(harness.run('SETRANGE', 'key', '536870912', 'a')).toBe(TOO_LONG);
    expect(harness.run('SETRANGE', 'key', '9223372036854775807', 'a')).toBe(TOO_LONG);
  });

  it('evicts nobody for a value that no shard can hold, and leaves no half of a key', () => {
    harness = createHarness({ shards: 1, shardBytes: 2 ** 20 });
    harness.run('MSET', 'a', '1', 'key', 'abc');
    expect(harness.run('SETRANGE', 'none', '2000000', 'x')).toContain('does not fit');
    expect(harness.run('SETRANGE', 'key', '2000000', 'x')).toContain('does not fit');
    expect(harness.run('MGET', 'a', 'key', 'none')).toBe('*3\r\n$1\r\n1\r\n$3\r\nabc\r\n$-1\r\n');
  });

  it('leaves no key behind when room for it cannot be made', () => {
    harness = createHarness({ shards: 1, shardBytes: 2 ** 20, flags: ['--maxmemory-policy', 'noeviction'] });
    harness.run('SET', 'a', 'x'.repeat(600_000));
    expect(harness.run('SETRANGE', 'key', '600000', 'x')).toContain('OOM');
    expect(harness.run('DBSIZE')).toBe(':1\r\n');
    harness.expectWhole();
    harness = createHarness({ shards: 1, flags: ['--maxkeys', '1', '--maxmemory-policy', 'noeviction'] });
    harness.run('SET', 'a', 'x');
    expect(harness.run('SETRANGE', 'key', '0', 'x')).toMatch(/^-OOM [^\n]*\n$/);
  });
});

describe('APPEND and STRLEN', () => {
  it('create, lengthen and measure', () => {
    harness = createHarness();
    expect(harness.run('STRLEN', 'key')).toBe(':0\r\n');
    let text = '';
    for (let step = 0; step < 200; step += 1) {
      const piece = String.fromCharCode(97 + (step % 26)).repeat(step % 40);
      text += piece;
      expect(harness.run('APPEND', 'key', piece)).toBe(`:${text.length}\r\n`);
      harness.run('SET', `other${step}`, piece);
    }
    expect(harness.run('GET', 'key')).toBe(bulk(text));
    expect(harness.run('STRLEN', 'key')).toBe(`:${text.length}\r\n`);
  });

  it('refuse to grow a value over proto-max-bulk-len', () => {
    harness = createHarness({ flags: ['--proto-max-bulk-len', '1mb'] });
    harness.run('SET', 'key', 'x'.repeat(2 ** 20 - 1));
    expect(harness.run('APPEND', 'key', 'ab')).toBe(TOO_LONG);
    expect(harness.run('APPEND', 'key', 'a')).toBe(`:${2 ** 20}\r\n`);
    expect(harness.run('SETRANGE', 'key', `${2 ** 20}`, 'a')).toBe(TOO_LONG);
  });
});

describe('SETRANGE of a new key that finds no room', () => {
  it('leaves nothing behind, wherever the search for room has moved things', () => {
    harness = createHarness({ shards: 1, shardBytes: 2 ** 18, flags: ['--maxmemory-policy', 'noeviction'] });
    for (let step = 0; step < 1000; step += 1) {
      harness.run('SET', `key:${(step * 7919) % 1500}`, 'v'.repeat((step * 31) % 200));
      if (step % 2 === 0) harness.run('DEL', `key:${(step * 104729) % 1500}`);
      if (step % 5 !== 0) continue;
      harness.run('SETRANGE', `new:${step % 50}`, String(1000 * (step % 97)), 'x');
      if (step % 3 === 0) harness.run('DEL', `new:${step % 50}`);
      if (step % 200 === 0) harness.expectWhole();
    }
  });
});

/** Redis's rule, said over an array of places. */
function cut(text: string, first: number, last: number): string {
  if (first < 0 && last < 0 && first > last) return '';
  const start = Math.max(0, first < 0 ? first + text.length : first);
  const end = Math.max(0, last < 0 ? last + text.length : last);
  return [...text].filter((_, place) => place >= start && place <= end).join('');
}
