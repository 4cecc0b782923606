/**
 * How loading, snapshots and the log stand, as numbers in shared memory: written by main alone, read by INFO and /metrics.
 *
 * Flags are 0 or 1. Times are milliseconds, moments since the epoch, -1 and 0 for never as said.
 */

export const LOADING = 0;
export const LOADING_STARTED_MS = 1;
export const LOADING_BYTES_TOTAL = 2;
export const LOADING_BYTES_DONE = 3;
export const LOADED_KEYS = 4;
/** How long the last load took; -1 before one has ended. */
export const LOAD_MS = 5;

export const SNAPSHOT_RUNNING = 6;
export const SNAPSHOT_STARTED_MS = 7;
export const SNAPSHOT_ENTRIES_DONE = 8;
export const SNAPSHOT_ENTRIES_TOTAL = 9;
/** When the newest snapshot was whole; the start of the process before there was one. */
export const SNAPSHOT_LAST_MS = 10;
export const SNAPSHOT_LAST_FAILED = 11;
/** How long the last one took; -1 before one has ended. */
export const SNAPSHOT_LAST_TOOK_MS = 12;
export const SNAPSHOTS = 13;
/** Bytes of the newest set. */
export const SNAPSHOT_BYTES = 14;
/** The sum of the shards' LSNs when the newest snapshot began. */
export const SNAPSHOT_LSNS = 15;

/** Whether a snapshot that runs was asked for as a rewrite of the log, and the same of the last one. */
export const REWRITE_RUNNING = 16;
export const REWRITE_LAST_FAILED = 17;
export const REWRITE_LAST_TOOK_MS = 18;
export const REWRITES = 19;
export const REWRITE_SCHEDULED = 20;
export const REWRITES_FAILED_IN_A_ROW = 21;

export const LOG_ENABLED = 22;
/** Bytes of the log since the newest snapshot, all segments. */
export const LOG_BYTES = 23;
/** The same when the newest snapshot was whole. */
export const LOG_BYTES_AT_SNAPSHOT = 24;
/** Whether the last write or sync of the log failed and nothing has mended that yet. */
export const LOG_TROUBLED = 25;
/** How often the breaker of the log has opened. */
export const LOG_BREAKER_OPENED = 26;
/** 0 closed, 1 open, 2 half-open (resilience/circuit-breaker.ts). */
export const LOG_BREAKER_STATE = 27;
export const EPOCH = 28;

const PERSISTENCE_NUMBERS = 32;

/** Memory for them, with what holds before anything has happened. */
export function createPersistenceBuffer(startedAtMs: number): SharedArrayBuffer {
  const buffer = new SharedArrayBuffer(PERSISTENCE_NUMBERS * Float64Array.BYTES_PER_ELEMENT);
  const numbers = new Float64Array(buffer);
  numbers[LOAD_MS] = -1;
  numbers[SNAPSHOT_LAST_MS] = startedAtMs;
  numbers[SNAPSHOT_LAST_TOOK_MS] = -1;
  numbers[REWRITE_LAST_TOOK_MS] = -1;
  return buffer;
}
