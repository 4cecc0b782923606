/**
 * Integers of 1 to 64 bits at any place of a bitmap, the highest bit first: reading, writing, and what overflows.
 *
 * Pure; runs on every thread. Numbers below 2^52 are reckoned as such, which allocates nothing; beyond, as bigints.
 * Source of the rules: Redis 7.0 `bitops.c`, `checkSignedBitfieldOverflow` and its like.
 */

/** A field of 64 bits that does not begin with a byte lies in so many. */
export const FIELD_BYTES_MAX = 9;

/** Sums of two numbers of so many bits are exact. */
export const NUMBER_BITS_MAX = 52;
export const NUMBER_MAX = 2 ** NUMBER_BITS_MAX;

const BITS = 8;
const LOW_BITS = 32;
const LOW_BITS_BIG = 32n;
const INT64_MIN = -(2n ** 63n);

/** Powers of two by their exponent: a look is much cheaper than reckoning. */
const POWERS = Float64Array.from({ length: 65 }, (_, exponent) => 2 ** exponent);

/** What is done with a result that the field cannot hold. */
export type Overflow = 'WRAP' | 'SAT' | 'FAIL';

/** The integer of `bits` bits (at most NUMBER_BITS_MAX) from bit `offset` of `bytes` on. */
export function readField(bytes: Uint8Array, offset: number, bits: number, isSigned: boolean): number {
  const value = readUnsigned(bytes, offset, bits);
  const modulus = POWERS[bits];
  return isSigned && value >= POWERS[bits - 1] ? value - modulus : value;
}

/** Writes the lowest bits of `value`, which may be negative. */
export function writeField(bytes: Uint8Array, offset: number, bits: number, value: number): void {
  let rest = value < 0 ? value + POWERS[bits] : value;
  let end = offset + bits;
  while (end > offset) {
    const at = Math.floor((end - 1) / BITS);
    const shift = (at + 1) * BITS - end;
    const taken = end - Math.max(offset, at * BITS);
    const share = POWERS[taken];
    const low = rest % share;
    bytes[at] = (bytes[at] & ~((share - 1) << shift)) | (low << shift);
    rest = (rest - low) / share;
    end -= taken;
  }
}

/** As `readField` for any number of bits. */
export function readBigField(bytes: Uint8Array, offset: number, bits: number, isSigned: boolean): bigint {
  const highBits = Math.max(0, bits - LOW_BITS);
  const high = BigInt(readUnsigned(bytes, offset, highBits));
  const value =
    (high << BigInt(bits - highBits)) | BigInt(readUnsigned(bytes, offset + highBits, bits - highBits));
  return isSigned ? BigInt.asIntN(bits, value) : value;
}

export function writeBigField(bytes: Uint8Array, offset: number, bits: number, value: bigint): void {
  const unsigned = BigInt.asUintN(bits, value);
  const highBits = Math.max(0, bits - LOW_BITS);
  writeField(bytes, offset, highBits, Number(unsigned >> LOW_BITS_BIG));
  writeField(bytes, offset + highBits, bits - highBits, Number(BigInt.asUintN(LOW_BITS, unsigned)));
}

/** What a field becomes that should hold `value`; undefined when that is too much and fails. */
export function fitNumber(
  value: number,
  bits: number,
  isSigned: boolean,
  overflow: Overflow,
): number | undefined {
  const max = POWERS[isSigned ? bits - 1 : bits] - 1;
  const min = isSigned ? -max - 1 : 0;
  if (value >= min && value <= max) return value;
  if (overflow === 'FAIL') return undefined;
  if (overflow === 'SAT') return value > max ? max : min;
  const modulus = POWERS[bits];
  const wrapped = value - Math.floor(value / modulus) * modulus;
  return wrapped > max ? wrapped - modulus : wrapped;
}

/** The same for any number of bits. */
export function fitBig(
  value: bigint,
  bits: number,
  isSigned: boolean,
  overflow: Overflow,
): bigint | undefined {
  const fitting = isSigned ? BigInt.asIntN(bits, value) : BigInt.asUintN(bits, value);
  if (fitting === value || overflow === 'WRAP') return fitting;
  if (overflow === 'FAIL') return undefined;
  const max = (1n << BigInt(isSigned ? bits - 1 : bits)) - 1n;
  if (value > max) return max;
  return isSigned ? -max - 1n : 0n;
}

/**
 * A number as SET takes it when it asks whether that is too much: one that is negative, where there is no sign, counts as one that is
 * too large; and with a sign one that is so small that its distance from the largest is more than 64 bits hold.
 */
export function takenToSet(value: bigint, bits: number, isSigned: boolean): bigint {
  const least = !isSigned ? 0n : bits === 64 ? INT64_MIN : (1n << BigInt(bits - 1)) + INT64_MIN;
  return value < least ? BigInt.asUintN(64, value) : value;
}

function readUnsigned(bytes: Uint8Array, offset: number, bits: number): number {
  const end = offset + bits;
  let value = 0;
  for (let from = offset; from < end; ) {
    const at = Math.floor(from / BITS);
    const until = Math.min(end, (at + 1) * BITS);
    const taken = until - from;
    const shift = (at + 1) * BITS - until;
    const share = POWERS[taken];
    value = value * share + ((bytes[at] >>> shift) & (share - 1));
    from = until;
  }
  return value;
}
