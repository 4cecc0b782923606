/**
 * Error replies, counted by what they begin with (error-prefixes.ts).
 *
 * Each thread writes its own counters; any thread reads.
 */
import { spanText } from '../base/bytes.ts';
import { sumCounter } from './counters.ts';
import { ERROR_PREFIXES, OTHER_ERRORS } from './error-prefixes.ts';
import { ERROR_COUNTS, ERROR_REPLIES } from './names.ts';

export type ErrorReading = { prefix: string; count: number };

/** Where redis-server stops to look for the end of the code; an error without one is an ERR. */
const PREFIX_BYTES_MAX = 31;
const NO_PREFIX = 'ERR';
const SPACE = 32;

const countOf = new Map(ERROR_PREFIXES.map((prefix, at) => [prefix, ERROR_COUNTS + at]));
const OTHER_COUNT = ERROR_COUNTS + ERROR_PREFIXES.indexOf(OTHER_ERRORS);

/** Counts the error reply in `bytes[start, end)`, which begins with its minus sign. */
export function countErrorReply(counters: Float64Array, bytes: Uint8Array, start: number, end: number): void {
  countErrors(counters, prefixOf(bytes, start + 1, Math.min(end, start + 1 + PREFIX_BYTES_MAX)), 1);
}

/** Counts so many error replies with the same prefix. */
export function countErrors(counters: Float64Array, prefix: string, times: number): void {
  counters[ERROR_REPLIES] += times;
  counters[countOf.get(prefix) ?? OTHER_COUNT] += times;
}

/** The prefixes that errors began with, in the order of their table. */
export function readErrors(threads: readonly Float64Array[]): ErrorReading[] {
  const errors = ERROR_PREFIXES.map((prefix, at) => ({
    prefix,
    count: sumCounter(threads, ERROR_COUNTS + at),
  }));
  return errors.filter(({ count }) => count > 0);
}

function prefixOf(bytes: Uint8Array, start: number, end: number): string {
  let at = start;
  while (at < end && bytes[at] !== SPACE) at += 1;
  return at < end ? spanText(bytes, start, at) : NO_PREFIX;
}
