/** Sequences of groups against plain arrays: every order, both forms, with pages so small that every edit splits or merges some. */
import { Buffer } from 'node:buffer';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createCursor } from '../../src/collections/cursor.ts';
import { headOf } from '../../src/collections/page.ts';
import {
  countOf,
  insertGroup,
  rankOf,
  removeGroup,
  removeRun,
  replaceGroup,
  seekRank,
  seekScore,
  stepBack,
} from '../../src/collections/sequence.ts';
import { usedCells } from '../../src/shard/arena.ts';
import { freeDoomedPages } from '../../src/shard/doomed-trees.ts';
import { NONE, TYPE_HASH, TYPE_LIST, TYPE_SET, TYPE_ZSET } from '../../src/shard/layout.ts';
import { removeEntry } from '../../src/shard/lifecycle.ts';
import { touchEntry } from '../../src/shard/recency.ts';
import type { Shard } from '../../src/shard/shard.ts';
import {
  commit,
  encodeGroup,
  expectWholeCollection,
  formOf,
  groupsIn,
  insertAt,
  newCollection,
  readGroup,
  seekKey,
  useMiddlingBounds,
  useTinyBounds,
  useUsualBounds,
} from '../support/sequences.ts';
import { createTestShard, expectWhole, find, START_MS, set } from '../support/shard.ts';

beforeEach(useTinyBounds);
afterEach(useUsualBounds);

const cursor = createCursor();
const other = createCursor();

type Operation = { kind: 'add' | 'replace' | 'remove' | 'run'; at: number; count: number; bytes: number };

const operation = fc.record({
  kind: fc.constantFrom<Operation['kind']>(
    'add',
    'add',
    'add',
    'add',
    'replace',
    'replace',
    'remove',
    'remove',
    'run',
  ),
  at: fc.nat({ max: 2 ** 20 }),
  count: fc.integer({ min: 1, max: 12 }),
  bytes: fc.oneof(
    { weight: 8, arbitrary: fc.nat({ max: 12 }) },
    { weight: 1, arbitrary: fc.nat({ max: 300 }) },
  ),
});
const operations = fc.array(operation, { minLength: 1, maxLength: 250, size: 'max' });

describe('a list', () => {
  it('behaves like an array', () => {
    fc.assert(
      fc.property(operations, (steps) => {
        const shard = createTestShard();
        const before = usedCells(shard.entries);
        let ref = newCollection(shard, 'key', TYPE_LIST);
        let model: string[] = [];
        for (const [index, one] of steps.entries()) {
          [ref, model] = applyToList(shard, ref, model, one, index);
          expectWholeCollection(shard, ref);
          expect(countOf(shard, ref)).toBe(model.length);
        }
        expect(groupsIn(shard, ref, TYPE_LIST).map((group) => group.key)).toEqual(model);
        expectGone(shard, ref, before);
      }),
      { numRuns: 50 },
    );
  });

  it('is walked backwards and found by rank', () => {
    const shard = createTestShard();
    const [ref, model] = listOf(shard, 200);
    expect(formOf(shard, ref)).toBe('tree');
    for (let rank = 0; rank <= 200; rank += 1) {
      expect(seekRank(shard, ref, 0, cursor, rank)).toBe(rank < 200);
      expect(rankOf(shard, cursor)).toBe(rank);
      if (rank < 200) expect(readGroup(TYPE_LIST, cursor.bytes, cursor.at).key).toBe(model[rank]);
    }
    for (let rank = 199; rank >= 0; rank -= 1) {
      expect(stepBack(shard, cursor)).toBe(true);
      expect(readGroup(TYPE_LIST, cursor.bytes, cursor.at).key).toBe(model[rank]);
    }
    expect(stepBack(shard, cursor)).toBe(false);
  });
});

