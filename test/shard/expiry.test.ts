/** The timing wheel against a plain list of deadlines, under a clock that is moved forward, far forward, and back. */
import fc from 'fast-check';
import { afterEach, describe, expect, it } from 'vitest';
import { keyCount } from '../../src/shard/databases.ts';
import { expiresAt } from '../../src/shard/entry.ts';
import { BUCKETS, firstInBucket, isWheelBehind, nextFilled, TICK_MS } from '../../src/shard/expiry.ts';
import { expireDue } from '../../src/shard/housekeeping.ts';
import {
  EXPIRED_KEYS,
  EXPIRES_AT_MS_MAX,
  EXPIRY_LAG_MS,
  EXPIRY_LAG_MS_MAX,
  NONE,
  SCHEDULED_LIVE,
} from '../../src/shard/layout.ts';
import { removeEntry, setExpiry } from '../../src/shard/lifecycle.ts';
import type { Shard } from '../../src/shard/shard.ts';
import { createTestShard, expectWhole, find, START_MS, set } from '../support/shard.ts';

const SECOND = 1000;
const HOUR = 3600 * SECOND;
const DAY = 24 * HOUR;
const YEAR = 365 * DAY;

/** Slices after which a wheel that still has work would be one that runs for ever. */
const SLICES_MAX = 100_000;

let shard: Shard;
afterEach(() => expectWhole(shard));

/** Removes all that is due, in slices; how many slices that took. */
function expireAll(nowMs: number, slice: number): number {
  let slices = 1;
  while (expireDue(shard, nowMs, slice)) {
    expect(isWheelBehind(shard, nowMs)).toBe(true);
    slices += 1;
    if (slices > SLICES_MAX) expect.fail(`still behind after ${slices} slices`);
  }
  expect(isWheelBehind(shard, nowMs)).toBe(false);
  return slices;
}

/** Whether the key is still in the table, expired or not. */
function isStored(key: string): boolean {
  return find(shard, key, { nowMs: 0 }) !== NONE;
}

