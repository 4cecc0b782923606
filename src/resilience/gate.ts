/**
 * The gate before all commands: one word in shared memory that is 0 while everything may run, else says what may not.
 *
 * Any thread opens and closes it; every command reads it, which is one load of a line that hardly ever changes. The reasons
 * are bits, so that they come and go independently.
 */

/** The data set is being loaded: only commands that do without it. */
export const GATE_LOADING = 1;
/** The log cannot be written: nothing may change. */
export const GATE_LOG = 2;
/** The last snapshot failed, and `stop-writes-on-bgsave-error` says to stop then: nothing may change. */
export const GATE_SNAPSHOT = 4;

/** Clients are paused (pause.ts): commands that may change something wait; all do. Nothing is refused. */
export const GATE_PAUSES_WRITES = 8;
export const GATE_PAUSES_ALL = 16;
/** The reasons to refuse. */
export const GATE_REFUSES = GATE_LOADING | GATE_LOG | GATE_SNAPSHOT;

/**
 * Word 0 holds the reasons, word 1 the system's number (negative) of the error that stands behind GATE_LOG, or 0; the two
 * behind them are of pause.ts.
 */
export type Gate = Int32Array;

const REASONS = 0;
const ERRNO = 1;
const WORDS = 4;

export function createGateBuffer(): SharedArrayBuffer {
  return new SharedArrayBuffer(WORDS * Int32Array.BYTES_PER_ELEMENT);
}

/** The reasons that are in force, 0 for none. One plain load. */
export function gateReasons(gate: Gate): number {
  return gate[REASONS];
}

/** True when the reason was not in force before. */
export function closeGate(gate: Gate, reason: number, errno = 0): boolean {
  if (reason === GATE_LOG) Atomics.store(gate, ERRNO, errno);
  return (Atomics.or(gate, REASONS, reason) & reason) === 0;
}

/** True when the reason was in force before. */
export function openGate(gate: Gate, reason: number): boolean {
  return (Atomics.and(gate, REASONS, ~reason) & reason) !== 0;
}

/** The error of the disk behind GATE_LOG. */
export function gateErrno(gate: Gate): number {
  return Atomics.load(gate, ERRNO);
}
