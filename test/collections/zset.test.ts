/** Sorted sets against a plain map of scores: any changes, in both forms, which keep their two trees alike; and when there is no room. */
import { Buffer } from 'node:buffer';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { elementEnd, SCORE_BYTES } from '../../src/collections/elements.ts';
import { isLarge } from '../../src/collections/form.ts';
import { countOf } from '../../src/collections/sequence.ts';
import { thresholds } from '../../src/collections/thresholds.ts';
import {
  ADDED,
  ADDS_UP,
  changeScore,
  dropRanks,
  dropScored,
  KEPT,
  MOVED,
  NOT_A_NUMBER,
  ONLY_GREATER,
  ONLY_KNOWN,
  ONLY_LESS,
  ONLY_NEW,
  putScored,
  rankOfMember,
  scoreOf,
  scoring,
  UNMET,
} from '../../src/collections/zset.ts';
import { NONE, TYPE_ZSET, WRITING } from '../../src/shard/layout.ts';
import { NO_EVICTION } from '../../src/shard/policy.ts';
import type { Shard } from '../../src/shard/shard.ts';
import {
  commit,
  encodeGroup,
  expectWholeCollection,
  formOf,
  groupsIn,
  newCollection,
  useTinyBounds,
  useUsualBounds,
} from '../support/sequences.ts';
import { createTestShard, expectWhole, find, START_MS } from '../support/shard.ts';

beforeEach(useTinyBounds);
afterEach(() => {
  useUsualBounds();
  thresholds.zsetEntries = 128;
});

type Model = Map<string, number>;

function put(shard: Shard, ref: number, score: number, key: string, rules = 0): number {
  const bytes = Buffer.from(encodeGroup(TYPE_ZSET, { key, value: '', score }));
  const moved = changeScore(shard, ref, bytes, 0, bytes.length, rules, START_MS);
  if (moved !== NONE && (scoring.outcome === ADDED || scoring.outcome === MOVED)) {
    // As numbers: 0 and -0 are one.
    expect(bytes.readDoubleLE(0) === scoring.score).toBe(true);
  }
  return moved;
}

/** The element of a member's name, behind a score. */
function withElement<T>(key: string, use: (bytes: Buffer, start: number, end: number) => T): T {
  const bytes = Buffer.from(encodeGroup(TYPE_ZSET, { key, value: '', score: 0 }));
  return use(bytes, SCORE_BYTES, elementEnd(bytes, SCORE_BYTES));
}

function drop(shard: Shard, ref: number, key: string): boolean {
  return withElement(key, (bytes, start, end) => dropScored(shard, ref, bytes, start, end));
}

function ordered(model: Model): [string, number][] {
  return [...model].sort(([a, x], [b, y]) => x - y || (a < b ? -1 : 1));
}

function expectModel(shard: Shard, ref: number, model: Model): void {
  commit(shard);
  const order = ordered(model);
  expect(groupsIn(shard, ref, TYPE_ZSET).map(({ key, score }) => [key, score])).toEqual(order);
  expectWholeCollection(shard, ref);
  expect(countOf(shard, ref)).toBe(model.size);
  if (formOf(shard, ref) === 'packed') return;
  const byMember = groupsIn(shard, ref, TYPE_ZSET, 1);
  expect(new Map(byMember.map(({ key, score }) => [key, score]))).toEqual(model);
  expect(byMember).toHaveLength(model.size);
}

const name = fc.oneof(
  { weight: 9, arbitrary: fc.nat({ max: 40 }).map((n) => `m${n}`) },
  { weight: 1, arbitrary: fc.nat({ max: 3 }).map((n) => `${n}`.repeat(70)) },
  { weight: 1, arbitrary: fc.constant('') },
);
const score = fc.oneof(
  fc.integer({ min: -4, max: 4 }),
  fc.constantFrom(0.5, -1e300, Infinity, -Infinity, 5e-324),
);
const step = fc.record({
  kind: fc.constantFrom('put', 'put', 'put', 'put', 'drop', 'drop', 'ranks'),
  key: name,
  score,
  rules: fc.constantFrom(
    0,
    0,
    0,
    ONLY_NEW,
    ONLY_KNOWN,
    ONLY_GREATER,
    ONLY_LESS,
    ADDS_UP,
    ADDS_UP | ONLY_LESS,
  ),
  at: fc.nat({ max: 1000 }),
});

