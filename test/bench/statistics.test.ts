/** Medians, spreads and what may be said of two of them. */
import { describe, expect, test } from 'vitest';
import { quantileOf, ratioText, spreadOf, spreadsOverlap } from '../../bench/support/statistics.ts';

const spread = (min: number, median: number, max: number) => ({ min, median, max });

describe('a spread', () => {
  test('of an odd count has the middle value, whatever the order', () => {
    expect(spreadOf([10, 9, 100])).toEqual(spread(9, 10, 100));
  });

  test('of an even count has the mean of the two middle values', () => {
    expect(spreadOf([4, 1, 3, 2])).toEqual(spread(1, 2.5, 4));
  });

  test('of one value is that value', () => {
    expect(spreadOf([7])).toEqual(spread(7, 7, 7));
  });

  test('of nothing is refused', () => {
    expect(() => spreadOf([])).toThrow(RangeError);
  });

  test('overlaps another when they share a value, and not when one begins behind the other', () => {
    expect(spreadsOverlap(spread(1, 2, 3), spread(3, 4, 5))).toBe(true);
    expect(spreadsOverlap(spread(3, 4, 5), spread(1, 2, 3))).toBe(true);
    expect(spreadsOverlap(spread(1, 5, 9), spread(4, 5, 6))).toBe(true);
    expect(spreadsOverlap(spread(1, 2, 3), spread(3.1, 4, 5))).toBe(false);
    expect(spreadsOverlap(spread(3.1, 4, 5), spread(1, 2, 3))).toBe(false);
  });
});

describe('a ratio', () => {
  test('is that of the medians', () => {
    expect(ratioText(spread(14, 15, 16), spread(9, 10, 11))).toBe('1.50x');
  });

  test('says so when the spreads overlap', () => {
    expect(ratioText(spread(9, 10.3, 11), spread(9.5, 10, 10.5))).toBe('1.03x (not distinguishable)');
  });

  test('to nothing is none', () => {
    expect(ratioText(spread(1, 1, 1), spread(0, 0, 0))).toBe('-');
  });
});

describe('a quantile', () => {
  test('is the value of the nearest rank', () => {
    const values = Array.from({ length: 100 }, (_, index) => 100 - index);
    expect([0.001, 0.5, 0.99, 1].map((share) => quantileOf(values, share))).toEqual([1, 50, 99, 100]);
    expect(quantileOf([1, 2, 3], 0.5)).toBe(2);
  });

  test('of one value is that value, of nothing is refused', () => {
    expect(quantileOf([3], 0.99)).toBe(3);
    expect(() => quantileOf([], 0.5)).toThrow(RangeError);
  });
});
