/**
 * Requests out of a connection's input bytes: RESP arrays of bulk strings, and inline commands.
 *
 * A parsed request is a row of spans into the input, no copies and no strings: argument i is
 * `bytes[spans[2i], spans[2i + 1])`. A `Request` belongs to one connection and is used on its worker's thread only; it
 * also remembers where an incomplete request stopped, so that no byte is looked at twice, however it arrives.
 * Parsing allocates nothing but longer spans, and a bulk string's bytes are skipped, not read.
 *
 * Accepts and refuses what redis-server does, its leniencies included: of CR LF only the CR is looked at, a bulk
 * string's two last bytes not at all, and a NUL in a line hides what follows it (C's `strchr`). `POST` and `Host:`,
 * which redis-server answers by closing the connection, are ordinary inline requests here: that is for the commands.
 * Source: Redis 7.0 `networking.c`, `processInputBuffer` and what it calls.
 */
import { parseInt64, parseSafeInteger } from '../base/decimal.ts';
import {
  REQUEST_LINE_BYTES_MAX,
  UNAUTHENTICATED_ARGUMENTS_MAX,
  UNAUTHENTICATED_BULK_BYTES_MAX,
} from '../config/limits.ts';
import { readInlineArgument, skipBlanks } from './inline-argument.ts';

export type Request = {
  /** Start and end of each argument. Longer than 2 x `count`. */
  spans: Int32Array;
  /** Arguments read so far. */
  count: number;
  /** Arguments still to be read; 0 before the request's first line is complete. */
  remaining: number;
  /** Where the argument being read, or its length line, begins. */
  position: number;
  /** The length of the argument being read, -1 while its length line is incomplete. */
  bulkBytes: number;
  /** A line's end is searched from here on, -1 when no search is under way. */
  searchFrom: number;
  /** The byte that should have been a '$'. */
  unexpectedByte: number;
};

/** `argumentsMax` is at least 10. Requests of those not `authenticated` are kept small. */
export type RequestBounds = { bulkBytesMax: number; argumentsMax: number; authenticated: boolean };

/** More bytes are needed. */
export const INCOMPLETE = -1;
const MULTIBULK_LENGTH_INVALID = -2;
const MULTIBULK_LENGTH_UNAUTHENTICATED = -3;
const MULTIBULK_LINE_TOO_BIG = -4;
const BULK_LENGTH_INVALID = -5;
const BULK_LENGTH_UNAUTHENTICATED = -6;
const BULK_LINE_TOO_BIG = -7;
const DOLLAR_EXPECTED = -8;
const INLINE_TOO_BIG = -9;
const QUOTES_UNBALANCED = -10;

const ARGUMENTS_AT_START = 64;

/** More room than this for arguments is not kept for later requests. */
const ARGUMENTS_KEPT_MAX = 16 * 1024;

/** `*3` with its line's end. */
const SHORT_COUNT_LINE_BYTES = 4;
/** `$123456` and the CR: length lines up to this are read in place. */
const SHORT_LENGTH_LINE_BYTES_MAX = 8;
const LINE_END_BYTES = 2;

const PROTOCOL_ERRORS: Readonly<Record<number, string>> = {
  [MULTIBULK_LENGTH_INVALID]: 'invalid multibulk length',
  [MULTIBULK_LENGTH_UNAUTHENTICATED]: 'unauthenticated multibulk length',
  [MULTIBULK_LINE_TOO_BIG]: 'too big mbulk count string',
  [BULK_LENGTH_INVALID]: 'invalid bulk length',
  [BULK_LENGTH_UNAUTHENTICATED]: 'unauthenticated bulk length',
  [BULK_LINE_TOO_BIG]: 'too big bulk count string',
  [INLINE_TOO_BIG]: 'too big inline request',
  [QUOTES_UNBALANCED]: 'unbalanced quotes in request',
};

const NUL = 0;
const LINE_FEED = 10;
const CARRIAGE_RETURN = 13;
const DOLLAR = 36;
const STAR = 42;
const ZERO = 48;

export function createRequest(): Request {
  return {
    spans: new Int32Array(2 * ARGUMENTS_AT_START),
    count: 0,
    remaining: 0,
    position: 0,
    bulkBytes: -1,
    searchFrom: -1,
    unexpectedByte: 0,
  };
}

/**
 * Reads one request of `bytes[start, end)` and returns the position behind it. It may be empty (`count` 0): then
 * there is nothing to answer. Or returns `INCOMPLETE`: call again, with the same `start`, when there are
 * more bytes behind the same ones (`rebaseRequest` when they have moved). Or another negative number, a protocol
 * error: `protocolErrorText` says which, and the connection must be closed.
 * Quoted inline arguments are unescaped in place, over the input.
 */
