/**
 * Values of fields together with their deadlines: HGETEX, HSETEX and HGETDEL.
 *
 * Runs on the thread of the command, under the lock of the key's shard. Source of the rules: Redis 8.0 `t_hash.c`.
 */
import { beginOp, dropNoted, extendOp, OP_ADD, OP_DEADLINE, OP_REMOVE } from '../collections/change.ts';
import { dropField, putPair } from '../collections/hash.ts';
import { writeArray, writeError, writeInteger, writeNull } from '../resp/reply-writer.ts';
import { NONE, TYPE_HASH } from '../shard/layout.ts';
import { isWord, printedText } from './arguments.ts';
import type { Call, Handler } from './call.ts';
import {
  beginEncoding,
  encodeArgument,
  encodeDeadlineOf,
  encoded,
  writeElement,
} from './collection-arguments.ts';
import { changeCollection, finishChange, opened, replyNoRoomFor, WRONG } from './collections.ts';
import { findField, foundBytes, foundDeadline, foundValue } from './hashes.ts';
import { MS_PER_SECOND, readDeadlineMs, readFields, readNumber } from './hashes-arguments.ts';
import { changeFound, eventFor } from './hashes-deadlines.ts';
import { changeHash, deadlineOfField, dropDueNamed, openHash } from './hashes-due.ts';
import { NOTIFY_GENERIC, NOTIFY_HASH, notifyKeyspace } from './keyspace-events.ts';

/** What HSETEX is told before the fields. One per thread. */
const options = { isOnlyNew: false, isOnlyKnown: false, keepsDeadlines: false, deadlineMs: 0, fieldsAt: 0 };

const OPTIONS_AT = 2;
const FIELDS_AT = 2;
const FIELDS_MAX = 2 ** 31 - 1;

/** HSETEX was told no time. */
const NO_TIME = -1;

const FIELDS_REFUSAL = 'Number of fields must be a positive integer';

export const hashValueHandlers: Readonly<Record<string, Handler>> = { hgetdel, hgetex, hsetex };

function hgetdel(call: Call): void {
  const { shard, reply } = call;
  const known = changeCollection(call, shard, 1, TYPE_HASH);
  if (known === WRONG) return;
  const first = readFields(call, FIELDS_AT, FIELDS_REFUSAL);
  if (first < 0) return;
  const ref = known === NONE ? NONE : dropDueNamed(call, known, first, 1);
  const op = beginOp(OP_REMOVE, 0);
  let dropped = 0;
  writeArray(reply, call.count - first);
  for (let index = first; index < call.count; index += 1) {
    if (!replyValue(call, ref, index)) continue;
    dropField(shard, ref, encoded.bytes, 0, encoded.length);
    extendOp(op, encoded.bytes, 0, encoded.length);
    dropped += 1;
  }
  if (dropped > 0) finishChange(call, shard, 1, ref, false, NOTIFY_HASH, 'hdel');
  else dropNoted();
}

function hgetex(call: Call): void {
  const { shard, reply, nowMs } = call;
  const known = changeCollection(call, shard, 1, TYPE_HASH);
  if (known === WRONG) return;
  const unitMs = unitOf(call, OPTIONS_AT);
  const persists = isWord(call, OPTIONS_AT, 'PERSIST');
  const deadlineMs =
    unitMs === 0 ? 0 : readDeadlineMs(call, OPTIONS_AT + 1, unitMs, baseOf(call, OPTIONS_AT));
  if (Number.isNaN(deadlineMs)) return;
  const fieldsAt = OPTIONS_AT + (unitMs === 0 ? 0 : 2) + (persists ? 1 : 0);
  const first = readFields(call, fieldsAt, FIELDS_REFUSAL);
  if (first < 0) return;
  const replyStart = reply.length;
  const isPast = unitMs !== 0 && deadlineMs <= nowMs;
  let ref = known === NONE ? NONE : dropDueNamed(call, known, first, 1);
  const op = beginOp(isPast ? OP_REMOVE : OP_DEADLINE, 0);
  let changed = 0;
  writeArray(reply, call.count - first);
  for (let index = first; index < call.count; index += 1) {
    if (!replyValue(call, ref, index) || (unitMs === 0 && !persists)) continue;
    if (persists && foundDeadline() === 0) continue;
    changed += 1;
    ref = changeFound(call, ref, op, isPast, deadlineMs);
    if (ref !== NONE) continue;
    reply.length = replyStart;
    replyNoRoomFor(call, shard, 1, false, encoded.length);
    return;
  }
  if (changed === 0) dropNoted();
  else finishChange(call, shard, 1, ref, false, NOTIFY_HASH, eventFor(isPast, deadlineMs));
}

/** Answers with the value of the field of argument `index`, which `encoded` holds then; whether there is one. */
function replyValue(call: Call, ref: number, index: number): boolean {
  const isThere = ref !== NONE && findField(call, ref, index);
  if (isThere) writeElement(call.reply, foundBytes(), foundValue());
  else writeNull(call.reply);
  return isThere;
}

function hsetex(call: Call): void {
  if (!readOptions(call)) return;
  const { isOnlyNew, isOnlyKnown, deadlineMs, fieldsAt } = options;
  const first = fieldsAt + 2;
  const known = changeHash(call, first, 2);
  if (known === WRONG) return;
  if ((isOnlyNew || isOnlyKnown) && !areFields(call, known, first, isOnlyKnown)) {
    writeInteger(call.reply, 0);
    return;
  }
  if (deadlineMs >= 0 && deadlineMs <= call.nowMs) removePairs(call, known, first);
  else putPairs(call, first);
}

