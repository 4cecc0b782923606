/**
 * The longest common subsequence of two byte strings, 30 columns at a time, and the way back through its table.
 *
 * Pure; runs on the thread of the command, or in the job pool where the table is large. It has a row for each byte of the
 * first string and a bit for each byte of the second. Bit j of row i is 0 where the subsequence of the first i bytes grows
 * at the other's byte j; that one bit is all that Redis's way back asks of its table of 32-bit lengths, so the matches come
 * out the same.
 *
 *   row' = (row + (row & matches)) | (row & ~matches)      with carries from word to word, lowest columns first
 *
 * Source: Crochemore, Iliopoulos, Pinzon, Reid, "A fast and practical bit-vector algorithm for the longest common
 * subsequence problem" (Information Processing Letters 80, 2001); the way back: Redis 7.0 `t_string.c`, `lcsCommand`.
 */

/** So many that the sum of two words and a carry is still a positive 32-bit integer. */
const COLUMNS_PER_WORD = 30;
const WORD_MASK = (1 << COLUMNS_PER_WORD) - 1;
const BYTE_VALUES = 256;

/** A span of bytes, which may be shared memory. */
type ByteSpan = { readonly bytes: Uint8Array; readonly start: number; readonly end: number };

/** What to find. Plain data, so that it can be a job's input. */
export type SubsequenceRequest = {
  readonly first: ByteSpan;
  readonly second: ByteSpan;
  /** Whether to say where the subsequence lies, and not only how long it is. */
  readonly wantsPlaces: boolean;
};

/** The places are those of the subsequence's bytes in either string, from 0, the last first; none if not wanted. */
export type Subsequence = {
  readonly length: number;
  readonly firstPlaces: Int32Array;
  readonly secondPlaces: Int32Array;
};

type Table = {
  readonly first: ByteSpan;
  readonly second: ByteSpan;
  /** Words in a row. */
  readonly words: number;
  /** From one row to the next: 0 when only the length is wanted, and then there is one row. */
  readonly stride: number;
  readonly rows: Int32Array;
  /** For each byte value, which of `matches` says where the second string has it; 0 for nowhere. */
  readonly matchesOf: Int32Array;
  readonly matches: Int32Array;
};

/**
 * Where two ways are equally long, Redis's is taken. O(rows * columns / 30); memory in 32-bit words about
 * `rows * columns / 30` for the places, and `distinct bytes * columns / 30` in any case.
 */
export function findSubsequence({ first, second, wantsPlaces }: SubsequenceRequest): Subsequence {
  const table = createTable(first, second, wantsPlaces);
  fillTable(table);
  const length = lengthOf(table);
  const places = wantsPlaces ? length : 0;
  const subsequence = { length, firstPlaces: new Int32Array(places), secondPlaces: new Int32Array(places) };
  if (wantsPlaces) walkBack(table, subsequence);
  return subsequence;
}

function createTable(first: ByteSpan, second: ByteSpan, keepsRows: boolean): Table {
  const words = Math.ceil((second.end - second.start) / COLUMNS_PER_WORD);
  const matchesOf = new Int32Array(BYTE_VALUES);
  let distinct = 0;
  for (let at = first.start; at < first.end; at += 1) {
    if (matchesOf[first.bytes[at]] !== 0) continue;
    distinct += 1;
    matchesOf[first.bytes[at]] = distinct;
  }
  const matches = new Int32Array((distinct + 1) * words);
  for (let at = second.start, column = 0, word = 0; at < second.end; at += 1) {
    const place = matchesOf[second.bytes[at]];
    if (place !== 0) matches[place * words + word] |= 1 << column;
    column += 1;
    if (column < COLUMNS_PER_WORD) continue;
    column = 0;
    word += 1;
  }
  const rows = new Int32Array(keepsRows ? (first.end - first.start + 1) * words : words);
  rows.fill(WORD_MASK, 0, words);
  return { first, second, words, stride: keepsRows ? words : 0, rows, matchesOf, matches };
}

function fillTable({ first, words, stride, rows, matchesOf, matches }: Table): void {
  let above = 0;
  for (let at = first.start; at < first.end; at += 1) {
    const match = matchesOf[first.bytes[at]] * words;
    const below = above + stride;
    let carry = 0;
    for (let word = 0; word < words; word += 1) {
      const before = rows[above + word];
      const matched = matches[match + word];
      const sum = before + (before & matched) + carry;
      carry = sum >>> COLUMNS_PER_WORD;
      rows[below + word] = (sum & WORD_MASK) | (before & ~matched);
    }
    above = below;
  }
}

/** How often the last row grows. */
function lengthOf({ words, rows }: Table): number {
  let length = 0;
  for (let at = rows.length - words; at < rows.length; at += 1) length += countBits(~rows[at] & WORD_MASK);
  return length;
}

/** From the last bytes of both to the first of either. */
function walkBack({ first, second, stride, rows }: Table, { firstPlaces, secondPlaces }: Subsequence): void {
  let row = first.end - first.start;
  let column = second.end - second.start;
  let found = 0;
  while (row > 0 && column > 0) {
    if (first.bytes[first.start + row - 1] === second.bytes[second.start + column - 1]) {
      row -= 1;
      column -= 1;
      firstPlaces[found] = row;
      secondPlaces[found] = column;
      found += 1;
    } else if (growsAt(rows, row * stride, column - 1)) {
      row -= 1;
    } else {
      column -= 1;
    }
  }
}

function growsAt(rows: Int32Array, rowStart: number, column: number): boolean {
  const word = Math.floor(column / COLUMNS_PER_WORD);
  return ((rows[rowStart + word] >>> (column - word * COLUMNS_PER_WORD)) & 1) === 0;
}

function countBits(word: number): number {
  const pairs = word - ((word >>> 1) & 0x55555555);
  const fours = (pairs & 0x33333333) + ((pairs >>> 2) & 0x33333333);
  return Math.imul((fours + (fours >>> 4)) & 0x0f0f0f0f, 0x01010101) >>> 24;
}
