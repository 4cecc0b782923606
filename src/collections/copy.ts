/**
 * A collection put under another key: copied in its shard or to another one, whose lock is held too, or moved within its shard.
 *
 * Runs on the thread of the command. A copy goes by way of private memory, as the record that the log gets of it: what is made for it
 * in the same shard may move the source. A large collection that is moved keeps its pages; it is written out for the log only.
 */
import { Buffer } from 'node:buffer';
import { copySharedBytes } from '../base/bytes.ts';
import { CHANGE_BYTES_KEPT_MAX, COPY_ROOM_SHARE } from '../config/limits-collections.ts';
import { appendChange } from '../shard/append.ts';
import { tableFor } from '../shard/databases.ts';
import { entryBytes, typeOf, valueOffset, writeLsn } from '../shard/entry.ts';
import { canEverHold, makeRoom, ROOM_MADE } from '../shard/eviction.ts';
import { isJournaling } from '../shard/journal.ts';
import { createEntry } from '../shard/keyspace.ts';
import { EXPIRES_AT_MS_MAX, LSN, NONE, PROTECTED_SOURCE, WRITING } from '../shard/layout.ts';
import { destroyEntry, removeEntry } from '../shard/lifecycle.ts';
import { createRecordView, EFFECT_CHANGE, RECORD_CREATES, RECORD_TYPE_SHIFT } from '../shard/record.ts';
import { REDO_NO_ROOM, redo } from '../shard/redo.ts';
import { shrinkEntry } from '../shard/resize-entry.ts';
import type { Shard } from '../shard/shard.ts';
import { findInTable, hashOf } from '../shard/table.ts';
import { hasDeadlines } from './deadlines.ts';
import { exportWhole, type Operations, pushBytes } from './export.ts';
import {
  PACKED_GROUPS,
  readHead,
  TREE_VALUE_BYTES,
  writeBirth,
  writeForm,
  writePackedCount,
} from './form.ts';
import { beginDeadlines, endDeadlines } from './hash-deadlines.ts';
import { writeOwner } from './page.ts';
import { collectionBytes } from './sequence.ts';

/** What a moved collection's entry needs besides its key, and what of the index is its own. */
const MOVED_ENTRY_BYTES = 256;

/** The key and the operations of the copy at hand, and the record that they are. One per thread. */
const record: Operations = { bytes: Buffer.alloc(0), length: 0 };
const view = createRecordView();

/**
 * Creates or replaces an entry with the collection of another. The source stays; in one shard, making room may move it: its old reference
 * is void. The entry; NONE without room, and then the key is as it was, or, if memory was too much in pieces, gone.
 */
export function copyCollection(
  shard: Shard,
  database: number,
  key: Buffer,
  keyStart: number,
  keyEnd: number,
  source: Shard,
  sourceRef: number,
  expiresAtMs: number,
  nowMs: number,
): number {
  const bytes = Math.ceil(collectionBytes(source, sourceRef) * COPY_ROOM_SHARE);
  source.control[PROTECTED_SOURCE] = sourceRef;
  if (!canEverHold(shard, bytes) || makeRoom(shard, bytes, nowMs, Infinity) !== ROOM_MADE) {
    source.control[PROTECTED_SOURCE] = NONE;
    return NONE;
  }
  writeRecord(key, keyStart, keyEnd, source, source.control[PROTECTED_SOURCE], expiresAtMs);
  const hash = hashOf(shard, key, keyStart, keyEnd);
  const existing = findInTable(shard, tableFor(shard, database), hash, key, keyStart, keyEnd);
  const ref = redo(shard, database, hash, existing, view, record.bytes, nowMs);
  source.control[PROTECTED_SOURCE] = NONE;
  forgetRecord();
  return ref === REDO_NO_ROOM ? NONE : ref;
}

/**
 * Gives the large collection of an entry to another key of the shard, in the place of what that has; the source goes. Returns the new
 * entry, NONE without room. O(1), and O(n) some ns each where there is a log.
 */
export function moveCollection(
  shard: Shard,
  database: number,
  key: Buffer,
  keyStart: number,
  keyEnd: number,
  sourceRef: number,
  expiresAtMs: number,
  nowMs: number,
): number {
  const { control, entries } = shard;
  const type = typeOf(entries, sourceRef);
  const expiry = Math.min(expiresAtMs, EXPIRES_AT_MS_MAX);
  control[PROTECTED_SOURCE] = sourceRef;
  const ref = createMoved(shard, database, key, keyStart, keyEnd, type, expiry, nowMs);
  const from = control[PROTECTED_SOURCE];
  control[PROTECTED_SOURCE] = NONE;
  if (ref === NONE) return NONE;
  const value = valueOffset(entries, from);
  const target = valueOffset(entries, ref);
  copySharedBytes(
    entryBytes(entries, from),
    value,
    value + TREE_VALUE_BYTES,
    entryBytes(entries, ref),
    target,
  );
  // Who copies what the key had before must not go on with this.
  writeBirth(entries, ref, shard.numbers[LSN]);
  writeOwner(shard, readHead(entries, ref), ref);
  const isTimed = hasDeadlines(entries, from);
  if (isTimed) beginDeadlines(shard, ref);
  record.length = 0;
  if (isJournaling(shard)) exportWhole(shard, ref, record);
  const { bytes, length } = record;
  writeLsn(entries, ref, appendChange(shard, database, ref, type, RECORD_CREATES, expiry, bytes, 0, length));
  // Until here the source is whole, and the new entry is dropped if the thread dies; from here on the source is.
  control[WRITING] = from;
  if (isTimed) endDeadlines(shard, from);
  writeForm(entries, from, 0);
  writePackedCount(entries, from, 0);
  shrinkEntry(shard, from, PACKED_GROUPS);
  removeEntry(shard, from);
  control[WRITING] = NONE;
  forgetRecord();
  return ref;
}

/** The entry that is to have a tree, in the place of what the key has. */
function createMoved(
  shard: Shard,
  database: number,
  key: Buffer,
  keyStart: number,
  keyEnd: number,
  type: number,
  expiresAtMs: number,
  nowMs: number,
): number {
  const bytes = keyEnd - keyStart + MOVED_ENTRY_BYTES;
  if (!canEverHold(shard, bytes) || makeRoom(shard, bytes, nowMs, Infinity) !== ROOM_MADE) return NONE;
  const table = tableFor(shard, database);
  const hash = hashOf(shard, key, keyStart, keyEnd);
  const existing = findInTable(shard, table, hash, key, keyStart, keyEnd);
  if (existing !== NONE) destroyEntry(shard, existing, hash);
  const length = TREE_VALUE_BYTES;
  return createEntry(shard, table, hash, key, keyStart, keyEnd, type, length, expiresAtMs, nowMs);
}

function forgetRecord(): void {
  if (record.bytes.length > CHANGE_BYTES_KEPT_MAX) record.bytes = Buffer.alloc(0);
}

function writeRecord(
  key: Buffer,
  keyStart: number,
  keyEnd: number,
  source: Shard,
  sourceRef: number,
  expiresAtMs: number,
): void {
  record.length = 0;
  pushBytes(record, key, keyStart, keyEnd);
  view.effect = EFFECT_CHANGE;
  view.flags = RECORD_CREATES | (typeOf(source.entries, sourceRef) << RECORD_TYPE_SHIFT);
  view.expiresAtMs = Math.min(expiresAtMs, EXPIRES_AT_MS_MAX);
  view.keyEnd = record.length;
  view.valueStart = record.length;
  exportWhole(source, sourceRef, record);
  view.valueEnd = record.length;
}
