/** Tests of a worker's clockwork: when it ticks fast, when it dozes, and what wakes it. */
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { CLOCKWORK_DOZE_MS, CLOCKWORK_QUIET_TICKS, HOUSEKEEPING_MS } from '../../src/config/limits.ts';
import { type Clockwork, startClockwork, stopClockwork, wakeClockwork } from '../../src/net/clockwork.ts';

let ticks: number;
let hasWork: boolean;
let clockwork: Clockwork;
beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
  ticks = 0;
  hasWork = true;
  clockwork = startClockwork(() => {
    ticks += 1;
    return hasWork;
  });
});
afterEach(() => {
  stopClockwork(clockwork);
  vi.useRealTimers();
});

/** Ticks in so many milliseconds. */
function ticksIn(ms: number): number {
  const before = ticks;
  vi.advanceTimersByTime(ms);
  return ticks - before;
}

it('ticks fast as long as there is work', () => {
  expect(ticksIn(1000 * HOUSEKEEPING_MS)).toBe(1000);
});

it('dozes after so many ticks in a row without any, and goes on ticking', () => {
  hasWork = false;
  expect(ticksIn(CLOCKWORK_QUIET_TICKS * HOUSEKEEPING_MS)).toBe(CLOCKWORK_QUIET_TICKS);
  expect(ticksIn(10 * CLOCKWORK_DOZE_MS)).toBe(10);
});

it('does not doze while there is work once in a while', () => {
  for (let round = 0; round < 10; round += 1) {
    hasWork = false;
    expect(ticksIn((CLOCKWORK_QUIET_TICKS - 1) * HOUSEKEEPING_MS)).toBe(CLOCKWORK_QUIET_TICKS - 1);
    hasWork = true;
    expect(ticksIn(HOUSEKEEPING_MS)).toBe(1);
  }
});

it('is woken by work that it finds, and by a client', () => {
  for (const wake of [() => undefined, () => wakeClockwork(clockwork)]) {
    hasWork = false;
    ticksIn((CLOCKWORK_QUIET_TICKS + 1) * HOUSEKEEPING_MS);
    hasWork = true;
    wake();
    ticksIn(CLOCKWORK_DOZE_MS);
    expect(ticksIn(10 * HOUSEKEEPING_MS)).toBe(10);
  }
});

it.each([[false], [true]])('stops, dozing (%j) or not, and is not woken any more', (isDozing) => {
  hasWork = false;
  if (isDozing) ticksIn((CLOCKWORK_QUIET_TICKS + 1) * HOUSEKEEPING_MS);
  stopClockwork(clockwork);
  wakeClockwork(clockwork);
  expect(ticksIn(1000)).toBe(0);
});
