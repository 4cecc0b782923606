/**
 * Fields that expire: HEXPIRE, HPEXPIRE, HEXPIREAT, HPEXPIREAT, HTTL, HPTTL, HEXPIRETIME, HPEXPIRETIME and HPERSIST.
 *
 * Runs on the thread of the command, under the lock of the key's shard. A deadline that has passed removes the field at once. Source of the
 * rules: Redis 8.0 `t_hash.c`.
 */
import { beginOp, dropNoted, extendOp, OP_DEADLINE, OP_REMOVE } from '../collections/change.ts';
import { dropField, setDeadline } from '../collections/hash.ts';
import { writeArray, writeInteger } from '../resp/reply-writer.ts';
import { NONE, TYPE_HASH } from '../shard/layout.ts';
import { isWord } from './arguments.ts';
import type { Call, Handler } from './call.ts';
import { encodeDeadlineOf, encoded } from './collection-arguments.ts';
import { changeCollection, finishChange, readCollection, replyNoRoomFor, WRONG } from './collections.ts';
import { findField, foundDeadline } from './hashes.ts';
import { MS_PER_SECOND, readDeadlineMs, readFields } from './hashes-arguments.ts';
import { dropDueNamed } from './hashes-due.ts';
import { NOTIFY_HASH } from './keyspace-events.ts';

/** What the commands answer for a field. */
const NO_FIELD = -2;
const NO_DEADLINE = -1;
const UNMET = 0;
const DONE = 1;
const REMOVED = 2;

/** The condition under which a field gets, keeps or loses a deadline. */
const ALWAYS = 0;
const IF_NONE = 1;
const IF_ANY = 2;
const IF_LATER = 3;
const IF_EARLIER = 4;

const TIME_AT = 2;
const CONDITION_AT = 3;
const FIELDS_AT = 2;

const FIELDS_REFUSAL = 'Number of fields must be a positive integer';

export const hashDeadlineHandlers: Readonly<Record<string, Handler>> = {
  hexpire: (call) => setDeadlines(call, MS_PER_SECOND, call.nowMs),
  hpexpire: (call) => setDeadlines(call, 1, call.nowMs),
  hexpireat: (call) => setDeadlines(call, MS_PER_SECOND, 0),
  hpexpireat: (call) => setDeadlines(call, 1, 0),
  httl: (call) => readDeadlines(call, MS_PER_SECOND, call.nowMs),
  hpttl: (call) => readDeadlines(call, 1, call.nowMs),
  hexpiretime: (call) => readDeadlines(call, MS_PER_SECOND, 0),
  hpexpiretime: (call) => readDeadlines(call, 1, 0),
  hpersist,
};

/** `baseMs` is what the time counts from: now, or the epoch. */
function setDeadlines(call: Call, unitMs: number, baseMs: number): void {
  const ref = changeCollection(call, call.shard, 1, TYPE_HASH);
  if (ref === WRONG) return;
  const deadlineMs = readDeadlineMs(call, TIME_AT, unitMs, baseMs);
  if (Number.isNaN(deadlineMs)) return;
  const condition = readCondition(call);
  const fieldsAt = condition === ALWAYS ? CONDITION_AT : CONDITION_AT + 1;
  const first = readFields(call, fieldsAt, 'Parameter `numFields` should be greater than 0');
  if (first >= 0) changeFields(call, ref, first, condition, deadlineMs);
}

function hpersist(call: Call): void {
  const ref = changeCollection(call, call.shard, 1, TYPE_HASH);
  if (ref === WRONG) return;
  const first = readFields(call, FIELDS_AT, FIELDS_REFUSAL);
  if (first >= 0) changeFields(call, ref, first, IF_ANY, 0);
}

function readDeadlines(call: Call, unitMs: number, baseMs: number): void {
  const { reply } = call;
  const ref = readCollection(call, call.shard, 1, TYPE_HASH);
  if (ref === WRONG) return;
  const first = readFields(call, FIELDS_AT, FIELDS_REFUSAL);
  if (first < 0) return;
  writeArray(reply, call.count - first);
  for (let index = first; index < call.count; index += 1) {
    if (ref === NONE || !findField(call, ref, index)) {
      writeInteger(reply, NO_FIELD);
      continue;
    }
    const deadlineMs = foundDeadline();
    writeInteger(reply, deadlineMs === 0 ? NO_DEADLINE : Math.ceil((deadlineMs - baseMs) / unitMs));
  }
}

function readCondition(call: Call): number {
  if (isWord(call, CONDITION_AT, 'NX')) return IF_NONE;
  if (isWord(call, CONDITION_AT, 'XX')) return IF_ANY;
  if (isWord(call, CONDITION_AT, 'GT')) return IF_LATER;
  return isWord(call, CONDITION_AT, 'LT') ? IF_EARLIER : ALWAYS;
}

/**
 * Answers for each field from argument `first` on. Those for which the condition is met get the deadline; they lose theirs with 0, and go with
 * one that has passed.
 */
function changeFields(call: Call, known: number, first: number, condition: number, deadlineMs: number): void {
  const { shard, reply, count } = call;
  const replyStart = reply.length;
  const isPast = deadlineMs !== 0 && deadlineMs <= call.nowMs;
  let ref = known === NONE ? NONE : dropDueNamed(call, known, first, 1);
  writeArray(reply, count - first);
  const op = beginOp(isPast ? OP_REMOVE : OP_DEADLINE, 0);
  let changed = 0;
  for (let index = first; index < count; index += 1) {
    const answer = ref === NONE ? NO_FIELD : answerFor(call, ref, index, condition, deadlineMs);
    writeInteger(reply, answer === DONE && isPast ? REMOVED : answer);
    if (answer !== DONE) continue;
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

/** What is answered for the field of argument `index`, which `encoded` holds then. */
function answerFor(call: Call, ref: number, index: number, condition: number, deadlineMs: number): number {
  if (!findField(call, ref, index)) return NO_FIELD;
  const beforeMs = foundDeadline();
  if (deadlineMs === 0) return beforeMs === 0 ? NO_DEADLINE : DONE;
  return isMet(condition, beforeMs, deadlineMs) ? DONE : UNMET;
}

/** A field without a deadline counts as one that lives for ever. */
function isMet(condition: number, beforeMs: number, deadlineMs: number): boolean {
  if (condition === IF_NONE) return beforeMs === 0;
  if (condition === IF_ANY) return beforeMs !== 0;
  if (condition === IF_LATER) return beforeMs !== 0 && deadlineMs > beforeMs;
  return condition !== IF_EARLIER || beforeMs === 0 || deadlineMs < beforeMs;
}

/** Gives the field that `encoded` holds the deadline, or removes it. The entry from then on; NONE without room. */
export function changeFound(
  call: Call,
  ref: number,
  op: number,
  isPast: boolean,
  deadlineMs: number,
): number {
  const { shard, nowMs } = call;
  const end = encoded.length;
  if (isPast) {
    dropField(shard, ref, encoded.bytes, 0, end);
    extendOp(op, encoded.bytes, 0, end);
    return ref;
  }
  const moved = setDeadline(shard, ref, encoded.bytes, 0, end, deadlineMs, nowMs);
  encodeDeadlineOf(deadlineMs);
  if (moved !== NONE) extendOp(op, encoded.bytes, 0, encoded.length);
  return moved;
}

/** What the change is called that gives fields such a deadline. */
export function eventFor(isPast: boolean, deadlineMs: number): 'hdel' | 'hexpire' | 'hpersist' {
  if (isPast) return 'hdel';
  return deadlineMs === 0 ? 'hpersist' : 'hexpire';
}
