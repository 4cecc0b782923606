/**
 * One thread's histograms of how long things took, in nanoseconds, one after the other (histogram.ts). The thread is their
 * only writer; any thread reads.
 *
 *   TURNS     LOOP_DELAYS   COMMANDS_TOGETHER   FIRST_COMMAND
 *  ┌─────────┬─────────────┬───────────────────┬──────────────────────┬ ...
 *  │ length  │ how late    │ executions of     │ executions of each   │
 *  │ of      │ its event   │ all commands      │ command, by its id   │
 *  │ turns   │ loop is     │ together          │                      │
 *  └─────────┴─────────────┴───────────────────┴──────────────────────┴ ...
 */
import { createHistogram, HISTOGRAM_WORDS, mergeHistogram, recordTimes } from './histogram.ts';
import { COMMAND_CALLS, COMMANDS_MAX } from './names.ts';

/** From the first read of a pass of the event loop to the last write. */
export const TURNS_HISTOGRAM = 0;
/** How much later than asked for a timer of the worker ran; a millisecond is the grain of timers. */
export const LOOP_DELAYS_HISTOGRAM = 1;
export const COMMANDS_TOGETHER_HISTOGRAM = 2;
/** That of command `id` is `FIRST_COMMAND_HISTOGRAM + id`. */
export const FIRST_COMMAND_HISTOGRAM = 3;
export const LATENCIES_WORDS = (FIRST_COMMAND_HISTOGRAM + COMMANDS_MAX) * HISTOGRAM_WORDS;

/** Counts a duration `times` times. A few nanoseconds. */
export function recordLatency(latencies: Float64Array, histogram: number, ns: number, times: number): void {
  recordTimes(latencies, histogram * HISTOGRAM_WORDS, ns, times);
}

/** One histogram of a thread: its words, not a copy. */
export function latenciesOf(latencies: Float64Array, histogram: number): Float64Array {
  return latencies.subarray(histogram * HISTOGRAM_WORDS, (histogram + 1) * HISTOGRAM_WORDS);
}

/** One histogram of all threads together: a copy. */
export function sumLatencies(threads: readonly Float64Array[], histogram: number): Float64Array {
  const sum = createHistogram();
  for (const latencies of threads) mergeHistogram(sum, latenciesOf(latencies, histogram));
  return sum;
}

/**
 * The executions of command `id` on all threads, from their counters and histograms in the same order. Threads that have
 * never called it are left out: to read their histograms would be to look at memory that is not there yet.
 */
export function commandLatencies(
  counters: readonly Float64Array[],
  latencies: readonly Float64Array[],
  id: number,
): Float64Array {
  const callers = latencies.filter((_, thread) => counters[thread][COMMAND_CALLS + id] > 0);
  return sumLatencies(callers, FIRST_COMMAND_HISTOGRAM + id);
}

/** Empties the histograms, those of the commands that `counters` (of the same thread) have calls of. For their owner. */
export function resetLatencies(latencies: Float64Array, counters: Float64Array): void {
  latencies.fill(0, 0, FIRST_COMMAND_HISTOGRAM * HISTOGRAM_WORDS);
  for (let id = 0; id < COMMANDS_MAX; id += 1) {
    if (counters[COMMAND_CALLS + id] > 0) latenciesOf(latencies, FIRST_COMMAND_HISTOGRAM + id).fill(0);
  }
}
