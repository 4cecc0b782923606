/**
 * Lists: what changes one, in both forms, without a record of it (change.ts).
 *
 * Runs on every thread, under the shard's lock. A group is one element. Every place is found by its number: O(log n), or O(n) in the
 * packed form, which is at most some hundred. Source of the rules: Redis 7.0 `t_list.c`.
 */
import { Buffer } from 'node:buffer';
import { NONE } from '../shard/layout.ts';
import type { Shard } from '../shard/shard.ts';
import { createCursor } from './cursor.ts';
import { encodeText } from './elements.ts';
import { countOf, insertGroup, removeRun, replaceGroup, seekRank } from './sequence.ts';

/** Where the last change was. One per thread. */
const cursor = createCursor();

/** The element of an empty string. */
const nothing = Buffer.alloc(2);
encodeText(nothing, 0, nothing, 0, 0);

/** Puts the element `bytes[start, end)` behind the last. The entry's reference from then on; NONE without room, nothing changed. */
export function pushTail(
  shard: Shard,
  ref: number,
  bytes: Buffer,
  start: number,
  end: number,
  nowMs: number,
): number {
  return insertAt(shard, ref, countOf(shard, ref), bytes, start, end, nowMs);
}

/** The same before the first. */
export function pushHead(
  shard: Shard,
  ref: number,
  bytes: Buffer,
  start: number,
  end: number,
  nowMs: number,
): number {
  return insertAt(shard, ref, 0, bytes, start, end, nowMs);
}

/** The same before the element of a place, or behind the last. */
export function insertAt(
  shard: Shard,
  ref: number,
  index: number,
  bytes: Buffer,
  start: number,
  end: number,
  nowMs: number,
): number {
  seekRank(shard, ref, 0, cursor, index);
  return insertGroup(shard, cursor, bytes, start, end, nowMs) ? cursor.ref : NONE;
}

/** The same in the place of the element of a place. */
export function replaceAt(
  shard: Shard,
  ref: number,
  index: number,
  bytes: Buffer,
  start: number,
  end: number,
  nowMs: number,
): number {
  seekRank(shard, ref, 0, cursor, index);
  return replaceGroup(shard, cursor, bytes, start, end, nowMs) ? cursor.ref : NONE;
}

/** Takes the first `count` elements, which are there. */
export function popHead(shard: Shard, ref: number, count: number): void {
  dropRange(shard, ref, 0, count);
}

/** Takes the last `count` elements, which are there. */
export function popTail(shard: Shard, ref: number, count: number): void {
  dropRange(shard, ref, countOf(shard, ref) - count, count);
}

/** Takes `count` elements from a place on, which are there. */
export function dropRange(shard: Shard, ref: number, index: number, count: number): void {
  if (count > 0) removeRun(shard, ref, 0, index, count);
}

/** Puts `count` empty elements behind the last: places for what a copy brings later. As `pushTail`. */
export function fillTail(shard: Shard, ref: number, count: number, nowMs: number): number {
  let at = ref;
  for (let left = count; left > 0 && at !== NONE; left -= 1) {
    at = pushTail(shard, at, nothing, 0, nothing.length, nowMs);
  }
  return at;
}
