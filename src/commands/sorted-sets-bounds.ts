/**
 * The bounds of a range of a sorted set, as two arguments spell them: by rank, by score, or by name among equal scores.
 *
 * Runs on the thread of the command, under the lock of the key's shard. What was read is in `range` until the next command reads one;
 * where it lies in a sorted set, as ranks, is found in O(log n).
 */
import type { Buffer } from 'node:buffer';
import { parseSafeInteger } from '../base/decimal.ts';
import { roundToDouble, scanFloat } from '../base/float-text.ts';
import { countOf } from '../collections/sequence.ts';
import { countBefore, countBelow, scoreAbove } from '../collections/zset-range.ts';
import { writeError } from '../resp/reply-writer.ts';
import type { Shard } from '../shard/shard.ts';
import { argumentBytes } from './arguments.ts';
import type { Call } from './call.ts';
import { readPlace } from './collection-places.ts';

export const OF_RANKS = 0;
export const OF_SCORES = 1;
export const OF_NAMES = 2;

const NOT_SCORES = 'ERR min or max is not a float';
const NOT_NAMES = 'ERR min or max not valid string range item';

const OPEN = 0x28; // (
const CLOSED = 0x5b; // [
const LEAST = 0x2d; // -
const GREATEST = 0x2b; // +
const NUL = 0;
const SPACE = 0x20;
const TAB = 0x09;
const CARRIAGE_RETURN = 0x0d;

/** Where a bound by name lies: before all members, behind all, before the name, or behind it. */
const BEFORE_ALL = 0;
const BEHIND_ALL = 1;
const BEFORE_NAME = 2;
const BEHIND_NAME = 3;

/** One end of a range of names. */
type NameBound = { kind: number; start: number; end: number };

/**
 * The range that was read last, from the first bound on, up to but without what the last shuts out. By rank they are as given; by score
 * the least inside and the least above (NaN: there is none).
 */
const range = { way: OF_RANKS, first: 0, last: 0 };
const firstName: NameBound = { kind: BEFORE_ALL, start: 0, end: 0 };
const lastName: NameBound = { kind: BEFORE_ALL, start: 0, end: 0 };

/** Where it lies in a sorted set: from rank `from` on, up to but without rank `to`. */
export const place = { from: 0, to: 0 };

/** Reads the arguments that are the least and the greatest of a range; false after answering what is wrong with them. */
export function readRange(call: Call, way: number, least: number, greatest: number): boolean {
  range.way = way;
  if (way === OF_RANKS) return readRanks(call, least, greatest);
  if (way === OF_SCORES) {
    if (readScores(call, least, greatest)) return true;
    writeError(call.reply, NOT_SCORES);
  } else {
    if (readName(call, least, firstName) && readName(call, greatest, lastName)) return true;
    writeError(call.reply, NOT_NAMES);
  }
  return false;
}

/** Finds where the range lies in a sorted set, of which the ranks go from the highest score down if `isReverse`. O(log n). */
export function placeRange(call: Call, shard: Shard, ref: number, isReverse: boolean): void {
  if (range.way === OF_SCORES) {
    place.from = countBelow(shard, ref, range.first);
    place.to = countBelow(shard, ref, range.last);
  } else if (range.way === OF_NAMES) {
    place.from = rankOfBound(call, shard, ref, firstName);
    place.to = rankOfBound(call, shard, ref, lastName);
  } else {
    const count = countOf(shard, ref);
    const first = Math.max(0, range.first < 0 ? range.first + count : range.first);
    const last = Math.min(count - 1, range.last < 0 ? range.last + count : range.last);
    place.from = isReverse ? count - 1 - last : first;
    place.to = isReverse ? count - first : last + 1;
  }
  if (place.to < place.from) place.to = place.from;
}

function readRanks(call: Call, first: number, last: number): boolean {
  range.first = readPlace(call, first);
  if (Number.isNaN(range.first)) return false;
  range.last = readPlace(call, last);
  return !Number.isNaN(range.last);
}

function readScores(call: Call, least: number, greatest: number): boolean {
  const first = scoreBound(call, least);
  const last = scoreBound(call, greatest);
  range.first = isOpen(call, least) ? scoreAbove(first) : first;
  range.last = isOpen(call, greatest) ? last : scoreAbove(last);
  return !Number.isNaN(first) && !Number.isNaN(last);
}

function isOpen(call: Call, index: number): boolean {
  return argumentBytes(call, index) > 0 && call.input[call.spans[2 * index]] === OPEN;
}

/** The score of a bound; NaN when it is none. */
function scoreBound(call: Call, index: number): number {
  const { input, spans } = call;
  const start = spans[2 * index] + (isOpen(call, index) ? 1 : 0);
  const end = spans[2 * index + 1];
  const integer = parseSafeInteger(input, start, end);
  return Number.isNaN(integer) ? scanBound(input, start, end) : integer;
}

/** As C's `strtod` reads it: after spaces, up to a NUL, and no text at all is 0. */
function scanBound(input: Buffer, start: number, last: number): number {
  const nul = input.subarray(start, last).indexOf(NUL);
  const end = nul < 0 ? last : start + nul;
  if (start === end) return 0;
  let from = start;
  while (from < end && isSpace(input[from])) from += 1;
  const scanned = scanFloat(input, from, end);
  if (scanned === undefined) return Number.NaN;
  const decimal = scanned.infinite ? Infinity : Number(scanned.text);
  const magnitude = scanned.base === 10 ? decimal : roundToDouble(scanned);
  return scanned.negative ? -magnitude : magnitude;
}

function isSpace(byte: number): boolean {
  return byte === SPACE || (byte >= TAB && byte <= CARRIAGE_RETURN);
}

/** `-`, `+`, `[name` or `(name`; false for anything else. */
function readName({ input, spans }: Call, index: number, bound: NameBound): boolean {
  bound.start = spans[2 * index] + 1;
  bound.end = spans[2 * index + 1];
  if (bound.start > bound.end) return false;
  const sign = input[bound.start - 1];
  const isAlone = bound.start === bound.end || input[bound.start] === NUL;
  const isFirst = bound === firstName;
  if (sign === LEAST || sign === GREATEST) bound.kind = sign === LEAST ? BEFORE_ALL : BEHIND_ALL;
  else bound.kind = (sign === OPEN) === isFirst ? BEHIND_NAME : BEFORE_NAME;
  return sign === OPEN || sign === CLOSED || (isAlone && (sign === LEAST || sign === GREATEST));
}

function rankOfBound({ input }: Call, shard: Shard, ref: number, { kind, start, end }: NameBound): number {
  if (kind === BEFORE_ALL) return 0;
  if (kind === BEHIND_ALL) return countOf(shard, ref);
  return countBefore(shard, ref, input, start, end, kind === BEHIND_NAME);
}
