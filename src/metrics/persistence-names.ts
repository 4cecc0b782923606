/**
 * What is told of loading, snapshots and the log, as data: the field of the reading, what the world calls it, and `scale`,
 * the factor from the field's unit to the base unit of the name. Constants only; any thread.
 */
import type { Metric } from './names.ts';

const MS_TO_SECONDS = 1e-3;

/** Of the whole process. What is -1, because it never happened, is left out. */
export const PERSISTENCE_METRICS = [
  {
    field: 'loading',
    name: 'distcache_loading',
    type: 'gauge',
    unit: '',
    scale: 1,
    help: 'Whether the data set is being loaded from disk: 1, else 0.',
  },
  {
    field: 'loadingBytes',
    name: 'distcache_loading_bytes',
    type: 'gauge',
    unit: 'bytes',
    scale: 1,
    help: 'Bytes of the files of the load that runs, or of the last one.',
  },
  {
    field: 'loadingBytesDone',
    name: 'distcache_loading_done_bytes',
    type: 'gauge',
    unit: 'bytes',
    scale: 1,
    help: 'How many of the bytes to load have been.',
  },
  {
    field: 'loadedKeys',
    name: 'distcache_loaded_keys',
    type: 'gauge',
    unit: '',
    scale: 1,
    help: 'Keys that the last load has brought.',
  },
  {
    field: 'loadMs',
    name: 'distcache_load_duration_seconds',
    type: 'gauge',
    unit: 'seconds',
    scale: MS_TO_SECONDS,
    help: 'How long the last load took.',
  },
  {
    field: 'snapshotRunning',
    name: 'distcache_snapshot_running',
    type: 'gauge',
    unit: '',
    scale: 1,
    help: 'Whether a snapshot is being taken: 1, else 0.',
  },
  {
    field: 'snapshotEntries',
    name: 'distcache_snapshot_entries',
    type: 'gauge',
    unit: '',
    scale: 1,
    help: 'Entries of the snapshot that runs, or of the last one.',
  },
  {
    field: 'snapshotEntriesDone',
    name: 'distcache_snapshot_done_entries',
    type: 'gauge',
    unit: '',
    scale: 1,
    help: 'How many of the entries of the snapshot have been copied.',
  },
  {
    field: 'snapshotLastMs',
    name: 'distcache_snapshot_last_timestamp_seconds',
    type: 'gauge',
    unit: 'seconds',
    scale: MS_TO_SECONDS,
    help: 'When the newest snapshot was whole, in seconds since 1970; the start before there was one.',
  },
  {
    field: 'snapshotLastTookMs',
    name: 'distcache_snapshot_last_duration_seconds',
    type: 'gauge',
    unit: 'seconds',
    scale: MS_TO_SECONDS,
    help: 'How long the last snapshot took.',
  },
  {
    field: 'snapshotLastFailed',
    name: 'distcache_snapshot_last_failed',
    type: 'gauge',
    unit: '',
    scale: 1,
    help: 'Whether the last snapshot failed: 1, else 0.',
  },
  {
    field: 'snapshotBytes',
    name: 'distcache_snapshot_bytes',
    type: 'gauge',
    unit: 'bytes',
    scale: 1,
    help: 'Bytes of the files of the newest snapshot.',
  },
  {
    field: 'snapshots',
    name: 'distcache_snapshots_total',
    type: 'counter',
    unit: '',
    scale: 1,
    help: 'Snapshots that were taken.',
  },
  {
    field: 'rewrites',
    name: 'distcache_log_rewrites_total',
    type: 'counter',
    unit: '',
    scale: 1,
    help: 'Snapshots that were taken to shorten the log.',
  },
  {
    field: 'logEnabled',
    name: 'distcache_log_enabled',
    type: 'gauge',
    unit: '',
    scale: 1,
    help: 'Whether changes are logged: 1, else 0.',
  },
  {
    field: 'logBytes',
    name: 'distcache_log_bytes',
    type: 'gauge',
    unit: 'bytes',
    scale: 1,
    help: 'Bytes of the log since the newest snapshot.',
  },
  {
    field: 'logTroubled',
    name: 'distcache_log_troubled',
    type: 'gauge',
    unit: '',
    scale: 1,
    help: 'Whether a write or sync of the log failed and nothing has mended that yet: 1, else 0.',
  },
  {
    field: 'logBreakerOpened',
    name: 'distcache_log_breaker_openings_total',
    type: 'counter',
    unit: '',
    scale: 1,
    help: 'Times that the circuit breaker of the log has opened.',
  },
  {
    field: 'epoch',
    name: 'distcache_log_epoch',
    type: 'gauge',
    unit: '',
    scale: 1,
    help: 'The epoch of the log: it grows with each start and each repair.',
  },
] as const satisfies readonly (Metric & { field: string; scale: number })[];

export const BREAKER_STATE_METRIC: Metric = {
  name: 'distcache_log_breaker_state',
  type: 'gauge',
  unit: '',
  help: 'The state of the circuit breaker of the log: 1 for the one that it is in, 0 for the others.',
};

export const SYNC_METRIC: Metric = {
  name: 'distcache_log_sync_seconds',
  type: 'histogram',
  unit: 'seconds',
  help: 'How long syncs of the log took.',
};

/** By the number that a state has in the reading. */
export const BREAKER_STATES = ['closed', 'open', 'half-open'] as const;

/** Of each stream. */
export const LOG_STREAM_METRICS = [
  {
    field: 'bytesWritten',
    name: 'distcache_log_written_bytes_total',
    type: 'counter',
    unit: 'bytes',
    scale: 1,
    help: 'Bytes written to the log.',
  },
  {
    field: 'blocksWritten',
    name: 'distcache_log_blocks_total',
    type: 'counter',
    unit: '',
    scale: 1,
    help: 'Blocks written to the log, each with one call of the system.',
  },
  {
    field: 'writesFailed',
    name: 'distcache_log_failed_writes_total',
    type: 'counter',
    unit: '',
    scale: 1,
    help: 'Writes and syncs of the log that failed.',
  },
  {
    field: 'syncs',
    name: 'distcache_log_syncs_total',
    type: 'counter',
    unit: '',
    scale: 1,
    help: 'Times that the log was forced to disk.',
  },
  {
    field: 'syncsDelayed',
    name: 'distcache_log_delayed_syncs_total',
    type: 'counter',
    unit: '',
    scale: 1,
    help: 'Syncs of the log that took so long that the next one was late.',
  },
  {
    field: 'syncMsLast',
    name: 'distcache_log_sync_last_seconds',
    type: 'gauge',
    unit: 'seconds',
    scale: MS_TO_SECONDS,
    help: 'How long the last sync of the log took.',
  },
  {
    field: 'syncMsMax',
    name: 'distcache_log_sync_max_seconds',
    type: 'gauge',
    unit: 'seconds',
    scale: MS_TO_SECONDS,
    help: 'How long the longest sync of the log took.',
  },
  {
    field: 'unsyncedBytes',
    name: 'distcache_log_unsynced_bytes',
    type: 'gauge',
    unit: 'bytes',
    scale: 1,
    help: 'Bytes of the log that were written and may not be on the disk yet.',
  },
] as const satisfies readonly (Metric & { field: string; scale: number })[];
