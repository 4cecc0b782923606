/**
 * Which elements a command has met: a hash table in private memory, for a union's doubles.
 *
 * One per thread, emptied by each use. The elements themselves lie in the caller's buffer; the table holds where. Linear probing, at most
 * half full. Some 40 ns an element.
 */
import type { Buffer } from 'node:buffer';
import { randomSeed } from '../base/random.ts';
import { hashKey } from '../shard/key-hash.ts';
import { elementEnd } from './elements.ts';

export type MemberSet = {
  /** Offset + 1 of the element in each used place; 0 in the others. */
  places: Int32Array;
  count: number;
  readonly seed0: number;
  readonly seed1: number;
};

const PLACES_START = 1024;

export function createMemberSet(): MemberSet {
  return { places: new Int32Array(PLACES_START), count: 0, seed0: randomSeed(), seed1: randomSeed() };
}

/** Forgets all elements. */
export function clearMembers(set: MemberSet): void {
  if (set.places.length === PLACES_START) set.places.fill(0);
  else set.places = new Int32Array(PLACES_START);
  set.count = 0;
}

/** Adds the element at `at` of `bytes`, in which all others lie as well; false where an equal one is there. */
export function addMember(set: MemberSet, bytes: Buffer, at: number): boolean {
  return meetMember(set, bytes, at) === at;
}

/** The same; returns where the equal one lies, or `at`. */
export function meetMember(set: MemberSet, bytes: Buffer, at: number): number {
  if (2 * (set.count + 1) > set.places.length) grow(set, bytes);
  const end = elementEnd(bytes, at);
  const mask = set.places.length - 1;
  let place = hashKey(bytes, at, end, set.seed0, set.seed1) & mask;
  for (; set.places[place] !== 0; place = (place + 1) & mask) {
    if (isSame(bytes, set.places[place] - 1, at, end)) return set.places[place] - 1;
  }
  set.places[place] = at + 1;
  set.count += 1;
  return at;
}

function grow(set: MemberSet, bytes: Buffer): void {
  const before = set.places;
  set.places = new Int32Array(2 * before.length);
  const mask = set.places.length - 1;
  for (const entry of before) {
    if (entry === 0) continue;
    let place = hashKey(bytes, entry - 1, elementEnd(bytes, entry - 1), set.seed0, set.seed1) & mask;
    while (set.places[place] !== 0) place = (place + 1) & mask;
    set.places[place] = entry;
  }
}

function isSame(bytes: Buffer, one: number, other: number, otherEnd: number): boolean {
  for (let i = one, j = other; j < otherEnd; i += 1, j += 1) {
    if (bytes[i] !== bytes[j]) return false;
  }
  return true;
}
