/**
 * The checksum of everything that is kept on disk: CRC-32 as zlib, gzip and PNG have it (polynomial 0xedb88320).
 *
 * Owns no state; any thread. Some 4 GB/s on 64 KiB, but 70 ns on 16 bytes: for blocks, not for records.
 */
import { crc32 as zlibCrc32 } from 'node:zlib';

/** The CRC-32 of `bytes`, unsigned. With `seed`, the checksum of what came before and then `bytes`. */
export function crc32(bytes: Uint8Array, seed = 0): number {
  return zlibCrc32(bytes, seed);
}
