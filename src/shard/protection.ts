/**
 * What must not go while the running command makes room: the entry that it replaces, and the one that it copies from.
 *
 * Runs on every thread, under the shard's lock. Compaction moves such entries, and names them anew.
 */
import { NONE, PROTECTED, PROTECTED_SOURCE } from './layout.ts';
import { newerThan, oldestOf } from './recency.ts';
import type { Shard } from './shard.ts';

export function isProtected({ control }: Shard, ref: number): boolean {
  return ref === control[PROTECTED] || ref === control[PROTECTED_SOURCE];
}

/** The oldest entry of a list that may go, or NONE. */
export function oldestUnprotected(shard: Shard, head: number): number {
  const { entries } = shard;
  let ref = oldestOf(entries, head);
  while (ref !== head && isProtected(shard, ref)) ref = newerThan(entries, ref);
  return ref === head ? NONE : ref;
}
