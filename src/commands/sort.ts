/**
 * SORT and SORT_RO: the elements of a list, a set or a sorted set in order, or what they stand for.
 *
 * Runs on the thread of the command, under the locks of its keys' shards, of all shards where patterns name other keys. All elements are
 * copied to private memory first. O(n log n). Source of the rules: Redis 7.0 `sort.c`.
 */
import { readCDouble } from '../base/c-double.ts';
import { sortRange } from '../base/partial-sort.ts';
import { createCursor } from '../collections/cursor.ts';
import { elementEnd, groupKey } from '../collections/elements.ts';
import { markLarge } from '../collections/form.ts';
import { pushTail } from '../collections/list.ts';
import { countOf, seekRank, step, stepBack } from '../collections/sequence.ts';
import { writeArray, writeBulk, writeError, writeInteger, writeNull } from '../resp/reply-writer.ts';
import { typeOf } from '../shard/entry.ts';
import { NONE, TYPE_HASH, TYPE_LIST, TYPE_SET, TYPE_STRING, TYPE_ZSET, WRITING } from '../shard/layout.ts';
import type { Shard } from '../shard/shard.ts';
import { WRONG_TYPE } from './arguments.ts';
import { type Call, type Handler, shardOfKey } from './call.ts';
import { beginEncoding, encodeBytes, encoded } from './collection-arguments.ts';
import { storeGroups } from './collection-store.ts';
import { NOTIFY_LIST } from './keyspace-events.ts';
import { readEntry } from './lookup.ts';
import { readSortOptions, type SortOptions } from './sort-options.ts';
import { findByPattern, foundText, type SortPattern } from './sort-pattern.ts';
import { addElement, addMissing, addText, compareTexts, createTexts, type Texts } from './sort-texts.ts';

export const sortHandlers: Readonly<Record<string, Handler>> = {
  sort: (call) => sort(call, false),
  sort_ro: (call) => sort(call, true),
};

/** What is left of the elements' order after LIMIT: `first` to `last`, none if that is less. */
type Range = { first: number; last: number };

const cursor = createCursor();

function sort(call: Call, isReadOnly: boolean): void {
  const options = readSortOptions(call, isReadOnly);
  if (options === undefined) return;
  const shard = shardOfKey(call, 1);
  const ref = readEntry(call, shard, 1);
  const type = ref === NONE ? TYPE_LIST : typeOf(shard.entries, ref);
  if (type === TYPE_STRING || type === TYPE_HASH) {
    writeError(call.reply, WRONG_TYPE);
    return;
  }
  // The order of a set is of no use to whoever reads the list that is made of it.
  if (options.isUnsorted && type === TYPE_SET && options.storeAt > 0) {
    options.isUnsorted = false;
    options.isAlpha = true;
    options.by = undefined;
  }
  if (type === TYPE_ZSET) becomeLarge(shard, ref);
  const count = ref === NONE ? 0 : countOf(shard, ref);
  const range = rangeOf(options, count);
  const hasOrder = options.isUnsorted && type !== TYPE_SET;
  const texts = hasOrder
    ? takeRange(shard, ref, type, count, range, options.isDescending)
    : takeRange(shard, ref, type, count, { first: 0, last: count - 1 }, false);
  const order = Uint32Array.from({ length: texts.count }, (_, index) => index);
  if (!options.isUnsorted && !arrange(call, options, texts, order, range)) {
    writeError(call.reply, "ERR One or more scores can't be converted into double");
    return;
  }
  const wanted = hasOrder ? order : order.subarray(range.first, range.last + 1);
  if (options.storeAt > 0) storeSorted(call, options, texts, wanted);
  else replySorted(call, options, texts, wanted);
}

/** redis-server sorts sorted sets in their large form only, and leaves them so: OBJECT ENCODING tells. */
function becomeLarge(shard: Shard, ref: number): void {
  markLarge(shard, ref);
  shard.control[WRITING] = NONE;
}

function rangeOf({ limitStart, limitCount }: SortOptions, count: number): Range {
  const first = Math.min(Math.max(limitStart, 0), count);
  return { first, last: limitCount < 0 ? count - 1 : Math.min(first + limitCount, count) - 1 };
}

