/**
 * The sets and sorted sets that ZUNION, ZINTER, ZDIFF and their like are made of. A set's members all have the score 1.
 *
 * Runs on the thread of the command, under the locks of its keys' shards. Members are looked up as a sorted set has them, as text; in a
 * set one that spells an integer is looked up as such.
 */
import { Buffer } from 'node:buffer';
import { parseSafeInteger } from '../base/decimal.ts';
import { type Cursor, createCursor } from '../collections/cursor.ts';
import {
  elementEnd,
  encodeInteger,
  encodeText,
  encodingEnd,
  isIntegerElement,
  SCORE_BYTES,
  textStart,
  writeText,
} from '../collections/elements.ts';
import { countOf, seekRank, step } from '../collections/sequence.ts';
import { hasMember } from '../collections/set.ts';
import { scoreOf } from '../collections/zset.ts';
import { writeError } from '../resp/reply-writer.ts';
import { typeOf } from '../shard/entry.ts';
import { NONE, TYPE_SET, TYPE_ZSET } from '../shard/layout.ts';
import type { Shard } from '../shard/shard.ts';
import { replySyntaxError, WRONG_TYPE } from './arguments.ts';
import { type Call, shardOfKey } from './call.ts';
import { encodeCopy, encodeScore } from './collection-arguments.ts';
import { readPlace } from './collection-places.ts';
import { readEntry } from './lookup.ts';

/** One of them, with what its scores are multiplied by. `ref` is NONE for a key that is not there, and `count` 0. */
export type Source = { shard: Shard; ref: number; isSet: boolean; count: number; weight: number };

const SET_SCORE = 1;

const cursor = createCursor();
/** An integer of a set as text, and an element made of that or for that. */
const digits = Buffer.alloc(20);
const converted = Buffer.alloc(32);

/**
 * Reads the number of keys that argument `numberAt` is and looks the keys behind it up. Undefined after answering what is wrong: with the
 * number, or with a key that is neither a set nor a sorted set.
 */
export function readSources(call: Call, numberAt: number): Source[] | undefined {
  const { reply } = call;
  const keys = readPlace(call, numberAt);
  if (Number.isNaN(keys)) return undefined;
  if (keys < 1) {
    writeError(reply, `ERR at least 1 input key is needed for '${call.command.spec.name}' command`);
    return undefined;
  }
  if (keys > call.count - numberAt - 1) {
    replySyntaxError(call);
    return undefined;
  }
  const sources: Source[] = [];
  for (let index = numberAt + 1; index <= numberAt + keys; index += 1) {
    const source = findSource(call, index);
    if (source === undefined) {
      writeError(reply, WRONG_TYPE);
      return undefined;
    }
    sources.push(source);
  }
  return sources;
}

function findSource(call: Call, index: number): Source | undefined {
  const shard = shardOfKey(call, index);
  const ref = readEntry(call, shard, index);
  if (ref === NONE) return { shard, ref, isSet: false, count: 0, weight: 1 };
  const type = typeOf(shard.entries, ref);
  if (type !== TYPE_SET && type !== TYPE_ZSET) return undefined;
  return { shard, ref, isSet: type === TYPE_SET, count: countOf(shard, ref), weight: 1 };
}

/**
 * Encodes each group of a source, as a sorted set has it and its score as it is, one after the other, and has `take` look at it: what
 * that does not keep it takes away again. Ends early where `take` returns false.
 */
export function walkSource({ shard, ref, isSet }: Source, take: (at: number) => boolean): void {
  if (ref === NONE) return;
  let more = seekRank(shard, ref, 0, cursor, 0);
  while (more && take(isSet ? encodeSetMember(cursor) : encodeScored(cursor))) more = step(shard, cursor);
}

/** The score in a source of the member whose element is `bytes[start, end)`; NaN when it is none. */
export function scoreIn({ shard, ref, isSet }: Source, bytes: Buffer, start: number, end: number): number {
  if (ref === NONE) return Number.NaN;
  if (!isSet) return scoreOf(shard, ref, bytes, start, end);
  const integer = parseSafeInteger(bytes, textStart(bytes, start), encodingEnd(bytes, start));
  const isThere = Number.isNaN(integer)
    ? hasMember(shard, ref, bytes, start, end)
    : hasMember(shard, ref, converted, 0, encodeInteger(converted, 0, integer));
  return isThere ? SET_SCORE : Number.NaN;
}

function encodeScored({ bytes, at }: Cursor): number {
  return encodeCopy(bytes, at, elementEnd(bytes, at + SCORE_BYTES));
}

function encodeSetMember({ bytes, at }: Cursor): number {
  const start = encodeScore(SET_SCORE);
  if (isIntegerElement(bytes, at)) {
    const length = writeText(bytes, at, digits, 0);
    encodeCopy(converted, 0, encodeText(converted, 0, digits, 0, length));
  } else {
    encodeCopy(bytes, at, elementEnd(bytes, at));
  }
  return start;
}
