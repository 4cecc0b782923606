/** Sizes of memory, as redis.conf writes them. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { formatMemory, parseMemory, parseMemoryExact } from '../../src/base/units.ts';

describe('sizes of memory', () => {
  it('know decimal and binary units in any case', () => {
    const sizes: [string, number][] = [
      ['0', 0],
      ['007', 7],
      ['10b', 10],
      ['1k', 1000],
      ['1kb', 1024],
      ['1M', 1_000_000],
      ['1mB', 1024 ** 2],
      ['2g', 2_000_000_000],
      ['2GB', 2 * 1024 ** 3],
    ];
    for (const [text, bytes] of sizes) expect(parseMemory(text), text).toBe(bytes);
  });

  it('refuse everything else', () => {
    for (const text of [
      '',
      'mb',
      '-1',
      '1.5gb',
      '1 gb',
      '1tb',
      ' 1',
      '1kbb',
      '+1',
      'constructor',
      '1constructor',
    ]) {
      expect(parseMemory(text), text).toBeNaN();
      expect(parseMemoryExact(text), text).toBeUndefined();
    }
  });

  it('stay exact beyond 2^53 and stop at 2^64 - 1', () => {
    expect(parseMemoryExact('9007199254740993')).toBe(9007199254740993n);
    expect(parseMemoryExact('99999999999999999999gb')).toBe(2n ** 64n - 1n);
  });

  it('are shown with the largest unit that loses nothing', () => {
    const shown: [number, string][] = [
      [0, '0'],
      [1000, '1000'],
      [1024, '1kb'],
      [1536, '1536'],
      [3 * 1024 ** 2, '3mb'],
      [1024 ** 3, '1gb'],
      [1024 ** 3 + 1, '1073741825'],
    ];
    for (const [bytes, text] of shown) expect(formatMemory(bytes)).toBe(text);
  });

  it('read back what they show', () => {
    fc.assert(
      fc.property(fc.maxSafeNat(), (bytes) => {
        expect(parseMemory(formatMemory(bytes))).toBe(bytes);
      }),
    );
  });
});
