/**
 * Arguments as elements of collections: encoded one behind the other in one scratch buffer of the thread.
 *
 * Runs on the thread of the command. What is encoded is good until the next command. Nothing here allocates, but for growth.
 */
import { Buffer } from 'node:buffer';
import { copyBytes } from '../base/bytes.ts';
import { writeDecimal } from '../base/decimal.ts';
import {
  ELEMENT_OVERHEAD_MAX,
  encodeDeadline,
  encodeElement,
  encodeText,
  encodingEnd,
  integerAt,
  isIntegerElement,
  SCORE_BYTES,
  textLength,
  textStart,
} from '../collections/elements.ts';
import { ENCODED_BYTES_KEPT_MAX } from '../config/limits-collections.ts';
import { beginBulk, type ReplyWriter, writeBulk } from '../resp/reply-writer.ts';
import { argumentBytes } from './arguments.ts';
import type { Call } from './call.ts';

const BYTES_START = 16 * 1024;

/** What was encoded since `beginEncoding`: `bytes[0, length)`. */
export const encoded = { bytes: Buffer.alloc(BYTES_START), length: 0 };

/** Begins anew. Memory that one command needed much of is given back by the next. */
export function beginEncoding(): void {
  encoded.length = 0;
  if (encoded.bytes.length > ENCODED_BYTES_KEPT_MAX) encoded.bytes = Buffer.alloc(BYTES_START);
}

/** Adds argument `index` as an element, an integer if it spells one; where it begins. It ends at `encoded.length`. */
export function encodeArgument(call: Call, index: number): number {
  const { input, spans } = call;
  const at = encoded.length;
  reserve(argumentBytes(call, index) + ELEMENT_OVERHEAD_MAX);
  encoded.length = encodeElement(encoded.bytes, at, input, spans[2 * index], spans[2 * index + 1]);
  return at;
}

/** The same, as a string whatever it spells: a sorted set's member. */
export function encodeMember(call: Call, index: number): number {
  const { input, spans } = call;
  const at = encoded.length;
  reserve(argumentBytes(call, index) + ELEMENT_OVERHEAD_MAX);
  encoded.length = encodeText(encoded.bytes, at, input, spans[2 * index], spans[2 * index + 1]);
  return at;
}

/** Adds the element of `bytes[start, end)`, an integer if it spells one; where it begins. */
export function encodeBytes(bytes: Buffer, start: number, end: number): number {
  const at = encoded.length;
  reserve(end - start + ELEMENT_OVERHEAD_MAX);
  encoded.length = encodeElement(encoded.bytes, at, bytes, start, end);
  return at;
}

/** Adds what lies encoded in `bytes[start, end)`; where it begins. */
export function encodeCopy(bytes: Buffer, start: number, end: number): number {
  const at = encoded.length;
  reserve(end - start);
  copyBytes(bytes, start, end, encoded.bytes, at);
  encoded.length = at + end - start;
  return at;
}

/** Adds a score, to be followed by its member; where it begins. */
export function encodeScore(score: number): number {
  const at = encoded.length;
  reserve(SCORE_BYTES);
  encoded.bytes.writeDoubleLE(score, at);
  encoded.length = at + SCORE_BYTES;
  return at;
}

/** Adds a deadline, which ends a group of a hash; 0 stands for none where it is told apart from its group. */
export function encodeDeadlineOf(deadlineMs: number): void {
  reserve(ELEMENT_OVERHEAD_MAX);
  encoded.length = encodeDeadline(encoded.bytes, encoded.length, deadlineMs);
}

/** Answers with an element's content. */
export function writeElement(reply: ReplyWriter, bytes: Buffer, at: number): void {
  if (!isIntegerElement(bytes, at)) {
    writeBulk(reply, bytes, textStart(bytes, at), encodingEnd(bytes, at));
    return;
  }
  const to = beginBulk(reply, textLength(bytes, at));
  writeDecimal(reply.bytes, to, integerAt(bytes, at));
}

function reserve(more: number): void {
  const needed = encoded.length + more;
  if (needed <= encoded.bytes.length) return;
  const bytes = Buffer.allocUnsafe(Math.max(needed, 2 * encoded.bytes.length));
  encoded.bytes.copy(bytes, 0, 0, encoded.length);
  encoded.bytes = bytes;
}
