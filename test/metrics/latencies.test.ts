/** Tests of the histograms of the threads: which is which, sums over threads, resets. */
import { describe, expect, it } from 'vitest';
import { createCountersBuffer, openAllCounters, openAllLatencies } from '../../src/metrics/counters.ts';
import { createHistogram, readHistogram, recordTimes, recordValue } from '../../src/metrics/histogram.ts';
import {
  COMMANDS_TOGETHER_HISTOGRAM,
  commandLatencies,
  FIRST_COMMAND_HISTOGRAM,
  LATENCIES_WORDS,
  LOOP_DELAYS_HISTOGRAM,
  latenciesOf,
  recordLatency,
  resetLatencies,
  sumLatencies,
  TURNS_HISTOGRAM,
} from '../../src/metrics/latencies.ts';
import { COMMAND_CALLS, COMMANDS_MAX } from '../../src/metrics/names.ts';

const ALL = [TURNS_HISTOGRAM, LOOP_DELAYS_HISTOGRAM, COMMANDS_TOGETHER_HISTOGRAM, FIRST_COMMAND_HISTOGRAM];
const LAST = FIRST_COMMAND_HISTOGRAM + COMMANDS_MAX - 1;

function createThreads(threads: number) {
  const buffer = createCountersBuffer(threads);
  return { counters: openAllCounters(buffer), latencies: openAllLatencies(buffer) };
}

describe('the histograms of a thread', () => {
  it('lie apart, up to the last command', () => {
    const { latencies } = createThreads(2);
    for (const histogram of [...ALL, LAST]) recordLatency(latencies[0], histogram, 100 * (1 + histogram), 2);
    for (const histogram of [...ALL, LAST]) {
      const reading = readHistogram(latenciesOf(latencies[0], histogram));
      expect(reading).toMatchObject({ count: 2, max: 100 * (1 + histogram) });
    }
    expect(latencies[0]).toHaveLength(LATENCIES_WORDS);
    expect(latencies[1].every((word) => word === 0)).toBe(true);
  });

  it('add up over threads', () => {
    const { latencies } = createThreads(3);
    for (const [thread, words] of latencies.entries()) recordLatency(words, TURNS_HISTOGRAM, 10 ** thread, 1);
    expect(readHistogram(sumLatencies(latencies, TURNS_HISTOGRAM))).toMatchObject({ count: 3, sum: 111 });
  });

  it('of a command add up over the threads that called it', () => {
    const { counters, latencies } = createThreads(3);
    for (const words of latencies) recordLatency(words, FIRST_COMMAND_HISTOGRAM + 7, 50, 1);
    counters[1][COMMAND_CALLS + 7] = 1;
    counters[2][COMMAND_CALLS + 7] = 1;
    expect(readHistogram(commandLatencies(counters, latencies, 7)).count).toBe(2);
  });

  it('are all empty after a reset', () => {
    const { counters, latencies } = createThreads(1);
    for (const histogram of [...ALL, LAST]) recordLatency(latencies[0], histogram, 100, 1);
    counters[0][COMMAND_CALLS] = 1;
    counters[0][COMMAND_CALLS + COMMANDS_MAX - 1] = 1;
    resetLatencies(latencies[0], counters[0]);
    expect(latencies[0].every((word) => word === 0)).toBe(true);
  });
});

describe('a value that is recorded several times at once', () => {
  it.each([0, 1, 31, 32, 999, 1024.5, 2 ** 31, 2 ** 43, -3, NaN])(
    'is as if %d was recorded so often',
    (value) => {
      const together = createHistogram();
      const apart = createHistogram();
      recordTimes(together, 0, value, 3);
      for (let time = 0; time < 3; time += 1) recordValue(apart, value);
      expect(together).toEqual(apart);
    },
  );
});
