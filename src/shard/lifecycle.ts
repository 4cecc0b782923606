/**
 * The birth, removal and moving of whole entries: what keeps the arena, the index, recency, expiry and the counts in step.
 *
 * Runs on every thread, under the shard's lock.
 */
import { hasDeadlines } from '../collections/deadlines.ts';
import { writeForm } from '../collections/form.ts';
import { headOf, writeOwner } from '../collections/page.ts';
import { appendDelete, appendExpire, databaseOfTable } from './append.ts';
import { allocate, blockCells, release } from './arena.ts';
import { doomTree } from './doomed-trees.ts';
import { expiresAt, tableOf, typeOf, writeExpiresAt, writeLsn } from './entry.ts';
import { isTimed, rescheduleMoved, scheduleAt, scheduleEntry, unscheduleEntry } from './expiry.ts';
import { EVENT_EXPIRED, noteEntry, WATCHES_EXPIRED } from './key-events.ts';
import {
  CELL_BYTES,
  CHANGING,
  COMPACTION_HAND,
  EXPIRED_KEYS,
  EXPIRES_AT_MS_MAX,
  KEYS_DOOMED,
  KEYS_LIVE,
  MIGRATION_CURSOR,
  NONE,
  PRESENCE_CHANGES,
  PRESENCE_PLACE_MASK,
  PROTECTED,
  PROTECTED_SOURCE,
  SHAPE,
  SHAPE_SLACK_SHIFT,
  SHAPE_TYPE_MASK,
  SHAPE_TYPE_SHIFT,
  SHAPE_WIDE,
  TABLE_DOOMED,
  TABLE_EXPIRING,
  TABLE_KEYS,
  TABLE_STATE,
  WATCHED_ABSENT,
  WORDS_PER_CELL,
  WRITING,
} from './layout.ts';
import { forgetRecency, relinkEntry, relistEntry } from './recency.ts';
import type { Shard } from './shard.ts';
import { uncountSlotKey } from './slot-keys.ts';
import { clearTable, hashOfEntry, removeFromTable, replaceInTable, tableBase } from './table.ts';
import { uncountType } from './type-counts.ts';

/** Odd, so that no two databases have the same place for one hash. */
const DATABASE_SPREAD = 0x9e3779b1;

/** Without these in its SHAPE a block is no entry. */
const TYPE_BITS = SHAPE_TYPE_MASK << SHAPE_TYPE_SHIFT;

/** Removes an entry whose hash is known. It is a change of the shard, unless a flush has taken the entry already. */
export function destroyEntry(shard: Shard, ref: number, hash: number): void {
  const { control } = shard;
  const table = tableOf(shard.entries, ref);
  const base = tableBase(table);
  if (control[base + TABLE_STATE] === TABLE_DOOMED) {
    uncountType(shard, table, typeOf(shard.entries, ref));
    removeFromTable(shard, table, hash, ref);
    doomTree(shard, ref);
    detachEntry(shard, ref);
    control[KEYS_DOOMED] -= 1;
    if (control[base + TABLE_KEYS] === 0) clearTable(shard, table);
    return;
  }
  control[CHANGING] += 1;
  const database = databaseOfTable(shard, table);
  const lsn = appendDelete(shard, database, ref);
  if (control[WATCHED_ABSENT] !== 0) notePresence(shard, database, hash, lsn);
  uncountType(shard, table, typeOf(shard.entries, ref));
  uncountSlotKey(shard, table, ref);
  removeFromTable(shard, table, hash, ref);
  doomTree(shard, ref);
  detachEntry(shard, ref);
  control[KEYS_LIVE] -= 1;
  control[CHANGING] -= 1;
}

/** Notes for those who watch absent keys that the change `lsn` brings one of this hash, or takes it away. */
export function notePresence({ numbers }: Shard, database: number, hash: number, lsn: number): void {
  numbers[presencePlace(database, hash)] = lsn;
}

/** The last change that brought a key of this hash to the database, or took it away; or a like one. */
export function presenceLsn({ numbers }: Shard, database: number, hash: number): number {
  return numbers[presencePlace(database, hash)];
}

function presencePlace(database: number, hash: number): number {
  return PRESENCE_CHANGES + ((hash ^ Math.imul(database, DATABASE_SPREAD)) & PRESENCE_PLACE_MASK);
}

/** Removes an entry. O(1), plus hashing its key: what is large about a collection goes later (doomed-trees.ts). */
export function removeEntry(shard: Shard, ref: number): void {
  destroyEntry(shard, ref, hashOfEntry(shard, ref));
}

/** Removes an entry because its time has come. */
export function expireEntry(shard: Shard, ref: number, hash: number): void {
  shard.numbers[EXPIRED_KEYS] += 1;
  if ((shard.keyEvents.watches & WATCHES_EXPIRED) !== 0) noteGone(shard, EVENT_EXPIRED, ref);
  destroyEntry(shard, ref, hash);
}

/** Notes why an entry is about to go, unless a flush has taken it already. */
export function noteGone(shard: Shard, kind: number, ref: number): void {
  const table = tableOf(shard.entries, ref);
  if (shard.control[tableBase(table) + TABLE_STATE] === TABLE_DOOMED) return;
  noteEntry(shard, kind, databaseOfTable(shard, table), ref);
}

