/**
 * Lists at their ends: LPUSH, RPUSH, LPUSHX, RPUSHX, LPOP, RPOP, LMPOP, LMOVE, RPOPLPUSH.
 *
 * Runs on the thread of the command, under the locks of its keys' shards. Source of the rules: Redis 7.0 `t_list.c`.
 */
import {
  beginOp,
  extendOp,
  noteBareOp,
  noteOp,
  OP_ADD,
  OP_POP_HEAD,
  OP_POP_TAIL,
  OP_PUSH_HEAD,
} from '../collections/change.ts';
import { createCursor } from '../collections/cursor.ts';
import { elementEnd } from '../collections/elements.ts';
import { popHead, popTail, pushHead, pushTail } from '../collections/list.ts';
import { countOf, seekRank } from '../collections/sequence.ts';
import {
  writeArray,
  writeBulk,
  writeError,
  writeInteger,
  writeNull,
  writeNullArray,
} from '../resp/reply-writer.ts';
import { NONE, TYPE_LIST } from '../shard/layout.ts';
import type { Shard } from '../shard/shard.ts';
import { isWord, replySyntaxError } from './arguments.ts';
import { type Call, type Handler, shardOfKey } from './call.ts';
import { beginEncoding, encodeArgument, encodeCopy, encoded, writeElement } from './collection-arguments.ts';
import { LEFT, RIGHT, readAtLeast, readSide } from './collection-places.ts';
import {
  changeCollection,
  finishChange,
  opened,
  openForAdding,
  replyNoRoomFor,
  WRONG,
} from './collections.ts';
import { NOTIFY_LIST, notifyKeyspace } from './keyspace-events.ts';
import { writeRun, writeRunBack } from './lists.ts';
import { peekEntry } from './lookup.ts';

export const listEndHandlers: Readonly<Record<string, Handler>> = {
  lpush: (call) => push(call, LEFT, false),
  rpush: (call) => push(call, RIGHT, false),
  lpushx: (call) => push(call, LEFT, true),
  rpushx: (call) => push(call, RIGHT, true),
  lpop: (call) => pop(call, LEFT),
  rpop: (call) => pop(call, RIGHT),
  lmpop,
  lmove,
  rpoplpush: (call) => {
    if (!moveElement(call, RIGHT, LEFT)) writeNull(call.reply);
  },
};

const NOT_POSITIVE = 'ERR value is out of range, must be positive';

const cursor = createCursor();

/** What was pushed before room was wanting stays. */
function push(call: Call, side: number, needsKey: boolean): void {
  const { shard, reply } = call;
  let ref = needsKey
    ? changeCollection(call, shard, 1, TYPE_LIST)
    : openForAdding(call, shard, 1, TYPE_LIST, 0);
  if (ref === WRONG) return;
  if (ref === NONE) {
    if (needsKey) writeInteger(reply, 0);
    return;
  }
  const isNew = !needsKey && opened.isNew;
  const op = beginOp(side === LEFT ? OP_PUSH_HEAD : OP_ADD, 0);
  for (let index = 2; index < call.count; index += 1) {
    beginEncoding();
    encodeArgument(call, index);
    const moved = putEncoded(call, shard, ref, side);
    if (moved === NONE) {
      replyNoRoomFor(call, shard, 1, isNew, encoded.length);
      return;
    }
    ref = moved;
    extendOp(op, encoded.bytes, 0, encoded.length);
  }
  writeInteger(reply, countOf(shard, ref));
  finishChange(call, shard, 1, ref, isNew, NOTIFY_LIST, side === LEFT ? 'lpush' : 'rpush');
}

function pop(call: Call, side: number): void {
  const { shard, reply } = call;
  if (call.count > 3) {
    writeError(reply, `ERR wrong number of arguments for '${side === LEFT ? 'lpop' : 'rpop'}' command`);
    return;
  }
  const hasCount = call.count === 3;
  const wanted = hasCount ? readAtLeast(call, 2, 0, NOT_POSITIVE) : 1;
  if (Number.isNaN(wanted)) return;
  const ref = changeCollection(call, shard, 1, TYPE_LIST);
  if (ref === WRONG) return;
  if (ref === NONE) {
    if (hasCount) writeNullArray(reply);
    else writeNull(reply);
    return;
  }
  const count = Math.min(wanted, countOf(shard, ref));
  if (hasCount) writeArray(reply, count);
  if (count > 0) popRun(call, shard, 1, ref, side, count);
}

/** Answers with so many elements of an end, one after the other, and takes them away. */
function popRun(call: Call, shard: Shard, keyIndex: number, ref: number, side: number, count: number): void {
  if (side === LEFT) {
    writeRun(call, shard, ref, 0, count);
    popHead(shard, ref, count);
  } else {
    writeRunBack(call, shard, ref, countOf(shard, ref) - 1, count);
    popTail(shard, ref, count);
  }
  noteBareOp(side === LEFT ? OP_POP_HEAD : OP_POP_TAIL, count);
  finishChange(call, shard, keyIndex, ref, false, NOTIFY_LIST, side === LEFT ? 'lpop' : 'rpop');
}

function lmpop(call: Call): void {
  const { reply } = call;
  const keys = readAtLeast(call, 1, 1, 'ERR numkeys should be greater than 0');
  if (Number.isNaN(keys)) return;
  const side = readPopSide(call, 2 + keys);
  if (side === 0) return;
  const count = readPopCount(call, 3 + keys);
  if (!Number.isNaN(count) && !popFirst(call, 2, keys, side, count)) writeNullArray(reply);
}

/** The side that argument `index` names, if it is there; 0 after answering that it is none. */
export function readPopSide(call: Call, index: number): number {
  if (index < call.count) return readSide(call, index);
  replySyntaxError(call);
  return 0;
}

