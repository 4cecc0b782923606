/** Tests of a worker's housekeeping: what the latency monitor sees of it, and when there is none. */
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { HOUSEKEEPING_MS } from '../../src/config/limits.ts';
import type { Serving } from '../../src/net/serving.ts';
import { startServing, stopServing } from '../../src/net/turn.ts';
import { closeGate, GATE_LOADING, openGate } from '../../src/resilience/gate.ts';
import { createHarness, type Harness } from '../support/harness.ts';

let harness: Harness;
let serving: Serving;
beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
  harness = createHarness();
  let monotonicMs = 0;
  const clock = {
    monotonicMs: () => {
      monotonicMs += 10;
      return monotonicMs;
    },
  };
  Object.assign(harness.shards[0].clock, clock);
  serving = startServing(harness.engine, 0);
});
afterEach(async () => {
  await stopServing(serving);
  vi.useRealTimers();
});

it('is an expire-cycle that took long', () => {
  harness.engine.config.latencyMonitorThreshold = 10;
  vi.advanceTimersByTime(HOUSEKEEPING_MS);
  expect([...harness.engine.latencyEvents.keys()]).toEqual(['expire-cycle']);
  expect(harness.engine.latencyEvents.get('expire-cycle')?.maxMs).toBeGreaterThanOrEqual(10);
});

it('takes no lock while the shards are loaded', () => {
  const [shard] = harness.shards;
  const untaken = shard.holdCountdown;
  closeGate(harness.engine.gate, GATE_LOADING);
  vi.advanceTimersByTime(HOUSEKEEPING_MS);
  expect(shard.holdCountdown).toBe(untaken);
  openGate(harness.engine.gate, GATE_LOADING);
  vi.advanceTimersByTime(HOUSEKEEPING_MS);
  expect(shard.holdCountdown).not.toBe(untaken);
});

it('is nothing while the monitor is off', () => {
  vi.advanceTimersByTime(HOUSEKEEPING_MS);
  expect(harness.engine.latencyEvents.size).toBe(0);
});