/** What a change does to the model; the outcome. */
function putInModel(model: Model, key: string, given: number, rules: number): number {
  const before = model.get(key);
  if (before === undefined) {
    if ((rules & ONLY_KNOWN) !== 0) return UNMET;
    model.set(key, given);
    return ADDED;
  }
  if ((rules & ONLY_NEW) !== 0) return UNMET;
  const after = (rules & ADDS_UP) === 0 ? given : before + given;
  if (Number.isNaN(after)) return NOT_A_NUMBER;
  if ((rules & ONLY_GREATER) !== 0 && after <= before) return UNMET;
  if ((rules & ONLY_LESS) !== 0 && after >= before) return UNMET;
  model.set(key, after);
  return after === before ? KEPT : MOVED;
}

describe('a sorted set', () => {
  it('behaves like a map of scores that is sorted, whatever is done to it', () => {
    let trees = 0;
    fc.assert(
      fc.property(fc.array(step, { minLength: 1, maxLength: 250, size: 'max' }), (steps) => {
        const shard = createTestShard();
        const model: Model = new Map();
        let ref = newCollection(shard, 'key', TYPE_ZSET);
        for (const { kind, key, score: given, rules, at } of steps) {
          if (kind === 'put') {
            const outcome = putInModel(model, key, given, rules);
            ref = put(shard, ref, given, key, rules);
            expect(scoring.outcome).toBe(outcome);
          } else if (kind === 'drop') {
            expect(drop(shard, ref, key)).toBe(model.delete(key));
          } else if (model.size > 0) {
            const rank = at % model.size;
            const count = Math.min(1 + (at % 9), model.size - rank);
            for (const [gone] of ordered(model).slice(rank, rank + count)) model.delete(gone);
            dropRanks(shard, ref, rank, count);
          }
          expectModel(shard, ref, model);
        }
        if (formOf(shard, ref) === 'tree') trees += 1;
        // An empty one goes, at the end of a command.
        if (model.size === 0) put(shard, ref, 1, 'last');
        commit(shard);
        expectWhole(shard);
      }),
      { numRuns: 20 },
    );
    expect(trees).toBeGreaterThan(3);
  });

  it.each([3, 40])('of %d members knows the score and the rank of each, and of nobody else', (count) => {
    const shard = createTestShard();
    const model: Model = new Map();
    let ref = newCollection(shard, 'key', TYPE_ZSET);
    for (let index = 0; index < count; index += 1) {
      model.set(`m${index}`, (index * 7) % 11);
      ref = put(shard, ref, (index * 7) % 11, `m${index}`);
    }
    const find = (key: string) =>
      withElement(key, (bytes, start, end) => [
        scoreOf(shard, ref, bytes, start, end),
        rankOfMember(shard, ref, bytes, start, end),
      ]);
    for (const [rank, [key, own]] of ordered(model).entries()) expect(find(key)).toEqual([own, rank]);
    for (const key of ['', 'm', 'm00', `m${count}`]) expect(find(key)).toEqual([Number.NaN, -1]);
  });

  it('moves every member to every place, and back, with nobody else lost', () => {
    for (const count of [5, 16]) {
      const shard = createTestShard();
      const model: Model = new Map();
      let ref = newCollection(shard, 'key', TYPE_ZSET);
      for (let index = 0; index < count; index += 1) {
        model.set(`m${index}`, 10 * index);
        ref = put(shard, ref, 10 * index, `m${index}`);
      }
      for (let from = 0; from < count; from += 1) {
        for (let to = 0; to <= count; to += 1) {
          model.set(`m${from}`, 10 * to - 5);
          ref = put(shard, ref, 10 * to - 5, `m${from}`);
          expectModel(shard, ref, model);
        }
        model.set(`m${from}`, 10 * from);
        ref = put(shard, ref, 10 * from, `m${from}`);
      }
      expectModel(shard, ref, model);
    }
  });
});

