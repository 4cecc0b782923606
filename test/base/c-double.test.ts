/** Texts are the doubles that C's strtod makes of all of them, and nothing else is one. */
import { Buffer } from 'node:buffer';
import { describe, expect, it } from 'vitest';
import { readCDouble } from '../../src/base/c-double.ts';

function read(text: string): number {
  const bytes = Buffer.from(`9${text}9`, 'latin1');
  return readCDouble(bytes, 1, bytes.length - 1);
}

describe('a C string as a double', () => {
  it.each([
    ['', 0],
    ['0', 0],
    ['-17', -17],
    ['9007199254740993', 9007199254740992],
    ['1.5', 1.5],
    [' \t\n\v\f\r2', 2],
    ['+1', 1],
    ['.5', 0.5],
    ['5.', 5],
    ['1e3', 1000],
    ['0x1p4', 16],
    ['-inf', -Infinity],
    ['Infinity', Infinity],
    ['2.2250738585072014e-308', 2 ** -1022],
    ['0e999', 0],
  ])('%j is %d', (text, value) => {
    expect(read(text)).toBe(value);
  });

  it('ends at its first NUL', () => {
    expect(read('12\0x')).toBe(12);
    expect(read('\0x')).toBe(0);
  });

  it.each([' ', '1 ', 'x', '1x', '--1', '0x', '.', '1e', 'nan', '-nan(1)', '1,5', '1 \0'])(
    '%j is none',
    (text) => {
      expect(read(text)).toBeNaN();
    },
  );

  it.each(['1e400', '-1e400', '1e-400', '1e-310', '-4e-320'])('%j is out of range', (text) => {
    expect(read(text)).toBeNaN();
  });
});
