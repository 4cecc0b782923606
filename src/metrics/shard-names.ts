/**
 * What is told of shards, databases and the process, as data: the field of the reading, what the world calls it, and
 * `scale`, the factor from the field's unit to the base unit of the name. Constants only; any thread.
 */
import type { Metric } from './names.ts';

const MS_TO_SECONDS = 1e-3;

export const NS_TO_SECONDS = 1e-9;

export const SHARD_METRICS = [
  {
    field: 'keys',
    name: 'distcache_shard_keys',
    type: 'gauge',
    unit: '',
    scale: 1,
    help: 'Keys in the shard, all databases.',
  },
  {
    field: 'expiring',
    name: 'distcache_shard_expiring_keys',
    type: 'gauge',
    unit: '',
    scale: 1,
    help: 'Keys in the shard that have a deadline.',
  },
  {
    field: 'doomed',
    name: 'distcache_shard_doomed_keys',
    type: 'gauge',
    unit: '',
    scale: 1,
    help: 'Keys of flushed databases that are still to be freed.',
  },
  {
    field: 'doomedTrees',
    name: 'distcache_shard_doomed_collections',
    type: 'gauge',
    unit: '',
    scale: 1,
    help: 'Large collections that are gone and still to be freed.',
  },
  {
    field: 'usedBytes',
    name: 'distcache_shard_used_bytes',
    type: 'gauge',
    unit: 'bytes',
    scale: 1,
    help: 'Memory of the shard that counts against its limit.',
  },
  {
    field: 'limitBytes',
    name: 'distcache_shard_limit_bytes',
    type: 'gauge',
    unit: 'bytes',
    scale: 1,
    help: 'The share of maxmemory that the shard may use.',
  },
  {
    field: 'indexBytes',
    name: 'distcache_shard_index_bytes',
    type: 'gauge',
    unit: 'bytes',
    scale: 1,
    help: 'Bytes of the index, among the used ones.',
  },
  {
    field: 'arenaBytes',
    name: 'distcache_shard_arena_bytes',
    type: 'gauge',
    unit: 'bytes',
    scale: 1,
    help: 'Bytes of the arenas up to their last used block.',
  },
  {
    field: 'freeBlocksBytes',
    name: 'distcache_shard_free_blocks_bytes',
    type: 'gauge',
    unit: 'bytes',
    scale: 1,
    help: 'Bytes of the arenas that lie free before their last used block.',
  },
  {
    field: 'fragmentation',
    name: 'distcache_shard_fragmentation_ratio',
    type: 'gauge',
    unit: 'ratio',
    scale: 1,
    help: 'Bytes of the arenas up to their last used block for each byte in use: 1 at best.',
  },
  {
    field: 'evictedKeys',
    name: 'distcache_shard_evicted_keys_total',
    type: 'counter',
    unit: '',
    scale: 1,
    help: 'Keys evicted for memory or maxkeys.',
  },
  {
    field: 'expiredKeys',
    name: 'distcache_shard_expired_keys_total',
    type: 'counter',
    unit: '',
    scale: 1,
    help: 'Keys removed after their deadline.',
  },
  {
    field: 'expiredFields',
    name: 'distcache_shard_expired_fields_total',
    type: 'counter',
    unit: '',
    scale: 1,
    help: 'Fields of hashes removed after their deadline.',
  },
  {
    field: 'expiryLagMs',
    name: 'distcache_shard_expiry_lag_seconds',
    type: 'gauge',
    unit: 'seconds',
    scale: MS_TO_SECONDS,
    help: 'How late the last key was removed after its deadline.',
  },
  {
    field: 'expiryLagMsMax',
    name: 'distcache_shard_expiry_lag_max_seconds',
    type: 'gauge',
    unit: 'seconds',
    scale: MS_TO_SECONDS,
    help: 'The longest that any key was removed after its deadline.',
  },
  {
    field: 'changes',
    name: 'distcache_shard_changes_total',
    type: 'counter',
    unit: '',
    scale: 1,
    help: 'Changes of keys: writes, removals, expiries and evictions.',
  },
  {
    field: 'compactedEntries',
    name: 'distcache_shard_compacted_entries_total',
    type: 'counter',
    unit: '',
    scale: 1,
    help: 'Entries moved to join scattered free memory.',
  },
  {
    field: 'repairs',
    name: 'distcache_shard_repairs_total',
    type: 'counter',
    unit: '',
    scale: 1,
    help: 'Times the shard was rebuilt after a thread died in it.',
  },
  {
    field: 'lockWaits',
    name: 'distcache_shard_lock_waits_total',
    type: 'counter',
    unit: '',
    scale: 1,
    help: 'Times a thread found the lock of the shard taken.',
  },
  {
    field: 'lockWaitNs',
    name: 'distcache_shard_lock_wait_seconds_total',
    type: 'counter',
    unit: 'seconds',
    scale: NS_TO_SECONDS,
    help: 'How long threads waited for the lock of the shard when they found it taken.',
  },
  {
    field: 'pendingLogBytes',
    name: 'distcache_shard_pending_log_bytes',
    type: 'gauge',
    unit: 'bytes',
    scale: 1,
    help: 'Bytes of records that are still to be written to the log.',
  },
] as const satisfies readonly (Metric & { field: string; scale: number })[];

