/**
 * INCRBYFLOAT's arithmetic: the 80-bit long double of x86-64, done with BigInt so that every digit equals
 * redis-server's.
 *
 * Owns no state; runs on every thread, off the hot path (some microseconds a call). Values are read with one
 * rounding to 64 bits of significand, added with one rounding, and printed exactly.
 * Source: Redis 7.0 `util.c`, `string2ld` and `ld2string` in its human mode.
 */
import {
  type BinaryFloat,
  type BinaryFormat,
  divideRounded,
  roundBinary,
  roundHex,
  scanFloat,
} from './float-text.ts';

/** `significand` x 2^`exponent`, the sign in the significand. `infinite`: the text said so; the sign does not matter. */
type LongDouble = { significand: bigint; exponent: number; infinite: boolean };

const LONG_DOUBLE: BinaryFormat = { precisionBits: 64, exponentMin: -16445, exponentLimit: 16384 };

/** Redis copies the text to a buffer of 5 KiB, its end mark included. */
const TEXT_BYTES_MAX = 5 * 1024 - 1;
/** A text's value is below 10^(digits + exponent) and at least a tenth of that. Beyond these it over- or underflows. */
const DECIMAL_MAGNITUDE_MAX = 4933;
const DECIMAL_MAGNITUDE_MIN = -4951;

const FRACTION_DIGITS = 17;
const FRACTION_SCALE = 10n ** BigInt(FRACTION_DIGITS);

/** The number that `bytes[start, end)` spells; undefined where Redis says "value is not a valid float". */
export function parseLongDouble(bytes: Uint8Array, start: number, end: number): LongDouble | undefined {
  if (end - start > TEXT_BYTES_MAX) return undefined;
  const scanned = scanFloat(bytes, start, end);
  if (scanned === undefined) return undefined;
  if (scanned.infinite) return { significand: 0n, exponent: 0, infinite: true };
  const magnitude =
    scanned.base === 16 ? roundHex(scanned, LONG_DOUBLE) : roundDecimal(scanned.digits, scanned.exponent);
  if (magnitude === undefined) return undefined;
  if (magnitude.significand === 0n && scanned.digits !== '') return undefined;
  const significand = scanned.negative ? -magnitude.significand : magnitude.significand;
  return { significand, exponent: magnitude.exponent, infinite: false };
}

/** The rounded sum; undefined where Redis says "increment would produce NaN or Infinity". */
export function addLongDouble(a: LongDouble, b: LongDouble): LongDouble | undefined {
  if (a.infinite || b.infinite) return undefined;
  const exponent = Math.min(a.exponent, b.exponent);
  const sum =
    (a.significand << BigInt(a.exponent - exponent)) + (b.significand << BigInt(b.exponent - exponent));
  const rounded = roundBinary(sum < 0n ? -sum : sum, 1n, exponent, LONG_DOUBLE);
  if (rounded === undefined) return undefined;
  const significand = sum < 0n ? -rounded.significand : rounded.significand;
  return { significand, exponent: rounded.exponent, infinite: false };
}

/** A finite number as `%.17Lf` prints it, without trailing zeros and never as "-0". */
export function formatLongDouble(value: LongDouble): string {
  const negative = value.significand < 0n;
  const magnitude = negative ? -value.significand : value.significand;
  const scaled = divideRounded(magnitude * FRACTION_SCALE, 1n, -value.exponent);
  if (scaled === 0n) return '0';
  const digits = scaled.toString().padStart(FRACTION_DIGITS + 1, '0');
  const whole = digits.slice(0, -FRACTION_DIGITS);
  const fraction = digits.slice(-FRACTION_DIGITS).replace(/0+$/, '');
  return `${negative ? '-' : ''}${whole}${fraction === '' ? '' : '.'}${fraction}`;
}

function roundDecimal(digits: string, exponent: number): BinaryFloat | undefined {
  if (digits === '') return { significand: 0n, exponent: 0 };
  if (digits.length + exponent > DECIMAL_MAGNITUDE_MAX) return undefined;
  if (digits.length + exponent < DECIMAL_MAGNITUDE_MIN) return { significand: 0n, exponent: 0 };
  const power = 10n ** BigInt(Math.abs(exponent));
  if (exponent >= 0) return roundBinary(BigInt(digits) * power, 1n, 0, LONG_DOUBLE);
  return roundBinary(BigInt(digits), power, 0, LONG_DOUBLE);
}
