/**
 * Secrets compared: equal bytes are, all others are not.
 */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { equalSecrets, hashSecret } from '../../src/base/secrets.ts';

describe('equalSecrets', () => {
  it('is true for the same bytes and for nothing else', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 40 }), fc.uint8Array({ maxLength: 40 }), (a, b) => {
        expect(equalSecrets(a, a.slice())).toBe(true);
        expect(equalSecrets(a, b)).toBe(Buffer.compare(a, b) === 0);
      }),
    );
  });

  it('takes secrets of different lengths, of which one may begin the other', () => {
    const secret = Buffer.from('secret');
    for (let bytes = 0; bytes < secret.length; bytes += 1) {
      expect(equalSecrets(secret, secret.subarray(0, bytes))).toBe(false);
    }
  });

  it('sees a difference in any bit', () => {
    const secret = Buffer.from('secret');
    for (let bit = 0; bit < 8 * secret.length; bit += 1) {
      const other = Buffer.from(secret);
      other[bit >> 3] ^= 1 << (bit & 7);
      expect(equalSecrets(secret, other)).toBe(false);
    }
  });
});

it('a hashed secret is its SHA-256 in hexadecimal digits', () => {
  // FIPS 180-2, appendix B.1.
  expect(hashSecret(Buffer.from('abc'))).toBe(
    'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad',
  );
});
