/**
 * A change of policy at run time: entries that expire go over to the list in which a `volatile-*` policy looks, and those of
 * S3-FIFO's small queue to where the next policy looks for them.
 *
 * Runs on the thread that changes the policy (the start) and on the shard's owner (the slices), under the shard's lock.
 * The walk goes from the newest to the oldest and appends at the oldest end of the other list, so that the order stays
 * exact while uses go on at the newest ends. A cursor names the next entry; whatever removes or moves it moves the cursor.
 * The small queue is emptied from its newest end, in the same way, and needs no cursor; its entries were on trial, and come to
 * stand behind the main queue's. S3-FIFO itself takes everything that is there for its main queue: nothing is moved.
 */
import { expiresAt } from './entry.ts';
import { formatGhosts } from './ghosts.ts';
import {
  HEAD_ALL,
  HEAD_SMALL,
  HEAD_VOLATILE,
  MIGRATION_CURSOR,
  NEWER,
  NONE,
  OLDER,
  POLICY,
  SMALL_KEYS,
  WORDS_PER_CELL,
} from './layout.ts';
import { ALL_S3FIFO, isVolatile } from './policy.ts';
import { connect, headFor, leaveSmall, olderThan, unlinkEntry } from './recency.ts';
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
    if (policy === ALL_S3FIFO) joinLists(entries.words);
  }
  formatGhosts(shard, policy === ALL_S3FIFO);
  control[POLICY] = policy;
}

/** Whether entries may stand in a list in which the policy does not look for them. */
export function isMigrating({ control }: Shard): boolean {
  return control[MIGRATION_CURSOR] !== NONE || (control[SMALL_KEYS] !== 0 && control[POLICY] !== ALL_S3FIFO);
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

/** Looks at no more than `entriesMax` entries; false when none is left. O(entriesMax). */
export function migrateRecency(shard: Shard, entriesMax: number): boolean {
  const { control, entries } = shard;
  let seen = emptySmall(shard, entriesMax);
  let ref = control[MIGRATION_CURSOR];
  for (; ref !== HEAD_ALL && seen < entriesMax; seen += 1) {
    const older = olderThan(entries, ref);
    if (expiresAt(entries, ref) !== 0) {
      unlinkEntry(entries.words, ref);
      linkOldest(entries.words, HEAD_VOLATILE, ref);
    }
    ref = older;
  }
  control[MIGRATION_CURSOR] = ref;
  return isMigrating(shard);
}

/** Moves at most `entriesMax` entries from the small queue; how many there were. */
function emptySmall(shard: Shard, entriesMax: number): number {
  const { entries } = shard;
  let moved = 0;
  for (; moved < entriesMax && shard.control[SMALL_KEYS] !== 0; moved += 1) {
    const ref = olderThan(entries, HEAD_SMALL);
    leaveSmall(shard, ref);
    unlinkEntry(entries.words, ref);
    linkOldest(entries.words, headFor(shard, ref), ref);
  }
  return moved;
}

function linkOldest(words: Int32Array, head: number, ref: number): void {
  const oldest = words[head * WORDS_PER_CELL + NEWER];
  connect(words, ref, oldest);
  connect(words, head, ref);
}
