/**
 * The commands on the deadlines of keys: set them by a span or a moment, in seconds or milliseconds, read and drop them.
 *
 * Runs on the thread of the connection, under the lock of the key's shard. A deadline that has passed removes the key
 * at once. Deadlines are kept up to the year 10889 (shard/layout); a later one is kept as that.
 */
import { parseInt64 } from '../base/decimal.ts';
import { writeError, writeInteger } from '../resp/reply-writer.ts';
import { expiresAt } from '../shard/entry.ts';
import { EXPIRES_AT_MS_MAX, NONE } from '../shard/layout.ts';
import { removeEntry, setExpiry } from '../shard/lifecycle.ts';
import { argumentText, integerOf, isWord, NOT_AN_INTEGER } from './arguments.ts';
import type { Call, Handler } from './call.ts';
import { NOTIFY_GENERIC, notifyKeyspace } from './keyspace-events.ts';
import { probeEntry, writeEntry } from './lookup.ts';

const MS_PER_SECOND = 1000;
const HALF_SECOND_MS = 500;
const INT64_MAX = 2n ** 63n - 1n;
const INT64_MIN = -(2n ** 63n);

/** What TTL and its kind answer for a key that is not there, and for one without a deadline. */
const NO_KEY = -2;
const NO_DEADLINE = -1;

/** The conditions under which a deadline is set, one bit each; BAD_CONDITION when an error was answered. */
const IF_NONE = 1;
const IF_ANY = 2;
const IF_LATER = 4;
const IF_EARLIER = 8;
const BAD_CONDITION = -1;

export const expiryHandlers: Readonly<Record<string, Handler>> = {
  expire: (call) => setDeadline(call, MS_PER_SECOND, call.nowMs),
  pexpire: (call) => setDeadline(call, 1, call.nowMs),
  expireat: (call) => setDeadline(call, MS_PER_SECOND, 0),
  pexpireat: (call) => setDeadline(call, 1, 0),
  ttl: (call) => readDeadline(call, MS_PER_SECOND, call.nowMs),
  pttl: (call) => readDeadline(call, 1, call.nowMs),
  expiretime: (call) => readDeadline(call, MS_PER_SECOND, 0),
  pexpiretime: (call) => readDeadline(call, 1, 0),
  persist: dropDeadline,
};

/** `baseMs` is what the argument counts from: now, or the epoch. */
function setDeadline(call: Call, unitMs: number, baseMs: number): void {
  const { reply, shard, nowMs } = call;
  const condition = call.count > 3 ? readCondition(call) : 0;
  if (condition === BAD_CONDITION) return;
  const deadlineMs = readDeadlineMs(call, unitMs, baseMs);
  if (Number.isNaN(deadlineMs)) return;
  const ref = writeEntry(call, shard, 1);
  if (ref === NONE || !isMet(condition, expiresAt(shard.entries, ref), deadlineMs)) {
    writeInteger(reply, 0);
    return;
  }
  const isPast = deadlineMs <= nowMs;
  if (isPast) removeEntry(shard, ref);
  else setExpiry(shard, ref, deadlineMs);
  notifyKeyspace(call, NOTIFY_GENERIC, isPast ? 'del' : 'expire', 1);
  writeInteger(reply, 1);
}

/** A deadline counts as infinitely late where there is none. */
function isMet(condition: number, beforeMs: number, deadlineMs: number): boolean {
  const hasDeadline = beforeMs !== 0;
  if ((condition & IF_NONE) !== 0 && hasDeadline) return false;
  if ((condition & IF_ANY) !== 0 && !hasDeadline) return false;
  if ((condition & IF_LATER) !== 0 && (!hasDeadline || deadlineMs <= beforeMs)) return false;
  return (condition & IF_EARLIER) === 0 || !hasDeadline || deadlineMs < beforeMs;
}

function readCondition(call: Call): number {
  let condition = 0;
  for (let index = 3; index < call.count; index += 1) {
    if (isWord(call, index, 'NX')) condition |= IF_NONE;
    else if (isWord(call, index, 'XX')) condition |= IF_ANY;
    else if (isWord(call, index, 'GT')) condition |= IF_LATER;
    else if (isWord(call, index, 'LT')) condition |= IF_EARLIER;
    else return refuseCondition(call, `Unsupported option ${argumentText(call, index).replace(/\0.*/s, '')}`);
  }
  if ((condition & IF_NONE) !== 0 && condition !== IF_NONE) {
    return refuseCondition(call, 'NX and XX, GT or LT options at the same time are not compatible');
  }
  if ((condition & IF_LATER) !== 0 && (condition & IF_EARLIER) !== 0) {
    return refuseCondition(call, 'GT and LT options at the same time are not compatible');
  }
  return condition;
}

function refuseCondition(call: Call, text: string): number {
  writeError(call.reply, `ERR ${text}`);
  return BAD_CONDITION;
}

/** The second argument as milliseconds since the epoch, below 2^53 exact; NaN after answering what is wrong with it. */
function readDeadlineMs(call: Call, unitMs: number, baseMs: number): number {
  const value = integerOf(call, 2);
  const deadlineMs = value * unitMs + baseMs;
  return Number.isNaN(deadlineMs)
    ? readFarDeadlineMs(call, unitMs, baseMs)
    : Math.min(deadlineMs, EXPIRES_AT_MS_MAX);
}

/** The same for the rest of the 64-bit integers. */
function readFarDeadlineMs(call: Call, unitMs: number, baseMs: number): number {
  const value = parseInt64(call.input, call.spans[4], call.spans[5]);
  if (value === undefined) {
    writeError(call.reply, NOT_AN_INTEGER);
    return Number.NaN;
  }
  const ms = value * BigInt(unitMs);
  if (ms > INT64_MAX - BigInt(baseMs) || ms < INT64_MIN) {
    writeError(call.reply, `ERR invalid expire time in '${call.command.spec.name}' command`);
    return Number.NaN;
  }
  return ms < 0n ? -Infinity : EXPIRES_AT_MS_MAX;
}

/** The time from `baseMs` to the deadline, to the nearest whole unit. */
function readDeadline(call: Call, unitMs: number, baseMs: number): void {
  const { reply, shard } = call;
  const ref = probeEntry(call, shard, 1);
  if (ref === NONE) {
    writeInteger(reply, NO_KEY);
    return;
  }
  const deadlineMs = expiresAt(shard.entries, ref);
  if (deadlineMs === 0) {
    writeInteger(reply, NO_DEADLINE);
    return;
  }
  const spanMs = deadlineMs - baseMs;
  writeInteger(reply, unitMs === 1 ? spanMs : Math.floor((spanMs + HALF_SECOND_MS) / MS_PER_SECOND));
}

function dropDeadline(call: Call): void {
  const { reply, shard } = call;
  const ref = writeEntry(call, shard, 1);
  const drops = ref !== NONE && expiresAt(shard.entries, ref) !== 0;
  if (drops) {
    setExpiry(shard, ref, 0);
    notifyKeyspace(call, NOTIFY_GENERIC, 'persist', 1);
  }
  writeInteger(reply, drops ? 1 : 0);
}
