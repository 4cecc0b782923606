/**
 * Sorted sets by member: ZADD, ZINCRBY, ZREM, ZSCORE, ZMSCORE, ZCARD, ZRANK, ZREVRANK, ZSCAN.
 *
 * Runs on the thread of the command, under the lock of the key's shard. Source of the rules: Redis 7.0 `t_zset.c`.
 */
import type { Buffer } from 'node:buffer';
import { formatDouble, parseFloatArgument } from '../base/decimal.ts';
import { beginOp, dropNoted, extendOp, OP_ADD, OP_REMOVE } from '../collections/change.ts';
import { elementEnd, SCORE_BYTES } from '../collections/elements.ts';
import { isLarge } from '../collections/form.ts';
import { countOf } from '../collections/sequence.ts';
import {
  ADDED,
  ADDS_UP,
  changeScore,
  dropScored,
  MOVED,
  NOT_A_NUMBER,
  ONLY_GREATER,
  ONLY_KNOWN,
  ONLY_LESS,
  ONLY_NEW,
  rankOfMember,
  scoreOf,
  scoring,
  UNMET,
} from '../collections/zset.ts';
import {
  type ReplyWriter,
  writeArray,
  writeBulkText,
  writeDouble,
  writeError,
  writeInteger,
  writeNull,
} from '../resp/reply-writer.ts';
import { typeOf } from '../shard/entry.ts';
import { findForReading } from '../shard/keyspace.ts';
import { NONE, TYPE_ZSET } from '../shard/layout.ts';
import { integerOf, isWord, NOT_A_FLOAT, SYNTAX_ERROR } from './arguments.ts';
import type { Call, Handler } from './call.ts';
import { beginEncoding, encoded, encodeMember, encodeScore, writeElement } from './collection-arguments.ts';
import { scanCollection } from './collection-scan.ts';
import {
  changeCollection,
  finishChange,
  opened,
  openForAdding,
  readCollection,
  replyNoRoomFor,
  WRONG,
} from './collections.ts';
import { NOTIFY_ZSET } from './keyspace-events.ts';

export const sortedSetHandlers: Readonly<Record<string, Handler>> = {
  zadd: (call) => addScores(call, 0),
  zincrby: (call) => addScores(call, ADDS_UP),
  zrem,
  zscore,
  zmscore,
  zcard,
  zrank: (call) => replyRank(call, false),
  zrevrank: (call) => replyRank(call, true),
  zscan: (call) => scanCollection(call, TYPE_ZSET, keepsIntegers(call) ? writeIntegerPair : writePair),
};

/** In ZADD's rules: the reply counts changed scores as well. */
const COUNTS_CHANGES = 32;

const OPTIONS: readonly (readonly [string, number])[] = [
  ['NX', ONLY_NEW],
  ['XX', ONLY_KNOWN],
  ['CH', COUNTS_CHANGES],
  ['INCR', ADDS_UP],
  ['GT', ONLY_GREATER],
  ['LT', ONLY_LESS],
];

const NOT_A_SCORE = 'ERR resulting score is not a number (NaN)';

/** Up to here redis-server keeps a small sorted set's integers as such: half of the largest int64. */
const INTEGERS_END = 2 ** 62;

/** `[NX | XX] [GT | LT] [CH] [INCR] score member ...`, as ZINCRBY reads them as well. */
function addScores(call: Call, given: number): void {
  let rules = given;
  let first = 2;
  for (; first < call.count; first += 1) {
    const option = optionAt(call, first);
    if (option === 0) break;
    rules |= option;
  }
  const refusal = refusalOf(rules, call.count - first);
  if (refusal !== undefined) writeError(call.reply, refusal);
  else if (encodePairs(call, first)) putPairs(call, rules);
}

function optionAt(call: Call, index: number): number {
  for (const [word, rule] of OPTIONS) {
    if (isWord(call, index, word)) return rule;
  }
  return 0;
}

/** What is wrong with the rules for so many arguments of scores and members. */
function refusalOf(rules: number, left: number): string | undefined {
  const isBounded = (rules & (ONLY_GREATER | ONLY_LESS)) !== 0;
  const isBoundedTwice = (rules & ONLY_GREATER) !== 0 && (rules & ONLY_LESS) !== 0;
  if (left === 0 || left % 2 !== 0) return SYNTAX_ERROR;
  if ((rules & ONLY_NEW) !== 0 && (rules & ONLY_KNOWN) !== 0) {
    return 'ERR XX and NX options at the same time are not compatible';
  }
  if (isBoundedTwice || (isBounded && (rules & ONLY_NEW) !== 0)) {
    return 'ERR GT, LT, and/or NX options at the same time are not compatible';
  }
  if ((rules & ADDS_UP) !== 0 && left > 2) {
    return 'ERR INCR option supports a single increment-element pair';
  }
  return undefined;
}

/** Encodes the scores and members from argument `first` on; false after answering that one is no score. */
function encodePairs(call: Call, first: number): boolean {
  beginEncoding();
  for (let index = first; index < call.count; index += 2) {
    const score = scoreArgument(call, index);
    if (Number.isNaN(score)) {
      writeError(call.reply, NOT_A_FLOAT);
      return false;
    }
    encodeScore(score);
    encodeMember(call, index + 1);
  }
  return true;
}

/** Argument `index` as a score or a weight; NaN when it is none. */
export function scoreArgument(call: Call, index: number): number {
  const integer = integerOf(call, index);
  if (!Number.isNaN(integer)) return integer;
  return parseFloatArgument(call.input, call.spans[2 * index], call.spans[2 * index + 1]);
}

