/**
 * Entries at random: for RANDOMKEY, the random and lfu policies, and the choice of windows to compact.
 *
 * Runs on every thread, under the shard's lock. A place is drawn within a random group and refused when the group has
 * no such place, so that full groups are not favoured. Expected cost: a few draws.
 */
import { DATABASE_TABLES, DATABASES, KEYS_LIVE, NONE, TABLE_KEYS } from './layout.ts';
import { randomUint32 } from './recency.ts';
import type { Shard } from './shard.ts';
import { groupCount, groupSize, refAt, tableBase } from './table.ts';

/** Draws before the search goes on group by group: enough for any table that is not nearly empty. */
const DRAWS_MAX = 64;

/** Groups hold about 24 references and rarely twice as many; a place beyond is redrawn within the group. */
const PLACES_DRAWN = 48;

/** A random entry of the shard, NONE when it has none. */
export function sampleEntry(shard: Shard): number {
  const table = sampleTable(shard);
  return table === NONE_DRAWN ? NONE : sampleFromTable(shard, table);
}

/** A table drawn with the weight of its keys, or -1 when no database has any. */
export function sampleTable(shard: Shard): number {
  const { control } = shard;
  if (control[KEYS_LIVE] === 0) return NONE_DRAWN;
  let left = randomUint32(shard) % control[KEYS_LIVE];
  for (let database = 0; database < control[DATABASES]; database += 1) {
    const table = control[DATABASE_TABLES + database];
    const keys = control[tableBase(table) + TABLE_KEYS];
    if (left < keys) return table;
    left -= keys;
  }
  return NONE_DRAWN;
}

/** A random entry of one table, NONE when it is empty. */
export function sampleFromTable(shard: Shard, table: number): number {
  if (shard.control[tableBase(table) + TABLE_KEYS] === 0) return NONE;
  const groups = groupCount(shard, table);
  for (let draw = 0; draw < DRAWS_MAX; draw += 1) {
    const group = randomUint32(shard) % groups;
    const size = groupSize(shard, table, group);
    const place = randomUint32(shard) % Math.max(size, PLACES_DRAWN);
    if (place < size) return refAt(shard, table, group, place);
  }
  const first = randomUint32(shard) % groups;
  for (let step = 0; step < groups; step += 1) {
    const group = (first + step) % groups;
    const size = groupSize(shard, table, group);
    if (size > 0) return refAt(shard, table, group, randomUint32(shard) % size);
  }
  return NONE;
}

/**
 * The number of a random group of a table that has entries, drawn with the weight of its entries: for looking at all of
 * them. Without the weight, groups from which every draw takes one would run empty of all but what is kept.
 */
export function sampleGroup(shard: Shard, table: number): number {
  const groups = groupCount(shard, table);
  for (let draw = 0; draw < DRAWS_MAX; draw += 1) {
    const group = randomUint32(shard) % groups;
    const size = groupSize(shard, table, group);
    if (randomUint32(shard) % Math.max(size, PLACES_DRAWN) < size) return group;
  }
  const first = randomUint32(shard) % groups;
  for (let step = 0; step < groups; step += 1) {
    const group = (first + step) % groups;
    if (groupSize(shard, table, group) > 0) return group;
  }
  return NONE_DRAWN;
}

/** What a draw of a number from 0 answers when there is nothing to draw from. */
export const NONE_DRAWN = -1;
