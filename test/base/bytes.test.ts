/** Bytes between private and shared memory: every length around the bounds at which the way of copying changes. */
import { Buffer } from 'node:buffer';
import { describe, expect, it } from 'vitest';
import { copyBytes, copySharedBytes, shiftSharedBytes } from '../../src/base/bytes.ts';

const LENGTHS = [0, 1, 27, 28, 29, 127, 128, 129, 1000, 16_383, 16_384, 16_385, 50_000];
const SIZE = 60_000;

/** Shared bytes of which no two that are near each other are equal, or all zero. */
function shared(isFilled: boolean): Buffer {
  const bytes = Buffer.from(new SharedArrayBuffer(SIZE));
  if (isFilled) for (let i = 0; i < SIZE; i += 1) bytes[i] = 1 + ((i * 7 + (i >>> 8)) % 255);
  return bytes;
}

describe.each([
  { name: 'copyBytes', copy: copyBytes },
  { name: 'copySharedBytes', copy: copySharedBytes },
])('$name', ({ copy }) => {
  it('copies the span and nothing beside it, whatever its length and alignment', () => {
    const source = shared(true);
    for (const length of LENGTHS) {
      for (const [start, at] of [
        [0, 0],
        [38, 16],
        [5, 8],
      ]) {
        const target = shared(false);
        copy(source, start, start + length, target, at);
        expect(target.compare(source, start, start + length, at, at + length)).toBe(0);
        expect(target.subarray(0, at).every((byte) => byte === 0)).toBe(true);
        expect(target.subarray(at + length).every((byte) => byte === 0)).toBe(true);
      }
    }
  });
});

describe('shiftSharedBytes', () => {
  it('moves the span by any distance, forwards and backwards, and nothing beside it', () => {
    const source = shared(true);
    for (const length of LENGTHS) {
      for (const distance of [-4000, -29, -1, 0, 1, 13, 28, 5000]) {
        const bytes = shared(true);
        const start = 4500;
        const at = start + distance;
        shiftSharedBytes(bytes, start, start + length, at);
        expect(bytes.compare(source, start, start + length, at, at + length)).toBe(0);
        expect(bytes.compare(source, 0, Math.min(start, at), 0, Math.min(start, at))).toBe(0);
        const end = Math.max(start, at) + length;
        expect(bytes.compare(source, end, SIZE, end, SIZE)).toBe(0);
      }
    }
  });
});
