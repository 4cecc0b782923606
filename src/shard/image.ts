/**
 * The image of an entry: its cells as they lie in a shard, in private memory or in a file. Reads its fields, and tells
 * whether it can be an entry at all.
 *
 * Pure; runs on every thread. An image is the entry of layout.ts with these differences: BLOCK is its cells << 2, the link
 * words are 0, the TABLE byte holds the number of the database, and there is no room that key and value do not need. `at` is
 * the word in which it begins, an even number. What the value of a collection is worth is looked at in collections/sane.ts.
 */
import { assert } from '../base/assert.ts';
import { cellsForBytes } from './arena.ts';
import {
  CELL_BYTES,
  CLOCK_AND_TABLE,
  EXPIRES_LOW,
  HIGHS,
  LSN_LOW,
  NARROW_KEY_AT,
  NEWER,
  OLDER,
  SHAPE,
  SHAPE_SLACK_SHIFT,
  SHAPE_TYPE_MASK,
  SHAPE_TYPE_SHIFT,
  SHAPE_WIDE,
  SLACK_BYTES_MAX,
  TYPE_HASH,
  TYPE_STRING,
  WHEEL_NEXT,
  WHEEL_PREVIOUS,
  WIDE_KEY_AT,
  WIDE_KEY_LENGTH,
  WIDE_VALUE_LENGTH,
  WORDS_PER_CELL,
} from './layout.ts';

/** The type of an image that is no entry: a piece of the large collection whose image came before (collections/piece.ts). */
export const TYPE_PIECE = 6;

const WORD_BYTES = CELL_BYTES / WORDS_PER_CELL;
const TWO_TO_32 = 2 ** 32;
const BLOCK_FLAGS = 0b11;
/** Cells that reach up to the SHAPE word, and up to the lengths of the wide form. */
const NARROW_CELLS_MIN = Math.ceil(NARROW_KEY_AT / CELL_BYTES);
const WIDE_CELLS_MIN = WIDE_KEY_AT / CELL_BYTES;

assert(TYPE_PIECE > TYPE_HASH, 'a piece is not taken for an entry');

/** Cells of the entry at `ref` without the room that it has to spare. */
export function cellsOfImage(words: Int32Array, ref: number): number {
  const word = ref * WORDS_PER_CELL;
  const shape = words[word + SHAPE];
  if ((shape & SHAPE_WIDE) !== 0)
    return cellsForBytes(WIDE_KEY_AT + words[word + WIDE_KEY_LENGTH] + words[word + WIDE_VALUE_LENGTH]);
  const slack = (shape >>> SHAPE_SLACK_SHIFT) & SLACK_BYTES_MAX;
  return (words[word] >>> 2) - (slack >= CELL_BYTES ? 1 : 0);
}

/** Makes the cells that were copied from a shard to the word `at` an image. */
export function finishImage(words: Int32Array, at: number, cells: number, database: number): void {
  words[at] = cells << 2;
  words[at + NEWER] = 0;
  words[at + OLDER] = 0;
  words[at + CLOCK_AND_TABLE] = (words[at + CLOCK_AND_TABLE] & ~0xff) | database;
  words[at + WHEEL_NEXT] = 0;
  words[at + WHEEL_PREVIOUS] = 0;
  const shape = words[at + SHAPE];
  const spare = CELL_BYTES << SHAPE_SLACK_SHIFT;
  if ((shape & SHAPE_WIDE) === 0 && (shape & spare) !== 0) words[at + SHAPE] = shape & ~spare;
}

/** The cells of the image at `at`; 0 where what lies there, up to the word `end`, is none. */
export function imageCells(words: Int32Array, at: number, end: number): number {
  const header = words[at];
  const cells = header >>> 2;
  if ((header & BLOCK_FLAGS) !== 0 || cells < NARROW_CELLS_MIN || at + cells * WORDS_PER_CELL > end) return 0;
  const shape = words[at + SHAPE];
  const type = imageType(words, at);
  if (type < TYPE_STRING || type > TYPE_PIECE) return 0;
  if ((shape & SHAPE_WIDE) !== 0) return isWideImage(words, at, cells) ? cells : 0;
  const slack = (shape >>> SHAPE_SLACK_SHIFT) & SLACK_BYTES_MAX;
  return slack < CELL_BYTES && NARROW_KEY_AT + (shape & 0xff) + slack <= cells * CELL_BYTES ? cells : 0;
}

