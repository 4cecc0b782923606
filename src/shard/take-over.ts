/**
 * One entry in the place of another: a block of another size that goes on as the same key.
 *
 * Runs on every thread, under the shard's lock.
 */
import { expiresAt, tableOf, writeExpiresAt } from './entry.ts';
import { rescheduleMoved } from './expiry.ts';
import { CLOCK_AND_TABLE, HIGHS, WHEEL_NEXT, WHEEL_PREVIOUS, WORDS_PER_CELL } from './layout.ts';
import { freeBlock } from './lifecycle.ts';
import { adoptEntry } from './recency.ts';
import type { Shard } from './shard.ts';
import { replaceInTable } from './table.ts';

/**
 * Makes `to` stand for the entry `from` everywhere, keeping its expiry and its clock, and frees `from`. `isScheduled` says that the wheel has
 * `from`, whose value need not be legible any more; `to` takes its place there.
 */
export function takeOver(shard: Shard, from: number, to: number, hash: number, isScheduled: boolean): void {
  const { entries } = shard;
  const { words } = entries;
  const source = from * WORDS_PER_CELL;
  const target = to * WORDS_PER_CELL;
  words[target + CLOCK_AND_TABLE] = words[source + CLOCK_AND_TABLE];
  words[target + HIGHS] = 0;
  writeExpiresAt(entries, to, expiresAt(entries, from));
  replaceInTable(shard, tableOf(entries, from), hash, from, to);
  if (isScheduled) {
    words[target + WHEEL_NEXT] = words[source + WHEEL_NEXT];
    words[target + WHEEL_PREVIOUS] = words[source + WHEEL_PREVIOUS];
    rescheduleMoved(shard, to);
  }
  freeBlock(shard, from);
  adoptEntry(shard, to);
}
