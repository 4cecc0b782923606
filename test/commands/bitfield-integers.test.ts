/** Integers of every size at every place against bigints and a string of bits. */
import { Buffer } from 'node:buffer';
import { describe, expect, it } from 'vitest';
import {
  FIELD_BYTES_MAX,
  fitBig,
  fitNumber,
  NUMBER_BITS_MAX,
  readBigField,
  readField,
  takenToSet,
  writeBigField,
  writeField,
} from '../../src/commands/bitfield-integers.ts';

const OVERFLOWS = ['WRAP', 'SAT', 'FAIL'] as const;

function bitsOf(bytes: Buffer): string {
  return [...bytes].map((byte) => byte.toString(2).padStart(8, '0')).join('');
}

/** What a field of so many bits can hold at its edges and in between. */
function numbersIn(bits: number, isSigned: boolean): bigint[] {
  const max = (1n << BigInt(isSigned ? bits - 1 : bits)) - 1n;
  const min = isSigned ? -max - 1n : 0n;
  return [...new Set([min, min / 3n, 0n, max / 5n, max - 1n > min ? max - 1n : max, max])];
}

describe('a field', () => {
  it('is read as it was written, and nothing around it changes', () => {
    for (let bits = 1; bits <= 64; bits += 1) {
      for (let offset = 0; offset < 8; offset += 1) {
        for (const isSigned of [false, true]) {
          for (const number of numbersIn(bits, isSigned)) {
            const digits = BigInt.asUintN(bits, number).toString(2).padStart(bits, '0');
            for (const around of [0, 255]) {
              const bytes = Buffer.alloc(FIELD_BYTES_MAX, around);
              const before = bitsOf(bytes);
              const expected = before.slice(0, offset) + digits + before.slice(offset + bits);
              writeBigField(bytes, offset, bits, number);
              expect(bitsOf(bytes)).toBe(expected);
              expect(readBigField(bytes, offset, bits, isSigned)).toBe(number);
              if (bits > NUMBER_BITS_MAX) continue;
              bytes.fill(around);
              writeField(bytes, offset, bits, Number(number));
              expect(bitsOf(bytes)).toBe(expected);
              expect(readField(bytes, offset, bits, isSigned)).toBe(Number(number));
            }
          }
        }
      }
    }
  });
});

describe('what overflows', () => {
  it('wraps, stops at the edge, or fails', () => {
    expect(OVERFLOWS.map((overflow) => fitNumber(130, 8, true, overflow))).toEqual([-126, 127, undefined]);
    expect(OVERFLOWS.map((overflow) => fitNumber(-130, 8, true, overflow))).toEqual([126, -128, undefined]);
    expect(OVERFLOWS.map((overflow) => fitNumber(258, 8, false, overflow))).toEqual([2, 255, undefined]);
    expect(OVERFLOWS.map((overflow) => fitNumber(-1, 8, false, overflow))).toEqual([255, 0, undefined]);
  });

  it('is the same in numbers and in bigints', () => {
    for (let bits = 1; bits <= NUMBER_BITS_MAX; bits += 1) {
      const edge = 2 ** (bits - 1);
      for (const value of [
        0,
        1,
        -1,
        edge - 1,
        edge,
        edge + 1,
        -edge,
        -edge - 1,
        2 * edge,
        2 * edge - 1,
        -2 * edge,
      ]) {
        for (const isSigned of [false, true]) {
          for (const overflow of OVERFLOWS) {
            const big = fitBig(BigInt(value), bits, isSigned, overflow);
            expect(fitNumber(value, bits, isSigned, overflow)).toBe(
              big === undefined ? undefined : Number(big),
            );
          }
        }
      }
    }
  });

  it('takes a number to set for one too large where 64 bits cannot hold how small it is', () => {
    expect(takenToSet(-1n, 8, false)).toBe(2n ** 64n - 1n);
    expect(takenToSet(-1n, 8, true)).toBe(-1n);
    expect(takenToSet(-(2n ** 62n), 63, true)).toBe(-(2n ** 62n));
    expect(takenToSet(-(2n ** 62n) - 1n, 63, true)).toBeGreaterThan(0n);
    expect(takenToSet(-(2n ** 63n), 64, true)).toBe(-(2n ** 63n));
  });
});
