/** Tests of the histogram: every boundary of a bucket, then random values against the sorted array. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  createHistogram,
  drainHistogram,
  HISTOGRAM_WORDS,
  mergeHistogram,
  quantileOf,
  readHistogram,
  recordValue,
} from '../../src/metrics/histogram.ts';

const ERROR_MAX = 1 / 32;
const VALUE_END = 2 ** 43;

function histogramOf(values: readonly number[]): Float64Array {
  const histogram = createHistogram();
  for (const value of values) recordValue(histogram, value);
  return histogram;
}

/** What a histogram with one more, much larger value says of `value`, so that the maximum does not hide the bucket. */
function toldFor(value: number): number {
  return quantileOf(histogramOf([value, VALUE_END * 2]), 0.5);
}

/** The value of rank ceil(q * n), which is what a quantile is here. */
function exactQuantile(sorted: readonly number[], quantile: number): number {
  return sorted[Math.max(1, Math.ceil(quantile * sorted.length)) - 1];
}

const duration = fc.oneof(
  fc.integer({ min: 0, max: 40 }),
  fc.integer({ min: 0, max: 2 ** 31 - 1 }),
  fc.maxSafeNat().map((value) => value % VALUE_END),
);

describe('a histogram', () => {
  test('is exact for every value below 32', () => {
    for (let value = 0; value < 32; value++) expect(toldFor(value)).toBe(value);
  });

  test('is within 1/32 on both sides of every bucket boundary', () => {
    for (let power = 5; power < 43; power++) {
      for (let subBucket = 0; subBucket < 16; subBucket++) {
        const boundary = (16 + subBucket) * 2 ** (power - 4);
        for (const value of [boundary - 1, boundary, boundary + 1]) {
          expect(Math.abs(toldFor(value) - value), `${value}`).toBeLessThanOrEqual(value * ERROR_MAX);
        }
        expect(toldFor(boundary - 1)).toBeLessThan(toldFor(boundary));
      }
    }
  });

  test('keeps the exact maximum and sum, also beyond its last bucket', () => {
    const reading = readHistogram(histogramOf([3, VALUE_END, VALUE_END * 100]));
    expect(reading.max).toBe(VALUE_END * 100);
    expect(reading.sum).toBe(3 + VALUE_END + VALUE_END * 100);
    expect(reading.p999).toBe(VALUE_END * 100);
  });

  test('counts a value below zero or not a number as zero', () => {
    const reading = readHistogram(histogramOf([-5, Number.NaN, Number.NEGATIVE_INFINITY]));
    expect(reading).toMatchObject({ count: 3, sum: 0, max: 0, p50: 0 });
  });

  test('says zero for everything when it is empty', () => {
    const reading = readHistogram(createHistogram());
    expect(reading).toMatchObject({ count: 0, sum: 0, max: 0, p50: 0, p99: 0, p999: 0 });
    expect(reading.below.every(({ count }) => count === 0)).toBe(true);
  });

  test('gives quantiles within 1/32 of those of the sorted values', () => {
    const quantiles = fc.double({ min: 0, max: 1, noNaN: true });
    fc.assert(
      fc.property(fc.array(duration, { minLength: 1, maxLength: 200 }), quantiles, (values, quantile) => {
        const exact = exactQuantile(
          values.toSorted((a, b) => a - b),
          quantile,
        );
        const told = quantileOf(histogramOf(values), quantile);
        expect(Math.abs(told - exact)).toBeLessThanOrEqual(exact * ERROR_MAX);
      }),
      { numRuns: 2000 },
    );
  });

  test('counts exactly the values below each bound', () => {
    fc.assert(
      fc.property(fc.array(duration, { maxLength: 200 }), (values) => {
        const reading = readHistogram(histogramOf(values));
        expect(reading.count).toBe(values.length);
        expect(reading.max).toBe(Math.max(0, ...values));
        for (const { bound, count } of reading.below) {
          expect(count).toBe(values.filter((value) => value < bound).length);
        }
      }),
    );
  });

  test('read as a record has the quantiles that it has by itself', () => {
    const values = fc.array(fc.oneof(fc.nat(64), fc.double({ min: 0, max: 2 ** 44, noNaN: true })), {
      maxLength: 50,
    });
    fc.assert(
      fc.property(values, (recorded) => {
        const histogram = histogramOf(recorded);
        const { count, p50, p99, p999 } = readHistogram(histogram);
        expect([count, p50, p99, p999]).toEqual([
          recorded.length,
          ...[0.5, 0.99, 0.999].map((quantile) => quantileOf(histogram, quantile)),
        ]);
      }),
    );
  });

  test('merged from two equals the one that recorded both', () => {
    fc.assert(
      fc.property(fc.array(duration), fc.array(duration), (one, other) => {
        const merged = histogramOf(one);
        mergeHistogram(merged, histogramOf(other));
        // Sums of integers stay exact here, so the rows are equal word by word in either order.
        expect(merged).toEqual(histogramOf([...one, ...other]));
      }),
    );
  });

  test('works over zero-filled shared memory', () => {
    const shared = new Float64Array(new SharedArrayBuffer(HISTOGRAM_WORDS * 8));
    recordValue(shared, 17);
    expect(readHistogram(shared)).toMatchObject({ count: 1, sum: 17, max: 17, p50: 17 });
  });
});

