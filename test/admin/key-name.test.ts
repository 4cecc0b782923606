/** Keys in URLs: any bytes, encoded in any way that means them. */
import { Buffer } from 'node:buffer';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { keyFromUrl, routedUrl } from '../../src/admin/key-name.ts';

const PREFIX = '/v1/keys/';

function encodeAll(bytes: Uint8Array, digits: (hex: string) => string): string {
  return [...bytes].map((byte) => `%${digits(byte.toString(16).padStart(2, '0'))}`).join('');
}

describe('the name', () => {
  test('is every byte, encoded in either case', () => {
    for (let byte = 0; byte < 256; byte += 1) {
      const key = Buffer.of(byte);
      expect(keyFromUrl(PREFIX + encodeAll(key, (hex) => hex))).toEqual(key);
      expect(keyFromUrl(PREFIX + encodeAll(key, (hex) => hex.toUpperCase()))).toEqual(key);
    }
  });

  test('is any bytes, with or without a query', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 1 }), fc.boolean(), (bytes, hasQuery) => {
        const url = PREFIX + encodeAll(bytes, (hex) => hex) + (hasQuery ? '?db=1&a=/%zz' : '');
        expect(keyFromUrl(url)).toEqual(Buffer.from(bytes));
        expect(routedUrl(url)).toBe(`/v1/keys/-${hasQuery ? '?db=1&a=/%zz' : ''}`);
      }),
    );
  });

  test('is what encodeURIComponent makes of a text', () => {
    fc.assert(
      fc.property(fc.string({ minLength: 1, unit: 'grapheme' }), (text) => {
        expect(keyFromUrl(PREFIX + encodeURIComponent(text))?.toString('utf8')).toBe(text);
      }),
    );
  });

  test('keeps a plus, which is a blank in queries only', () => {
    expect(keyFromUrl(`${PREFIX}a+b%20c`)?.toString()).toBe('a+b c');
  });

  test.each(['%', '%4', 'a%4', '%g0', '%0g', '%%41', 'a%zz'])('%s is malformed', (name) => {
    expect(keyFromUrl(PREFIX + name)).toBeUndefined();
  });
});

test.each([
  '/',
  '/v1/keys',
  '/v1/keys/',
  '/v1/keys?match=*',
  '/v1/keys/?db=1',
  '/v1/keys/a/b',
  '/v1/keysa',
  '/docs/v1/keys/a',
])('%s is the URL of no key', (url) => {
  expect(routedUrl(url)).toBe(url);
});
