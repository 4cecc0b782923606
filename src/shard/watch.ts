/**
 * Whether a key is still what it was when a client began to watch it, by the numbers of the changes and not by its value.
 *
 * Runs on every thread, under the shard's lock. A key that is there carries the number of its last change, and its database
 * counts its swaps. A key that is not there has nowhere to carry one. While anybody watches such a key, the shard notes
 * the number of each birth and removal at a place that is found by database and hash of the key. Two keys may share a place: then a change of
 * one is taken for one of the other, which is the safe side.
 */
import { assert } from '../base/assert.ts';
import { lsnOf } from './entry.ts';
import { findEntry } from './keyspace.ts';
import { FLUSHES_OF_DATABASES, LSN, NONE, SWAPS_OF_DATABASES, WATCHED_ABSENT } from './layout.ts';
import { presenceLsn } from './lifecycle.ts';
import type { Shard } from './shard.ts';
import { hashOf } from './table.ts';

/** What a watcher remembers of a key. */
export type Watch = {
  /** The number of the key's last change; ABSENT where there was no key. */
  lsn: number;
  /** The last change of the shard, and the swaps and flushes of the database, until then. */
  shardLsn: number;
  swaps: number;
  flushes: number;
};

/** No change has this number. */
const ABSENT = 0;

/** Two swaps, or one and a flush, may have brought a key and taken it away again. */
const SWAPS_SEEN_THROUGH = 1;

/** Begins to watch the key `bytes[start, end)`. An absent one is watched until `unwatchKey`. */
export function watchKey(
  shard: Shard,
  database: number,
  bytes: Uint8Array,
  start: number,
  end: number,
  nowMs: number,
): Watch {
  const { numbers, control, entries } = shard;
  const ref = findEntry(shard, database, bytes, start, end, nowMs);
  if (ref === NONE) control[WATCHED_ABSENT] += 1;
  return {
    lsn: ref === NONE ? ABSENT : lsnOf(entries, ref),
    shardLsn: numbers[LSN],
    swaps: numbers[SWAPS_OF_DATABASES + database],
    flushes: numbers[FLUSHES_OF_DATABASES + database],
  };
}

/** Whether unwatching it takes the shard's lock. */
export function watchesAbsent({ lsn }: Watch): boolean {
  return lsn === ABSENT;
}

/** Ends the watch of a key that was absent. */
export function unwatchAbsent({ control }: Shard): void {
  control[WATCHED_ABSENT] -= 1;
  assert(control[WATCHED_ABSENT] >= 0, 'nobody ends the watch of another');
}

/** Whether nothing has happened to the key: not to its value, nor to its deadline, which has not passed either. */
export function isUntouched(
  shard: Shard,
  watch: Watch,
  database: number,
  bytes: Uint8Array,
  start: number,
  end: number,
  nowMs: number,
): boolean {
  const { numbers, entries } = shard;
  const swaps = numbers[SWAPS_OF_DATABASES + database] - watch.swaps;
  const ref = findEntry(shard, database, bytes, start, end, nowMs);
  if (watch.lsn !== ABSENT) return ref !== NONE && swaps === 0 && lsnOf(entries, ref) === watch.lsn;
  if (ref !== NONE || swaps > SWAPS_SEEN_THROUGH) return false;
  if (swaps > 0 && numbers[FLUSHES_OF_DATABASES + database] !== watch.flushes) return false;
  return presenceLsn(shard, database, hashOf(shard, bytes, start, end)) <= watch.shardLsn;
}
