/**
 * How loading, snapshots and the log stand, as one plain record: the numbers of persistence.ts by name.
 *
 * Any thread; each number is one word that main stores whole, so they need not be of the same moment.
 */
import {
  EPOCH,
  LOAD_MS,
  LOADED_KEYS,
  LOADING,
  LOADING_BYTES_DONE,
  LOADING_BYTES_TOTAL,
  LOADING_STARTED_MS,
  LOG_BREAKER_OPENED,
  LOG_BREAKER_STATE,
  LOG_BYTES,
  LOG_BYTES_AT_SNAPSHOT,
  LOG_ENABLED,
  LOG_TROUBLED,
  REWRITE_LAST_FAILED,
  REWRITE_LAST_TOOK_MS,
  REWRITE_RUNNING,
  REWRITE_SCHEDULED,
  REWRITES,
  REWRITES_FAILED_IN_A_ROW,
  SNAPSHOT_BYTES,
  SNAPSHOT_ENTRIES_DONE,
  SNAPSHOT_ENTRIES_TOTAL,
  SNAPSHOT_LAST_FAILED,
  SNAPSHOT_LAST_MS,
  SNAPSHOT_LAST_TOOK_MS,
  SNAPSHOT_LSNS,
  SNAPSHOT_RUNNING,
  SNAPSHOT_STARTED_MS,
  SNAPSHOTS,
} from './persistence.ts';

const INDICES = {
  loading: LOADING,
  loadingStartedMs: LOADING_STARTED_MS,
  loadingBytes: LOADING_BYTES_TOTAL,
  loadingBytesDone: LOADING_BYTES_DONE,
  loadedKeys: LOADED_KEYS,
  loadMs: LOAD_MS,
  snapshotRunning: SNAPSHOT_RUNNING,
  snapshotStartedMs: SNAPSHOT_STARTED_MS,
  snapshotEntries: SNAPSHOT_ENTRIES_TOTAL,
  snapshotEntriesDone: SNAPSHOT_ENTRIES_DONE,
  snapshotLastMs: SNAPSHOT_LAST_MS,
  snapshotLastFailed: SNAPSHOT_LAST_FAILED,
  snapshotLastTookMs: SNAPSHOT_LAST_TOOK_MS,
  snapshots: SNAPSHOTS,
  snapshotBytes: SNAPSHOT_BYTES,
  snapshotLsns: SNAPSHOT_LSNS,
  rewriteRunning: REWRITE_RUNNING,
  rewriteScheduled: REWRITE_SCHEDULED,
  rewriteLastFailed: REWRITE_LAST_FAILED,
  rewriteLastTookMs: REWRITE_LAST_TOOK_MS,
  rewrites: REWRITES,
  rewritesFailedInARow: REWRITES_FAILED_IN_A_ROW,
  logEnabled: LOG_ENABLED,
  logBytes: LOG_BYTES,
  logBytesAtSnapshot: LOG_BYTES_AT_SNAPSHOT,
  logTroubled: LOG_TROUBLED,
  logBreakerState: LOG_BREAKER_STATE,
  logBreakerOpened: LOG_BREAKER_OPENED,
  epoch: EPOCH,
} as const;

type PersistenceField = keyof typeof INDICES;

/** Flags are 0 or 1, what never happened is -1 or 0, as persistence.ts says of each. */
export type PersistenceReading = Readonly<Record<PersistenceField, number>>;

export function readPersistence(numbers: Float64Array): PersistenceReading {
  const reading = {} as Record<PersistenceField, number>;
  for (const [field, index] of Object.entries(INDICES)) reading[field as PersistenceField] = numbers[index];
  return reading;
}