describe('expiry', () => {
  it('removes a key in the tick behind its deadline, and not before', () => {
    for (const ttlMs of [
      0,
      1,
      15,
      16,
      17,
      4095,
      4096,
      4097,
      SECOND,
      5 * SECOND,
      18 * 60 * SECOND,
      HOUR,
      4 * DAY,
      YEAR,
      60 * YEAR,
    ]) {
      shard = createTestShard();
      const deadlineMs = START_MS + ttlMs;
      set(shard, 'key', '', { expiresAtMs: deadlineMs });
      expireAll(deadlineMs, 1000);
      expect(isStored('key'), `${ttlMs} ms`).toBe(true);
      expireAll(deadlineMs + TICK_MS, 1000);
      expect(isStored('key'), `${ttlMs} ms`).toBe(false);
      expect(shard.control[SCHEDULED_LIVE]).toBe(0);
    }
  });

  it('removes a key in time when the clock goes on in steps of any width', () => {
    for (const stepMs of [7, 100, SECOND, 17 * SECOND, 20 * 60 * SECOND, 3 * HOUR, 2 * DAY]) {
      shard = createTestShard();
      for (let index = 0; index < 50; index += 1)
        set(shard, `k${index}`, '', { expiresAtMs: START_MS + Math.floor(index * stepMs * 1.3) });
      for (let turn = 0; turn < 70; turn += 1) {
        const nowMs = START_MS + turn * stepMs;
        expireAll(nowMs, 3);
        expectOnlyDueGone(nowMs, (index) => START_MS + Math.floor(index * stepMs * 1.3));
      }
    }
  });

  it('leaps over years without a key in them at once', () => {
    shard = createTestShard();
    set(shard, 'far', '', { expiresAtMs: START_MS + 100 * YEAR });
    expect(expireAll(START_MS + 99 * YEAR, 10)).toBeLessThan(100);
    expect(isStored('far')).toBe(true);
    expect(expireAll(START_MS + 101 * YEAR, 10)).toBeLessThan(100);
    expect(isStored('far')).toBe(false);
  });

  it('goes on with a clock that was set back', () => {
    for (const backMs of [10, 100, 3 * SECOND, 10 * SECOND, 20 * 60 * SECOND, DAY, 50 * YEAR]) {
      shard = createTestShard();
      set(shard, 'old', '', { expiresAtMs: START_MS + HOUR });
      const backAtMs = START_MS - backMs;
      expireAll(START_MS + 1, 10);
      expireAll(backAtMs, 10);
      set(shard, 'new', '', { expiresAtMs: backAtMs + 30 * SECOND });
      expireAll(backAtMs + 29 * SECOND, 10);
      expect([isStored('old'), isStored('new')], `${backMs} ms back`).toEqual([true, true]);
      expireAll(backAtMs + 31 * SECOND, 10);
      expect([isStored('old'), isStored('new')], `${backMs} ms back`).toEqual([true, false]);
      expireAll(START_MS + HOUR + TICK_MS, 10);
      expect(isStored('old')).toBe(false);
    }
  });

  it('keeps deadlines beyond the year 10889 as that year', () => {
    shard = createTestShard();
    set(shard, 'key', '', { expiresAtMs: 2 ** 60 });
    expect(expiresAt(shard.entries, find(shard, 'key'))).toBe(EXPIRES_AT_MS_MAX);
    setExpiry(shard, find(shard, 'key'), Number.MAX_SAFE_INTEGER);
    expect(expiresAt(shard.entries, find(shard, 'key'))).toBe(EXPIRES_AT_MS_MAX);
  });

  it('tells the lag of what it removed last, and the worst', () => {
    shard = createTestShard();
    set(shard, 'one', '', { expiresAtMs: START_MS + 100 });
    set(shard, 'two', '', { expiresAtMs: START_MS + 10_000 });
    expireAll(START_MS + 600, 10);
    expect(shard.numbers[EXPIRY_LAG_MS]).toBe(500);
    expireAll(START_MS + 10_050, 10);
    expect([shard.numbers[EXPIRY_LAG_MS], shard.numbers[EXPIRY_LAG_MS_MAX]]).toEqual([50, 500]);
    expireAll(START_MS + 10_100, 10);
    expect([shard.numbers[EXPIRY_LAG_MS], shard.numbers[EXPIRY_LAG_MS_MAX]]).toEqual([0, 500]);
  });

  it('finds the buckets that have entries, in the order of their times', () => {
    shard = createTestShard();
    expect(nextFilled(shard, 0)).toBe(BUCKETS);
    const found: number[] = [];
    for (const [key, ttlMs] of [
      ['year', YEAR],
      ['day', 5 * DAY],
      ['hour', HOUR],
      ['minute', 60 * SECOND],
      ['now', 5],
    ] as const) {
      set(shard, key, '', { expiresAtMs: START_MS + ttlMs });
      expect(firstInBucket(shard, nextFilled(shard, 0))).toBe(find(shard, key));
      found.unshift(find(shard, key));
    }
    const filled: number[] = [];
    for (let at = nextFilled(shard, 0); at < BUCKETS; at = nextFilled(shard, at + 1))
      filled.push(firstInBucket(shard, at));
    expect(filled).toEqual(found);
  });

  it('removes 60,000 keys that fall due at once, while others that are due do not wait for them', () => {
    shard = createTestShard({ limitBytes: 2 ** 24 });
    const keys = 60_000;
    for (let index = 0; index < keys; index += 1)
      set(shard, `k${index}`, '', { expiresAtMs: START_MS + 60 * SECOND + (index % 7) });
    const boundaryMs = Math.floor((START_MS + 60 * SECOND) / 4096) * 4096 - 4096 + 20;
    set(shard, 'before', '', { expiresAtMs: boundaryMs });
    expireDue(shard, boundaryMs - 30, 256);
    expireDue(shard, boundaryMs + TICK_MS, 256);
    expect(isStored('before')).toBe(false);
    expireAll(START_MS + 60 * SECOND, 256);
    expect(keyCount(shard, 0)).toBe(keys);
    expect(expireAll(START_MS + 60 * SECOND + 7 + TICK_MS, 256)).toBeLessThan(keys / 256 + 10);
    expect(keyCount(shard, 0)).toBe(0);
    expect(shard.numbers[EXPIRED_KEYS]).toBe(keys + 1);
  });
});

