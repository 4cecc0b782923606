/**
 * ZRANDMEMBER: members at random.
 *
 * Runs on the thread of the command, under the lock of the key's shard. Source of the rules: Redis 7.0 `t_zset.c`.
 */
import { createCursor } from '../collections/cursor.ts';
import { countOf, seekRank } from '../collections/sequence.ts';
import { writeArray, writeError, writeNull } from '../resp/reply-writer.ts';
import { NONE, TYPE_ZSET } from '../shard/layout.ts';
import { isWord, replySyntaxError } from './arguments.ts';
import type { Call, Handler } from './call.ts';
import { drawRank, drawRanks, PAIR_DRAWS_MAX, readDraws } from './collection-random.ts';
import { readCollection, WRONG } from './collections.ts';
import { writeMember } from './sorted-sets-range.ts';

export const sortedSetRandomHandlers: Readonly<Record<string, Handler>> = { zrandmember };

const cursor = createCursor();

function zrandmember(call: Call): void {
  if (call.count === 2) {
    replyOne(call);
    return;
  }
  const draws = readDraws(call, 2);
  if (Number.isNaN(draws)) return;
  const withScores = call.count === 4 && isWord(call, 3, 'WITHSCORES');
  if (call.count > 4 || (call.count === 4 && !withScores)) replySyntaxError(call);
  else if (withScores && Math.abs(draws) > PAIR_DRAWS_MAX)
    writeError(call.reply, 'ERR value is out of range');
  else replyDrawn(call, draws, withScores);
}

function replyOne(call: Call): void {
  const { shard, reply } = call;
  const ref = readCollection(call, shard, 1, TYPE_ZSET);
  if (ref === WRONG) return;
  if (ref === NONE) writeNull(reply);
  else replyAt(call, ref, drawRank(shard, countOf(shard, ref)), false);
}

/** Less than 0 draws: any member may come up more than once. */
function replyDrawn(call: Call, draws: number, withScores: boolean): void {
  const { shard, reply } = call;
  const ref = readCollection(call, shard, 1, TYPE_ZSET);
  if (ref === WRONG) return;
  const count = ref === NONE ? 0 : countOf(shard, ref);
  const members = count === 0 ? 0 : draws < 0 ? -draws : Math.min(draws, count);
  writeArray(reply, withScores && reply.protocol === 2 ? 2 * members : members);
  if (members === 0) return;
  if (draws < 0) {
    for (let left = members; left > 0; left -= 1) replyAt(call, ref, drawRank(shard, count), withScores);
    return;
  }
  for (const rank of drawRanks(shard, count, members)) replyAt(call, ref, rank, withScores);
}

function replyAt({ shard, reply }: Call, ref: number, rank: number, withScore: boolean): void {
  seekRank(shard, ref, 0, cursor, rank);
  writeMember(reply, cursor.bytes, cursor.at, withScore);
}
