/** Tests of the shares that shards have of the process's limits. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { keysMaxOf, shareOf } from '../../src/shard/shares.ts';

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
