/**
 * Reading what commands on bits take: the number of a bit, the ends of a range.
 *
 * Pure; runs on the thread of the command. Nothing here allocates but for numbers beyond the safe ones.
 * Source of the rules: Redis 7.0 `bitops.c`.
 */
import { parseInt64, parseSafeInteger } from '../base/decimal.ts';
import { writeError } from '../resp/reply-writer.ts';
import { isWord, NOT_AN_INTEGER, replySyntaxError } from './arguments.ts';
import type { Call } from './call.ts';

export const BITS_PER_BYTE = 8;

const BAD_OFFSET = 'ERR bit offset is not an integer or out of range';
const HASH_SIGN = 35;

/**
 * Argument `index` as the number of a bit. One that begins with '#' counts fields of so many bits, where `fieldBits` is not 0. NaN
 * when it is none or beyond the longest value, and then that is answered.
 */
export function readBitOffset(call: Call, index: number, fieldBits: number): number {
  const { input, spans } = call;
  const start = spans[2 * index];
  const end = spans[2 * index + 1];
  const isCounted = fieldBits > 0 && end > start && input[start] === HASH_SIGN;
  const number = parseSafeInteger(input, isCounted ? start + 1 : start, end);
  const offset = isCounted ? timesBits(call, number, fieldBits, start + 1, end) : number;
  if (offset >= 0 && Math.floor(offset / BITS_PER_BYTE) < call.engine.config.protoMaxBulkLen) return offset;
  writeError(call.reply, BAD_OFFSET);
  return NaN;
}

/** The product wraps around as 64 bits do: a huge number of fields may name a place all the same. */
function timesBits({ input }: Call, fields: number, fieldBits: number, start: number, end: number): number {
  if (!Number.isNaN(fields)) return fields * fieldBits;
  const exact = parseInt64(input, start, end);
  return exact === undefined ? NaN : Number(BigInt.asIntN(64, exact * BigInt(fieldBits)));
}

/** Argument `index` as an int64, rounded if it is no safe integer. NaN when it is none, and then that is answered. */
export function readRounded(call: Call, index: number): number {
  const { input, spans } = call;
  const exact = parseSafeInteger(input, spans[2 * index], spans[2 * index + 1]);
  if (!Number.isNaN(exact)) return exact;
  const huge = parseInt64(input, spans[2 * index], spans[2 * index + 1]);
  if (huge !== undefined) return Number(huge);
  writeError(call.reply, NOT_AN_INTEGER);
  return NaN;
}

/** How many bits the unit is that argument `index` names, BIT or BYTE; 0 when it is neither, and then that is answered. */
export function readUnitBits(call: Call, index: number): number {
  if (isWord(call, index, 'BIT')) return 1;
  if (isWord(call, index, 'BYTE')) return BITS_PER_BYTE;
  replySyntaxError(call);
  return 0;
}
