/** Many groups at once come to be the same collection as one by one, or leave it to that. */
import { Buffer } from 'node:buffer';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { bounds, FORM_LARGE, FORM_TREE } from '../../src/collections/form.ts';
import { putPair } from '../../src/collections/hash.ts';
import { pushTail } from '../../src/collections/list.ts';
import { collectionBytes, countOf, flagsOf, makeTree } from '../../src/collections/sequence.ts';
import { putMember } from '../../src/collections/set.ts';
import { fillTree, UNFIT } from '../../src/collections/tree-fill.ts';
import { hashOfElement } from '../../src/collections/tree-seek.ts';
import { dropScored, putScored } from '../../src/collections/zset.ts';
import { usedCells } from '../../src/shard/arena.ts';
import { NONE, TYPE_HASH, TYPE_LIST, TYPE_SET, TYPE_ZSET } from '../../src/shard/layout.ts';
import { NO_EVICTION } from '../../src/shard/policy.ts';
import type { Shard } from '../../src/shard/shard.ts';
import {
  commit,
  encodeGroup,
  expectWholeCollection,
  formOf,
  type Group,
  groupsIn,
  newCollection,
  useTinyBounds,
  useUsualBounds,
} from '../support/sequences.ts';
import { createTestShard, expectWhole, START_MS } from '../support/shard.ts';

const TYPES = [TYPE_LIST, TYPE_SET, TYPE_ZSET, TYPE_HASH];
const PUT = {
  [TYPE_LIST]: pushTail,
  [TYPE_SET]: putMember,
  [TYPE_ZSET]: putScored,
  [TYPE_HASH]: putPair,
};

beforeEach(useUsualBounds);
afterEach(useUsualBounds);

describe('groups put at once', () => {
  it.each(TYPES)('are those that were put one by one (type %i)', (type) => {
    fc.assert(
      fc.property(
        fc.uniqueArray(fc.string({ maxLength: 40 }), { maxLength: 200 }),
        fc.array(fc.integer({ min: -5, max: 5 }), { minLength: 200, maxLength: 200 }),
        fc.boolean(),
        (keys, scores, isTiny) => {
          if (isTiny) useTinyBounds();
          else useUsualBounds();
          const groups = keys.map((key, i) => ({ key, value: `value ${i}`, score: scores[i] || 0 }));
          const shard = createTestShard();
          const bytes = bytesOf(type, groups);
          const one = putEach(shard, newCollection(shard, 'one', type), type, groups);
          const other = fillTree(
            shard,
            newCollection(shard, 'other', type, FORM_LARGE),
            bytes,
            0,
            bytes.length,
            START_MS,
          );
          if (other !== UNFIT) {
            commit(shard);
            expectWholeCollection(shard, other);
            expect(flagsOf(shard, other)).toBe(FORM_TREE | FORM_LARGE);
            expect(namesIn(shard, other, type)).toEqual(namesIn(shard, one, type));
          } else {
            expect(countOf(shard, one) < 2 || formOf(shard, one) === 'packed').toBe(true);
          }
          expectWhole(shard);
        },
      ),
      { numRuns: 40 },
    );
  });

  it.each(TYPES)('go on as any other collection, and leave nothing behind (type %i)', (type) => {
    useTinyBounds();
    const shard = createTestShard();
    const groups = Array.from({ length: 600 }, (_, i) => groupOf(i * 3));
    let at = filled(shard, type, groups);
    expect(flagsOf(shard, at)).toBe(type === TYPE_LIST ? FORM_TREE : FORM_TREE | FORM_LARGE);
    const more = Array.from({ length: 600 }, (_, i) => groupOf(i * 3 + 1));
    at = putEach(shard, at, type, more);
    expectWholeCollection(shard, at);
    expect(countOf(shard, at)).toBe(1200);
    expectWhole(shard);
  });

  it.each([TYPE_HASH, TYPE_SET, TYPE_ZSET])(
    'with a name that comes twice are left alone (type %i)',
    (type) => {
      const shard = createTestShard();
      const groups = Array.from({ length: 400 }, (_, i) => groupOf(i === 399 ? 7 : i));
      const bytes = bytesOf(type, groups);
      const ref = newCollection(shard, 'key', type);
      expect(fillTree(shard, ref, bytes, 0, bytes.length, START_MS)).toBe(UNFIT);
      expect(countOf(shard, ref)).toBe(0);
    },
  );

  it('of one hash come into one leaf', () => {
    useTinyBounds();
    const shard = createTestShard();
    const twins = ofOneHash(shard);
    // Two names fill a leaf: with one or the other before them, a leaf ends between the twins.
    for (const others of [40, 41]) {
      const groups = [...Array.from({ length: others }, (_, i) => groupOf(i)), ...twins];
      filled(shard, TYPE_SET, groups, `with ${others}`);
    }
  });

  it('that are more than their numbers have room for are left alone', () => {
    const shard = createTestShard();
    bounds.fillGroupsMax = 1500;
    const groups = Array.from({ length: 1501 }, (_, i) => groupOf(i));
    const bytes = bytesOf(TYPE_SET, groups);
    const ref = newCollection(shard, 'key', TYPE_SET);
    expect(fillTree(shard, ref, bytes, 0, bytes.length, START_MS)).toBe(UNFIT);
    filled(shard, TYPE_SET, groups.slice(1), 'as many as there may be');
  });

  it('as few as stay packed are left alone', () => {
    const shard = createTestShard();
    const groups = Array.from({ length: 100 }, (_, i) => groupOf(i));
    const bytes = bytesOf(TYPE_HASH, groups);
    expect(bytes.length).toBeGreaterThan(2 * 1024);
    const ref = newCollection(shard, 'key', TYPE_HASH);
    expect(fillTree(shard, ref, bytes, 0, bytes.length, START_MS)).toBe(UNFIT);
  });

  it('scores of -0 are left alone where a small sorted set would not keep them', () => {
    const shard = createTestShard();
    const groups = Array.from({ length: 400 }, (_, i) => ({ ...groupOf(i), score: i === 5 ? -0 : i }));
    const bytes = bytesOf(TYPE_ZSET, groups);
    const small = newCollection(shard, 'small', TYPE_ZSET);
    expect(fillTree(shard, small, bytes, 0, bytes.length, START_MS)).toBe(UNFIT);
    const large = newCollection(shard, 'large', TYPE_ZSET, FORM_LARGE);
    const ref = fillTree(shard, large, bytes, 0, bytes.length, START_MS);
    commit(shard);
    expect(groupsIn(shard, ref, TYPE_ZSET)[1].score).toBe(-0);
  });

  it('take the place of an empty tree, whose pages are free then', () => {
    const shard = createTestShard();
    const groups = Array.from({ length: 400 }, (_, i) => groupOf(i));
    const bytes = bytesOf(TYPE_ZSET, groups);
    const tree = makeTree(shard, newCollection(shard, 'key', TYPE_ZSET), FORM_LARGE, START_MS);
    const ref = fillTree(shard, tree, bytes, 0, bytes.length, START_MS);
    commit(shard);
    expectWholeCollection(shard, ref);
    expect(countOf(shard, ref)).toBe(400);
    expectWhole(shard);
  });

  it('find no room and leave the collection empty', () => {
    const shard = createTestShard({ limitBytes: 256 * 1024, policy: NO_EVICTION });
    const groups = Array.from({ length: 20_000 }, (_, i) => groupOf(i));
    const bytes = bytesOf(TYPE_ZSET, groups);
    const ref = newCollection(shard, 'key', TYPE_ZSET);
    const before = usedCells(shard.entries);
    expect(fillTree(shard, ref, bytes, 0, bytes.length, START_MS)).toBe(NONE);
    expect(usedCells(shard.entries)).toBe(before);
    expect(countOf(shard, ref)).toBe(0);
    commit(shard);
  });

  it('in order take hardly more memory than when they came in order', () => {
    const shard = createTestShard();
    const groups = Array.from({ length: 20_000 }, (_, i) => groupOf(i));
    const one = collectionBytes(
      shard,
      putEach(shard, newCollection(shard, 'one', TYPE_ZSET), TYPE_ZSET, groups),
    );
    const other = collectionBytes(shard, filled(shard, TYPE_ZSET, groups));
    expect(other / one).toBeLessThan(1.03);
    const ref = filled(shard, TYPE_ZSET, groups, 'third');
    const group = encodeGroup(TYPE_ZSET, groups[77]);
    expect(dropScored(shard, ref, Buffer.from(group), 8, group.length)).toBe(true);
    commit(shard);
    expectWholeCollection(shard, ref);
  });
});

