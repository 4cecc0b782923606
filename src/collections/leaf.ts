/**
 * Finding one's way in a run of groups: forwards and backwards, by number, by name, by score.
 *
 * Pure; runs on every thread. A run is `bytes[start, end)`, in which groups of a collection of `type` lie one behind the
 * other; groups have no index, so that every search walks, some 3 ns a group. What lies behind the run may look like the
 * deadline of the last group of a hash: no place is behind `end`.
 */
import type { Buffer } from 'node:buffer';
import { TYPE_HASH, TYPE_ZSET } from '../shard/layout.ts';
import {
  DEADLINE_MARK,
  elementBefore,
  elementEnd,
  encodingEnd,
  groupEnd,
  SCORE_BYTES,
  textStart,
} from './elements.ts';

/** Where the group that is `index` behind the first begins; `end` when there are not so many. */
export function skipGroups(type: number, bytes: Buffer, start: number, end: number, index: number): number {
  let at = start;
  for (let left = index; left > 0 && at < end; left -= 1) at = groupEnd(type, bytes, at);
  return at < end ? at : end;
}

/** Where the group begins that is `index` before `end`, for lists, sets and sorted sets. */
export function skipBack(type: number, bytes: Buffer, end: number, index: number): number {
  let at = end;
  for (let left = index; left > 0; left -= 1) at = groupBefore(type, bytes, at);
  return at;
}

/** Where the group that ends at `end` begins. */
export function groupBefore(type: number, bytes: Buffer, end: number): number {
  const at = elementBefore(bytes, end);
  if (type === TYPE_ZSET) return at - SCORE_BYTES;
  if (type !== TYPE_HASH) return at;
  const value = bytes[at] === DEADLINE_MARK ? elementBefore(bytes, at) : at;
  return elementBefore(bytes, value);
}

/** Groups from `start` to `at`. */
export function countGroups(type: number, bytes: Buffer, start: number, at: number): number {
  let count = 0;
  for (let from = start; from < at; from = groupEnd(type, bytes, from)) count += 1;
  return count;
}

/** Where the group begins whose key is the element `other[from, to)`, back length included; `end` when there is none. */
export function findNamed(
  type: number,
  bytes: Buffer,
  start: number,
  end: number,
  other: Buffer,
  from: number,
  to: number,
): number {
  const length = to - from;
  // In most elements the last byte of the content: names that differ tend to differ there.
  const last = other[to - 2];
  let at = start;
  while (at < end) {
    const key = type === TYPE_ZSET ? at + SCORE_BYTES : at;
    const keyEnd = elementEnd(bytes, key);
    if (keyEnd - key === length && bytes[keyEnd - 2] === last && isSame(bytes, key, keyEnd, other, from))
      return at;
    at = type === TYPE_HASH ? hashGroupEnd(bytes, keyEnd) : keyEnd;
  }
  return end;
}

/** Where the first group of a sorted set begins that is not below a score and a member `other[from, to)`; else `end`. */
export function findScore(
  bytes: Buffer,
  start: number,
  end: number,
  score: number,
  other: Buffer,
  from: number,
  to: number,
): number {
  let at = start;
  while (at < end) {
    const own = bytes.readDoubleLE(at);
    if (own > score || (own === score && compareMember(bytes, at + SCORE_BYTES, other, from, to) >= 0)) break;
    at = elementEnd(bytes, at + SCORE_BYTES);
  }
  return at;
}

/** Below, at or above 0 as the group of a sorted set at `at` comes before, is, or comes behind a score and a member. */
export function compareScored(
  bytes: Buffer,
  at: number,
  score: number,
  other: Buffer,
  from: number,
  to: number,
): number {
  const own = bytes.readDoubleLE(at);
  if (own !== score) return own < score ? -1 : 1;
  return compareMember(bytes, at + SCORE_BYTES, other, from, to);
}

/** The same for the member at `key` and a text. */
function compareMember(bytes: Buffer, key: number, other: Buffer, from: number, to: number): number {
  const end = encodingEnd(bytes, key);
  let i = textStart(bytes, key);
  let j = from;
  for (; i < end && j < to; i += 1, j += 1) {
    if (bytes[i] !== other[j]) return bytes[i] - other[j];
  }
  return end - i - (to - j);
}

/** Where a hash's group ends whose value begins at `value`. */
function hashGroupEnd(bytes: Buffer, value: number): number {
  const end = elementEnd(bytes, value);
  return bytes[end] === DEADLINE_MARK ? elementEnd(bytes, end) : end;
}

function isSame(bytes: Buffer, start: number, end: number, other: Buffer, from: number): boolean {
  for (let i = end - 2, j = from + end - start - 2; i >= start; i -= 1, j -= 1) {
    if (bytes[i] !== other[j]) return false;
  }
  return true;
}
