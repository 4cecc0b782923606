/** Keys from outside: OBJECT, MEMORY USAGE, DEBUG OBJECT. */
import { beforeEach, describe, expect, it } from 'vitest';
import { usedBytes } from '../../src/shard/eviction.ts';
import { createHarness, type Harness } from '../support/harness.ts';

let harness: Harness;
beforeEach(() => {
  harness = createHarness();
  return () => harness.expectWhole();
});

function encoding(key: string): string {
  return harness.run('OBJECT', 'ENCODING', key).split('\r\n')[1];
}

describe('OBJECT', () => {
  it('tells the encoding of a value by its bytes', () => {
    for (const [value, expected] of [
      ['0', 'int'],
      ['-9223372036854775808', 'int'],
      ['9223372036854775807', 'int'],
      ['9223372036854775808', 'embstr'],
      ['-0', 'embstr'],
      ['01', 'embstr'],
      ['1.0', 'embstr'],
      ['', 'embstr'],
      ['x'.repeat(44), 'embstr'],
      ['x'.repeat(45), 'raw'],
    ]) {
      harness.run('SET', 'key', value);
      expect(encoding('key'), value).toBe(expected);
    }
  });

  it('tells of a value that was changed in place, until it is set anew', () => {
    harness.run('SET', 'key', '1');
    harness.run('APPEND', 'key', '2');
    expect(encoding('key')).toBe('raw');
    harness.run('INCR', 'key');
    expect(encoding('key')).toBe('int');
  });

  it('tells the encoding of a collection by its type and size, and what was large stays so', () => {
    harness.run('RPUSH', 'list', 'a');
    harness.run('HSET', 'hash', 'field', 'value');
    harness.run('SADD', 'numbers', '1', '2');
    harness.run('SADD', 'words', 'one', 'two');
    harness.run('ZADD', 'scores', '1', 'one');
    const keys = ['list', 'hash', 'numbers', 'words', 'scores'];
    expect(keys.map(encoding)).toEqual(['quicklist', 'listpack', 'intset', 'hashtable', 'listpack']);
    expect(keys.map((key) => harness.run('OBJECT', 'REFCOUNT', key))).toEqual(keys.map(() => ':1\r\n'));
    harness.run('HSET', 'hash', 'long', 'v'.repeat(65));
    harness.run('SADD', 'numbers', 'no number');
    harness.run('ZADD', 'scores', '2', 'm'.repeat(65));
    expect(keys.map(encoding)).toEqual(['quicklist', 'hashtable', 'hashtable', 'hashtable', 'skiplist']);
    harness.run('HDEL', 'hash', 'long');
    harness.run('SREM', 'numbers', 'no number');
    harness.run('ZREM', 'scores', 'm'.repeat(65));
    expect(keys.map(encoding)).toEqual(['quicklist', 'hashtable', 'hashtable', 'hashtable', 'skiplist']);
  });

  it('counts seconds since the last use, and asking is none', () => {
    harness.run('SET', 'key', 'value');
    harness.nowMs += 12_000;
    expect(harness.run('OBJECT', 'IDLETIME', 'key')).toBe(':12\r\n');
    expect(harness.run('OBJECT', 'IDLETIME', 'key')).toBe(':12\r\n');
    harness.run('GET', 'key');
    expect(harness.run('OBJECT', 'IDLETIME', 'key')).toBe(':0\r\n');
    expect(harness.run('OBJECT', 'FREQ', 'key')).toMatch(/^-ERR An LFU maxmemory policy is not selected/);
  });

  it('counts uses under an lfu policy instead', () => {
    harness = createHarness({ flags: ['--maxmemory-policy', 'volatile-lfu'] });
    harness.run('SET', 'key', 'value');
    expect(harness.run('OBJECT', 'FREQ', 'key')).toBe(':5\r\n');
    harness.run('GET', 'key');
    expect(harness.run('OBJECT', 'FREQ', 'key')).toBe(':6\r\n');
    harness.nowMs += 4 * 60_000;
    expect(harness.run('OBJECT', 'FREQ', 'key')).toBe(':2\r\n');
    expect(harness.run('OBJECT', 'IDLETIME', 'key')).toMatch(/^-ERR An LFU maxmemory policy is selected/);
  });

  it('counts seconds in steps of four under allkeys-s3fifo, and tells no uses', () => {
    harness = createHarness({ flags: ['--maxmemory-policy', 'allkeys-s3fifo'] });
    harness.run('SET', 'key', 'value');
    for (const [afterMs, seconds] of [
      [0, 0],
      [12_000, 12],
      [100_000, 112],
    ]) {
      harness.nowMs += afterMs;
      expect(harness.run('OBJECT', 'IDLETIME', 'key')).toBe(`:${seconds}\r\n`);
    }
    harness.run('GET', 'key');
    expect(harness.run('OBJECT', 'IDLETIME', 'key')).toBe(':0\r\n');
    expect(harness.run('OBJECT', 'FREQ', 'key')).toMatch(/^-ERR An LFU maxmemory policy is not selected/);
  });

  it('shares small integers where keys need not remember their use', () => {
    for (const [policy, references] of [
      ['allkeys-lru', 1],
      ['volatile-lfu', 1],
      ['allkeys-s3fifo', 1],
      ['noeviction', 2147483647],
      ['volatile-ttl', 2147483647],
      ['allkeys-random', 2147483647],
    ] as const) {
      harness = createHarness({ flags: ['--maxmemory-policy', policy] });
      harness.run('MSET', 'a', '0', 'b', '9999', 'c', '10000', 'd', '-1', 'e', 'x');
      const all = ['a', 'b', 'c', 'd', 'e'].map((key) => harness.run('OBJECT', 'REFCOUNT', key));
      expect(all).toEqual([references, references, 1, 1, 1].map((count) => `:${count}\r\n`));
    }
  });

  it('answers null for a missing key, whatever the policy', () => {
    for (const protocol of ['2', '3']) {
      harness.run('HELLO', protocol);
      for (const subcommand of ['ENCODING', 'REFCOUNT', 'IDLETIME', 'FREQ']) {
        expect(harness.run('OBJECT', subcommand, 'none')).toBe(protocol === '2' ? '$-1\r\n' : '_\r\n');
      }
    }
  });
});

