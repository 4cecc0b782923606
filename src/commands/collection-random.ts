/**
 * Places of a collection drawn at random, for HRANDFIELD, SRANDMEMBER, SPOP and ZRANDMEMBER: each as likely as any other.
 *
 * Runs on the thread of the command, under the lock of the key's shard.
 */
import { parseInt64 } from '../base/decimal.ts';
import { writeError } from '../resp/reply-writer.ts';
import { randomUint32 } from '../shard/recency.ts';
import type { Shard } from '../shard/shard.ts';
import { integerOf, NOT_AN_INTEGER } from './arguments.ts';
import type { Call } from './call.ts';

/** With fewer draws than this part of all places, doubles are rare enough to draw again. */
const FEW_SHARE = 1 / 4;

/** Most draws with doubles of one command. */
const DRAWS_MAX = 2 ** 24;

const INT64_MIN = -(2n ** 63n);

/** A number from 0 to `count - 1`. */
export function drawRank(shard: Shard, count: number): number {
  return Math.floor((randomUint32(shard) >>> 0) / (2 ** 32 / count));
}

/** So many different numbers below `count`, ascending. O(draws log draws), or O(count) for many of them. */
export function drawRanks(shard: Shard, count: number, draws: number): Float64Array {
  const ranks = new Float64Array(draws);
  if (draws < count * FEW_SHARE) {
    const drawn = new Set<number>();
    while (drawn.size < draws) drawn.add(drawRank(shard, count));
    let place = 0;
    for (const rank of drawn) {
      ranks[place] = rank;
      place += 1;
    }
    return ranks.sort();
  }
  // Knuth's selection sampling: each is taken with the chance that makes as many as are still needed.
  for (let rank = 0, taken = 0; taken < draws; rank += 1) {
    if (drawRank(shard, count - rank) >= draws - taken) continue;
    ranks[taken] = rank;
    taken += 1;
  }
  return ranks;
}

/**
 * The count of a draw from argument `index`, less than 0 for one in which doubles may come up; NaN after answering that it is none, or
 * that it asks for an endless reply (redis-server would try). Beyond the safe integers it is rounded.
 */
export function readDraws(call: Call, index: number): number {
  const draws = integerOf(call, index);
  if (draws >= -DRAWS_MAX) return draws;
  if (!Number.isNaN(draws)) {
    writeError(call.reply, 'ERR value is out of range');
    return Number.NaN;
  }
  const { input, spans, reply } = call;
  const far = parseInt64(input, spans[2 * index], spans[2 * index + 1]);
  if (far !== undefined && far > 0n) return Number(far);
  writeError(
    reply,
    far === undefined
      ? NOT_AN_INTEGER
      : far === INT64_MIN
        ? 'ERR value is out of range, value must between -9223372036854775807 and 9223372036854775807'
        : 'ERR value is out of range',
  );
  return Number.NaN;
}

/** With their values or scores, so many draws are possible: LONG_MAX / 2. */
export const PAIR_DRAWS_MAX = 2 ** 62;
