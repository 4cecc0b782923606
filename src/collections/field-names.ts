/**
 * Fields of a hash as the two trees name them: an element, maybe an integer, among the fields; always a text among the deadlines, whose
 * groups are compared by their bytes.
 *
 * Pure; any thread.
 */
import { Buffer } from 'node:buffer';
import {
  ELEMENT_OVERHEAD_MAX,
  encodeElement,
  encodeText,
  SCORE_BYTES,
  textLength,
  writeText,
} from './elements.ts';

/** Bytes that grow: `bytes[0, length)`. */
export type Bytes = { bytes: Buffer; length: number };

const TEXT_BYTES_START = 256;

/** A text on its way to an element. One per thread. */
let text = Buffer.alloc(TEXT_BYTES_START);

/** Writes the group of the second tree for a deadline of the field whose element is at `at` behind what is in `target`. */
export function pushDeadline(target: Bytes, deadlineMs: number, bytes: Buffer, at: number): void {
  const length = textLength(bytes, at);
  if (text.length < length) text = Buffer.alloc(2 * length);
  writeText(bytes, at, text, 0);
  reserve(target, SCORE_BYTES + length + ELEMENT_OVERHEAD_MAX);
  target.bytes.writeDoubleLE(deadlineMs, target.length);
  target.length = encodeText(target.bytes, target.length + SCORE_BYTES, text, 0, length);
}

/** Adds the element at `at`, of either tree, to `target` as the field that it is. */
export function pushField(target: Bytes, bytes: Buffer, at: number): void {
  const length = textLength(bytes, at);
  if (text.length < length) text = Buffer.alloc(2 * length);
  writeText(bytes, at, text, 0);
  reserve(target, length + ELEMENT_OVERHEAD_MAX);
  target.length = encodeElement(target.bytes, target.length, text, 0, length);
}

function reserve(target: Bytes, more: number): void {
  const needed = target.length + more;
  if (needed <= target.bytes.length) return;
  const larger = Buffer.alloc(Math.max(needed, 2 * target.bytes.length));
  target.bytes.copy(larger, 0, 0, target.length);
  target.bytes = larger;
}
