/** The checksum is the CRC-32 that everybody else has. */
import { Buffer } from 'node:buffer';
import { describe, expect, it } from 'vitest';
import { crc32 } from '../../src/base/checksum.ts';

describe('the checksum', () => {
  it('is the one of zlib: the check value of the algorithm', () => {
    expect(crc32(Buffer.from('123456789'))).toBe(0xcbf43926);
    expect(crc32(Buffer.alloc(0))).toBe(0);
  });

  it('goes on from an earlier part', () => {
    expect(crc32(Buffer.from('6789'), crc32(Buffer.from('12345')))).toBe(0xcbf43926);
  });
});
