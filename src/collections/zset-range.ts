/**
 * Where ranges of sorted sets begin and end: how many members come before a score, or before a name among equal scores.
 *
 * Runs on every thread, under the shard's lock; reads only. O(log n). Source of the rules: Redis 7.0 `t_zset.c`.
 */
import { Buffer } from 'node:buffer';
import type { Shard } from '../shard/shard.ts';
import { createCursor } from './cursor.ts';
import { compareScored } from './leaf.ts';
import { countOf, rankOf, seekRank, seekScore } from './sequence.ts';

const NO_NAME = Buffer.alloc(0);

const cursor = createCursor();

/** A double, and the two words of its bits, of which the second is the upper. */
const float = new Float64Array(1);
const words = new Int32Array(float.buffer);

/** The least double above `score`; NaN above Infinity. */
export function scoreAbove(score: number): number {
  if (score === Infinity) return Number.NaN;
  // As integers doubles ascend from 0 on, and descend below it; 0 and -0 are one.
  float[0] = score === 0 ? 0 : score;
  if (score >= 0) {
    words[0] += 1;
    if (words[0] === 0) words[1] += 1;
  } else {
    if (words[0] === 0) words[1] -= 1;
    words[0] -= 1;
  }
  return float[0];
}

/** How many members have less than a score; with NaN all. */
export function countBelow(shard: Shard, ref: number, score: number): number {
  if (Number.isNaN(score)) return countOf(shard, ref);
  seekScore(shard, ref, cursor, score, NO_NAME, 0, 0);
  return rankOf(shard, cursor);
}

/**
 * How many members come before the name `bytes[start, end)`, or up to and with it if `isWith`. Names mean something where they ascend: among
 * equal scores, which are sought as such, or with the scores, where the search costs O(log n) looks by rank.
 */
export function countBefore(
  shard: Shard,
  ref: number,
  bytes: Buffer,
  start: number,
  end: number,
  isWith: boolean,
): number {
  const count = countOf(shard, ref);
  const score = scoreAt(shard, ref, 0);
  if (score !== scoreAt(shard, ref, count - 1)) {
    return searchName(shard, ref, count, bytes, start, end, isWith ? 1 : 0);
  }
  const isThere = seekScore(shard, ref, cursor, score, bytes, start, end);
  const rank = rankOf(shard, cursor);
  return isWith && isThere && compareName(bytes, start, end) === 0 ? rank + 1 : rank;
}

function scoreAt(shard: Shard, ref: number, rank: number): number {
  seekRank(shard, ref, 0, cursor, rank);
  return cursor.bytes.readDoubleLE(cursor.at);
}

/** The first rank of which the name compares with the one given as `least` or more. */
function searchName(
  shard: Shard,
  ref: number,
  count: number,
  bytes: Buffer,
  start: number,
  end: number,
  least: number,
): number {
  let low = 0;
  let high = count;
  while (low < high) {
    const middle = (low + high) >>> 1;
    seekRank(shard, ref, 0, cursor, middle);
    if (compareName(bytes, start, end) >= least) high = middle;
    else low = middle + 1;
  }
  return low;
}

/** Below, at or above 0 as the name of the cursor's group comes before, is, or comes behind another. */
function compareName(bytes: Buffer, start: number, end: number): number {
  const score = cursor.bytes.readDoubleLE(cursor.at);
  return compareScored(cursor.bytes, cursor.at, score, bytes, start, end);
}