/** The elements of some places, from the head or from the tail. */
function takeRange(
  shard: Shard,
  ref: number,
  type: number,
  count: number,
  { first, last }: Range,
  isBack: boolean,
): Texts {
  const wanted = Math.max(0, last - first + 1);
  const texts = createTexts(wanted);
  if (wanted === 0) return texts;
  seekRank(shard, ref, 0, cursor, isBack ? count - 1 - first : first);
  for (let left = wanted; left > 0; left -= 1) {
    addElement(texts, cursor.bytes, groupKey(type, cursor.at));
    if (left === 1) break;
    if (isBack) stepBack(shard, cursor);
    else step(shard, cursor);
  }
  return texts;
}

/** Puts the numbers of the elements in order, in `range` at least. False when one has no number to be sorted by. */
function arrange(call: Call, options: SortOptions, texts: Texts, order: Uint32Array, range: Range): boolean {
  const { by, isAlpha, isDescending, storeAt } = options;
  const weights = by === undefined ? texts : weightsOf(call, by, texts);
  const sign = isDescending ? -1 : 1;
  let compare = (a: number, b: number) => sign * compareTexts(weights, a, b, storeAt === 0);
  if (!isAlpha) {
    const scores = scoresOf(weights);
    if (scores === undefined) return false;
    compare = (a, b) => {
      if (scores[a] !== scores[b]) return scores[a] < scores[b] ? -sign : sign;
      return sign * compareTexts(texts, a, b, false);
    };
  }
  const isPartial = range.first !== 0 || range.last !== order.length - 1;
  if (by !== undefined && isPartial) sortRange(order, compare, range.first, range.last);
  else order.sort(compare);
  return true;
}

/** What the pattern names for each element. */
function weightsOf(call: Call, by: SortPattern, { bytes, starts, ends, count }: Texts): Texts {
  const weights = createTexts(count);
  for (let index = 0; index < count; index += 1) {
    if (findByPattern(call, by, bytes, starts[index], ends[index])) {
      addText(weights, foundText.bytes, foundText.start, foundText.end);
    } else {
      addMissing(weights);
    }
  }
  return weights;
}

/** Texts as numbers, missing ones as 0; undefined when one is none. */
function scoresOf({ bytes, starts, ends, count }: Texts): Float64Array | undefined {
  const scores = new Float64Array(count);
  for (let index = 0; index < count; index += 1) {
    if (starts[index] >= 0) scores[index] = readCDouble(bytes, starts[index], ends[index]);
    if (Number.isNaN(scores[index])) return undefined;
  }
  return scores;
}

function replySorted(call: Call, { gets }: SortOptions, texts: Texts, order: Uint32Array): void {
  const { reply } = call;
  const { bytes, starts, ends } = texts;
  writeArray(reply, order.length * Math.max(1, gets.length));
  for (const index of order) {
    if (gets.length === 0) writeBulk(reply, bytes, starts[index], ends[index]);
    for (const get of gets) {
      if (findByPattern(call, get, bytes, starts[index], ends[index])) {
        writeBulk(reply, foundText.bytes, foundText.start, foundText.end);
      } else {
        writeNull(reply);
      }
    }
  }
}

/** What is missing is an empty element. */
function storeSorted(call: Call, { gets, storeAt }: SortOptions, texts: Texts, order: Uint32Array): void {
  const { bytes, starts, ends } = texts;
  beginEncoding();
  for (const index of order) {
    if (gets.length === 0) encodeBytes(bytes, starts[index], ends[index]);
    for (const get of gets) {
      if (findByPattern(call, get, bytes, starts[index], ends[index])) {
        encodeBytes(foundText.bytes, foundText.start, foundText.end);
      } else {
        encodeBytes(bytes, 0, 0);
      }
    }
  }
  const result = encoded.bytes;
  const count = order.length * Math.max(1, gets.length);
  if (
    storeGroups(
      call,
      storeAt,
      TYPE_LIST,
      0,
      result,
      encoded.length,
      elementEnd,
      pushTail,
      NOTIFY_LIST,
      'sortstore',
    )
  ) {
    writeInteger(call.reply, count);
  }
}
