/**
 * Replies in RESP2 or RESP3, appended to one growing buffer.
 *
 * A writer belongs to one connection and is used on its worker's thread only. `bytes[0, length)` is what has been
 * written since `length` was last set to 0 by whoever sent it. Writing allocates only when the buffer must grow,
 * and then it doubles. Text goes out as Latin-1, one byte per character, unless a function says UTF-8.
 * Source: Redis 7.0 `networking.c`, `addReply*`.
 */
import { Buffer } from 'node:buffer';
import { copyBytes } from '../base/bytes.ts';
import { formatDouble, writeDecimal } from '../base/decimal.ts';

export type ReplyWriter = { bytes: Buffer; length: number; protocol: 2 | 3 };

const CARRIAGE_RETURN = 13;
const LINE_FEED = 10;
const MINUS = 45;
const PLUS = 43;
const COLON = 58;
const DOLLAR = 36;
const STAR = 42;
const PERCENT = 37;
const TILDE = 126;
const GREATER = 62;

/** A type byte, a safe integer with its sign, CRLF. */
const HEADER_BYTES_MAX = 20;
const LINE_END_BYTES = 2;

const OK = Buffer.from('+OK\r\n');
const PONG = Buffer.from('+PONG\r\n');
const NULL_BULK = Buffer.from('$-1\r\n');
const NULL_ARRAY = Buffer.from('*-1\r\n');
const NULL_RESP3 = Buffer.from('_\r\n');
const ZERO_INTEGER = Buffer.from(':0\r\n');
const ONE_INTEGER = Buffer.from(':1\r\n');
const FALSE_RESP3 = Buffer.from('#f\r\n');
const TRUE_RESP3 = Buffer.from('#t\r\n');

/** An empty RESP2 writer whose buffer holds `capacityBytes` (at least 1) before it grows. */
export function createReplyWriter(capacityBytes: number): ReplyWriter {
  return { bytes: Buffer.allocUnsafeSlow(capacityBytes), length: 0, protocol: 2 };
}

/** Makes room for `bytes` more. What is written so far is kept, perhaps in another buffer. */
export function ensureRoom(reply: ReplyWriter, bytes: number): void {
  if (reply.bytes.length - reply.length < bytes) grow(reply, reply.length + bytes);
}

export function writeOk(reply: ReplyWriter): void {
  writeRaw(reply, OK);
}

export function writePong(reply: ReplyWriter): void {
  writeRaw(reply, PONG);
}

/** Appends bytes that are RESP already. */
export function writeRaw(reply: ReplyWriter, bytes: Buffer): void {
  const length = bytes.length;
  ensureRoom(reply, length);
  copyBytes(bytes, 0, length, reply.bytes, reply.length);
  reply.length += length;
}

/** A status such as `+QUEUED`: one line, without the '+'. */
export function writeSimple(reply: ReplyWriter, text: string): void {
  writeLine(reply, PLUS, text);
}

/** An error with its code, such as `ERR syntax error`, without the '-'. A line break in it becomes a space. */
export function writeError(reply: ReplyWriter, text: string): void {
  writeLine(reply, MINUS, text.replace(/[\r\n]+$/, '').replace(/[\r\n]/g, ' '));
}

/** A safe integer. */
export function writeInteger(reply: ReplyWriter, value: number): void {
  writeHeader(reply, COLON, value);
}

/** Any int64, for the rare ones which are not safe integers. Allocates. */
export function writeBigInteger(reply: ReplyWriter, value: bigint): void {
  writeLine(reply, COLON, value.toString());
}

/** A bulk string copied from `bytes[start, end)`, which may be shared memory. */
export function writeBulk(reply: ReplyWriter, bytes: Buffer, start: number, end: number): void {
  const at = beginBulk(reply, end - start);
  copyBytes(bytes, start, end, reply.bytes, at);
}

/**
 * Writes the frame of a bulk string of `byteCount` bytes and returns where in `reply.bytes` the caller has to put
 * them, before anything else is written.
 */
export function beginBulk(reply: ReplyWriter, byteCount: number): number {
  ensureRoom(reply, HEADER_BYTES_MAX + byteCount + LINE_END_BYTES);
  const bytes = reply.bytes;
  let at = reply.length;
  bytes[at] = DOLLAR;
  at = endLine(bytes, writeDecimal(bytes, at + 1, byteCount));
  reply.length = endLine(bytes, at + byteCount);
  return at;
}

