/**
 * The pending log records of a shard: every change appends one (append.ts), in order, until a worker drains them.
 *
 * Runs on every thread, under the shard's lock. In shared memory: one page of words, then the records (record.ts) one
 * behind the other from offset 0. A drain takes all of them and appending begins at 0 again, so that the memory stays
 * small and in the cache; the rest of it is reserved and never touched.
 *
 *   word 0   TAIL      bytes of pending records
 *   word 1   COUNT     pending records
 *   word 2   GROUPED   whether some of them belong to a change of several shards
 *   word 4   FIRST     float64: the LSN of the first pending record, or of the next one when none is pending
 *
 * TAIL and then COUNT are written when a record is whole, so that one whose thread died half-way does not count. There
 * is one record per LSN: as long as FIRST + COUNT - 1 is the shard's LSN, none is missing.
 */
import { Buffer } from 'node:buffer';
import { JOURNAL_MARGIN_BYTES, JOURNAL_SOFT_BYTES } from '../config/limits.ts';
import { BLOCK_CELLS_MAX } from './arena.ts';
import { voidBacklog } from './backlog.ts';
import { CELL_BYTES, JOURNAL_BROKEN, JOURNAL_OFF, JOURNAL_ON, JOURNALING, LSN } from './layout.ts';
import { createRecordView, decodeRecord, recordBytes } from './record.ts';
import type { Shard } from './shard.ts';

/** One thread's views of a shard's journal. */
export type Journal = {
  readonly words: Int32Array;
  readonly numbers: Float64Array;
  readonly recordWords: Int32Array;
  readonly records: Buffer;
};

const PAGE_BYTES = 4096;
const TAIL = 0;
const COUNT = 1;
const GROUPED = 2;
const FIRST = 2;

/** What `reserveRecord` returns instead of an offset. */
export const NO_ROOM = -1;

/** Bytes to reserve for the journal of a shard whose entries have `capacityBytes`: its largest record fits, and a margin. */
export function journalBytesFor(capacityBytes: number): number {
  const recordBytesMax = Math.min(Math.ceil(capacityBytes), BLOCK_CELLS_MAX * CELL_BYTES);
  return PAGE_BYTES + recordBytes(recordBytesMax) + JOURNAL_MARGIN_BYTES;
}

/** Maps a journal's memory in this thread. */
export function openJournal(buffer: SharedArrayBuffer): Journal {
  return {
    words: new Int32Array(buffer, 0, PAGE_BYTES / Int32Array.BYTES_PER_ELEMENT),
    numbers: new Float64Array(buffer, 0, PAGE_BYTES / Float64Array.BYTES_PER_ELEMENT),
    recordWords: new Int32Array(buffer, PAGE_BYTES),
    records: Buffer.from(buffer, PAGE_BYTES),
  };
}

/** Whether changes append records, or should and cannot. */
export function isJournaling(shard: Shard): boolean {
  return shard.control[JOURNALING] !== JOURNAL_OFF;
}

/** From the next change on, records are kept. What was pending is dropped, and a broken journal is good again. */
export function startJournaling(shard: Shard): void {
  emptyJournal(shard);
  shard.journal.numbers[FIRST] = shard.numbers[LSN] + 1;
  if (shard.backlog !== undefined) voidBacklog(shard.backlog, shard.numbers[LSN] + 1);
  shard.control[JOURNALING] = JOURNAL_ON;
}

/** From the next change on, none is kept. What was pending is dropped. */
export function stopJournaling(shard: Shard): void {
  shard.control[JOURNALING] = JOURNAL_OFF;
  emptyJournal(shard);
}

/** Bytes of the pending records, a multiple of 8. Without the lock it is a hint. */
export function pendingBytes(shard: Shard): number {
  return shard.journal.words[TAIL];
}

/** Bytes of records that the journal can hold. */
export function roomForRecords(shard: Shard): number {
  return shard.journal.records.length;
}

