/**
 * Where among a command's arguments its keys are when it is executed: a run of them at equal distances, and at most one besides.
 *
 * One record per thread, filled anew by each look and good until the next. Allocates nothing. Of most commands the tables tell the
 * run; of some an argument says how many there are (ZUNION, LMPOP), and SORT has its destination anywhere. Where the arguments make
 * no sense there are no keys: no lock is taken then, and the command answers with what is wrong.
 */
import { equalsWord } from '../base/bytes.ts';
import { parseSafeInteger } from '../base/decimal.ts';
import type { Call, Command } from './call.ts';
import type { CommandSpec } from './spec.ts';

/** How the keys are found of a command that the legacy positions say too little of. */
export type MovableKeys =
  /** An argument says how many stand from `firstAt` on; `destinationAt` is 0 where there is none. */
  { readonly numberAt: number; readonly firstAt: number; readonly destinationAt: number } | 'sort';

type KeyPlaces = {
  first: number;
  last: number;
  step: number;
  /** The key besides; 0 for none. */
  other: number;
};

const STAR = 0x2a;

const places: KeyPlaces = { first: 0, last: 0, step: 1, other: 0 };

/** What SORT's options say: its destination, or 0; and whether keys are read that its elements name. */
const sorting = { destination: 0, readsOthers: false };

/** By the key specifications of a row; undefined where its legacy positions tell all keys. */
export function movableKeysOf({ flags, keys }: CommandSpec): MovableKeys | undefined {
  if (!flags.includes('movablekeys')) return undefined;
  let destinationAt = 0;
  for (const { begin, find } of keys) {
    if (begin === 'unknown' || find === 'unknown') return 'sort';
    if (!('index' in begin)) continue;
    if ('keyNumberIndex' in find) {
      const { keyNumberIndex, firstKey } = find;
      return { numberAt: begin.index + keyNumberIndex, firstAt: begin.index + firstKey, destinationAt };
    }
    destinationAt = begin.index;
  }
  return undefined;
}

/** The first of the keys as a command's fields have it: where any can stand at the earliest. */
export function earliestPlace(movable: MovableKeys): number {
  if (movable === 'sort') return 1;
  return movable.destinationAt === 0 ? movable.firstAt : movable.destinationAt;
}

/** Finds the keys of the command that `call` is about: `firstPlace`, `nextPlace` go over them. */
export function findKeyPlaces(
  { input, spans, count }: Pick<Call, 'input' | 'spans' | 'count'>,
  { firstKey, lastKey, keyStep, movable }: Pick<Command, 'firstKey' | 'lastKey' | 'keyStep' | 'movable'>,
): KeyPlaces {
  places.other = 0;
  if (movable !== undefined) {
    findMovable(input, spans, count, movable);
  } else {
    places.first = firstKey;
    places.last = lastKey < 0 ? count + lastKey : lastKey;
    places.step = keyStep;
  }
  return places;
}

/** The argument that is the first key; 0 where there is none. */
export function firstPlace({ first, last, other }: KeyPlaces): number {
  return other === 0 && first <= last ? first : other;
}

/** The one behind the key `index`; 0 behind the last. */
export function nextPlace({ first, last, step, other }: KeyPlaces, index: number): number {
  const next = index === other ? first : index + step;
  return next <= last ? next : 0;
}

/** Whether the command reads keys whose names only its elements tell: it needs the locks of all shards. */
export function readsUnnamedKeys({ input, spans, count }: Call, { movable }: Command): boolean {
  if (movable !== 'sort') return false;
  readSort(input, spans, count);
  return sorting.readsOthers;
}

/** Where SORT's destination is; 0 for none. Of several the last counts. */
export function sortDestination(bytes: Uint8Array, spans: Int32Array, count: number): number {
  readSort(bytes, spans, count);
  return sorting.destination;
}

function findMovable(bytes: Uint8Array, spans: Int32Array, count: number, movable: MovableKeys): void {
  places.step = 1;
  if (movable === 'sort') {
    places.first = 1;
    places.last = 1;
    places.other = sortDestination(bytes, spans, count);
    return;
  }
  const { numberAt, firstAt, destinationAt } = movable;
  const keys = numberAt < count ? parseSafeInteger(bytes, spans[2 * numberAt], spans[2 * numberAt + 1]) : 0;
  const isWhole = keys >= 1 && firstAt + keys <= count;
  places.first = firstAt;
  places.last = isWhole ? firstAt + keys - 1 : 0;
  places.other = isWhole ? destinationAt : 0;
}

/** As SORT itself reads its options. Source: Redis 7.0 `sort.c`, `sortCommandGeneric`. */
function readSort(bytes: Uint8Array, spans: Int32Array, count: number): void {
  const is = (index: number, word: string) => equalsWord(bytes, spans[2 * index], spans[2 * index + 1], word);
  sorting.destination = 0;
  sorting.readsOthers = false;
  for (let index = 2; index + 1 < count; index += 1) {
    if (is(index, 'LIMIT')) {
      index += 2;
    } else if (is(index, 'STORE')) {
      index += 1;
      sorting.destination = index;
    } else if (is(index, 'BY') || is(index, 'GET')) {
      index += 1;
      sorting.readsOthers ||= hasStar(bytes, spans[2 * index], spans[2 * index + 1]);
    }
  }
}

function hasStar(bytes: Uint8Array, start: number, end: number): boolean {
  for (let at = start; at < end; at += 1) if (bytes[at] === STAR) return true;
  return false;
}
