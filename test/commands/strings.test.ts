/** GET, SET and their relatives: replies, TTLs, conditions, and what counts as a hit. */
import { afterEach, describe, expect, it } from 'vitest';
import { KEYSPACE_HITS, KEYSPACE_MISSES } from '../../src/metrics/names.ts';
import { SHAPE, SHAPE_TYPE_SHIFT, WORDS_PER_CELL } from '../../src/shard/layout.ts';
import { createHarness, type Harness } from '../support/harness.ts';
import { find, START_MS } from '../support/shard.ts';

const OK = '+OK\r\n';
const NULL = '$-1\r\n';
const WRONG_TYPE = '-WRONGTYPE Operation against a key holding the wrong kind of value\r\n';

let harness: Harness;
afterEach(() => harness.expectWhole());

const bulk = (text: string) => `$${text.length}\r\n${text}\r\n`;
const pttl = (key: string) => Number(harness.run('PTTL', key).slice(1));

/** Lets `check` see the key as if it held a list or the like. */
function asOtherType(key: string, check: () => void): void {
  for (const shard of harness.shards) {
    const ref = find(shard, key);
    if (ref === 0) continue;
    const { words } = shard.entries;
    words[ref * WORDS_PER_CELL + SHAPE] ^= 0b111 << SHAPE_TYPE_SHIFT;
    check();
    words[ref * WORDS_PER_CELL + SHAPE] ^= 0b111 << SHAPE_TYPE_SHIFT;
  }
}

describe('GET and SET', () => {
  it('return what was set, and null for what was not', () => {
    harness = createHarness();
    expect(harness.run('SET', 'key', 'value')).toBe(OK);
    expect(harness.run('GET', 'key')).toBe(bulk('value'));
    expect(harness.run('GET', 'other')).toBe(NULL);
    harness.session.protocol = 3;
    expect(harness.run('GET', 'other')).toBe('_\r\n');
  });

  it('count a hit or a miss for each GET, and nothing for SET', () => {
    harness = createHarness();
    const { counters } = harness.engine;
    harness.run('SET', 'key', 'value');
    expect([counters[KEYSPACE_HITS], counters[KEYSPACE_MISSES]]).toEqual([0, 0]);
    harness.run('GET', 'key');
    harness.run('GET', 'other');
    harness.run('GET', 'key');
    expect([counters[KEYSPACE_HITS], counters[KEYSPACE_MISSES]]).toEqual([2, 1]);
  });

  it('let a plain SET forget the TTL, and KEEPTTL keep it', () => {
    harness = createHarness();
    harness.run('SET', 'key', 'a', 'EX', '100');
    expect(harness.run('SET', 'key', 'b', 'KEEPTTL')).toBe(OK);
    expect(pttl('key')).toBe(100_000);
    harness.run('SET', 'key', 'c');
    expect(pttl('key')).toBe(-1);
    harness.run('SET', 'key', 'd', 'KEEPTTL');
    expect(pttl('key')).toBe(-1);
    expect(harness.run('GET', 'key')).toBe(bulk('d'));
  });

  it('count times in seconds or milliseconds, from now or from the epoch', () => {
    harness = createHarness();
    for (const [option, time, left] of [
      ['EX', '7', 7000],
      ['PX', '7001', 7001],
      ['EXAT', String(Math.ceil(START_MS / 1000) + 9), 9877],
      ['PXAT', String(START_MS + 5), 5],
    ] as const) {
      expect(harness.run('SET', 'key', 'v', option, time)).toBe(OK);
      expect(pttl('key')).toBe(left);
      expect(harness.run('SET', 'key', 'v', option.toLowerCase(), time, option, time)).toBe(OK);
      expect(pttl('key')).toBe(left);
    }
  });

  it('keep a key until its very millisecond has passed', () => {
    harness = createHarness();
    harness.run('SET', 'key', 'v', 'PX', '10');
    harness.nowMs += 10;
    expect(harness.run('GET', 'key')).toBe(bulk('v'));
    harness.nowMs += 1;
    expect(harness.run('GET', 'key')).toBe(NULL);
  });

  it('leave no key when SET names a moment in the past', () => {
    harness = createHarness();
    harness.run('SET', 'key', 'old');
    expect(harness.run('SET', 'key', 'new', 'EXAT', '1')).toBe(OK);
    expect(harness.run('EXISTS', 'key')).toBe(':0\r\n');
    expect(harness.run('SET', 'key', 'new', 'PXAT', String(START_MS - 1), 'GET')).toBe(NULL);
    expect(harness.run('DBSIZE')).toBe(':0\r\n');
    expect(harness.run('SET', 'key', 'new', 'PXAT', String(START_MS))).toBe(OK);
    expect(harness.run('GET', 'key')).toBe(bulk('new'));
  });

  it('obey NX and XX', () => {
    harness = createHarness();
    expect(harness.run('SET', 'key', 'a', 'XX')).toBe(NULL);
    expect(harness.run('SET', 'key', 'a', 'NX')).toBe(OK);
    expect(harness.run('SET', 'key', 'b', 'NX')).toBe(NULL);
    expect(harness.run('GET', 'key')).toBe(bulk('a'));
    expect(harness.run('SET', 'key', 'b', 'XX')).toBe(OK);
    expect(harness.run('SET', 'key', 'c', 'NX', 'GET')).toBe(bulk('b'));
    expect(harness.run('SET', 'other', 'c', 'XX', 'GET')).toBe(NULL);
    expect(harness.run('EXISTS', 'other')).toBe(':0\r\n');
    expect(harness.run('SET', 'other', 'c', 'GET', 'NX')).toBe(NULL);
    expect(harness.run('SET', 'key', 'd', 'GET', 'PX', '50')).toBe(bulk('b'));
    expect(pttl('key')).toBe(50);
  });

  it('answer only the error when GET was asked for and there is no room', () => {
    harness = createHarness({ shards: 1, flags: ['--maxkeys', '1', '--maxmemory-policy', 'noeviction'] });
    harness.run('SET', 'a', '1');
    const refusal = "-OOM command not allowed when used memory > 'maxmemory'.\r\n";
    expect(harness.run('SET', 'b', '1', 'GET')).toBe(refusal);
    expect(harness.run('GETSET', 'b', '1')).toBe(refusal);
    expect(harness.run('SET', 'b', '1')).toBe(refusal);
    expect(harness.run('SET', 'a', '2', 'GET')).toBe(bulk('1'));
  });
});

