/** SCAN, KEYS, RANDOMKEY and DBSIZE over several shards that grow and shrink meanwhile. */
import fc from 'fast-check';
import { beforeEach, describe, expect, it } from 'vitest';
import { createHarness, type Harness } from '../support/harness.ts';
import { set } from '../support/shard.ts';

let harness: Harness;
beforeEach(() => {
  harness = createHarness();
  return () => harness.expectWhole();
});

/** The bulk strings of a reply, whatever they are nested in. */
function bulks(reply: string): string[] {
  const found: string[] = [];
  for (let at = reply.indexOf('$'); at >= 0; at = reply.indexOf('$', at)) {
    const start = reply.indexOf('\r\n', at) + 2;
    const length = Number(reply.slice(at + 1, start - 2));
    found.push(reply.slice(start, start + length));
    at = start + length;
  }
  return found;
}

function scanOnce(cursor: string, ...options: string[]): { cursor: string; keys: string[] } {
  const [next, ...keys] = bulks(harness.run('SCAN', cursor, ...options));
  return { cursor: next, keys };
}

/** All keys that a whole scan returns, with `between` after each step. */
function scanAll(
  options: string[],
  between: () => void = () => undefined,
): { keys: string[]; steps: number } {
  const found: string[] = [];
  let cursor = '0';
  let steps = 0;
  do {
    const step = scanOnce(cursor, ...options);
    found.push(...step.keys);
    cursor = step.cursor;
    steps += 1;
    between();
  } while (cursor !== '0');
  return { keys: found, steps };
}

function fill(prefix: string, count: number): string[] {
  const names = Array.from({ length: count }, (_, n) => `${prefix}:${n}`);
  for (const name of names) harness.run('SET', name, 'value');
  return names;
}

describe('SCAN', () => {
  it('returns every key once while nothing changes, whatever COUNT says', () => {
    const names = fill('key', 1000).sort();
    for (const count of ['1', '7', '10', '100', '999', '1000', '100000']) {
      const { keys, steps } = scanAll(['COUNT', count]);
      expect(keys.sort()).toEqual(names);
      expect(steps).toBeLessThanOrEqual(Math.ceil(1000 / Number(count)) + 1);
    }
  });

  it('visits not many more than COUNT', () => {
    fill('key', 3000);
    let cursor = '0';
    do {
      const step = scanOnce(cursor, 'COUNT', '10');
      expect(step.keys.length).toBeLessThan(10 + 100);
      cursor = step.cursor;
    } while (cursor !== '0');
  });

  it('ends at once over an empty database, and in one step over a small one', () => {
    expect(harness.run('SCAN', '0')).toBe('*2\r\n$1\r\n0\r\n*0\r\n');
    fill('key', 9);
    expect(scanAll([]).steps).toBe(1);
    harness.run('SELECT', '1');
    expect(harness.run('SCAN', '0')).toBe('*2\r\n$1\r\n0\r\n*0\r\n');
  });

  it('returns every key that stays, while others come and go and the index grows and shrinks', () => {
    const change = fc.record({
      afterStep: fc.integer({ min: 0, max: 30 }),
      added: fc.integer({ min: 0, max: 2000 }),
      removed: fc.integer({ min: 0, max: 2000 }),
    });
    const counts = fc.constantFrom('1', '5', '10', '40', '200');
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 600 }),
        counts,
        fc.array(change, { maxLength: 6 }),
        (stay, count, changes) => {
          harness = createHarness();
          const staying = fill('stay', stay);
          const passing = fill('pass', 400);
          let step = 0;
          const { keys } = scanAll(['COUNT', count], () => {
            for (const { afterStep, added, removed } of changes) {
              if (afterStep !== step) continue;
              passing.push(...fill(`new:${step}`, added));
              const gone = passing.splice(0, removed);
              if (gone.length > 0) harness.run('DEL', ...gone);
            }
            step += 1;
          });
          const found = new Set(keys);
          expect(staying.filter((name) => !found.has(name))).toEqual([]);
          harness.expectWhole();
        },
      ),
      { numRuns: 12 },
    );
  });

  it('filters by pattern and type, and steps on where nothing fits', () => {
    fill('key', 500);
    fill('other', 5);
    expect(scanAll(['MATCH', 'other:*']).keys.sort()).toEqual([
      'other:0',
      'other:1',
      'other:2',
      'other:3',
      'other:4',
    ]);
    expect(scanAll(['MATCH', 'other:*']).steps).toBeGreaterThan(10);
    expect(scanAll(['TYPE', 'String']).keys).toHaveLength(505);
    expect(scanAll(['TYPE', 'zset']).keys).toHaveLength(0);
    harness.run('RPUSH', 'a list', 'element');
    harness.run('HSET', 'a hash', 'field', 'value');
    harness.run('SADD', 'a set', 'member');
    harness.run('ZADD', 'a zset', '1', 'member');
    for (const type of ['list', 'hash', 'set', 'zset']) {
      expect(scanAll(['TYPE', type.toUpperCase()]).keys).toEqual([`a ${type}`]);
      expect(harness.run('TYPE', `a ${type}`)).toBe(`+${type}\r\n`);
    }
    expect(scanAll(['TYPE', 'string']).keys).toHaveLength(505);
    expect(scanAll(['TYPE', 'stream']).keys).toHaveLength(0);
    expect(scanAll(['MATCH', 'k*', 'MATCH', '*:1', 'COUNT', '5', 'COUNT', '50']).keys.sort()).toEqual([
      'key:1',
      'other:1',
    ]);
  });

  it('returns no key whose time has passed', () => {
    fill('key', 50);
    for (let n = 0; n < 50; n += 2) harness.run('PEXPIRE', `key:${n}`, '10');
    harness.nowMs += 11;
    expect(scanAll([]).keys).toHaveLength(25);
    expect(bulks(harness.run('KEYS', '*'))).toHaveLength(25);
  });

  it('takes cursors as C reads numbers, and one from nowhere for the end', () => {
    fill('key', 5);
    for (const start of ['', '0', '00', '+0', '-0', '0\0junk']) expect(scanOnce(start).keys).toHaveLength(5);
    for (const beyond of ['-1', '18446744073709551615', '12884901888', '99999999999999999']) {
      expect(scanOnce(beyond)).toEqual({ cursor: '0', keys: [] });
    }
    for (const bad of [
      'x',
      ' 0',
      '0 ',
      '0x1',
      '+',
      '-',
      '--1',
      '18446744073709551616',
      '-18446744073709551616',
    ]) {
      expect(harness.run('SCAN', bad)).toBe('-ERR invalid cursor\r\n');
    }
  });

  it('keeps every cursor below 2^53, so that clients may read it as a number', () => {
    harness = createHarness({ shards: 16, shardBytes: 2 ** 20 });
    fill('key', 2000);
    let cursor = '0';
    let before = -1;
    do {
      cursor = scanOnce(cursor).cursor;
      if (cursor === '0') break;
      expect(Number(cursor)).toBeGreaterThan(before);
      before = Number(cursor);
    } while (cursor !== '0');
    expect(before).toBeLessThan(16 * 2 ** 32);
  });

  it('refuses a COUNT below 1 as a syntax error, and one that is no integer as that', () => {
    for (const count of ['0', '-1', '-9223372036854775808']) {
      expect(harness.run('SCAN', '0', 'COUNT', count)).toBe('-ERR syntax error\r\n');
    }
    for (const count of ['x', '', '9223372036854775808']) {
      expect(harness.run('SCAN', '0', 'COUNT', count)).toBe(
        '-ERR value is not an integer or out of range\r\n',
      );
    }
    expect(harness.run('SCAN', '0', 'COUNT')).toBe('-ERR syntax error\r\n');
    expect(harness.run('SCAN', 'x', 'COUNT')).toBe('-ERR invalid cursor\r\n');
  });
});

