/** Tests of the counters' buffer: sections apart, sums, resets, and true totals from real threads. */
import { Worker } from 'node:worker_threads';
import { describe, expect, test } from 'vitest';
import {
  createCountersBuffer,
  openAllCounters,
  openAllLatencies,
  openCounters,
  openLatencies,
  openRates,
  resetCounters,
  sumCounter,
} from '../../src/metrics/counters.ts';
import {
  COMMAND_CALLS,
  COMMANDS,
  COMMANDS_MAX,
  CONNECTIONS_CLOSED,
  CONNECTIONS_OPEN,
  COUNTER_METRICS,
  KEYSPACE_HITS,
  SECTION_COUNTERS,
} from '../../src/metrics/names.ts';

const FETCHED_TOGETHER_BYTES = 128;
const THREADS = 4;
const ADDS = 1000;

const startOf = ({ byteOffset }: Float64Array) => byteOffset;

describe('the counters of all threads', () => {
  test('start at zero, in one section for each thread', () => {
    const sections = openAllCounters(createCountersBuffer(3));
    expect(sections).toHaveLength(3);
    for (const section of sections) {
      expect(section).toHaveLength(SECTION_COUNTERS);
      expect(section.every((value) => value === 0)).toBe(true);
    }
  });

  test('have room for the last command', () => {
    const counters = openCounters(createCountersBuffer(1), 0);
    counters[COMMAND_CALLS + COMMANDS_MAX - 1]++;
    expect(counters[COMMAND_CALLS + COMMANDS_MAX - 1]).toBe(1);
  });

  test('of two writers are never on the same cache line, wherever the buffer begins', () => {
    const buffer = createCountersBuffer(5);
    const regions = [...openAllCounters(buffer), openRates(buffer), ...openAllLatencies(buffer)];
    const main = new Set([openCounters(buffer, 0), openRates(buffer), openLatencies(buffer, 0)].map(startOf));
    for (let i = 1; i < regions.length; i++) {
      if (main.has(startOf(regions[i])) && main.has(startOf(regions[i - 1]))) continue;
      const previousEnd = startOf(regions[i - 1]) + regions[i - 1].byteLength;
      expect(startOf(regions[i]) - previousEnd).toBeGreaterThanOrEqual(FETCHED_TOGETHER_BYTES);
    }
    const last = regions[regions.length - 1];
    expect(startOf(last) + last.byteLength).toBeLessThanOrEqual(buffer.byteLength);
  });

  test('add up over threads', () => {
    const sections = openAllCounters(createCountersBuffer(3));
    sections.forEach((section, thread) => {
      section[KEYSPACE_HITS] = 10 ** thread;
    });
    expect(sumCounter(sections, KEYSPACE_HITS)).toBe(111);
  });

  test('are zeroed by a reset, but for gauges and the closed connections', () => {
    const counters = openCounters(createCountersBuffer(1), 0).fill(7);
    resetCounters(counters);
    const kept = Array.from(counters.keys()).filter((index) => counters[index] !== 0);
    const gauges = COUNTER_METRICS.filter(({ type }) => type === 'gauge').map(({ index }) => index);
    expect(gauges).toContain(CONNECTIONS_OPEN);
    expect(kept).toEqual([CONNECTIONS_CLOSED, ...gauges]);
    expect(counters[CONNECTIONS_OPEN]).toBe(7);
  });

  test('refuse a thread that has no section', () => {
    const buffer = createCountersBuffer(2);
    for (const thread of [-1, 2, 0.5])
      expect(() => openCounters(buffer, thread)).toThrow('the thread has a section');
    for (const thread of [-1, 2, 0.5])
      expect(() => openLatencies(buffer, thread)).toThrow('the thread has histograms');
    expect(() => createCountersBuffer(0)).toThrow('at least the main thread');
  });

  test(`(the predecessor's bug: lost updates) are exact when ${THREADS} threads count ${ADDS} each`, async () => {
    const buffer = createCountersBuffer(THREADS);
    const program = `
      import { workerData } from 'node:worker_threads';
      const { openCounters } = await import(workerData.module);
      const counters = openCounters(workerData.buffer, workerData.thread);
      for (let i = 0; i < ${ADDS}; i++) counters[${COMMANDS}]++;`;
    const module = new URL('../../src/metrics/counters.ts', import.meta.url).href;
    await Promise.all(
      Array.from({ length: THREADS }, (_, thread) => {
        const source = new URL(`data:text/javascript,${encodeURIComponent(program)}`);
        const worker = new Worker(source, { workerData: { module, buffer, thread } });
        return new Promise((resolve, reject) => worker.once('error', reject).once('exit', resolve));
      }),
    );
    const sections = openAllCounters(buffer);
    expect(sections.map((section) => section[COMMANDS])).toEqual(new Array(THREADS).fill(ADDS));
    expect(sumCounter(sections, COMMANDS)).toBe(THREADS * ADDS);
  });
});
