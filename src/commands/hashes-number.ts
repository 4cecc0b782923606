/**
 * Fields that spell numbers: HINCRBY and HINCRBYFLOAT. A missing field counts as 0.
 *
 * Runs on the thread of the command, under the lock of the key's shard. Sums within the safe integers allocate nothing. Source of the
 * rules: Redis 7.0 `t_hash.c`.
 */
import { Buffer } from 'node:buffer';
import { parseInt64, writeDecimal } from '../base/decimal.ts';
import { addLongDouble, formatLongDouble, parseLongDouble } from '../base/long-double.ts';
import { encodingEnd, integerAt, isIntegerElement, textStart, writeText } from '../collections/elements.ts';
import { writeBigInteger, writeBulk, writeError, writeInteger } from '../resp/reply-writer.ts';
import { NONE } from '../shard/layout.ts';
import { integerOf, NOT_A_FLOAT, NOT_AN_INTEGER } from './arguments.ts';
import type { Call, Handler } from './call.ts';
import { beginEncoding, encodeArgument, encodeBytes, encodeDeadlineOf } from './collection-arguments.ts';
import { WRONG } from './collections.ts';
import { findField, foundBytes, foundDeadline, foundValue, storePair } from './hashes.ts';
import { changeHash } from './hashes-due.ts';

const OVERFLOW = 'ERR increment or decrement would overflow';
const INT64_MAX = 2n ** 63n - 1n;
const INT64_MIN = -(2n ** 63n);

/** "-9223372036854775808" is the longest int64. */
const digits = Buffer.alloc(20);
const zero = Buffer.from('0');

export const hashNumberHandlers: Readonly<Record<string, Handler>> = { hincrby, hincrbyfloat };

function hincrby(call: Call): void {
  const increment = integerOf(call, 3);
  if (Number.isNaN(increment) && parseInt64(call.input, call.spans[6], call.spans[7]) === undefined) {
    writeError(call.reply, NOT_AN_INTEGER);
    return;
  }
  const ref = changeHash(call, 2, call.count);
  if (ref === WRONG) return;
  const isThere = ref !== NONE && findField(call, ref, 2);
  if (isThere && !isIntegerElement(foundBytes(), foundValue())) {
    changeByBig(call, true);
    return;
  }
  const sum = (isThere ? integerAt(foundBytes(), foundValue()) : 0) + increment;
  if (!Number.isSafeInteger(sum)) {
    changeByBig(call, isThere);
    return;
  }
  if (storeSum(call, writeDecimal(digits, 0, sum), isThere)) writeInteger(call.reply, sum);
}

/** The slow way, exact over all of int64. The field, if it is there, was just found. */
function changeByBig(call: Call, isThere: boolean): void {
  const { reply, input, spans } = call;
  const value = isThere ? foundInt64() : 0n;
  if (value === undefined) {
    writeError(reply, 'ERR hash value is not an integer');
    return;
  }
  const sum = value + (parseInt64(input, spans[6], spans[7]) ?? 0n);
  if (sum > INT64_MAX || sum < INT64_MIN) {
    writeError(reply, OVERFLOW);
    return;
  }
  if (storeSum(call, digits.write(sum.toString(), 'latin1'), isThere)) writeBigInteger(reply, sum);
}

function hincrbyfloat(call: Call): void {
  const { reply, input, spans } = call;
  const increment = parseLongDouble(input, spans[6], spans[7]);
  if (increment === undefined || increment.infinite) {
    writeError(reply, increment === undefined ? NOT_A_FLOAT : 'ERR value is NaN or Infinity');
    return;
  }
  const ref = changeHash(call, 2, call.count);
  if (ref === WRONG) return;
  const isThere = ref !== NONE && findField(call, ref, 2);
  const value = isThere ? foundLongDouble() : parseLongDouble(zero, 0, zero.length);
  if (value === undefined) {
    writeError(reply, 'ERR hash value is not a float');
    return;
  }
  const sum = addLongDouble(value, increment);
  if (sum === undefined) {
    writeError(reply, 'ERR increment would produce NaN or Infinity');
    return;
  }
  const text = Buffer.from(formatLongDouble(sum), 'latin1');
  if (storeNumber(call, text, text.length, isThere, 'hincrbyfloat')) writeBulk(reply, text, 0, text.length);
}

/** Puts `digits[0, end)` in the field of argument 2. */
function storeSum(call: Call, end: number, isThere: boolean): boolean {
  return storeNumber(call, digits, end, isThere, 'hincrby');
}

/** Puts a number in the field of argument 2, which keeps its deadline. If it is there, it was just found. */
function storeNumber(
  call: Call,
  text: Buffer,
  end: number,
  isThere: boolean,
  event: 'hincrby' | 'hincrbyfloat',
): boolean {
  const deadlineMs = isThere ? foundDeadline() : 0;
  beginEncoding();
  encodeArgument(call, 2);
  encodeBytes(text, 0, end);
  if (deadlineMs !== 0) encodeDeadlineOf(deadlineMs);
  return storePair(call, event);
}

function foundInt64(): bigint | undefined {
  const bytes = foundBytes();
  const at = foundValue();
  if (isIntegerElement(bytes, at)) return BigInt(integerAt(bytes, at));
  return parseInt64(bytes, textStart(bytes, at), encodingEnd(bytes, at));
}

function foundLongDouble(): ReturnType<typeof parseLongDouble> {
  const bytes = foundBytes();
  const at = foundValue();
  if (isIntegerElement(bytes, at)) return parseLongDouble(digits, 0, writeText(bytes, at, digits, 0));
  return parseLongDouble(bytes, textStart(bytes, at), encodingEnd(bytes, at));
}
