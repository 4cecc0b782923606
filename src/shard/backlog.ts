/**
 * The latest log records of a shard, kept for the replicas of its slots: a ring of bytes, there on nodes of a cluster only.
 *
 * Runs on every thread, under the shard's lock: the drain that empties the journal writes here what it took, and whoever feeds a
 * replica copies it out. In shared memory: one page of numbers, then marks, then the ring. Positions count the bytes that were
 * ever written; a byte lies at its position modulo the size of the ring, so that those of the last `size` bytes are there.
 *
 *   number 0   END        the position behind the latest record
 *   number 1   NEXT       the LSN of the next record
 *   number 2   VOID       the position of the oldest record that belongs to the same history as the latest
 *   number 3   HISTORY    how many histories there were; one ends where records are missing, or the log began anew
 *   number 4   MARKS      marks that were ever set
 *   number 5   MARKS_VOID marks that were set before the history
 *
 * A mark is a pair of numbers, a LSN and the position of its record: one at the beginning of a drain, MARK_BYTES apart at least. There is
 * one record per LSN, one behind the other.
 */
import { Buffer } from 'node:buffer';
import { assert } from '../base/assert.ts';
import { BACKLOG_BYTES_MIN } from '../config/limits-cluster.ts';

/** One thread's views of a shard's backlog. */
export type Backlog = {
  readonly numbers: Float64Array;
  readonly marks: Float64Array;
  readonly ring: Buffer;
};

/** A place to read from: the position of a record, and its LSN. */
export type BacklogPlace = { readonly position: number; readonly lsn: number };

const END = 0;
const NEXT = 1;
const VOID = 2;
const HISTORY = 3;
const MARKS = 4;
const MARKS_VOID = 5;
const NUMBERS = 8;

const MARK_BYTES = 4096;
const MARK_NUMBERS = 2;
const ALIGNMENT = 8;

/** The memory of a ring of about so many bytes. The kernel commits pages as they are touched. */
export function createBacklogBuffer(ringBytes: number): SharedArrayBuffer {
  const bytes = Math.max(BACKLOG_BYTES_MIN, Math.floor(ringBytes / MARK_BYTES) * MARK_BYTES);
  const buffer = new SharedArrayBuffer(ringStart(bytes) + bytes);
  openBacklog(buffer).numbers[NEXT] = 1;
  return buffer;
}

export function openBacklog(buffer: SharedArrayBuffer): Backlog {
  const numberBytes = NUMBERS * Float64Array.BYTES_PER_ELEMENT;
  // The bytes of a mark, of the part of the ring that it stands for, and of the two marks more.
  const markBytes = MARK_NUMBERS * Float64Array.BYTES_PER_ELEMENT;
  const marks = Math.floor((buffer.byteLength - numberBytes - 2 * markBytes) / (MARK_BYTES + markBytes)) + 2;
  const start = numberBytes + marks * markBytes;
  assert(start % ALIGNMENT === 0, 'records are aligned');
  return {
    numbers: new Float64Array(buffer, 0, NUMBERS),
    marks: new Float64Array(buffer, numberBytes, marks * MARK_NUMBERS),
    ring: Buffer.from(buffer, start),
  };
}

/** Appends records that left the journal: `count` of them, `source[start, start + bytes)`, the first with `firstLsn`. O(bytes). */
export function keepRecords(
  backlog: Backlog,
  source: Buffer,
  start: number,
  bytes: number,
  firstLsn: number,
  count: number,
): void {
  const { numbers, ring } = backlog;
  if (firstLsn !== numbers[NEXT]) voidBacklog(backlog, firstLsn);
  const at = numbers[END];
  if (bytes > ring.length) {
    // What does not fit is told to nobody: readers find that it has gone by.
    numbers[VOID] = at + bytes;
    numbers[MARKS_VOID] = numbers[MARKS];
  } else {
    // What is about to be written over counts as gone first: this thread may die in the middle.
    numbers[VOID] = Math.max(numbers[VOID], at + bytes - ring.length);
    const to = at % ring.length;
    const head = Math.min(bytes, ring.length - to);
    source.copy(ring, to, start, start + head);
    if (head < bytes) source.copy(ring, 0, start + head, start + bytes);
    setMark(backlog, firstLsn, at);
  }
  numbers[END] = at + bytes;
  numbers[NEXT] = firstLsn + count;
}

