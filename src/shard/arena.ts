/**
 * The allocator of a shard's memory: two-level segregated fit over one fixed SharedArrayBuffer.
 *
 * Runs on every thread, under the shard's lock. O(1) for allocate, release and resize; free neighbours merge at once.
 * Source: Masmano, Ripoll, Crespo, Real, "TLSF: a new dynamic memory allocator for real-time systems" (ECRTS 2004).
 *
 * Memory is counted in cells of 8 bytes and a block is named by its first cell. In 32-bit words:
 *
 *   used block   ┌ HEADER ┬ payload ...                                   ┐
 *   free block   ┌ HEADER ┬ NEXT ┬ PREVIOUS ┬ ...               ┬ CELLS   ┐   (CELLS only where there is room)
 *
 *   HEADER = cells << 2 | the block before is free << 1 | this block is free
 *
 * A free block ends with its size, so that the block behind finds its start. Sizes below 32 cells have a list each:
 * small entries of one size are reused exactly. Above, a list holds 1/32 of a power of two.
 */
import { Buffer } from 'node:buffer';
import { assert } from '../base/assert.ts';
import { ARENA_BYTES_MAX } from '../config/limits.ts';
import { CELL_BYTES, HEAD_CELLS, NONE, SHAPE, WORDS_PER_CELL } from './layout.ts';

/** The views over one arena. Windows overlap, so that every block of up to 1 GiB lies whole in the one it starts in. */
export type Arena = {
  readonly words: Int32Array;
  readonly windows: readonly Buffer[];
  readonly cells: number;
};

const FREE = 1;
const BEFORE_IS_FREE = 2;

const NEXT = 1;
const PREVIOUS = 2;

const LIST_BITS = 5;
const LISTS_PER_CLASS = 1 << LIST_BITS;
const CLASSES = 28;

/** The smallest block: header, next, previous and size. */
const BLOCK_CELLS_MIN = 2;

/** The smallest block that can be an entry: it has a SHAPE word. */
const ENTRY_CELLS_MIN = Math.ceil((SHAPE + 1) / WORDS_PER_CELL);

/** How many blocks of a request's own class are tried when no larger class has one. */
const EXACT_CLASS_TRIES = 16;

/** Words at the start of the arena, behind the cells that the recency heads use. */
const USED_CELLS = HEAD_CELLS * WORDS_PER_CELL;
const CLASS_BITS = USED_CELLS + 1;
const LIST_BITMAPS = CLASS_BITS + 1;
const LIST_HEADS = LIST_BITMAPS + CLASSES;
const FIRST_CELL = Math.ceil((LIST_HEADS + CLASSES * LISTS_PER_CLASS) / WORDS_PER_CELL);

/** One window starts every 2^27 cells (1 GiB) and is up to twice as long. */
export const WINDOW_SHIFT = 27;
export const WINDOW_CELL_MASK = (1 << WINDOW_SHIFT) - 1;
const WINDOW_BYTES_MAX = 2 ** 31 - CELL_BYTES;

/** A block never exceeds this, so that it lies inside its window. */
export const BLOCK_CELLS_MAX = 1 << WINDOW_SHIFT;

assert(ARENA_BYTES_MAX / Int32Array.BYTES_PER_ELEMENT <= 2 ** 31, 'word indices stay small integers');
assert(
  FIRST_CELL * WORDS_PER_CELL >= LIST_HEADS + CLASSES * LISTS_PER_CLASS,
  'blocks begin behind the lists',
);

/** Maps an arena's memory in this thread. */
export function openArena(buffer: SharedArrayBuffer): Arena {
  const cells = Math.floor(buffer.byteLength / CELL_BYTES);
  const windows: Buffer[] = [];
  const windowBytes = 2 ** WINDOW_SHIFT * CELL_BYTES;
  for (let start = 0; start < buffer.byteLength; start += windowBytes) {
    windows.push(Buffer.from(buffer, start, Math.min(WINDOW_BYTES_MAX, buffer.byteLength - start)));
  }
  return { words: new Int32Array(buffer, 0, cells * WORDS_PER_CELL), windows, cells };
}

