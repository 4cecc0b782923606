/** Tests of the shares that shards have of the process's limits. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { keysMaxOf, ownsShard, shardCountFor, shareOf } from '../../src/shard/shares.ts';

const indices = (parts: number) => Array.from({ length: parts }, (_, index) => index);

describe('shares', () => {
  it('differ by at most one, larger ones first, and add up to the whole', () => {
    fc.assert(
      fc.property(fc.nat({ max: 2 ** 40 }), fc.integer({ min: 1, max: 64 }), (total, parts) => {
        const shares = indices(parts).map((index) => shareOf(total, parts, index));
        expect(shares.reduce((sum, share) => sum + share, 0)).toBe(total);
        expect(shares[0] - shares[parts - 1]).toBeLessThanOrEqual(1);
        expect([...shares].sort((a, b) => b - a)).toEqual(shares);
      }),
    );
  });

  it('stay exact for the largest integers', () => {
    const total = Number.MAX_SAFE_INTEGER;
    const shares = indices(7).map((index) => shareOf(total, 7, index));
    expect(shares.map(BigInt).reduce((sum, share) => sum + share, 0n)).toBe(BigInt(total));
  });
});

describe('the key limits of shards', () => {
  it('add up to maxkeys', () => {
    expect(indices(4).map((index) => keysMaxOf(10, 4, index))).toEqual([3, 3, 2, 2]);
  });

  it('are none for no maxkeys, and one where there are fewer keys than shards', () => {
    expect(keysMaxOf(0, 4, 3)).toBe(0);
    expect(indices(4).map((index) => keysMaxOf(2, 4, index))).toEqual([1, 1, 1, 1]);
  });

  it('fit in the word that holds them', () => {
    expect(keysMaxOf(Number.MAX_SAFE_INTEGER, 1, 0)).toBe(2 ** 31 - 1);
  });
});

describe('the number of shards', () => {
  const GIB = 2 ** 30;

  it('is one for one worker, whatever the memory, so that eviction is exact for the whole cache', () => {
    expect(shardCountFor(1, 100 * GIB, 0)).toBe(1);
  });

  it('is four for each of several workers when each shard has room', () => {
    expect(shardCountFor(2, 4 * GIB, 0)).toBe(8);
    expect(shardCountFor(16, 64 * GIB, 0)).toBe(64);
  });

  it('is one for each worker where memory or keys are few, and between where they are neither', () => {
    expect(shardCountFor(4, GIB / 4, 0)).toBe(4);
    expect(shardCountFor(2, 4 * GIB, 5)).toBe(2);
    expect(shardCountFor(2, 2 * 2 * 64 * 2 ** 20, 0)).toBe(4);
    expect(shardCountFor(2, 4 * GIB, 2 * 3 * 1024)).toBe(6);
  });

  it('gives every shard exactly one owner', () => {
    for (let shard = 0; shard < 12; shard += 1) {
      const owners = [0, 1, 2].filter((worker) => ownsShard(worker, 3, shard));
      expect(owners).toEqual([shard % 3]);
    }
  });
});