function isWideImage(words: Int32Array, at: number, cells: number): boolean {
  if (cells < WIDE_CELLS_MIN) return false;
  const keyBytes = words[at + WIDE_KEY_LENGTH];
  const valueBytes = words[at + WIDE_VALUE_LENGTH];
  return keyBytes >= 0 && valueBytes >= 0 && cellsForBytes(WIDE_KEY_AT + keyBytes + valueBytes) === cells;
}

/** One of the types of entries, or TYPE_PIECE. */
export function imageType(words: Int32Array, at: number): number {
  return (words[at + SHAPE] >>> SHAPE_TYPE_SHIFT) & SHAPE_TYPE_MASK;
}

/** Where the key begins, in bytes from the start of the memory that `words` views. */
export function imageKeyStart(words: Int32Array, at: number): number {
  return at * WORD_BYTES + ((words[at + SHAPE] & SHAPE_WIDE) !== 0 ? WIDE_KEY_AT : NARROW_KEY_AT);
}

export function imageKeyBytes(words: Int32Array, at: number): number {
  const shape = words[at + SHAPE];
  return (shape & SHAPE_WIDE) !== 0 ? words[at + WIDE_KEY_LENGTH] : shape & 0xff;
}

export function imageValueBytes(words: Int32Array, at: number): number {
  const shape = words[at + SHAPE];
  if ((shape & SHAPE_WIDE) !== 0) return words[at + WIDE_VALUE_LENGTH];
  const slack = (shape >>> SHAPE_SLACK_SHIFT) & SLACK_BYTES_MAX;
  return (words[at] >>> 2) * CELL_BYTES - NARROW_KEY_AT - (shape & 0xff) - slack;
}

/** The database, as a snapshot has it in the place of the table. */
export function imageDatabase(words: Int32Array, at: number): number {
  return words[at + CLOCK_AND_TABLE] & 0xff;
}

export function imageClock(words: Int32Array, at: number): number {
  return words[at + CLOCK_AND_TABLE] >>> 8;
}

export function imageLsn(words: Int32Array, at: number): number {
  return (words[at + HIGHS] & 0xffff) * TWO_TO_32 + (words[at + LSN_LOW] >>> 0);
}

/** Whether it has a deadline. */
export function imageExpires(words: Int32Array, at: number): boolean {
  return words[at + EXPIRES_LOW] !== 0 || words[at + HIGHS] >>> 16 !== 0;
}

/** Milliseconds since the epoch, or 0. */
export function imageExpiresAt(words: Int32Array, at: number): number {
  return (words[at + HIGHS] >>> 16) * TWO_TO_32 + (words[at + EXPIRES_LOW] >>> 0);
}

/** Cells of a piece with a value of so many bytes. */
export function pieceCells(valueBytes: number): number {
  return cellsForBytes(WIDE_KEY_AT + valueBytes);
}

/** Writes all of a piece but its value, which has neither key nor deadline. Returns its cells. */
export function writePieceImage(
  words: Int32Array,
  at: number,
  valueBytes: number,
  database: number,
  lsn: number,
): number {
  const cells = pieceCells(valueBytes);
  words.fill(0, at, at + WIDE_KEY_AT / WORD_BYTES);
  words[at] = cells << 2;
  words[at + LSN_LOW] = lsn | 0;
  words[at + HIGHS] = Math.floor(lsn / TWO_TO_32);
  words[at + CLOCK_AND_TABLE] = database;
  words[at + SHAPE] = SHAPE_WIDE | (TYPE_PIECE << SHAPE_TYPE_SHIFT);
  words[at + WIDE_VALUE_LENGTH] = valueBytes;
  return cells;
}

/** Cuts the value of an image down to its first `valueBytes` bytes, and the image to the cells that it needs then. */
export function cutImage(words: Int32Array, at: number, valueBytes: number): void {
  const keyBytes = imageKeyBytes(words, at);
  const isWide = (words[at + SHAPE] & SHAPE_WIDE) !== 0;
  const bytes = (isWide ? WIDE_KEY_AT : NARROW_KEY_AT) + keyBytes + valueBytes;
  const cells = cellsForBytes(bytes);
  words[at] = cells << 2;
  if (isWide) {
    words[at + WIDE_VALUE_LENGTH] = valueBytes;
    return;
  }
  const slack = cells * CELL_BYTES - bytes;
  words[at + SHAPE] =
    (words[at + SHAPE] & ~(SLACK_BYTES_MAX << SHAPE_SLACK_SHIFT)) | (slack << SHAPE_SLACK_SHIFT);
}

/** Gives an image its table and its clock in the shard that it goes to. */
export function placeImage(words: Int32Array, at: number, table: number, clock: number): void {
  words[at + CLOCK_AND_TABLE] = (clock << 8) | table;
}