describe('a hash and a set', () => {
  it.each([TYPE_HASH, TYPE_SET])('behave like a map (type %i)', (type) => {
    fc.assert(
      fc.property(operations, (steps) => {
        const shard = createTestShard();
        const before = usedCells(shard.entries);
        let ref = newCollection(shard, 'key', type);
        const model = new Map<string, string>();
        for (const one of steps) {
          ref = applyToMap(shard, ref, type, model, one);
          expectWholeCollection(shard, ref);
          expect(countOf(shard, ref)).toBe(model.size);
        }
        expectSameMap(shard, ref, type, model);
        expectGone(shard, ref, before);
      }),
      { numRuns: 40 },
    );
  });
});

describe('a sorted set', () => {
  it('behaves like a sorted array', () => {
    fc.assert(
      fc.property(operations, (steps) => {
        const shard = createTestShard();
        const before = usedCells(shard.entries);
        let ref = newCollection(shard, 'key', TYPE_ZSET);
        const model = new Map<string, number>();
        for (const one of steps) {
          ref = applyToSorted(shard, ref, model, one);
          expectWholeCollection(shard, ref);
        }
        expectSameSorted(shard, ref, model);
        expectGone(shard, ref, before);
      }),
      { numRuns: 40 },
    );
  });
});

describe('under pressure', () => {
  it.each([TYPE_LIST, TYPE_HASH, TYPE_ZSET])(
    'others go and pages move, but nothing is lost (type %i)',
    (type) => {
      fc.assert(
        fc.property(operations, (steps) => {
          useMiddlingBounds();
          // More may be used than there is: it is the pieces that are too small.
          const shard = createTestShard({ capacityBytes: 64 * 1024, limitBytes: 96 * 1024 });
          newCollection(shard, 'key', type);
          let list: string[] = [];
          const map = new Map<string, string>();
          const sorted = new Map<string, number>();
          for (let index = 0; index < 800; index += 1) crowd(shard, index, index * 7919);
          let ref = find(shard, 'key');
          for (const [index, step] of steps.entries()) {
            const one = { ...step, bytes: step.bytes * 9 };
            if (type === TYPE_LIST) [ref, list] = applyToList(shard, ref, list, one, index);
            else if (type === TYPE_HASH) ref = applyToMap(shard, ref, type, map, one);
            else ref = applyToSorted(shard, ref, sorted, one);
            expectWholeCollection(shard, ref);
            for (let more = 0; more < 3; more += 1)
              ref = crowd(shard, (3 * index + more) % 900, one.at + 37 * more);
          }
          if (type === TYPE_LIST) expect(groupsIn(shard, ref, type).map(({ key }) => key)).toEqual(list);
          else if (type === TYPE_HASH) expectSameMap(shard, ref, type, map);
          else expectSameSorted(shard, ref, sorted);
          if (countOf(shard, ref) === 0) removeEntry(shard, ref);
          expectWhole(shard);
        }),
        { numRuns: 10 },
      );
    },
  );
});

/** Another entry, for which others go; the collection is the newest. Returns where that is now. */
function crowd(shard: Shard, index: number, bytes: number): number {
  set(shard, `filler ${index}`, 'f'.repeat(bytes % 150));
  const ref = find(shard, 'key');
  touchEntry(shard, ref, START_MS);
  return ref;
}