describe('the name of its encoding', () => {
  it('becomes that of large ones with the first member too many, or too long, and stays so', () => {
    thresholds.zsetEntries = 3;
    const shard = createTestShard();
    let ref = newCollection(shard, 'many', TYPE_ZSET);
    for (const key of ['a', 'b', 'c']) ref = put(shard, ref, 1, key);
    expect(isLarge(shard, ref)).toBe(false);
    ref = put(shard, ref, 2, 'a');
    expect(isLarge(shard, ref)).toBe(false);
    ref = put(shard, ref, 1, 'd');
    expect(isLarge(shard, ref)).toBe(true);
    drop(shard, ref, 'd');
    expect(isLarge(shard, ref)).toBe(true);
    commit(shard);
    ref = newCollection(shard, 'long', TYPE_ZSET);
    ref = put(shard, ref, 1, 'x'.repeat(64));
    expect(isLarge(shard, ref)).toBe(false);
    ref = put(shard, ref, 1, 'x'.repeat(65));
    expect(isLarge(shard, ref)).toBe(true);
    commit(shard);
  });

  it('decides whether there is a -0', () => {
    thresholds.zsetEntries = 2;
    const shard = createTestShard();
    let ref = newCollection(shard, 'key', TYPE_ZSET);
    for (const key of ['a', 'b']) ref = put(shard, ref, -0, key);
    ref = put(shard, ref, 1, 'a');
    ref = put(shard, ref, -0, 'a');
    ref = put(shard, ref, -0, 'c');
    const scores = groupsIn(shard, ref, TYPE_ZSET).map(({ score: one }) => one);
    expect(scores.map((one) => Object.is(one, -0))).toEqual([false, false, true]);
    commit(shard);
  });
});

describe('without room', () => {
  it('a change fails whole: what was there is there, and both trees are alike', () => {
    const outcomes = { added: 0, moved: 0 };
    for (const limitBytes of [2 ** 15, 2 ** 15 + 700, 2 ** 15 + 1400, 2 ** 15 + 2100]) {
      const shard = createTestShard({ limitBytes, policy: NO_EVICTION });
      const model: Model = new Map();
      let ref = newCollection(shard, 'key', TYPE_ZSET);
      for (let index = 0; ; index += 1) {
        const key = `member ${index}`;
        const moved = put(shard, ref, (index * 7919) % 1000, key);
        shard.control[WRITING] = NONE;
        if (moved === NONE) break;
        ref = moved;
        model.set(key, (index * 7919) % 1000);
      }
      outcomes.added += 1;
      ref = find(shard, 'key');
      expectModel(shard, ref, model);
      for (const [key, own] of [...model].slice(0, 40)) {
        const moved = put(shard, ref, own + 500.5, key);
        shard.control[WRITING] = NONE;
        if (moved === NONE) outcomes.moved += 1;
        else model.set(key, own + 500.5);
        ref = find(shard, 'key');
        expectWholeCollection(shard, ref);
      }
      expectModel(shard, ref, model);
      expectWhole(shard);
    }
    expect(outcomes.added).toBe(4);
    expect(outcomes.moved).toBeGreaterThan(0);
  });

  it('a packed one is not moved for a score', () => {
    const shard = createTestShard();
    let ref = newCollection(shard, 'key', TYPE_ZSET);
    for (const key of ['a', 'b', 'c']) ref = put(shard, ref, 1, key);
    for (const [own, key] of [
      [9, 'a'],
      [-9, 'c'],
      [0, 'a'],
      [1, 'b'],
    ] as const) {
      expect(put(shard, ref, own, key)).toBe(ref);
    }
    commit(shard);
    expect(groupsIn(shard, ref, TYPE_ZSET).map(({ key }) => key)).toEqual(['c', 'a', 'b']);
  });
});

it('a group is put in the place of another, as the log does it', () => {
  const shard = createTestShard();
  let ref = newCollection(shard, 'key', TYPE_ZSET);
  for (const own of [1, 2, 2, -3]) {
    const bytes = encodeGroup(TYPE_ZSET, { key: 'm', value: '', score: own });
    ref = putScored(shard, ref, bytes, 0, bytes.length, START_MS);
    expect(groupsIn(shard, ref, TYPE_ZSET)).toEqual([{ key: 'm', value: '', score: own }]);
  }
  commit(shard);
});