/** Begins a new history: whatever was kept leads to nothing any more. `nextLsn` is the LSN of the next record. */
export function voidBacklog({ numbers }: Backlog, nextLsn: number): void {
  numbers[NEXT] = nextLsn;
  numbers[VOID] = numbers[END];
  numbers[MARKS_VOID] = numbers[MARKS];
  numbers[HISTORY] += 1;
}

/** Changes whenever records are missing between those before and those to come. */
export function historyOf({ numbers }: Backlog): number {
  return numbers[HISTORY];
}

/** The position behind the latest record, and the LSN of the next. */
export function endOfBacklog({ numbers }: Backlog): BacklogPlace {
  return { position: numbers[END], lsn: numbers[NEXT] };
}

/** Whether the record at a position, of the present history, is still there, or is the next one. */
export function canReadFrom({ numbers }: Backlog, position: number): boolean {
  return position >= numbers[VOID] && position <= numbers[END];
}

/** Bytes that were written since a position. */
export function bytesBehind({ numbers }: Backlog, position: number): number {
  return numbers[END] - position;
}

/** Where the whole ring ends: no backlog has more to read. */
export function backlogBytes({ ring }: Backlog): number {
  return ring.length;
}

/**
 * A place from which all records from `lsn` on can be read, at or shortly before it; undefined where they are not there any more, or
 * never were. O(log of the marks).
 */
export function findPlace(backlog: Backlog, lsn: number): BacklogPlace | undefined {
  const { numbers, marks } = backlog;
  if (lsn === numbers[NEXT]) return endOfBacklog(backlog);
  if (!(lsn < numbers[NEXT])) return undefined;
  const slots = marks.length / MARK_NUMBERS;
  let low = Math.max(numbers[MARKS_VOID], numbers[MARKS] - slots);
  let high = numbers[MARKS] - 1;
  while (low < high) {
    const middle = Math.ceil((low + high) / 2);
    if (marks[(middle % slots) * MARK_NUMBERS] <= lsn) low = middle;
    else high = middle - 1;
  }
  if (low > high) return undefined;
  const at = (low % slots) * MARK_NUMBERS;
  const place = { lsn: marks[at], position: marks[at + 1] };
  return place.lsn <= lsn && canReadFrom(backlog, place.position) ? place : undefined;
}

/** Copies what follows a position, at most `bytesMax`, to `target` at `at`; how many bytes. The position can be read from. */
export function copyRecords(
  { numbers, ring }: Backlog,
  position: number,
  target: Buffer,
  at: number,
  bytesMax: number,
): number {
  const bytes = Math.min(bytesMax, numbers[END] - position);
  const from = position % ring.length;
  const head = Math.min(bytes, ring.length - from);
  ring.copy(target, at, from, from + head);
  if (head < bytes) ring.copy(target, at + head, 0, bytes - head);
  return bytes;
}

function setMark({ numbers, marks }: Backlog, lsn: number, position: number): void {
  const slots = marks.length / MARK_NUMBERS;
  const set = numbers[MARKS];
  if (set > numbers[MARKS_VOID]) {
    const latest = ((set - 1) % slots) * MARK_NUMBERS;
    if (position - marks[latest + 1] < MARK_BYTES) return;
  }
  const at = (set % slots) * MARK_NUMBERS;
  marks[at] = lsn;
  marks[at + 1] = position;
  numbers[MARKS] = set + 1;
}

function ringStart(ringBytes: number): number {
  const marks = ringBytes / MARK_BYTES + 2;
  return (NUMBERS + marks * MARK_NUMBERS) * Float64Array.BYTES_PER_ELEMENT;
}
