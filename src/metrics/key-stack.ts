/**
 * Tracked keys in the order of their last use, with the bytes that were used after any of them: what a reuse distance is
 * read from. Keys are known by 64 bits of hash, the order by positions that only grow. Pure; the miss-ratio curve's, on main.
 *
 *   position   0        1        2        3        4              ... top
 *             ┌────────┬────────┬────────┬────────┬────────┬──
 *   occupants │ key 7  │ empty  │ key 2  │ key 9  │ empty  │          the oldest is the lowest, the newest stands below `top`
 *             └────────┴────────┴────────┴────────┴────────┴──
 *   sums      a Fenwick tree over the positions: bytes up to any of them in O(log positions)
 *
 * A use empties the key's position and takes the one at `top`. When `top` has reached the end, the keys move down to the
 * lowest positions in their order, which costs a pass over all but comes once in as many uses as there are spare positions.
 * Source: Fenwick, "A New Data Structure for Cumulative Frequency Tables" (Software: Practice and Experience, 1994).
 */
import { assert } from '../base/assert.ts';

/** No such key. */
export const NO_KEY = -1;

/** Positions for each key that may be tracked, and places of the index: more make fewer passes, but touch more memory. */
const POSITIONS_PER_KEY = 2;
const PLACES_PER_KEY = 4;

export type KeyStack = {
  readonly capacity: number;
  /** By key, a number below `capacity`. */
  readonly low: Int32Array;
  readonly high: Int32Array;
  readonly bytes: Float64Array;
  readonly position: Int32Array;
  /** Keys that are not in use: `free[0, capacity - count)`. */
  readonly free: Int32Array;
  /** Open addressing by `low`: 1 + key, or 0. */
  readonly places: Int32Array;
  /** By position: 1 + key, or 0. */
  readonly occupants: Int32Array;
  /** By 1 + position. */
  readonly sums: Float64Array;
  count: number;
  totalBytes: number;
  top: number;
  /** No position below it is occupied. */
  bottom: number;
};

/** An empty stack for so many keys, a power of two: about 80 bytes for each. */
export function createKeyStack(capacity: number): KeyStack {
  assert(capacity > 0 && (capacity & (capacity - 1)) === 0, 'the capacity is a power of two');
  const positions = capacity * POSITIONS_PER_KEY;
  const stack: KeyStack = {
    capacity,
    low: new Int32Array(capacity),
    high: new Int32Array(capacity),
    bytes: new Float64Array(capacity),
    position: new Int32Array(capacity),
    free: new Int32Array(capacity),
    places: new Int32Array(capacity * PLACES_PER_KEY),
    occupants: new Int32Array(positions),
    sums: new Float64Array(positions + 1),
    count: 0,
    totalBytes: 0,
    top: 0,
    bottom: 0,
  };
  clearKeyStack(stack);
  return stack;
}

/** Forgets all keys. */
export function clearKeyStack(stack: KeyStack): void {
  stack.places.fill(0);
  stack.occupants.fill(0);
  stack.sums.fill(0);
  for (let key = 0; key < stack.capacity; key += 1) {
    stack.free[key] = key;
    stack.position[key] = NO_KEY;
  }
  stack.count = 0;
  stack.totalBytes = 0;
  stack.top = 0;
  stack.bottom = 0;
}

/** The key with this hash, or NO_KEY. */
export function findKey(stack: KeyStack, low: number, high: number): number {
  const { places } = stack;
  const mask = places.length - 1;
  for (let place = low & mask; places[place] !== 0; place = (place + 1) & mask) {
    const key = places[place] - 1;
    if (stack.low[key] === low && stack.high[key] === high) return key;
  }
  return NO_KEY;
}

