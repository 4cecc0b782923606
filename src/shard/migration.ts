/**
 * A change of policy at run time: entries that expire go over to the list in which a `volatile-*` policy looks.
 *
 * Runs on the thread that changes the policy (the start) and on the shard's owner (the slices), under the shard's lock.
 * The walk goes from the newest to the oldest and appends at the oldest end of the other list, so that the order stays
 * exact while uses go on at the newest ends. A cursor names the next entry; whatever removes or moves it moves the cursor.
 */
import { expiresAt } from './entry.ts';
import {
  HEAD_ALL,
  HEAD_VOLATILE,
  MIGRATION_CURSOR,
  NEWER,
  NONE,
  OLDER,
  POLICY,
  WORDS_PER_CELL,
} from './layout.ts';
import { isVolatile } from './policy.ts';
import { connect, olderThan, unlinkEntry } from './recency.ts';
import type { Shard } from './shard.ts';

/** Sets the policy and, where entries may now stand in the wrong list, begins to move them. */
export function changePolicy(shard: Shard, policy: number): void {
  const { control, entries } = shard;
  const begins = isVolatile(policy) && !isVolatile(control[POLICY]);
  if (begins) {
    joinLists(entries.words);
    control[MIGRATION_CURSOR] = olderThan(entries, HEAD_ALL);
  } else if (!isVolatile(policy)) {
    control[MIGRATION_CURSOR] = NONE;
  }
  control[POLICY] = policy;
}

/** What is left from an earlier `volatile-*` policy was not used since: it is older than what that policy's successor moved. */
function joinLists(words: Int32Array): void {
  const oldest = words[HEAD_VOLATILE * WORDS_PER_CELL + NEWER];
  const newest = words[HEAD_VOLATILE * WORDS_PER_CELL + OLDER];
  if (oldest === HEAD_VOLATILE) return;
  connect(words, newest, words[HEAD_ALL * WORDS_PER_CELL + NEWER]);
  connect(words, HEAD_ALL, oldest);
  connect(words, HEAD_VOLATILE, HEAD_VOLATILE);
}

/** Moves the cursor over at most `entriesMax` entries; false when none is left. O(entriesMax). */
export function migrateRecency(shard: Shard, entriesMax: number): boolean {
  const { control, entries } = shard;
  let ref = control[MIGRATION_CURSOR];
  for (let seen = 0; ref !== HEAD_ALL && seen < entriesMax; seen += 1) {
    const older = olderThan(entries, ref);
    if (expiresAt(entries, ref) !== 0) {
      unlinkEntry(entries.words, ref);
      linkOldest(entries.words, ref);
    }
    ref = older;
  }
  control[MIGRATION_CURSOR] = ref;
  return ref !== HEAD_ALL;
}

function linkOldest(words: Int32Array, ref: number): void {
  const oldest = words[HEAD_VOLATILE * WORDS_PER_CELL + NEWER];
  connect(words, ref, oldest);
  connect(words, HEAD_VOLATILE, ref);
}
