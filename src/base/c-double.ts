/**
 * A C string as the double that it spells, the way programs read it that call `strtod` and look whether anything is left.
 *
 * Pure; runs on every thread. Text that is a plain safe integer allocates nothing.
 */
import { parseFloatArgument, parseSafeInteger } from './decimal.ts';

/** The least double with all its bits: smaller ones `strtod` reports as out of range. */
const NORMAL_MIN = 2 ** -1022;

/**
 * The double that `bytes[start, end)` spells up to its first NUL: spaces in front are passed over, and nothing at all is 0. NaN where
 * something is left, where the text says so, and where the number is out of range: infinite, or too small to have all its bits.
 */
export function readCDouble(bytes: Uint8Array, start: number, end: number): number {
  const safe = parseSafeInteger(bytes, start, end);
  if (!Number.isNaN(safe)) return safe;
  const nul = bytes.subarray(start, end).indexOf(0);
  const textEnd = nul < 0 ? end : start + nul;
  if (textEnd === start) return 0;
  let at = start;
  while (at < textEnd && isSpace(bytes[at])) at += 1;
  const value = parseFloatArgument(bytes, at, textEnd);
  return value !== 0 && Math.abs(value) < NORMAL_MIN ? Number.NaN : value;
}

/** As C's isspace has it. */
function isSpace(byte: number): boolean {
  return byte === 0x20 || (byte >= 0x09 && byte <= 0x0d);
}