function expectOnlyDueGone(nowMs: number, deadlineOf: (index: number) => number): void {
  const tickMs = Math.floor(nowMs / TICK_MS) * TICK_MS;
  for (let index = 0; index < 50; index += 1) {
    expect(isStored(`k${index}`), `k${index} at ${nowMs}`).toBe(deadlineOf(index) >= tickMs);
  }
}

describe('expiry under random programs', () => {
  it('removes nothing early and leaves nothing that is due', () => {
    fc.assert(
      fc.property(fc.array(step, { minLength: 5, maxLength: 60 }), (steps) => {
        shard = createTestShard({ limitBytes: 2 ** 18 });
        const deadlines = new Map<string, number>();
        let nowMs = START_MS;
        for (const one of steps) {
          nowMs = apply(deadlines, one, nowMs);
          expectWhole(shard);
        }
        expect(shard.control[SCHEDULED_LIVE]).toBe(deadlines.size);
      }),
      { numRuns: 200 },
    );
  });
});

const span = fc.oneof(
  fc.integer({ min: 0, max: 100 }),
  fc.integer({ min: 0, max: 20 * SECOND }),
  fc.integer({ min: 0, max: 3 * HOUR }),
  fc.integer({ min: 0, max: 30 * DAY }),
  fc.integer({ min: 0, max: 9 * YEAR }),
);
const step = fc.record({
  kind: fc.constantFrom('put', 'put', 'put', 'change', 'remove', 'forward', 'forward', 'back', 'slice'),
  key: fc.integer({ min: 0, max: 30 }).map((n) => `k${n}`),
  ms: span,
  slice: fc.constantFrom(1, 2, 7, 1000),
});
type Step = typeof step extends fc.Arbitrary<infer T> ? T : never;

function apply(deadlines: Map<string, number>, { kind, key, ms, slice }: Step, nowMs: number): number {
  const isKnown = deadlines.has(key);
  if (kind === 'put' || (kind === 'change' && isKnown)) {
    if (kind === 'put') set(shard, key, 'v', { expiresAtMs: nowMs + ms, nowMs });
    else setExpiry(shard, find(shard, key, { nowMs: 0 }), nowMs + ms);
    deadlines.set(key, nowMs + ms);
  } else if (kind === 'remove' && isKnown) {
    removeEntry(shard, find(shard, key, { nowMs: 0 }));
    deadlines.delete(key);
  } else if (kind === 'slice') {
    expireDue(shard, nowMs, slice);
    settle(deadlines, nowMs, false);
  } else if (kind === 'forward' || kind === 'back') {
    const movedMs = nowMs + (kind === 'forward' ? ms : -Math.min(ms, nowMs / 2));
    expireAll(Math.floor(movedMs), slice);
    settle(deadlines, Math.floor(movedMs), true);
    return Math.floor(movedMs);
  }
  return nowMs;
}

/** Compares what is stored with what may be: nothing is gone early and, if all slices ran, nothing stays that is due. */
function settle(deadlines: Map<string, number>, nowMs: number, isDone: boolean): void {
  const tickMs = Math.floor(nowMs / TICK_MS) * TICK_MS;
  for (const [key, deadlineMs] of deadlines) {
    const stored = isStored(key);
    if (deadlineMs >= nowMs) expect(stored, `${key} is not due`).toBe(true);
    if (deadlineMs < tickMs && isDone) expect(stored, `${key} is due`).toBe(false);
    if (!stored) deadlines.delete(key);
  }
}
