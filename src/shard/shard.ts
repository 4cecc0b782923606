/**
 * A shard as one thread sees it: views over the shard's SharedArrayBuffers, and the thread's own few variables.
 *
 * The buffers are created once by the main thread and belong to the process: they survive any worker.
 */
import { assert } from '../base/assert.ts';
import type { Clock } from '../base/clock.ts';
import { DATABASES_MAX } from '../config/limits.ts';
import { SLOT_COUNT } from '../routing/slot.ts';
import { type Arena, arenaBytesFor, formatArena, openArena } from './arena.ts';
import { type Backlog, createBacklogBuffer, openBacklog } from './backlog.ts';
import { startWheel } from './expiry.ts';
import { ghostBytesFor } from './ghosts.ts';
import { type Journal, journalBytesFor, openJournal } from './journal.ts';
import { createKeyEvents, type KeyEvents } from './key-events.ts';
import {
  CELL_BYTES,
  CHANGING,
  COMPACTION_HAND,
  DATABASE_TABLES,
  DATABASES,
  DOOMED_TREES,
  DOOMED_TREES_COUNT,
  HASH_KEY_0,
  HASH_KEY_1,
  HOLD_SAMPLING,
  KEYS_DOOMED,
  KEYS_LIVE,
  KEYS_MAX,
  LFU_DECAY_MINUTES,
  LFU_LOG_FACTOR,
  LIMIT_BYTES,
  MIGRATION_CURSOR,
  NARROW_KEY_AT,
  NONE,
  NUMBERS,
  POLICY,
  PROTECTED,
  PROTECTED_SOURCE,
  RANDOM_STATE,
  ROOT_WORDS,
  SCHEDULED_LIVE,
  TABLE_AREA,
  TABLE_MAPPED,
  TABLE_STATE,
  TABLE_WORDS,
  TABLES,
  WHEEL_HEADS,
  WRITING,
} from './layout.ts';
import { formatRecency } from './recency.ts';
import { rootWordsFor, tableBase } from './table.ts';

/** The memory of a shard, as it is handed to every thread. */
export type ShardBuffers = {
  readonly numbers: SharedArrayBuffer;
  readonly control: SharedArrayBuffer;
  readonly entries: SharedArrayBuffer;
  readonly groups: SharedArrayBuffer;
  readonly journal: SharedArrayBuffer;
  readonly ghosts: SharedArrayBuffer;
  /** Keys per slot (slot-keys.ts); undefined on a node that is alone. */
  readonly slotKeys: SharedArrayBuffer | undefined;
  /** The latest records, for replicas (backlog.ts); undefined on a node that is alone. */
  readonly backlog: SharedArrayBuffer | undefined;
};

/** One thread's views of one shard. */
export type Shard = {
  readonly index: number;
  readonly threadId: number;
  readonly clock: Clock;
  readonly control: Int32Array;
  readonly numbers: Float64Array;
  readonly entries: Arena;
  readonly groups: Arena;
  readonly journal: Journal;
  readonly ghosts: Int32Array;
  /** By slot: keys of this shard in database 0; undefined on a node that is alone. */
  readonly slotKeys: Uint32Array | undefined;
  /** What replicas of its slots have not got yet; undefined on a node that is alone. */
  readonly backlog: Backlog | undefined;
  /** By slot: what it is to this node (routing/node-table.ts), to be read only; undefined on a node that is alone, and for loading. */
  roles: Uint8Array | undefined;
  /** The thread's own record of what happens to keys: one for all its shards, where somebody may want to know. */
  readonly keyEvents: KeyEvents;
  /** What this thread was held up by; all its shards share one. */
  delays: Delays;
  /** Whether clients are paused: what has expired is not to be removed by readers. Asked when they have found some. */
  isPaused: () => boolean;
  /** How long this thread waits for the lock before it gives up: for ever on workers. */
  lockWaitMs: number;
  holdCountdown: number;
  holdTimed: boolean;
};

/** When a thread began to wait for something that may take long, by the monotonic clock; 0 once that has been looked at. */
export type Delays = { sinceMs: number };

/** What a shard is created with. Limits are this shard's share; `capacityBytes` is reserved and bounds later limits. */
export type ShardOptions = {
  readonly capacityBytes: number;
  readonly limitBytes: number;
  readonly keysMax: number;
  readonly policy: number;
  readonly databases: number;
  readonly lfuLogFactor: number;
  readonly lfuDecayMinutes: number;
  readonly holdSampling: number;
  /** The secret of the key hash; two words that nothing else is made of. */
  readonly hashKey: readonly [number, number];
  /** Where the shard's draws begin; not 0. */
  readonly seed: number;
  readonly nowMs: number;
  /** Whether its keys are counted by slots, as a node of a cluster needs it. */
  readonly countsSlots?: boolean;
  /** The size of its backlog; none on a node that is alone. */
  readonly backlogBytes?: number;
};

/** A flush hands a database a fresh table while the old one drains: each database may have one of each. */
const TABLES_PER_DATABASE = 2;

/** The index never takes more than this share of the entries' bytes: 7 of at least 48 a key, with room to fragment. */
const GROUPS_SHARE = 0.25;
const GROUPS_BYTES_MIN = 2 ** 20;

