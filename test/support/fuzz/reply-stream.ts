/**
 * Whether what a server sends is RESP, byte by byte as it comes: nothing else may leave it, whatever it was sent.
 */
import type { Buffer } from 'node:buffer';

export type ReplyStream = {
  /** The replies and pushes that are whole so far. */
  count: number;
  /** The error lines so far that match `INTERNAL_ERROR`. */
  readonly internalErrors: string[];
  /** Bytes of a line whose end has not come. */
  line: string;
  /** Bytes of a bulk string that are still to come, its end included; 0 outside one. */
  bulkLeft: number;
  /** Items still to come of each open aggregate, the innermost last. */
  readonly open: number[];
};

const INTERNAL_ERROR = /^-ERR internal error/;
const LINE_BYTES_MAX = 70_000;
const LINE_ENDS_IN_BULK = 2;
const DECIMAL = /^-?(0|[1-9]\d*)$/;
const DOUBLE = /^(inf|-inf|nan|-?\d+(\.\d+)?([eE][-+]?\d+)?)$/;
/** How many items follow for each that an aggregate announces. */
const ITEMS: Readonly<Record<string, number>> = { '*': 1, '~': 1, '>': 1, '%': 2, '|': 2 };

export function createReplyStream(): ReplyStream {
  return { count: 0, internalErrors: [], line: '', bulkLeft: 0, open: [] };
}

/** Takes the next bytes. Throws at the first that no RESP server would send. */
export function takeBytes(stream: ReplyStream, bytes: Buffer): void {
  let at = 0;
  while (at < bytes.length) {
    if (stream.bulkLeft > 0) at = takeBulk(stream, bytes, at);
    else at = takeLine(stream, bytes, at);
  }
}

function takeBulk(stream: ReplyStream, bytes: Buffer, at: number): number {
  const taken = Math.min(stream.bulkLeft, bytes.length - at);
  for (let offset = Math.max(0, stream.bulkLeft - LINE_ENDS_IN_BULK); offset < taken; offset += 1) {
    const expected = stream.bulkLeft - offset === LINE_ENDS_IN_BULK ? 13 : 10;
    if (bytes[at + offset] !== expected)
      throw new Error(`a bulk string that does not end: ${around(bytes, at)}`);
  }
  stream.bulkLeft -= taken;
  if (stream.bulkLeft === 0) endItem(stream);
  return at + taken;
}

function takeLine(stream: ReplyStream, bytes: Buffer, at: number): number {
  const end = bytes.indexOf(10, at);
  stream.line += bytes.toString('latin1', at, end < 0 ? bytes.length : end + 1);
  if (stream.line.length > LINE_BYTES_MAX)
    throw new Error(`a line without an end: ${stream.line.slice(0, 80)}`);
  if (end < 0) return bytes.length;
  const { line } = stream;
  stream.line = '';
  if (!line.endsWith('\r\n'))
    throw new Error(`a line that ends without a carriage return: ${JSON.stringify(line)}`);
  beginItem(stream, line.slice(0, -2));
  return end + 1;
}

function beginItem(stream: ReplyStream, line: string): void {
  const [kind] = line;
  const rest = line.slice(1);
  if (kind === '+' || kind === '-') {
    if (INTERNAL_ERROR.test(line)) stream.internalErrors.push(line);
  } else if (kind === ':') expect(DECIMAL.test(rest), line);
  else if (kind === ',') expect(DOUBLE.test(rest), line);
  else if (kind === '#') expect(rest === 't' || rest === 'f', line);
  else if (kind === '_') expect(rest === '', line);
  else if (kind === '(') expect(DECIMAL.test(rest), line);
  else {
    beginLong(stream, kind, rest, line);
    return;
  }
  endItem(stream);
}

function beginLong(stream: ReplyStream, kind: string, rest: string, line: string): void {
  const count = Number(rest);
  const isBulk = kind === '$' || kind === '=';
  expect(DECIMAL.test(rest) && (isBulk || ITEMS[kind] !== undefined), line);
  expect(count >= 0 || (count === -1 && (kind === '$' || kind === '*')), line);
  if (isBulk && count >= 0) stream.bulkLeft = count + LINE_ENDS_IN_BULK;
  else if (count > 0) stream.open.push(count * ITEMS[kind]);
  else endItem(stream);
}

function endItem(stream: ReplyStream): void {
  const { open } = stream;
  while (open.length > 0) {
    open[open.length - 1] -= 1;
    if (open[open.length - 1] > 0) return;
    open.pop();
  }
  stream.count += 1;
}

function expect(isRight: boolean, line: string): void {
  if (!isRight) throw new Error(`no reply begins so: ${JSON.stringify(line.slice(0, 80))}`);
}

function around(bytes: Buffer, at: number): string {
  return JSON.stringify(bytes.toString('latin1', Math.max(0, at - 20), at + 60));
}
