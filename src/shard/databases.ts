/**
 * The logical databases of a shard: which table each one is, and how one is emptied or exchanged in no time.
 *
 * Runs on every thread, under the shard's lock. A flush hands the database an empty table and dooms the old one, which
 * the shard's owner then drains in slices; a swap exchanges two numbers.
 */
import { appendFlush, appendSwap } from './append.ts';
import {
  CHANGING,
  DATABASE_TABLES,
  FLUSHES_OF_DATABASES,
  KEYS_DOOMED,
  KEYS_LIVE,
  SNAPSHOT_VOID,
  SWAPS_OF_DATABASES,
  TABLE_DOOMED,
  TABLE_DRAIN,
  TABLE_EXPIRING,
  TABLE_FREE,
  TABLE_KEYS,
  TABLE_MAPPED,
  TABLE_STATE,
  TABLES,
} from './layout.ts';
import { removeEntry } from './lifecycle.ts';
import type { Shard } from './shard.ts';
import { recountSlotKeys } from './slot-keys.ts';
import { groupCount, groupSize, refAt, tableBase } from './table.ts';

/** Entries removed at a time while a flush waits for a table to become free. */
const DRAINED_PER_STEP = 256;

/** The table of a logical database. */
export function tableFor(shard: Shard, database: number): number {
  return shard.control[DATABASE_TABLES + database];
}

/** Keys of a database in this shard, expired ones that are not yet removed included. */
export function keyCount(shard: Shard, database: number): number {
  return shard.control[tableBase(tableFor(shard, database)) + TABLE_KEYS];
}

/** Those of them that have an expiry. */
export function expiringCount(shard: Shard, database: number): number {
  return shard.control[tableBase(tableFor(shard, database)) + TABLE_EXPIRING];
}

/** The keys of all tables that have an expiry, flushed ones that are not yet removed included. */
export function expiringKeys({ control }: Shard): number {
  let count = 0;
  for (let table = 0; table < control[TABLES]; table += 1)
    count += control[tableBase(table) + TABLE_EXPIRING];
  return count;
}

/**
 * Empties a database; its memory comes back as the doomed table is drained. O(1) unless earlier flushes still drain. Of
 * an empty database it is no change.
 */
export function flushDatabase(shard: Shard, database: number): void {
  const { control } = shard;
  const doomed = tableFor(shard, database);
  const keys = control[tableBase(doomed) + TABLE_KEYS];
  if (keys === 0) return;
  const fresh = freeTable(shard);
  control[CHANGING] += 1;
  control[tableBase(fresh) + TABLE_STATE] = TABLE_MAPPED;
  control[tableBase(doomed) + TABLE_STATE] = TABLE_DOOMED;
  control[tableBase(doomed) + TABLE_DRAIN] = groupCount(shard, doomed) - 1;
  control[DATABASE_TABLES + database] = fresh;
  control[KEYS_LIVE] -= keys;
  control[KEYS_DOOMED] += keys;
  control[SNAPSHOT_VOID] += 1;
  shard.numbers[FLUSHES_OF_DATABASES + database] += 1;
  if (database === 0) shard.slotKeys?.fill(0);
  appendFlush(shard, database);
  control[CHANGING] -= 1;
}

/** Exchanges two databases. O(1), but O(keys) for database 0 of a node of a cluster, where it is refused. Of two empty ones, or of one with itself, it is no change. */
export function swapDatabases(shard: Shard, one: number, other: number): void {
  const { control, numbers } = shard;
  if (one === other || (keyCount(shard, one) === 0 && keyCount(shard, other) === 0)) return;
  const table = tableFor(shard, one);
  control[CHANGING] += 1;
  control[DATABASE_TABLES + one] = tableFor(shard, other);
  control[DATABASE_TABLES + other] = table;
  control[SNAPSHOT_VOID] += 1;
  numbers[SWAPS_OF_DATABASES + one] += 1;
  numbers[SWAPS_OF_DATABASES + other] += 1;
  if (one === 0 || other === 0) recountSlotKeys(shard);
  appendSwap(shard, one, other);
  control[CHANGING] -= 1;
}

/** Removes at most `entriesMax` entries of flushed databases; false when none is left. */
export function drainDoomed(shard: Shard, entriesMax: number): boolean {
  const { control } = shard;
  let left = entriesMax;
  for (let table = 0; table < control[TABLES] && left > 0 && control[KEYS_DOOMED] > 0; table += 1) {
    if (control[tableBase(table) + TABLE_STATE] === TABLE_DOOMED) left = drainTable(shard, table, left);
  }
  return control[KEYS_DOOMED] > 0;
}

/** From the last group down, which is the order in which a shrinking table merges its groups away. */
function drainTable(shard: Shard, table: number, entriesMax: number): number {
  const { control } = shard;
  const base = tableBase(table);
  let left = entriesMax;
  while (left > 0 && control[base + TABLE_KEYS] > 0) {
    const group = Math.min(control[base + TABLE_DRAIN], groupCount(shard, table) - 1);
    const size = groupSize(shard, table, group);
    if (size === 0) {
      control[base + TABLE_DRAIN] = group === 0 ? groupCount(shard, table) - 1 : group - 1;
    } else {
      removeEntry(shard, refAt(shard, table, group, size - 1));
    }
    left -= 1;
  }
  return left;
}

function freeTable(shard: Shard): number {
  for (;;) {
    const table = findFreeTable(shard);
    if (table !== NONE_FREE) return table;
    drainDoomed(shard, DRAINED_PER_STEP);
  }
}

const NONE_FREE = -1;

function findFreeTable(shard: Shard): number {
  const { control } = shard;
  for (let table = 0; table < control[TABLES]; table += 1) {
    if (control[tableBase(table) + TABLE_STATE] === TABLE_FREE) return table;
  }
  return NONE_FREE;
}
