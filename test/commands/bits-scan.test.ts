/** Counting and finding bits against a look at each: every range of a few bytes, and ranges over words and pieces. */
import { Buffer } from 'node:buffer';
import { expect, it } from 'vitest';
import { countBits, findBit } from '../../src/commands/bits-scan.ts';
import { createRandom } from '../support/seeded-random.ts';

function bitAt(bytes: Buffer, start: number, bit: number): number {
  return (bytes[start + Math.floor(bit / 8)] >> (7 - (bit % 8))) & 1;
}

function expectRange(bytes: Buffer, start: number, first: number, last: number): void {
  let count = 0;
  const found = [-1, -1];
  for (let bit = last; bit >= first; bit -= 1) {
    count += bitAt(bytes, start, bit);
    found[bitAt(bytes, start, bit)] = bit;
  }
  expect([countBits(bytes, start, first, last), first, last]).toEqual([count, first, last]);
  expect(findBit(bytes, start, first, last, 0)).toBe(found[0]);
  expect(findBit(bytes, start, first, last, 1)).toBe(found[1]);
}

it('is right for every range of six bytes', () => {
  const values = [
    'ffffffffffff',
    '000000000000',
    '0000f0000000',
    'ffff0fffffff',
    'a5c300ff8001',
    '0000000000ff',
  ];
  for (const value of values) {
    const bytes = Buffer.from(`ff${value}ff`, 'hex');
    for (let first = 0; first < 48; first += 1) {
      for (let last = first; last < 48; last += 1) expectRange(bytes, 1, first, last);
    }
  }
});

it('is right over words and pieces, wherever the bytes begin', () => {
  const random = createRandom(2);
  const bytes = Buffer.from(new SharedArrayBuffer(40_000));
  for (const share of [2, 300, 100_000]) {
    for (const fill of [0, 255]) {
      bytes.fill(fill);
      for (let at = 0; at < bytes.length; at += 1 + random(share)) bytes[at] = random(256);
      for (let round = 0; round < 6; round += 1) {
        const start = random(9);
        const first = random(round % 2 === 0 ? 600 : 100_000);
        expectRange(bytes, start, first, first + random((bytes.length - start) * 8 - first));
      }
    }
  }
});
