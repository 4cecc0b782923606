/**
 * Keeping a long job to a share of one processor: after a burst of work it naps for as long as the share asks for.
 *
 * Runs on a thread that may block: a thread of the job pool.
 */
import type { Clock } from '../base/clock.ts';
import { PACED_BURST_MS } from '../config/limits.ts';

/** Called between pieces of work; it returns when the next may begin. A call that does not nap costs a clock reading. */
export type Pace = () => void;

/** `share` is more than 0 and at most 1, which never naps. */
export function createPace(
  share: number,
  clock: Pick<Clock, 'monotonicMs'>,
  nap: (ms: number) => void = napMs,
): Pace {
  if (share >= 1) return () => undefined;
  let startedMs = clock.monotonicMs();
  return () => {
    const workedMs = clock.monotonicMs() - startedMs;
    if (workedMs < PACED_BURST_MS) return;
    nap((workedMs * (1 - share)) / share);
    startedMs = clock.monotonicMs();
  };
}

const never = new Int32Array(new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT));

function napMs(ms: number): void {
  Atomics.wait(never, 0, 0, ms);
}
