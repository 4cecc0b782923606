/**
 * Sorted sets at their ends: ZPOPMIN, ZPOPMAX, ZMPOP, BZPOPMIN, BZPOPMAX, BZMPOP.
 *
 * Runs on the thread of the command, under the locks of its keys' shards. Source of the rules: Redis 7.0 `t_zset.c`.
 */
import { createCursor } from '../collections/cursor.ts';
import { SCORE_BYTES } from '../collections/elements.ts';
import { countOf, seekRank, step, stepBack } from '../collections/sequence.ts';
import { writeArray, writeBulk, writeDouble, writeNullArray } from '../resp/reply-writer.ts';
import { NONE, TYPE_ZSET } from '../shard/layout.ts';
import type { Shard } from '../shard/shard.ts';
import { isWord, replySyntaxError } from './arguments.ts';
import { blockCall, readTimeout } from './blocking.ts';
import { type Call, type Handler, shardOfKey } from './call.ts';
import { writeElement } from './collection-arguments.ts';
import { readAtLeast } from './collection-places.ts';
import { changeCollection, WRONG } from './collections.ts';
import { readPopCount } from './lists-ends.ts';
import { takeRun } from './sorted-sets-range.ts';

export const sortedSetPopHandlers: Readonly<Record<string, Handler>> = {
  zpopmin: (call) => pop(call, LEAST),
  zpopmax: (call) => pop(call, GREATEST),
  zmpop,
  bzpopmin: (call) => popOneOrWait(call, LEAST),
  bzpopmax: (call) => popOneOrWait(call, GREATEST),
  bzmpop,
};

const LEAST = 1;
const GREATEST = 2;

const NO_KEYS = 'ERR numkeys should be greater than 0';
const NOT_POSITIVE = 'ERR value is out of range, must be positive';

const cursor = createCursor();

function pop(call: Call, side: number): void {
  const { shard, reply } = call;
  if (call.count > 3) {
    replySyntaxError(call);
    return;
  }
  const hasCount = call.count === 3;
  const wanted = hasCount ? readAtLeast(call, 2, 0, NOT_POSITIVE) : 1;
  if (Number.isNaN(wanted)) return;
  const ref = changeCollection(call, shard, 1, TYPE_ZSET);
  if (ref === WRONG) return;
  const count = ref === NONE ? 0 : Math.min(wanted, countOf(shard, ref));
  const isNested = hasCount && reply.protocol === 3;
  writeArray(reply, isNested ? count : 2 * count);
  if (count > 0) popRun(call, shard, 1, ref, side, count, isNested);
}

/** Answers with so many members of an end and their scores, and takes them away. */
function popRun(
  call: Call,
  shard: Shard,
  keyIndex: number,
  ref: number,
  side: number,
  count: number,
  isNested: boolean,
): void {
  const { reply } = call;
  const last = countOf(shard, ref) - 1;
  seekRank(shard, ref, 0, cursor, side === LEAST ? 0 : last);
  for (let left = count; left > 0; left -= 1) {
    const { bytes, at } = cursor;
    if (isNested) writeArray(reply, 2);
    writeElement(reply, bytes, at + SCORE_BYTES);
    writeDouble(reply, bytes.readDoubleLE(at));
    if (left === 1) break;
    if (side === LEAST) step(shard, cursor);
    else stepBack(shard, cursor);
  }
  const rank = side === LEAST ? 0 : last + 1 - count;
  takeRun(call, shard, keyIndex, ref, rank, count, side === LEAST ? 'zpopmin' : 'zpopmax');
}

function zmpop(call: Call): void {
  const keys = readAtLeast(call, 1, 1, NO_KEYS);
  if (Number.isNaN(keys)) return;
  const side = readEnd(call, 2 + keys);
  if (side === 0) return;
  const count = readPopCount(call, 3 + keys);
  if (!Number.isNaN(count) && !popFirst(call, 2, keys, side, count)) writeNullArray(call.reply);
}

function bzmpop(call: Call): void {
  const keys = readAtLeast(call, 2, 1, NO_KEYS);
  if (Number.isNaN(keys)) return;
  const side = readEnd(call, 3 + keys);
  if (side === 0) return;
  const count = readPopCount(call, 4 + keys);
  if (Number.isNaN(count)) return;
  const timeoutMs = readTimeout(call, 1);
  if (Number.isNaN(timeoutMs) || popFirst(call, 3, keys, side, count)) return;
  blockCall(call, timeoutMs, 3, keys, TYPE_ZSET, writeNullArray);
}

function popOneOrWait(call: Call, side: number): void {
  const keys = call.count - 2;
  const timeoutMs = readTimeout(call, call.count - 1);
  if (Number.isNaN(timeoutMs) || popOneOfFirst(call, 1, keys, side)) return;
  blockCall(call, timeoutMs, 1, keys, TYPE_ZSET, writeNullArray);
}

/** The end that argument `index` names; 0 after answering that it names none. */
function readEnd(call: Call, index: number): number {
  if (index < call.count) {
    if (isWord(call, index, 'MIN')) return LEAST;
    if (isWord(call, index, 'MAX')) return GREATEST;
  }
  replySyntaxError(call);
  return 0;
}

/**
 * Pops from the first of `keys` keys from argument `first` on that is there, and answers with its name and the members. False when
 * none is.
 */
function popFirst(call: Call, first: number, keys: number, side: number, count: number): boolean {
  const { reply, input, spans } = call;
  for (let index = first; index < first + keys; index += 1) {
    const shard = shardOfKey(call, index);
    const ref = changeCollection(call, shard, index, TYPE_ZSET);
    if (ref === NONE) continue;
    if (ref === WRONG) return true;
    const popped = Math.min(count, countOf(shard, ref));
    writeArray(reply, 2);
    writeBulk(reply, input, spans[2 * index], spans[2 * index + 1]);
    writeArray(reply, popped);
    popRun(call, shard, index, ref, side, popped, true);
    return true;
  }
  return false;
}

/** As `popFirst` for one member, which is answered with its score behind the name. */
function popOneOfFirst(call: Call, first: number, keys: number, side: number): boolean {
  const { reply, input, spans } = call;
  for (let index = first; index < first + keys; index += 1) {
    const shard = shardOfKey(call, index);
    const ref = changeCollection(call, shard, index, TYPE_ZSET);
    if (ref === NONE) continue;
    if (ref === WRONG) return true;
    writeArray(reply, 3);
    writeBulk(reply, input, spans[2 * index], spans[2 * index + 1]);
    popRun(call, shard, index, ref, side, 1, false);
    return true;
  }
  return false;
}
