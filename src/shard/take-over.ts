/**
 * One entry in the place of another: a block of another size that goes on as the same key.
 *
 * Runs on every thread, under the shard's lock.
 */
import { expiresAt, tableOf, writeExpiresAt } from './entry.ts';
import { scheduleEntry } from './expiry.ts';
import { CLOCK_AND_TABLE, HIGHS, TABLE_EXPIRING, WORDS_PER_CELL } from './layout.ts';
import { detachEntry } from './lifecycle.ts';
import { adoptEntry } from './recency.ts';
import type { Shard } from './shard.ts';
import { replaceInTable, tableBase } from './table.ts';

/** Makes `to` stand for the entry `from` everywhere, keeping its expiry and its clock, and frees `from`. */
export function takeOver(shard: Shard, from: number, to: number, hash: number): void {
  const { entries, control } = shard;
  const table = tableOf(entries, from);
  const expiresAtMs = expiresAt(entries, from);
  entries.words[to * WORDS_PER_CELL + CLOCK_AND_TABLE] =
    entries.words[from * WORDS_PER_CELL + CLOCK_AND_TABLE];
  entries.words[to * WORDS_PER_CELL + HIGHS] = 0;
  writeExpiresAt(entries, to, expiresAtMs);
  replaceInTable(shard, table, hash, from, to);
  detachEntry(shard, from);
  adoptEntry(shard, to);
  if (expiresAtMs === 0) return;
  scheduleEntry(shard, to);
  control[tableBase(table) + TABLE_EXPIRING] += 1;
}
