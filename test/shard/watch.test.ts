/** Watches of keys that are there and of keys that are not: what counts as a touch, and what does not. */
import { Buffer } from 'node:buffer';
import { expect, it } from 'vitest';
import { flushDatabase, swapDatabases } from '../../src/shard/databases.ts';
import { findEntry, putString } from '../../src/shard/keyspace.ts';
import { EXPIRED_KEYS, WATCHED_ABSENT } from '../../src/shard/layout.ts';
import { removeEntry, setExpiry } from '../../src/shard/lifecycle.ts';
import type { Shard } from '../../src/shard/shard.ts';
import { isUntouched, unwatchAbsent, type Watch, watchesAbsent, watchKey } from '../../src/shard/watch.ts';
import { createHarness } from '../support/harness.ts';
import { START_MS } from '../support/shard.ts';

const KEY = Buffer.from('key');
const OTHER = Buffer.from('some other key');
const VALUE = Buffer.from('value');

type Deed = (shard: Shard) => void;

const put =
  (key: Buffer, database = 0): Deed =>
  (shard) =>
    void putString(shard, database, key, 0, key.length, VALUE, 0, VALUE.length, 0, START_MS);
const remove =
  (key: Buffer, database = 0): Deed =>
  (shard) =>
    removeEntry(shard, findEntry(shard, database, key, 0, key.length, START_MS));
const swap: Deed = (shard) => swapDatabases(shard, 0, 1);
const flush =
  (database: number): Deed =>
  (shard) =>
    flushDatabase(shard, database);

function watch(shard: Shard): Watch {
  return watchKey(shard, 0, KEY, 0, KEY.length, START_MS);
}

function isSame(shard: Shard, watched: Watch, nowMs = START_MS): boolean {
  return isUntouched(shard, watched, 0, KEY, 0, KEY.length, nowMs);
}

function createShard(): Shard {
  return createHarness({ shards: 1 }).shards[0];
}

it.each<[string, Deed[], Deed[], boolean]>([
  ['a key that stays as it is', [put(KEY)], [put(OTHER), remove(OTHER), put(KEY, 1), flush(1)], true],
  ['a key that gets the value that it has', [put(KEY)], [put(KEY)], false],
  ['a key that goes', [put(KEY)], [remove(KEY)], false],
  ['a key that goes and comes again', [put(KEY)], [remove(KEY), put(KEY)], false],
  ['a key that a flush takes', [put(KEY)], [flush(0)], false],
  ['a key that is exchanged with none', [put(KEY)], [swap], false],
  ['a key that is exchanged and comes back', [put(KEY)], [swap, swap], false],
  ['a key that another of its name is exchanged for', [put(KEY), put(KEY, 1)], [swap], false],
  [
    'a key that gets a deadline',
    [put(KEY)],
    [(shard) => setExpiry(shard, findEntry(shard, 0, KEY, 0, 3, START_MS), START_MS + 9)],
    false,
  ],
  [
    'no key where others come and go',
    [],
    [put(OTHER), remove(OTHER), put(KEY, 1), remove(KEY, 1), flush(0)],
    true,
  ],
  ['no key where none is exchanged for it', [put(OTHER)], [swap], true],
  ['no key where databases are emptied twice', [], [put(OTHER), flush(0), put(OTHER), flush(0)], true],
  ['a key that comes', [], [put(KEY)], false],
  ['a key that comes and goes', [], [put(KEY), remove(KEY)], false],
  ['a key that comes and is flushed', [], [put(KEY), flush(0)], false],
  ['a key that is exchanged for none', [put(KEY, 1)], [swap], false],
  ['a key that is exchanged for none, and goes', [put(KEY, 1)], [swap, remove(KEY)], false],
  ['a key that is exchanged for none, and back', [put(KEY, 1)], [swap, swap], false],
  ['a key that is exchanged for none, and flushed', [put(KEY, 1)], [swap, flush(0)], false],
])('%s', (_, before, meanwhile, isUntouchedThen) => {
  const shard = createShard();
  for (const deed of before) deed(shard);
  const watched = watch(shard);
  expect(isSame(shard, watched)).toBe(true);
  for (const deed of meanwhile) deed(shard);
  expect(isSame(shard, watched)).toBe(isUntouchedThen);
});

it('a deadline that passes touches a key, and does not touch one that had passed already', () => {
  const shard = createShard();
  putString(shard, 0, KEY, 0, KEY.length, VALUE, 0, VALUE.length, START_MS + 10, START_MS);
  const living = watch(shard);
  expect(isSame(shard, living, START_MS + 10)).toBe(true);
  const expired = watchKey(shard, 0, KEY, 0, KEY.length, START_MS + 11);
  expect(isSame(shard, living, START_MS + 11)).toBe(false);
  expect(isSame(shard, expired, START_MS + 11)).toBe(true);
  expect(shard.numbers[EXPIRED_KEYS]).toBe(1);
});

it('only while an absent key is watched are births and removals noted', () => {
  const shard = createShard();
  put(OTHER)(shard);
  expect(watchesAbsent(watchKey(shard, 0, OTHER, 0, OTHER.length, START_MS))).toBe(false);
  expect(shard.control[WATCHED_ABSENT]).toBe(0);
  const watched = watch(shard);
  expect([watchesAbsent(watched), shard.control[WATCHED_ABSENT]]).toEqual([true, 1]);
  unwatchAbsent(shard);
  expect(shard.control[WATCHED_ABSENT]).toBe(0);
  put(KEY)(shard);
  remove(KEY)(shard);
  expect(isSame(shard, watched)).toBe(true);
  expect(() => unwatchAbsent(shard)).toThrow('nobody ends the watch of another');
});
