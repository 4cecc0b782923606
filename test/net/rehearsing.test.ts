/** Tests of when a worker rehearses. */
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { REHEARSAL_CHECK_MS, REHEARSAL_KEYS } from '../../src/config/limits.ts';
import { rehearseWhenLoaded } from '../../src/net/rehearsing.ts';
import type { Serving } from '../../src/net/serving.ts';
import { closeGate, GATE_LOADING, openGate } from '../../src/resilience/gate.ts';
import type { Rehearsal } from '../../src/shard/rehearsal.ts';

const steps = vi.hoisted(() => ({ made: 0, taken: 0 }));
vi.mock('../../src/shard/rehearsal.ts', () => ({
  createRehearsal: (): Partial<Rehearsal> => {
    steps.made += 1;
    return { keysLeft: REHEARSAL_KEYS };
  },
  rehearse: () => {
    steps.taken += 1;
    return steps.taken < 3;
  },
}));

let gate: Int32Array;
let serving: Serving;
beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval', 'setImmediate'] });
  Object.assign(steps, { made: 0, taken: 0 });
  gate = new Int32Array(new SharedArrayBuffer(64));
  const engine = { gate, config: { rehearsal: true } };
  serving = { engine, isStopping: false, timers: [] } as unknown as Serving;
});
afterEach(() => void vi.useRealTimers());

it('is not while the server loads, and once afterwards, to its end', () => {
  closeGate(gate, GATE_LOADING);
  rehearseWhenLoaded(serving);
  vi.advanceTimersByTime(100 * REHEARSAL_CHECK_MS);
  expect(steps).toEqual({ made: 0, taken: 0 });
  openGate(gate, GATE_LOADING);
  vi.advanceTimersByTime(100 * REHEARSAL_CHECK_MS);
  expect(steps).toEqual({ made: 1, taken: 3 });
});

it('is not where it is not wanted', () => {
  serving.engine.config.rehearsal = false;
  rehearseWhenLoaded(serving);
  vi.advanceTimersByTime(100 * REHEARSAL_CHECK_MS);
  expect(steps.made).toBe(0);
});

it('ends where the worker stops', () => {
  rehearseWhenLoaded(serving);
  serving.isStopping = true;
  vi.advanceTimersByTime(100 * REHEARSAL_CHECK_MS);
  expect(steps.taken).toBe(0);
});

it('leaves its timer to the worker, which ends it with the others', () => {
  closeGate(gate, GATE_LOADING);
  rehearseWhenLoaded(serving);
  expect(serving.timers).toHaveLength(1);
  for (const timer of serving.timers) clearInterval(timer);
  openGate(gate, GATE_LOADING);
  vi.advanceTimersByTime(100 * REHEARSAL_CHECK_MS);
  expect(steps.made).toBe(0);
});
