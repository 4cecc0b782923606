/** Deadlines with a clock that is moved; what redis-server answers to odd arguments is compared in test/differential. */
import fc from 'fast-check';
import { beforeEach, describe, expect, it } from 'vitest';
import { createHarness, type Harness } from '../support/harness.ts';

let harness: Harness;
beforeEach(() => {
  harness = createHarness();
  return () => harness.expectWhole();
});

describe('the commands on deadlines', () => {
  it('keep a key up to and including its last millisecond', () => {
    harness.run('SET', 'key', 'value');
    expect(harness.run('PEXPIRE', 'key', '100')).toBe(':1\r\n');
    harness.nowMs += 100;
    expect(harness.run('PTTL', 'key')).toBe(':0\r\n');
    harness.nowMs += 1;
    expect(harness.run('PTTL', 'key')).toBe(':-2\r\n');
    expect(harness.run('EXPIRETIME', 'key')).toBe(':-2\r\n');
  });

  it('round to the nearest second, half of one up', () => {
    harness.run('SET', 'key', 'value');
    for (const [ms, seconds] of [
      [1, 0],
      [499, 0],
      [500, 1],
      [1499, 1],
      [1500, 2],
    ]) {
      harness.run('PEXPIRE', 'key', String(ms));
      expect(harness.run('TTL', 'key')).toBe(`:${seconds}\r\n`);
      harness.run('PEXPIREAT', 'key', String(harness.nowMs - (harness.nowMs % 1000) + 5000 + ms));
      expect(harness.run('EXPIRETIME', 'key')).toBe(`:${Math.floor(harness.nowMs / 1000) + 5 + seconds}\r\n`);
    }
  });

  it('tell and set the same moment in all four ways', () => {
    const seconds = Math.floor(harness.nowMs / 1000) + 100;
    harness.run('SET', 'key', 'value');
    harness.run('EXPIREAT', 'key', String(seconds));
    expect(harness.run('PEXPIRETIME', 'key')).toBe(`:${seconds}000\r\n`);
    expect(harness.run('EXPIRETIME', 'key')).toBe(`:${seconds}\r\n`);
    expect(harness.run('PTTL', 'key')).toBe(`:${seconds * 1000 - harness.nowMs}\r\n`);
    harness.run('EXPIRE', 'key', '50');
    expect(harness.run('PEXPIRETIME', 'key')).toBe(`:${harness.nowMs + 50_000}\r\n`);
    harness.run('PEXPIREAT', 'key', String(harness.nowMs + 77));
    expect(harness.run('PTTL', 'key')).toBe(':77\r\n');
  });

  it('remove a key at once when the moment is now or past', () => {
    for (const [verb, argument] of [
      ['EXPIRE', '0'],
      ['EXPIRE', '-1'],
      ['PEXPIRE', '-9223372036854775808'],
      ['EXPIREAT', '1'],
      ['PEXPIREAT', String(harness.nowMs)],
    ]) {
      harness.run('SET', 'key', 'value');
      expect(harness.run(verb, 'key', argument)).toBe(':1\r\n');
      expect(harness.run('DBSIZE')).toBe(':0\r\n');
    }
  });

  it('keep what lies beyond the year 10889 as that year', () => {
    harness.run('SET', 'key', 'value');
    expect(harness.run('PEXPIREAT', 'key', '9223372036854775807')).toBe(':1\r\n');
    expect(harness.run('PEXPIRETIME', 'key')).toBe(`:${2 ** 48 - 1}\r\n`);
    expect(harness.run('EXPIREAT', 'key', '9007199254740991')).toBe(':1\r\n');
    expect(harness.run('PEXPIRETIME', 'key')).toBe(`:${2 ** 48 - 1}\r\n`);
  });

  it('refuse what overflows 64 bits of milliseconds, by the name of the command', () => {
    harness.run('SET', 'key', 'value', 'EX', '100');
    expect(harness.run('Expire', 'key', '9223372036854776')).toBe(
      "-ERR invalid expire time in 'expire' command\r\n",
    );
    expect(harness.run('PEXPIRE', 'key', '9223372036854775807')).toBe(
      "-ERR invalid expire time in 'pexpire' command\r\n",
    );
    expect(harness.run('EXPIREAT', 'key', '-9223372036854776')).toBe(
      "-ERR invalid expire time in 'expireat' command\r\n",
    );
    expect(harness.run('TTL', 'key')).toBe(':100\r\n');
  });

  it('drop a deadline once', () => {
    harness.run('SET', 'key', 'value', 'EX', '100');
    expect(harness.run('PERSIST', 'key')).toBe(':1\r\n');
    expect(harness.run('PERSIST', 'key')).toBe(':0\r\n');
    expect(harness.run('PERSIST', 'none')).toBe(':0\r\n');
    expect(harness.run('TTL', 'key')).toBe(':-1\r\n');
    harness.nowMs += 1e9;
    expect(harness.run('EXISTS', 'key')).toBe(':1\r\n');
  });

  it('agree with a plain model while time passes', () => {
    const step = fc.record({
      verb: fc.constantFrom('PEXPIRE', 'PEXPIREAT', 'EXPIRE', 'PERSIST', 'SET', 'wait'),
      key: fc.constantFrom('a', 'b', 'c', 'd'),
      amount: fc.integer({ min: -2, max: 40 }),
      condition: fc.constantFrom('', 'NX', 'XX', 'GT', 'LT'),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        harness = createHarness({ shardBytes: 2 ** 20 });
        const deadlines = new Map<string, number>();
        for (const one of steps) {
          if (one.verb === 'wait') harness.nowMs += Math.max(0, one.amount * 20);
          for (const [key, deadlineMs] of deadlines) if (deadlineMs < harness.nowMs) deadlines.delete(key);
          applyToBoth(one, deadlines);
          for (const key of ['a', 'b', 'c', 'd'])
            expect(harness.run('PTTL', key)).toBe(`:${spanOf(deadlines.get(key))}\r\n`);
        }
      }),
      { numRuns: 60 },
    );
  });
});

type Step = { verb: string; key: string; amount: number; condition: string };

/** Deadlines by key, Infinity for none. */
function applyToBoth({ verb, key, amount, condition }: Step, deadlines: Map<string, number>): void {
  const before = deadlines.get(key);
  if (verb === 'SET') {
    harness.run('SET', key, 'value');
    deadlines.set(key, Infinity);
  } else if (verb === 'PERSIST') {
    harness.run('PERSIST', key);
    if (before !== undefined) deadlines.set(key, Infinity);
  } else if (verb !== 'wait') {
    const base = verb === 'PEXPIREAT' ? harness.nowMs : 0;
    const argument = verb === 'EXPIRE' ? amount : base + amount * 50;
    const deadlineMs = verb === 'EXPIRE' ? harness.nowMs + amount * 1000 : harness.nowMs + amount * 50;
    const met =
      before !== undefined &&
      (condition === '' ||
        (condition === 'NX' && before === Infinity) ||
        (condition === 'XX' && before < Infinity) ||
        (condition === 'GT' && deadlineMs > before) ||
        (condition === 'LT' && deadlineMs < before));
    const reply = harness.run(verb, key, String(argument), ...(condition === '' ? [] : [condition]));
    expect(reply).toBe(met ? ':1\r\n' : ':0\r\n');
    if (met && deadlineMs <= harness.nowMs) deadlines.delete(key);
    else if (met) deadlines.set(key, deadlineMs);
  }
}

function spanOf(deadlineMs: number | undefined): number {
  if (deadlineMs === undefined) return -2;
  return deadlineMs === Infinity ? -1 : deadlineMs - harness.nowMs;
}
