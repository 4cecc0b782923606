/**
 * A whole reply of RESP2 as a value: for the few commands that this server sends itself and whose replies it reads. It allocates; what
 * is passed on to clients is never decoded (reply-frames.ts finds where it ends).
 *
 * Pure. Source: the RESP specification (redis.io).
 */
import type { Buffer } from 'node:buffer';

/** Simple strings are texts, bulk strings bytes. An error is one that the other server answered, with its first word; so is a type that RESP2 has not. */
export type ReplyValue = string | number | null | Buffer | ReplyFault | readonly ReplyValue[];

export type ReplyFault = { readonly fault: string };

type Cursor = { readonly bytes: Buffer; at: number };

const RETURN_BYTES = 2;

/** `bytes` hold one frame, whole and well formed, as `readFrame` has found it. */
export function decodeReply(bytes: Buffer): ReplyValue {
  return decodeNext({ bytes, at: 0 });
}

export function isFault(value: ReplyValue): value is ReplyFault {
  return value !== null && typeof value === 'object' && 'fault' in value;
}

function decodeNext(cursor: Cursor): ReplyValue {
  const line = takeLine(cursor);
  const text = line.slice(1);
  switch (line[0]) {
    case '+':
      return text;
    case '-':
      return { fault: text };
    case ':':
      return Number(text);
    case '$':
      return takeBulk(cursor, Number(text));
    case '*':
      return takeItems(cursor, Number(text));
    default:
      return { fault: `a reply of type '${line[0]}'` };
  }
}

function takeLine(cursor: Cursor): string {
  const end = cursor.bytes.indexOf('\r\n', cursor.at);
  const line = cursor.bytes.toString('utf8', cursor.at, end);
  cursor.at = end + RETURN_BYTES;
  return line;
}

function takeBulk(cursor: Cursor, length: number): Buffer | null {
  if (length < 0) return null;
  const start = cursor.at;
  cursor.at = start + length + RETURN_BYTES;
  return cursor.bytes.subarray(start, start + length);
}

function takeItems(cursor: Cursor, count: number): readonly ReplyValue[] | null {
  if (count < 0) return null;
  return Array.from({ length: count }, () => decodeNext(cursor));
}
