/** SETBIT, GETBIT, BITCOUNT, BITPOS, BITOP and BITFIELD without an oracle: what they leave in the keyspace, over shards, without room. */
import { Buffer } from 'node:buffer';
import { afterEach, describe, expect, it } from 'vitest';
import { LSN } from '../../src/shard/layout.ts';
import { createHarness, type Harness } from '../support/harness.ts';

const BAD_OFFSET = '-ERR bit offset is not an integer or out of range\r\n';

let harness: Harness;
afterEach(() => harness.expectWhole());

function changes({ shards }: Harness): number {
  return shards.reduce((sum, { numbers }) => sum + numbers[LSN], 0);
}

const bulk = (text: string) => `$${text.length}\r\n${text}\r\n`;

describe('SETBIT and GETBIT', () => {
  it('set, answer with what was there, and grow with zeros', () => {
    harness = createHarness();
    expect(harness.run('SETBIT', 'key', '1', '1')).toBe(':0\r\n');
    expect(harness.run('SETBIT', 'key', '1', '1')).toBe(':1\r\n');
    expect(harness.run('SETBIT', 'key', '23', '1')).toBe(':0\r\n');
    expect(harness.run('GET', 'key')).toBe(bulk('\x40\0\x01'));
    expect(harness.run('GETBIT', 'key', '23')).toBe(':1\r\n');
    expect(harness.run('GETBIT', 'key', '24')).toBe(':0\r\n');
    expect(harness.run('SETBIT', 'key', '1', '0')).toBe(':1\r\n');
    expect(harness.run('GET', 'key')).toBe(bulk('\0\0\x01'));
    expect(harness.run('OBJECT', 'ENCODING', 'key')).toBe(bulk('raw'));
  });

  it('are one change, and none where the bit is as it was', () => {
    harness = createHarness();
    for (const [offset, bit, expected] of [
      ['5', '0', 1],
      ['5', '0', 0],
      ['5', '1', 1],
      ['5', '1', 0],
      ['900', '0', 1],
      ['900', '0', 0],
    ] as const) {
      const before = changes(harness);
      harness.run('SETBIT', 'key', offset, bit);
      expect(changes(harness) - before).toBe(expected);
    }
  });

  it('keep the time to live and change strings that were set as a whole', () => {
    harness = createHarness();
    harness.run('SET', 'key', '12', 'EX', '5');
    expect(harness.run('SETBIT', 'key', '7', '0')).toBe(':1\r\n');
    expect(harness.run('GET', 'key')).toBe(bulk('02'));
    expect(harness.run('SETBIT', 'key', '80', '1')).toBe(':0\r\n');
    expect(harness.run('TTL', 'key')).toBe(':5\r\n');
  });

  it('refuse bits beyond the longest string, which the configuration says', () => {
    harness = createHarness({ flags: ['--proto-max-bulk-len', '1mb'] });
    expect(harness.run('SETBIT', 'key', String(2 ** 23), '1')).toBe(BAD_OFFSET);
    expect(harness.run('GETBIT', 'key', String(2 ** 23))).toBe(BAD_OFFSET);
    expect(harness.run('SETBIT', 'key', String(2 ** 23 - 1), '1')).toBe(':0\r\n');
    expect(harness.run('STRLEN', 'key')).toBe(`:${2 ** 20}\r\n`);
  });

  it('leave no key behind when there is no room for it', () => {
    harness = createHarness({ shards: 1, shardBytes: 2 ** 20, flags: ['--maxmemory-policy', 'noeviction'] });
    harness.run('SET', 'a', 'x'.repeat(600_000));
    expect(harness.run('SETBIT', 'key', '4800000', '1')).toContain('OOM');
    expect(harness.run('BITFIELD', 'key', 'SET', 'u8', '4800000', '1')).toContain('OOM');
    expect(harness.run('BITOP', 'NOT', 'key', 'a')).toContain('OOM');
    expect(harness.run('DBSIZE')).toBe(':1\r\n');
    expect(harness.run('SETBIT', 'key', '48000000', '1')).toContain('does not fit');
  });
});

