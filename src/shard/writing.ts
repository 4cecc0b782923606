/**
 * The mark of an entry that is in change: half written, or without a record of what it has become. If the thread dies, recovery drops
 * it whole (recover.ts), and the log is begun anew.
 *
 * Runs on every thread, under the shard's lock. The mark stays until the change has its record (collections/change.ts).
 */
import { WRITING } from './layout.ts';
import type { Shard } from './shard.ts';

/** Marks an entry. */
export function beginWriting({ control }: Shard, ref: number): void {
  control[WRITING] = ref;
}

/** The entry is whole, and `ref` by now; its record is to come. */
export function endWriting({ control }: Shard, ref: number): void {
  control[WRITING] = ref;
}

/** Marks an entry whose form changes, but not what it holds. Returns the mark that there was, for `endRebuilding`. */
export function beginRebuilding({ control }: Shard, ref: number): number {
  const before = control[WRITING];
  control[WRITING] = ref;
  return before;
}

/** The entry is whole again. */
export function endRebuilding({ control }: Shard, before: number): void {
  control[WRITING] = before;
}