/** Puts what is encoded. What was put before room was wanting stays. */
function putPairs(call: Call, rules: number): void {
  const { shard, reply, nowMs } = call;
  const { bytes, length } = encoded;
  const needsKey = (rules & ONLY_KNOWN) !== 0;
  let ref = needsKey
    ? changeCollection(call, shard, 1, TYPE_ZSET)
    : openForAdding(call, shard, 1, TYPE_ZSET, 0);
  if (ref === WRONG) return;
  if (ref === NONE) {
    if (needsKey) replyAdded(reply, rules, 0, 0, UNMET);
    return;
  }
  const isNew = !needsKey && opened.isNew;
  const op = beginOp(OP_ADD, 0);
  let added = 0;
  let moved = 0;
  for (let at = 0; at < length; ) {
    const end = elementEnd(bytes, at + SCORE_BYTES);
    const put = changeScore(shard, ref, bytes, at, end, rules, nowMs);
    if (put === NONE) {
      replyNoRoomFor(call, shard, 1, isNew, end - at);
      return;
    }
    ref = put;
    if (scoring.outcome === ADDED) added += 1;
    else if (scoring.outcome === MOVED) moved += 1;
    if (scoring.outcome === ADDED || scoring.outcome === MOVED) extendOp(op, bytes, at, end);
    at = end;
  }
  replyAdded(reply, rules, added, moved, scoring.outcome);
  if (added + moved === 0) dropNoted();
  else finishChange(call, shard, 1, ref, isNew, NOTIFY_ZSET, (rules & ADDS_UP) !== 0 ? 'zincr' : 'zadd');
}

function replyAdded(reply: ReplyWriter, rules: number, added: number, moved: number, outcome: number): void {
  if ((rules & ADDS_UP) === 0) writeInteger(reply, (rules & COUNTS_CHANGES) === 0 ? added : added + moved);
  else if (outcome === NOT_A_NUMBER) writeError(reply, NOT_A_SCORE);
  else if (outcome === UNMET) writeNull(reply);
  else writeDouble(reply, scoring.score);
}

function zrem(call: Call): void {
  const { shard, reply } = call;
  const ref = changeCollection(call, shard, 1, TYPE_ZSET);
  if (ref === WRONG) return;
  let dropped = 0;
  if (ref !== NONE) {
    const op = beginOp(OP_REMOVE, 0);
    for (let index = 2; index < call.count && countOf(shard, ref) > 0; index += 1) {
      beginEncoding();
      const start = encodeMember(call, index);
      if (!dropScored(shard, ref, encoded.bytes, start, encoded.length)) continue;
      extendOp(op, encoded.bytes, start, encoded.length);
      dropped += 1;
    }
    if (dropped > 0) finishChange(call, shard, 1, ref, false, NOTIFY_ZSET, 'zrem');
    else dropNoted();
  }
  writeInteger(reply, dropped);
}

function zscore(call: Call): void {
  const ref = readCollection(call, call.shard, 1, TYPE_ZSET);
  if (ref !== WRONG) replyScore(call, ref, 2);
}

function zmscore(call: Call): void {
  const ref = readCollection(call, call.shard, 1, TYPE_ZSET);
  if (ref === WRONG) return;
  writeArray(call.reply, call.count - 2);
  for (let index = 2; index < call.count; index += 1) replyScore(call, ref, index);
}

function replyScore(call: Call, ref: number, index: number): void {
  const { shard, reply } = call;
  beginEncoding();
  encodeMember(call, index);
  const score = ref === NONE ? Number.NaN : scoreOf(shard, ref, encoded.bytes, 0, encoded.length);
  if (Number.isNaN(score)) writeNull(reply);
  else writeDouble(reply, score);
}

function zcard(call: Call): void {
  const ref = readCollection(call, call.shard, 1, TYPE_ZSET);
  if (ref !== WRONG) writeInteger(call.reply, ref === NONE ? 0 : countOf(call.shard, ref));
}

function replyRank(call: Call, isReverse: boolean): void {
  const { shard, reply } = call;
  const ref = readCollection(call, shard, 1, TYPE_ZSET);
  if (ref === WRONG) return;
  beginEncoding();
  encodeMember(call, 2);
  const rank = ref === NONE ? -1 : rankOfMember(shard, ref, encoded.bytes, 0, encoded.length);
  if (rank < 0) writeNull(reply);
  else writeInteger(reply, isReverse ? countOf(shard, ref) - 1 - rank : rank);
}

/** Whether ZSCAN shows integral scores digit by digit, however large: in a small sorted set. */
function keepsIntegers({ shard, session, input, spans, nowMs }: Call): boolean {
  const ref = findForReading(shard, session.database, input, spans[2], spans[3], nowMs);
  return ref !== NONE && typeOf(shard.entries, ref) === TYPE_ZSET && !isLarge(shard, ref);
}

function writePair(reply: ReplyWriter, bytes: Buffer, at: number): number {
  writeElement(reply, bytes, at + SCORE_BYTES);
  writeBulkText(reply, formatDouble(bytes.readDoubleLE(at)));
  return 2;
}

function writeIntegerPair(reply: ReplyWriter, bytes: Buffer, at: number): number {
  const score = bytes.readDoubleLE(at);
  if (!Number.isInteger(score) || Math.abs(score) > INTEGERS_END) return writePair(reply, bytes, at);
  writeElement(reply, bytes, at + SCORE_BYTES);
  writeBulkText(reply, BigInt(score).toString());
  return 2;
}