describe('MEMORY USAGE', () => {
  it('is at least what key and value need, and grows with them', () => {
    harness.run('SET', 'key', 'x'.repeat(1000));
    const bytes = Number(harness.run('MEMORY', 'USAGE', 'key', 'SAMPLES', '0').slice(1));
    expect(bytes).toBeGreaterThan(1003);
    expect(bytes).toBeLessThan(1003 + 64);
  });

  it('of a collection counts all that belongs to it', () => {
    const usage = () => Number(harness.run('MEMORY', 'USAGE', 'list').slice(1));
    const used = () => harness.shards.reduce((sum, shard) => sum + usedBytes(shard), 0);
    harness.run('SET', '{list}', 'makes the index');
    const before = used();
    for (let elements = 0; elements < 2000; elements += 100) {
      harness.run('RPUSH', 'list', ...Array.from({ length: 100 }, (_, at) => `element ${elements + at}`));
      // One place of the index is in use already for each key.
      expect(usage()).toBe(used() - before + 8);
    }
    expect(usage()).toBeGreaterThan(2000 * 12);
  });

  it('takes only whole pairs of SAMPLES', () => {
    harness.run('SET', 'key', 'value');
    for (const options of [['SAMPLES'], ['x', '1'], ['SAMPLES', '-1'], ['SAMPLES', '1', 'SAMPLES']]) {
      expect(harness.run('MEMORY', 'USAGE', 'key', ...options)).toBe('-ERR syntax error\r\n');
    }
    expect(harness.run('MEMORY', 'USAGE', 'key', 'SAMPLES', 'x')).toMatch(/^-ERR value is not an integer/);
  });
});
