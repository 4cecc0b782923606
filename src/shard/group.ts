/**
 * One group of the index: a block of the index arena with references to entries, and a tag for each. The parts of table.ts
 * that know nothing of linear hashing.
 *
 * Runs on every thread, under the shard's lock. In 32-bit words:
 *
 *   ┌ BLOCK ┬ COUNT 16 | CAPACITY 16 ┬ tags, two to a word ... ┬ references, one to a word ... ┐
 */
import { assert } from '../base/assert.ts';
import { allocate } from './arena.ts';
import { NONE, WORDS_PER_CELL } from './layout.ts';
import type { Shard } from './shard.ts';

/** What was fetched goes here, or the compiler would leave the reads out. */
const fetched = new Int32Array(1);

export const GROUP_COUNTS = 1;
export const GROUP_TAGS = 2;
export const CAPACITY_STEP = 4;
export const CAPACITY_MAX = 0xfffc;

/** References in the group. */
export function refsIn(words: Int32Array, group: number): number {
  return words[group * WORDS_PER_CELL + GROUP_COUNTS] & 0xffff;
}

/** References that it has room for. */
export function capacityOf(words: Int32Array, group: number): number {
  return words[group * WORDS_PER_CELL + GROUP_COUNTS] >>> 16;
}

/** The word of its first reference. */
export function refsOf(words: Int32Array, group: number): number {
  return group * WORDS_PER_CELL + GROUP_TAGS + (capacityOf(words, group) >>> 1);
}

export function tagAt(words: Int32Array, group: number, place: number): number {
  const two = words[group * WORDS_PER_CELL + GROUP_TAGS + (place >>> 1)];
  return (place & 1) === 0 ? two & 0xffff : two >>> 16;
}

export function writeTag(words: Int32Array, group: number, place: number, tag: number): void {
  const at = group * WORDS_PER_CELL + GROUP_TAGS + (place >>> 1);
  words[at] = (place & 1) === 0 ? (words[at] & ~0xffff) | tag : (words[at] & 0xffff) | (tag << 16);
}

/** Where a reference stands, or -1. */
export function placeOf(shard: Shard, group: number, ref: number): number {
  const { words } = shard.groups;
  const refs = refsOf(words, group);
  for (let place = refsIn(words, group) - 1; place >= 0; place -= 1) {
    if (words[refs + place] === ref) return place;
  }
  return -1;
}

/** Takes out a reference that is there: the last one takes its place. Returns how many are left. */
export function takePlace(words: Int32Array, group: number, ref: number): number {
  const first = group * WORDS_PER_CELL;
  const counts = words[first + GROUP_COUNTS];
  const last = (counts & 0xffff) - 1;
  const refs = first + GROUP_TAGS + (counts >>> 17);
  let place = last;
  while (place >= 0 && words[refs + place] !== ref) place -= 1;
  assert(place >= 0, 'the group holds the reference');
  if (place < last) {
    words[refs + place] = words[refs + last];
    writeTag(words, group, place, tagAt(words, group, last));
  }
  words[first + GROUP_COUNTS] = counts - 1;
  return last;
}

/** Reads from the first `count` of `groups`, none of them empty, so that they are in the processor's cache afterwards. */
export function fetchGroups(words: Int32Array, groups: Int32Array, count: number): void {
  let seen = 0;
  for (let i = 0; i < count; i += 1) seen ^= words[groups[i] * WORDS_PER_CELL + GROUP_COUNTS];
  for (let i = 0; i < count; i += 1) {
    const refs = refsOf(words, groups[i]);
    seen ^= words[refs] ^ words[refs + refsIn(words, groups[i]) - 1];
  }
  fetched[0] = seen;
}

/** An empty group; NONE when there is no memory. */
export function createGroup(shard: Shard, capacity: number): number {
  const group = allocate(shard.groups, 1 + (capacity / CAPACITY_STEP) * 3);
  if (group !== NONE) shard.groups.words[group * WORDS_PER_CELL + GROUP_COUNTS] = capacity << 16;
  return group;
}

/** An empty group with room for `count`, none at all for 0; NONE when there is no memory, too. */
export function createFor(shard: Shard, count: number): number {
  return count === 0 ? NONE : createGroup(shard, Math.ceil(count / CAPACITY_STEP) * CAPACITY_STEP);
}

/** Adds a reference to a group that has room for it. */
export function pushPlace(words: Int32Array, group: number, tag: number, ref: number): void {
  const place = refsIn(words, group);
  writeTag(words, group, place, tag);
  words[refsOf(words, group) + place] = ref;
  words[group * WORDS_PER_CELL + GROUP_COUNTS] += 1;
}