describe('what came to a histogram since the last look', () => {
  const LOOKS = fc.array(fc.array(fc.integer({ min: 0, max: 2 ** 44 }), { maxLength: 30 }), { maxLength: 6 });

  test('is what was recorded since, and the maximum within its bucket', () => {
    fc.assert(
      fc.property(LOOKS, (looks) => {
        const source = createHistogram();
        const seen = createHistogram();
        for (const values of looks) {
          for (const value of values) recordValue(source, value);
          const window = createHistogram();
          drainHistogram(window, source, seen);
          const { count, sum, max, p50, p99 } = readHistogram(window);
          expect([count, sum]).toEqual([values.length, values.reduce((total, value) => total + value, 0)]);
          const largest = Math.max(0, ...values);
          if (largest < VALUE_END) {
            expect(max).toBeGreaterThanOrEqual(largest);
            expect(max).toBeLessThanOrEqual(largest * (1 + 2 * ERROR_MAX) + 1);
            expect(p50).toBeLessThanOrEqual(max);
            expect(p99).toBeLessThanOrEqual(max);
          }
          expect(seen).toEqual(source);
        }
      }),
    );
  });

  test('tells the exact maximum when it is the greatest ever, and the end of its bucket when it is not', () => {
    const source = histogramOf([1000]);
    const seen = createHistogram();
    const first = createHistogram();
    drainHistogram(first, source, seen);
    expect(readHistogram(first).max).toBe(1000);
    recordValue(source, 100);
    const second = createHistogram();
    drainHistogram(second, source, seen);
    expect(readHistogram(second)).toMatchObject({ count: 1, sum: 100, max: 103 });
  });

  test('is what it holds after it was emptied, and never less than nothing', () => {
    const source = histogramOf([5, 5, 5, 900]);
    const seen = createHistogram();
    drainHistogram(createHistogram(), source, seen);
    source.fill(0);
    recordValue(source, 5);
    const window = createHistogram();
    drainHistogram(window, source, seen);
    expect(readHistogram(window)).toMatchObject({ count: 1, sum: 5, max: 5 });
    source.fill(0);
    const empty = createHistogram();
    drainHistogram(empty, source, seen);
    expect(empty).toEqual(createHistogram());
  });

  test('counts values of nothing, too', () => {
    const source = histogramOf([7]);
    const seen = createHistogram();
    drainHistogram(createHistogram(), source, seen);
    recordValue(source, 0);
    const window = createHistogram();
    drainHistogram(window, source, seen);
    expect(readHistogram(window)).toMatchObject({ count: 1, sum: 0, max: 0 });
  });

  test('of several adds up', () => {
    const window = createHistogram();
    drainHistogram(window, histogramOf([10, 20]), createHistogram());
    drainHistogram(window, histogramOf([30]), createHistogram());
    expect(window).toEqual(histogramOf([10, 20, 30]));
  });
});
