/**
 * Visiting every entry of a shard where it lies, in slices, while the shard serves on: for reports over all keys.
 *
 * Runs on a thread of the job pool; each slice takes the shard's lock. It goes through the databases in the order of their
 * numbers, and through each in hash order: an entry that is there throughout is visited at least once, twice where groups
 * of the index were merged meanwhile. A slice ends between two groups, after so many entries or so much time.
 */
import { VISIT_SLICE_ENTRIES, VISIT_SLICE_MS } from '../config/limits.ts';
import { tableFor } from './databases.ts';
import { DATABASES } from './layout.ts';
import { acquireShard, releaseShard } from './lock.ts';
import type { Shard } from './shard.ts';
import { POSITIONS, visitGroup } from './table.ts';

/**
 * Called under the lock, so some hundred nanoseconds at most: it neither allocates nor keeps the reference. `database` is the
 * one that the entry is in.
 */
export type EntryVisitor = (shard: Shard, ref: number, database: number) => void;

/** `pause` is called between slices, without the lock, and says whether to go on. Answers whether the visit came to its end. */
export function visitEntries(shard: Shard, visit: EntryVisitor, pause: () => boolean): boolean {
  for (let database = 0; database < shard.control[DATABASES]; database += 1) {
    let slice = 0;
    const visitOne = (ref: number): void => {
      slice += 1;
      visit(shard, ref, database);
    };
    for (let position = 0; position < POSITIONS; ) {
      const endMs = shard.clock.monotonicMs() + VISIT_SLICE_MS;
      slice = 0;
      acquireShard(shard);
      try {
        do {
          position = visitGroup(shard, tableFor(shard, database), position, visitOne);
          // An empty group takes time, too.
          slice += 1;
        } while (position < POSITIONS && slice < VISIT_SLICE_ENTRIES && shard.clock.monotonicMs() < endMs);
      } finally {
        releaseShard(shard);
      }
      if (!pause()) return false;
    }
  }
  return true;
}