/** Reserves and formats a shard's memory. The kernel commits pages as they are touched. */
export function createShardBuffers(options: ShardOptions): ShardBuffers {
  assert(options.databases >= 1 && options.databases <= DATABASES_MAX, 'databases are within their bound');
  const entriesBytes = arenaBytesFor(options.capacityBytes);
  const groupsBytes = arenaBytesFor(
    Math.max(GROUPS_BYTES_MIN, Math.ceil(options.capacityBytes * GROUPS_SHARE)),
  );
  const tables = options.databases * TABLES_PER_DATABASE;
  const keysMax = options.capacityBytes / (NARROW_KEY_AT + CELL_BYTES);
  const rootWords = rootWordsFor(keysMax);
  const controlWords = TABLE_AREA + tables * (TABLE_WORDS + rootWords);
  const buffers = {
    numbers: new SharedArrayBuffer(NUMBERS * Float64Array.BYTES_PER_ELEMENT),
    control: new SharedArrayBuffer(controlWords * Int32Array.BYTES_PER_ELEMENT),
    entries: new SharedArrayBuffer(entriesBytes),
    groups: new SharedArrayBuffer(groupsBytes),
    journal: new SharedArrayBuffer(journalBytesFor(options.capacityBytes)),
    ghosts: new SharedArrayBuffer(ghostBytesFor(keysMax)),
    slotKeys: options.countsSlots
      ? new SharedArrayBuffer(SLOT_COUNT * Uint32Array.BYTES_PER_ELEMENT)
      : undefined,
    backlog: options.backlogBytes === undefined ? undefined : createBacklogBuffer(options.backlogBytes),
  };
  const control = new Int32Array(buffers.control);
  control[DATABASES] = options.databases;
  control[TABLES] = tables;
  control[ROOT_WORDS] = rootWords;
  control[POLICY] = options.policy;
  control[KEYS_MAX] = options.keysMax;
  control[LFU_LOG_FACTOR] = options.lfuLogFactor;
  control[LFU_DECAY_MINUTES] = options.lfuDecayMinutes;
  control[HOLD_SAMPLING] = options.holdSampling;
  control[RANDOM_STATE] = options.seed;
  control[HASH_KEY_0] = options.hashKey[0];
  control[HASH_KEY_1] = options.hashKey[1];
  new Float64Array(buffers.numbers)[LIMIT_BYTES] = options.limitBytes;
  return buffers;
}

/** Maps a shard's memory in the calling thread. Nobody asks what happens to its keys, but by the record that is given. */
export function openShard(
  buffers: ShardBuffers,
  index: number,
  threadId: number,
  clock: Clock,
  keyEvents = createKeyEvents(),
): Shard {
  return {
    index,
    threadId,
    clock,
    control: new Int32Array(buffers.control),
    numbers: new Float64Array(buffers.numbers),
    entries: openArena(buffers.entries),
    groups: openArena(buffers.groups),
    journal: openJournal(buffers.journal),
    ghosts: new Int32Array(buffers.ghosts),
    slotKeys: buffers.slotKeys === undefined ? undefined : new Uint32Array(buffers.slotKeys),
    backlog: buffers.backlog === undefined ? undefined : openBacklog(buffers.backlog),
    roles: undefined,
    keyEvents,
    delays: { sinceMs: 0 },
    isPaused: () => false,
    lockWaitMs: Infinity,
    holdCountdown: 1,
    holdTimed: false,
  };
}

/** Empties a shard: both arenas, all tables, the wheel. Settings and totals stay. At start, and as the last repair. */
export function formatShard(shard: Shard, nowMs: number): void {
  const { control } = shard;
  formatArena(shard.entries);
  formatArena(shard.groups);
  control.fill(0, TABLE_AREA, TABLE_AREA + control[TABLES] * TABLE_WORDS);
  formatIndex(shard, nowMs);
  for (let database = 0; database < control[DATABASES]; database += 1) {
    control[DATABASE_TABLES + database] = database;
    control[tableBase(database) + TABLE_STATE] = TABLE_MAPPED;
  }
}

/** Empties index, lists, wheel and counts; which table a database has, and which are doomed, stays. */
export function formatIndex(shard: Shard, nowMs: number): void {
  const { control } = shard;
  const states: number[] = [];
  for (let table = 0; table < control[TABLES]; table += 1)
    states.push(control[tableBase(table) + TABLE_STATE]);
  control.fill(0, WHEEL_HEADS);
  for (const [table, state] of states.entries()) control[tableBase(table) + TABLE_STATE] = state;
  control[KEYS_LIVE] = 0;
  control[KEYS_DOOMED] = 0;
  control[PROTECTED] = NONE;
  control[PROTECTED_SOURCE] = NONE;
  control[WRITING] = NONE;
  control[CHANGING] = 0;
  control[MIGRATION_CURSOR] = NONE;
  control[COMPACTION_HAND] = NONE;
  control[SCHEDULED_LIVE] = 0;
  control[DOOMED_TREES] = NONE;
  control[DOOMED_TREES_COUNT] = 0;
  shard.slotKeys?.fill(0);
  formatRecency(shard);
  startWheel(shard, nowMs);
}
