/**
 * Lists by place: LLEN, LINDEX, LRANGE, LSET, LTRIM, LINSERT, LREM, LPOS.
 *
 * Runs on the thread of the command, under the lock of the key's shard. A place is found in O(log n). Source of the rules: Redis 7.0
 * `t_list.c`.
 */
import {
  noteBareOp,
  noteOp,
  noteRemoveAt,
  OP_INSERT_AT,
  OP_POP_HEAD,
  OP_POP_TAIL,
  OP_SET_AT,
} from '../collections/change.ts';
import { createCursor } from '../collections/cursor.ts';
import { encodingEnd, isElement } from '../collections/elements.ts';
import { insertAt, popHead, popTail, replaceAt } from '../collections/list.ts';
import { countOf, removeGroup, seekElement, seekRank, step, stepBack } from '../collections/sequence.ts';
import { writeArray, writeError, writeInteger, writeNull, writeOk } from '../resp/reply-writer.ts';
import { NONE, TYPE_LIST } from '../shard/layout.ts';
import type { Shard } from '../shard/shard.ts';
import { isWord, NO_SUCH_KEY, replySyntaxError } from './arguments.ts';
import type { Call, Handler } from './call.ts';
import { beginEncoding, encodeArgument, encoded, writeElement } from './collection-arguments.ts';
import { readPlace } from './collection-places.ts';
import { changeCollection, finishChange, readCollection, replyNoRoomFor, WRONG } from './collections.ts';
import { NOTIFY_LIST } from './keyspace-events.ts';

export const listHandlers: Readonly<Record<string, Handler>> = {
  llen,
  lindex,
  lrange,
  lset,
  ltrim,
  linsert,
  lrem,
};

const INDEX_OUT_OF_RANGE = 'ERR index out of range';

const cursor = createCursor();

function llen(call: Call): void {
  const ref = readCollection(call, call.shard, 1, TYPE_LIST);
  if (ref !== WRONG) writeInteger(call.reply, ref === NONE ? 0 : countOf(call.shard, ref));
}

function lindex(call: Call): void {
  const { shard, reply } = call;
  const ref = readCollection(call, shard, 1, TYPE_LIST);
  if (ref === WRONG) return;
  if (ref === NONE) {
    writeNull(reply);
    return;
  }
  const index = readPlace(call, 2);
  if (Number.isNaN(index)) return;
  const count = countOf(shard, ref);
  const place = index < 0 ? index + count : index;
  if (place < 0 || !seekRank(shard, ref, 0, cursor, place)) writeNull(reply);
  else writeElement(reply, cursor.bytes, cursor.at);
}

function lrange(call: Call): void {
  const { shard, reply } = call;
  const first = readPlace(call, 2);
  if (Number.isNaN(first)) return;
  const last = readPlace(call, 3);
  if (Number.isNaN(last)) return;
  const ref = readCollection(call, shard, 1, TYPE_LIST);
  if (ref === WRONG) return;
  const count = ref === NONE ? 0 : countOf(shard, ref);
  const start = Math.max(0, first < 0 ? first + count : first);
  const end = Math.min(count - 1, last < 0 ? last + count : last);
  writeArray(reply, Math.max(0, end - start + 1));
  if (start <= end) writeRun(call, shard, ref, start, end - start + 1);
}

/** Answers with `count` elements from a place on. */
export function writeRun({ reply }: Call, shard: Shard, ref: number, place: number, count: number): void {
  seekRank(shard, ref, 0, cursor, place);
  for (let left = count; left > 0; left -= 1) {
    writeElement(reply, cursor.bytes, cursor.at);
    if (left > 1) step(shard, cursor);
  }
}

/** The same from a place back to the head. */
export function writeRunBack({ reply }: Call, shard: Shard, ref: number, place: number, count: number): void {
  seekRank(shard, ref, 0, cursor, place);
  for (let left = count; left > 0; left -= 1) {
    writeElement(reply, cursor.bytes, cursor.at);
    if (left > 1) stepBack(shard, cursor);
  }
}

function lset(call: Call): void {
  const { shard, reply, nowMs } = call;
  const ref = changeCollection(call, shard, 1, TYPE_LIST);
  if (ref === WRONG) return;
  if (ref === NONE) {
    writeError(reply, NO_SUCH_KEY);
    return;
  }
  const index = readPlace(call, 2);
  if (Number.isNaN(index)) return;
  const count = countOf(shard, ref);
  const place = index < 0 ? index + count : index;
  if (place < 0 || place >= count) {
    writeError(reply, INDEX_OUT_OF_RANGE);
    return;
  }
  beginEncoding();
  encodeArgument(call, 3);
  const { bytes, length } = encoded;
  const moved = replaceAt(shard, ref, place, bytes, 0, length, nowMs);
  if (moved === NONE) {
    replyNoRoomFor(call, shard, 1, false, length);
    return;
  }
  noteOp(OP_SET_AT, place, bytes, 0, length);
  finishChange(call, shard, 1, moved, false, NOTIFY_LIST, 'lset');
  writeOk(reply);
}