describe('BITOP', () => {
  it('joins keys of several shards, and stores for ever', () => {
    harness = createHarness();
    for (let i = 0; i < 20; i += 1) {
      harness.run('MSET', `a${i}`, '\x0f\xff', `b${i}`, '\x33');
      harness.run('SET', `to${i}`, 'old', 'EX', '100');
      expect(harness.run('BITOP', 'AND', `to${i}`, `a${i}`, `b${i}`)).toMatch(/^:[34]\r\n$/);
      expect(harness.run('TTL', `to${i}`)).toBe(':-1\r\n');
    }
  });

  it('is the operation, bit by bit', () => {
    harness = createHarness();
    const a = Buffer.from('ff0f55aa', 'hex');
    const b = Buffer.from('0ff0', 'hex');
    harness.run('SET', 'a', a);
    harness.run('SET', 'b', b);
    for (const [operation, expected] of [
      ['AND', '0f000000'],
      ['OR', 'ffff55aa'],
      ['XOR', 'f0ff55aa'],
    ]) {
      expect(harness.run('BITOP', operation, 'to', 'a', 'b')).toBe(':4\r\n');
      expect(harness.run('GET', 'to')).toBe(bulk(Buffer.from(expected, 'hex').toString('latin1')));
      expect(harness.run('BITOP', operation, 'to', 'b', 'none', 'a')).toBe(':4\r\n');
    }
    harness.run('SET', 'long', Buffer.alloc(20_000, 255));
    expect(harness.run('BITOP', 'AND', 'to', 'long', 'a')).toBe(':20000\r\n');
    expect(harness.run('BITCOUNT', 'to')).toBe(':20\r\n');
    expect(harness.run('BITOP', 'NOT', 'a', 'a')).toBe(':4\r\n');
    expect(harness.run('GET', 'a')).toBe(bulk('\0\xf0\xaa\x55'));
    expect(harness.run('OBJECT', 'ENCODING', 'a')).toBe(bulk('raw'));
  });

  it('removes the target when there is nothing to store, in one change', () => {
    harness = createHarness();
    harness.run('MSET', 'to', 'x', 'empty', '');
    const before = changes(harness);
    expect(harness.run('BITOP', 'OR', 'to', 'none', 'empty')).toBe(':0\r\n');
    expect(harness.run('EXISTS', 'to')).toBe(':0\r\n');
    expect(changes(harness) - before).toBe(1);
    expect(harness.run('BITOP', 'OR', 'to', 'none')).toBe(':0\r\n');
    expect(changes(harness) - before).toBe(1);
  });

  it('keeps no more than what it needs of a long result for a short one', () => {
    harness = createHarness();
    harness.run('SET', 'long', Buffer.alloc(100_000, 255));
    harness.run('SET', 'short', 'a');
    harness.run('BITOP', 'NOT', 'to', 'long');
    expect(harness.run('BITOP', 'XOR', 'to', 'short', 'none')).toBe(':1\r\n');
    expect(harness.run('GET', 'to')).toBe(bulk('a'));
    expect(harness.run('BITCOUNT', 'long', '0', '-2')).toBe(':799992\r\n');
  });
});

describe('BITFIELD', () => {
  it('does all operations in order, or none if one is wrong', () => {
    harness = createHarness();
    expect(
      harness.run('BITFIELD', 'key', 'SET', 'i8', '#1', '-2', 'INCRBY', 'u4', '100', '3', 'GET', 'u16', '0'),
    ).toBe('*3\r\n:0\r\n:3\r\n:254\r\n');
    expect(harness.run('STRLEN', 'key')).toBe(':13\r\n');
    const before = changes(harness);
    expect(harness.run('BITFIELD', 'key', 'SET', 'i8', '0', '1', 'GET', 'u65', '0')).toContain(
      'Invalid bitfield',
    );
    expect(changes(harness)).toBe(before);
  });

  it('is a change for each field that changes, and one for growing', () => {
    harness = createHarness();
    for (const [words, expected] of [
      ['SET u8 0 0', 1],
      ['SET u8 0 0', 0],
      ['SET u8 0 1 SET u8 8 2', 2],
      ['OVERFLOW FAIL INCRBY u8 80 256', 1],
      ['OVERFLOW FAIL INCRBY u8 80 256', 0],
      ['GET u8 1000', 0],
    ] as const) {
      const before = changes(harness);
      harness.run('BITFIELD', 'key', ...words.split(' '));
      expect([words, changes(harness) - before]).toEqual([words, expected]);
    }
    expect(harness.run('STRLEN', 'key')).toBe(':11\r\n');
  });

  it('answers with nothing but the error when the string has no room to move', () => {
    harness = createHarness({ shards: 1, shardBytes: 2 ** 20, flags: ['--maxmemory-policy', 'noeviction'] });
    harness.run('SET', 'key', 'x'.repeat(800_000));
    expect(harness.run('BITFIELD', 'key', 'GET', 'u8', '0', 'SET', 'u8', '0', '1')).toMatch(
      /^-OOM [^\n]*\r\n$/,
    );
    expect(harness.run('BITFIELD', 'key', 'OVERFLOW', 'FAIL', 'SET', 'u8', '7000000', '256')).toMatch(
      /^-OOM [^\n]*\r\n$/,
    );
    expect(harness.run('BITFIELD', 'key', 'GET', 'u8', '0')).toBe('*1\r\n:120\r\n');
  });

  it('needs only to read where it only reads', () => {
    harness = createHarness();
    const flags = (...words: string[]) =>
      harness.run('COMMAND', 'GETKEYSANDFLAGS', 'BITFIELD', 'key', ...words);
    expect(flags('GET', 'u8', '0')).toContain('RO');
    expect(flags('overflow', 'sat', 'GET', 'u8', '0')).toContain('RO');
    expect(flags()).toContain('RO');
    expect(flags('GET', 'u8', '0', 'SET', 'u8', '0', '1')).toContain('RW');
    expect(flags('GET', 'u8')).toContain('RW');
    expect(harness.run('BITFIELD_RO', 'key', 'SET', 'u8', '0', '1')).toBe(
      '-ERR BITFIELD_RO only supports the GET subcommand\r\n',
    );
  });
});
