/**
 * Private memory that images are copied into, one behind the other.
 *
 * Owns no state; runs on a thread of the job pool, under the lock of the shard that is copied.
 */
import type { Buffer } from 'node:buffer';
import { copyBytes } from '../base/bytes.ts';
import { entryBytes, entryOffset } from './entry.ts';
import { cutImage, finishImage, imageKeyStart, pieceCells, writePieceImage } from './image.ts';
import { CELL_BYTES, WORDS_PER_CELL } from './layout.ts';
import type { Shard } from './shard.ts';

/** `words` and `bytes` view the same. Images come from byte `used` on, up to `end`. */
export type ImageMemory = {
  readonly bytes: Buffer;
  readonly words: Int32Array;
  readonly start: number;
  readonly end: number;
  used: number;
  /** How many images there are, and how many of them are of entries; the others are pieces. */
  records: number;
  entries: number;
};

/** Up to this many bytes, a loop over words beats the fixed 50 ns of `Buffer.copy` (measured on Node 26, shared to private). */
const LOOP_BYTES_MAX = 96;
const WORD_BYTES = CELL_BYTES / WORDS_PER_CELL;

export function createImageMemory(bytes: Buffer, start: number): ImageMemory {
  const words = new Int32Array(bytes.buffer, bytes.byteOffset, Math.floor(bytes.length / WORD_BYTES));
  return { bytes, words, start, end: bytes.length, used: start, records: 0, entries: 0 };
}

export function clearImageMemory(memory: ImageMemory): void {
  memory.used = memory.start;
  memory.records = 0;
  memory.entries = 0;
}

/** Whether so many bytes more have room. */
export function hasRoom(memory: ImageMemory, bytes: number): boolean {
  return memory.used + bytes <= memory.end;
}

/** Copies the image of an entry, of so many cells, for which there is room. Returns the word in which it begins. */
export function copyEntry(
  memory: ImageMemory,
  { entries }: Shard,
  ref: number,
  cells: number,
  database: number,
): number {
  const bytes = cells * CELL_BYTES;
  const target = memory.words;
  const at = memory.used / WORD_BYTES;
  if (bytes <= LOOP_BYTES_MAX) {
    const { words } = entries;
    const end = (ref + cells) * WORDS_PER_CELL;
    for (let from = ref * WORDS_PER_CELL, to = at; from < end; from += 1, to += 1) target[to] = words[from];
  } else {
    const offset = entryOffset(ref);
    entryBytes(entries, ref).copy(memory.bytes, memory.used, offset, offset + bytes);
  }
  finishImage(target, at, cells, database);
  memory.used += bytes;
  memory.records += 1;
  memory.entries += 1;
  return at;
}

/** Cuts the value of the image that was copied last, which begins in the word `at`. */
export function cutLastImage(memory: ImageMemory, at: number, valueBytes: number): void {
  cutImage(memory.words, at, valueBytes);
  memory.used = at * WORD_BYTES + (memory.words[at] >>> 2) * CELL_BYTES;
}

/** The bytes that `copyPiece` needs for a value of so many. */
export function pieceBytes(valueBytes: number): number {
  return pieceCells(valueBytes) * CELL_BYTES;
}

/** Adds a piece with the value `value[0, valueBytes)`, for which there is room. */
export function copyPiece(
  memory: ImageMemory,
  value: Buffer,
  valueBytes: number,
  database: number,
  lsn: number,
): void {
  const at = memory.used / WORD_BYTES;
  const cells = writePieceImage(memory.words, at, valueBytes, database, lsn);
  copyBytes(value, 0, valueBytes, memory.bytes, imageKeyStart(memory.words, at));
  memory.used += cells * CELL_BYTES;
  memory.records += 1;
}
