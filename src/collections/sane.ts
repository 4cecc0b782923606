/**
 * Whether bytes that come from a disk can be a collection's: every element whole, its lengths forwards and backwards the same.
 *
 * Pure; any thread. Reads nothing outside of the bytes that it is given. What it takes for sane can be worked with, whatever it
 * holds: the order of groups and doubles among them are not looked at.
 */
import type { Buffer } from 'node:buffer';
import { EXPIRES_AT_MS_MAX, TYPE_HASH, TYPE_ZSET } from '../shard/layout.ts';
import {
  DEADLINE_MARK,
  deadlineAt,
  elementBefore,
  elementEnd,
  isIntegerElement,
  SCORE_BYTES,
} from './elements.ts';
import { FORM_DEADLINES, FORM_LARGE, FORM_TREE, PACKED_COUNT, PACKED_GROUPS } from './form.ts';
import { isTreeValue, LARGE_IMAGE_BYTES } from './large-image.ts';

const FLAGS_KNOWN = FORM_TREE | FORM_LARGE | FORM_DEADLINES;

/** The bytes that tell how long an element is: type and length. */
const LONG_TEXT = 0xf0;
const LONG_TEXT_HEADER = 5;
const MIDDLE_TEXT = 0xe0;
const MIDDLE_TEXT_HEADER = 2;

/** Whether `bytes[start, end)` can be the value of a collection's image: its packed form, or what stands for a large one. */
export function isSaneCollection(type: number, bytes: Buffer, start: number, end: number): boolean {
  if (end - start < PACKED_GROUPS || (bytes[start] & ~FLAGS_KNOWN) !== 0) return false;
  if (isTreeValue(bytes, start)) return end - start === LARGE_IMAGE_BYTES;
  // Without a group it is one of a replica, of which the rest is on its way.
  const from = start + PACKED_GROUPS;
  if (countSaneGroups(type, bytes, from, end) !== bytes.readUInt16LE(start + PACKED_COUNT)) return false;
  return ((bytes[start] & FORM_DEADLINES) !== 0) === (type === TYPE_HASH && isAnyTimed(bytes, from, end));
}

/** Whether `bytes[start, end)` is fields of a hash and deadlines in turns, of which a deadline may be 0. */
export function areSaneDeadlines(bytes: Buffer, start: number, end: number): boolean {
  let at = start;
  while (at >= 0 && at < end) {
    const deadline = saneElementEnd(bytes, at, end);
    at = deadline < 0 || deadline === end ? -1 : saneDeadlineEnd(bytes, deadline, end, 0);
  }
  return at === end;
}

/** Whether one of the groups, which are sane, has a deadline. */
function isAnyTimed(bytes: Buffer, start: number, end: number): boolean {
  for (let at = start; at < end; ) {
    at = elementEnd(bytes, elementEnd(bytes, at));
    if (at < end && bytes[at] === DEADLINE_MARK) return true;
  }
  return false;
}

/** How many groups `bytes[start, end)` is, -1 where it is not whole groups of such a collection. */
export function countSaneGroups(type: number, bytes: Buffer, start: number, end: number): number {
  let count = 0;
  for (let at = start; at < end; count += 1) {
    at = saneGroupEnd(type, bytes, at, end);
    if (at < 0) return -1;
  }
  return count;
}

/** Where the group at `at` ends, -1 where there is none that ends by `end`. */
function saneGroupEnd(type: number, bytes: Buffer, at: number, end: number): number {
  if (type === TYPE_ZSET) return saneScoredEnd(bytes, at, end);
  const keyEnd = saneElementEnd(bytes, at, end);
  if (type !== TYPE_HASH || keyEnd < 0) return keyEnd;
  const valueEnd = saneElementEnd(bytes, keyEnd, end);
  if (valueEnd < 0 || valueEnd === end || bytes[valueEnd] !== DEADLINE_MARK) return valueEnd;
  return saneDeadlineEnd(bytes, valueEnd, end, 1);
}

/** Where the deadline at `at` ends, -1 where there is none that ends by `end` and is a time from `leastMs` on. */
function saneDeadlineEnd(bytes: Buffer, at: number, end: number, leastMs: number): number {
  if (bytes[at] !== DEADLINE_MARK) return -1;
  const next = wholeEnd(bytes, at, end);
  if (next < 0) return -1;
  const deadlineMs = deadlineAt(bytes, at);
  return deadlineMs >= leastMs && deadlineMs <= EXPIRES_AT_MS_MAX ? next : -1;
}

/** Where the element at `at` ends, back length included, -1 where there is none that ends by `end`. */
export function saneElementEnd(bytes: Buffer, at: number, end: number): number {
  return at >= end || bytes[at] >= DEADLINE_MARK ? -1 : wholeEnd(bytes, at, end);
}

/** A score is a number, and a member is never spelled as an integer: it is compared by its bytes. */
function saneScoredEnd(bytes: Buffer, at: number, end: number): number {
  const member = at + SCORE_BYTES;
  if (member >= end || Number.isNaN(bytes.readDoubleLE(at)) || isIntegerElement(bytes, member)) return -1;
  return saneElementEnd(bytes, member, end);
}

function wholeEnd(bytes: Buffer, at: number, end: number): number {
  const first = bytes[at];
  const header = first === LONG_TEXT ? LONG_TEXT_HEADER : first >= MIDDLE_TEXT ? MIDDLE_TEXT_HEADER : 1;
  if (at + header > end) return -1;
  const next = elementEnd(bytes, at);
  return next <= end && elementBefore(bytes, next) === at ? next : -1;
}
