/** What an insertion into a list notes for those who copy it, and what it does when there is no room. */
import { Buffer } from 'node:buffer';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createCursor } from '../../src/collections/cursor.ts';
import {
  birthOf,
  countOf,
  headMovesOf,
  insertGroup,
  middleMovesOf,
  removeGroup,
  removeRun,
  replaceGroup,
  seekRank,
} from '../../src/collections/sequence.ts';
import { LSN, NONE, TYPE_HASH, TYPE_LIST, TYPE_ZSET } from '../../src/shard/layout.ts';
import { NO_EVICTION } from '../../src/shard/policy.ts';
import type { Shard } from '../../src/shard/shard.ts';
import {
  addGroup,
  commit,
  encodeGroup,
  expectWholeCollection,
  filledCollection,
  groupsIn,
  newCollection,
  seekKey,
  useTinyBounds,
  useUsualBounds,
} from '../support/sequences.ts';
import { createTestShard, expectWhole, find, START_MS } from '../support/shard.ts';

beforeEach(useTinyBounds);
afterEach(useUsualBounds);

const cursor = createCursor();

const ELEMENT = { key: 'some element', value: '', score: 0 };

describe('a list in the form of a tree', () => {
  it('notes what comes and goes at its head and in its middle, and nothing of its tail', () => {
    const shard = createTestShard();
    let ref = filledCollection(shard, 'key', TYPE_LIST, 100);
    expect([headMovesOf(shard, ref), middleMovesOf(shard, ref)]).toEqual([0, 0]);
    for (let index = 0; index < 50; index += 1) ref = insertAtRank(shard, ref, 0);
    expect([headMovesOf(shard, ref), middleMovesOf(shard, ref)]).toEqual([50, 0]);
    for (let index = 0; index < 50; index += 1) ref = insertAtRank(shard, ref, countOf(shard, ref));
    removeRun(shard, ref, 0, 130, 70);
    expect(countOf(shard, ref)).toBe(130);
    expect([headMovesOf(shard, ref), middleMovesOf(shard, ref)]).toEqual([50, 0]);
    removeRun(shard, ref, 0, 0, 60);
    expect([headMovesOf(shard, ref), middleMovesOf(shard, ref)]).toEqual([-10, 0]);
    ref = insertAtRank(shard, ref, 1);
    seekRank(shard, ref, 0, cursor, 30);
    removeGroup(shard, cursor);
    expect([headMovesOf(shard, ref), middleMovesOf(shard, ref)]).toEqual([-10, 2]);
    seekRank(shard, ref, 0, cursor, 30);
    const group = encodeGroup(TYPE_LIST, { key: 'x'.repeat(500), value: '', score: 0 });
    expect(replaceGroup(shard, cursor, group, 0, group.length, START_MS)).toBe(true);
    expect([headMovesOf(shard, cursor.ref), middleMovesOf(shard, cursor.ref)]).toEqual([-10, 2]);
    commit(shard);
    expectWhole(shard);
  });

  it('is told from another of the same key by the change at which it became one', () => {
    const shard = createTestShard();
    const one = birthOf(shard, filledCollection(shard, 'one', TYPE_LIST, 100));
    shard.numbers[LSN] += 1;
    expect(birthOf(shard, filledCollection(shard, 'other', TYPE_LIST, 100))).not.toBe(one);
  });
});