/** Bytes to reserve so that `payloadBytes` of blocks fit beside the arena's own lists, within an arena's bound. */
export function arenaBytesFor(payloadBytes: number): number {
  return Math.min(ARENA_BYTES_MAX, (FIRST_CELL + 1 + Math.ceil(payloadBytes / CELL_BYTES)) * CELL_BYTES);
}

/** Makes the arena one free block. What lay in it is gone; the recency heads are emptied too. */
export function formatArena(arena: Arena): void {
  const { words } = arena;
  words.fill(0, 0, FIRST_CELL * WORDS_PER_CELL);
  const endCell = arena.cells - 1;
  words[endCell * WORDS_PER_CELL] = 0;
  insertFree(words, FIRST_CELL, endCell - FIRST_CELL, 0);
}

/** Cells of all used blocks. */
export function usedCells(arena: Arena): number {
  return arena.words[USED_CELLS];
}

/** Cells from the first block to the end of the last used one. Reads two words: without the lock it may be off a little. */
export function spannedCells(arena: Arena): number {
  const { words } = arena;
  const end = arena.cells - 1;
  const isFree = (words[end * WORDS_PER_CELL] & BEFORE_IS_FREE) !== 0;
  const lastFree = isFree ? words[end * WORDS_PER_CELL - 1] : 0;
  return Math.max(0, end - FIRST_CELL - lastFree);
}

/** The cells of a used block. */
export function blockCells(words: Int32Array, ref: number): number {
  return words[ref * WORDS_PER_CELL] >>> 2;
}

/** Cells for a block of `bytes`, its header word included in them. */
export function cellsForBytes(bytes: number): number {
  const cells = Math.ceil(bytes / CELL_BYTES);
  return cells < BLOCK_CELLS_MIN ? BLOCK_CELLS_MIN : cells;
}

/**
 * Takes a block of at least `cells`; NONE when no free block is large enough. O(1). The payload is not cleared but for
 * the word in which an entry has its type: what lay there before must not pass for an entry.
 */
export function allocate(arena: Arena, cells: number): number {
  const { words } = arena;
  const ref = findFree(words, cells);
  if (ref === NONE) return NONE;
  const header = words[ref * WORDS_PER_CELL];
  const found = header >>> 2;
  removeFree(words, ref, found);
  const rest = found - cells;
  let taken = found;
  if (rest >= BLOCK_CELLS_MIN) {
    taken = cells;
    insertFree(words, ref + cells, rest, 0);
  } else {
    words[(ref + found) * WORDS_PER_CELL] &= ~BEFORE_IS_FREE;
  }
  if (taken >= ENTRY_CELLS_MIN) words[ref * WORDS_PER_CELL + SHAPE] = 0;
  words[ref * WORDS_PER_CELL] = (taken << 2) | (header & BEFORE_IS_FREE);
  words[USED_CELLS] += taken;
  return ref;
}

/** Gives a block back and merges it with free neighbours. O(1). */
export function release(arena: Arena, ref: number): void {
  releaseRun(arena, ref, arena.words[ref * WORDS_PER_CELL] >>> 2);
}

/** Gives back used blocks that lie one behind the other, `runCells` in all, as if they were one. O(1). */
export function releaseRun(arena: Arena, ref: number, runCells: number): void {
  const { words } = arena;
  const header = words[ref * WORDS_PER_CELL];
  let cells = runCells;
  let start = ref;
  words[USED_CELLS] -= cells;
  const behind = ref + cells;
  const headerBehind = words[behind * WORDS_PER_CELL];
  if ((headerBehind & FREE) !== 0) {
    removeFree(words, behind, headerBehind >>> 2);
    cells += headerBehind >>> 2;
  }
  if ((header & BEFORE_IS_FREE) !== 0) {
    const cellsBefore = words[ref * WORDS_PER_CELL - 1];
    start = ref - cellsBefore;
    removeFree(words, start, cellsBefore);
    cells += cellsBefore;
  }
  insertFree(words, start, cells, words[start * WORDS_PER_CELL] & BEFORE_IS_FREE);
}

