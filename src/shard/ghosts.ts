/**
 * Whom S3-FIFO let go lately: tags of the keys that left the small queue without a hit, so that one that comes back soon is known.
 *
 * Runs on every thread, under the shard's lock; lies in shared memory of its own. A bucket is two words with four tags of 16
 * bits, the newest in the lowest half: to remember one more shifts the oldest out, so nothing ages and nothing is swept.
 *
 *   word  ┌ tag 1 │ tag 0 ┐  ┌ tag 3 │ tag 2 ┐      0 is no tag
 *
 * Buckets are numbered by linear hashing, as the groups of the index are (table.ts), one for every eight keys: the table grows by
 * one bucket at a time and shrinks in no time, and takes a byte for each key. A bucket that splits is copied: what it knows
 * of the other's keys is shifted out in time. A key that was never there passes for a known one with a chance of 4 in 65,535 (in
 * a table of more than 2^16 buckets, whose numbers share bits with the tags, of 4 in 2^32 / buckets).
 */
import { assert } from '../base/assert.ts';
import { CELL_BYTES, GHOST_BUCKETS, KEYS_LIVE } from './layout.ts';
import type { Shard } from './shard.ts';

const BUCKET_WORDS = 2;
const BUCKET_BYTES = 8;
const TAG_BITS = 16;
const TAG_MASK = 0xffff;

/** At the limit, half as many keys are remembered as are there. */
const KEYS_PER_BUCKET = 8;
const KEYS_PER_BUCKET_MIN = 7;

assert(BUCKET_BYTES === CELL_BYTES, 'a bucket counts as one cell of the memory in use');

/** The bytes to reserve for the ghosts of at most so many keys. */
export function ghostBytesFor(keysMax: number): number {
  return Math.max(1, Math.ceil(keysMax / KEYS_PER_BUCKET)) * BUCKET_BYTES;
}

/** Forgets everybody, and takes what one bucket needs, or with `isWanted` false nothing. O(1). */
export function formatGhosts({ control, ghosts }: Shard, isWanted: boolean): void {
  ghosts.fill(0, 0, BUCKET_WORDS);
  control[GHOST_BUCKETS] = isWanted ? 1 : 0;
}

/** What the table takes of the shard's memory, in cells. */
export function ghostCells({ control }: Shard): number {
  return control[GHOST_BUCKETS];
}

/** Remembers a key by its hash. O(1). */
export function rememberGhost({ control, ghosts }: Shard, hash: number): void {
  const at = bucketOf(control[GHOST_BUCKETS], hash) * BUCKET_WORDS;
  ghosts[at + 1] = (ghosts[at + 1] << TAG_BITS) | (ghosts[at] >>> TAG_BITS);
  ghosts[at] = (ghosts[at] << TAG_BITS) | tagOf(hash);
}

/** Whether a key is remembered; from now on it is not. O(1). */
export function recallGhost({ control, ghosts }: Shard, hash: number): boolean {
  const at = bucketOf(control[GHOST_BUCKETS], hash) * BUCKET_WORDS;
  return takeTag(ghosts, at, tagOf(hash)) || takeTag(ghosts, at + 1, tagOf(hash));
}

/** Adds a bucket where there are more keys than the table is made for, or gives up those that are too many. O(1). */
export function fitGhosts(shard: Shard): void {
  const { control, ghosts } = shard;
  if (shrinkGhosts(shard)) return;
  const buckets = control[GHOST_BUCKETS];
  if (control[KEYS_LIVE] <= buckets * KEYS_PER_BUCKET || (buckets + 1) * BUCKET_WORDS > ghosts.length) return;
  const from = (buckets - floorPower(buckets)) * BUCKET_WORDS;
  ghosts[buckets * BUCKET_WORDS] = ghosts[from];
  ghosts[buckets * BUCKET_WORDS + 1] = ghosts[from + 1];
  control[GHOST_BUCKETS] = buckets + 1;
}

/** Gives up the buckets of a table that is too large for its keys; whether there were any. O(1). */
export function shrinkGhosts({ control }: Shard): boolean {
  const keys = control[KEYS_LIVE];
  const buckets = control[GHOST_BUCKETS];
  if (buckets <= 1 || keys >= buckets * KEYS_PER_BUCKET_MIN) return false;
  const wanted = Math.max(1, Math.ceil(keys / KEYS_PER_BUCKET));
  // Of a small table, rounding up may want as many as there are.
  if (wanted === buckets) return false;
  control[GHOST_BUCKETS] = wanted;
  return true;
}

function takeTag(ghosts: Int32Array, at: number, tag: number): boolean {
  const two = ghosts[at];
  if ((two & TAG_MASK) === tag) ghosts[at] = two & ~TAG_MASK;
  else if (two >>> TAG_BITS === tag) ghosts[at] = two & TAG_MASK;
  else return false;
  return true;
}

function bucketOf(buckets: number, hash: number): number {
  const power = floorPower(buckets);
  const bucket = hash & (2 * power - 1);
  return bucket < buckets ? bucket : bucket & (power - 1);
}

/** The greatest power of two that is not above a number from 1. */
function floorPower(number: number): number {
  return 1 << (31 - Math.clz32(number));
}

function tagOf(hash: number): number {
  return hash >>> TAG_BITS || 1;
}