export const LOCK_HOLD_METRIC: Metric = {
  name: 'distcache_shard_lock_hold_seconds',
  type: 'histogram',
  unit: 'seconds',
  help: 'How long the lock of the shard was held, of the holds that were timed.',
};

export const LOCK_HOLD_MAX_METRIC: Metric = {
  name: 'distcache_shard_lock_hold_max_seconds',
  type: 'gauge',
  unit: 'seconds',
  help: 'The longest hold of the lock of the shard, of those that were timed.',
};

export const EVICTED_IDLE_METRIC: Metric = {
  name: 'distcache_evicted_idle_seconds',
  type: 'histogram',
  unit: 'seconds',
  help: 'For how long what was evicted had not been used, all shards.',
};

export const SHARD_EVICTED_IDLE_METRIC: Metric = {
  name: 'distcache_shard_evicted_idle_seconds',
  type: 'summary',
  unit: 'seconds',
  help: 'For how long what the shard evicted had not been used.',
};

export const DATABASE_METRICS = [
  {
    field: 'keys',
    name: 'distcache_database_keys',
    type: 'gauge',
    unit: '',
    help: 'Keys in the database, all shards; empty databases are left out.',
  },
  {
    field: 'expiring',
    name: 'distcache_database_expiring_keys',
    type: 'gauge',
    unit: '',
    help: 'Keys in the database that have a deadline; empty databases are left out.',
  },
] as const satisfies readonly (Metric & { field: string })[];

export const TYPE_METRIC: Metric = {
  name: 'distcache_keys_by_type',
  type: 'gauge',
  unit: '',
  help: 'Keys of the type, all shards and databases.',
};

export const PROCESS_METRICS = [
  {
    field: 'residentBytes',
    name: 'distcache_process_resident_memory_bytes',
    type: 'gauge',
    unit: 'bytes',
    help: 'Memory of the process that is in RAM.',
  },
  {
    field: 'heapUsedBytes',
    name: 'distcache_process_heap_used_bytes',
    type: 'gauge',
    unit: 'bytes',
    help: 'JavaScript heap of the main thread in use.',
  },
  {
    field: 'cpuUserSeconds',
    name: 'distcache_process_cpu_user_seconds_total',
    type: 'counter',
    unit: 'seconds',
    help: 'Processor time spent in the program.',
  },
  {
    field: 'cpuSystemSeconds',
    name: 'distcache_process_cpu_system_seconds_total',
    type: 'counter',
    unit: 'seconds',
    help: 'Processor time spent in the kernel.',
  },
] as const satisfies readonly (Metric & { field: string })[];

export const BUILD_INFO_METRIC: Metric = {
  name: 'distcache_build_info',
  type: 'gauge',
  unit: '',
  help: 'Always 1; the labels tell what is running.',
};

export const START_TIME_METRIC: Metric = {
  name: 'distcache_start_time_seconds',
  type: 'gauge',
  unit: 'seconds',
  help: 'When the server started, in seconds since 1970.',
};
