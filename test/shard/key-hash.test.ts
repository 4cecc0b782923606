/** The keyed hash against the published vectors of HalfSipHash-1-3, and how it spreads keys over groups and tags. */
import { Buffer } from 'node:buffer';
import { describe, expect, it } from 'vitest';
import { hashHalves, hashKey } from '../../src/shard/key-hash.ts';

/** Of the bytes 0, 1, .. n - 1 under the key 00 01 .. 07, for n from 0: `test_vectors_hsiphash` of Linux (lib/tests/siphash_kunit.c). */
const VECTORS = `
  5814c896 e7e864ca bc4b0e30 01539939 7e059ea6 88e3d89b a0080b65 9d38d9d6 577999b1 c839caed e4fa32cf 959246ee
  6b28096c 66dd9cd6 16658a7c d0257b04 8b31d501 2b1cd04b 06712339 522aca67 911bb605 90a65f0e f826ef7b 62512deb
  57150ad7 5d473507 1ec47442 ab64afd3 0a4100d0 6d2ce652 2331b6a3 08d8791a bc6dda8d e0f6c934 b0652033 9b9851cc
  7c46fb7f 732ba8cb f142997a fcc9aa1b 05327eb2 e110131c f9e5e7c0 a7d708a6 11795ab1 65671619 9f5fff91 d89c5267
  007783eb 95766243 ab639262 9c7e1390 c368dda6 38ddc455 fa13d379 979ea4e8 53ecd77e 2ee80657 33dbb66a ae3f0577
  88b4c4cc 3e7f480b 74c1ebf8 87178304`
  .trim()
  .split(/\s+/);

const KEY_0 = 0x03020100;
const KEY_1 = 0x07060504;

/** The statistic of a fair spread over n bins has mean n - 1 and standard deviation sqrt(2n): five of them are allowed. */
function expectFair(counts: Uint32Array, total: number): void {
  const expected = total / counts.length;
  const statistic = counts.reduce((sum, count) => sum + (count - expected) ** 2 / expected, 0);
  expect(Math.abs(statistic - counts.length)).toBeLessThan(5 * Math.sqrt(2 * counts.length));
}

describe('keyHash', () => {
  it('agrees with all published vectors, wherever the bytes stand', () => {
    const bytes = Uint8Array.from({ length: 80 }, (_, index) => (index < 7 ? 0xee : index - 7));
    expect(VECTORS).toHaveLength(64);
    for (const [length, vector] of VECTORS.entries()) {
      const hash = hashKey(bytes, 7, 7 + length, KEY_0, KEY_1) >>> 0;
      expect(hash.toString(16).padStart(8, '0'), `${length} bytes`).toBe(vector);
    }
  });

  it('is the same for a key that begins in the middle of a word', () => {
    for (const [length, vector] of VECTORS.entries()) {
      const bytes = Buffer.alloc(80, 0xee);
      for (let index = 0; index < length; index += 1) bytes[6 + index] = index;
      const words = new Int32Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length));
      const hash = hashHalves(words, 1, length, KEY_0, KEY_1) >>> 0;
      expect(hash.toString(16).padStart(8, '0'), `${length} bytes`).toBe(vector);
    }
  });

  it.each([
    ['counted names', (index: number) => `key:${index}`],
    [
      'names that differ in the first byte alone',
      (index: number) => `${String.fromCharCode(33 + (index % 90))}:${Math.floor(index / 90)}:same`,
    ],
    ['long names with a common start', (index: number) => `${'common'.repeat(20)}${index}`],
  ])('spreads %s evenly over groups and over tags', (_, nameOf) => {
    const keys = 60_000;
    const low = new Uint32Array(1024);
    const high = new Uint32Array(1024);
    for (let index = 0; index < keys; index += 1) {
      const name = Buffer.from(nameOf(index));
      const hash = hashKey(name, 0, name.length, 0x12345678, 0x9abcdef0);
      low[hash & 1023] += 1;
      high[hash >>> 22] += 1;
    }
    expectFair(low, keys);
    expectFair(high, keys);
  });

  it('gives another hash under another secret', () => {
    const name = Buffer.from('key');
    const hashes = new Set<number>();
    for (let secret = 0; secret < 100; secret += 1) {
      hashes.add(hashKey(name, 0, 3, secret, 0));
      hashes.add(hashKey(name, 0, 3, 0, secret));
    }
    expect(hashes.size).toBe(199);
  });
});