export function pendingRecords(shard: Shard): number {
  return shard.journal.words[COUNT];
}

/** The LSN of the first pending record, the others follow without a gap; that of the next one when none is pending. */
export function pendingFirstLsn(shard: Shard): number {
  return shard.journal.numbers[FIRST];
}

/** Whether what is pending must be drained together with what is pending in other shards. */
export function pendingIsGrouped(shard: Shard): boolean {
  return shard.journal.words[GROUPED] !== 0;
}

/** Says that some pending record is part of a change of several shards. */
export function markGrouped(shard: Shard): void {
  shard.journal.words[GROUPED] = 1;
}

/** Copies all pending records to `target` at `at` and empties the journal. O(bytes). */
export function takePending(shard: Shard, target: Buffer, at: number): void {
  const { words, numbers, records } = shard.journal;
  records.copy(target, at, 0, words[TAIL]);
  numbers[FIRST] += words[COUNT];
  emptyJournal(shard);
}

/**
 * Whether the log will not hold what the shard holds: a change found no room for its record, or was lost with its
 * thread. From there on no records are kept, until the journal is started again behind a snapshot.
 */
export function isJournalBroken(shard: Shard): boolean {
  return shard.control[JOURNALING] === JOURNAL_BROKEN;
}

/** Whether a drain finds something: records, or that some are missing. Without the lock it is a hint. */
export function isDrainDue(shard: Shard): boolean {
  return shard.journal.words[TAIL] !== 0 || shard.control[JOURNALING] === JOURNAL_BROKEN;
}

/** Whether so much is pending that a drain has to come before the next change, lest its record finds no room. */
export function isDrainOverdue(shard: Shard): boolean {
  return pendingBytes(shard) > JOURNAL_SOFT_BYTES && !isJournalBroken(shard);
}

/** Says that a change of the shard has no record, or a record no change. */
export function breakJournal(shard: Shard): void {
  if (isJournaling(shard)) shard.control[JOURNALING] = JOURNAL_BROKEN;
}

/**
 * For a shard whose thread died or failed: breaks the journal unless every change has its record, and takes back what
 * does not count. What is pending afterwards can be drained. O(pending records).
 */
export function mendJournal(shard: Shard): void {
  if (!isJournaling(shard)) return;
  const { words, numbers } = shard.journal;
  const left = numbers[FIRST] + words[COUNT] - 1 - shard.numbers[LSN];
  const end = left > 0 ? NO_ROOM : endOfRecords(shard);
  if (end === words[TAIL] && (left === 0 || isJournalBroken(shard))) return;
  breakJournal(shard);
  if (end < 0) {
    // A drain was interrupted: nobody can say which of its records got where.
    numbers[FIRST] = shard.numbers[LSN] + 1;
    emptyJournal(shard);
  } else {
    words[TAIL] = end;
  }
}

/** Where the COUNT pending records end; -1 when there are fewer. */
function endOfRecords(shard: Shard): number {
  const { words, records } = shard.journal;
  const view = createRecordView();
  let end = 0;
  for (let count = 0; count < words[COUNT] && end >= 0; count += 1) {
    end = decodeRecord(records, end, words[TAIL], view);
  }
  return end;
}

/** Where a record of so many bytes is to be written; NO_ROOM, and then the journal is broken. */
export function reserveRecord(shard: Shard, bytes: number): number {
  const { words, records } = shard.journal;
  const at = words[TAIL];
  if (at + bytes <= records.length) return at;
  breakJournal(shard);
  return NO_ROOM;
}

/** Makes the record that was written up to `end` count. */
export function publishRecord(shard: Shard, end: number): void {
  const { words } = shard.journal;
  words[TAIL] = end;
  words[COUNT] += 1;
}

/** TAIL goes last: until then a drain whose thread died shows. */
function emptyJournal(shard: Shard): void {
  const { words } = shard.journal;
  words[GROUPED] = 0;
  words[COUNT] = 0;
  words[TAIL] = 0;
}
