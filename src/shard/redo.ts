/**
 * What a record of one key says, done to a shard: the part that a replay of the shard's own log (replay.ts) and a replica's intake of
 * another node's (apply.ts) have in common.
 *
 * Runs on the thread of either, under the shard's lock. It is a change of the shard, with the record and the LSN that are the shard's
 * next: whoever replays keeps no records and stamps the entry anew.
 *
 * Only a PUT makes a string, and only a CHANGE that says so a collection: whoever changes a part of what is absent makes it first. So a
 * record that finds no entry, or one of another type, is of one that had to go for want of room; or of one that a copy has not got yet;
 * or that a snapshot did not see any more, and then a later record removes it. Either way the key stays away: half a value would be one
 * that never was.
 *
 * A collection that has lost its last group stays where it is: whoever removes the last group of all writes a DELETE. Here that can only
 * be one of which a part is missing, because it was copied while it changed, and which later records bring.
 */
import type { Buffer } from 'node:buffer';
import { applyOps } from '../collections/ops.ts';
import { createCollection } from '../collections/sequence.ts';
import { appendChange } from './append.ts';
import { tableFor } from './databases.ts';
import { typeOf, writeLsn } from './entry.ts';
import { putFound, resizeValue, writeValue } from './keyspace.ts';
import { NONE, TYPE_STRING, WRITING } from './layout.ts';
import { destroyEntry, removeEntry, replaceExpiry, setExpiry } from './lifecycle.ts';
import {
  EFFECT_CHANGE,
  EFFECT_DELETE,
  EFFECT_EXPIRE,
  EFFECT_PUT,
  EFFECT_SPLICE,
  RECORD_CREATES,
  RECORD_RAW,
  type RecordView,
  recordType,
} from './record.ts';
import type { Shard } from './shard.ts';
import { findInTable } from './table.ts';

/** The shard has no room for what the record says. */
export const REDO_NO_ROOM = -1;

/**
 * Does what the record in `view` says to its key, whose entry is `known`, or NONE; the spans are in `bytes`, private memory. The entry
 * afterwards, NONE where there is none or the record was not for it, and REDO_NO_ROOM: then the key is as it was or, where it was a
 * collection, gone. O(value), plus what is evicted.
 */
export function redo(
  shard: Shard,
  database: number,
  hash: number,
  known: number,
  view: RecordView,
  bytes: Buffer,
  nowMs: number,
): number {
  const { effect } = view;
  if (effect === EFFECT_PUT) return redoPut(shard, database, hash, known, view, bytes, nowMs);
  if (effect === EFFECT_CHANGE) return redoChange(shard, database, hash, known, view, bytes, nowMs);
  if (known === NONE) return NONE;
  if (effect === EFFECT_SPLICE) {
    if (typeOf(shard.entries, known) !== TYPE_STRING) return NONE;
    const ref = layOver(shard, known, view.length, view.extra, view, bytes, nowMs);
    return ref === NONE ? REDO_NO_ROOM : ref;
  }
  if (effect === EFFECT_EXPIRE) {
    setExpiry(shard, known, view.expiresAtMs);
    return known;
  }
  if (effect === EFFECT_DELETE) destroyEntry(shard, known, hash);
  return NONE;
}

function redoPut(
  shard: Shard,
  database: number,
  hash: number,
  known: number,
  view: RecordView,
  bytes: Buffer,
  nowMs: number,
): number {
  const { keyStart, keyEnd, valueStart, valueEnd, expiresAtMs } = view;
  const ref = putFound(
    shard,
    database,
    hash,
    known,
    bytes,
    keyStart,
    keyEnd,
    bytes,
    valueStart,
    valueEnd,
    expiresAtMs,
    nowMs,
  );
  if (ref === NONE) return REDO_NO_ROOM;
  if ((view.flags & RECORD_RAW) === 0) return ref;
  const raw = layOver(shard, ref, valueEnd - valueStart, 0, view, bytes, nowMs);
  // Without room for the other form the value is as good in this one; looking for room may have moved it.
  return raw === NONE ? findKey(shard, database, hash, view, bytes) : raw;
}

/** Writes the record's value into an entry's, which becomes one that was changed in place. NONE: no room. */
function layOver(
  shard: Shard,
  ref: number,
  length: number,
  offset: number,
  view: RecordView,
  bytes: Buffer,
  nowMs: number,
): number {
  const at = resizeValue(shard, ref, length, nowMs);
  if (at !== NONE) writeValue(shard, at, offset, bytes, view.valueStart, view.valueEnd);
  return at;
}

function redoChange(
  shard: Shard,
  database: number,
  hash: number,
  known: number,
  view: RecordView,
  bytes: Buffer,
  nowMs: number,
): number {
  const { control, entries } = shard;
  const { keyStart, keyEnd, valueStart, valueEnd, expiresAtMs } = view;
  const type = recordType(view);
  const creates = view.flags & RECORD_CREATES;
  let ref = known;
  if (creates !== 0) {
    if (known !== NONE) destroyEntry(shard, known, hash);
    ref = createCollection(shard, database, hash, bytes, keyStart, keyEnd, type, 0, nowMs);
    if (ref === NONE) return REDO_NO_ROOM;
    if (expiresAtMs !== 0) replaceExpiry(shard, ref, expiresAtMs);
  } else if (known === NONE || typeOf(entries, known) !== type) return NONE;
  ref = applyOps(shard, ref, bytes, valueStart, valueEnd, nowMs);
  if (ref === NONE) {
    // A part of it is done, of which there is no record.
    const part = findKey(shard, database, hash, view, bytes);
    if (part !== NONE) removeEntry(shard, part);
    control[WRITING] = NONE;
    return REDO_NO_ROOM;
  }
  const lsn = appendChange(shard, database, ref, type, creates, expiresAtMs, bytes, valueStart, valueEnd);
  writeLsn(entries, ref, lsn);
  control[WRITING] = NONE;
  return ref;
}

/** The entry of the record's key, after it may have moved. */
function findKey(shard: Shard, database: number, hash: number, view: RecordView, bytes: Buffer): number {
  return findInTable(shard, tableFor(shard, database), hash, bytes, view.keyStart, view.keyEnd);
}