function groupOf(i: number): Group {
  const name = String(i).padStart(7, '0');
  return { key: `element ${name}`, value: `value ${i}`, score: i };
}

/** Two names that trees put in one place. */
function ofOneHash(shard: Shard): Group[] {
  const seen = new Map<number, number>();
  for (let i = 0; ; i += 1) {
    const hash = hashOfElement(shard, encodeGroup(TYPE_SET, groupOf(i)), 0);
    const other = seen.get(hash);
    if (other !== undefined) return [groupOf(other), groupOf(i)];
    seen.set(hash, i);
  }
}

function bytesOf(type: number, groups: readonly Group[]): Buffer {
  return Buffer.concat(groups.map((group) => Buffer.from(encodeGroup(type, group))));
}

function filled(shard: Shard, type: number, groups: readonly Group[], name = 'filled'): number {
  const bytes = bytesOf(type, groups);
  const ref = fillTree(shard, newCollection(shard, name, type), bytes, 0, bytes.length, START_MS);
  expect(ref).toBeGreaterThan(0);
  commit(shard);
  expectWholeCollection(shard, ref);
  return ref;
}

function putEach(shard: Shard, ref: number, type: number, groups: readonly Group[]): number {
  let at = ref;
  for (const group of groups) {
    const bytes = encodeGroup(type, group);
    at = PUT[type as keyof typeof PUT](shard, at, bytes, 0, bytes.length, START_MS);
    commit(shard);
  }
  return at;
}

/** What is in it, in its order where it has one. */
function namesIn(shard: Shard, ref: number, type: number): string[] {
  const names = groupsIn(shard, ref, type).map(({ key, value, score }) => `${score} ${key} ${value}`);
  return type === TYPE_LIST || type === TYPE_ZSET ? names : names.toSorted();
}
