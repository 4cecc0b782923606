/**
 * The two clocks of the process, as values that can be passed: whoever needs time takes a `Clock` or a number.
 *
 * Owns no state; runs on every thread.
 */

/** Milliseconds. Wall time is since the epoch and may jump; monotonic time is since some start and never does. */
export type Clock = {
  readonly wallMs: () => number;
  readonly monotonicMs: () => number;
};

/** The system's clocks. A reading costs 25-60 ns: take one per batch. */
export const systemClock: Clock = {
  wallMs: () => Date.now(),
  monotonicMs: () => performance.now(),
};

const MS_PER_SECOND = 1000;
const NS_PER_MS = 1e6;

/**
 * Milliseconds of the machine's monotonic clock, which has the same origin in every thread, as performance.now() has not: what one
 * thread writes down another may compare. It allocates: once a turn, not once a command.
 */
export function sharedMs(): number {
  const [seconds, nanoseconds] = process.hrtime();
  return seconds * MS_PER_SECOND + nanoseconds / NS_PER_MS;
}
