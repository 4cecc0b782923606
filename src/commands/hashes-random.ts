/**
 * HRANDFIELD: fields at random.
 *
 * Runs on the thread of the command, under the lock of the key's shard. Source of the rules: Redis 7.0 `t_hash.c`.
 */
import { createCursor } from '../collections/cursor.ts';
import { elementEnd } from '../collections/elements.ts';
import { isDue } from '../collections/hash-deadlines.ts';
import { countOf, seekRank, step } from '../collections/sequence.ts';
import { writeArray, writeError, writeNull } from '../resp/reply-writer.ts';
import { NONE, TYPE_HASH } from '../shard/layout.ts';
import { isWord, replySyntaxError } from './arguments.ts';
import type { Call, Handler } from './call.ts';
import { writeElement } from './collection-arguments.ts';
import { drawRank, drawRanks, PAIR_DRAWS_MAX, readDraws } from './collection-random.ts';
import { readCollection, WRONG } from './collections.ts';
import { countDueFields } from './hashes-due.ts';

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
  const lives = ref === NONE ? undefined : livingRanks(call, ref);
  const count = lives?.length ?? (ref === NONE ? 0 : countOf(shard, ref));
  if (count === 0) writeNull(reply);
  else replyAt(call, ref, rankIn(lives, drawRank(shard, count)), false);
}

/** Less than 0 draws: any field may come up more than once. */
function replyDrawn(call: Call, draws: number, withValues: boolean): void {
  const { shard, reply } = call;
  const ref = readCollection(call, shard, 1, TYPE_HASH);
  if (ref === WRONG) return;
  const lives = ref === NONE ? undefined : livingRanks(call, ref);
  const count = lives?.length ?? (ref === NONE ? 0 : countOf(shard, ref));
  const fields = count === 0 ? 0 : draws < 0 ? -draws : Math.min(draws, count);
  writeArray(reply, withValues && reply.protocol === 2 ? 2 * fields : fields);
  if (fields === 0) return;
  if (draws < 0) {
    for (let left = fields; left > 0; left -= 1)
      replyAt(call, ref, rankIn(lives, drawRank(shard, count)), withValues);
    return;
  }
  const ranks = drawRanks(shard, count, fields);
  for (const rank of ranks) replyAt(call, ref, rankIn(lives, rank), withValues);
}

/** The ranks of the fields that are not due, ascending, if some are: O(n), until those are removed. */
function livingRanks({ shard, nowMs }: Call, ref: number): Float64Array | undefined {
  const due = countDueFields(shard, ref, nowMs);
  if (due === 0) return undefined;
  const ranks = new Float64Array(countOf(shard, ref) - due);
  let count = 0;
  let rank = 0;
  for (let more = seekRank(shard, ref, 0, cursor, 0); more; more = step(shard, cursor)) {
    if (!isDue(cursor.bytes, cursor.at, cursor.end, nowMs)) {
      ranks[count] = rank;
      count += 1;
    }
    rank += 1;
  }
  return ranks;
}

function rankIn(lives: Float64Array | undefined, rank: number): number {
  return lives === undefined ? rank : lives[rank];
}

function replyAt({ shard, reply }: Call, ref: number, rank: number, withValue: boolean): void {
  seekRank(shard, ref, 0, cursor, rank);
  if (withValue && reply.protocol === 3) writeArray(reply, 2);
  writeElement(reply, cursor.bytes, cursor.at);
  if (withValue) writeElement(reply, cursor.bytes, elementEnd(cursor.bytes, cursor.at));
}