describe('the relatives of GET and SET', () => {
  it('GETSET answers the former value and drops the TTL', () => {
    harness = createHarness();
    expect(harness.run('GETSET', 'key', 'a')).toBe(NULL);
    harness.run('EXPIRE', 'key', '10');
    expect(harness.run('GETSET', 'key', 'b')).toBe(bulk('a'));
    expect(pttl('key')).toBe(-1);
    expect(harness.run('GET', 'key')).toBe(bulk('b'));
  });

  it('GETDEL answers the value and removes the key', () => {
    harness = createHarness();
    harness.run('SET', 'key', 'a');
    expect(harness.run('GETDEL', 'key')).toBe(bulk('a'));
    expect(harness.run('GETDEL', 'key')).toBe(NULL);
    expect(harness.run('DBSIZE')).toBe(':0\r\n');
  });

  it('SETNX stores once', () => {
    harness = createHarness();
    expect(harness.run('SETNX', 'key', 'a')).toBe(':1\r\n');
    expect(harness.run('SETNX', 'key', 'b')).toBe(':0\r\n');
    expect(harness.run('GET', 'key')).toBe(bulk('a'));
  });

  it('SETEX and PSETEX store with a TTL', () => {
    harness = createHarness();
    expect(harness.run('SETEX', 'key', '3', 'a')).toBe(OK);
    expect(pttl('key')).toBe(3000);
    expect(harness.run('PSETEX', 'key', '3', 'b')).toBe(OK);
    expect(pttl('key')).toBe(3);
    expect(harness.run('GET', 'key')).toBe(bulk('b'));
  });

  it('GETEX changes the TTL as its options say', () => {
    harness = createHarness();
    expect(harness.run('GETEX', 'key', 'EX', '10')).toBe(NULL);
    harness.run('SET', 'key', 'v');
    expect(harness.run('GETEX', 'key', 'EX', '10')).toBe(bulk('v'));
    expect(pttl('key')).toBe(10_000);
    expect(harness.run('GETEX', 'key')).toBe(bulk('v'));
    expect(pttl('key')).toBe(10_000);
    expect(harness.run('GETEX', 'key', 'PERSIST')).toBe(bulk('v'));
    expect(pttl('key')).toBe(-1);
    expect(harness.run('GETEX', 'key', 'PXAT', String(START_MS + 1))).toBe(bulk('v'));
    expect(pttl('key')).toBe(1);
  });

  it('GETEX answers once more and removes the key when its moment is past, or just now', () => {
    harness = createHarness();
    for (const moment of ['1', String(START_MS)]) {
      harness.run('SET', 'key', 'v');
      expect(harness.run('GETEX', 'key', 'PXAT', moment)).toBe(bulk('v'));
      expect(harness.run('DBSIZE')).toBe(':0\r\n');
    }
  });

  it('all refuse a key that holds something else, but those that only replace it', () => {
    harness = createHarness();
    harness.run('SET', 'key', '12');
    asOtherType('key', () => {
      for (const command of [
        ['GET', 'key'],
        ['GETDEL', 'key'],
        ['GETSET', 'key', 'v'],
        ['GETEX', 'key', 'EX', '-1'],
        ['SET', 'key', 'v', 'NX', 'GET'],
        ['STRLEN', 'key'],
        ['GETRANGE', 'key', '0', '1'],
        ['SETRANGE', 'key', '0', 'x'],
        ['APPEND', 'key', 'x'],
        ['INCR', 'key'],
        ['INCRBY', 'key', '9223372036854775807'],
        ['DECRBY', 'key', '2'],
        ['INCRBYFLOAT', 'key', 'x'],
      ]) {
        expect([command[0], harness.run(...command)]).toEqual([command[0], WRONG_TYPE]);
      }
      expect(harness.run('MGET', 'key', 'none')).toBe('*2\r\n$-1\r\n$-1\r\n');
      expect(harness.run('LCS', 'key', 'none', 'BAD')).toBe(
        '-ERR The specified keys must contain string values\r\n',
      );
      expect(harness.run('LCS', 'none', 'key')).toBe(
        '-ERR The specified keys must contain string values\r\n',
      );
    });
    expect(harness.run('GET', 'key')).toBe(bulk('12'));
  });
});
