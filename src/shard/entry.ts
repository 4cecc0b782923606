/**
 * One field of one entry at a time: the only file besides keyspace.ts that knows how an entry's bits lie (drawn in layout.ts).
 *
 * Runs on every thread, under the shard's lock. Every function costs a few loads and allocates nothing.
 */
import type { Buffer } from 'node:buffer';
import { type Arena, blockCells, WINDOW_CELL_MASK, WINDOW_SHIFT } from './arena.ts';
import {
  CELL_BYTES,
  CLOCK_AND_TABLE,
  EXPIRES_LOW,
  HIGHS,
  LSN_LOW,
  NARROW_KEY_AT,
  SHAPE,
  SHAPE_RAW,
  SHAPE_SLACK_SHIFT,
  SHAPE_TYPE_MASK,
  SHAPE_TYPE_SHIFT,
  SHAPE_WIDE,
  SLACK_BYTES_MAX,
  SMALL_MARK,
  TABLE_MASK,
  WIDE_KEY_AT,
  WIDE_KEY_LENGTH,
  WIDE_VALUE_LENGTH,
  WORDS_PER_CELL,
} from './layout.ts';

const TWO_TO_32 = 2 ** 32;
const INDEX_BYTES_PER_ENTRY = 8;

/** The window of the arena in which the entry lies whole. Offsets below are offsets in this window. */
export function entryBytes(arena: Arena, ref: number): Buffer {
  return arena.windows[ref >>> WINDOW_SHIFT];
}

/** Where the entry begins in its window, in bytes. */
export function entryOffset(ref: number): number {
  return (ref & WINDOW_CELL_MASK) * CELL_BYTES;
}

export function isWide(arena: Arena, ref: number): boolean {
  return (arena.words[ref * WORDS_PER_CELL + SHAPE] & SHAPE_WIDE) !== 0;
}

export function keyLength(arena: Arena, ref: number): number {
  const word = ref * WORDS_PER_CELL;
  const shape = arena.words[word + SHAPE];
  return (shape & SHAPE_WIDE) === 0 ? shape & 0xff : arena.words[word + WIDE_KEY_LENGTH];
}

export function keyOffset(arena: Arena, ref: number): number {
  return entryOffset(ref) + (isWide(arena, ref) ? WIDE_KEY_AT : NARROW_KEY_AT);
}

export function valueLength(arena: Arena, ref: number): number {
  const word = ref * WORDS_PER_CELL;
  const shape = arena.words[word + SHAPE];
  if ((shape & SHAPE_WIDE) !== 0) return arena.words[word + WIDE_VALUE_LENGTH];
  const slack = (shape >>> SHAPE_SLACK_SHIFT) & SLACK_BYTES_MAX;
  return blockCells(arena.words, ref) * CELL_BYTES - NARROW_KEY_AT - (shape & 0xff) - slack;
}

export function valueOffset(arena: Arena, ref: number): number {
  const word = ref * WORDS_PER_CELL;
  const shape = arena.words[word + SHAPE];
  if ((shape & SHAPE_WIDE) !== 0) return entryOffset(ref) + WIDE_KEY_AT + arena.words[word + WIDE_KEY_LENGTH];
  return entryOffset(ref) + NARROW_KEY_AT + (shape & 0xff);
}

/** What the entry takes of the memory: its block, and its share of the index (table.ts), rounded up. */
export function footprintBytes(arena: Arena, ref: number): number {
  return blockCells(arena.words, ref) * CELL_BYTES + INDEX_BYTES_PER_ENTRY;
}

export function typeOf(arena: Arena, ref: number): number {
  return (arena.words[ref * WORDS_PER_CELL + SHAPE] >>> SHAPE_TYPE_SHIFT) & SHAPE_TYPE_MASK;
}

/** Whether the string was changed in place, which `OBJECT ENCODING` calls `raw` whatever its bytes are. */
export function isRaw(arena: Arena, ref: number): boolean {
  const shape = arena.words[ref * WORDS_PER_CELL + SHAPE];
  return (shape & SHAPE_WIDE) !== 0 && (shape & SHAPE_RAW) !== 0;
}

/** Milliseconds since the epoch, or 0 for an entry that does not expire. */
export function expiresAt(arena: Arena, ref: number): number {
  const word = ref * WORDS_PER_CELL;
  return (arena.words[word + HIGHS] >>> 16) * TWO_TO_32 + (arena.words[word + EXPIRES_LOW] >>> 0);
}

export function writeExpiresAt(arena: Arena, ref: number, expiresAtMs: number): void {
  const { words } = arena;
  const word = ref * WORDS_PER_CELL;
  words[word + EXPIRES_LOW] = expiresAtMs | 0;
  words[word + HIGHS] = (words[word + HIGHS] & 0xffff) | (Math.floor(expiresAtMs / TWO_TO_32) << 16);
}

/** The number of the shard's change that last touched this entry. */
export function lsnOf(arena: Arena, ref: number): number {
  const word = ref * WORDS_PER_CELL;
  return (arena.words[word + HIGHS] & 0xffff) * TWO_TO_32 + (arena.words[word + LSN_LOW] >>> 0);
}

export function writeLsn(arena: Arena, ref: number, lsn: number): void {
  const { words } = arena;
  const word = ref * WORDS_PER_CELL;
  words[word + LSN_LOW] = lsn | 0;
  words[word + HIGHS] = (words[word + HIGHS] & ~0xffff) | (Math.floor(lsn / TWO_TO_32) & 0xffff);
}

/** The table (physical database) that holds the entry. */
export function tableOf(arena: Arena, ref: number): number {
  return arena.words[ref * WORDS_PER_CELL + CLOCK_AND_TABLE] & TABLE_MASK;
}

/** Whether the entry stands in the small queue of S3-FIFO. */
export function isSmall(arena: Arena, ref: number): boolean {
  return (arena.words[ref * WORDS_PER_CELL + CLOCK_AND_TABLE] & SMALL_MARK) !== 0;
}

export function writeSmall(arena: Arena, ref: number, small: boolean): void {
  const { words } = arena;
  const at = ref * WORDS_PER_CELL + CLOCK_AND_TABLE;
  words[at] = small ? words[at] | SMALL_MARK : words[at] & ~SMALL_MARK;
}

/** 24 bits whose meaning is the policy's (recency.ts): when the entry was used last, and for some how often. */
export function clockOf(arena: Arena, ref: number): number {
  return arena.words[ref * WORDS_PER_CELL + CLOCK_AND_TABLE] >>> 8;
}

export function writeClock(arena: Arena, ref: number, clock: number): void {
  const { words } = arena;
  const at = ref * WORDS_PER_CELL + CLOCK_AND_TABLE;
  words[at] = (clock << 8) | (words[at] & 0xff);
}
