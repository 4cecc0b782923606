/**
 * How a HyperLogLog lies in the value of a string, byte for byte as in Redis: a header, and then its 16384 registers in one of two forms.
 *
 * Owns no state; runs on every thread.
 *
 *   0      4          5        8              16
 *  ┌──────┬──────────┬────────┬──────────────┬───────────────
 *  │ HYLL │ ENCODING │ unused │ CARDINALITY  │ registers
 *  └──────┴──────────┴────────┴──────────────┴───────────────
 *
 * CARDINALITY: the last count, 64 bits little-endian; its highest bit says that registers have changed since.
 * ENCODING 0, dense: 6 bits for each register, from the lowest bit of the first byte on. ENCODING 1, sparse: runs.
 *
 *   ZERO   00xxxxxx            x + 1 registers that are 0
 *   XZERO  01xxxxxx yyyyyyyy   xy + 1 registers that are 0
 *   VALUE  1vvvvvxx            x + 1 registers that are v + 1
 *
 * Source: Redis 7.0 `hyperloglog.c`.
 */

export const REGISTERS = 16384;
export const HEADER_BYTES = 16;
export const ENCODING_AT = 4;
export const CARDINALITY_AT = 8;
export const CARDINALITY_LAST_AT = 15;
export const CHANGED_BIT = 0x80;

export const DENSE = 0;
export const SPARSE = 1;

export const REGISTER_BITS = 6;
export const REGISTER_MAX = (1 << REGISTER_BITS) - 1;
export const DENSE_BYTES = HEADER_BYTES + (REGISTERS * REGISTER_BITS) / 8;
/** Two bytes for a register of its own are the longest way to say it: what is longer is damaged. */
export const SPARSE_BYTES_MAX = HEADER_BYTES + 2 * REGISTERS;

export const RUN_VALUE_MAX = 32;
export const VALUE_RUN_MAX = 4;
const ZERO_RUN_MAX = 64;

const MAGIC = [0x48, 0x59, 0x4c, 0x4c];
const KIND_MASK = 0xc0;
const XZERO = 0x40;
const VALUE = 0x80;
const ZERO_LENGTH_MASK = 0x3f;
const VALUE_SHIFT = 2;
const VALUE_MASK = 0x1f;
const VALUE_LENGTH_MASK = 0x3;

/** Whether a string is a HyperLogLog by its header and its length; the runs of a sparse one may be damaged all the same. */
export function isHyperLogLog(bytes: Uint8Array, start: number, end: number): boolean {
  if (end - start < HEADER_BYTES) return false;
  for (let i = 0; i < MAGIC.length; i += 1) if (bytes[start + i] !== MAGIC[i]) return false;
  const encoding = bytes[start + ENCODING_AT];
  return encoding === SPARSE || (encoding === DENSE && end - start === DENSE_BYTES);
}

/** Writes an empty one, sparse, at the start of `bytes`; returns its length. */
export function writeEmpty(bytes: Uint8Array): number {
  bytes.fill(0, 0, HEADER_BYTES);
  for (let i = 0; i < MAGIC.length; i += 1) bytes[i] = MAGIC[i];
  bytes[ENCODING_AT] = SPARSE;
  return writeZeroRun(bytes, HEADER_BYTES, REGISTERS);
}

/** Register `index` of a dense one that begins at `start`. */
export function denseRegister(bytes: Uint8Array, start: number, index: number): number {
  const bit = index * REGISTER_BITS;
  const at = start + HEADER_BYTES + (bit >>> 3);
  // The last register lies within the last byte: what is read behind it is masked out.
  return ((bytes[at] | (bytes[at + 1] << 8)) >>> (bit & 7)) & REGISTER_MAX;
}

export function writeDenseRegister(bytes: Uint8Array, start: number, index: number, value: number): void {
  const bit = index * REGISTER_BITS;
  const at = start + HEADER_BYTES + (bit >>> 3);
  const shift = bit & 7;
  bytes[at] = (bytes[at] & ~(REGISTER_MAX << shift)) | (value << shift);
  if (shift <= 8 - REGISTER_BITS) return;
  bytes[at + 1] = (bytes[at + 1] & ~(REGISTER_MAX >>> (8 - shift))) | (value >>> (8 - shift));
}

export function isValueRun(code: number): boolean {
  return (code & VALUE) !== 0;
}

/** How many bytes a run takes that begins with this one. */
export function runBytes(code: number): number {
  return (code & KIND_MASK) === XZERO ? 2 : 1;
}

/** How many registers the run at `at` stands for. A byte behind `end`, which damage may ask for, counts as 0. */
export function runRegisters(bytes: Uint8Array, at: number, end: number): number {
  const code = bytes[at];
  if (isValueRun(code)) return (code & VALUE_LENGTH_MASK) + 1;
  if ((code & XZERO) === 0) return (code & ZERO_LENGTH_MASK) + 1;
  return (((code & ZERO_LENGTH_MASK) << 8) | (at + 1 < end ? bytes[at + 1] : 0)) + 1;
}

/** What the registers of a run are. */
export function runValue(code: number): number {
  return isValueRun(code) ? ((code >>> VALUE_SHIFT) & VALUE_MASK) + 1 : 0;
}

/** Writes a run of registers that are 0 in its shortest form, and returns where it ends. */
export function writeZeroRun(bytes: Uint8Array, at: number, registers: number): number {
  if (registers <= ZERO_RUN_MAX) {
    bytes[at] = registers - 1;
    return at + 1;
  }
  bytes[at] = XZERO | ((registers - 1) >>> 8);
  bytes[at + 1] = registers - 1;
  return at + 2;
}

export function writeValueRun(bytes: Uint8Array, at: number, value: number, registers: number): number {
  bytes[at] = VALUE | ((value - 1) << VALUE_SHIFT) | (registers - 1);
  return at + 1;
}
