/** MGET, MSET and MSETNX over several shards: in order, and all or nothing. */
import { afterEach, describe, expect, it } from 'vitest';
import { KEYSPACE_HITS, KEYSPACE_MISSES } from '../../src/metrics/names.ts';
import { keyCount } from '../../src/shard/databases.ts';
import { createHarness, type Harness } from '../support/harness.ts';

const OOM = "-OOM command not allowed when used memory > 'maxmemory'.\r\n";

let harness: Harness;
afterEach(() => harness.expectWhole());

const NAMES = Array.from({ length: 30 }, (_, i) => `key${i}`);

describe('MGET, MSET and MSETNX', () => {
  it('reach every shard and answer in the order of the keys', () => {
    harness = createHarness({ shards: 3 });
    expect(harness.run('MSET', ...NAMES.flatMap((name) => [name, name.toUpperCase()]))).toBe('+OK\r\n');
    for (const shard of harness.shards) expect(keyCount(shard, 0)).toBeGreaterThan(0);
    const expected = NAMES.map((name) => `$${name.length}\r\n${name.toUpperCase()}\r\n`).join('');
    expect(harness.run('MGET', ...NAMES)).toBe(`*30\r\n${expected}`);
    expect(harness.run('MGET', 'none', 'key0', 'key0')).toBe('*3\r\n$-1\r\n$4\r\nKEY0\r\n$4\r\nKEY0\r\n');
  });

  it('count each key of MGET as a hit or a miss', () => {
    harness = createHarness();
    harness.run('SET', 'a', '1');
    harness.run('MGET', 'a', 'b', 'c', 'a');
    const { counters } = harness.engine;
    expect([counters[KEYSPACE_HITS], counters[KEYSPACE_MISSES]]).toEqual([2, 2]);
  });

  it('let the last of equal keys win, and forget TTLs', () => {
    harness = createHarness();
    harness.run('SET', 'a', '1', 'EX', '9');
    expect(harness.run('MSET', 'a', '2', 'b', '1', 'a', '3')).toBe('+OK\r\n');
    expect(harness.run('MGET', 'a', 'b')).toBe('*2\r\n$1\r\n3\r\n$1\r\n1\r\n');
    expect(harness.run('TTL', 'a')).toBe(':-1\r\n');
  });

  it('store all or none with MSETNX', () => {
    harness = createHarness();
    expect(harness.run('MSETNX', 'a', '1', 'b', '2', 'a', '3')).toBe(':1\r\n');
    expect(harness.run('MSETNX', 'c', '1', 'd', '2', 'b', '9')).toBe(':0\r\n');
    expect(harness.run('MGET', 'a', 'b', 'c', 'd')).toBe('*4\r\n$1\r\n3\r\n$1\r\n2\r\n$-1\r\n$-1\r\n');
    harness.run('PEXPIRE', 'b', '5');
    harness.nowMs += 6;
    expect(harness.run('MSETNX', 'c', '1', 'b', '9')).toBe(':1\r\n');
  });

  it('refuse a key without a value', () => {
    harness = createHarness();
    expect(harness.run('MSET', 'a', '1', 'b')).toBe("-ERR wrong number of arguments for 'mset' command\r\n");
    expect(harness.run('MSETNX', 'a', '1', 'b')).toBe(
      "-ERR wrong number of arguments for 'msetnx' command\r\n",
    );
    expect(harness.run('EXISTS', 'a')).toBe(':0\r\n');
  });

  it('store nothing when nobody may be evicted for the last of the keys', () => {
    harness = createHarness({ shards: 1, flags: ['--maxkeys', '3', '--maxmemory-policy', 'noeviction'] });
    harness.run('SET', 'a', '1');
    expect(harness.run('MSET', 'a', '2', 'b', '2', 'c', '2', 'd', '2')).toBe(OOM);
    expect(harness.run('MSETNX', 'b', '2', 'c', '2', 'd', '2')).toBe(OOM);
    expect(harness.run('MGET', 'a', 'b', 'c', 'd')).toBe('*4\r\n$1\r\n1\r\n$-1\r\n$-1\r\n$-1\r\n');
    expect(harness.run('MSET', 'a', '2', 'b', '2', 'c', '2')).toBe('+OK\r\n');
    expect(harness.run('MSET', 'a', '3', 'b', '3', 'c', '3')).toBe('+OK\r\n');
  });

  it('evict for the new keys before the first is stored, also when their own old selves must go', () => {
    harness = createHarness({ shards: 1, flags: ['--maxkeys', '3', '--maxmemory-policy', 'volatile-lru'] });
    harness.run('SET', 'a', '1', 'EX', '100');
    harness.run('MSET', 'x', '1', 'y', '1');
    expect(harness.run('MSET', 'a', '2', 'b', '2')).toBe(OOM);
    expect(harness.run('MGET', 'b', 'x', 'y')).toBe('*3\r\n$-1\r\n$1\r\n1\r\n$1\r\n1\r\n');
    expect(harness.run('MSET', 'x', '3', 'b', '3')).toBe('+OK\r\n');
    expect(harness.run('DBSIZE')).toBe(':3\r\n');
  });

  it('refuse more new keys than may ever be, and evict nobody for them', () => {
    harness = createHarness({ shards: 1, flags: ['--maxkeys', '2', '--maxmemory-policy', 'allkeys-lru'] });
    harness.run('MSET', 'a', '1', 'b', '1');
    expect(harness.run('MSET', 'c', '1', 'd', '1', 'e', '1')).toBe(OOM);
    expect(harness.run('DBSIZE')).toBe(':2\r\n');
    expect(harness.run('MSET', 'c', '1', 'd', '1')).toBe('+OK\r\n');
    expect(harness.run('MGET', 'a', 'b', 'c', 'd')).toBe('*4\r\n$-1\r\n$-1\r\n$1\r\n1\r\n$1\r\n1\r\n');
  });
});
