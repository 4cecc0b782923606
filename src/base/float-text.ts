/**
 * The texts that C's `strtod` family reads as a number, and correct rounding of what they mean.
 *
 * Owns no state; runs on every thread, off the hot path. A scanned float is exact: nothing is rounded before
 * `roundBinary`, which rounds once, to nearest, ties to even, as glibc does on x86-64.
 */
import { spanText } from './bytes.ts';

/** The value is (-1 if negative) x `digits` (in `base`) x (10 or, for base 16, 2) ^ `exponent`. */
type ScannedFloat = {
  negative: boolean;
  infinite: boolean;
  base: 10 | 16;
  /** Without sign, point and leading zeros; empty for zero. */
  digits: string;
  exponent: number;
  /** The text without its sign. */
  text: string;
};

/** `precisionBits` of significand; subnormals end at 2^`exponentMin`; all is below 2^`exponentLimit`. */
export type BinaryFormat = { precisionBits: number; exponentMin: number; exponentLimit: number };

/** `significand` x 2^`exponent`, not negative, with a significand below 2^64. */
export type BinaryFloat = { significand: bigint; exponent: number };

const DOUBLE: BinaryFormat = { precisionBits: 53, exponentMin: -1074, exponentLimit: 1024 };

const FLOAT_TEXT =
  /^([+-]?)(?:(inf(?:inity)?)|0x([0-9a-f]*)\.?([0-9a-f]*)(?:p([+-]?\d+))?|(\d*)\.?(\d*)(?:e([+-]?\d+))?)$/i;

const BITS_PER_HEX_DIGIT = 4;
/** More than any format's precision: hexadecimal digits beyond these only say whether the rest is zero. */
const HEX_DIGITS_MAX = 40;
/** Beyond every format's range and every text's length, and still exact when digit counts are added. */
const EXPONENT_MAX = 1e13;

/** What `bytes[start, end)` spells, or undefined: no number, "nan", spaces anywhere, or trailing characters. */
export function scanFloat(bytes: Uint8Array, start: number, end: number): ScannedFloat | undefined {
  const text = spanText(bytes, start, end);
  const match = FLOAT_TEXT.exec(text);
  if (match === null) return undefined;
  const [, sign, infinity, hexWhole, hexFraction, hexExponent, whole, fraction, exponentText] = match;
  const scanned = { negative: sign === '-', infinite: infinity !== undefined, text: text.slice(sign.length) };
  if (scanned.infinite) return { ...scanned, base: 10, digits: '', exponent: 0 };
  if (hexWhole === undefined) {
    if (whole.length + fraction.length === 0) return undefined;
    const exponent = readExponent(exponentText) - fraction.length;
    return { ...scanned, base: 10, digits: withoutLeadingZeros(whole + fraction), exponent };
  }
  if (hexWhole.length + hexFraction.length === 0) return undefined;
  const digits = withoutLeadingZeros(hexWhole + hexFraction);
  const exponent = readExponent(hexExponent) - BITS_PER_HEX_DIGIT * hexFraction.length;
  return { ...scanned, base: 16, ...shortenHex(digits, exponent) };
}

/** The double nearest to a hexadecimal scanned float's magnitude, which may be 0 or Infinity. */
export function roundToDouble(scanned: ScannedFloat): number {
  const rounded = roundHex(scanned, DOUBLE);
  if (rounded === undefined) return Infinity;
  // Two exact steps, because 2^exponent alone may be subnormal or the product of both above 2^1023.
  const half = Math.trunc(rounded.exponent / 2);
  return Number(rounded.significand) * 2 ** half * 2 ** (rounded.exponent - half);
}

/** A hexadecimal scanned float's magnitude in `format`; undefined when it overflows. */
export function roundHex(scanned: ScannedFloat, format: BinaryFormat): BinaryFloat | undefined {
  if (scanned.digits === '') return { significand: 0n, exponent: 0 };
  return roundBinary(BigInt(`0x${scanned.digits}`), 1n, scanned.exponent, format);
}

/**
 * The nearest value of `format` to `numerator` / `denominator` x 2^`exponent`, ties to even; undefined when it
 * overflows. The numerator is not negative, the denominator positive.
 */
export function roundBinary(
  numerator: bigint,
  denominator: bigint,
  exponent: number,
  format: BinaryFormat,
): BinaryFloat | undefined {
  if (numerator === 0n) return { significand: 0n, exponent: 0 };
  // The quotient lies in (2^(quotientBits - 1), 2^(quotientBits + 1)).
  const quotientBits = bitLength(numerator) - bitLength(denominator);
  if (quotientBits + exponent > format.exponentLimit + 1) return undefined;
  if (quotientBits + exponent < format.exponentMin - 2) return { significand: 0n, exponent: 0 };
  // One bit more than needed at most: the first quotient decides whether there is one.
  let lastExponent = Math.max(quotientBits + exponent - format.precisionBits, format.exponentMin);
  let significand = divideRounded(numerator, denominator, lastExponent - exponent);
  if (bitLength(significand) > format.precisionBits) {
    lastExponent += 1;
    significand = divideRounded(numerator, denominator, lastExponent - exponent);
  }
  if (bitLength(significand) + lastExponent > format.exponentLimit) return undefined;
  return { significand, exponent: lastExponent };
}

/** `numerator` / (`denominator` x 2^`shift`) rounded to the nearest integer, ties to even. */
export function divideRounded(numerator: bigint, denominator: bigint, shift: number): bigint {
  const dividend = shift < 0 ? numerator << BigInt(-shift) : numerator;
  const divisor = shift > 0 ? denominator << BigInt(shift) : denominator;
  const quotient = dividend / divisor;
  const twiceRest = 2n * (dividend - quotient * divisor);
  const roundUp = twiceRest > divisor || (twiceRest === divisor && (quotient & 1n) === 1n);
  return roundUp ? quotient + 1n : quotient;
}

function bitLength(value: bigint): number {
  const hex = value.toString(16);
  return BITS_PER_HEX_DIGIT * hex.length - (Math.clz32(Number.parseInt(hex[0], 16)) - 28);
}

function withoutLeadingZeros(digits: string): string {
  return digits.replace(/^0+/, '');
}

function readExponent(text: string | undefined): number {
  if (text === undefined) return 0;
  return Math.max(-EXPONENT_MAX, Math.min(EXPONENT_MAX, Number(text)));
}

/** Keeps a hexadecimal significand's head; a last digit 1 stands for a rest that is not zero. */
function shortenHex(digits: string, exponent: number): { digits: string; exponent: number } {
  if (digits.length <= HEX_DIGITS_MAX) return { digits, exponent };
  const sticky = /[^0]/.test(digits.slice(HEX_DIGITS_MAX)) ? '1' : '0';
  const dropped = digits.length - HEX_DIGITS_MAX - 1;
  return {
    digits: digits.slice(0, HEX_DIGITS_MAX) + sticky,
    exponent: exponent + BITS_PER_HEX_DIGIT * dropped,
  };
}
