/** Tests of elements: the bytes of a listpack, every border of lengths and integers, and the way back. */
import { Buffer } from 'node:buffer';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  backLengthBytes,
  deadlineAt,
  ELEMENT_OVERHEAD_MAX,
  elementBefore,
  elementEnd,
  encodeDeadline,
  encodeElement,
  encodeInteger,
  encodeText,
  encodingEnd,
  groupEnd,
  integerAt,
  isElement,
  isIntegerElement,
  textLength,
  writeText,
} from '../../src/collections/elements.ts';
import { TYPE_HASH, TYPE_LIST, TYPE_ZSET } from '../../src/shard/layout.ts';

function encoded(text: string): Buffer {
  const source = Buffer.from(text, 'latin1');
  const target = Buffer.alloc(source.length + ELEMENT_OVERHEAD_MAX);
  return target.subarray(0, encodeElement(target, 0, source, 0, source.length));
}

function decoded(bytes: Buffer): string {
  const target = Buffer.alloc(textLength(bytes, 0));
  expect(writeText(bytes, 0, target, 0)).toBe(target.length);
  return target.toString('latin1');
}

describe('an element', () => {
  it('has the bytes that a listpack has', () => {
    // As redis-server's lpAppend writes them: the integers 0, 127, 128, -1, 4095, 4096, 32768, 2^23, 2^31 and a short text.
    expect(encoded('0').toString('hex')).toBe('0001');
    expect(encoded('127').toString('hex')).toBe('7f01');
    expect(encoded('128').toString('hex')).toBe('c08002');
    expect(encoded('-1').toString('hex')).toBe('dfff02');
    expect(encoded('4095').toString('hex')).toBe('cfff02');
    expect(encoded('4096').toString('hex')).toBe('f1001003');
    expect(encoded('32768').toString('hex')).toBe('f200800004');
    expect(encoded('8388608').toString('hex')).toBe('f30000800005');
    expect(encoded('2147483648').toString('hex')).toBe('f4000000800000000009');
    expect(encoded('ab').toString('hex')).toBe('82616203');
    expect(encoded('007').toString('hex')).toBe('8330303704');
  });

  it('of every length near a border comes back, and is stepped over both ways', () => {
    for (const length of [
      0, 1, 62, 63, 64, 65, 124, 125, 126, 127, 128, 4094, 4095, 4096, 4097, 16376, 16377, 16378, 16379,
      70_000, 2_097_145, 2_097_146, 2_097_147,
    ]) {
      const text = 'x'.repeat(length);
      const bytes = encoded(text);
      expect(elementEnd(bytes, 0)).toBe(bytes.length);
      expect(bytes.length - encodingEnd(bytes, 0)).toBe(backLengthBytes(encodingEnd(bytes, 0)));
      expect(elementBefore(bytes, bytes.length)).toBe(0);
      expect(decoded(bytes)).toBe(text);
    }
  });

  it('of every integer near a border is an integer and comes back', () => {
    const borders = [0, 127, 4095, 32767, 8388607, 2147483647, 2 ** 32, Number.MAX_SAFE_INTEGER - 2];
    for (const border of borders) {
      for (const near of [-2, -1, 0, 1, 2]) {
        for (const value of [border + near, -(border + near)]) {
          const bytes = encoded(String(value === 0 ? 0 : value));
          expect(isIntegerElement(bytes, 0)).toBe(true);
          expect(integerAt(bytes, 0)).toBe(value === 0 ? 0 : value);
          expect(elementEnd(bytes, 0)).toBe(bytes.length);
          expect(elementBefore(bytes, bytes.length)).toBe(0);
        }
      }
    }
    expect(isIntegerElement(encoded('9007199254740992'), 0)).toBe(false);
  });

  it('of any text comes back, and equals only itself', () => {
    const texts = fc.oneof(fc.string({ maxLength: 80 }), fc.maxSafeInteger().map(String));
    fc.assert(
      fc.property(texts, texts, (one, other) => {
        const a = encoded(one);
        const b = encoded(other);
        expect(decoded(a)).toBe(Buffer.from(one, 'latin1').toString('latin1'));
        const isSame = Buffer.from(one, 'latin1').equals(Buffer.from(other, 'latin1'));
        expect(isElement(a, 0, b, 0, encodingEnd(b, 0))).toBe(isSame);
      }),
    );
  });

  it('may be a string although it spells an integer', () => {
    const bytes = Buffer.alloc(20);
    expect(encodeText(bytes, 0, Buffer.from('12'), 0, 2)).toBe(4);
    expect(isIntegerElement(bytes, 0)).toBe(false);
    expect(decoded(bytes)).toBe('12');
  });
});

describe('a group', () => {
  it('is one element in a list, two or three in a hash, a score and an element in a sorted set', () => {
    const bytes = Buffer.alloc(64);
    const first = encodeInteger(bytes, 0, 5);
    expect(groupEnd(TYPE_LIST, bytes, 0)).toBe(first);
    const second = encodeText(bytes, first, Buffer.from('value'), 0, 5);
    expect(groupEnd(TYPE_HASH, bytes, 0)).toBe(second);
    const third = encodeDeadline(bytes, second, 1_700_000_000_123);
    expect(groupEnd(TYPE_HASH, bytes, 0)).toBe(third);
    expect(elementBefore(bytes, third)).toBe(second);
    expect(deadlineAt(bytes, second)).toBe(1_700_000_000_123);
    bytes.writeDoubleLE(1.5, 40);
    const memberEnd = encodeText(bytes, 48, Buffer.from('m'), 0, 1);
    expect(groupEnd(TYPE_ZSET, bytes, 40)).toBe(memberEnd);
  });
});