/** What `[COUNT count]` says, if that is all from argument `index` on; NaN after answering that it is not. */
export function readPopCount(call: Call, index: number): number {
  if (index === call.count) return 1;
  if (index + 1 < call.count && isWord(call, index, 'COUNT')) {
    const count = readAtLeast(call, index + 1, 1, 'ERR count should be greater than 0');
    if (Number.isNaN(count) || index + 2 === call.count) return count;
  }
  replySyntaxError(call);
  return Number.NaN;
}

/**
 * Pops from the first of `keys` keys from argument `first` on that is there, and answers with its name and the elements. False when
 * none is.
 */
export function popFirst(call: Call, first: number, keys: number, side: number, count: number): boolean {
  const { reply, input, spans } = call;
  for (let index = first; index < first + keys; index += 1) {
    const shard = shardOfKey(call, index);
    const ref = changeCollection(call, shard, index, TYPE_LIST);
    if (ref === NONE) continue;
    if (ref === WRONG) return true;
    const popped = Math.min(count, countOf(shard, ref));
    writeArray(reply, 2);
    writeBulk(reply, input, spans[2 * index], spans[2 * index + 1]);
    writeArray(reply, popped);
    popRun(call, shard, index, ref, side, popped);
    return true;
  }
  return false;
}

/** As `popFirst` for one element, which is answered behind the name: BLPOP and BRPOP. */
export function popOneOfFirst(call: Call, first: number, keys: number, side: number): boolean {
  const { reply, input, spans } = call;
  for (let index = first; index < first + keys; index += 1) {
    const shard = shardOfKey(call, index);
    const ref = changeCollection(call, shard, index, TYPE_LIST);
    if (ref === NONE) continue;
    if (ref === WRONG) return true;
    writeArray(reply, 2);
    writeBulk(reply, input, spans[2 * index], spans[2 * index + 1]);
    popRun(call, shard, index, ref, side, 1);
    return true;
  }
  return false;
}

function lmove(call: Call): void {
  const from = readSide(call, 3);
  if (from === 0) return;
  const to = readSide(call, 4);
  if (to !== 0 && !moveElement(call, from, to)) writeNull(call.reply);
}

/**
 * Moves an element from an end of the list of argument 1 to an end of that of argument 2, and answers with it. False, and nothing
 * is answered, without a source.
 */
export function moveElement(call: Call, from: number, to: number): boolean {
  const source = shardOfKey(call, 1);
  const ref = changeCollection(call, source, 1, TYPE_LIST);
  if (ref === WRONG) return true;
  if (ref === NONE) return false;
  const target = shardOfKey(call, 2);
  const known = changeCollection(call, target, 2, TYPE_LIST);
  if (known === WRONG) return true;
  seekRank(source, ref, 0, cursor, from === LEFT ? 0 : countOf(source, ref) - 1);
  beginEncoding();
  encodeCopy(cursor.bytes, cursor.at, elementEnd(cursor.bytes, cursor.at));
  if (source === target && known === ref) rotate(call, source, ref, from, to);
  else moveOver(call, source, target, from, to);
  return true;
}

/** Source and target are one list. The element comes before it goes, so that it is not lost for want of room. */
function rotate(call: Call, shard: Shard, ref: number, from: number, to: number): void {
  const moved = pushEncoded(call, shard, ref, to);
  if (moved === NONE) {
    replyNoRoomFor(call, shard, 2, false, encoded.length);
    return;
  }
  popOne(shard, moved, from);
  finishChange(call, shard, 2, moved, false, NOTIFY_LIST, to === LEFT ? 'lpush' : 'rpush');
  notifyKeyspace(call, NOTIFY_LIST, from === LEFT ? 'lpop' : 'rpop', 1);
  writeElement(call.reply, encoded.bytes, 0);
}

function moveOver(call: Call, source: Shard, target: Shard, from: number, to: number): void {
  const ref = openForAdding(call, target, 2, TYPE_LIST, 0);
  if (ref === NONE) return;
  const { isNew } = opened;
  const moved = pushEncoded(call, target, ref, to);
  if (moved === NONE) {
    replyNoRoomFor(call, target, 2, isNew, encoded.length);
    return;
  }
  finishChange(call, target, 2, moved, isNew, NOTIFY_LIST, to === LEFT ? 'lpush' : 'rpush');
  // What was done for room may have moved the source; it may even have been evicted.
  const left = peekEntry(call, source, 1);
  if (left !== NONE) {
    popOne(source, left, from);
    finishChange(call, source, 1, left, false, NOTIFY_LIST, from === LEFT ? 'lpop' : 'rpop');
  }
  writeElement(call.reply, encoded.bytes, 0);
}

/** Pushes the encoded element and notes it. The entry's reference from then on; NONE without room. */
function pushEncoded(call: Call, shard: Shard, ref: number, side: number): number {
  const moved = putEncoded(call, shard, ref, side);
  if (moved !== NONE) noteOp(side === LEFT ? OP_PUSH_HEAD : OP_ADD, 0, encoded.bytes, 0, encoded.length);
  return moved;
}

/** The same, noted by the caller. */
function putEncoded({ nowMs }: Call, shard: Shard, ref: number, side: number): number {
  const { bytes, length } = encoded;
  return side === LEFT
    ? pushHead(shard, ref, bytes, 0, length, nowMs)
    : pushTail(shard, ref, bytes, 0, length, nowMs);
}

/** Takes an element and notes it. */
function popOne(shard: Shard, ref: number, side: number): void {
  if (side === LEFT) popHead(shard, ref, 1);
  else popTail(shard, ref, 1);
  noteBareOp(side === LEFT ? OP_POP_HEAD : OP_POP_TAIL, 1);
}