export function parseRequest(
  request: Request,
  bytes: Uint8Array,
  start: number,
  end: number,
  bounds: RequestBounds,
): number {
  if (request.remaining > 0) return parseArguments(request, bytes, request.position, end, bounds);
  request.count = 0;
  if (end - start >= SHORT_COUNT_LINE_BYTES && bytes[start] === STAR) {
    const count = bytes[start + 1] - ZERO;
    if (count >= 1 && count <= 9 && bytes[start + 2] === CARRIAGE_RETURN) {
      request.remaining = count;
      return parseArguments(request, bytes, start + SHORT_COUNT_LINE_BYTES, end, bounds);
    }
  }
  if (start >= end) return INCOMPLETE;
  if (bytes[start] !== STAR) return parseInline(request, bytes, start, end);
  const position = parseCountLine(request, bytes, start, end, bounds);
  return request.remaining > 0 ? parseArguments(request, bytes, position, end, bounds) : position;
}

/** Reads the `remaining` arguments from `position` on. The hottest loop here: short length lines are read in place. */
function parseArguments(
  request: Request,
  bytes: Uint8Array,
  start: number,
  end: number,
  bounds: RequestBounds,
): number {
  const bulkBytesMax = bulkBytesAllowed(bounds);
  const spansEnd = 2 * (request.count + request.remaining);
  let spans = request.spans;
  let position = start;
  let bulkBytes = request.bulkBytes;
  let next = 2 * request.count;
  while (next < spansEnd) {
    if (bulkBytes < 0) {
      const limit = Math.min(position + SHORT_LENGTH_LINE_BYTES_MAX, end - 1);
      let at = position + 1;
      let length = 0;
      for (; at < limit; at += 1) {
        const digit = bytes[at] - ZERO;
        if (digit < 0 || digit > 9) break;
        length = length * 10 + digit;
      }
      const wellFormed =
        at < limit && bytes[at] === CARRIAGE_RETURN && bytes[position] === DOLLAR && at > position + 1;
      const leadingZero = bytes[position + 1] === ZERO && at > position + 2;
      if (wellFormed && !leadingZero && length <= bulkBytesMax) {
        position = at + LINE_END_BYTES;
        bulkBytes = length;
      } else {
        const after = parseLengthLine(request, bytes, position, end, bounds);
        if (after < 0) return stopArguments(request, position, -1, next, spansEnd, after);
        position = after;
        bulkBytes = request.bulkBytes;
      }
    }
    const argumentEnd = position + bulkBytes;
    if (argumentEnd + LINE_END_BYTES > end) {
      return stopArguments(request, position, bulkBytes, next, spansEnd, INCOMPLETE);
    }
    if (next >= spans.length) spans = growSpans(request);
    spans[next] = position;
    spans[next + 1] = argumentEnd;
    next += 2;
    position = argumentEnd + LINE_END_BYTES;
    bulkBytes = -1;
  }
  request.count = next / 2;
  request.remaining = 0;
  request.bulkBytes = -1;
  request.searchFrom = -1;
  return position;
}

/** Keeps what a later call needs to go on, and passes on why this one stops. */
function stopArguments(
  request: Request,
  position: number,
  bulkBytes: number,
  next: number,
  spansEnd: number,
  outcome: number,
): number {
  request.position = position;
  request.bulkBytes = bulkBytes;
  request.count = next / 2;
  request.remaining = (spansEnd - next) / 2;
  return outcome;
}

/** Forgets an incomplete request, and the room that an unusually long one has taken. */
export function resetRequest(request: Request): void {
  if (request.spans.length > 2 * ARGUMENTS_KEPT_MAX) request.spans = new Int32Array(2 * ARGUMENTS_AT_START);
  request.count = 0;
  request.remaining = 0;
  request.bulkBytes = -1;
  request.searchFrom = -1;
}

/** To be called when the input has moved by `delta` bytes, usually to the left: `delta` is negative then. */
export function rebaseRequest(request: Request, delta: number): void {
  const spans = request.spans;
  for (let i = 0; i < 2 * request.count; i += 1) spans[i] += delta;
  request.position += delta;
  if (request.searchFrom >= 0) request.searchFrom += delta;
}

/** How many bytes behind `end` the argument being read still needs; 0 when its length is not known yet. */
export function requestBytesMissing(request: Request, end: number): number {
  if (request.remaining === 0 || request.bulkBytes < 0) return 0;
  return Math.max(0, request.position + request.bulkBytes + LINE_END_BYTES - end);
}

