/**
 * How many keys a shard has in each slot, and to whom the slots belong: what a node of a cluster has to know of its keys.
 *
 * Runs on every thread, under the shard's lock. The counts are one word for each of the 16384 slots, in the shard's own memory, there
 * only in a cluster: they go up and down with the keys of database 0, the only one that a cluster has. A key costs the checksum of
 * its name (some 20 ns) when it comes and when it goes; on a node that is alone, the test of a field.
 */
import { ROLE_OWNER } from '../routing/node-table.ts';
import { slotOfKey } from '../routing/slot.ts';
import { entryBytes, keyLength, keyOffset } from './entry.ts';
import { DATABASE_TABLES } from './layout.ts';
import type { Shard } from './shard.ts';
import { groupCount, groupSize, refAt } from './table.ts';

/** The slot of an entry's key. */
export function slotOfEntry({ entries }: Shard, ref: number): number {
  const start = keyOffset(entries, ref);
  return slotOfKey(entryBytes(entries, ref), start, start + keyLength(entries, ref));
}

/** An entry has come to a table. */
export function countSlotKey(shard: Shard, table: number, ref: number): void {
  const { slotKeys } = shard;
  if (slotKeys === undefined || table !== shard.control[DATABASE_TABLES]) return;
  slotKeys[slotOfEntry(shard, ref)] += 1;
}

/** An entry, which is still whole, goes from a table that was not flushed. */
export function uncountSlotKey(shard: Shard, table: number, ref: number): void {
  const { slotKeys } = shard;
  if (slotKeys === undefined || table !== shard.control[DATABASE_TABLES]) return;
  slotKeys[slotOfEntry(shard, ref)] -= 1;
}

/** Counts anew, for a database that has become another. O(keys). */
export function recountSlotKeys(shard: Shard): void {
  if (shard.slotKeys === undefined) return;
  shard.slotKeys.fill(0);
  tallySlots(shard, shard.slotKeys);
}

/** What is wrong with the counts, or nothing. For checks: O(keys). */
export function checkSlotKeys(shard: Shard): string | undefined {
  const { slotKeys } = shard;
  if (slotKeys === undefined) return undefined;
  const found = new Uint32Array(slotKeys.length);
  tallySlots(shard, found);
  for (let slot = 0; slot < found.length; slot += 1) {
    if (found[slot] !== slotKeys[slot])
      return `slot ${slot} has ${found[slot]} keys, ${slotKeys[slot]} are counted`;
  }
  return undefined;
}

/**
 * Whether another node owns the entry's slot, or none: it goes when that one says so, not when its time has come. Asked for entries whose
 * time has come.
 */
export function isForeign(shard: Shard, ref: number): boolean {
  return shard.roles !== undefined && (shard.roles[slotOfEntry(shard, ref)] & ROLE_OWNER) === 0;
}

function tallySlots(shard: Shard, tally: Uint32Array): void {
  const table = shard.control[DATABASE_TABLES];
  for (let group = 0; group < groupCount(shard, table); group += 1) {
    for (let place = groupSize(shard, table, group) - 1; place >= 0; place -= 1) {
      tally[slotOfEntry(shard, refAt(shard, table, group, place))] += 1;
    }
  }
}
