/**
 * The removal of fields whose time has come, a slice of a hash at a time: what a million fields of one moment make necessary.
 *
 * Runs on every thread, under the shard's lock. A slice is one change of the shard: one record that names what goes. A hash of which
 * all fields are due goes whole, whatever its size. Some 1.5 us a field of a large hash, each of which lies somewhere else.
 */
import { Buffer } from 'node:buffer';
import { beginOp, commitChange, extendOp, OP_REMOVE } from '../collections/change.ts';
import { elementEnd } from '../collections/elements.ts';
import type { Bytes } from '../collections/field-names.ts';
import { dropField, dropFieldOnly } from '../collections/hash.ts';
import { countDue, listDue, noteDeadline, removeFirstDeadlines } from '../collections/hash-deadlines.ts';
import { countOf, isTree } from '../collections/sequence.ts';
import { databaseOfTable } from './append.ts';
import { tableOf } from './entry.ts';
import { yieldDue } from './expiry.ts';
import {
  EVENT_EMPTIED,
  EVENT_FIELDS_EXPIRED,
  noteEntry,
  WATCHES_EMPTIED,
  WATCHES_FIELDS,
} from './key-events.ts';
import { EXPIRED_FIELDS, TABLE_DOOMED, TABLE_STATE } from './layout.ts';
import { removeEntry } from './lifecycle.ts';
import type { Shard } from './shard.ts';
import { tableBase } from './table.ts';
import { beginWriting } from './writing.ts';

const FIELDS_BYTES_START = 8 * 1024;

/** The elements of the fields of one slice, one behind the other. One per thread. */
const fields: Bytes = { bytes: Buffer.alloc(FIELDS_BYTES_START), length: 0 };

/**
 * Removes fields of a hash that are due before `beforeMs`, `fieldsMax` at the most, or all of it if it has no others: then the entry is gone.
 * What more is due at `nowMs` comes up again behind the other entries. How many it was, a whole hash being one.
 */
export function removeDueFields(
  shard: Shard,
  ref: number,
  beforeMs: number,
  nowMs: number,
  fieldsMax: number,
): number {
  const table = tableOf(shard.entries, ref);
  if (shard.control[tableBase(table) + TABLE_STATE] === TABLE_DOOMED) {
    removeEntry(shard, ref);
    return 1;
  }
  const due = countDue(shard, ref, beforeMs);
  if (due === countOf(shard, ref)) {
    noteExpired(shard, ref, due, due);
    removeEntry(shard, ref);
    return 1;
  }
  const count = Math.min(due, fieldsMax);
  fields.length = 0;
  listDue(shard, ref, beforeMs, count, fields);
  const { bytes, length } = fields;
  extendOp(beginOp(OP_REMOVE, 0), bytes, 0, length);
  beginWriting(shard, ref);
  const planted = isTree(shard, ref);
  for (let at = 0; at < length; at = elementEnd(bytes, at)) {
    if (planted) dropFieldOnly(shard, ref, bytes, at, elementEnd(bytes, at));
    else dropField(shard, ref, bytes, at, elementEnd(bytes, at));
  }
  if (planted) {
    // The deadlines of all of them stand one behind the other.
    removeFirstDeadlines(shard, ref, count);
    noteDeadline(shard, ref, Infinity, 0);
  }
  noteExpired(shard, ref, count, countOf(shard, ref) + count);
  commitChange(shard, databaseOfTable(shard, table), ref, false);
  if (count < due) yieldDue(shard, ref, nowMs);
  return count;
}

/** Removes fields of a hash that are due, whose elements are `bytes[0, length)`. False: it had no others, and is gone. O(log n) each. */
export function expireFields(shard: Shard, ref: number, bytes: Buffer, length: number): boolean {
  const before = countOf(shard, ref);
  extendOp(beginOp(OP_REMOVE, 0), bytes, 0, length);
  for (let at = 0; at < length; at = elementEnd(bytes, at)) {
    dropField(shard, ref, bytes, at, elementEnd(bytes, at));
  }
  noteExpired(shard, ref, before - countOf(shard, ref), before);
  return commitChange(shard, databaseOfTable(shard, tableOf(shard.entries, ref)), ref, false);
}

/** Counts fields that go, or have gone, from a hash that had `before` of them, and tells of them. */
function noteExpired(shard: Shard, ref: number, count: number, before: number): void {
  const { watches } = shard.keyEvents;
  const database = databaseOfTable(shard, tableOf(shard.entries, ref));
  shard.numbers[EXPIRED_FIELDS] += count;
  if ((watches & WATCHES_FIELDS) !== 0) noteEntry(shard, EVENT_FIELDS_EXPIRED, database, ref);
  if (count === before && (watches & WATCHES_EMPTIED) !== 0) noteEntry(shard, EVENT_EMPTIED, database, ref);
}
