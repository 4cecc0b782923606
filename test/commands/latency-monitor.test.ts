/** Tests of what counts as a latency spike. */
import { beforeEach, expect, it } from 'vitest';
import { endWatch, noteLatency, startWatch } from '../../src/commands/latency-monitor.ts';
import { createHarness, type Harness } from '../support/harness.ts';

let harness: Harness;
let monotonicMs: number;
let clockReadings: number;
beforeEach(() => {
  harness = createHarness();
  monotonicMs = 100;
  clockReadings = 0;
  const clock = {
    monotonicMs: () => {
      clockReadings += 1;
      return monotonicMs;
    },
  };
  Object.assign(harness.shards[0].clock, clock);
});

const spikes = () => [...harness.engine.latencyEvents].map(([event, { samples }]) => [event, samples]);

it('is what takes as long as the threshold, in whole milliseconds, at the second of the wall clock', () => {
  const { engine } = harness;
  engine.config.latencyMonitorThreshold = 3;
  noteLatency(engine, 'aof-write', 2.999);
  expect(spikes()).toEqual([]);
  noteLatency(engine, 'aof-write', 3);
  noteLatency(engine, 'aof-write', 4.9);
  const atSeconds = Math.floor(harness.nowMs / 1000);
  expect(spikes()).toEqual([['aof-write', [{ atSeconds, latencyMs: 4 }]]]);
});

it('is nothing while the monitor is off, and then no clock is read', () => {
  const { engine } = harness;
  const watch = startWatch(engine);
  monotonicMs += 1000;
  endWatch(engine, 'eviction-cycle', watch);
  noteLatency(engine, 'command', 1e6);
  expect(spikes()).toEqual([]);
  expect(clockReadings).toBe(0);
});

it('is found by watching something from its start to its end', () => {
  const { engine } = harness;
  engine.config.latencyMonitorThreshold = 1;
  const watch = startWatch(engine);
  monotonicMs += 7;
  expect(endWatch(engine, 'expire-cycle', watch)).toBe(7);
  expect(engine.latencyEvents.get('expire-cycle')?.maxMs).toBe(7);
});

it('is not made up by a watch that began while the monitor was off', () => {
  const { engine } = harness;
  const watch = startWatch(engine);
  engine.config.latencyMonitorThreshold = 1;
  monotonicMs += 7;
  endWatch(engine, 'expire-cycle', watch);
  expect(spikes()).toEqual([]);
});

it.each([
  ['one key', (n: number) => ['SET', `key:${n}`, 'v'.repeat(1000)]],
  ['many keys', (n: number) => ['MSET', `key:${n}`, 'v'.repeat(1000), `other:${n}`, 'x']],
])('is found where room is made for a write of %s, within the time of the command', (_, command) => {
  const { engine, run } = harness;
  engine.config.latencyMonitorThreshold = 1;
  const clock = {
    monotonicMs: () => {
      monotonicMs += 2;
      return monotonicMs;
    },
  };
  Object.assign(harness.shards[0].clock, clock);
  run('GET', 'key');
  expect(spikes()).toEqual([]);
  run(...command(1));
  expect(engine.latencyEvents.get('eviction-cycle')?.maxMs).toBe(2);
});
