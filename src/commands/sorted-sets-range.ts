/**
 * Sorted sets by range: ZRANGE, ZREVRANGE, ZRANGEBYSCORE, ZREVRANGEBYSCORE, ZRANGEBYLEX, ZREVRANGEBYLEX, ZRANGESTORE, ZCOUNT, ZLEXCOUNT,
 * ZREMRANGEBYRANK, ZREMRANGEBYSCORE, ZREMRANGEBYLEX.
 *
 * Runs on the thread of the command, under the locks of its keys' shards. Source of the rules: Redis 7.0 `t_zset.c`.
 */
import type { Buffer } from 'node:buffer';
import { beginOp, extendOp, OP_REMOVE } from '../collections/change.ts';
import { createCursor } from '../collections/cursor.ts';
import { elementEnd, SCORE_BYTES } from '../collections/elements.ts';
import { FORM_LARGE } from '../collections/form.ts';
import { countOf, seekRank, step, stepBack } from '../collections/sequence.ts';
import { thresholds } from '../collections/thresholds.ts';
import { dropRanks, putScored } from '../collections/zset.ts';
import { type ReplyWriter, writeArray, writeDouble, writeError, writeInteger } from '../resp/reply-writer.ts';
import { NONE, TYPE_ZSET } from '../shard/layout.ts';
import { removeEntry } from '../shard/lifecycle.ts';
import type { Shard } from '../shard/shard.ts';
import { isWord, replySyntaxError } from './arguments.ts';
import { type Call, type Handler, shardOfKey } from './call.ts';
import { beginEncoding, encodeCopy, encoded, writeElement } from './collection-arguments.ts';
import { readPlace } from './collection-places.ts';
import { storeGroups } from './collection-store.ts';
import { changeCollection, finishChange, readCollection, WRONG } from './collections.ts';
import { type EventName, NOTIFY_GENERIC, NOTIFY_ZSET, notifyKeyspace } from './keyspace-events.ts';
import { OF_NAMES, OF_RANKS, OF_SCORES, place, placeRange, readRange } from './sorted-sets-bounds.ts';

export const sortedSetRangeHandlers: Readonly<Record<string, Handler>> = {
  zrange: (call) => replyRange(call, EITHER, EITHER_WAY),
  zrevrange: (call) => replyRange(call, BACKWARDS, OF_RANKS),
  zrangebyscore: (call) => replyRange(call, FORWARDS, OF_SCORES),
  zrevrangebyscore: (call) => replyRange(call, BACKWARDS, OF_SCORES),
  zrangebylex: (call) => replyRange(call, FORWARDS, OF_NAMES),
  zrevrangebylex: (call) => replyRange(call, BACKWARDS, OF_NAMES),
  zrangestore,
  zcount: (call) => replyCount(call, OF_SCORES),
  zlexcount: (call) => replyCount(call, OF_NAMES),
  zremrangebyrank: (call) => removeRange(call, OF_RANKS, 'zremrangebyrank'),
  zremrangebyscore: (call) => removeRange(call, OF_SCORES, 'zremrangebyscore'),
  zremrangebylex: (call) => removeRange(call, OF_NAMES, 'zremrangebylex'),
};

const FORWARDS = 0;
const BACKWARDS = 1;
/** As the options say. */
const EITHER = 2;
const EITHER_WAY = -1;

const NO_LIMIT = -1;

const LIMIT_BY_RANK = 'ERR syntax error, LIMIT is only supported in combination with either BYSCORE or BYLEX';
const SCORES_BY_NAME = 'ERR syntax error, WITHSCORES not supported in combination with BYLEX';

/** What the options of the command say. One per thread. */
const options = { direction: EITHER, way: EITHER_WAY, withScores: false, offset: 0, limit: NO_LIMIT };

const cursor = createCursor();

/** `key least greatest` and options. */
function replyRange(call: Call, direction: number, way: number): void {
  const { shard, reply } = call;
  if (!readArguments(call, 1, direction, way, false)) return;
  const ref = readCollection(call, shard, 1, TYPE_ZSET);
  if (ref === WRONG) return;
  const count = ref === NONE ? 0 : placeLimited(call, shard, ref);
  const { withScores } = options;
  writeArray(reply, withScores && reply.protocol === 2 ? 2 * count : count);
  if (count === 0) return;
  const isReverse = options.direction === BACKWARDS;
  seekRank(shard, ref, 0, cursor, isReverse ? place.to - 1 : place.from);
  for (let left = count; left > 0; left -= 1) {
    writeMember(reply, cursor.bytes, cursor.at, withScores);
    if (left > 1) advance(shard, isReverse);
  }
}

/** `destination source least greatest` and options. */
function zrangestore(call: Call): void {
  if (!readArguments(call, 2, EITHER, EITHER_WAY, true)) return;
  const source = shardOfKey(call, 2);
  const ref = readCollection(call, source, 2, TYPE_ZSET);
  if (ref === WRONG) return;
  const count = ref === NONE ? 0 : placeLimited(call, source, ref);
  beginEncoding();
  if (count > 0) encodeRun(source, ref, count);
  const { bytes, length } = encoded;
  const flags = options.way === OF_RANKS && count > thresholds.zsetEntries ? FORM_LARGE : 0;
  if (
    storeGroups(call, 1, TYPE_ZSET, flags, bytes, length, scoredEnd, putScored, NOTIFY_ZSET, 'zrangestore')
  ) {
    writeInteger(call.reply, count);
  }
}

function replyCount(call: Call, way: number): void {
  const { shard, reply } = call;
  if (!readRange(call, way, 2, 3)) return;
  const ref = readCollection(call, shard, 1, TYPE_ZSET);
  if (ref === WRONG) return;
  if (ref !== NONE) placeRange(call, shard, ref, false);
  writeInteger(reply, ref === NONE ? 0 : place.to - place.from);
}

