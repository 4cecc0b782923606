/**
 * Bytes between private and shared memory: copying, comparing, and the few conversions to text.
 *
 * Owns no state; runs on every thread. Ranges are half-open spans `(bytes, start, end)`.
 */
import { Buffer } from 'node:buffer';

/**
 * Up to this length a byte loop beats the fixed 30-45 ns of `Buffer.copy` (measured on Node 26, private to shared
 * and back).
 */
const LOOP_BYTES_MAX = 28;

/** Up to this length the detour of `copySharedBytes` does not pay. */
const DIRECT_BYTES_MAX = 128;

/** The way of `copySharedBytes`, in pieces that stay in the nearest cache. One per thread. */
const detour = Buffer.alloc(16 * 1024);

/** Copies `source[start, end)` to `target` at `at`. The ranges must not overlap. Either side may be shared memory. */
export function copyBytes(source: Buffer, start: number, end: number, target: Buffer, at: number): void {
  if (end - start <= LOOP_BYTES_MAX) {
    for (let from = start, to = at; from < end; from += 1, to += 1) target[to] = source[from];
    return;
  }
  source.copy(target, at, start, end);
}

/**
 * As `copyBytes` where both sides are shared memory: by way of private memory, because the runtime copies shared bytes
 * that are not equally aligned one by one (4 KiB: some 2 us at once, 0.3 us so; measured on Node 26).
 */
export function copySharedBytes(
  source: Buffer,
  start: number,
  end: number,
  target: Buffer,
  at: number,
): void {
  if (end - start <= DIRECT_BYTES_MAX) {
    copyBytes(source, start, end, target, at);
    return;
  }
  for (let from = start; from < end; from += detour.length) {
    const piece = Math.min(detour.length, end - from);
    source.copy(detour, 0, from, from + piece);
    detour.copy(target, at + from - start, 0, piece);
  }
}

/**
 * Moves `bytes[start, end)` so that it begins at `at`, in one piece of shared memory; the ranges may overlap. By way of
 * private memory, for the reason that `copySharedBytes` has.
 */
export function shiftSharedBytes(bytes: Buffer, start: number, end: number, at: number): void {
  if (at <= start) {
    for (let from = start, to = at; from < end; from += detour.length, to += detour.length) {
      shiftPiece(bytes, from, Math.min(from + detour.length, end), to);
    }
    return;
  }
  for (let until = end; until > start; until -= detour.length) {
    const from = Math.max(start, until - detour.length);
    shiftPiece(bytes, from, until, at + from - start);
  }
}

function shiftPiece(bytes: Buffer, start: number, end: number, at: number): void {
  const length = end - start;
  if (length > LOOP_BYTES_MAX) {
    bytes.copy(detour, 0, start, end);
    detour.copy(bytes, at, 0, length);
  } else if (at < start) {
    for (let i = 0; i < length; i += 1) bytes[at + i] = bytes[start + i];
  } else {
    for (let i = length - 1; i >= 0; i -= 1) bytes[at + i] = bytes[start + i];
  }
}

/** Whether `a[aStart, aEnd)` holds the same bytes as `b` from `bStart` on. The caller has compared the lengths. */
export function equalBytes(
  a: Uint8Array,
  aStart: number,
  aEnd: number,
  b: Uint8Array,
  bStart: number,
): boolean {
  for (let i = aStart, j = bStart; i < aEnd; i += 1, j += 1) {
    if (a[i] !== b[j]) return false;
  }
  return true;
}

/** The bytes of an ASCII (or Latin-1) text. */
export function asciiBytes(text: string): Buffer {
  return Buffer.from(text, 'latin1');
}

/** A span as text, one character per byte, so that any bytes survive the round trip. */
export function spanText(bytes: Uint8Array, start: number, end: number): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset + start, end - start).toString('latin1');
}

/** Whether a span equals an upper-case ASCII word, ignoring case: for option names such as `NX`. */
export function equalsWord(bytes: Uint8Array, start: number, end: number, upperCaseWord: string): boolean {
  if (end - start !== upperCaseWord.length) return false;
  for (let i = start, j = 0; i < end; i += 1, j += 1) {
    let byte = bytes[i];
    if (byte >= 97 && byte <= 122) byte -= 32;
    if (byte !== upperCaseWord.charCodeAt(j)) return false;
  }
  return true;
}

const TWO_TO_32 = 2 ** 32;

/** Writes the lowest 32 bits of a whole number, little-endian. A third of what the checks of `writeUInt32LE` cost. */
export function writeUint32(target: Buffer, at: number, value: number): void {
  target[at] = value & 0xff;
  target[at + 1] = (value >>> 8) & 0xff;
  target[at + 2] = (value >>> 16) & 0xff;
  target[at + 3] = (value >>> 24) & 0xff;
}

/** Writes a whole number below 2^53 as 8 little-endian bytes. */
export function writeUint64(target: Buffer, at: number, value: number): void {
  target.writeUInt32LE(value >>> 0, at);
  target.writeUInt32LE(Math.floor(value / TWO_TO_32), at + 4);
}

/** Reads 8 little-endian bytes: exact below 2^53, and never a safe integer from there on. */
export function readUint64(bytes: Buffer, at: number): number {
  return bytes.readUInt32LE(at + 4) * TWO_TO_32 + bytes.readUInt32LE(at);
}