describe('KEYS', () => {
  it('returns the keys that match, of all shards, of this database', () => {
    fill('a', 100);
    fill('b', 100);
    harness.run('SET', '', 'the empty key');
    expect(bulks(harness.run('KEYS', 'a:1?')).sort()).toEqual(
      Array.from({ length: 10 }, (_, n) => `a:1${n}`),
    );
    expect(bulks(harness.run('KEYS', '*'))).toHaveLength(201);
    expect(bulks(harness.run('KEYS', '**'))).toHaveLength(200);
    harness.run('SELECT', '1');
    expect(harness.run('KEYS', '*')).toBe('*0\r\n');
  });

  it('copies names that are longer than a piece of its answer', () => {
    const long = 'n'.repeat(100_000);
    harness.run('SET', long, '1');
    fill('short', 20);
    harness.run('SET', `${long}2`, '2');
    const names = bulks(harness.run('KEYS', '*'));
    expect(names).toHaveLength(22);
    expect(names).toContain(long);
    expect(names).toContain(`${long}2`);
  });
});

describe('RANDOMKEY', () => {
  it('favours no shard and no key', () => {
    fill('key', 60);
    const counts = new Map<string, number>();
    for (let n = 0; n < 20_000; n += 1) {
      const [name] = bulks(harness.run('RANDOMKEY'));
      counts.set(name, (counts.get(name) ?? 0) + 1);
    }
    expect(counts.size).toBe(60);
    expect(Math.min(...counts.values())).toBeGreaterThan(220);
    expect(Math.max(...counts.values())).toBeLessThan(450);
  });

  it('finds the one key that lives among many that have expired, and removes those', () => {
    harness.engine.activeExpiry = false;
    const expiresAtMs = harness.nowMs + 10;
    for (let n = 0; n < 15_000; n += 1) set(harness.shards[n % 3], `gone:${n}`, '', { expiresAtMs });
    harness.run('SET', 'alive', 'value');
    harness.nowMs += 1000;
    expect(harness.run('RANDOMKEY')).toBe('$5\r\nalive\r\n');
  });

  it('answers null when no key lives', () => {
    expect(harness.run('RANDOMKEY')).toBe('$-1\r\n');
    harness.run('SET', 'key', 'value', 'PX', '10');
    harness.nowMs += 11;
    expect(harness.run('RANDOMKEY')).toBe('$-1\r\n');
    expect(harness.run('DBSIZE')).toBe(':0\r\n');
  });
});

describe('DBSIZE', () => {
  it('counts the keys of all shards', () => {
    fill('key', 321);
    expect(harness.run('DBSIZE')).toBe(':321\r\n');
    harness.run('SELECT', '1');
    expect(harness.run('DBSIZE')).toBe(':0\r\n');
  });
});