/** Changes a used block to `cells` where it stands; false when the memory behind it does not allow that. O(1). */
export function resizeInPlace(arena: Arena, ref: number, cells: number): boolean {
  const { words } = arena;
  const header = words[ref * WORDS_PER_CELL];
  const current = header >>> 2;
  const behind = ref + current;
  const headerBehind = words[behind * WORDS_PER_CELL];
  const freeBehind = (headerBehind & FREE) !== 0 ? headerBehind >>> 2 : 0;
  if (cells > current + freeBehind) return false;
  if (cells === current || (cells < current && freeBehind === 0 && current - cells < BLOCK_CELLS_MIN))
    return true;
  if (freeBehind > 0) removeFree(words, behind, freeBehind);
  const whole = current + freeBehind;
  const rest = whole - cells;
  const taken = rest >= BLOCK_CELLS_MIN ? cells : whole;
  // The rest has a header before this one says so, and its links only then, which may lie where it began: a walk finds whole blocks at
  // every moment.
  if (rest >= BLOCK_CELLS_MIN) words[(ref + cells) * WORDS_PER_CELL] = (rest << 2) | FREE;
  else words[(ref + whole) * WORDS_PER_CELL] &= ~BEFORE_IS_FREE;
  words[ref * WORDS_PER_CELL] = (taken << 2) | (header & BEFORE_IS_FREE);
  if (rest >= BLOCK_CELLS_MIN) insertFree(words, ref + cells, rest, 0);
  words[USED_CELLS] += taken - current;
  return true;
}

/**
 * Fills a used block with a run of used ones, of which `bytes[start, end)` is the image: each with its cells << 2 as header.
 * They fill it but for a cell that the allocator may have left it. That goes to the last of them, which begins `lastCells`
 * behind the first; returns whether there was one.
 */
export function layBlocks(
  arena: Arena,
  ref: number,
  bytes: Buffer,
  start: number,
  end: number,
  lastCells: number,
): boolean {
  const { words } = arena;
  const header = words[ref * WORDS_PER_CELL];
  bytes.copy(arena.windows[ref >>> WINDOW_SHIFT], (ref & WINDOW_CELL_MASK) * CELL_BYTES, start, end);
  words[ref * WORDS_PER_CELL] |= header & BEFORE_IS_FREE;
  const spare = (header >>> 2) - (end - start) / CELL_BYTES;
  words[(ref + lastCells) * WORDS_PER_CELL] += spare << 2;
  return spare > 0;
}

/** The first block of the arena, for walks over all of them. */
export function firstBlock(): number {
  return FIRST_CELL;
}

/** The block behind `ref`, used or free. The walk ends at `lastBlock`. */
export function nextBlock(arena: Arena, ref: number): number {
  return ref + (arena.words[ref * WORDS_PER_CELL] >>> 2);
}

/** The end mark of the arena, where a walk over its blocks arrives. */
export function lastBlock(arena: Arena): number {
  return arena.cells - 1;
}

export function isFreeBlock(arena: Arena, ref: number): boolean {
  return (arena.words[ref * WORDS_PER_CELL] & FREE) !== 0;
}

/** The free block that comes `skipped` places behind the largest of less than `cells`; NONE beyond the last. O(lists + skipped). */
export function largeFreeBlock(arena: Arena, cells: number, skipped: number): number {
  const { words } = arena;
  let left = skipped;
  for (let list = listOf(cells); list >= 0; list -= 1) {
    for (let ref = words[LIST_HEADS + list]; ref !== NONE; ref = words[ref * WORDS_PER_CELL + NEXT]) {
      if (left === 0) return ref;
      left -= 1;
    }
  }
  return NONE;
}

