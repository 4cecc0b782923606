/** Where ranges of sorted sets begin and end, against counting by hand. */
import { Buffer } from 'node:buffer';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { putScored } from '../../src/collections/zset.ts';
import { countBefore, countBelow, scoreAbove } from '../../src/collections/zset-range.ts';
import { TYPE_ZSET } from '../../src/shard/layout.ts';
import type { Shard } from '../../src/shard/shard.ts';
import {
  commit,
  encodeGroup,
  formOf,
  newCollection,
  useTinyBounds,
  useUsualBounds,
} from '../support/sequences.ts';
import { createTestShard, START_MS } from '../support/shard.ts';

beforeEach(useTinyBounds);
afterEach(useUsualBounds);

const EDGES = [
  ...[
    -Infinity,
    -Number.MAX_VALUE,
    -(2 ** 53),
    -1.5,
    -1,
    -1e-300,
    -Number.MIN_VALUE,
    -0,
    0,
    Number.MIN_VALUE,
  ],
  ...[2 ** -1022, 1e-300, 0.1, 1, 1.5, 2 ** 32, 2 ** 53, Number.MAX_VALUE, Infinity],
];

function sortedSet(shard: Shard, pairs: readonly (readonly [number, string])[]): number {
  let ref = newCollection(shard, 'key', TYPE_ZSET);
  for (const [score, key] of pairs) {
    const bytes = encodeGroup(TYPE_ZSET, { key, value: '', score });
    ref = putScored(shard, ref, bytes, 0, bytes.length, START_MS);
  }
  commit(shard);
  return ref;
}

function before(shard: Shard, ref: number, name: string, isWith: boolean): number {
  const bytes = Buffer.from(`>${name}<`);
  return countBefore(shard, ref, bytes, 1, bytes.length - 1, isWith);
}

describe('the least double above', () => {
  it.each(EDGES.slice(0, -1))('%d is larger, and there is none between', (score) => {
    const above = scoreAbove(score);
    expect(above).toBeGreaterThan(score);
    const middle = score / 2 + above / 2;
    expect(Number.isFinite(score) ? middle === score || middle === above : above === -Number.MAX_VALUE).toBe(
      true,
    );
  });

  it('is none above Infinity', () => expect(scoreAbove(Infinity)).toBeNaN());

  it('of any double is the next one by its bits', () => {
    fc.assert(
      fc.property(fc.double({ noNaN: true, max: Number.MAX_VALUE }), (score) => {
        const view = new DataView(new ArrayBuffer(8));
        view.setFloat64(0, score === 0 ? 0 : score);
        view.setBigInt64(0, view.getBigInt64(0) + (score < 0 ? -1n : 1n));
        expect(scoreAbove(score)).toBe(view.getFloat64(0));
      }),
    );
  });
});

describe.each([
  ['packed', 4],
  ['tree', 60],
] as const)('of a sorted set that is %s', (form, count) => {
  it('as many are counted below each score as are', () => {
    const shard = createTestShard();
    const scores = Array.from({ length: count }, (_, index) => EDGES[(index * 7) % EDGES.length]);
    const ref = sortedSet(
      shard,
      scores.map((score, index) => [score, `${index}`]),
    );
    expect(formOf(shard, ref)).toBe(form);
    for (const score of EDGES) {
      expect(countBelow(shard, ref, score)).toBe(scores.filter((one) => one < score).length);
    }
    expect(countBelow(shard, ref, Number.NaN)).toBe(count);
  });

  it('an empty member is above its score, and before all other names', () => {
    const shard = createTestShard();
    const names = Array.from(
      { length: count },
      (_, index) => 'x'.repeat(index % 30) + String.fromCharCode(48 + index),
    );
    const ref = sortedSet(
      shard,
      ['', ...names].map((name) => [1, name]),
    );
    expect(countBelow(shard, ref, 1)).toBe(0);
    expect(before(shard, ref, '', false)).toBe(0);
    expect(before(shard, ref, '', true)).toBe(1);
  });

  it('as many are counted before each name, and with it, as are', () => {
    const shard = createTestShard();
    const names = Array.from({ length: count }, (_, index) => `n${(index * 13) % 97}`);
    const ref = sortedSet(
      shard,
      names.map((name) => [2.5, name]),
    );
    for (const name of [...names, '', 'n', 'n0', 'n9x', 'o', 'N', 'n1\0']) {
      expect(before(shard, ref, name, false)).toBe(names.filter((one) => one < name).length);
      expect(before(shard, ref, name, true)).toBe(names.filter((one) => one <= name).length);
    }
  });

  it('names that ascend with their scores are counted as well', () => {
    const shard = createTestShard();
    const names = Array.from({ length: count }, (_, index) => `n${String(index * 3).padStart(4, '0')}`);
    const ref = sortedSet(
      shard,
      names.map((name, index) => [index >> 1, name]),
    );
    for (const name of [...names, '', 'n', 'n0001', 'n9', 'o']) {
      expect(before(shard, ref, name, false)).toBe(names.filter((one) => one < name).length);
      expect(before(shard, ref, name, true)).toBe(names.filter((one) => one <= name).length);
    }
  });
});