/** Tracks a key that is not tracked yet, as the newest. There must be room: `count` below `capacity`. */
export function addKey(stack: KeyStack, low: number, high: number, bytes: number): number {
  assert(stack.count < stack.capacity, 'there is room for the key');
  const key = stack.free[stack.capacity - stack.count - 1];
  stack.count += 1;
  stack.low[key] = low;
  stack.high[key] = high;
  const { places } = stack;
  const mask = places.length - 1;
  let place = low & mask;
  while (places[place] !== 0) place = (place + 1) & mask;
  places[place] = key + 1;
  putOnTop(stack, key, bytes);
  return key;
}

/** Notes a use: the key is the newest, and has so many bytes from now on. */
export function useKey(stack: KeyStack, key: number, bytes: number): void {
  takeOut(stack, key);
  putOnTop(stack, key, bytes);
}

/** Bytes of the keys that were used after this one. O(log capacity). */
export function bytesAbove(stack: KeyStack, key: number): number {
  const { sums } = stack;
  let below = 0;
  for (let at = stack.position[key] + 1; at > 0; at &= at - 1) below += sums[at];
  return stack.totalBytes - below;
}

/** Forgets a key. */
export function dropKey(stack: KeyStack, key: number): void {
  takeOut(stack, key);
  stack.position[key] = NO_KEY;
  closePlace(stack, placeOf(stack, key));
  stack.count -= 1;
  stack.free[stack.capacity - stack.count - 1] = key;
}

/** The key whose last use is the longest ago; NO_KEY when there is none. */
export function oldestKey(stack: KeyStack): number {
  const { occupants, top } = stack;
  while (stack.bottom < top && occupants[stack.bottom] === 0) stack.bottom += 1;
  return stack.bottom < top ? occupants[stack.bottom] - 1 : NO_KEY;
}

/** Whether this number, below the capacity, is a tracked key's. */
export function isTracked(stack: KeyStack, key: number): boolean {
  return stack.position[key] !== NO_KEY;
}

function putOnTop(stack: KeyStack, key: number, bytes: number): void {
  if (stack.top === stack.occupants.length) moveDown(stack);
  const position = stack.top;
  stack.top += 1;
  stack.position[key] = position;
  stack.occupants[position] = key + 1;
  stack.bytes[key] = bytes;
  addToSums(stack, position, bytes);
}

function takeOut(stack: KeyStack, key: number): void {
  const position = stack.position[key];
  stack.occupants[position] = 0;
  addToSums(stack, position, -stack.bytes[key]);
}

function addToSums(stack: KeyStack, position: number, bytes: number): void {
  const { sums } = stack;
  stack.totalBytes += bytes;
  for (let at = position + 1; at < sums.length; at += at & -at) sums[at] += bytes;
}

/** Closes the gaps between the positions, the order stays. */
function moveDown(stack: KeyStack): void {
  const { occupants, sums, position, bytes } = stack;
  let to = 0;
  for (let from = stack.bottom; from < stack.top; from += 1) {
    const occupant = occupants[from];
    if (occupant === 0) continue;
    occupants[from] = 0;
    occupants[to] = occupant;
    position[occupant - 1] = to;
    to += 1;
  }
  sums.fill(0);
  for (let at = 1; at < sums.length; at += 1) {
    if (at <= to) sums[at] += bytes[occupants[at - 1] - 1];
    const parent = at + (at & -at);
    if (parent < sums.length) sums[parent] += sums[at];
  }
  stack.top = to;
  stack.bottom = 0;
}

function placeOf({ places, low }: KeyStack, key: number): number {
  const mask = places.length - 1;
  let place = low[key] & mask;
  while (places[place] !== key + 1) place = (place + 1) & mask;
  return place;
}

/** Empties a place and moves back what was put behind it for want of it. Source: Knuth, TAOCP 3, 6.4, algorithm R. */
function closePlace({ places, low }: KeyStack, emptied: number): void {
  const mask = places.length - 1;
  let hole = emptied;
  for (let place = (hole + 1) & mask; places[place] !== 0; place = (place + 1) & mask) {
    const home = low[places[place] - 1] & mask;
    if (((place - home) & mask) < ((place - hole) & mask)) continue;
    places[hole] = places[place];
    hole = place;
  }
  places[hole] = 0;
}
