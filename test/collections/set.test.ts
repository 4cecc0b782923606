/** Sets of integers lie in ascending order as long as they are small, whatever they are put in and however far they are from 0. */
import { Buffer } from 'node:buffer';
import fc from 'fast-check';
import { afterEach, describe, expect, it } from 'vitest';
import { encodeElement } from '../../src/collections/elements.ts';
import { isLarge } from '../../src/collections/form.ts';
import { createCollection } from '../../src/collections/sequence.ts';
import { dropMember, hasMember, putMember } from '../../src/collections/set.ts';
import { thresholds } from '../../src/collections/thresholds.ts';
import { NONE, TYPE_SET, WRITING } from '../../src/shard/layout.ts';
import type { Shard } from '../../src/shard/shard.ts';
import { hashOf } from '../../src/shard/table.ts';
import { contentsInOrder, withSmallBounds } from '../support/operations.ts';
import { createTestShard, expectWhole, START_MS } from '../support/shard.ts';

const key = Buffer.from('key');
const usual = thresholds.intsetEntries;
afterEach(() => {
  thresholds.intsetEntries = usual;
});

function create(shard: Shard): number {
  const hash = hashOf(shard, key, 0, key.length);
  return createCollection(shard, 0, hash, key, 0, key.length, TYPE_SET, 0, START_MS);
}

function encode(text: string): Buffer {
  const element = Buffer.alloc(text.length + 16);
  return element.subarray(0, encodeElement(element, 0, Buffer.from(text), 0, text.length));
}

function put(shard: Shard, ref: number, text: string): number {
  const element = encode(text);
  const moved = putMember(shard, ref, element, 0, element.length, START_MS);
  expect(moved).not.toBe(NONE);
  return moved;
}

function finish(shard: Shard): void {
  shard.control[WRITING] = NONE;
  expectWhole(shard);
}

const far = fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n });
const integer = fc.oneof(
  fc.integer({ min: -20, max: 20 }).map(BigInt),
  fc.bigInt({ min: 2n ** 53n - 3n, max: 2n ** 53n + 3n }),
  fc.bigInt({ min: -(2n ** 53n) - 3n, max: -(2n ** 53n) + 3n }),
  far,
);

describe('a set of integers', () => {
  it('is in ascending order, each member once', () => {
    fc.assert(
      fc.property(fc.array(integer, { maxLength: 60 }), (values) => {
        const shard = createTestShard();
        let ref = create(shard);
        for (const value of values) ref = put(shard, ref, String(value));
        const expected = [...new Set(values)].sort((a, b) => (a < b ? -1 : 1)).map(String);
        expect(contentsInOrder(shard, ref)).toEqual(expected);
        expect(isLarge(shard, ref)).toBe(false);
        for (const value of new Set(values)) {
          const element = encode(String(value));
          expect(hasMember(shard, ref, element, 0, element.length)).toBe(true);
          expect(dropMember(shard, ref, element, 0, element.length)).toBe(true);
          expect(dropMember(shard, ref, element, 0, element.length)).toBe(false);
          expected.splice(expected.indexOf(String(value)), 1);
          expect(contentsInOrder(shard, ref)).toEqual(expected);
        }
      }),
      { numRuns: 50 },
    );
  });

  it.each(['x', '', '1.5', '+1', '01', '-0', '9223372036854775808', '-9223372036854775809'])(
    'is large from the first member on that is none: %j',
    (text) => {
      const shard = createTestShard();
      let ref = put(shard, create(shard), '5');
      expect(isLarge(shard, ref)).toBe(false);
      ref = put(shard, ref, text);
      expect(isLarge(shard, ref)).toBe(true);
      ref = put(shard, ref, '5');
      expect(contentsInOrder(shard, ref)).toEqual(['5', text]);
      finish(shard);
    },
  );

  it('is large from one more on than the threshold, and stays so', () => {
    thresholds.intsetEntries = 3;
    const shard = createTestShard();
    let ref = create(shard);
    for (const text of ['3', '1', '2', '2']) ref = put(shard, ref, text);
    expect(isLarge(shard, ref)).toBe(false);
    ref = put(shard, ref, '0');
    expect(isLarge(shard, ref)).toBe(true);
    const element = encode('0');
    dropMember(shard, ref, element, 0, element.length);
    expect(isLarge(shard, ref)).toBe(true);
    finish(shard);
  });

  it('becomes a tree with all of its members', () => {
    withSmallBounds(() => {
      const shard = createTestShard();
      let ref = create(shard);
      const texts = Array.from({ length: 200 }, (_, i) => String((BigInt(i) - 100n) * 2n ** 54n));
      for (const text of texts) ref = put(shard, ref, text);
      expect(contentsInOrder(shard, ref).sort()).toEqual([...texts].sort());
      finish(shard);
    });
  });
});