/** Takes an entry out of everything but its table, and frees its block; what pages it has stay. */
export function detachEntry(shard: Shard, ref: number): void {
  const { control, entries } = shard;
  if (isTimed(entries, ref)) unscheduleEntry(shard, ref);
  if (expiresAt(entries, ref) !== 0) control[tableBase(tableOf(entries, ref)) + TABLE_EXPIRING] -= 1;
  freeBlock(shard, ref);
}

/** Frees the block of an entry that neither its table nor the wheel has any more. */
export function freeBlock(shard: Shard, ref: number): void {
  const { control, entries } = shard;
  if (control[COMPACTION_HAND] === ref) control[COMPACTION_HAND] = NONE;
  forgetRecency(shard, ref);
  entries.words[ref * WORDS_PER_CELL + SHAPE] &= ~TYPE_BITS;
  release(entries, ref);
}

/** An entry is about to become a string: what it has as a collection goes. */
export function dropCollection(shard: Shard, ref: number): void {
  const { entries } = shard;
  uncountType(shard, tableOf(entries, ref), typeOf(entries, ref));
  doomTree(shard, ref);
  // A string is in the wheel for its own deadline only.
  if (!hasDeadlines(entries, ref)) return;
  if (expiresAt(entries, ref) === 0) unscheduleEntry(shard, ref);
  writeForm(entries, ref, 0);
}

/** Sets or (with 0) removes the time at which an entry expires. It is a change of the shard. O(1). */
export function setExpiry(shard: Shard, ref: number, expiresAtMs: number): void {
  const { control, entries } = shard;
  const expiry = Math.min(expiresAtMs, EXPIRES_AT_MS_MAX);
  control[WRITING] = ref;
  replaceExpiry(shard, ref, expiry);
  writeLsn(entries, ref, appendExpire(shard, databaseOfTable(shard, tableOf(entries, ref)), ref, expiry));
  control[WRITING] = NONE;
}

/** As `setExpiry`, for a caller that stamps the entry itself. */
export function replaceExpiry(shard: Shard, ref: number, expiresAtMs: number): void {
  const { control, entries } = shard;
  const before = expiresAt(entries, ref);
  if (before === expiresAtMs) return;
  const expiring = tableBase(tableOf(entries, ref)) + TABLE_EXPIRING;
  const isTimedHash = hasDeadlines(entries, ref);
  if (before !== 0 || isTimedHash) unscheduleEntry(shard, ref);
  if (before !== 0) control[expiring] -= 1;
  writeExpiresAt(entries, ref, expiresAtMs);
  if (isTimedHash) scheduleEntry(shard, ref);
  else if (expiresAtMs !== 0) scheduleAt(shard, ref, expiresAtMs);
  if (expiresAtMs !== 0) control[expiring] += 1;
  if ((before === 0) !== (expiresAtMs === 0)) relistEntry(shard, ref);
}

/** In a narrow entry's SHAPE: its block has a cell to spare, because the allocator had no use for it. */
const SPARE_CELL = CELL_BYTES << SHAPE_SLACK_SHIFT;

/** Moves an entry to a fresh block of its own size; false when there is none. O(bytes). */
export function moveEntry(shard: Shard, from: number): boolean {
  const { control, entries } = shard;
  const { words } = entries;
  const hash = hashOfEntry(shard, from);
  const first = from * WORDS_PER_CELL;
  const shape = words[first + SHAPE];
  const head = headOf(shard, from);
  const isScheduled = isTimed(entries, from);
  const isNarrow = (shape & SHAPE_WIDE) === 0;
  const before = blockCells(words, from);
  const cells = isNarrow && (shape & SPARE_CELL) !== 0 ? before - 1 : before;
  let to = allocate(entries, before);
  if (to !== NONE && isNarrow && blockCells(words, to) > cells + 1) {
    // One cell to spare can be told, two cannot.
    release(entries, to);
    to = allocate(entries, cells);
  }
  if (to === NONE) return false;
  if (control[WRITING] === from) {
    // A half-written entry passes for one in neither place without the mark.
    words[first + SHAPE] = shape & ~TYPE_BITS;
    control[WRITING] = to;
  }
  words.copyWithin(to * WORDS_PER_CELL + 1, first + 1, first + cells * WORDS_PER_CELL);
  // The value of a narrow entry ends so many bytes before its block does.
  const spare = isNarrow && blockCells(words, to) > cells ? SPARE_CELL : 0;
  words[to * WORDS_PER_CELL + SHAPE] = isNarrow ? (shape & ~SPARE_CELL) | spare : shape;
  if (head !== NONE) writeOwner(shard, head, to);
  replaceInTable(shard, tableOf(entries, to), hash, from, to);
  relinkEntry(words, to);
  if (isScheduled) rescheduleMoved(shard, to);
  if (control[PROTECTED] === from) control[PROTECTED] = to;
  if (control[PROTECTED_SOURCE] === from) control[PROTECTED_SOURCE] = to;
  if (control[MIGRATION_CURSOR] === from) control[MIGRATION_CURSOR] = to;
  if (control[COMPACTION_HAND] === from) control[COMPACTION_HAND] = NONE;
  words[first + SHAPE] &= ~TYPE_BITS;
  return true;
}
