/**
 * Strings that spell numbers: INCR, DECR, INCRBY, DECRBY, INCRBYFLOAT. A missing key counts as 0; the TTL stays.
 *
 * Runs on the thread of the command, under the lock of the key's shard. Results within the safe integers allocate
 * nothing: the digits are written to one scratch buffer per thread and stored from there. Source: Redis 7.0 `t_string.c`.
 */
import { Buffer } from 'node:buffer';
import { parseInt64, parseSafeInteger, writeDecimal } from '../base/decimal.ts';
import { addLongDouble, formatLongDouble, parseLongDouble } from '../base/long-double.ts';
import { writeBigInteger, writeBulk, writeError, writeInteger } from '../resp/reply-writer.ts';
import { entryBytes, expiresAt, valueLength, valueOffset } from '../shard/entry.ts';
import { putFound, sought } from '../shard/keyspace.ts';
import { NONE } from '../shard/layout.ts';
import { integerOf, NOT_A_FLOAT, NOT_AN_INTEGER } from './arguments.ts';
import type { Call, Handler } from './call.ts';
import { isToldNew, NOTIFY_NEW, NOTIFY_STRING, notifyKeyspace } from './keyspace-events.ts';
import { isString, peekEntry, replyNoRoom } from './lookup.ts';

const OVERFLOW = 'ERR increment or decrement would overflow';
const INT64_MAX = 2n ** 63n - 1n;
const INT64_MIN = -(2n ** 63n);

/** "-9223372036854775808" is the longest int64. */
const digits = Buffer.alloc(20);
const zero = Buffer.from('0');

export const stringNumberHandlers: Readonly<Record<string, Handler>> = {
  incr: (call) => changeBy(call, 1),
  decr: (call) => changeBy(call, -1),
  incrby,
  decrby,
  incrbyfloat,
};

function incrby(call: Call): void {
  const increment = integerOf(call, 2);
  if (Number.isNaN(increment)) changeByHuge(call, 1n);
  else changeBy(call, increment);
}

function decrby(call: Call): void {
  const decrement = integerOf(call, 2);
  if (Number.isNaN(decrement)) changeByHuge(call, -1n);
  else changeBy(call, -decrement);
}

/** Adds a safe integer to the key's. The entry is not touched here: storing the sum is the one use. */
function changeBy(call: Call, increment: number): void {
  const { shard } = call;
  const { entries } = shard;
  const ref = peekEntry(call, shard, 1);
  let value = 0;
  if (ref !== NONE) {
    if (!isString(call, shard, ref)) return;
    const at = valueOffset(entries, ref);
    value = parseSafeInteger(entryBytes(entries, ref), at, at + valueLength(entries, ref));
  }
  const sum = value + increment;
  if (!Number.isSafeInteger(sum)) {
    changeByBig(call, ref, BigInt(increment));
    return;
  }
  const end = writeDecimal(digits, 0, sum);
  if (storeNumber(call, ref, digits, end, 'incrby')) writeInteger(call.reply, sum);
}

/** INCRBY and DECRBY with an argument that is no safe integer: times `sign`, if it is an int64 at all. */
function changeByHuge(call: Call, sign: bigint): void {
  const { shard, reply } = call;
  const argument = parseInt64(call.input, call.spans[4], call.spans[5]);
  if (argument === undefined) {
    writeError(reply, NOT_AN_INTEGER);
  } else if (sign < 0n && argument === INT64_MIN) {
    writeError(reply, 'ERR decrement would overflow');
  } else {
    const ref = peekEntry(call, shard, 1);
    if (ref === NONE || isString(call, shard, ref)) changeByBig(call, ref, sign * argument);
  }
}

/** The slow way, exact over all of int64. The entry is a string or NONE. */
function changeByBig(call: Call, ref: number, increment: bigint): void {
  const { reply } = call;
  const { entries } = call.shard;
  let value: bigint | undefined = 0n;
  if (ref !== NONE) {
    const at = valueOffset(entries, ref);
    value = parseInt64(entryBytes(entries, ref), at, at + valueLength(entries, ref));
  }
  if (value === undefined) {
    writeError(reply, NOT_AN_INTEGER);
    return;
  }
  const sum = value + increment;
  if (sum > INT64_MAX || sum < INT64_MIN) {
    writeError(reply, OVERFLOW);
    return;
  }
  const end = digits.write(sum.toString(), 'latin1');
  if (storeNumber(call, ref, digits, end, 'incrby')) writeBigInteger(reply, sum);
}

function incrbyfloat(call: Call): void {
  const { shard, reply, input, spans } = call;
  const { entries } = shard;
  const ref = peekEntry(call, shard, 1);
  if (ref !== NONE && !isString(call, shard, ref)) return;
  const at = ref === NONE ? 0 : valueOffset(entries, ref);
  const value =
    ref === NONE
      ? parseLongDouble(zero, 0, zero.length)
      : parseLongDouble(entryBytes(entries, ref), at, at + valueLength(entries, ref));
  const increment = parseLongDouble(input, spans[4], spans[5]);
  if (value === undefined || increment === undefined) {
    writeError(reply, NOT_A_FLOAT);
    return;
  }
  const sum = addLongDouble(value, increment);
  if (sum === undefined) {
    writeError(reply, 'ERR increment would produce NaN or Infinity');
    return;
  }
  const text = Buffer.from(formatLongDouble(sum), 'latin1');
  if (storeNumber(call, ref, text, text.length, 'incrbyfloat')) writeBulk(reply, text, 0, text.length);
}

/** Stores `text[0, end)` under the key that was looked up last, with the entry `known` or NONE; answers and returns false without room. */
function storeNumber(
  call: Call,
  known: number,
  text: Buffer,
  end: number,
  event: 'incrby' | 'incrbyfloat',
): boolean {
  const { shard, input, spans, session } = call;
  const isNew = isToldNew(call, shard, 1, session.database);
  const ref = putFound(
    shard,
    session.database,
    sought.hash,
    known,
    input,
    spans[2],
    spans[3],
    text,
    0,
    end,
    known === NONE ? 0 : expiresAt(shard.entries, known),
    call.nowMs,
  );
  if (ref !== NONE) {
    if (isNew) notifyKeyspace(call, NOTIFY_NEW, 'new', 1);
    notifyKeyspace(call, NOTIFY_STRING, event, 1);
    return true;
  }
  replyNoRoom(call, shard, 1, end);
  return false;
}
