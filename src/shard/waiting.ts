/**
 * The keys of a shard that clients wait for (BLPOP and its like): how many wait, counted at places that are found by database and hash.
 *
 * Runs on every thread, under the shard's lock. While anybody waits, the birth of a collection at a place with a count is noted among
 * the thread's key events, for whoever serves those that wait. Two keys may share a place: then one's birth is told for the other in
 * vain. Those whose thread dies stay counted: nobody
 * knows which of them it had taken back, and one too many costs some words in vain, where one too few would leave a client waiting.
 */
import type { Buffer } from 'node:buffer';
import { assert } from '../base/assert.ts';
import { databaseOfTable } from './append.ts';
import { EVENT_BORN, noteKey } from './key-events.ts';
import { TYPE_STRING, WAITERS, WAITING_COUNTS, WAITING_PLACE_MASK } from './layout.ts';
import type { Shard } from './shard.ts';
import { hashOf } from './table.ts';

/** Odd, so that no two databases have the same place for one hash. */
const DATABASE_SPREAD = 0x9e3779b1;

/** One more client waits for the key `bytes[start, end)`. */
export function addWaiter(
  shard: Shard,
  database: number,
  bytes: Uint8Array,
  start: number,
  end: number,
): void {
  const { control, numbers } = shard;
  control[WAITERS] += 1;
  numbers[placeOf(database, hashOf(shard, bytes, start, end))] += 1;
}

/** One less. */
export function removeWaiter(
  shard: Shard,
  database: number,
  bytes: Uint8Array,
  start: number,
  end: number,
): void {
  const { control, numbers } = shard;
  const place = placeOf(database, hashOf(shard, bytes, start, end));
  assert(numbers[place] > 0 && control[WAITERS] > 0, 'nobody waits for another');
  control[WAITERS] -= 1;
  numbers[place] -= 1;
}

/** Notes that a key is made, if it is a collection and somebody may wait for it. To be called only while WAITERS is not 0. */
export function noteBirth(
  shard: Shard,
  table: number,
  hash: number,
  type: number,
  key: Buffer,
  keyStart: number,
  keyEnd: number,
): void {
  const database = databaseOfTable(shard, table);
  if (type === TYPE_STRING || shard.numbers[placeOf(database, hash)] === 0) return;
  noteKey(shard.keyEvents, EVENT_BORN, database, 0, key, keyStart, keyEnd);
}

function placeOf(database: number, hash: number): number {
  return WAITING_COUNTS + ((hash ^ Math.imul(database, DATABASE_SPREAD)) & WAITING_PLACE_MASK);
}
