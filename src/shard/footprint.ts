/**
 * What an entry takes of the shard's memory, with all that belongs to it.
 *
 * Runs on every thread, under the shard's lock.
 */
import { cellsOfHead, headOf } from '../collections/page.ts';
import { footprintBytes } from './entry.ts';
import { CELL_BYTES, NONE } from './layout.ts';
import type { Shard } from './shard.ts';

/** Bytes of the entry's block, of its share of the index, and of the pages of a large collection. O(1). */
export function memoryOfEntry(shard: Shard, ref: number): number {
  const { entries } = shard;
  const head = headOf(shard, ref);
  const pages = head === NONE ? 0 : cellsOfHead(entries, head) * CELL_BYTES;
  return footprintBytes(entries, ref) + pages;
}
