/**
 * What a command does to a collection, as operations for the log: noted one by one, then committed as one record.
 *
 * Runs on every thread, under the shard's lock. The operations are effects (no clock, no chance), and the same functions that commands
 * use do them again (ops.ts). Each lies behind the other:
 *
 *   0      1              5            9
 *  ┌──────┬──────────────┬────────────┬─────────┐
 *  │ CODE │ ARGUMENT u32 │ BYTES u32  │ payload │
 *  └──────┴──────────────┴────────────┴─────────┘
 */
import { Buffer } from 'node:buffer';
import { copyBytes, writeUint32 } from '../base/bytes.ts';
import { CHANGE_BYTES_KEPT_MAX } from '../config/limits-collections.ts';
import { appendChange } from '../shard/append.ts';
import { expiresAt, typeOf, writeLsn } from '../shard/entry.ts';
import { NONE, WRITING } from '../shard/layout.ts';
import { removeEntry } from '../shard/lifecycle.ts';
import { RECORD_CREATES } from '../shard/record.ts';
import type { Shard } from '../shard/shard.ts';
import { countOf } from './sequence.ts';

/** The new, empty collection gets the flags ARGUMENT (sequence.ts). */
export const OP_FORM = 1;
/** The groups of the payload are put: added, or in the place of those with the same key; a list gets them at its tail. */
export const OP_ADD = 2;
/** What the elements of the payload name goes. */
export const OP_REMOVE = 3;
/** The elements of the payload are put before the head, one after the other. */
export const OP_PUSH_HEAD = 4;
/** ARGUMENT elements go from the head; from the tail. */
export const OP_POP_HEAD = 5;
export const OP_POP_TAIL = 6;
/** The elements of the payload take the places from ARGUMENT on. */
export const OP_SET_AT = 7;
/** The elements of the payload come in before place ARGUMENT. */
export const OP_INSERT_AT = 8;
/** From place ARGUMENT on so many go as the payload says (u32). */
export const OP_REMOVE_AT = 9;
/** ARGUMENT empty elements come behind the tail: places for what a copy brings later. */
export const OP_FILL = 10;
/** The list becomes ARGUMENT elements long: empty ones come behind the tail, or some go from there. */
export const OP_LENGTH = 11;
/** Fields of a hash expire: the payload is fields and deadlines in turns, elements both, of which a deadline of 0 is none. */
export const OP_DEADLINE = 12;

export const OP_HEADER_BYTES = 9;

const BYTES_START = 4096;

/** The operations since the last commit. One per thread. */
const pending = { bytes: Buffer.alloc(BYTES_START), length: 0 };

/** Notes an operation with the payload `payload[start, end)`. O(payload). */
export function noteOp(code: number, argument: number, payload: Buffer, start: number, end: number): void {
  const at = pending.length;
  reserve(OP_HEADER_BYTES + end - start);
  const { bytes } = pending;
  bytes[at] = code;
  writeUint32(bytes, at + 1, argument);
  writeUint32(bytes, at + 5, end - start);
  copyBytes(payload, start, end, bytes, at + OP_HEADER_BYTES);
  pending.length = at + OP_HEADER_BYTES + end - start;
}

/** Notes an operation without a payload. */
export function noteBareOp(code: number, argument: number): void {
  noteOp(code, argument, pending.bytes, 0, 0);
}

/** Begins an operation whose payload comes piece by piece (`extendOp`). Returns where it is, for `extendOp`. */
export function beginOp(code: number, argument: number): number {
  const at = pending.length;
  noteBareOp(code, argument);
  return at;
}

/** Adds to the payload of the operation that was begun last, at `at`. O(piece). */
export function extendOp(at: number, piece: Buffer, start: number, end: number): void {
  const to = pending.length;
  reserve(end - start);
  const { bytes } = pending;
  copyBytes(piece, start, end, bytes, to);
  pending.length = to + end - start;
  writeUint32(bytes, at + 5, pending.length - at - OP_HEADER_BYTES);
}

/** Notes that so many go from place `rank` on. */
export function noteRemoveAt(rank: number, count: number): void {
  const at = beginOp(OP_REMOVE_AT, rank);
  reserve(4);
  writeUint32(pending.bytes, pending.length, count);
  pending.length += 4;
  writeUint32(pending.bytes, at + 5, 4);
}

/** Forgets what was noted: the command has failed. */
export function dropNoted(): void {
  pending.length = 0;
}

/**
 * Makes what was noted one change of the shard: a record with the next LSN, which the entry gets. A collection that has become empty
 * goes instead. `isNew` says that it was made for this change. Returns whether it is still there. Nothing noted: nothing happens.
 */
export function commitChange(shard: Shard, database: number, ref: number, isNew: boolean): boolean {
  if (countOf(shard, ref) === 0) {
    pending.length = 0;
    removeEntry(shard, ref);
    shard.control[WRITING] = NONE;
    return false;
  }
  if (pending.length !== 0) {
    const { entries } = shard;
    const flags = isNew ? RECORD_CREATES : 0;
    const deadlineMs = isNew ? expiresAt(entries, ref) : 0;
    const { bytes, length } = pending;
    const type = typeOf(entries, ref);
    writeLsn(entries, ref, appendChange(shard, database, ref, type, flags, deadlineMs, bytes, 0, length));
    pending.length = 0;
    if (bytes.length > CHANGE_BYTES_KEPT_MAX) pending.bytes = Buffer.alloc(BYTES_START);
  }
  shard.control[WRITING] = NONE;
  return true;
}

function reserve(more: number): void {
  const needed = pending.length + more;
  if (needed <= pending.bytes.length) return;
  const bytes = Buffer.allocUnsafe(Math.max(needed, 2 * pending.bytes.length));
  pending.bytes.copy(bytes, 0, 0, pending.length);
  pending.bytes = bytes;
}
