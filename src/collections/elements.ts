/**
 * One string or integer as it lies in a collection: redis-server's listpack entry encoding.
 *
 * Pure; runs on every thread, on private and on shared memory. An element is its encoding (type and length, then the
 * payload) and behind it the length of that, readable backwards:
 *
 *   0xxxxxxx                        an integer from 0 to 127
 *   10xxxxxx bytes                  a string of up to 63 bytes
 *   110xxxxx xxxxxxxx               an integer of 13 bits, signed
 *   1110xxxx xxxxxxxx bytes         a string of up to 4095 bytes
 *   11110000 length (u32) bytes     a longer string
 *   11110001 .. 11110100 integer    an integer of 16, 24, 32 or 64 bits, signed, little-endian
 *   11110101 deadline (float64)     no content: when the group it ends expires (hashes only)
 *
 * Every content has exactly one encoding, so contents are equal if and only if their encodings are. Integers outside of
 * +-(2^53 - 1) are strings here. Source: Redis 7.0 `listpack.c`.
 */
import type { Buffer } from 'node:buffer';
import { copyBytes, writeUint32 } from '../base/bytes.ts';
import { decimalDigits, parseSafeInteger, writeDecimal } from '../base/decimal.ts';
import { TYPE_HASH, TYPE_ZSET } from '../shard/layout.ts';

/** What an element needs more than its text at most. */
export const ELEMENT_OVERHEAD_MAX = 10;

/** The score in front of a sorted set's member. */
export const SCORE_BYTES = 8;

/** The first byte of a hash group's optional third element. */
export const DEADLINE_MARK = 0xf5;
const DEADLINE_BYTES = 9;

const SHORT_TEXT = 0x80;
const MIDDLE_TEXT = 0xe0;
const LONG_TEXT = 0xf0;
const INTEGER_13 = 0xc0;
const INTEGER_16 = 0xf1;
const INTEGER_24 = 0xf2;
const INTEGER_32 = 0xf3;
const INTEGER_64 = 0xf4;

const SHORT_TEXT_BYTES_MAX = 63;
const MIDDLE_TEXT_BYTES_MAX = 4095;
const SMALL_INTEGER_MAX = 127;
const TWO_TO_32 = 2 ** 32;

const BACK_BITS = 7;
const BACK_MORE = 0x80;
const BACK_MASK = 0x7f;

/** Where the encoding of the element at `at` ends and its back length begins. */
export function encodingEnd(bytes: Uint8Array, at: number): number {
  const first = bytes[at];
  if (first < 0x80) return at + 1;
  if (first < 0xc0) return at + 1 + (first & 0x3f);
  if (first < 0xe0) return at + 2;
  if (first < 0xf0) return at + 2 + (((first & 0x0f) << 8) | bytes[at + 1]);
  if (first === LONG_TEXT) return at + 5 + readUint32(bytes, at + 1);
  if (first <= INTEGER_32) return at + 3 + (first - INTEGER_16);
  return at + DEADLINE_BYTES;
}

/** Where the element at `at` ends, its back length included. */
export function elementEnd(bytes: Uint8Array, at: number): number {
  const first = bytes[at];
  // Most are short, with a back length of one byte.
  if (first < 0x80) return at + 2;
  if (first < 0xc0) return at + 2 + (first & 0x3f);
  const end = encodingEnd(bytes, at);
  return end + backLengthBytes(end - at);
}

/** Where the element that ends at `end` begins. */
export function elementBefore(bytes: Uint8Array, end: number): number {
  let at = end - 1;
  let length = bytes[at] & BACK_MASK;
  let scale = 1 << BACK_BITS;
  while ((bytes[at] & BACK_MORE) !== 0) {
    at -= 1;
    length += (bytes[at] & BACK_MASK) * scale;
    scale *= 1 << BACK_BITS;
  }
  return at - length;
}

/** Where the group at `at` of a collection of this type ends. */
export function groupEnd(type: number, bytes: Uint8Array, at: number): number {
  if (type === TYPE_ZSET) return elementEnd(bytes, at + SCORE_BYTES);
  const end = elementEnd(bytes, at);
  if (type !== TYPE_HASH) return end;
  const valueEnd = elementEnd(bytes, end);
  return bytes[valueEnd] === DEADLINE_MARK ? valueEnd + DEADLINE_BYTES + 1 : valueEnd;
}

/** Where the element that names the group at `at` begins: the list's or set's element, the hash's field, the member behind the score. */
export function groupKey(type: number, at: number): number {
  return type === TYPE_ZSET ? at + SCORE_BYTES : at;
}

export function isIntegerElement(bytes: Uint8Array, at: number): boolean {
  const first = bytes[at];
  return first < 0x80 || (first >= 0xc0 && first < 0xe0) || (first >= INTEGER_16 && first <= INTEGER_64);
}

/** The value of an integer element. */
export function integerAt(bytes: Uint8Array, at: number): number {
  const first = bytes[at];
  if (first < 0x80) return first;
  if (first < 0xe0) return ((((first & 0x1f) << 8) | bytes[at + 1]) << 19) >> 19;
  if (first === INTEGER_16) return ((bytes[at + 1] | (bytes[at + 2] << 8)) << 16) >> 16;
  if (first === INTEGER_24) return ((bytes[at + 1] | (bytes[at + 2] << 8) | (bytes[at + 3] << 16)) << 8) >> 8;
  const low = readUint32(bytes, at + 1);
  if (first === INTEGER_32) return low | 0;
  return (readUint32(bytes, at + 5) | 0) * TWO_TO_32 + low;
}

