/**
 * HRANDFIELD: fields at random.
 *
 * Runs on the thread of the command, under the lock of the key's shard. Source of the rules: Redis 7.0 `t_hash.c`.
 */
import { createCursor } from '../collections/cursor.ts';
import { elementEnd } from '../collections/elements.ts';
import { countOf, seekRank } from '../collections/sequence.ts';
import { writeArray, writeError, writeNull } from '../resp/reply-writer.ts';
import { NONE, TYPE_HASH } from '../shard/layout.ts';
import { isWord, replySyntaxError } from './arguments.ts';
import type { Call, Handler } from './call.ts';
import { writeElement } from './collection-arguments.ts';
import { drawRank, drawRanks, PAIR_DRAWS_MAX, readDraws } from './collection-random.ts';
import { readCollection, WRONG } from './collections.ts';

export const hashRandomHandlers: Readonly<Record<string, Handler>> = { hrandfield };

const cursor = createCursor();

function hrandfield(call: Call): void {
  if (call.count === 2) {
    replyOne(call);
    return;
  }
  const draws = readDraws(call, 2);
  if (Number.isNaN(draws)) return;
  const withValues = call.count === 4 && isWord(call, 3, 'WITHVALUES');
  if (call.count > 4 || (call.count === 4 && !withValues)) replySyntaxError(call);
  else if (withValues && Math.abs(draws) > PAIR_DRAWS_MAX)
    writeError(call.reply, 'ERR value is out of range');
  else replyDrawn(call, draws, withValues);
}

function replyOne(call: Call): void {
  const { shard, reply } = call;
  const ref = readCollection(call, shard, 1, TYPE_HASH);
  if (ref === WRONG) return;
  if (ref === NONE) writeNull(reply);
  else replyAt(call, ref, drawRank(shard, countOf(shard, ref)), false);
}

/** Less than 0 draws: any field may come up more than once. */
function replyDrawn(call: Call, draws: number, withValues: boolean): void {
  const { shard, reply } = call;
  const ref = readCollection(call, shard, 1, TYPE_HASH);
  if (ref === WRONG) return;
  const count = ref === NONE ? 0 : countOf(shard, ref);
  const fields = count === 0 ? 0 : draws < 0 ? -draws : Math.min(draws, count);
  writeArray(reply, withValues && reply.protocol === 2 ? 2 * fields : fields);
  if (fields === 0) return;
  if (draws < 0) {
    for (let left = fields; left > 0; left -= 1) replyAt(call, ref, drawRank(shard, count), withValues);
    return;
  }
  const ranks = drawRanks(shard, count, fields);
  for (const rank of ranks) replyAt(call, ref, rank, withValues);
}

function replyAt({ shard, reply }: Call, ref: number, rank: number, withValue: boolean): void {
  seekRank(shard, ref, 0, cursor, rank);
  if (withValue && reply.protocol === 3) writeArray(reply, 2);
  writeElement(reply, cursor.bytes, cursor.at);
  if (withValue) writeElement(reply, cursor.bytes, elementEnd(cursor.bytes, cursor.at));
}
