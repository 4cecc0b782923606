/** The value axis of the plots. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { linearScale, logScale, shortNumber } from '../../bench/support/scale.ts';

describe('a linear scale', () => {
  test.each([
    [100, [0, 20, 40, 60, 80, 100]],
    [101, [0, 25, 50, 75, 100, 125]],
    [0.97, [0, 0.2, 0.4, 0.6, 0.8, 1]],
    [7, [0, 2, 4, 6, 8]],
    [1_234_567, [0, 250_000, 500_000, 750_000, 1_000_000, 1_250_000]],
    [0, [0, 0.2, 0.4, 0.6, 0.8, 1]],
  ])('to %d has lines at %j', (largest, ticks) => {
    expect(linearScale(largest).ticks).toEqual(ticks);
  });

  test('begins at 0, holds the largest value, wastes at most half of its height, and has few lines', () => {
    fc.assert(
      fc.property(fc.double({ min: 1e-6, max: 1e12, noNaN: true }), (largest) => {
        const { ticks, at } = linearScale(largest);
        expect(at(0)).toBe(0);
        expect(ticks.at(-1)).toBeGreaterThanOrEqual(largest * (1 - 1e-9));
        expect(at(largest)).toBeGreaterThan(0.5);
        expect(at(ticks[1])).toBeCloseTo(1 / (ticks.length - 1), 9);
        expect(ticks.length).toBeGreaterThanOrEqual(4);
        expect(ticks.length).toBeLessThanOrEqual(7);
      }),
    );
  });
});

describe('a logarithmic scale', () => {
  test('has lines at powers of ten around all values', () => {
    expect(logScale(0.2, 350).ticks).toEqual([0.1, 1, 10, 100, 1000]);
    expect(logScale(1, 1000).ticks).toEqual([1, 10, 100, 1000]);
  });

  test('has a height where all values are the same', () => {
    expect(logScale(10, 10).ticks).toEqual([10, 100]);
  });

  test('sets equal factors equally far apart, and what lies beyond on its edge', () => {
    const { at } = logScale(1, 10_000);
    expect([1, 10, 100, 1000, 10_000].map(at)).toEqual([0, 0.25, 0.5, 0.75, 1]);
    expect([at(0.01), at(1e6)]).toEqual([0, 1]);
  });
});

test.each([
  [0, '0'],
  [0.05, '0.05'],
  [0.12345, '0.123'],
  [76.04, '76'],
  [999.6, '1k'],
  [1250, '1.25k'],
  [800_000, '800k'],
  [1_234_567, '1.23M'],
  [999_999, '1M'],
  [5e9, '5G'],
])('%d reads %s', (value, text) => {
  expect(shortNumber(value)).toBe(text);
});
