/**
 * One argument of an inline command such as `SET key "a value\n"`, its quotes and escapes resolved in place.
 *
 * Owns no state; runs on the workers. Inline commands are typed by people: clear rather than fast.
 * Source: Redis 7.0 `sds.c`, `sdssplitargs`.
 */

const TAB = 9;
const LINE_FEED = 10;
const CARRIAGE_RETURN = 13;
const SPACE = 32;
const DOUBLE_QUOTE = 34;
const SINGLE_QUOTE = 39;
const BACKSLASH = 92;
const LETTER_X = 120;

/** What a backslash and the letter mean between double quotes. Every other byte means itself. */
const ESCAPED_BYTES: Readonly<Record<string, number>> = { n: 10, r: 13, t: 9, b: 8, a: 7 };

/** The first position from `start` on that is no blank, `end` at most. */
export function skipBlanks(bytes: Uint8Array, start: number, end: number): number {
  let at = start;
  while (at < end && isBlank(bytes[at])) at += 1;
  return at;
}

/**
 * Reads the argument that begins at `start`, which is no blank, rewrites it there without quotes and escapes, and puts
 * its span to `spans[index]` and the next. Returns the position behind its source, or -1 when its quotes are not
 * closed, or closed before something else than a blank. A quote may open in the middle; it always ends the argument.
 */
export function readInlineArgument(
  bytes: Uint8Array,
  start: number,
  end: number,
  spans: Int32Array,
  index: number,
): number {
  let at = start;
  let to = start;
  let quote = 0;
  let closed = false;
  while (!closed && at < end) {
    const byte = bytes[at];
    if (quote === 0) {
      if (endsPlainArgument(byte)) break;
      at += 1;
      if (byte === DOUBLE_QUOTE || byte === SINGLE_QUOTE) quote = byte;
      else bytes[to++] = byte;
    } else if (byte === quote) {
      at += 1;
      closed = true;
    } else {
      const length = escapeLength(bytes, at, end, quote);
      bytes[to++] = length === 1 ? byte : escapedByte(bytes, at, length);
      at += length;
    }
  }
  if (quote !== 0 && !closed) return -1;
  if (closed && at < end && !isBlank(bytes[at])) return -1;
  spans[index] = start;
  spans[index + 1] = to;
  return at;
}

/** How many quoted bytes at `at` stand for one: 1, 2 for an escape, 4 for `\x41`. */
function escapeLength(bytes: Uint8Array, at: number, end: number, quote: number): number {
  if (bytes[at] !== BACKSLASH || at + 1 >= end) return 1;
  if (quote === SINGLE_QUOTE) return bytes[at + 1] === SINGLE_QUOTE ? 2 : 1;
  const hexadecimal =
    bytes[at + 1] === LETTER_X && at + 3 < end && isHexDigit(bytes[at + 2]) && isHexDigit(bytes[at + 3]);
  return hexadecimal ? 4 : 2;
}

function escapedByte(bytes: Uint8Array, at: number, length: number): number {
  if (length === 4) return Number.parseInt(String.fromCharCode(bytes[at + 2], bytes[at + 3]), 16);
  return ESCAPED_BYTES[String.fromCharCode(bytes[at + 1])] ?? bytes[at + 1];
}

function isHexDigit(byte: number): boolean {
  return /[0-9a-fA-F]/.test(String.fromCharCode(byte));
}

/** C's `isspace`: space, tab, line feed, vertical tab, form feed, carriage return. */
function isBlank(byte: number): boolean {
  return byte === SPACE || (byte >= TAB && byte <= CARRIAGE_RETURN);
}

/** Vertical tab and form feed separate arguments, but do not end one that has begun. */
function endsPlainArgument(byte: number): boolean {
  return byte === SPACE || byte === LINE_FEED || byte === CARRIAGE_RETURN || byte === TAB;
}
