/**
 * Glob patterns over bytes, as KEYS, SCAN and PSUBSCRIBE use them: `*`, `?`, `[a-z]`, `[^a-z]`, `\`.
 *
 * Owns no state; runs on every thread; allocates nothing. Every part of a pattern but `*` takes exactly one byte, so
 * only the last `*` ever needs another try, and matching costs at most text times pattern, mostly their sum.
 * The quirks are Redis's: an unclosed `[` reaches to the end, `*` does not match an empty text, bytes compare signed
 * in ranges, and case is kept for escaped bytes in brackets.
 * Source: Redis 7.0 `util.c`, `stringmatchlen`.
 */

const STAR = 42;
const HYPHEN = 45;
const QUESTION = 63;
const OPEN_BRACKET = 91;
const BACKSLASH = 92;
const CLOSE_BRACKET = 93;
const CARET = 94;

/** Redis gives up on patterns with more separate stars than this. */
const STARS_MAX = 1000;

/** Whether `pattern[patternStart, patternEnd)` matches all of `text[textStart, textEnd)`; `nocase` for ASCII letters. */
export function globMatch(
  pattern: Uint8Array,
  patternStart: number,
  patternEnd: number,
  text: Uint8Array,
  textStart: number,
  textEnd: number,
  nocase: boolean,
): boolean {
  let part = patternStart;
  let at = textStart;
  let stars = 0;
  let partAfterStar = -1;
  let triedAt = 0;
  if (at === textEnd) return part === patternEnd;
  while (at < textEnd) {
    if (part < patternEnd && pattern[part] === STAR) {
      part = skipStars(pattern, part, patternEnd);
      if (part === patternEnd) return true;
      stars += 1;
      if (stars > STARS_MAX) return false;
      partAfterStar = part;
      triedAt = at;
    } else if (part < patternEnd && matchesByte(pattern, part, patternEnd, text[at], nocase)) {
      part = partEnd(pattern, part, patternEnd);
      at += 1;
    } else {
      if (partAfterStar < 0) return false;
      triedAt += 1;
      at = triedAt;
      part = partAfterStar;
    }
  }
  return skipStars(pattern, part, patternEnd) === patternEnd;
}

function skipStars(pattern: Uint8Array, start: number, end: number): number {
  let part = start;
  while (part < end && pattern[part] === STAR) part += 1;
  return part;
}

/** The position behind the part at `start`, which is no star. */
function partEnd(pattern: Uint8Array, start: number, end: number): number {
  if (pattern[start] === BACKSLASH) return Math.min(start + 2, end);
  if (pattern[start] !== OPEN_BRACKET) return start + 1;
  let at = classStart(pattern, start, end);
  while (at < end && pattern[at] !== CLOSE_BRACKET) at = classItemEnd(pattern, at, end);
  return Math.min(at + 1, end);
}

function matchesByte(
  pattern: Uint8Array,
  start: number,
  end: number,
  byte: number,
  nocase: boolean,
): boolean {
  const first = pattern[start];
  if (first === QUESTION) return true;
  if (first === OPEN_BRACKET) return matchesClass(pattern, start, end, byte, nocase);
  const literal = first === BACKSLASH && start + 1 < end ? pattern[start + 1] : first;
  return literal === byte || (nocase && lowerCase(literal) === lowerCase(byte));
}

function matchesClass(
  pattern: Uint8Array,
  start: number,
  end: number,
  byte: number,
  nocase: boolean,
): boolean {
  const first = classStart(pattern, start, end);
  const negated = first > start + 1;
  let at = first;
  while (at < end && pattern[at] !== CLOSE_BRACKET) {
    if (matchesClassItem(pattern, at, end, byte, nocase)) return !negated;
    at = classItemEnd(pattern, at, end);
  }
  return negated;
}

/** Behind `[` or `[^`. */
function classStart(pattern: Uint8Array, start: number, end: number): number {
  return start + 1 < end && pattern[start + 1] === CARET ? start + 2 : start + 1;
}

/** An item is `\x`, `a-z` or one byte. An escape comes first: `\a-z` is an `a`, a hyphen and a `z`. */
function classItemEnd(pattern: Uint8Array, at: number, end: number): number {
  if (pattern[at] === BACKSLASH && at + 1 < end) return at + 2;
  return isRange(pattern, at, end) ? at + 3 : at + 1;
}

function isRange(pattern: Uint8Array, at: number, end: number): boolean {
  return at + 2 < end && pattern[at + 1] === HYPHEN;
}

function matchesClassItem(
  pattern: Uint8Array,
  at: number,
  end: number,
  byte: number,
  nocase: boolean,
): boolean {
  if (pattern[at] === BACKSLASH && at + 1 < end) return pattern[at + 1] === byte;
  if (isRange(pattern, at, end)) return inRange(signed(pattern[at]), signed(pattern[at + 2]), byte, nocase);
  return pattern[at] === byte || (nocase && lowerCase(pattern[at]) === lowerCase(byte));
}

/** The bounds are put in order before they are lowered, which may reverse them again: then nothing matches. */
function inRange(a: number, b: number, byte: number, nocase: boolean): boolean {
  const low = Math.min(a, b);
  const high = Math.max(a, b);
  const value = signed(byte);
  if (!nocase) return value >= low && value <= high;
  return lowerCase(value) >= lowerCase(low) && lowerCase(value) <= lowerCase(high);
}

/** C's `char` on x86-64. */
function signed(byte: number): number {
  return (byte << 24) >> 24;
}

function lowerCase(byte: number): number {
  return byte >= 65 && byte <= 90 ? byte + 32 : byte;
}
