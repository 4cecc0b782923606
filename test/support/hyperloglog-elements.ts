/**
 * Elements of HyperLogLogs that concern a given register and ask a given value of it: the hash, backwards.
 *
 * Every step of MurmurHash64A on 8 bytes can be undone: products with the inverse of its odd multiplier, and what is shifted by more
 * than half of the bits by shifting once more.
 */
import { Buffer } from 'node:buffer';

const MULTIPLIER = 0xc6a4a7935bd1e995n;
const INVERSE = inverseOf(MULTIPLIER);
const SEED = 0xadc83b19n;
const SHIFT = 47n;
const INDEX_BITS = 14n;

/** `value` from 1 to 51: the bits above the register's number end with so many zeros less one, and begin with `rest`. */
export function elementFor(register: number, value: number, rest = 0n): Buffer {
  const zeros = BigInt(value - 1);
  const pattern = zeros === 50n ? 0n : ((rest << 1n) | 1n) << zeros;
  const element = Buffer.alloc(8);
  element.writeBigUInt64LE(unhashed(BigInt.asUintN(64, (pattern << INDEX_BITS) | BigInt(register))));
  return element;
}

function unhashed(hash: bigint): bigint {
  const mixed = times(unshifted(times(unshifted(hash), INVERSE)), INVERSE);
  const part = mixed ^ SEED ^ times(8n, MULTIPLIER);
  return times(unshifted(times(part, INVERSE)), INVERSE);
}

function unshifted(number: bigint): bigint {
  return number ^ (number >> SHIFT);
}

function times(one: bigint, other: bigint): bigint {
  return BigInt.asUintN(64, one * other);
}

/** By Newton's method: each step doubles the bits that are right. */
function inverseOf(odd: bigint): bigint {
  let inverse = odd;
  for (let bits = 3; bits < 64; bits *= 2) inverse = times(inverse, 2n - times(odd, inverse));
  return inverse;
}
