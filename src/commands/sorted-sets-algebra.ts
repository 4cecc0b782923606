/**
 * Sorted sets with sorted sets and sets: ZUNION, ZINTER, ZDIFF, ZINTERCARD, ZUNIONSTORE, ZINTERSTORE, ZDIFFSTORE.
 *
 * Runs on the thread of the command, under the locks of its keys' shards. Unions and intersections go from the smallest source to the
 * largest, as redis-server does it: sums of floats depend on their order. Source of the rules: Redis 7.0 `t_zset.c`.
 */
import type { Buffer } from 'node:buffer';
import { encodingEnd, SCORE_BYTES, textLength, textStart } from '../collections/elements.ts';
import { FORM_LARGE } from '../collections/form.ts';
import { compareScored } from '../collections/leaf.ts';
import { clearMembers, createMemberSet, meetMember } from '../collections/member-set.ts';
import { thresholds } from '../collections/thresholds.ts';
import { putScored } from '../collections/zset.ts';
import { writeArray, writeError, writeInteger } from '../resp/reply-writer.ts';
import { TYPE_ZSET } from '../shard/layout.ts';
import { isWord, replySyntaxError } from './arguments.ts';
import type { Call, Handler } from './call.ts';
import { beginEncoding, encoded } from './collection-arguments.ts';
import { readAtLeast } from './collection-places.ts';
import { storeGroups } from './collection-store.ts';
import { type EventName, NOTIFY_ZSET } from './keyspace-events.ts';
import { scoreArgument } from './sorted-sets.ts';
import { scoredEnd, writeMember } from './sorted-sets-range.ts';
import { readSources, type Source, scoreIn, walkSource } from './sorted-sets-sources.ts';

export const sortedSetAlgebraHandlers: Readonly<Record<string, Handler>> = {
  zunion: (call) => reply(call, unite, TAKES_WEIGHTS),
  zinter: (call) => reply(call, intersect, TAKES_WEIGHTS),
  zdiff: (call) => reply(call, subtract, 0),
  zunionstore: (call) => store(call, unite, TAKES_WEIGHTS, 'zunionstore'),
  zinterstore: (call) => store(call, intersect, TAKES_WEIGHTS, 'zinterstore'),
  zdiffstore: (call) => store(call, subtract, 0, 'zdiffstore'),
  zintercard,
};

/** Which options a command has. */
const TAKES_WEIGHTS = 1;
const TAKES_SCORES = 2;
const TAKES_LIMIT = 4;

/** Two scores of a member become one. */
type Aggregate = (score: number, other: number) => number;

/** Encodes the groups of the result; how many they are. */
type Operation = (sources: Source[], aggregate: Aggregate) => number;

const AGGREGATES: readonly (readonly [string, Aggregate])[] = [
  ['SUM', (score, other) => orZero(score + other)],
  ['MIN', (score, other) => (other < score ? other : score)],
  ['MAX', (score, other) => (other > score ? other : score)],
];

const met = createMemberSet();

/** What the options of the command say. One per thread. */
const options = { aggregate: AGGREGATES[0][1], withScores: false, limit: 0 };

function reply(call: Call, operation: Operation, takes: number): void {
  const sources = readSources(call, 1);
  if (sources === undefined || !readOptions(call, 2 + sources.length, sources, takes | TAKES_SCORES)) return;
  beginEncoding();
  const count = operation(sources, options.aggregate);
  const { withScores } = options;
  writeArray(call.reply, withScores && call.reply.protocol === 2 ? 2 * count : count);
  for (const at of sortedGroups(count)) writeMember(call.reply, encoded.bytes, at, withScores);
}

function store(call: Call, operation: Operation, takes: number, event: EventName): void {
  const sources = readSources(call, 2);
  if (sources === undefined || !readOptions(call, 3 + sources.length, sources, takes)) return;
  beginEncoding();
  const count = operation(sources, options.aggregate);
  const { bytes, length } = encoded;
  // Its scores stay as they came out, a -0 as well.
  const flags = isLargeResult(count) ? FORM_LARGE : 0;
  if (storeGroups(call, 1, TYPE_ZSET, flags, bytes, length, scoredEnd, putScored, NOTIFY_ZSET, event)) {
    writeInteger(call.reply, count);
  }
}

function zintercard(call: Call): void {
  const sources = readSources(call, 1);
  if (sources === undefined || !readOptions(call, 2 + sources.length, sources, TAKES_LIMIT)) return;
  const limit = options.limit === 0 ? Infinity : options.limit;
  sources.sort(bySize);
  let count = 0;
  walkSource(sources[0], (at) => {
    if (!Number.isNaN(scoreInAll(sources, at, options.aggregate))) count += 1;
    encoded.length = at;
    return count < limit;
  });
  writeInteger(call.reply, count);
}

/** Reads what comes behind the keys; false after answering what is wrong with it. */
function readOptions(call: Call, first: number, sources: Source[], takes: number): boolean {
  options.aggregate = AGGREGATES[0][1];
  options.withScores = false;
  options.limit = 0;
  for (let index = first; index < call.count; ) {
    const next = readOption(call, index, sources, takes);
    if (next === 0) return false;
    index = next;
  }
  return true;
}

