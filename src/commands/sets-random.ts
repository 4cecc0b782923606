/**
 * SPOP and SRANDMEMBER: members at random.
 *
 * Runs on the thread of the command, under the lock of the key's shard. Source of the rules: Redis 7.0 `t_set.c`.
 */
import { beginOp, extendOp, OP_REMOVE } from '../collections/change.ts';
import { createCursor } from '../collections/cursor.ts';
import { elementEnd } from '../collections/elements.ts';
import { countOf, removeGroup, seekRank, step } from '../collections/sequence.ts';
import { writeArray, writeNull, writeSet } from '../resp/reply-writer.ts';
import { NONE, TYPE_SET } from '../shard/layout.ts';
import { removeEntry } from '../shard/lifecycle.ts';
import { replySyntaxError } from './arguments.ts';
import type { Call, Handler } from './call.ts';
import { writeElement } from './collection-arguments.ts';
import { readAtLeast } from './collection-places.ts';
import { drawRank, drawRanks, readDraws } from './collection-random.ts';
import { changeCollection, finishChange, readCollection, WRONG } from './collections.ts';
import { NOTIFY_GENERIC, NOTIFY_SET, notifyKeyspace } from './keyspace-events.ts';

export const setRandomHandlers: Readonly<Record<string, Handler>> = { spop, srandmember };

const NOT_POSITIVE = 'ERR value is out of range, must be positive';

const cursor = createCursor();

function spop(call: Call): void {
  const { shard, reply } = call;
  if (call.count > 3) {
    replySyntaxError(call);
    return;
  }
  if (call.count === 3) {
    popMany(call);
    return;
  }
  const ref = changeCollection(call, shard, 1, TYPE_SET);
  if (ref === WRONG) return;
  if (ref === NONE) {
    writeNull(reply);
    return;
  }
  popAt(call, ref, drawRank(shard, countOf(shard, ref)), beginOp(OP_REMOVE, 0));
  finishChange(call, shard, 1, ref, false, NOTIFY_SET, 'spop');
}

function popMany(call: Call): void {
  const { shard, reply } = call;
  const wanted = readAtLeast(call, 2, 0, NOT_POSITIVE);
  if (Number.isNaN(wanted)) return;
  const ref = changeCollection(call, shard, 1, TYPE_SET);
  if (ref === WRONG) return;
  const count = ref === NONE ? 0 : countOf(shard, ref);
  writeSet(reply, Math.min(wanted, count));
  if (wanted === 0 || count === 0) return;
  if (wanted >= count) {
    popAll(call, ref);
    return;
  }
  const ranks = drawRanks(shard, count, wanted);
  const op = beginOp(OP_REMOVE, 0);
  // From the last on, so that the others keep their places.
  for (let draw = wanted - 1; draw >= 0; draw -= 1) popAt(call, ref, ranks[draw], op);
  finishChange(call, shard, 1, ref, false, NOTIFY_SET, 'spop');
}

/** Answers with the member of a place and takes it away, as the operation `op` notes. */
function popAt({ shard, reply }: Call, ref: number, rank: number, op: number): void {
  seekRank(shard, ref, 0, cursor, rank);
  writeElement(reply, cursor.bytes, cursor.at);
  extendOp(op, cursor.bytes, cursor.at, elementEnd(cursor.bytes, cursor.at));
  removeGroup(shard, cursor);
}

function popAll(call: Call, ref: number): void {
  const { shard, reply } = call;
  for (let more = seekRank(shard, ref, 0, cursor, 0); more; more = step(shard, cursor)) {
    writeElement(reply, cursor.bytes, cursor.at);
  }
  removeEntry(shard, ref);
  notifyKeyspace(call, NOTIFY_SET, 'spop', 1);
  notifyKeyspace(call, NOTIFY_GENERIC, 'del', 1);
}

function srandmember(call: Call): void {
  const { shard, reply } = call;
  if (call.count > 3) {
    replySyntaxError(call);
    return;
  }
  const draws = call.count === 3 ? readDraws(call, 2) : 1;
  if (Number.isNaN(draws)) return;
  const ref = readCollection(call, shard, 1, TYPE_SET);
  if (ref === WRONG) return;
  if (call.count === 2) {
    if (ref === NONE) writeNull(reply);
    else replyAt(call, ref, drawRank(shard, countOf(shard, ref)));
  } else {
    replyDrawn(call, ref, draws);
  }
}

/** Less than 0 draws: any member may come up more than once. */
function replyDrawn(call: Call, ref: number, draws: number): void {
  const { shard, reply } = call;
  const count = ref === NONE ? 0 : countOf(shard, ref);
  const members = count === 0 ? 0 : draws < 0 ? -draws : Math.min(draws, count);
  writeArray(reply, members);
  if (members === 0) return;
  if (draws < 0) {
    for (let left = members; left > 0; left -= 1) replyAt(call, ref, drawRank(shard, count));
    return;
  }
  for (const rank of drawRanks(shard, count, members)) replyAt(call, ref, rank);
}

function replyAt({ shard, reply }: Call, ref: number, rank: number): void {
  seekRank(shard, ref, 0, cursor, rank);
  writeElement(reply, cursor.bytes, cursor.at);
}
