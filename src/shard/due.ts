/**
 * The removal of many entries whose time has come, a slice at a time: what a million keys of one moment make necessary.
 *
 * Runs on every thread, under the shard's lock. The entries of one bucket lie one behind the other in their list and,
 * when they were written together, in memory and in time as well. So each step is done for all of them before the next:
 * the list is cut once, neighbouring blocks are given back as one, and the reads of one step do not wait for each other.
 * About 110 ns an entry, where one removal after the other takes 190.
 *
 * A hash may be due for fields only (due-fields.ts): it comes up again behind the others as long as it has some that are.
 *
 * A node of a cluster leaves the entries of slots that are another's until that one says that they are gone, or for the grace of a
 * dead owner's: its clock may be behind, or it may have moved the deadline. Readers find nothing under them meanwhile.
 */
import {
  ENTRIES_PER_DUE_FIELD,
  HOUSEKEEPING_SLICE_ENTRIES,
  REPLICA_EXPIRY_GRACE_MS,
} from '../config/limits.ts';
import { appendDelete, databaseOfTable } from './append.ts';
import { blockCells, releaseRun } from './arena.ts';
import { doomTree } from './doomed-trees.ts';
import { removeDueFields } from './due-fields.ts';
import { expiresAt, tableOf, typeOf } from './entry.ts';
import { dueAt, nextDue, nextInBucket, postponeDue, unscheduleRun } from './expiry.ts';
import { EVENT_EXPIRED, noteEntry, WATCHES_EXPIRED } from './key-events.ts';
import { isExpired } from './keyspace.ts';
import {
  CHANGING,
  COMPACTION_HAND,
  EXPIRED_KEYS,
  KEYS_LIVE,
  NONE,
  SHAPE,
  SHAPE_TYPE_MASK,
  SHAPE_TYPE_SHIFT,
  TABLE_DOOMED,
  TABLE_EXPIRING,
  TABLE_STATE,
  WORDS_PER_CELL,
} from './layout.ts';
import { expireEntry, removeEntry } from './lifecycle.ts';
import { forgetRecency } from './recency.ts';
import type { Shard } from './shard.ts';
import { isForeign, uncountSlotKey } from './slot-keys.ts';
import { hashOfEntry, shrinkTable, tableBase, takeFromTable } from './table.ts';
import { uncountType } from './type-counts.ts';

/** What one step removes: entries of one table that follow one another in a bucket. One per thread. */
const run = {
  refs: new Int32Array(HOUSEKEEPING_SLICE_ENTRIES),
  hashes: new Int32Array(HOUSEKEEPING_SLICE_ENTRIES),
  groups: new Int32Array(HOUSEKEEPING_SLICE_ENTRIES),
  count: 0,
  earliestMs: 0,
};

/** Removes entries that are due, `entriesMax` at the most; returns how late the latest was, in ms. */
export function removeDue(shard: Shard, nowMs: number, entriesMax: number): number {
  let lagMs = 0;
  let left = entriesMax;
  while (left > 0) {
    const first = nextDue(shard, nowMs, left);
    if (first === NONE) break;
    if (isForeign(shard, first)) {
      letForeignWait(shard, first, nowMs);
      left -= 1;
      continue;
    }
    if (!isExpired(shard, first, nowMs)) {
      lagMs = Math.max(lagMs, nowMs - dueAt(shard.entries, first));
      left -= removeFields(shard, first, nowMs, nowMs, left);
      continue;
    }
    collectRun(shard, first, nowMs, Math.min(left, run.refs.length));
    lagMs = Math.max(lagMs, nowMs - run.earliestMs);
    removeRun(shard, tableOf(shard.entries, first), run.count);
    left -= run.count;
  }
  return lagMs;
}

/** It comes up again when its grace is over, and goes then, or what of it is due. */
function letForeignWait(shard: Shard, ref: number, nowMs: number): void {
  const graceEndsMs = dueAt(shard.entries, ref) + REPLICA_EXPIRY_GRACE_MS;
  const beforeMs = nowMs - REPLICA_EXPIRY_GRACE_MS;
  if (graceEndsMs >= nowMs) postponeDue(shard, ref, graceEndsMs);
  else if (isExpired(shard, ref, beforeMs)) removeEntry(shard, ref);
  else removeFields(shard, ref, beforeMs, nowMs, HOUSEKEEPING_SLICE_ENTRIES);
}

