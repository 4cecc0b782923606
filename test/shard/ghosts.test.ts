/** Whom S3-FIFO remembers: four keys a bucket, the newest, through every growth, in a byte for each key. */
import fc from 'fast-check';
import { afterEach, describe, expect, it } from 'vitest';
import { fitGhosts, ghostCells, recallGhost, rememberGhost, shrinkGhosts } from '../../src/shard/ghosts.ts';
import { KEYS_LIVE } from '../../src/shard/layout.ts';
import { ALL_LRU, ALL_S3FIFO } from '../../src/shard/policy.ts';
import type { Shard } from '../../src/shard/shard.ts';
import { createTestShard, expectWhole } from '../support/shard.ts';

let shard: Shard;
afterEach(() => {
  shard.control[KEYS_LIVE] = 0;
  expectWhole(shard);
});

/** A table as it is for so many keys. */
function createFor(keys: number): void {
  shard = createTestShard({ policy: ALL_S3FIFO, limitBytes: 2 ** 19 });
  growTo(keys);
}

function growTo(keys: number): void {
  shard.control[KEYS_LIVE] = keys;
  for (let before = 0; before !== ghostCells(shard); ) {
    before = ghostCells(shard);
    fitGhosts(shard);
  }
}

/** A hash with this tag (its upper half) and these lower bits. */
function hash(tag: number, low = 0): number {
  return (tag << 16) | low;
}

describe('ghosts', () => {
  it('are the last four of a bucket, each known once, in whatever order they are asked for', () => {
    const orders = permutations([3, 4, 5, 6]);
    expect(orders).toHaveLength(24);
    for (const asked of orders) {
      createFor(1);
      for (const tag of [1, 2, 3, 4, 5, 6]) rememberGhost(shard, hash(tag));
      expect([1, 2].map((tag) => recallGhost(shard, hash(tag)))).toEqual([false, false]);
      expect(asked.map((tag) => recallGhost(shard, hash(tag)))).toEqual([true, true, true, true]);
      expect(asked.map((tag) => recallGhost(shard, hash(tag)))).toEqual([false, false, false, false]);
    }
  });

  it.each([0, 1, 0x7fff, 0x8000, 0xffff])('may have the tag %i at any place of a bucket', (tag) => {
    for (let behind = 0; behind < 4; behind += 1) {
      createFor(1);
      expect(recallGhost(shard, hash(tag))).toBe(false);
      rememberGhost(shard, hash(tag));
      for (let other = 0; other < behind; other += 1) rememberGhost(shard, hash(100 + other));
      expect(recallGhost(shard, hash(tag))).toBe(true);
      expect(recallGhost(shard, hash(tag))).toBe(false);
    }
  });

  it('are those of a list for each bucket, under random programs', () => {
    const step = fc.record({
      remembers: fc.boolean(),
      tag: fc.integer({ min: 1, max: 9 }),
      low: fc.nat(7),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 100 }), (steps) => {
        createFor(8 * 5);
        expect(ghostCells(shard)).toBe(5);
        const lists = Array.from({ length: 5 }, (): number[] => [0, 0, 0, 0]);
        for (const { remembers, tag, low } of steps) {
          // Five buckets: of the numbers below eight, those that have none go where their lowest two bits say.
          const list = lists[low < 5 ? low : low & 3];
          if (remembers) {
            rememberGhost(shard, hash(tag, low));
            list.unshift(tag);
            list.pop();
          } else {
            const at = list.indexOf(tag);
            expect(recallGhost(shard, hash(tag, low))).toBe(at >= 0);
            if (at >= 0) list[at] = 0;
          }
        }
      }),
      { numRuns: 100 },
    );
  });

  it('are known through every growth of the table', () => {
    for (let from = 1; from <= 20; from += 1) {
      for (let to = from; to <= 20; to += 1) {
        createFor(8 * from);
        expect(ghostCells(shard)).toBe(from);
        const hashes = [0, 5, 21, 63, 1000].map((low, index) => hash(index + 1, low));
        for (const one of hashes) rememberGhost(shard, one);
        growTo(8 * to);
        expect(ghostCells(shard)).toBe(to);
        for (const one of from < 5 ? hashes.slice(-4) : hashes) expect(recallGhost(shard, one)).toBe(true);
      }
    }
  });

  it('take a byte for each key, grow by one bucket at a time, and shrink at once', () => {
    createFor(1);
    for (let keys = 1; keys <= 10_000; keys += 1) {
      shard.control[KEYS_LIVE] = keys;
      const before = ghostCells(shard);
      fitGhosts(shard);
      expect(ghostCells(shard) - before).toBeLessThanOrEqual(1);
      expect(ghostCells(shard)).toBe(Math.ceil(keys / 8));
    }
    shard.control[KEYS_LIVE] = 8750;
    expect(shrinkGhosts(shard)).toBe(false);
    shard.control[KEYS_LIVE] = 8749;
    expect(shrinkGhosts(shard)).toBe(true);
    expect(ghostCells(shard)).toBe(Math.ceil(8749 / 8));
    shard.control[KEYS_LIVE] = 0;
    fitGhosts(shard);
    expect(ghostCells(shard)).toBe(1);
    expect(shrinkGhosts(shard)).toBe(false);
  });

  it('say that they shrink only when they do: for whoever needs room looks until nothing does', () => {
    for (let keys = 0; keys <= 100; keys += 1) {
      createFor(keys);
      for (let left = keys; left >= 0; left -= 1) {
        shard.control[KEYS_LIVE] = left;
        const before = ghostCells(shard);
        const hasShrunk = shrinkGhosts(shard);
        expect(ghostCells(shard) < before, `${left} of ${keys} keys`).toBe(hasShrunk);
      }
    }
  });

  it('stay within the memory that is reserved for them, whatever the number of keys', () => {
    createFor(2 ** 30);
    expect(ghostCells(shard)).toBe(shard.ghosts.length / 2);
    rememberGhost(shard, -1);
    expect(recallGhost(shard, -1)).toBe(true);
  });

  it('take nothing under another policy', () => {
    shard = createTestShard({ policy: ALL_LRU });
    expect(ghostCells(shard)).toBe(0);
    shard.control[KEYS_LIVE] = 1000;
    expect(shrinkGhosts(shard)).toBe(false);
  });
});

function permutations(items: readonly number[]): number[][] {
  if (items.length === 0) return [[]];
  return items.flatMap((item) =>
    permutations(items.filter((other) => other !== item)).map((rest) => [item, ...rest]),
  );
}