/** Takes a free block off its list and marks it used, whole. For compaction, which collects neighbouring holes. */
export function claimFreeBlock(arena: Arena, ref: number): void {
  const { words } = arena;
  const header = words[ref * WORDS_PER_CELL];
  const cells = header >>> 2;
  removeFree(words, ref, cells);
  if (cells >= ENTRY_CELLS_MIN) words[ref * WORDS_PER_CELL + SHAPE] = 0;
  words[ref * WORDS_PER_CELL] = (cells << 2) | (header & BEFORE_IS_FREE);
  words[(ref + cells) * WORDS_PER_CELL] &= ~BEFORE_IS_FREE;
  words[USED_CELLS] += cells;
}

/** Whether the blocks follow one another to the end mark, whatever the lists say. */
export function isWalkable(arena: Arena): boolean {
  let ref = FIRST_CELL;
  while (ref < arena.cells - 1) {
    const cells = arena.words[ref * WORDS_PER_CELL] >>> 2;
    if (cells < BLOCK_CELLS_MIN) return false;
    ref += cells;
  }
  return ref === arena.cells - 1;
}

/** Makes lists, flags and counts anew from the blocks, of which those in `kept` are used. Empties the recency heads. */
export function rebuildFreeLists(arena: Arena, kept: ReadonlySet<number>): void {
  const { words } = arena;
  words.fill(0, 0, FIRST_CELL * WORDS_PER_CELL);
  const end = arena.cells - 1;
  let freeFrom = FIRST_CELL;
  for (let ref = FIRST_CELL; ref < end; ) {
    const cells = words[ref * WORDS_PER_CELL] >>> 2;
    if (kept.has(ref)) {
      words[ref * WORDS_PER_CELL] = cells << 2;
      if (freeFrom < ref) insertFree(words, freeFrom, ref - freeFrom, 0);
      words[USED_CELLS] += cells;
      freeFrom = ref + cells;
    }
    ref += cells;
  }
  words[end * WORDS_PER_CELL] = 0;
  if (freeFrom < end) insertFree(words, freeFrom, end - freeFrom, 0);
}

/** Walks the whole arena, its lists and bitmaps; returns what is wrong, or nothing. O(blocks). */
export function checkArena(arena: Arena): string | undefined {
  const { words } = arena;
  let used = 0;
  let free = 0;
  let beforeIsFree = false;
  let ref = FIRST_CELL;
  while (ref < arena.cells - 1) {
    const header = words[ref * WORDS_PER_CELL];
    const cells = header >>> 2;
    if (cells < BLOCK_CELLS_MIN || ref + cells > arena.cells - 1) return `block ${ref} has ${cells} cells`;
    if (((header & BEFORE_IS_FREE) !== 0) !== beforeIsFree)
      return `block ${ref} errs about the block before it`;
    const isFree = (header & FREE) !== 0;
    if (isFree && beforeIsFree) return `free block ${ref} was not merged with the one before`;
    if (isFree) {
      free += 1;
      if (words[(ref + cells) * WORDS_PER_CELL - 1] !== cells)
        return `free block ${ref} ends with a wrong size`;
      if (!isListed(words, ref, cells)) return `free block ${ref} is on no list`;
    } else {
      used += cells;
    }
    beforeIsFree = isFree;
    ref += cells;
  }
  if (ref !== arena.cells - 1) return `the blocks end at ${ref}, not at ${arena.cells - 1}`;
  if (used !== words[USED_CELLS]) return `${used} cells are used, ${words[USED_CELLS]} are counted`;
  const listed = countListed(words, free);
  return listed === free ? undefined : `${free} blocks are free, ${listed} are listed`;
}

function isListed(words: Int32Array, ref: number, cells: number): boolean {
  const previous = words[ref * WORDS_PER_CELL + PREVIOUS];
  if (previous === NONE) return words[LIST_HEADS + listOf(cells)] === ref;
  return words[previous * WORDS_PER_CELL + NEXT] === ref;
}

