/**
 * The counters and histograms of all threads, in one SharedArrayBuffer. Each thread owns one section of each and is its
 * only writer, so counting is a plain add; any thread may read any section.
 *
 *   ┌─ section 0 (main) ──┬─────┬─ section 1 (worker 0) ┬─────┬ ... ┬─ rates ──┬─ histograms of 0 ─┬─────┬ ...
 *   │ counters, see names │ gap │ counters              │ gap │     │ by main  │ see latencies     │ gap │
 *   └─────────────────────┴─────┴───────────────────────┴─────┴ ... ┴──────────┴───────────────────┴─────┴ ...
 *
 * Of the histograms only those of commands that are called get memory: the kernel gives a page at its first touch. The gap is 128 bytes, the span that a processor fetches together, so wherever the buffer itself begins two writers
 * never touch the same cache line. A reader sees each counter whole, since 64-bit machines store a float64 in one
 * instruction, but not all counters at one moment.
 */
import { assert } from '../base/assert.ts';
import { LATENCIES_WORDS } from './latencies.ts';
import { CONNECTIONS_CLOSED, COUNTER_METRICS, SECTION_COUNTERS } from './names.ts';
import { RATES_WORDS } from './rates.ts';

const WORD_BYTES = Float64Array.BYTES_PER_ELEMENT;
const GAP_BYTES = 128;
const SECTION_BYTES = SECTION_COUNTERS * WORD_BYTES + GAP_BYTES;
const RATES_BYTES = RATES_WORDS * WORD_BYTES;
const LATENCIES_BYTES = LATENCIES_WORDS * WORD_BYTES + GAP_BYTES;

/**
 * Zeroed counters for `threads` threads: the main thread and every worker. For each 17 KiB, and 2.6 MiB of address space of
 * which some 5 KiB are used for each command that is called.
 */
export function createCountersBuffer(threads: number): SharedArrayBuffer {
  assert(Number.isInteger(threads) && threads >= 1, 'there is at least the main thread');
  return new SharedArrayBuffer(threads * (SECTION_BYTES + LATENCIES_BYTES) + RATES_BYTES);
}

/** The section of `thread` (0 = main, 1 + i = worker i), indexed by the constants of names.ts. */
export function openCounters(buffer: SharedArrayBuffer, thread: number): Float64Array {
  assert(Number.isInteger(thread) && thread >= 0 && thread < threadCount(buffer), 'the thread has a section');
  return new Float64Array(buffer, thread * SECTION_BYTES, SECTION_COUNTERS);
}

/** The sections of all threads in order, for readers. */
export function openAllCounters(buffer: SharedArrayBuffer): Float64Array[] {
  return Array.from({ length: threadCount(buffer) }, (_, thread) => openCounters(buffer, thread));
}

/** The histograms of `thread` (latencies.ts). */
export function openLatencies(buffer: SharedArrayBuffer, thread: number): Float64Array {
  const threads = threadCount(buffer);
  assert(Number.isInteger(thread) && thread >= 0 && thread < threads, 'the thread has histograms');
  const start = threads * SECTION_BYTES + RATES_BYTES + thread * LATENCIES_BYTES;
  return new Float64Array(buffer, start, LATENCIES_WORDS);
}

/** The histograms of all threads in order, for readers. */
export function openAllLatencies(buffer: SharedArrayBuffer): Float64Array[] {
  return Array.from({ length: threadCount(buffer) }, (_, thread) => openLatencies(buffer, thread));
}

/** The instantaneous rates (rates.ts), written by the main thread. */
export function openRates(buffer: SharedArrayBuffer): Float64Array {
  return new Float64Array(buffer, threadCount(buffer) * SECTION_BYTES, RATES_WORDS);
}

/** One counter summed over threads. */
export function sumCounter(threads: readonly Float64Array[], index: number): number {
  let sum = 0;
  for (const counters of threads) sum += counters[index];
  return sum;
}

/**
 * Zeroes what was counted, as CONFIG RESETSTAT does. Gauges stay, and so do the closed connections: main knows from them
 * how many each worker has. Only the owner of the section may call it.
 */
export function resetCounters(counters: Float64Array): void {
  const lasting = COUNTER_METRICS.filter(
    ({ type, index }) => type === 'gauge' || index === CONNECTIONS_CLOSED,
  );
  const kept = lasting.map((metric) => counters[metric.index]);
  counters.fill(0);
  lasting.forEach((metric, at) => {
    counters[metric.index] = kept[at];
  });
}

function threadCount(buffer: SharedArrayBuffer): number {
  return Math.floor((buffer.byteLength - RATES_BYTES) / (SECTION_BYTES + LATENCIES_BYTES));
}