function ltrim(call: Call): void {
  const { shard, reply } = call;
  const first = readPlace(call, 2);
  if (Number.isNaN(first)) return;
  const last = readPlace(call, 3);
  if (Number.isNaN(last)) return;
  const ref = changeCollection(call, shard, 1, TYPE_LIST);
  if (ref === WRONG) return;
  if (ref !== NONE) {
    const count = countOf(shard, ref);
    const start = Math.max(0, first < 0 ? first + count : first);
    const end = Math.min(count - 1, last < 0 ? last + count : last);
    const fromHead = start > end ? count : start;
    trim(call, ref, fromHead, start > end ? 0 : count - 1 - end);
    finishChange(call, shard, 1, ref, false, NOTIFY_LIST, 'ltrim');
  }
  writeOk(reply);
}

function trim({ shard }: Call, ref: number, fromHead: number, fromTail: number): void {
  popTail(shard, ref, fromTail);
  popHead(shard, ref, fromHead);
  if (fromTail > 0) noteBareOp(OP_POP_TAIL, fromTail);
  if (fromHead > 0) noteBareOp(OP_POP_HEAD, fromHead);
}

function linsert(call: Call): void {
  const { shard, reply, nowMs } = call;
  const isAfter = isWord(call, 2, 'AFTER');
  if (!isAfter && !isWord(call, 2, 'BEFORE')) {
    replySyntaxError(call);
    return;
  }
  const ref = changeCollection(call, shard, 1, TYPE_LIST);
  if (ref === WRONG) return;
  if (ref === NONE) {
    writeInteger(reply, 0);
    return;
  }
  beginEncoding();
  encodeArgument(call, 3);
  const pivot = findFirst(call, ref);
  if (pivot < 0) {
    writeInteger(reply, -1);
    return;
  }
  const place = isAfter ? pivot + 1 : pivot;
  beginEncoding();
  encodeArgument(call, 4);
  const { bytes, length } = encoded;
  const moved = insertAt(shard, ref, place, bytes, 0, length, nowMs);
  if (moved === NONE) {
    replyNoRoomFor(call, shard, 1, false, length);
    return;
  }
  noteOp(OP_INSERT_AT, place, bytes, 0, length);
  writeInteger(reply, countOf(shard, moved));
  finishChange(call, shard, 1, moved, false, NOTIFY_LIST, 'linsert');
}

/** The place of the first element that is the encoded one, or -1. O(n). */
function findFirst({ shard }: Call, ref: number): number {
  seekRank(shard, ref, 0, cursor, 0);
  return seekElement(shard, cursor, encoded.bytes, 0, encoded.length);
}

function lrem(call: Call): void {
  const { shard, reply } = call;
  const wanted = readPlace(call, 2);
  if (Number.isNaN(wanted)) return;
  const ref = changeCollection(call, shard, 1, TYPE_LIST);
  if (ref === WRONG) return;
  let removed = 0;
  if (ref !== NONE) {
    beginEncoding();
    encodeArgument(call, 3);
    const most = wanted === 0 ? Infinity : Math.abs(wanted);
    removed = wanted < 0 ? removeBackwards(call, ref, most) : removeForwards(call, ref, most);
    if (removed > 0) finishChange(call, shard, 1, ref, false, NOTIFY_LIST, 'lrem');
  }
  writeInteger(reply, removed);
}

/** The log names runs of places, so that it has less to tell than the list had to keep. */
function removeForwards({ shard }: Call, ref: number, most: number): number {
  let removed = 0;
  let run = 0;
  let place = 0;
  let more = seekRank(shard, ref, 0, cursor, 0);
  while (more && removed < most) {
    const passed = seekElement(shard, cursor, encoded.bytes, 0, encoded.length);
    if (passed < 0) break;
    if (passed > 0 && run > 0) {
      noteRemoveAt(place, run);
      run = 0;
    }
    place += passed;
    removeGroup(shard, cursor);
    run += 1;
    removed += 1;
    more = place < countOf(shard, ref);
  }
  if (run > 0) noteRemoveAt(place, run);
  return removed;
}

function removeBackwards({ shard }: Call, ref: number, most: number): number {
  const end = encodingEnd(encoded.bytes, 0);
  let removed = 0;
  let run = 0;
  let place = countOf(shard, ref) - 1;
  let more = seekRank(shard, ref, 0, cursor, place);
  while (more && removed < most) {
    if (isElement(cursor.bytes, cursor.at, encoded.bytes, 0, end)) {
      removeGroup(shard, cursor);
      run += 1;
      removed += 1;
    } else {
      if (run > 0) noteRemoveAt(place + 1, run);
      run = 0;
    }
    place -= 1;
    more = place >= 0 && stepBack(shard, cursor);
  }
  if (run > 0) noteRemoveAt(place + 1, run);
  return removed;
}
