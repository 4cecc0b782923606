/**
 * Strings as wholes: GET and SET with their older relatives, and GETEX and GETDEL.
 *
 * Runs on the thread of the command, under the lock of the key's shard. GET and plain SET are the server's hottest
 * paths: one look-up each, nothing allocated. Source of the rules: Redis 7.0 `t_string.c`.
 */
import { writeInteger, writeNull, writeOk } from '../resp/reply-writer.ts';
import { expiresAt } from '../shard/entry.ts';
import { NONE } from '../shard/layout.ts';
import { removeEntry, setExpiry } from '../shard/lifecycle.ts';
import type { Call, Handler } from './call.ts';
import {
  isToldNew,
  NOTIFY_GENERIC,
  NOTIFY_NEW,
  NOTIFY_STRING,
  notifyExpired,
  notifyKeyspace,
} from './keyspace-events.ts';
import { isString, peekEntry, readEntry, writeEntry } from './lookup.ts';
import {
  GETEX_WORDS,
  OPTION_GET,
  OPTION_KEEPTTL,
  OPTION_MOMENTS,
  OPTION_NX,
  OPTION_PERSIST,
  OPTION_XX,
  readDeadlineArgument,
  readOptionDeadline,
  readStringOptions,
  SET_WORDS,
  stringOptions,
} from './strings-options.ts';
import { replyEntryValue, storeArgument } from './strings-value.ts';

const MS_PER_SECOND = 1000;

export const stringHandlers: Readonly<Record<string, Handler>> = {
  get: (call) => void replyValue(call),
  set,
  setnx,
  setex: (call) => setForTime(call, MS_PER_SECOND),
  psetex: (call) => setForTime(call, 1),
  getset,
  getdel,
  getex,
};

/** Answers with the value, null, or WRONGTYPE. Returns the entry, or NONE when there is no string to go on with. */
function replyValue(call: Call): number {
  const { shard, reply } = call;
  const ref = readEntry(call, shard, 1);
  if (ref === NONE) {
    writeNull(reply);
    return NONE;
  }
  if (!isString(call, shard, ref)) return NONE;
  replyEntryValue(reply, shard, ref);
  return ref;
}

function set(call: Call): void {
  if (call.count > 3) setWithOptions(call);
  else if (storeAndTell(call, 2, 0, 0)) writeOk(call.reply);
}

function setWithOptions(call: Call): void {
  if (!readStringOptions(call, 3, SET_WORDS)) return;
  const { flags } = stringOptions;
  const deadlineMs = readOptionDeadline(call);
  if (Number.isNaN(deadlineMs)) return;
  if ((flags & OPTION_GET) !== 0) setAndGet(call, flags, deadlineMs);
  else if (!allowsStore(call, flags)) writeNull(call.reply);
  else if (storeAndTell(call, 2, deadlineFor(call, flags, deadlineMs), deadlineMs)) writeOk(call.reply);
}

/** SET with GET: the answer is the former value whether or not the new one is stored. */
function setAndGet(call: Call, flags: number, deadlineMs: number): void {
  const { reply, shard } = call;
  const replyStart = reply.length;
  const ref = readEntry(call, shard, 1);
  if (ref !== NONE && !isString(call, shard, ref)) return;
  if (ref === NONE) writeNull(reply);
  else replyEntryValue(reply, shard, ref);
  if ((flags & OPTION_NX) !== 0 && ref !== NONE) return;
  if ((flags & OPTION_XX) !== 0 && ref === NONE) return;
  storeAfterReply(call, replyStart, deadlineFor(call, flags, deadlineMs), deadlineMs);
}

/** Stores argument 2 after the former value was answered; that answer is taken back when there is no room. */
function storeAfterReply(call: Call, replyStart: number, deadlineMs: number, givenMs: number): void {
  const { reply } = call;
  const replyEnd = reply.length;
  if (storeAndTell(call, 2, deadlineMs, givenMs)) return;
  reply.bytes.copyWithin(replyStart, replyEnd, reply.length);
  reply.length -= replyEnd - replyStart;
}