describe('a sorted set in the form of a tree', () => {
  it('may give its groups other scores where they stand, whatever went from around them', () => {
    for (let rank = 1; rank < 60; rank += 1) {
      const shard = createTestShard();
      const ref = filledCollection(shard, 'key', TYPE_ZSET, 80);
      // What lies behind begins with a score that is well above the separator in front of it.
      for (const root of [0, 1]) {
        for (let score = rank + 1; score < rank + 4; score += 1) {
          if (root === 0) seekRank(shard, ref, 0, cursor, rank + 1);
          else seekKey(shard, ref, 1, cursor, TYPE_ZSET, `element ${score}`);
          removeGroup(shard, cursor);
        }
      }
      const group = Buffer.from(
        encodeGroup(TYPE_ZSET, { key: `element ${rank}`, value: '', score: rank + 3 }),
      );
      seekKey(shard, ref, 1, cursor, TYPE_ZSET, `element ${rank}`);
      expect(replaceGroup(shard, cursor, group, 0, group.length, START_MS)).toBe(true);
      seekRank(shard, cursor.ref, 0, cursor, rank);
      expect(replaceGroup(shard, cursor, group, 0, group.length, START_MS)).toBe(true);
      expectWholeCollection(shard, cursor.ref);
    }
  });
});

describe('a shard that is full', () => {
  it.each([TYPE_LIST, TYPE_HASH])('refuses a group and keeps what it has (type %i)', (type) => {
    const shard = createTestShard({ limitBytes: 64 * 1024, policy: NO_EVICTION });
    let ref = newCollection(shard, 'key', type);
    let count = 0;
    for (;;) {
      const next = addGroup(shard, ref, type, { key: `element ${count}`, value: 'value', score: 0 });
      if (next === NONE) break;
      ref = next;
      count += 1;
    }
    commit(shard);
    expect(count).toBeGreaterThan(500);
    expect(find(shard, 'key')).toBe(ref);
    expectWholeCollection(shard, ref);
    expect(groupsIn(shard, ref, type).length).toBe(count);
    expectWhole(shard);
    removeRun(shard, ref, 0, 0, 100);
    expect(addGroup(shard, ref, type, { key: 'again', value: '', score: 0 })).not.toBe(NONE);
    expectWhole(shard);
  });

  it('gives back what it has set aside when the rest is not to be had', () => {
    for (let limit = 20_000; limit < 21_000; limit += 8) {
      const shard = createTestShard({ capacityBytes: 2 ** 20, limitBytes: limit, policy: NO_EVICTION });
      let ref = newCollection(shard, 'key', TYPE_LIST);
      for (let next = ref; next !== NONE; next = addGroup(shard, ref, TYPE_LIST, ELEMENT)) ref = next;
      commit(shard);
      expectWhole(shard);
    }
  });

  it('refuses a group of any size at any moment, and the collection stays whole', () => {
    for (const type of [TYPE_LIST, TYPE_HASH, TYPE_ZSET]) {
      const shard = createTestShard({ limitBytes: 32 * 1024, policy: NO_EVICTION });
      const ref = filledCollection(shard, 'key', type, 60);
      const keys = groupsIn(shard, ref, type).map(({ key }) => key);
      for (let bytes = 1000; bytes < 60_000; bytes += 1000) {
        const key = 'x'.repeat(bytes);
        if (type === TYPE_HASH) seekKey(shard, find(shard, 'key'), 0, cursor, type, key);
        else seekRank(shard, find(shard, 'key'), 0, cursor, 31);
        const group = encodeGroup(type, { key, value: '', score: 30.5 });
        if (insertGroup(shard, cursor, group, 0, group.length, START_MS)) removeGroup(shard, cursor);
        else expect(bytes).toBeGreaterThan(10_000);
        commit(shard);
        expect(cursor.ref).toBe(find(shard, 'key'));
        expectWhole(shard);
        const left = groupsIn(shard, cursor.ref, type).map((one) => one.key);
        // A leaf that splits deals its groups out anew.
        if (type === TYPE_HASH) expect(left.toSorted()).toEqual(keys.toSorted());
        else expect(left).toEqual(keys);
      }
    }
  });
});

function insertAtRank(shard: Shard, ref: number, rank: number): number {
  const group = encodeGroup(TYPE_LIST, { key: 'pushed', value: '', score: 0 });
  seekRank(shard, ref, 0, cursor, rank);
  expect(insertGroup(shard, cursor, group, 0, group.length, START_MS)).toBe(true);
  return cursor.ref;
}