/** Where the text of a string element begins; it ends at `encodingEnd`. */
export function textStart(bytes: Uint8Array, at: number): number {
  const first = bytes[at];
  if (first < 0xc0) return at + 1;
  return first < 0xf0 ? at + 2 : at + 5;
}

/** The length of an element's content as text, in bytes. */
export function textLength(bytes: Uint8Array, at: number): number {
  if (isIntegerElement(bytes, at)) return decimalDigits(integerAt(bytes, at));
  return encodingEnd(bytes, at) - textStart(bytes, at);
}

/** Writes an element's content as text at `to`, for which `textLength` bytes are there. Returns where it ends. */
export function writeText(bytes: Buffer, at: number, target: Buffer, to: number): number {
  if (isIntegerElement(bytes, at)) return writeDecimal(target, to, integerAt(bytes, at));
  const start = textStart(bytes, at);
  const end = encodingEnd(bytes, at);
  copyBytes(bytes, start, end, target, to);
  return to + end - start;
}

/** Whether the element at `at` has the encoding `other[start, end)`, which is without its back length. */
export function isElement(
  bytes: Uint8Array,
  at: number,
  other: Uint8Array,
  start: number,
  end: number,
): boolean {
  const length = end - start;
  if (encodingEnd(bytes, at) !== at + length) return false;
  // From the end: names that differ tend to differ there.
  for (let i = length - 1; i >= 0; i -= 1) {
    if (bytes[at + i] !== other[start + i]) return false;
  }
  return true;
}

/** Writes the element of a text at `to`, as an integer if it spells one. Returns where it ends. */
export function encodeElement(
  target: Buffer,
  to: number,
  source: Buffer,
  start: number,
  end: number,
): number {
  const value = parseSafeInteger(source, start, end);
  return Number.isNaN(value) ? encodeText(target, to, source, start, end) : encodeInteger(target, to, value);
}

/** Writes the element of a text at `to`, as a string whatever it spells. Returns where it ends. */
export function encodeText(target: Buffer, to: number, source: Buffer, start: number, end: number): number {
  const length = end - start;
  let at = to;
  if (length <= SHORT_TEXT_BYTES_MAX) {
    target[at] = SHORT_TEXT | length;
    at += 1;
  } else if (length <= MIDDLE_TEXT_BYTES_MAX) {
    target[at] = MIDDLE_TEXT | (length >>> 8);
    target[at + 1] = length & 0xff;
    at += 2;
  } else {
    target[at] = LONG_TEXT;
    writeUint32(target, at + 1, length);
    at += 5;
  }
  copyBytes(source, start, end, target, at);
  return writeBackLength(target, to, at + length);
}

/** Writes the element of a safe integer at `to`. Returns where it ends. */
export function encodeInteger(target: Buffer, to: number, value: number): number {
  if (value >= 0 && value <= SMALL_INTEGER_MAX) {
    target[to] = value;
    target[to + 1] = 1;
    return to + 2;
  }
  return writeBackLength(target, to, writeInteger(target, to, value));
}

/** Writes when a hash's group expires, its third element. Returns where it ends. */
export function encodeDeadline(target: Buffer, to: number, deadlineMs: number): number {
  target[to] = DEADLINE_MARK;
  target.writeDoubleLE(deadlineMs, to + 1);
  return writeBackLength(target, to, to + DEADLINE_BYTES);
}

/** When the group whose third element begins at `at` expires, in unix milliseconds. */
export function deadlineAt(bytes: Buffer, at: number): number {
  return bytes.readDoubleLE(at + 1);
}

/** The bytes of a back length for an encoding of `length` bytes. */
export function backLengthBytes(length: number): number {
  if (length <= 127) return 1;
  if (length < 16383) return 2;
  if (length < 2097151) return 3;
  return length < 268435455 ? 4 : 5;
}

/** Writes the length of the encoding `[start, end)` behind it. Returns where that ends. */
function writeBackLength(target: Buffer, start: number, end: number): number {
  const bytes = backLengthBytes(end - start);
  let rest = end - start;
  for (let at = end + bytes - 1; at >= end; at -= 1) {
    target[at] = (rest & BACK_MASK) | (at === end ? 0 : BACK_MORE);
    rest = Math.floor(rest / (1 << BACK_BITS));
  }
  return end + bytes;
}

function writeInteger(target: Buffer, to: number, value: number): number {
  if (value >= -4096 && value <= 4095) {
    target[to] = INTEGER_13 | ((value >> 8) & 0x1f);
    target[to + 1] = value & 0xff;
    return to + 2;
  }
  if (value !== (value | 0)) {
    target[to] = INTEGER_64;
    writeUint32(target, to + 1, value % TWO_TO_32);
    writeUint32(target, to + 5, Math.floor(value / TWO_TO_32));
    return to + DEADLINE_BYTES;
  }
  const size = value === (value << 16) >> 16 ? 2 : value === (value << 8) >> 8 ? 3 : 4;
  target[to] = INTEGER_16 + size - 2;
  for (let i = 0; i < size; i += 1) target[to + 1 + i] = (value >> (8 * i)) & 0xff;
  return to + 1 + size;
}

function readUint32(bytes: Uint8Array, at: number): number {
  return (bytes[at] | (bytes[at + 1] << 8) | (bytes[at + 2] << 16) | (bytes[at + 3] << 24)) >>> 0;
}
