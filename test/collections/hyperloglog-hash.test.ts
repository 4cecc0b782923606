/** The place of an element against the hash done in whole 64-bit numbers, and against places that were asked for. */
import { Buffer } from 'node:buffer';
import { expect, it } from 'vitest';
import { placeElement, registerOfPlace, valueOfPlace } from '../../src/collections/hyperloglog-hash.ts';
import { elementFor } from '../support/hyperloglog-elements.ts';
import { createRandom } from '../support/seeded-random.ts';

const MULTIPLIER = 0xc6a4a7935bd1e995n;
const SEED = 0xadc83b19n;

/** Register and value, by the definition. */
function placeByDefinition(element: Buffer): number[] {
  const times = (one: bigint) => BigInt.asUintN(64, one * MULTIPLIER);
  let hash = SEED ^ times(BigInt(element.length));
  let at = 0;
  for (; at + 8 <= element.length; at += 8) {
    const part = times(element.readBigUInt64LE(at));
    hash = times(hash ^ times(part ^ (part >> 47n)));
  }
  if (at < element.length) {
    for (let i = at; i < element.length; i += 1) hash ^= BigInt(element[i]) << BigInt(8 * (i - at));
    hash = times(hash);
  }
  hash = times(hash ^ (hash >> 47n));
  hash ^= hash >> 47n;
  const pattern = (hash >> 14n) | (1n << 50n);
  let value = 1;
  while (((pattern >> BigInt(value - 1)) & 1n) === 0n) value += 1;
  return [Number(hash & 0x3fffn), value];
}

function placeOf(bytes: Buffer, start = 0, end = bytes.length): number[] {
  const place = placeElement(bytes, start, end);
  return [registerOfPlace(place), valueOfPlace(place)];
}

it('is that of the definition, for elements of every length', () => {
  const random = createRandom(1);
  for (let length = 0; length <= 40; length += 1) {
    for (let round = 0; round < 100; round += 1) {
      const element = Buffer.from(Array.from({ length }, () => random(256)));
      expect(placeOf(element)).toEqual(placeByDefinition(element));
    }
    expect(placeOf(Buffer.alloc(length, 255))).toEqual(placeByDefinition(Buffer.alloc(length, 255)));
  }
});

it('depends on nothing around the element', () => {
  const bytes = Buffer.from('..an element of some length..');
  expect(placeOf(bytes, 2, bytes.length - 2)).toEqual(placeOf(bytes.subarray(2, -2)));
});

it('reaches every register with every value', () => {
  for (const register of [0, 1, 8191, 16_383]) {
    for (let value = 1; value <= 51; value += 1) {
      expect(placeOf(elementFor(register, value))).toEqual([register, value]);
      expect(placeByDefinition(elementFor(register, value))).toEqual([register, value]);
    }
  }
});
