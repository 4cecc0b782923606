/** Tests of the numbers on the page: three digits that matter, whatever their size. */
import { describe, expect, test } from 'vitest';
import {
  formatAge,
  formatBytes,
  formatBytesRate,
  formatClock,
  formatCount,
  formatMicroseconds,
  formatMilliseconds,
  formatMoment,
  formatPercent,
  formatRate,
  formatSeconds,
  formatWhole,
  splitUnit,
  withoutTrailingZeros,
} from '../../../src/admin/dashboard/format.js';

/** With a plain space, to be read in a test. */
function plain(text: string): string {
  return text.replaceAll('\u202f', ' ');
}

describe('a count', () => {
  test.each([
    [0, '0'],
    [0.254, '0.25'],
    [7, '7'],
    [99.4, '99.4'],
    [312.4, '312'],
    [9999, '9,999'],
    [10_000, '10.0k'],
    [99_949, '99.9k'],
    [123_456, '123k'],
    [999_499, '999k'],
    [999_500, '1.00M'],
    [4_561_000, '4.56M'],
    [2e9, '2.00G'],
    [5e18, '5000P'],
    [-12_000, '-12.0k'],
  ])('%d is %s', (value, text) => {
    expect(formatCount(value)).toBe(text);
  });

  test('with all its digits is grouped', () => {
    expect([0, 999, 1000, 1_234_567.4].map(formatWhole)).toEqual(['0', '999', '1,000', '1,234,567']);
  });

  test('per second says so', () => {
    expect(plain(formatRate(12_345))).toBe('12.3k /s');
  });
});

describe('bytes', () => {
  test.each([
    [0, '0 B'],
    [999, '999 B'],
    [1000, '0.98 KiB'],
    [1024, '1.00 KiB'],
    [1_048_576, '1.00 MiB'],
    [67_108_864, '64.0 MiB'],
    [1_072_693_248, '1.00 GiB'],
    [2 ** 50 * 12, '12.0 PiB'],
  ])('%d is %s', (bytes, text) => {
    expect(plain(formatBytes(bytes))).toBe(text);
  });

  test('per second say so', () => {
    expect(plain(formatBytesRate(2048))).toBe('2.00 KiB/s');
  });
});

describe('a span of time', () => {
  test.each([
    [0, '0 µs'],
    [0.35, '0.35 µs'],
    [999.4, '999 µs'],
    [999.5, '1.00 ms'],
    [45_600, '45.6 ms'],
    [999_499, '999 ms'],
    [999_500, '1.00 s'],
    [75_000_000, '75.0 s'],
  ])('of %d microseconds is %s', (us, text) => {
    expect(plain(formatMicroseconds(us))).toBe(text);
  });

  test('in milliseconds is the same', () => {
    expect(formatMilliseconds(45.6)).toBe(formatMicroseconds(45_600));
  });

  test.each([
    [0, '0 s'],
    [0.25, '250 ms'],
    [119, '119 s'],
    [120, '2.00 m'],
    [7200, '2.00 h'],
    [172_800, '2.00 d'],
  ])('of %d seconds has one unit: %s', (seconds, text) => {
    expect(plain(formatSeconds(seconds))).toBe(text);
  });

  test.each([
    [0, '0 s'],
    [59.9, '59 s'],
    [60, '1 m'],
    [725, '12 m 5 s'],
    [3600, '1 h'],
    [12_000, '3 h 20 m'],
    [86_400, '1 d'],
    [370_800, '4 d 7 h'],
  ])('as an age of %d seconds is %s', (seconds, text) => {
    expect(plain(formatAge(seconds))).toBe(text);
  });
});

describe('a ratio', () => {
  test.each([
    [0, '0 %'],
    [0.045, '4.50 %'],
    [0.9131, '91.3 %'],
    [0.99, '99.0 %'],
    [0.9951, '99.51 %'],
    [0.999_99, '99.99 %'],
    [1, '100 %'],
    [9.793, '979 %'],
  ])('of %d is %s', (ratio, text) => {
    expect(plain(formatPercent(ratio))).toBe(text);
  });
});

describe('what is not known', () => {
  test('is a dash, whatever it would have been', () => {
    const formats = [
      ...[formatCount, formatWhole, formatRate, formatBytes, formatBytesRate, formatMicroseconds],
      ...[formatMilliseconds, formatSeconds, formatPercent, formatAge, formatClock, formatMoment],
    ];
    for (const format of formats) {
      for (const value of [null, undefined, Number.NaN, Number.POSITIVE_INFINITY])
        expect(format(value)).toBe('–');
    }
    expect(formatAge(-1)).toBe('–');
  });
});

describe('a moment', () => {
  test('has two digits for everything but the year', () => {
    const moment = new Date(2026, 0, 2, 3, 4, 5).getTime();
    expect(formatClock(moment)).toBe('03:04:05');
    expect(formatMoment(moment)).toBe('2026-01-02 03:04:05');
  });
});

describe('a text', () => {
  test('is cut into its number and its unit', () => {
    expect(splitUnit(formatBytes(2048))).toEqual(['2.00', 'KiB']);
    expect(splitUnit(formatCount(7_412_000))).toEqual(['7.41', 'M']);
    expect(splitUnit(formatCount(412))).toEqual(['412', '']);
  });

  test.each([
    ['1.00 ms', '1 ms'],
    ['1.50 ms', '1.5 ms'],
    ['10.0k', '10k'],
    ['100 %', '100 %'],
    ['0.25', '0.25'],
    ['1,000 /s', '1,000 /s'],
  ])('for an axis loses its zeros: %s', (text, short) => {
    expect(withoutTrailingZeros(text)).toBe(short);
  });
});
