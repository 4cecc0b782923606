/** Tests of INFO persistence: every number that is stored appears in the field that redis-server has for it. */
import { describe, expect, it } from 'vitest';
import {
  LOADED_KEYS,
  LOADING,
  LOADING_BYTES_DONE,
  LOADING_BYTES_TOTAL,
  LOADING_STARTED_MS,
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
} from '../../src/metrics/persistence.ts';
import { pendingBytes, startJournaling } from '../../src/shard/journal.ts';
import { createHarness, type Harness } from '../support/harness.ts';
import { sampleStream } from '../support/sample-reading.ts';
import { START_MS } from '../support/shard.ts';

function fieldsOf(harness: Harness): Record<string, string> {
  const lines = harness.run('INFO', 'persistence').split('\r\n');
  const pairs = lines.filter((line) => line.includes(':')).map((line) => line.split(':'));
  return Object.fromEntries(pairs);
}

/** The fields, after these numbers were stored. */
function fieldsWith(numbers: Readonly<Record<number, number>>, harness = createHarness()) {
  for (const [index, value] of Object.entries(numbers)) harness.engine.persistence[Number(index)] = value;
  return fieldsOf(harness);
}

describe('INFO persistence', () => {
  it('of a fresh server says that nothing has happened yet', () => {
    expect(fieldsOf(createHarness())).toMatchObject({
      loading: '0',
      current_fork_perc: '0.00',
      current_save_keys_processed: '0',
      rdb_changes_since_last_save: '0',
      rdb_bgsave_in_progress: '0',
      rdb_last_save_time: `${Math.floor(START_MS / 1000)}`,
      rdb_last_bgsave_status: 'ok',
      rdb_last_bgsave_time_sec: '-1',
      rdb_current_bgsave_time_sec: '-1',
      rdb_saves: '0',
      aof_enabled: '0',
      aof_rewrite_in_progress: '0',
      aof_last_rewrite_time_sec: '-1',
      aof_current_rewrite_time_sec: '-1',
      aof_last_bgrewrite_status: 'ok',
      aof_last_write_status: 'ok',
    });
    const names = Object.keys(fieldsOf(createHarness()));
    expect(names).not.toContain('aof_current_size');
    expect(names).not.toContain('loading_start_time');
  });

  it('counts the changes since the newest snapshot began', () => {
    const harness = createHarness();
    for (let index = 0; index < 5; index += 1) harness.run('SET', `key:${index}`, 'v');
    expect(fieldsOf(harness).rdb_changes_since_last_save).toBe('5');
    expect(fieldsWith({ [SNAPSHOT_LSNS]: 3 }, harness).rdb_changes_since_last_save).toBe('2');
    expect(fieldsWith({ [SNAPSHOT_LSNS]: 9 }, harness).rdb_changes_since_last_save).toBe('0');
  });

  it('tells of the snapshot that runs, as a save or as a rewrite', () => {
    const running = {
      [SNAPSHOT_RUNNING]: 1,
      [SNAPSHOT_STARTED_MS]: START_MS - 4999,
      [SNAPSHOT_ENTRIES_DONE]: 250,
      [SNAPSHOT_ENTRIES_TOTAL]: 1000,
    };
    const progress = {
      current_fork_perc: '25.00',
      current_save_keys_processed: '250',
      current_save_keys_total: '1000',
    };
    expect(fieldsWith(running)).toMatchObject({
      ...progress,
      rdb_bgsave_in_progress: '1',
      rdb_current_bgsave_time_sec: '4',
      aof_rewrite_in_progress: '0',
      aof_current_rewrite_time_sec: '-1',
    });
    expect(fieldsWith({ ...running, [REWRITE_RUNNING]: 1 })).toMatchObject({
      ...progress,
      rdb_bgsave_in_progress: '0',
      rdb_current_bgsave_time_sec: '-1',
      aof_rewrite_in_progress: '1',
      aof_current_rewrite_time_sec: '4',
    });
    expect(fieldsWith({ ...running, [SNAPSHOT_RUNNING]: 0 })).toMatchObject({
      current_fork_perc: '0.00',
      current_save_keys_processed: '0',
      current_save_keys_total: '0',
      rdb_current_bgsave_time_sec: '-1',
    });
  });

  it('tells what came of the last snapshot and the last rewrite', () => {
    const numbers = {
      [SNAPSHOT_LAST_MS]: 1_700_000_123_999,
      [SNAPSHOT_LAST_FAILED]: 1,
      [SNAPSHOT_LAST_TOOK_MS]: 2500,
      [SNAPSHOTS]: 7,
      [LOADED_KEYS]: 12,
      [REWRITE_SCHEDULED]: 1,
      [REWRITE_LAST_FAILED]: 1,
      [REWRITE_LAST_TOOK_MS]: 3999,
      [REWRITES]: 4,
      [REWRITES_FAILED_IN_A_ROW]: 2,
      [LOG_TROUBLED]: 1,
    };
    expect(fieldsWith(numbers)).toMatchObject({
      rdb_last_save_time: '1700000123',
      rdb_last_bgsave_status: 'err',
      rdb_last_bgsave_time_sec: '2',
      rdb_saves: '7',
      rdb_last_load_keys_loaded: '12',
      aof_rewrite_scheduled: '1',
      aof_last_bgrewrite_status: 'err',
      aof_last_rewrite_time_sec: '3',
      aof_rewrites: '4',
      aof_rewrites_consecutive_failures: '2',
      aof_last_write_status: 'err',
    });
  });

  it('tells the size of the log, which includes the snapshot, and what is on its way to the disk', () => {
    const harness = createHarness();
    Object.assign(harness.engine, {
      logReading: () => [sampleStream(0), { ...sampleStream(1), unsyncedBytes: 0 }],
    });
    for (const shard of harness.shards) startJournaling(shard);
    for (let index = 0; index < 9; index += 1) harness.run('SET', `key:${index}`, 'v');
    const pending = harness.shards.reduce((sum, shard) => sum + pendingBytes(shard), 0);
    expect(pending).toBeGreaterThan(0);
    const numbers = {
      [LOG_ENABLED]: 1,
      [SNAPSHOT_BYTES]: 4096,
      [LOG_BYTES]: 700,
      [LOG_BYTES_AT_SNAPSHOT]: 100,
      [REWRITE_SCHEDULED]: 1,
    };
    expect(fieldsWith(numbers, harness)).toMatchObject({
      aof_enabled: '1',
      aof_current_size: '4796',
      aof_base_size: '4196',
      aof_pending_rewrite: '1',
      aof_buffer_length: `${pending}`,
      aof_pending_bio_fsync: '1',
      aof_delayed_fsync: '3',
    });
  });

  it('tells how far a load is, and when it may end', () => {
    const loading = {
      [LOADING]: 1,
      [LOADING_STARTED_MS]: START_MS - 2000,
      [LOADING_BYTES_TOTAL]: 4000,
      [LOADING_BYTES_DONE]: 999,
    };
    const started = `${Math.floor((START_MS - 2000) / 1000)}`;
    expect(fieldsWith(loading)).toMatchObject({
      loading: '1',
      loading_start_time: started,
      loading_total_bytes: '4000',
      loading_rdb_used_mem: '0',
      loading_loaded_bytes: '999',
      loading_loaded_perc: '24.98',
      loading_eta_seconds: '6',
    });
    const justBegun = { [LOADING]: 1, [LOADING_STARTED_MS]: START_MS };
    expect(fieldsWith(justBegun)).toMatchObject({ loading_loaded_perc: '0.00', loading_eta_seconds: '1' });
  });
});