/** Whether all named fields are there, or none of them. */
function areFields(call: Call, ref: number, first: number, areThere: boolean): boolean {
  for (let index = first; index < call.count; index += 2) {
    if ((ref !== NONE && findField(call, ref, index)) !== areThere) return false;
  }
  return true;
}

/** The pairs from argument `first` on. What was put before room was wanting stays. */
function putPairs(call: Call, first: number): void {
  const { shard, reply, nowMs } = call;
  const { keepsDeadlines, deadlineMs } = options;
  let ref = openHash(call, first, 2);
  if (ref === NONE || ref === WRONG) return;
  const { isNew } = opened;
  const op = beginOp(OP_ADD, 0);
  for (let index = first; index < call.count; index += 2) {
    beginEncoding();
    const start = encodeArgument(call, index);
    encodeArgument(call, index + 1);
    const untilMs = keepsDeadlines ? deadlineOfField(call, ref, index) : deadlineMs;
    if (untilMs > 0) encodeDeadlineOf(untilMs);
    const moved = putPair(shard, ref, encoded.bytes, start, encoded.length, nowMs);
    if (moved === NONE) {
      replyNoRoomFor(call, shard, 1, isNew, encoded.length);
      return;
    }
    ref = moved;
    extendOp(op, encoded.bytes, start, encoded.length);
  }
  writeInteger(reply, 1);
  finishChange(call, shard, 1, ref, isNew, NOTIFY_HASH, 'hset');
  if (deadlineMs > 0) notifyKeyspace(call, NOTIFY_HASH, 'hexpire', 1);
}

/** The pairs would be put and go at once, since their time has passed. */
function removePairs(call: Call, ref: number, first: number): void {
  const { shard, reply } = call;
  writeInteger(reply, 1);
  notifyKeyspace(call, NOTIFY_HASH, 'hset', 1);
  if (ref === NONE) {
    notifyKeyspace(call, NOTIFY_HASH, 'hdel', 1);
    notifyKeyspace(call, NOTIFY_GENERIC, 'del', 1);
    return;
  }
  const op = beginOp(OP_REMOVE, 0);
  let dropped = 0;
  for (let index = first; index < call.count; index += 2) {
    if (!findField(call, ref, index)) continue;
    dropField(shard, ref, encoded.bytes, 0, encoded.length);
    extendOp(op, encoded.bytes, 0, encoded.length);
    dropped += 1;
  }
  if (dropped > 0) {
    finishChange(call, shard, 1, ref, false, NOTIFY_HASH, 'hdel');
    return;
  }
  dropNoted();
  notifyKeyspace(call, NOTIFY_HASH, 'hdel', 1);
}

/** Reads what stands before the fields, and how many these are; false after answering what is wrong with it. */
function readOptions(call: Call): boolean {
  options.isOnlyNew = false;
  options.isOnlyKnown = false;
  options.keepsDeadlines = false;
  options.deadlineMs = NO_TIME;
  let index = OPTIONS_AT;
  while (index < call.count && !isWord(call, index, 'FIELDS')) {
    const next = readOption(call, index);
    if (next < 0) return false;
    index = next;
  }
  options.fieldsAt = index;
  return index < call.count ? arePairs(call, index) : refuse(call, 'ERR syntax error') > 0;
}

/** Reads the option of argument `index`; where the next one is, -1 after answering what is wrong. */
function readOption(call: Call, index: number): number {
  const isOnlyNew = isWord(call, index, 'FNX');
  if (isOnlyNew || isWord(call, index, 'FXX')) {
    if (options.isOnlyNew || options.isOnlyKnown)
      return refuse(call, 'ERR Only one of FXX or FNX arguments can be specified');
    options.isOnlyNew = isOnlyNew;
    options.isOnlyKnown = !isOnlyNew;
    return index + 1;
  }
  const unitMs = unitOf(call, index);
  const keeps = isWord(call, index, 'KEEPTTL');
  if (unitMs === 0 && !keeps) return refuse(call, `ERR unknown argument: ${printedText(call, index)}`);
  if (options.keepsDeadlines || options.deadlineMs !== NO_TIME)
    return refuse(call, 'ERR Only one of EX, PX, EXAT, PXAT or KEEPTTL arguments can be specified');
  options.keepsDeadlines = keeps;
  if (keeps) return index + 1;
  if (index + 1 === call.count) return refuse(call, 'ERR missing expire time');
  options.deadlineMs = readDeadlineMs(call, index + 1, unitMs, baseOf(call, index));
  return Number.isNaN(options.deadlineMs) ? -1 : index + 2;
}

/** Whether FIELDS at argument `at` is followed by as many pairs as it says. */
function arePairs(call: Call, at: number): boolean {
  const rest = call.count - at - 2;
  const arity = `ERR wrong number of arguments for '${call.command.spec.name}' command`;
  if (rest < 2) return refuse(call, arity) > 0;
  const fields = readNumber(call, at + 1);
  if (!(fields >= 1 && fields <= FIELDS_MAX)) return refuse(call, 'ERR invalid number of fields') > 0;
  return fields * 2 === rest || refuse(call, arity) > 0;
}

function refuse(call: Call, text: string): number {
  writeError(call.reply, text);
  return -1;
}

/** The unit of the time that an option tells, 0 for another option. */
function unitOf(call: Call, index: number): number {
  if (isWord(call, index, 'EX') || isWord(call, index, 'EXAT')) return MS_PER_SECOND;
  return isWord(call, index, 'PX') || isWord(call, index, 'PXAT') ? 1 : 0;
}

/** What it counts from. */
function baseOf(call: Call, index: number): number {
  return isWord(call, index, 'EX') || isWord(call, index, 'PX') ? call.nowMs : 0;
}