/** What redis-server says about a protocol error, the leading `ERR` left out. */
export function protocolErrorText(code: number, request: Request): string {
  if (code === DOLLAR_EXPECTED) {
    return `Protocol error: expected '$', got '${String.fromCharCode(request.unexpectedByte)}'`;
  }
  return `Protocol error: ${PROTOCOL_ERRORS[code]}`;
}

/** `*` and the number of arguments. Not positive: an empty request. */
function parseCountLine(
  request: Request,
  bytes: Uint8Array,
  start: number,
  end: number,
  bounds: RequestBounds,
): number {
  const lineEnd = findReturn(request, bytes, start, end);
  if (lineEnd < 0) return end - start > REQUEST_LINE_BYTES_MAX ? MULTIBULK_LINE_TOO_BIG : INCOMPLETE;
  const count = parseCount(bytes, start + 1, lineEnd);
  if (!(count <= bounds.argumentsMax)) return MULTIBULK_LENGTH_INVALID;
  if (count > UNAUTHENTICATED_ARGUMENTS_MAX && !bounds.authenticated) return MULTIBULK_LENGTH_UNAUTHENTICATED;
  request.remaining = Math.max(0, count);
  return lineEnd + LINE_END_BYTES;
}

/** `$` and the length of an argument, which goes to `request.bulkBytes`. */
function parseLengthLine(
  request: Request,
  bytes: Uint8Array,
  start: number,
  end: number,
  bounds: RequestBounds,
): number {
  const lineEnd = findReturn(request, bytes, start, end);
  if (lineEnd < 0) return end - start > REQUEST_LINE_BYTES_MAX ? BULK_LINE_TOO_BIG : INCOMPLETE;
  if (bytes[start] !== DOLLAR) {
    request.unexpectedByte = bytes[start];
    return DOLLAR_EXPECTED;
  }
  const length = parseSafeInteger(bytes, start + 1, lineEnd);
  if (!(length >= 0 && length <= bounds.bulkBytesMax)) return BULK_LENGTH_INVALID;
  if (length > bulkBytesAllowed(bounds)) return BULK_LENGTH_UNAUTHENTICATED;
  request.bulkBytes = length;
  return lineEnd + LINE_END_BYTES;
}

function bulkBytesAllowed(bounds: RequestBounds): number {
  return bounds.authenticated
    ? bounds.bulkBytesMax
    : Math.min(bounds.bulkBytesMax, UNAUTHENTICATED_BULK_BYTES_MAX);
}

/** An int64 as a number: those which are no safe integers are far outside of every bound, whatever they round to. */
function parseCount(bytes: Uint8Array, start: number, end: number): number {
  const count = parseSafeInteger(bytes, start, end);
  return Number.isNaN(count) ? Number(parseInt64(bytes, start, end) ?? count) : count;
}

/**
 * Where the line that begins at `start` has its CR, or -1 while that, or the byte behind it, is missing. A NUL before
 * it hides it for good.
 */
function findReturn(request: Request, bytes: Uint8Array, start: number, end: number): number {
  let at = Math.max(start, request.searchFrom);
  while (at < end && bytes[at] !== CARRIAGE_RETURN && bytes[at] !== NUL) at += 1;
  const found = at + 1 < end && bytes[at] === CARRIAGE_RETURN;
  request.searchFrom = found ? -1 : at;
  return found ? at : -1;
}

/** One line up to LF. A CR before that is a blank like others. */
function parseInline(request: Request, bytes: Uint8Array, start: number, end: number): number {
  let at = Math.max(start, request.searchFrom);
  while (at < end && bytes[at] !== LINE_FEED && bytes[at] !== NUL) at += 1;
  if (at === end || bytes[at] === NUL) {
    request.searchFrom = at;
    return end - start > REQUEST_LINE_BYTES_MAX ? INLINE_TOO_BIG : INCOMPLETE;
  }
  request.searchFrom = -1;
  return splitLine(request, bytes, start, at) ? at + 1 : QUOTES_UNBALANCED;
}

/** False when quotes are open at the line's end or closed in the middle of an argument. */
function splitLine(request: Request, bytes: Uint8Array, start: number, end: number): boolean {
  let at = skipBlanks(bytes, start, end);
  while (at < end) {
    if (2 * request.count >= request.spans.length) growSpans(request);
    at = readInlineArgument(bytes, at, end, request.spans, 2 * request.count);
    if (at < 0) return false;
    request.count += 1;
    at = skipBlanks(bytes, at, end);
  }
  return true;
}

function growSpans(request: Request): Int32Array {
  const grown = new Int32Array(2 * request.spans.length);
  grown.set(request.spans);
  request.spans = grown;
  return grown;
}
