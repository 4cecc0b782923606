/**
 * How many keys there are of each type: counted by table, so that a flush or a swap takes its counts along.
 *
 * Runs on every thread, under the shard's lock. Only collections are counted; the rest of a table's keys are strings.
 */
import {
  COLLECTION_TYPES,
  TABLE_COLLECTIONS,
  TABLE_KEYS,
  TABLE_MAPPED,
  TABLE_STATE,
  TABLES,
  TYPE_LIST,
  TYPE_STRING,
} from './layout.ts';
import type { Shard } from './shard.ts';
import { tableBase } from './table.ts';

/** A key of this type has come into the table. */
export function countType({ control }: Shard, table: number, type: number): void {
  if (type !== TYPE_STRING) control[tableBase(table) + TABLE_COLLECTIONS + type - TYPE_LIST] += 1;
}

/** A key of this type is about to leave the table, or to become one of another type. */
export function uncountType({ control }: Shard, table: number, type: number): void {
  if (type !== TYPE_STRING) control[tableBase(table) + TABLE_COLLECTIONS + type - TYPE_LIST] -= 1;
}

/** Keys of a type in all databases, expired ones that are not yet removed included. */
export function keysOfType({ control }: Shard, type: number): number {
  let keys = 0;
  for (let table = 0; table < control[TABLES]; table += 1) {
    const base = tableBase(table);
    if (control[base + TABLE_STATE] === TABLE_MAPPED) keys += keysInTable(control, base, type);
  }
  return keys;
}

/** Keys of a type in one table, which begins at the word `base`. */
function keysInTable(control: Int32Array, base: number, type: number): number {
  if (type !== TYPE_STRING) return control[base + TABLE_COLLECTIONS + type - TYPE_LIST];
  let strings = control[base + TABLE_KEYS];
  for (let index = 0; index < COLLECTION_TYPES; index += 1)
    strings -= control[base + TABLE_COLLECTIONS + index];
  return strings;
}
