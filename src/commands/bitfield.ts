/**
 * BITFIELD and BITFIELD_RO: a string as integers of any size at any place, which are got, set and counted up in one command.
 *
 * Runs on the thread of the command, under the lock of the key's shard. The operations are read twice: first all are checked, since
 * a mistake in the last one refuses all; then each is executed as it is read.
 * Source of the rules: Redis 7.0 `bitops.c`, `bitfieldGeneric`.
 */
import { Buffer } from 'node:buffer';
import {
  type ReplyWriter,
  writeArray,
  writeBigInteger,
  writeError,
  writeInteger,
  writeNull,
} from '../resp/reply-writer.ts';
import { entryBytes, valueLength, valueOffset } from '../shard/entry.ts';
import { NONE } from '../shard/layout.ts';
import {
  FIELD_BYTES_MAX,
  fitBig,
  fitNumber,
  NUMBER_BITS_MAX,
  NUMBER_MAX,
  readBigField,
  readField,
  takenToSet,
  writeBigField,
  writeField,
} from './bitfield-integers.ts';
import { firstOperation, nextOperation, type Operation, planOperations } from './bitfield-operations.ts';
import { BITS_PER_BYTE } from './bits-arguments.ts';
import type { Call, Handler } from './call.ts';
import { NOTIFY_STRING, notifyKeyspace } from './keyspace-events.ts';
import { isString, readEntry, writeEntry } from './lookup.ts';
import { patchString } from './strings-patch.ts';

/** What became of a field. */
const FAILED = 0;
const SAME = 1;
const CHANGED = 2;

/** The bytes in which the field of an operation lies. One per thread. */
const field = Buffer.alloc(FIELD_BYTES_MAX);

export const bitfieldHandlers: Readonly<Record<string, Handler>> = {
  bitfield: (call) => runBitfield(call, false),
  bitfield_ro: (call) => runBitfield(call, true),
};

function runBitfield(call: Call, isReadOnly: boolean): void {
  const { shard, reply } = call;
  const plan = planOperations(call);
  if (plan === undefined) return;
  const { bytes, replies } = plan;
  if (isReadOnly && bytes > 0) {
    writeError(reply, 'ERR BITFIELD_RO only supports the GET subcommand');
    return;
  }
  const ref = bytes > 0 ? writeEntry(call, shard, 1) : readEntry(call, shard, 1);
  if (ref !== NONE && !isString(call, shard, ref)) return;
  runOperations(call, ref, replies, bytes);
}

/** The string must have `bytes` for those that write: it grows with the first that does not fail, or behind all. */
function runOperations(call: Call, found: number, replies: number, bytes: number): void {
  const { shard, reply } = call;
  const replyStart = reply.length;
  const length = found === NONE ? 0 : valueLength(shard.entries, found);
  const grows = bytes > length;
  let ref = found;
  let isShort = grows;
  let hasChanged = false;
  writeArray(reply, replies);
  for (let next = firstOperation(call); next !== undefined; next = nextOperation(call)) {
    if (next.kind === 'OVERFLOW') continue;
    loadField(call, ref, next);
    if (next.kind === 'GET') {
      replyField(reply, next);
      continue;
    }
    const outcome = isSmall(next) ? changeNumber(reply, next) : changeBig(reply, next);
    if (outcome === FAILED || (outcome === SAME && !grows)) continue;
    hasChanged = true;
    if (outcome === SAME && !isShort) continue;
    const first = Math.floor(next.offset / BITS_PER_BYTE);
    const fieldBytes = Math.ceil(((next.offset % BITS_PER_BYTE) + next.bits) / BITS_PER_BYTE);
    ref = layField(call, ref, Math.max(length, bytes), first, fieldBytes, replyStart);
    if (ref === NONE) return;
    isShort = false;
  }
  if (isShort && layField(call, ref, bytes, 0, 0, replyStart) === NONE) return;
  if (hasChanged) notifyKeyspace(call, NOTIFY_STRING, 'setbit', 1);
}

/** Copies the bytes of the operation's field; what is behind the string counts as zeros. */
function loadField({ shard }: Call, ref: number, { offset }: Operation): void {
  const { entries } = shard;
  const bytes = entryBytes(entries, ref);
  const length = ref === NONE ? 0 : valueLength(entries, ref);
  const from = Math.floor(offset / BITS_PER_BYTE);
  const at = length === 0 ? 0 : valueOffset(entries, ref);
  for (let i = 0; i < FIELD_BYTES_MAX; i += 1) field[i] = from + i < length ? bytes[at + from + i] : 0;
}

/**
 * Lays the first bytes of `field` over the string, which has `length` bytes then, and returns the entry from now on. NONE when there is
 * no room: that is all the answer then, and nothing has changed.
 */
function layField(
  call: Call,
  ref: number,
  length: number,
  first: number,
  fieldBytes: number,
  replyStart: number,
): number {
  const { shard, reply } = call;
  const replyEnd = reply.length;
  const laid = patchString(call, shard, 1, ref, length, first, field, 0, fieldBytes);
  if (laid !== NONE) return laid;
  // Only the first one can fail, with which the string grows or has to move for being changed in place.
  reply.bytes.copyWithin(replyStart, replyEnd, reply.length);
  reply.length -= replyEnd - replyStart;
  return NONE;
}

/** Whether all of the operation can be reckoned in numbers. */
function isSmall({ bits, argument }: Operation): boolean {
  return bits <= NUMBER_BITS_MAX && Math.abs(argument) <= NUMBER_MAX;
}

function replyField(reply: ReplyWriter, { offset, bits, isSigned }: Operation): void {
  const at = offset % BITS_PER_BYTE;
  if (bits <= NUMBER_BITS_MAX) writeInteger(reply, readField(field, at, bits, isSigned));
  else writeBigInteger(reply, readBigField(field, at, bits, isSigned));
}

function changeNumber(reply: ReplyWriter, operation: Operation): number {
  const { kind, offset, bits, isSigned, argument, overflow } = operation;
  const at = offset % BITS_PER_BYTE;
  const before = readField(field, at, bits, isSigned);
  // A negative number that is set in a field without a sign is one that is far too large, and not one that is too small.
  const isTooLarge = kind === 'SET' && !isSigned && argument < 0 && overflow === 'SAT';
  const wanted = kind === 'SET' ? argument : before + argument;
  const after = fitNumber(isTooLarge ? NUMBER_MAX : wanted, bits, isSigned, overflow);
  if (after === undefined) {
    writeNull(reply);
    return FAILED;
  }
  writeInteger(reply, kind === 'SET' ? before : after);
  if (after === before) return SAME;
  writeField(field, at, bits, after);
  return CHANGED;
}

function changeBig(reply: ReplyWriter, operation: Operation): number {
  const { kind, offset, bits, isSigned, overflow } = operation;
  const argument = Number.isNaN(operation.argument) ? operation.exact : BigInt(operation.argument);
  const at = offset % BITS_PER_BYTE;
  const before = readBigField(field, at, bits, isSigned);
  const wanted = kind === 'SET' ? takenToSet(argument, bits, isSigned) : before + argument;
  const after = fitBig(wanted, bits, isSigned, overflow);
  if (after === undefined) {
    writeNull(reply);
    return FAILED;
  }
  writeBigInteger(reply, kind === 'SET' ? before : after);
  if (after === before) return SAME;
  writeBigField(field, at, bits, after);
  return CHANGED;
}
