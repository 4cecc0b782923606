/**
 * LPOS: where an element stands in a list.
 *
 * Runs on the thread of the command, under the lock of the key's shard. O(n). Source of the rules: Redis 7.0 `t_list.c`.
 */
import { createCursor } from '../collections/cursor.ts';
import { encodingEnd, isElement } from '../collections/elements.ts';
import { countOf, seekElement, seekRank, step, stepBack } from '../collections/sequence.ts';
import { insertArray, writeArray, writeError, writeInteger, writeNull } from '../resp/reply-writer.ts';
import { NONE, TYPE_LIST } from '../shard/layout.ts';
import { isWord, replySyntaxError } from './arguments.ts';
import type { Call, Handler } from './call.ts';
import { beginEncoding, encodeArgument, encoded } from './collection-arguments.ts';
import { readAtLeast, readPlace } from './collection-places.ts';
import { readCollection, WRONG } from './collections.ts';

export const listSearchHandlers: Readonly<Record<string, Handler>> = { lpos };

const OPTIONS_FROM = 3;

const cursor = createCursor();

/** What LPOS was asked for: one per thread. `count` -1: the option was not given; 0: all. */
const options = { rank: 1, count: -1, lengthMax: 0 };

function lpos(call: Call): void {
  const { shard, reply } = call;
  if (!readOptions(call)) return;
  const ref = readCollection(call, shard, 1, TYPE_LIST);
  if (ref === WRONG) return;
  if (ref === NONE) {
    if (options.count < 0) writeNull(reply);
    else writeArray(reply, 0);
    return;
  }
  const start = reply.length;
  const found = writeMatches(call, ref);
  if (options.count >= 0) insertArray(reply, start, found);
  else if (found === 0) writeNull(reply);
}

function readOptions(call: Call): boolean {
  options.rank = 1;
  options.count = -1;
  options.lengthMax = 0;
  for (let index = OPTIONS_FROM; index < call.count; index += 2) {
    if (index + 1 < call.count && isWord(call, index, 'RANK')) {
      options.rank = readRank(call, index + 1);
      if (Number.isNaN(options.rank)) return false;
    } else if (index + 1 < call.count && isWord(call, index, 'COUNT')) {
      options.count = readAtLeast(call, index + 1, 0, "ERR COUNT can't be negative");
      if (Number.isNaN(options.count)) return false;
    } else if (index + 1 < call.count && isWord(call, index, 'MAXLEN')) {
      options.lengthMax = readAtLeast(call, index + 1, 0, "ERR MAXLEN can't be negative");
      if (Number.isNaN(options.lengthMax)) return false;
    } else {
      replySyntaxError(call);
      return false;
    }
  }
  return true;
}

function readRank(call: Call, index: number): number {
  const rank = readPlace(call, index);
  if (rank !== 0) return rank;
  writeError(
    call.reply,
    "ERR RANK can't be zero: use 1 to start from the first match, 2 from the second ... " +
      'or use negative to start from the end of the list',
  );
  return Number.NaN;
}

/** Answers with the places of the matches that are asked for; how many there are. */
function writeMatches(call: Call, ref: number): number {
  const { rank, count, lengthMax } = options;
  beginEncoding();
  encodeArgument(call, 2);
  const length = countOf(call.shard, ref);
  const most = count < 0 ? 1 : count === 0 ? Infinity : count;
  const looks = lengthMax === 0 ? length : Math.min(length, lengthMax);
  return rank < 0
    ? writeFromTail(call, ref, length, looks, -rank - 1, most)
    : writeFromHead(call, ref, looks, rank - 1, most);
}

/** Answers with the places of up to `most` matches among the first `looks` elements, the first `skipped` left out. */
function writeFromHead(
  { shard, reply }: Call,
  ref: number,
  looks: number,
  skipped: number,
  most: number,
): number {
  let matches = 0;
  seekRank(shard, ref, 0, cursor, 0);
  for (let place = 0; place < looks && matches < skipped + most; place += 1) {
    const passed = seekElement(shard, cursor, encoded.bytes, 0, encoded.length);
    place += passed;
    if (passed < 0 || place >= looks) break;
    matches += 1;
    if (matches > skipped) writeInteger(reply, place);
    step(shard, cursor);
  }
  return Math.max(0, matches - skipped);
}

/** The same among the last elements, from the last on. */
function writeFromTail(
  { shard, reply }: Call,
  ref: number,
  length: number,
  looks: number,
  skipped: number,
  most: number,
): number {
  const end = encodingEnd(encoded.bytes, 0);
  let matches = 0;
  seekRank(shard, ref, 0, cursor, length - 1);
  for (let place = length - 1; place >= length - looks && matches < skipped + most; place -= 1) {
    if (isElement(cursor.bytes, cursor.at, encoded.bytes, 0, end)) {
      matches += 1;
      if (matches > skipped) writeInteger(reply, place);
    }
    stepBack(shard, cursor);
  }
  return Math.max(0, matches - skipped);
}
