/**
 * The section of INFO on loading, snapshots and the log: redis-server's fields in its order.
 *
 * Pure; any thread. A snapshot that was asked for as a rewrite of the log counts as one, any other as an RDB save. What
 * redis-server says of its children's memory is 0: nothing is forked.
 */
import type { Reading } from '../metrics/reading.ts';
import type { InfoSources } from './info-sources.ts';

const MS_PER_SECOND = 1000;

export function persistenceLines({ reading }: InfoSources): string[] {
  const { persistence } = reading;
  return [
    `loading:${persistence.loading}`,
    'async_loading:0',
    'current_cow_peak:0',
    'current_cow_size:0',
    'current_cow_size_age:0',
    ...snapshotLines(reading),
    'rdb_last_cow_size:0',
    'rdb_last_load_keys_expired:0',
    `rdb_last_load_keys_loaded:${persistence.loadedKeys}`,
    ...rewriteLines(reading),
    `aof_last_write_status:${status(persistence.logTroubled)}`,
    'aof_last_cow_size:0',
    'module_fork_in_progress:0',
    'module_fork_last_cow_size:0',
    ...(persistence.logEnabled === 1 ? logLines(reading) : []),
    ...(persistence.loading === 1 ? loadingLines(reading) : []),
  ];
}

function snapshotLines({ persistence, keyspace, takenAtMs }: Reading): string[] {
  const { snapshotRunning, snapshotEntriesDone, snapshotEntries, rewriteRunning } = persistence;
  const isSave = snapshotRunning === 1 && rewriteRunning === 0;
  return [
    `current_fork_perc:${percent(snapshotRunning * snapshotEntriesDone, snapshotEntries)}`,
    `current_save_keys_processed:${snapshotRunning * snapshotEntriesDone}`,
    `current_save_keys_total:${snapshotRunning * snapshotEntries}`,
    `rdb_changes_since_last_save:${Math.max(0, keyspace.changes - persistence.snapshotLsns)}`,
    `rdb_bgsave_in_progress:${isSave ? 1 : 0}`,
    `rdb_last_save_time:${Math.floor(persistence.snapshotLastMs / MS_PER_SECOND)}`,
    `rdb_last_bgsave_status:${status(persistence.snapshotLastFailed)}`,
    `rdb_last_bgsave_time_sec:${wholeSeconds(persistence.snapshotLastTookMs)}`,
    `rdb_current_bgsave_time_sec:${isSave ? wholeSeconds(takenAtMs - persistence.snapshotStartedMs) : -1}`,
    `rdb_saves:${persistence.snapshots}`,
  ];
}

function rewriteLines({ persistence, takenAtMs }: Reading): string[] {
  const { rewriteRunning } = persistence;
  const runningMs = takenAtMs - persistence.snapshotStartedMs;
  return [
    `aof_enabled:${persistence.logEnabled}`,
    `aof_rewrite_in_progress:${rewriteRunning}`,
    `aof_rewrite_scheduled:${persistence.rewriteScheduled}`,
    `aof_last_rewrite_time_sec:${wholeSeconds(persistence.rewriteLastTookMs)}`,
    `aof_current_rewrite_time_sec:${rewriteRunning === 1 ? wholeSeconds(runningMs) : -1}`,
    `aof_last_bgrewrite_status:${status(persistence.rewriteLastFailed)}`,
    `aof_rewrites:${persistence.rewrites}`,
    `aof_rewrites_consecutive_failures:${persistence.rewritesFailedInARow}`,
  ];
}

/** The snapshot is what redis-server's base file is, the records since are the rest of the log. */
function logLines({ persistence, keyspace, log }: Reading): string[] {
  const { snapshotBytes } = persistence;
  return [
    `aof_current_size:${snapshotBytes + persistence.logBytes}`,
    `aof_base_size:${snapshotBytes + persistence.logBytesAtSnapshot}`,
    `aof_pending_rewrite:${persistence.rewriteScheduled}`,
    `aof_buffer_length:${keyspace.pendingLogBytes}`,
    `aof_pending_bio_fsync:${log.filter(({ unsyncedBytes }) => unsyncedBytes > 0).length}`,
    `aof_delayed_fsync:${log.reduce((sum, { syncsDelayed }) => sum + syncsDelayed, 0)}`,
  ];
}

function loadingLines({ persistence, takenAtMs }: Reading): string[] {
  const { loadingBytes, loadingBytesDone, loadingStartedMs } = persistence;
  const elapsedSeconds = Math.floor((takenAtMs - loadingStartedMs) / MS_PER_SECOND);
  const leftBytes = loadingBytes - loadingBytesDone;
  // As redis-server reckons: a second, before there is anything to go by.
  const leftSeconds =
    elapsedSeconds === 0 ? 1 : Math.floor((elapsedSeconds * leftBytes) / (loadingBytesDone + 1));
  return [
    `loading_start_time:${Math.floor(loadingStartedMs / MS_PER_SECOND)}`,
    `loading_total_bytes:${loadingBytes}`,
    'loading_rdb_used_mem:0',
    `loading_loaded_bytes:${loadingBytesDone}`,
    `loading_loaded_perc:${percent(loadingBytesDone, loadingBytes)}`,
    `loading_eta_seconds:${leftSeconds}`,
  ];
}

/** Rounded down; -1 of what never happened. */
function wholeSeconds(ms: number): number {
  return Math.floor(ms / MS_PER_SECOND);
}

function status(failed: number): string {
  return failed === 0 ? 'ok' : 'err';
}

function percent(done: number, all: number): string {
  return (all === 0 ? 0 : (100 * done) / all).toFixed(2);
}