function applyToList(
  shard: Shard,
  ref: number,
  model: string[],
  { kind, at, count, bytes }: Operation,
  index: number,
): [number, string[]] {
  const place = at % (model.length + 1);
  const name = `${'x'.repeat(bytes)}${index}`;
  const isThere = seekRank(shard, ref, 0, cursor, place);
  expect(isThere).toBe(place < model.length);
  expect(rankOf(shard, cursor)).toBe(place);
  if (kind === 'add') {
    expect(insertAt(shard, cursor, { key: name, value: '', score: 0 })).toBe(true);
    expect(readGroup(TYPE_LIST, cursor.bytes, cursor.at).key).toBe(name);
    expect(rankOf(shard, cursor)).toBe(place);
    commit(shard);
    return [cursor.ref, model.toSpliced(place, 0, name)];
  }
  if (!isThere) return [ref, model];
  if (kind === 'replace') {
    const group = encodeGroup(TYPE_LIST, { key: name, value: '', score: 0 });
    expect(replaceGroup(shard, cursor, group, 0, group.length, START_MS)).toBe(true);
    expect(readGroup(TYPE_LIST, cursor.bytes, cursor.at).key).toBe(name);
    expect(rankOf(shard, cursor)).toBe(place);
    commit(shard);
    return [cursor.ref, model.with(place, name)];
  }
  const gone = kind === 'remove' ? 1 : Math.min(count, model.length - place);
  if (kind === 'run') removeRun(shard, ref, 0, place, gone);
  else removeGroup(shard, cursor);
  const left = model.toSpliced(place, gone);
  if (kind === 'remove') {
    expect(rankOf(shard, cursor)).toBe(place);
    expect(cursor.at < cursor.end).toBe(place < left.length);
    if (place < left.length) expect(readGroup(TYPE_LIST, cursor.bytes, cursor.at).key).toBe(left[place]);
  }
  commit(shard);
  return [ref, left];
}

function applyToMap(
  shard: Shard,
  ref: number,
  type: number,
  model: Map<string, string>,
  { kind, at, count, bytes }: Operation,
): number {
  const key = keyNumber(at);
  const value = type === TYPE_HASH ? 'v'.repeat(bytes) : '';
  if (kind === 'run') {
    const all = groupsIn(shard, ref, type);
    if (all.length === 0) return ref;
    const rank = at % all.length;
    const gone = all.slice(rank, rank + count);
    removeRun(shard, ref, 0, rank, gone.length);
    for (const group of gone) model.delete(group.key);
    commit(shard);
    return ref;
  }
  const isThere = seekKey(shard, ref, 0, cursor, type, key);
  expect(isThere).toBe(model.has(key));
  if (kind === 'remove') {
    if (isThere) removeGroup(shard, cursor);
    model.delete(key);
    commit(shard);
    return ref;
  }
  const group = encodeGroup(type, { key, value, score: 0 });
  if (isThere) expect(replaceGroup(shard, cursor, group, 0, group.length, START_MS)).toBe(true);
  else expect(insertGroup(shard, cursor, group, 0, group.length, START_MS)).toBe(true);
  expect(readGroup(type, cursor.bytes, cursor.at)).toEqual({ key, value, score: 0 });
  model.set(key, value);
  commit(shard);
  return cursor.ref;
}

/** As the type of sorted sets does it: the members' tree is changed after the main one. */
function applyToSorted(
  shard: Shard,
  start: number,
  model: Map<string, number>,
  { kind, at, count }: Operation,
): number {
  let ref = start;
  const key = keyNumber(at);
  const score = (at % 7) - 3;
  if (kind === 'run') {
    const all = groupsIn(shard, ref, TYPE_ZSET);
    const gone = all.length === 0 ? [] : all.slice(at % all.length, (at % all.length) + count);
    for (const group of gone) model.delete(group.key);
    if (gone.length > 0) removeRun(shard, ref, 0, at % all.length, gone.length);
    for (const group of gone) {
      if (formOf(shard, ref) === 'tree' && seekKey(shard, ref, 1, other, TYPE_ZSET, group.key))
        removeGroup(shard, other);
    }
    commit(shard);
    return ref;
  }
  const before = model.get(key);
  if (before !== undefined) {
    if (kind === 'replace' && moveScore(shard, ref, model, key, before, score)) return cursor.ref;
    expect(seekExactly(shard, ref, key, before)).toBe(true);
    removeGroup(shard, cursor);
    if (formOf(shard, ref) === 'tree') {
      expect(seekKey(shard, ref, 1, cursor, TYPE_ZSET, key)).toBe(true);
      removeGroup(shard, cursor);
    }
    model.delete(key);
  }
  if (kind !== 'remove') {
    seekExactly(shard, ref, key, score);
    expect(insertAt(shard, cursor, { key, value: '', score })).toBe(true);
    ref = cursor.ref;
    if (formOf(shard, ref) === 'tree') {
      expect(seekKey(shard, ref, 1, cursor, TYPE_ZSET, key)).toBe(false);
      expect(insertAt(shard, cursor, { key, value: '', score })).toBe(true);
      ref = cursor.ref;
    }
    model.set(key, score);
  }
  commit(shard);
  return ref;
}

