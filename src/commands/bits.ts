/**
 * Single bits and ranges of them: SETBIT, GETBIT, BITCOUNT, BITPOS. A string is read as bits from the highest of its first byte on.
 *
 * Runs on the thread of the command, under the lock of the key's shard. Source of the rules: Redis 7.0 `bitops.c`.
 */
import { Buffer } from 'node:buffer';
import { parseInt64 } from '../base/decimal.ts';
import { writeError, writeInteger } from '../resp/reply-writer.ts';
import { entryBytes, valueLength, valueOffset } from '../shard/entry.ts';
import { NONE } from '../shard/layout.ts';
import { replySyntaxError } from './arguments.ts';
import { BITS_PER_BYTE, readBitOffset, readRounded, readUnitBits } from './bits-arguments.ts';
import { countBits, findBit } from './bits-scan.ts';
import type { Call, Handler } from './call.ts';
import { NOTIFY_STRING, notifyKeyspace } from './keyspace-events.ts';
import { isString, readEntry, writeEntry } from './lookup.ts';
import { patchString } from './strings-patch.ts';

const NO_BIT = 'ERR bit is not an integer or out of range';

/** The byte in which SETBIT sets. One per thread. */
const changed = Buffer.alloc(1);

export const bitHandlers: Readonly<Record<string, Handler>> = { setbit, getbit, bitcount, bitpos };

function setbit(call: Call): void {
  const { shard, reply } = call;
  const offset = readBitOffset(call, 2, 0);
  if (Number.isNaN(offset)) return;
  const bit = bitOf(call, 3);
  if (bit < 0) {
    writeError(reply, NO_BIT);
    return;
  }
  const ref = writeEntry(call, shard, 1);
  if (ref !== NONE && !isString(call, shard, ref)) return;
  const at = Math.floor(offset / BITS_PER_BYTE);
  const length = ref === NONE ? 0 : valueLength(shard.entries, ref);
  const byte = at < length ? entryBytes(shard.entries, ref)[valueOffset(shard.entries, ref) + at] : 0;
  const mask = 1 << (7 - (offset % BITS_PER_BYTE));
  const before = (byte & mask) === 0 ? 0 : 1;
  if (at >= length || before !== bit) {
    changed[0] = bit === 0 ? byte & ~mask : byte | mask;
    if (patchString(call, shard, 1, ref, Math.max(length, at + 1), at, changed, 0, 1) === NONE) return;
    notifyKeyspace(call, NOTIFY_STRING, 'setbit', 1);
  }
  writeInteger(reply, before);
}

/** Argument `index` as 0 or 1, which are the only texts of these; -1 when it is something else. */
function bitOf({ input, spans }: Call, index: number): number {
  const start = spans[2 * index];
  if (spans[2 * index + 1] !== start + 1) return -1;
  const digit = input[start] - 48;
  return digit === 0 || digit === 1 ? digit : -1;
}

function getbit(call: Call): void {
  const { shard, reply } = call;
  const offset = readBitOffset(call, 2, 0);
  if (Number.isNaN(offset)) return;
  const ref = readEntry(call, shard, 1);
  if (ref !== NONE && !isString(call, shard, ref)) return;
  const at = Math.floor(offset / BITS_PER_BYTE);
  if (ref === NONE || at >= valueLength(shard.entries, ref)) {
    writeInteger(reply, 0);
    return;
  }
  const byte = entryBytes(shard.entries, ref)[valueOffset(shard.entries, ref) + at];
  writeInteger(reply, (byte >>> (7 - (offset % BITS_PER_BYTE))) & 1);
}

function bitcount(call: Call): void {
  const { shard, reply, count } = call;
  const ref = readEntry(call, shard, 1);
  if (ref === NONE) {
    writeInteger(reply, 0);
    return;
  }
  if (!isString(call, shard, ref)) return;
  if (count !== 2 && count !== 4 && count !== 5) {
    replySyntaxError(call);
    return;
  }
  const first = count === 2 ? 0 : readRounded(call, 2);
  const last = Number.isNaN(first) || count === 2 ? -1 : readRounded(call, 3);
  if (Number.isNaN(first) || Number.isNaN(last)) return;
  if (first < 0 && last < 0 && isReversed(call, first, last)) {
    writeInteger(reply, 0);
    return;
  }
  const unitBits = count === 5 ? readUnitBits(call, 4) : BITS_PER_BYTE;
  if (unitBits !== 0) replyCount(call, ref, first, last, unitBits);
}

/** Whether the range of two negative ends is empty; huge ones may be the same but for their last digits. */
function isReversed({ input, spans }: Call, first: number, last: number): boolean {
  if (first !== last || Number.isSafeInteger(first)) return first > last;
  const exactFirst = parseInt64(input, spans[4], spans[5]);
  const exactLast = parseInt64(input, spans[6], spans[7]);
  return exactFirst !== undefined && exactLast !== undefined && exactFirst > exactLast;
}

function replyCount(call: Call, ref: number, first: number, last: number, unitBits: number): void {
  const { entries } = call.shard;
  const units = (valueLength(entries, ref) * BITS_PER_BYTE) / unitBits;
  const start = fromStart(first, units);
  const end = Math.min(fromStart(last, units), units - 1);
  const lastBit = (end + 1) * unitBits - 1;
  const at = valueOffset(entries, ref);
  const bits = start > end ? 0 : countBits(entryBytes(entries, ref), at, start * unitBits, lastBit);
  writeInteger(call.reply, bits);
}

function bitpos(call: Call): void {
  const { shard, reply, count } = call;
  const bit = readRounded(call, 2);
  if (Number.isNaN(bit)) return;
  if (bit !== 0 && bit !== 1) {
    writeError(reply, 'ERR The bit argument must be 1 or 0.');
    return;
  }
  const ref = readEntry(call, shard, 1);
  if (ref === NONE) {
    writeInteger(reply, bit === 1 ? -1 : 0);
    return;
  }
  if (!isString(call, shard, ref)) return;
  if (count > 6) {
    replySyntaxError(call);
    return;
  }
  const first = count > 3 ? readRounded(call, 3) : 0;
  if (Number.isNaN(first)) return;
  const unitBits = count === 6 ? readUnitBits(call, 5) : BITS_PER_BYTE;
  if (unitBits === 0) return;
  const last = count > 4 ? readRounded(call, 4) : -1;
  if (!Number.isNaN(last)) replyPosition(call, ref, bit, first, last, unitBits);
}

function replyPosition(
  call: Call,
  ref: number,
  bit: 0 | 1,
  first: number,
  last: number,
  unitBits: number,
): void {
  const { entries } = call.shard;
  const units = (valueLength(entries, ref) * BITS_PER_BYTE) / unitBits;
  const start = fromStart(first, units);
  const end = Math.min(fromStart(last, units), units - 1);
  if (start > end) {
    writeInteger(call.reply, -1);
    return;
  }
  const lastBit = (end + 1) * unitBits - 1;
  const at = valueOffset(entries, ref);
  const found = findBit(entryBytes(entries, ref), at, start * unitBits, lastBit, bit);
  // Without an end the string counts as followed by zeros.
  const isOpen = bit === 0 && call.count <= 4;
  writeInteger(call.reply, found < 0 && isOpen ? lastBit + 1 : found);
}

/** The end of a range from the start of the string; a negative one is counted from its end. */
function fromStart(end: number, units: number): number {
  return Math.max(0, end < 0 ? units + end : end);
}