function removeRange(call: Call, way: number, event: EventName): void {
  const { shard, reply } = call;
  if (!readRange(call, way, 2, 3)) return;
  const ref = changeCollection(call, shard, 1, TYPE_ZSET);
  if (ref === WRONG) return;
  if (ref !== NONE) placeRange(call, shard, ref, false);
  const count = ref === NONE ? 0 : place.to - place.from;
  if (count > 0) takeRun(call, shard, 1, ref, place.from, count, event);
  writeInteger(reply, count);
}

/** Takes `count` members from a rank on away, and tells of it. */
export function takeRun(
  call: Call,
  shard: Shard,
  keyIndex: number,
  ref: number,
  rank: number,
  count: number,
  event: EventName,
): void {
  if (count === countOf(shard, ref)) {
    removeEntry(shard, ref);
    notifyKeyspace(call, NOTIFY_ZSET, event, keyIndex);
    notifyKeyspace(call, NOTIFY_GENERIC, 'del', keyIndex);
    return;
  }
  // The log names the members: where it is done once more, their ranks may be others.
  const op = beginOp(OP_REMOVE, 0);
  seekRank(shard, ref, 0, cursor, rank);
  for (let left = count; left > 0; left -= 1) {
    const member = cursor.at + SCORE_BYTES;
    extendOp(op, cursor.bytes, member, elementEnd(cursor.bytes, member));
    if (left > 1) step(shard, cursor);
  }
  dropRanks(shard, ref, rank, count);
  finishChange(call, shard, keyIndex, ref, false, NOTIFY_ZSET, event);
}

/** Answers with the member of a group, and its score. */
export function writeMember(reply: ReplyWriter, bytes: Buffer, at: number, withScore: boolean): void {
  if (withScore && reply.protocol === 3) writeArray(reply, 2);
  writeElement(reply, bytes, at + SCORE_BYTES);
  if (withScore) writeDouble(reply, bytes.readDoubleLE(at));
}

/** Where a group of a score and a member ends. */
export function scoredEnd(bytes: Buffer, at: number): number {
  return elementEnd(bytes, at + SCORE_BYTES);
}

/** Reads `key least greatest` from argument `key` on, and the options; false after answering what is wrong with them. */
function readArguments(call: Call, key: number, direction: number, way: number, isStore: boolean): boolean {
  options.direction = direction;
  options.way = way;
  if (!readOptions(call, key + 3, isStore)) return false;
  if (options.direction === EITHER) options.direction = FORWARDS;
  if (options.way === EITHER_WAY) options.way = OF_RANKS;
  if (options.limit !== NO_LIMIT && options.way === OF_RANKS) {
    writeError(call.reply, LIMIT_BY_RANK);
    return false;
  }
  if (options.withScores && options.way === OF_NAMES) {
    writeError(call.reply, SCORES_BY_NAME);
    return false;
  }
  const isSwapped = options.direction === BACKWARDS && options.way !== OF_RANKS;
  return readRange(call, options.way, isSwapped ? key + 2 : key + 1, isSwapped ? key + 1 : key + 2);
}

function readOptions(call: Call, first: number, isStore: boolean): boolean {
  options.withScores = false;
  options.offset = 0;
  options.limit = NO_LIMIT;
  for (let index = first; index < call.count; index += 1) {
    if (!isStore && isWord(call, index, 'WITHSCORES')) {
      options.withScores = true;
    } else if (index + 2 < call.count && isWord(call, index, 'LIMIT')) {
      if (!readLimit(call, index + 1)) return false;
      index += 2;
    } else if (!readWay(call, index)) {
      replySyntaxError(call);
      return false;
    }
  }
  return true;
}

function readLimit(call: Call, index: number): boolean {
  options.offset = readPlace(call, index);
  if (Number.isNaN(options.offset)) return false;
  options.limit = readPlace(call, index + 1);
  return !Number.isNaN(options.limit);
}

/** REV, BYSCORE or BYLEX, where the command's name has not said it. */
function readWay(call: Call, index: number): boolean {
  if (options.direction === EITHER && isWord(call, index, 'REV')) options.direction = BACKWARDS;
  else if (options.way === EITHER_WAY && isWord(call, index, 'BYLEX')) options.way = OF_NAMES;
  else if (options.way === EITHER_WAY && isWord(call, index, 'BYSCORE')) options.way = OF_SCORES;
  else return false;
  return true;
}

/** Finds where the range lies, and cuts it to the limit. How many members are left of it. */
function placeLimited(call: Call, shard: Shard, ref: number): number {
  const { direction, offset, limit } = options;
  const isReverse = direction === BACKWARDS;
  placeRange(call, shard, ref, isReverse);
  const left = offset < 0 ? 0 : Math.max(0, place.to - place.from - offset);
  const count = limit < 0 ? left : Math.min(left, limit);
  if (isReverse) {
    place.to -= offset;
    place.from = place.to - count;
  } else {
    place.from += offset;
    place.to = place.from + count;
  }
  return count;
}

function advance(shard: Shard, isReverse: boolean): void {
  if (isReverse) stepBack(shard, cursor);
  else step(shard, cursor);
}

/** Encodes `count` groups of the range that was placed, in its direction. */
function encodeRun(shard: Shard, ref: number, count: number): void {
  const isReverse = options.direction === BACKWARDS;
  seekRank(shard, ref, 0, cursor, isReverse ? place.to - 1 : place.from);
  for (let left = count; left > 0; left -= 1) {
    encodeCopy(cursor.bytes, cursor.at, scoredEnd(cursor.bytes, cursor.at));
    if (left > 1) advance(shard, isReverse);
  }
}