/** The blocks on all lists, or one more than expected when there are more: a damaged list may run in a circle. */
function countListed(words: Int32Array, expected: number): number {
  let listed = 0;
  for (let list = 0; list < CLASSES * LISTS_PER_CLASS; list += 1) {
    const bit = (words[LIST_BITMAPS + (list >>> LIST_BITS)] >>> (list & (LISTS_PER_CLASS - 1))) & 1;
    if ((words[LIST_HEADS + list] !== NONE) !== (bit === 1)) return -1;
    for (let ref = words[LIST_HEADS + list]; ref !== NONE; ref = words[ref * WORDS_PER_CELL + NEXT]) {
      listed += 1;
      if (listed > expected) return listed;
    }
  }
  return listed;
}

/** The list of a size, as class * 32 + list. */
function listOf(cells: number): number {
  if (cells < LISTS_PER_CLASS) return cells;
  const top = 31 - Math.clz32(cells);
  return ((top - LIST_BITS + 1) << LIST_BITS) | ((cells >>> (top - LIST_BITS)) & (LISTS_PER_CLASS - 1));
}

function findFree(words: Int32Array, cells: number): number {
  let wanted = cells;
  // Above the exact lists, only the next list up is sure to hold nothing too small.
  if (cells >= LISTS_PER_CLASS) wanted += (1 << (31 - Math.clz32(cells) - LIST_BITS)) - 1;
  const list = listOf(wanted);
  let group = list >>> LIST_BITS;
  let bits = words[LIST_BITMAPS + group] & (-1 << (list & (LISTS_PER_CLASS - 1)));
  if (bits === 0) {
    const groups = group >= CLASSES - 1 ? 0 : words[CLASS_BITS] & (-1 << (group + 1));
    if (groups === 0) return findInOwnList(words, cells);
    group = 31 - Math.clz32(groups & -groups);
    bits = words[LIST_BITMAPS + group];
  }
  return words[LIST_HEADS + (group << LIST_BITS) + 31 - Math.clz32(bits & -bits)];
}

function findInOwnList(words: Int32Array, cells: number): number {
  let ref = words[LIST_HEADS + listOf(cells)];
  for (let tries = 0; ref !== NONE && tries < EXACT_CLASS_TRIES; tries += 1) {
    if (words[ref * WORDS_PER_CELL] >>> 2 >= cells) return ref;
    ref = words[ref * WORDS_PER_CELL + NEXT];
  }
  return NONE;
}

function insertFree(words: Int32Array, ref: number, cells: number, beforeFlag: number): void {
  const list = listOf(cells);
  const head = words[LIST_HEADS + list];
  const word = ref * WORDS_PER_CELL;
  words[word] = (cells << 2) | beforeFlag | FREE;
  words[word + NEXT] = head;
  words[word + PREVIOUS] = NONE;
  words[(ref + cells) * WORDS_PER_CELL - 1] = cells;
  words[(ref + cells) * WORDS_PER_CELL] |= BEFORE_IS_FREE;
  if (head !== NONE) words[head * WORDS_PER_CELL + PREVIOUS] = ref;
  words[LIST_HEADS + list] = ref;
  words[LIST_BITMAPS + (list >>> LIST_BITS)] |= 1 << (list & (LISTS_PER_CLASS - 1));
  words[CLASS_BITS] |= 1 << (list >>> LIST_BITS);
}

function removeFree(words: Int32Array, ref: number, cells: number): void {
  const next = words[ref * WORDS_PER_CELL + NEXT];
  const previous = words[ref * WORDS_PER_CELL + PREVIOUS];
  if (next !== NONE) words[next * WORDS_PER_CELL + PREVIOUS] = previous;
  if (previous !== NONE) {
    words[previous * WORDS_PER_CELL + NEXT] = next;
    return;
  }
  const list = listOf(cells);
  words[LIST_HEADS + list] = next;
  if (next !== NONE) return;
  const group = list >>> LIST_BITS;
  words[LIST_BITMAPS + group] &= ~(1 << (list & (LISTS_PER_CLASS - 1)));
  if (words[LIST_BITMAPS + group] === 0) words[CLASS_BITS] &= ~(1 << group);
}
