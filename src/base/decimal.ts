/**
 * Decimal numbers as RESP carries them: integers read from and written to bytes, doubles as text.
 *
 * Owns no state; runs on every thread. The integer functions are on the hot path and allocate nothing.
 * Source of the grammars: Redis 7.0 `util.c`, `string2ll` and `string2d`.
 */
import { roundToDouble, scanFloat } from './float-text.ts';

const ZERO = 48;
const MINUS = 45;

/** "-9007199254740991": no longer text can be a safe integer. */
const SAFE_CHARACTERS_MAX = 17;
/** "-9223372036854775808": no longer text can be an int64. */
const INT64_CHARACTERS_MAX = 20;
const INT64_MAX = (1n << 63n) - 1n;

/** Below this, quotients fit in 31 bits and division stays in integer registers. */
const SMALL_MAX = 0x7fffffff;
/** Splits a safe integer into a small upper part and eight lower digits. */
const LOWER_DIGITS = 8;
const LOWER_MODULUS = 1e8;

const SIGNIFICANT_DIGITS = 17;
/** `%g` turns to exponents outside of 1e-4 .. 1e17. */
const PLAIN_EXPONENT_MIN = -4;
const INFINITE_TEXT = 'inf';

/**
 * The integer that `bytes[start, end)` spells, or NaN when it is none or lies outside of +-(2^53 - 1).
 * Redis's grammar: an optional '-', then digits without a leading zero; no '+', no spaces, no "-0".
 */
export function parseSafeInteger(bytes: Uint8Array, start: number, end: number): number {
  const length = end - start;
  if (length <= 0 || length > SAFE_CHARACTERS_MAX) return Number.NaN;
  let at = start;
  const negative = bytes[at] === MINUS;
  if (negative) at += 1;
  let value = bytes[at] - ZERO;
  if (at === end || !(value >= 0 && value <= 9)) return Number.NaN;
  if (value === 0) return length === 1 ? 0 : Number.NaN;
  for (at += 1; at < end; at += 1) {
    const digit = bytes[at] - ZERO;
    if (digit < 0 || digit > 9) return Number.NaN;
    value = value * 10 + digit;
  }
  if (value > Number.MAX_SAFE_INTEGER) return Number.NaN;
  return negative ? -value : value;
}

/** Like `parseSafeInteger` for every int64: undefined when the text is no integer or out of range. Allocates. */
export function parseInt64(bytes: Uint8Array, start: number, end: number): bigint | undefined {
  const safe = parseSafeInteger(bytes, start, end);
  if (!Number.isNaN(safe)) return BigInt(safe);
  if (end - start < SAFE_CHARACTERS_MAX - 1 || end - start > INT64_CHARACTERS_MAX) return undefined;
  const negative = bytes[start] === MINUS;
  const firstDigit = negative ? start + 1 : start;
  if (bytes[firstDigit] === ZERO) return undefined;
  let magnitude = 0n;
  for (let at = firstDigit; at < end; at += 1) {
    const digit = bytes[at] - ZERO;
    if (digit < 0 || digit > 9) return undefined;
    magnitude = magnitude * 10n + BigInt(digit);
  }
  if (magnitude > (negative ? INT64_MAX + 1n : INT64_MAX)) return undefined;
  return negative ? -magnitude : magnitude;
}

/** How many characters `writeDecimal` writes for a safe integer, a minus sign included. */
export function decimalDigits(value: number): number {
  if (value < 0) return 1 + decimalDigits(-value);
  if (value < 10) return 1;
  if (value < 100) return 2;
  if (value < 1000) return 3;
  let digits = 4;
  for (let bound = 10_000; value >= bound; bound *= 10) digits += 1;
  return digits;
}

