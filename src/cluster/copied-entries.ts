/**
 * Entries as the records that a replica gets of them while their slots are copied to it.
 *
 * Runs on the worker that feeds the replica, under the shard's lock. A string is one record, and so is a small collection. Of a large one
 * the first makes it as far as it has to be there at once, and more bring its pieces, slice by slice (collections/export.ts).
 */
import { Buffer } from 'node:buffer';
import { writeUint64 } from '../base/bytes.ts';
import {
  beginExport,
  EXPORT_GONE,
  EXPORT_MORE,
  type Export,
  exportLength,
  exportPiece,
  type Operations,
  pushBytes,
} from '../collections/export.ts';
import { tableFor } from '../shard/databases.ts';
import {
  entryBytes,
  expiresAt,
  isRaw,
  keyLength,
  keyOffset,
  typeOf,
  valueLength,
  valueOffset,
} from '../shard/entry.ts';
import { NONE, TYPE_LIST, TYPE_STRING } from '../shard/layout.ts';
import {
  EFFECT_CHANGE,
  EFFECT_PUT,
  RECORD_CREATES,
  RECORD_EXPIRES,
  RECORD_FLAGS_SHIFT,
  RECORD_HEADER_BYTES,
  RECORD_KEY_BYTES,
  RECORD_NUMBER_BYTES,
  RECORD_RAW,
  RECORD_TYPE_SHIFT,
  RECORD_VALUE_BYTES,
  recordBytes,
} from '../shard/record.ts';
import type { Shard } from '../shard/shard.ts';
import { findInTable, hashOf } from '../shard/table.ts';

/** Records one behind the other: `bytes[0, length)`, and how many. */
export type RecordSlice = Operations & { count: number };

/** A large collection of which the replica has not got all; `isGrowing`: not even all places of a list. */
export type LargeCopy = {
  readonly key: Buffer;
  readonly slot: number;
  readonly state: Export;
  isGrowing: boolean;
};

/** The only database of a node of a cluster. */
const DATABASE = 0;

const WORD_BYTES = 4;

/** A place of a list takes a replica as long as so many bytes of what is put there. */
const EMPTY_BYTES = 16;

const head = Buffer.alloc(RECORD_HEADER_BYTES + RECORD_NUMBER_BYTES);
const zeros = Buffer.alloc(8);

/** Adds an entry of a slot. Of a large collection there is more to come, which `pending` gets. O(value), of a large one O(1). */
export function addEntry(
  shard: Shard,
  ref: number,
  slot: number,
  slice: RecordSlice,
  pending: LargeCopy[],
): void {
  const { entries } = shard;
  const deadlineMs = expiresAt(entries, ref);
  const type = typeOf(entries, ref);
  if (type === TYPE_STRING) {
    const at = beginRecord(shard, ref, EFFECT_PUT, isRaw(entries, ref) ? RECORD_RAW : 0, deadlineMs, slice);
    const value = valueOffset(entries, ref);
    pushBytes(slice, entryBytes(entries, ref), value, value + valueLength(entries, ref));
    endRecord(slice, at);
    return;
  }
  const flags = RECORD_CREATES | (type << RECORD_TYPE_SHIFT);
  const at = beginRecord(shard, ref, EFFECT_CHANGE, flags, deadlineMs, slice);
  const state: Export = { birth: 0, next: 0, headMoves: 0, middleMoves: 0, restarts: 0 };
  if (beginExport(shard, ref, state, slice) === EXPORT_MORE) {
    const key = keyOffset(entries, ref);
    const bytes = entryBytes(entries, ref).subarray(key, key + keyLength(entries, ref));
    pending.push({ key: Buffer.from(bytes), slot, state, isGrowing: type === TYPE_LIST });
  }
  endRecord(slice, at);
}

/** Adds the next piece of a large collection, about `bytesMax` of it. Whether there is more of it to come. */
export function addNextPiece(shard: Shard, copy: LargeCopy, slice: RecordSlice, bytesMax: number): boolean {
  const { key, state } = copy;
  const hash = hashOf(shard, key, 0, key.length);
  const ref = findInTable(shard, tableFor(shard, DATABASE), hash, key, 0, key.length);
  if (ref === NONE) return false;
  const before = slice.length;
  const flags = typeOf(shard.entries, ref) << RECORD_TYPE_SHIFT;
  const at = beginRecord(shard, ref, EFFECT_CHANGE, flags, 0, slice);
  const outcome = copy.isGrowing
    ? exportLength(shard, ref, state, slice, Math.max(1, Math.floor(bytesMax / EMPTY_BYTES)))
    : exportPiece(shard, ref, state, slice, bytesMax);
  if (outcome === EXPORT_GONE) {
    slice.length = before;
    slice.count -= 1;
    return false;
  }
  endRecord(slice, at);
  if (!copy.isGrowing) return outcome === EXPORT_MORE;
  copy.isGrowing = outcome === EXPORT_MORE;
  return true;
}

/** Adds a record up to its value, and returns where it is. */
function beginRecord(
  shard: Shard,
  ref: number,
  effect: number,
  flags: number,
  deadlineMs: number,
  slice: RecordSlice,
): number {
  const { entries } = shard;
  const at = slice.length;
  const keyBytes = keyLength(entries, ref);
  const allFlags = deadlineMs === 0 ? flags : flags | RECORD_EXPIRES;
  head.fill(0);
  head.writeUInt32LE(effect | (allFlags << RECORD_FLAGS_SHIFT));
  head.writeUInt32LE(keyBytes, RECORD_KEY_BYTES * WORD_BYTES);
  if (deadlineMs !== 0) writeUint64(head, RECORD_HEADER_BYTES, deadlineMs);
  pushBytes(slice, head, 0, RECORD_HEADER_BYTES + (deadlineMs === 0 ? 0 : RECORD_NUMBER_BYTES));
  const key = keyOffset(entries, ref);
  pushBytes(slice, entryBytes(entries, ref), key, key + keyBytes);
  slice.count += 1;
  return at;
}

/** The record at `at` has its value. */
function endRecord(slice: RecordSlice, at: number): void {
  const { bytes, length } = slice;
  const what = bytes.readUInt32LE(at);
  const numberBytes = ((what >>> RECORD_FLAGS_SHIFT) & RECORD_EXPIRES) === 0 ? 0 : RECORD_NUMBER_BYTES;
  const keyBytes = bytes.readUInt32LE(at + RECORD_KEY_BYTES * WORD_BYTES);
  const valueBytes = length - at - RECORD_HEADER_BYTES - numberBytes - keyBytes;
  bytes.writeUInt32LE(valueBytes, at + RECORD_VALUE_BYTES * WORD_BYTES);
  pushBytes(slice, zeros, 0, recordBytes(length - at) - (length - at));
}