/** Gives a member another score where it stands, if it stays between its neighbours. */
function moveScore(
  shard: Shard,
  ref: number,
  model: Map<string, number>,
  key: string,
  before: number,
  score: number,
): boolean {
  const after = new Map(model).set(key, score);
  const rank = sortedKeys(model).indexOf(key);
  if (sortedKeys(after).indexOf(key) !== rank) return false;
  expect(seekExactly(shard, ref, key, before)).toBe(true);
  const group = Buffer.from(encodeGroup(TYPE_ZSET, { key, value: '', score }));
  expect(replaceGroup(shard, cursor, group, 0, group.length, START_MS)).toBe(true);
  if (formOf(shard, cursor.ref) === 'tree') {
    expect(seekKey(shard, cursor.ref, 1, cursor, TYPE_ZSET, key)).toBe(true);
    expect(replaceGroup(shard, cursor, group, 0, group.length, START_MS)).toBe(true);
  }
  model.set(key, score);
  commit(shard);
  return true;
}

function seekExactly(shard: Shard, ref: number, key: string, score: number): boolean {
  const member = Buffer.from(key);
  if (!seekScore(shard, ref, cursor, score, member, 0, member.length)) return false;
  const group = readGroup(TYPE_ZSET, cursor.bytes, cursor.at);
  return group.key === key && group.score === score;
}

function expectSameMap(shard: Shard, ref: number, type: number, model: Map<string, string>): void {
  const groups = groupsIn(shard, ref, type);
  expect(groups.length).toBe(model.size);
  expect(new Map(groups.map(({ key, value }) => [key, value]))).toEqual(model);
  for (const [key, value] of model) {
    expect(seekKey(shard, ref, 0, cursor, type, key)).toBe(true);
    expect(readGroup(type, cursor.bytes, cursor.at).value).toBe(value);
  }
}

function expectSameSorted(shard: Shard, ref: number, model: Map<string, number>): void {
  const keys = sortedKeys(model);
  expect(groupsIn(shard, ref, TYPE_ZSET).map(({ key }) => key)).toEqual(keys);
  for (const [rank, key] of keys.entries()) {
    expect(seekExactly(shard, ref, key, model.get(key) ?? Number.NaN)).toBe(true);
    expect(rankOf(shard, cursor)).toBe(rank);
  }
}

function sortedKeys(model: Map<string, number>): string[] {
  const entries = [...model.entries()];
  entries.sort(([a, x], [b, y]) => x - y || Buffer.compare(Buffer.from(a), Buffer.from(b)));
  return entries.map(([key]) => key);
}

/** Nothing is left of a collection that has gone. */
function expectGone(shard: Shard, ref: number, cells: number): void {
  expect(headOf(shard, ref) === NONE).toBe(formOf(shard, ref) === 'packed');
  removeEntry(shard, ref);
  freeDoomedPages(shard, Infinity);
  expect(usedCells(shard.entries)).toBe(cells);
  expectWhole(shard);
}

function keyNumber(at: number): string {
  const number = at % 120;
  return number % 3 === 0 ? `${number}` : `${'k'.repeat(number % 40)}${number}`;
}

function listOf(shard: Shard, count: number): [number, string[]] {
  let ref = newCollection(shard, 'list', TYPE_LIST);
  const model: string[] = [];
  for (let index = 0; index < count; index += 1) {
    seekRank(shard, ref, 0, cursor, index);
    insertAt(shard, cursor, { key: `element ${index}`, value: '', score: 0 });
    ref = cursor.ref;
    model.push(`element ${index}`);
  }
  commit(shard);
  return [ref, model];
}