/** Whether NX or XX lets the value be stored. */
function allowsStore(call: Call, flags: number): boolean {
  if ((flags & OPTION_NX) !== 0) return writeEntry(call, call.shard, 1) === NONE;
  if ((flags & OPTION_XX) !== 0) return peekEntry(call, call.shard, 1) !== NONE;
  return true;
}

/** The deadline to store: the key's own with KEEPTTL. */
function deadlineFor(call: Call, flags: number, deadlineMs: number): number {
  if ((flags & OPTION_KEEPTTL) === 0) return deadlineMs;
  const ref = peekEntry(call, call.shard, 1);
  return ref === NONE ? 0 : expiresAt(call.shard.entries, ref);
}

/**
 * Stores the value; one whose time has passed already leaves no key, which is all that anyone could see of it. `givenMs` is the
 * deadline that the client gave, 0 for none: what the key had before is no news.
 */
function storeAndTell(call: Call, valueIndex: number, deadlineMs: number, givenMs: number): boolean {
  const isPast = deadlineMs !== 0 && deadlineMs < call.nowMs;
  if (isPast) dropPast(call);
  else if (!storeArgument(call, call.shard, 1, valueIndex, deadlineMs)) return false;
  notifyKeyspace(call, NOTIFY_STRING, 'set', 1);
  if (givenMs !== 0) notifyKeyspace(call, NOTIFY_GENERIC, 'expire', 1);
  if (isPast) notifyExpired(call, 1);
  return true;
}

/** The key as if it had been there, and had expired at once. */
function dropPast(call: Call): void {
  const { shard, session } = call;
  if (isToldNew(call, shard, 1, session.database)) notifyKeyspace(call, NOTIFY_NEW, 'new', 1);
  const ref = peekEntry(call, shard, 1);
  if (ref !== NONE) removeEntry(shard, ref);
}

function setnx(call: Call): void {
  if (writeEntry(call, call.shard, 1) !== NONE) writeInteger(call.reply, 0);
  else if (storeAndTell(call, 2, 0, 0)) writeInteger(call.reply, 1);
}

/** SETEX and PSETEX: key, time, value. */
function setForTime(call: Call, unitMs: number): void {
  const deadlineMs = readDeadlineArgument(call, 2, unitMs, call.nowMs);
  if (!Number.isNaN(deadlineMs) && storeAndTell(call, 3, deadlineMs, deadlineMs)) writeOk(call.reply);
}

function getset(call: Call): void {
  setAndGet(call, 0, 0);
}

function getdel(call: Call): void {
  const ref = replyValue(call);
  if (ref === NONE) return;
  removeEntry(call.shard, ref);
  notifyKeyspace(call, NOTIFY_GENERIC, 'del', 1);
}

function getex(call: Call): void {
  const { shard, reply } = call;
  if (!readStringOptions(call, 2, GETEX_WORDS)) return;
  const { flags, timeIndex } = stringOptions;
  const ref = readEntry(call, shard, 1);
  if (ref === NONE) {
    writeNull(reply);
    return;
  }
  if (!isString(call, shard, ref)) return;
  const deadlineMs = readOptionDeadline(call);
  if (Number.isNaN(deadlineMs)) return;
  replyEntryValue(reply, shard, ref);
  // Unlike SET, a moment that is just now counts as past.
  if ((flags & OPTION_MOMENTS) !== 0 && deadlineMs <= call.nowMs) {
    removeEntry(shard, ref);
    notifyKeyspace(call, NOTIFY_GENERIC, 'del', 1);
  } else if (timeIndex !== 0) {
    setExpiry(shard, ref, deadlineMs);
    notifyKeyspace(call, NOTIFY_GENERIC, 'expire', 1);
  } else if ((flags & OPTION_PERSIST) !== 0 && expiresAt(shard.entries, ref) !== 0) {
    setExpiry(shard, ref, 0);
    notifyKeyspace(call, NOTIFY_GENERIC, 'persist', 1);
  }
}