/** Reads the option at `index`. The argument behind it; 0 after answering what is wrong with it. */
function readOption(call: Call, index: number, sources: Source[], takes: number): number {
  const left = call.count - index;
  const takesWeights = (takes & TAKES_WEIGHTS) !== 0;
  if (takesWeights && left > sources.length && isWord(call, index, 'WEIGHTS')) {
    return readWeights(call, index + 1, sources);
  }
  if (takesWeights && left >= 2 && isWord(call, index, 'AGGREGATE') && readAggregate(call, index + 1)) {
    return index + 2;
  }
  if ((takes & TAKES_SCORES) !== 0 && isWord(call, index, 'WITHSCORES')) {
    options.withScores = true;
    return index + 1;
  }
  if ((takes & TAKES_LIMIT) !== 0 && left >= 2 && isWord(call, index, 'LIMIT')) {
    options.limit = readAtLeast(call, index + 1, 0, "ERR LIMIT can't be negative");
    return Number.isNaN(options.limit) ? 0 : index + 2;
  }
  replySyntaxError(call);
  return 0;
}

function readWeights(call: Call, first: number, sources: Source[]): number {
  for (let place = 0; place < sources.length; place += 1) {
    const weight = scoreArgument(call, first + place);
    if (Number.isNaN(weight)) {
      writeError(call.reply, 'ERR weight value is not a float');
      return 0;
    }
    sources[place].weight = weight;
  }
  return first + sources.length;
}

function readAggregate(call: Call, index: number): boolean {
  for (const [word, aggregate] of AGGREGATES) {
    if (!isWord(call, index, word)) continue;
    options.aggregate = aggregate;
    return true;
  }
  return false;
}

function intersect(sources: Source[], aggregate: Aggregate): number {
  sources.sort(bySize);
  let count = 0;
  walkSource(sources[0], (at) => {
    const score = scoreInAll(sources, at, aggregate);
    if (Number.isNaN(score)) encoded.length = at;
    else {
      encoded.bytes.writeDoubleLE(score, at);
      count += 1;
    }
    return true;
  });
  return count;
}

/** The score that the encoded group of the first source gets by all of them; NaN when it is not in all. */
function scoreInAll(sources: Source[], at: number, aggregate: Aggregate): number {
  const { bytes, length } = encoded;
  let score = orZero(sources[0].weight * bytes.readDoubleLE(at));
  for (let place = 1; place < sources.length; place += 1) {
    const other = scoreIn(sources[place], bytes, at + SCORE_BYTES, length);
    if (Number.isNaN(other)) return Number.NaN;
    score = aggregate(score, other * sources[place].weight);
  }
  return score;
}

function unite(sources: Source[], aggregate: Aggregate): number {
  sources.sort(bySize);
  clearMembers(met);
  for (const source of sources) {
    walkSource(source, (at) => {
      const { bytes } = encoded;
      const score = orZero(source.weight * bytes.readDoubleLE(at));
      const known = meetMember(met, bytes, at + SCORE_BYTES) - SCORE_BYTES;
      if (known === at) {
        bytes.writeDoubleLE(score, at);
      } else {
        bytes.writeDoubleLE(aggregate(bytes.readDoubleLE(known), score), known);
        encoded.length = at;
      }
      return true;
    });
  }
  return met.count;
}

/** What the first has and no other. */
function subtract([first, ...others]: Source[]): number {
  let count = 0;
  walkSource(first, (at) => {
    const { bytes, length } = encoded;
    const isElsewhere = others.some(
      (other) => !Number.isNaN(scoreIn(other, bytes, at + SCORE_BYTES, length)),
    );
    if (isElsewhere) encoded.length = at;
    else count += 1;
    return true;
  });
  return count;
}

/** Whether the encoded groups are a large sorted set by redis-server's thresholds. */
function isLargeResult(count: number): boolean {
  const { bytes, length } = encoded;
  if (count > thresholds.zsetEntries) return true;
  for (let at = 0; at < length; at = scoredEnd(bytes, at)) {
    if (textLength(bytes, at + SCORE_BYTES) > thresholds.zsetValueBytes) return true;
  }
  return false;
}

/** Where the encoded groups begin, by score and member. */
function sortedGroups(count: number): Float64Array {
  const { bytes } = encoded;
  const places = new Float64Array(count);
  for (let index = 0, at = 0; index < count; index += 1, at = scoredEnd(bytes, at)) places[index] = at;
  return places.sort((one, other) => compareGroups(bytes, one, other));
}

function compareGroups(bytes: Buffer, one: number, other: number): number {
  const member = other + SCORE_BYTES;
  const score = bytes.readDoubleLE(other);
  return compareScored(bytes, one, score, bytes, textStart(bytes, member), encodingEnd(bytes, member));
}

function bySize(one: Source, other: Source): number {
  return one.count - other.count;
}

/** Infinity by 0, or less itself, is 0 in redis-server. */
function orZero(score: number): number {
  return Number.isNaN(score) ? 0 : score;
}