/** Writes a safe integer at `at` and returns the position behind it. -0 is written as 0. The room is there. */
export function writeDecimal(bytes: Uint8Array, at: number, value: number): number {
  if (value < 10 && value >= 0) {
    bytes[at] = ZERO + value;
    return at + 1;
  }
  if (value < 0) {
    bytes[at] = MINUS;
    return writeDecimal(bytes, at + 1, -value);
  }
  const end = at + decimalDigits(value);
  if (value <= SMALL_MAX) {
    writeDigits(bytes, at, end, value);
    return end;
  }
  const upper = Math.floor(value / LOWER_MODULUS);
  writeDigits(bytes, end - LOWER_DIGITS, end, value - upper * LOWER_MODULUS);
  writeDigits(bytes, at, end - LOWER_DIGITS, upper);
  return end;
}

/** Fills `bytes[start, end)` from the right with the last digits of `value`, a 31-bit number. */
function writeDigits(bytes: Uint8Array, start: number, end: number, value: number): void {
  let rest = value | 0;
  for (let at = end - 1; at >= start; at -= 1) {
    const quotient = (rest / 10) | 0;
    bytes[at] = ZERO + (rest - quotient * 10);
    rest = quotient;
  }
}

/**
 * The double that `bytes[start, end)` spells, NaN when it spells none. C's `strtod` grammar as Redis restricts
 * it: decimal or hexadecimal, "inf" and "infinity" in any case; no spaces, no "nan", and neither a finite text that
 * overflows nor one other than zero that becomes zero. Allocates.
 */
export function parseFloatArgument(bytes: Uint8Array, start: number, end: number): number {
  const scanned = scanFloat(bytes, start, end);
  if (scanned === undefined) return Number.NaN;
  if (scanned.infinite) return scanned.negative ? -Infinity : Infinity;
  const magnitude = scanned.base === 10 ? Number(scanned.text) : roundToDouble(scanned);
  if (magnitude === Infinity || (magnitude === 0 && scanned.digits !== '')) return Number.NaN;
  return scanned.negative ? -magnitude : magnitude;
}

/** A double as C's `%.17g` prints it: 17 significant digits, trailing zeros dropped; "inf", "-inf", "nan". */
export function formatDouble(value: number): string {
  if (Number.isInteger(value) && Math.abs(value) <= Number.MAX_SAFE_INTEGER) {
    return Object.is(value, -0) ? '-0' : String(value);
  }
  if (Number.isNaN(value)) return 'nan';
  if (value < 0) return `-${formatDouble(-value)}`;
  if (value === Infinity) return INFINITE_TEXT;
  const { digits, exponent } = significantDigits(value);
  if (exponent < PLAIN_EXPONENT_MIN || exponent >= SIGNIFICANT_DIGITS) {
    const fraction = digits.length > 1 ? `.${digits.slice(1)}` : '';
    const sign = exponent < 0 ? '-' : '+';
    return `${digits[0]}${fraction}e${sign}${String(Math.abs(exponent)).padStart(2, '0')}`;
  }
  if (exponent < 0) return `0.${'0'.repeat(-exponent - 1)}${digits}`;
  const whole = digits.slice(0, exponent + 1).padEnd(exponent + 1, '0');
  return digits.length > exponent + 1 ? `${whole}.${digits.slice(exponent + 1)}` : whole;
}

/** A positive double's 17 rounded digits without trailing zeros, and the decimal exponent of the first. */
function significantDigits(value: number): { digits: string; exponent: number } {
  const [mantissa, exponent] = value.toExponential(SIGNIFICANT_DIGITS - 1).split('e');
  let digits = mantissa.replace('.', '');
  // JavaScript rounds an exact tie up, C to the even digit. Ties are rare but real: 1000000.00048828125.
  const [longMantissa] = value.toExponential(2 * SIGNIFICANT_DIGITS).split('e');
  const longDigits = longMantissa.replace('.', '');
  const lastKept = longDigits.charCodeAt(SIGNIFICANT_DIGITS - 1) - ZERO;
  if (lastKept % 2 === 0 && /^50*$/.test(longDigits.slice(SIGNIFICANT_DIGITS))) {
    digits = longDigits.slice(0, SIGNIFICANT_DIGITS);
  }
  return { digits: digits.replace(/0+$/, ''), exponent: Number(exponent) };
}
