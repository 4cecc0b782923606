/**
 * Which arguments of a command are keys, and what becomes of them, by its key specifications.
 *
 * Pure; for COMMAND GETKEYS, which looks at a command inside another's arguments, and for users' rules: the dispatcher has its
 * own way.
 * Source: Redis 7.0 `db.c`, `getKeysUsingKeySpecs`.
 */
import { equalsWord } from '../base/bytes.ts';
import { parseSafeInteger } from '../base/decimal.ts';
import { sortDestination } from './key-places.ts';
import type { CommandSpec, KeySpec } from './spec.ts';

/** A command's own arguments: argument i is `bytes[spans[2i], spans[2i + 1])`, from 0, its name, to `count`. */
export type Arguments = { readonly bytes: Uint8Array; readonly spans: Int32Array; readonly count: number };

export type KeyArgument = { readonly index: number; readonly flags: readonly string[] };

type Range = { readonly first: number; readonly last: number; readonly step: number };

/** Where a specification finds no key without being wrong: its keyword is not there. */
const NO_KEYS: Range = { first: 0, last: -1, step: 1 };

/** The keys in the order of their specifications; none at all where the arguments do not fit one of them. */
export function findKeyArguments(spec: CommandSpec, args: Arguments): KeyArgument[] {
  if (spec.name === 'sort' || spec.name === 'sort_ro') return sortKeys(spec, args);
  const found: KeyArgument[] = [];
  for (const key of spec.keys) {
    if (key.flags.includes('not_key')) continue;
    const range = rangeOf(key, args);
    if (range === undefined) return [];
    const flags = keyFlags(spec, key, args);
    for (let index = range.first; index <= range.last; index += range.step) found.push({ index, flags });
  }
  return found;
}

/** What a key's flags are this time. Allocates nothing. */
export function keyFlags(spec: CommandSpec, key: KeySpec, args: Arguments): readonly string[] {
  return key.flags.includes('variable_flags') ? variableFlags(spec, key, args) : key.flags;
}

/** Whose destination may stand anywhere, which no specification can say. */
function sortKeys({ name }: CommandSpec, { bytes, spans, count }: Arguments): KeyArgument[] {
  const source: KeyArgument = { index: 1, flags: SORT_FLAGS };
  const destination = name === 'sort' ? sortDestination(bytes, spans, count) : 0;
  return destination === 0 ? [source] : [source, { index: destination, flags: SET_FLAGS }];
}

function rangeOf({ begin, find }: KeySpec, args: Arguments): Range | undefined {
  if (begin === 'unknown' || find === 'unknown') return undefined;
  const start = 'index' in begin ? begin.index : afterKeyword(begin.keyword, begin.startFrom, args);
  if (start === 0) return NO_KEYS;
  const { count } = args;
  let first = start;
  let last: number;
  if ('limit' in find) {
    if (find.lastKey >= 0) last = first + find.lastKey;
    else if (find.limit === 0) last = count + find.lastKey;
    else last = first + Math.trunc((count - first) / find.limit) + find.lastKey;
  } else {
    const keys = integerAt(args, first + find.keyNumberIndex);
    if (!(keys >= 0)) return undefined;
    first += find.firstKey;
    last = first + (keys - 1) * find.step;
  }
  return last >= count || last < first || first >= count ? undefined : { first, last, step: find.step };
}

/** The position behind the keyword, sought forward from `startFrom` or backward from the end; 0 without it. */
function afterKeyword(keyword: string, startFrom: number, { bytes, spans, count }: Arguments): number {
  const step = startFrom > 0 ? 1 : -1;
  const word = keyword.toUpperCase();
  for (let index = startFrom > 0 ? startFrom : count + startFrom; index > 0 && index < count; index += step) {
    if (equalsWord(bytes, spans[2 * index], spans[2 * index + 1], word)) return index + 1;
  }
  return 0;
}

/** NaN where there is no integer or no argument. */
function integerAt({ bytes, spans, count }: Arguments, index: number): number {
  return index < count ? parseSafeInteger(bytes, spans[2 * index], spans[2 * index + 1]) : NaN;
}

/** For the commands of the tables whose options change them. */
function variableFlags(spec: CommandSpec, key: KeySpec, args: Arguments): readonly string[] {
  if (spec.name === 'set') return setFlags(args);
  return spec.name === 'bitfield' ? bitfieldFlags(args) : key.flags;
}

function setFlags({ bytes, spans, count }: Arguments): readonly string[] {
  for (let index = 3; index < count; index += 1) {
    if (equalsWord(bytes, spans[2 * index], spans[2 * index + 1], 'GET')) return READ_WRITE_FLAGS;
  }
  return SET_FLAGS;
}

/** Nothing but GET reads only. A mistake counts as a change. */
function bitfieldFlags({ bytes, spans, count }: Arguments): readonly string[] {
  for (let index = 2; index < count; ) {
    const start = spans[2 * index];
    const end = spans[2 * index + 1];
    const left = count - index - 1;
    if (equalsWord(bytes, start, end, 'GET') && left >= 2) index += 3;
    else if (equalsWord(bytes, start, end, 'OVERFLOW') && left >= 1) index += 2;
    else return READ_WRITE_FLAGS;
  }
  return READ_FLAGS;
}

const SET_FLAGS = ['OW', 'update'];
const READ_FLAGS = ['RO', 'access'];
const SORT_FLAGS = ['RO', 'access'];
const READ_WRITE_FLAGS = ['RW', 'access', 'update'];
