/** Tests of keys and arguments as the page shows them. */
import { Buffer } from 'node:buffer';
import { expect, test } from 'vitest';
import { bytesText, keyText } from '../../../src/admin/dashboard/key-text.js';

test('a key is shown as it is, in base64 where it is no text, and marked where it was cut', () => {
  expect(keyText({ key: 'größe', keyBytes: 7 })).toBe('größe');
  expect(keyText({ key: 'user:1' })).toBe('user:1');
  expect(keyText({ key: 'long', keyBytes: 900 })).toBe('long…');
  const base64 = Buffer.from([0xff, 0xfe, 0xfd, 0xfc]).toString('base64');
  expect(keyText({ key: base64, base64: true, keyBytes: 4 })).toBe('base64://79/A==');
  expect(keyText({ key: base64, base64: true, keyBytes: 5 })).toBe('base64://79/A==…');
});

test('an argument is shown as the text that its bytes are, or byte by byte', () => {
  expect(bytesText('plain')).toBe('plain');
  expect(bytesText(Buffer.from('größe').toString('latin1'))).toBe('größe');
  expect(bytesText('\xff\xfe')).toBe('\xff\xfe');
  expect(bytesText('cut… (3 more)')).toBe('cut… (3 more)');
});