/** Removes what fields of a hash a slice of so many entries has room for; of how many entries it has taken the room. */
function removeFields(shard: Shard, ref: number, beforeMs: number, nowMs: number, entries: number): number {
  const fieldsMax = Math.max(1, Math.floor(entries / ENTRIES_PER_DUE_FIELD));
  return removeDueFields(shard, ref, beforeMs, nowMs, fieldsMax) * ENTRIES_PER_DUE_FIELD;
}

/** Notes the entries from `first` on that are due and of its table. */
function collectRun(shard: Shard, first: number, nowMs: number, countMax: number): void {
  const { entries } = shard;
  const { refs } = run;
  const table = tableOf(entries, first);
  let earliestMs = Infinity;
  let count = 0;
  for (let ref = first; ref !== NONE && count < countMax; ref = nextInBucket(shard, ref)) {
    const deadlineMs = expiresAt(entries, ref);
    if (deadlineMs === 0 || deadlineMs >= nowMs || tableOf(entries, ref) !== table) break;
    if (ref !== first && isForeign(shard, ref)) break;
    if (deadlineMs < earliestMs) earliestMs = deadlineMs;
    refs[count] = ref;
    count += 1;
  }
  run.count = count;
  run.earliestMs = earliestMs;
}

function removeRun(shard: Shard, table: number, count: number): void {
  const { refs, hashes } = run;
  for (let i = 0; i < count; i += 1) hashes[i] = hashOfEntry(shard, refs[i]);
  if (shard.control[tableBase(table) + TABLE_STATE] === TABLE_DOOMED) {
    for (let i = 0; i < count; i += 1) expireEntry(shard, refs[i], hashes[i]);
    return;
  }
  shard.control[CHANGING] += 1;
  const database = databaseOfTable(shard, table);
  if ((shard.keyEvents.watches & WATCHES_EXPIRED) !== 0) {
    for (let i = 0; i < count; i += 1) noteEntry(shard, EVENT_EXPIRED, database, refs[i]);
  }
  for (let i = 0; i < count; i += 1) appendDelete(shard, database, refs[i]);
  for (let i = 0; i < count; i += 1) uncountType(shard, table, typeOf(shard.entries, refs[i]));
  if (shard.slotKeys !== undefined) {
    for (let i = 0; i < count; i += 1) uncountSlotKey(shard, table, refs[i]);
  }
  takeFromTable(shard, table, hashes, refs, run.groups, count);
  shrinkTable(shard, table, count);
  unscheduleRun(shard, refs[0], refs[count - 1], count);
  shard.control[tableBase(table) + TABLE_EXPIRING] -= count;
  shard.control[KEYS_LIVE] -= count;
  for (let i = 0; i < count; i += 1) doomTree(shard, refs[i]);
  for (let i = 0; i < count; i += 1) forgetEntry(shard, refs[i]);
  releaseBlocks(shard, count);
  shard.numbers[EXPIRED_KEYS] += count;
  shard.control[CHANGING] -= 1;
}

/** Takes an entry out of its recency list; from here on its block is none. */
function forgetEntry(shard: Shard, ref: number): void {
  const { control, entries } = shard;
  if (control[COMPACTION_HAND] === ref) control[COMPACTION_HAND] = NONE;
  forgetRecency(shard, ref);
  entries.words[ref * WORDS_PER_CELL + SHAPE] &= ~(SHAPE_TYPE_MASK << SHAPE_TYPE_SHIFT);
}

/** Gives the blocks back, those that lie one behind the other (either way) as one. */
function releaseBlocks(shard: Shard, count: number): void {
  const { entries } = shard;
  const { refs } = run;
  let start = refs[0];
  let cells = blockCells(entries.words, start);
  for (let i = 1; i < count; i += 1) {
    const ref = refs[i];
    const more = blockCells(entries.words, ref);
    if (ref + more === start) {
      start = ref;
    } else if (start + cells !== ref) {
      releaseRun(entries, start, cells);
      start = ref;
      cells = 0;
    }
    cells += more;
  }
  releaseRun(entries, start, cells);
}
