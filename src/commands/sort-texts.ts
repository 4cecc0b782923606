/**
 * Texts that SORT works with: one behind the other in private memory, by number.
 *
 * Filled anew by each use. A text may be missing: that of a key that is not there.
 */
import { Buffer } from 'node:buffer';
import { copyBytes } from '../base/bytes.ts';
import { textLength, writeText } from '../collections/elements.ts';

export type Texts = {
  bytes: Buffer;
  /** Bytes in use. */
  length: number;
  /** Text i is `bytes[starts[i], ends[i])`; less than 0: it is missing. */
  starts: Float64Array;
  ends: Float64Array;
  count: number;
};

const BYTES_START = 4096;

/** Room for so many texts. */
export function createTexts(countMax: number): Texts {
  return {
    bytes: Buffer.allocUnsafe(BYTES_START),
    length: 0,
    starts: new Float64Array(countMax),
    ends: new Float64Array(countMax),
    count: 0,
  };
}

/** Adds `source[start, end)`. */
export function addText(texts: Texts, source: Buffer, start: number, end: number): void {
  reserve(texts, end - start);
  const at = texts.length;
  copyBytes(source, start, end, texts.bytes, at);
  close(texts, at + end - start);
}

/** Adds the content of an element. */
export function addElement(texts: Texts, source: Buffer, element: number): void {
  reserve(texts, textLength(source, element));
  close(texts, writeText(source, element, texts.bytes, texts.length));
}

export function addMissing(texts: Texts): void {
  texts.starts[texts.count] = -1;
  texts.ends[texts.count] = -1;
  texts.count += 1;
}

/** By their bytes, a shorter one before a longer; as C compares strings (`isC`) a NUL is the end. Missing ones come first. */
export function compareTexts({ bytes, starts, ends }: Texts, a: number, b: number, isC: boolean): number {
  if (starts[a] < 0 || starts[b] < 0) return Number(starts[b] < 0) - Number(starts[a] < 0);
  let left = starts[a];
  let right = starts[b];
  const leftEnd = ends[a];
  const rightEnd = ends[b];
  for (; left < leftEnd && right < rightEnd; left += 1, right += 1) {
    const order = bytes[left] - bytes[right];
    if (order !== 0) return order;
    if (isC && bytes[left] === 0) return 0;
  }
  if (isC && (left < leftEnd ? bytes[left] : right < rightEnd ? bytes[right] : 0) === 0) return 0;
  return leftEnd - left - (rightEnd - right);
}

function close(texts: Texts, end: number): void {
  texts.starts[texts.count] = texts.length;
  texts.ends[texts.count] = end;
  texts.length = end;
  texts.count += 1;
}

function reserve(texts: Texts, more: number): void {
  const needed = texts.length + more;
  if (needed <= texts.bytes.length) return;
  const bytes = Buffer.allocUnsafe(Math.max(needed, 2 * texts.bytes.length));
  texts.bytes.copy(bytes, 0, 0, texts.length);
  texts.bytes = bytes;
}
