/** Whole databases: emptied and exchanged in all shards at once. */
import { beforeEach, describe, expect, it } from 'vitest';
import { createHarness, type Harness } from '../support/harness.ts';

const OK = '+OK\r\n';

let harness: Harness;
beforeEach(() => {
  harness = createHarness();
  for (const database of ['0', '1', '2']) {
    harness.run('SELECT', database);
    for (let n = 0; n < 100; n += 1) harness.run('SET', `key:${n}`, `in ${database}`, 'EX', '100');
  }
  harness.run('SELECT', '1');
  return () => harness.expectWhole();
});

function sizes(): string[] {
  const { database } = harness.session;
  const all = ['0', '1', '2'].map((one) => {
    harness.run('SELECT', one);
    return harness.run('DBSIZE').slice(1, -2);
  });
  harness.session.database = database;
  return all;
}

describe('FLUSHDB and FLUSHALL', () => {
  it('empty the selected database, or all', () => {
    expect(harness.run('FLUSHDB')).toBe(OK);
    expect(sizes()).toEqual(['100', '0', '100']);
    expect(harness.run('GET', 'key:1')).toBe('$-1\r\n');
    expect(harness.run('FLUSHALL', 'async')).toBe(OK);
    expect(sizes()).toEqual(['0', '0', '0']);
    expect(harness.run('SET', 'key:1', 'again')).toBe(OK);
    expect(harness.run('FLUSHDB', 'SYNC')).toBe(OK);
    expect(sizes()).toEqual(['0', '0', '0']);
  });

  it('refuse other options and empty nothing', () => {
    for (const options of [['x'], ['SYNC', 'ASYNC'], ['ASYNC', 'ASYNC'], ['']]) {
      expect(harness.run('FLUSHALL', ...options)).toBe('-ERR syntax error\r\n');
      expect(harness.run('FLUSHDB', ...options)).toBe('-ERR syntax error\r\n');
    }
    expect(sizes()).toEqual(['100', '100', '100']);
  });

  it('may be repeated more often than a shard has tables', () => {
    for (let round = 0; round < 50; round += 1) {
      for (const database of ['0', '1', '2']) {
        harness.run('SELECT', database);
        for (let n = 0; n < 20; n += 1) harness.run('SET', `round:${n}`, 'value');
      }
      expect(harness.run('FLUSHALL')).toBe(OK);
      expect(sizes()).toEqual(['0', '0', '0']);
    }
  });
});

describe('SWAPDB', () => {
  it('exchanges two databases with keys and deadlines, for clients that are in them too', () => {
    harness.run('SET', 'only in 1', 'value');
    expect(harness.run('SWAPDB', '1', '2')).toBe(OK);
    expect(harness.run('GET', 'key:7')).toBe('$4\r\nin 2\r\n');
    expect(harness.run('TTL', 'key:7')).toBe(':100\r\n');
    expect(sizes()).toEqual(['100', '100', '101']);
    expect(harness.run('SWAPDB', '1', '1')).toBe(OK);
    expect(harness.run('SWAPDB', '2', '1')).toBe(OK);
    expect(sizes()).toEqual(['100', '101', '100']);
  });

  it('names the index that is wrong', () => {
    expect(harness.run('SWAPDB', 'x', 'y')).toBe('-ERR invalid first DB index\r\n');
    expect(harness.run('SWAPDB', '2147483648', '0')).toBe('-ERR invalid first DB index\r\n');
    expect(harness.run('SWAPDB', '16', 'y')).toBe('-ERR invalid second DB index\r\n');
    expect(harness.run('SWAPDB', '16', '0')).toBe('-ERR DB index is out of range\r\n');
    expect(harness.run('SWAPDB', '0', '-1')).toBe('-ERR DB index is out of range\r\n');
  });
});
