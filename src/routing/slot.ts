/**
 * From a key's bytes to its hash slot. Pure; runs on every thread, once per key of every command.
 *
 * The slot is CRC16 (XMODEM: polynomial 0x1021, start 0, no reflection, no final xor) modulo 16384, over the key or,
 * where the key has a non-empty `{hash tag}`, over the tag alone: the rules of the Redis Cluster specification,
 * "Key distribution model" and "Hash tags".
 *
 * The checksum is taken eight bytes at a time ("slicing-by-8": Kounavis and Berry, A Systematic Approach to Building
 * High Performance, Software-based, CRC Generators, 2005). Table `AFTER_k` holds the checksum of one byte with k zero
 * bytes behind it, so the lookups of a group do not wait for each other. The eight tables take 4 KiB.
 */
export const SLOT_COUNT = 16384;

const SLOT_MASK = SLOT_COUNT - 1;
const POLYNOMIAL = 0x1021;
const BYTE_VALUES = 256;
const OPENING_BRACE = 0x7b;
const CLOSING_BRACE = 0x7d;

const AFTER_0 = checksumsOfBytes(0);
const AFTER_1 = checksumsOfBytes(1);
const AFTER_2 = checksumsOfBytes(2);
const AFTER_3 = checksumsOfBytes(3);
const AFTER_4 = checksumsOfBytes(4);
const AFTER_5 = checksumsOfBytes(5);
const AFTER_6 = checksumsOfBytes(6);
const AFTER_7 = checksumsOfBytes(7);

/**
 * The slot (0 .. 16383) of the key in `bytes[start .. end)`. An empty key has slot 0.
 *
 * Keys without a brace, nearly all, are checksummed and searched for one in the same pass: about 23 ns for 17 bytes,
 * against 40 ns when the search has a loop of its own (bench/micro.ts has the row).
 */
export function slotOfKey(bytes: Uint8Array, start: number, end: number): number {
  let crc = 0;
  let i = start;
  for (const eightsEnd = end - 7; i < eightsEnd; i += 8) {
    const a = bytes[i];
    const b = bytes[i + 1];
    const c = bytes[i + 2];
    const d = bytes[i + 3];
    const e = bytes[i + 4];
    const f = bytes[i + 5];
    const g = bytes[i + 6];
    const h = bytes[i + 7];
    if (hasBrace(a, b, c, d) || hasBrace(e, f, g, h)) return slotOfBracedKey(bytes, start, end);
    crc =
      AFTER_7[(crc >> 8) ^ a] ^
      AFTER_6[(crc & 0xff) ^ b] ^
      AFTER_5[c] ^
      AFTER_4[d] ^
      afterFour(0, e, f, g, h);
  }
  if (i + 4 <= end) {
    const a = bytes[i];
    const b = bytes[i + 1];
    const c = bytes[i + 2];
    const d = bytes[i + 3];
    if (hasBrace(a, b, c, d)) return slotOfBracedKey(bytes, start, end);
    crc = afterFour(crc, a, b, c, d);
    i += 4;
  }
  for (; i < end; i++) {
    const byte = bytes[i];
    if (byte === OPENING_BRACE) return slotOfBracedKey(bytes, start, end);
    crc = afterOne(crc, byte);
  }
  return crc & SLOT_MASK;
}

/** Only the first `{` and the first `}` after it count; an empty or unclosed tag means the whole key. */
function slotOfBracedKey(bytes: Uint8Array, start: number, end: number): number {
  let tagStart = start;
  while (bytes[tagStart] !== OPENING_BRACE) tagStart++;
  tagStart++;
  let tagEnd = tagStart;
  while (tagEnd < end && bytes[tagEnd] !== CLOSING_BRACE) tagEnd++;
  const tagged = tagEnd > tagStart && tagEnd < end;
  return (tagged ? crc16(bytes, tagStart, tagEnd) : crc16(bytes, start, end)) & SLOT_MASK;
}

function crc16(bytes: Uint8Array, start: number, end: number): number {
  let crc = 0;
  let i = start;
  for (const foursEnd = end - 3; i < foursEnd; i += 4) {
    crc = afterFour(crc, bytes[i], bytes[i + 1], bytes[i + 2], bytes[i + 3]);
  }
  for (; i < end; i++) crc = afterOne(crc, bytes[i]);
  return crc;
}

function afterFour(crc: number, a: number, b: number, c: number, d: number): number {
  return AFTER_3[(crc >> 8) ^ a] ^ AFTER_2[(crc & 0xff) ^ b] ^ AFTER_1[c] ^ AFTER_0[d];
}

function afterOne(crc: number, byte: number): number {
  return ((crc & 0xff) << 8) ^ AFTER_0[(crc >> 8) ^ byte];
}

function hasBrace(a: number, b: number, c: number, d: number): boolean {
  return a === OPENING_BRACE || b === OPENING_BRACE || c === OPENING_BRACE || d === OPENING_BRACE;
}

/** The checksum of each byte value followed by `zeroBytes` zero bytes, bit by bit as the polynomial defines it. */
function checksumsOfBytes(zeroBytes: number): Uint16Array {
  const checksums = new Uint16Array(BYTE_VALUES);
  for (let byte = 0; byte < BYTE_VALUES; byte++) {
    let crc = byte << 8;
    for (let bit = 0; bit < 8 * (1 + zeroBytes); bit++) {
      crc = ((crc << 1) ^ (crc & 0x8000 ? POLYNOMIAL : 0)) & 0xffff;
    }
    checksums[byte] = crc;
  }
  return checksums;
}