/** A bulk string of a JavaScript string in UTF-8. A text that stands for bytes goes through `writeBulk`. */
export function writeBulkText(reply: ReplyWriter, text: string): void {
  const byteCount = Buffer.byteLength(text, 'utf8');
  const at = beginBulk(reply, byteCount);
  reply.bytes.write(text, at, byteCount, 'utf8');
}

/** `$-1`, in RESP3 `_`. */
export function writeNull(reply: ReplyWriter): void {
  writeRaw(reply, reply.protocol === 2 ? NULL_BULK : NULL_RESP3);
}

/** `*-1`, in RESP3 `_`. */
export function writeNullArray(reply: ReplyWriter): void {
  writeRaw(reply, reply.protocol === 2 ? NULL_ARRAY : NULL_RESP3);
}

/** The header of an array; its `count` elements follow. */
export function writeArray(reply: ReplyWriter, count: number): void {
  writeHeader(reply, STAR, count);
}

/**
 * Puts an array's header before what has been written since `reply.length` was `at`: for a count that is only known
 * after the elements are written. Moves those bytes once.
 */
export function insertArray(reply: ReplyWriter, at: number, count: number): void {
  const end = reply.length;
  writeHeader(reply, STAR, count);
  const headerBytes = reply.length - end;
  const bytes = reply.bytes;
  bytes.copyWithin(at + headerBytes, at, end);
  bytes[at] = STAR;
  endLine(bytes, writeDecimal(bytes, at + 1, count));
}

/** The header of a map; `pairs` keys with their values follow, in RESP2 as a flat array. */
export function writeMap(reply: ReplyWriter, pairs: number): void {
  if (reply.protocol === 2) writeHeader(reply, STAR, 2 * pairs);
  else writeHeader(reply, PERCENT, pairs);
}

/** The header of a set, in RESP2 an array. */
export function writeSet(reply: ReplyWriter, count: number): void {
  writeHeader(reply, reply.protocol === 2 ? STAR : TILDE, count);
}

/** The header of a push message, in RESP2 an array. */
export function writePush(reply: ReplyWriter, count: number): void {
  writeHeader(reply, reply.protocol === 2 ? STAR : GREATER, count);
}

/** `:1` or `:0`, in RESP3 `#t` or `#f`. */
export function writeBoolean(reply: ReplyWriter, value: boolean): void {
  if (reply.protocol === 2) writeRaw(reply, value ? ONE_INTEGER : ZERO_INTEGER);
  else writeRaw(reply, value ? TRUE_RESP3 : FALSE_RESP3);
}

/** A double: a bulk string, in RESP3 `,1.5`. */
export function writeDouble(reply: ReplyWriter, value: number): void {
  const text = formatDouble(value);
  if (reply.protocol === 2) writeBulkText(reply, text);
  else writeRaw(reply, Buffer.from(`,${text}\r\n`, 'latin1'));
}

/** A text for people in UTF-8: a bulk string, in RESP3 `=` with its three-letter `format` (`txt`, `mkd`). */
export function writeVerbatim(reply: ReplyWriter, format: string, text: string): void {
  if (reply.protocol === 2) {
    writeBulkText(reply, text);
    return;
  }
  const payload = Buffer.from(`${format}:${text}`, 'utf8');
  writeRaw(reply, Buffer.from(`=${payload.length}\r\n`, 'latin1'));
  writeRaw(reply, payload);
  ensureRoom(reply, LINE_END_BYTES);
  reply.length = endLine(reply.bytes, reply.length);
}

function writeHeader(reply: ReplyWriter, typeByte: number, value: number): void {
  ensureRoom(reply, HEADER_BYTES_MAX);
  const bytes = reply.bytes;
  const at = reply.length;
  bytes[at] = typeByte;
  reply.length = endLine(bytes, writeDecimal(bytes, at + 1, value));
}

function writeLine(reply: ReplyWriter, typeByte: number, text: string): void {
  ensureRoom(reply, 1 + text.length + LINE_END_BYTES);
  const bytes = reply.bytes;
  const at = reply.length;
  bytes[at] = typeByte;
  bytes.write(text, at + 1, text.length, 'latin1');
  reply.length = endLine(bytes, at + 1 + text.length);
}

function endLine(bytes: Buffer, at: number): number {
  bytes[at] = CARRIAGE_RETURN;
  bytes[at + 1] = LINE_FEED;
  return at + 2;
}

function grow(reply: ReplyWriter, bytesNeeded: number): void {
  let capacityBytes = 2 * reply.bytes.length;
  while (capacityBytes < bytesNeeded) capacityBytes *= 2;
  const grown = Buffer.allocUnsafeSlow(capacityBytes);
  reply.bytes.copy(grown, 0, 0, reply.length);
  reply.bytes = grown;
}
