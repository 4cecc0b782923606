/**
 * The writing of records into a shard's journal (journal.ts): one for each change, which takes the next LSN.
 *
 * Runs on every thread, under the shard's lock, called by what changes the shard and by nobody else. Every function
 * returns the LSN that it took, keeps a record if the shard is journaling, and allocates nothing. Headers are written as
 * words; key and value lie one behind the other in an entry, from an even byte on, so that small ones are copied by the
 * word (some 0.7 ns each, where `Buffer.copy` takes 35-45 ns at least).
 */
import type { Buffer } from 'node:buffer';
import { copyBytes, copySharedBytes } from '../base/bytes.ts';
import { entryBytes, isWide, keyLength } from './entry.ts';
import { NO_ROOM, publishRecord, reserveRecord } from './journal.ts';
import {
  EVENT_CHANGED,
  EVENT_FLUSHED,
  EVENT_SWAPPED,
  noteDatabase,
  noteEntry,
  WATCHES_CHANGES,
} from './key-events.ts';
import {
  DATABASE_TABLES,
  JOURNAL_ON,
  JOURNALING,
  LSN,
  NARROW_KEY_AT,
  WIDE_KEY_AT,
  WORDS_PER_CELL,
} from './layout.ts';
import {
  EFFECT_CHANGE,
  EFFECT_DELETE,
  EFFECT_EXPIRE,
  EFFECT_FLUSH,
  EFFECT_PUT,
  EFFECT_SPLICE,
  EFFECT_SWAP,
  RECORD_DATABASE_SHIFT,
  RECORD_EXPIRES,
  RECORD_EXTRA,
  RECORD_FLAGS_SHIFT,
  RECORD_HEADER_BYTES,
  RECORD_KEY_BYTES,
  RECORD_NUMBER_BYTES,
  RECORD_TYPE_SHIFT,
  RECORD_VALUE_BYTES,
  RECORD_WHAT,
  recordBytes,
} from './record.ts';
import type { Shard } from './shard.ts';

const WORD_SHIFT = 2;
const WORD_MASK = 3;
const HALF_BITS = 16;
const BYTE_BITS = 8;
const TWO_TO_32 = 2 ** 32;
const RECORD_EXPIRES_BITS = RECORD_EXPIRES << RECORD_FLAGS_SHIFT;

/** A value of up to this is copied by the word, together with its key. */
const WORDWISE_BYTES_MAX = 96;

/**
 * An entry was created or replaced: `value` holds its value from `valueStart` to `valueEnd` (private memory, where there
 * is some, is faster to copy from than the entry). `expiresAtMs` and `flags` are the entry's. O(value).
 */
export function appendPut(
  shard: Shard,
  database: number,
  ref: number,
  keyBytes: number,
  value: Buffer,
  valueStart: number,
  valueEnd: number,
  expiresAtMs: number,
  flags: number,
): number {
  const lsn = nextLsn(shard);
  if ((shard.keyEvents.watches & WATCHES_CHANGES) !== 0) noteEntry(shard, EVENT_CHANGED, database, ref);
  if (shard.control[JOURNALING] !== JOURNAL_ON) return lsn;
  const valueBytes = valueEnd - valueStart;
  const headBytes = expiresAtMs === 0 ? RECORD_HEADER_BYTES : RECORD_HEADER_BYTES + RECORD_NUMBER_BYTES;
  const end = headBytes + keyBytes + valueBytes;
  const bytes = recordBytes(end);
  const at = reserveRecord(shard, bytes);
  if (at === NO_ROOM) return lsn;
  const what = EFFECT_PUT | (database << RECORD_DATABASE_SHIFT) | (flags << RECORD_FLAGS_SHIFT);
  writeHeader(shard, at, expiresAtMs === 0 ? what : what | RECORD_EXPIRES_BITS, keyBytes, valueBytes, 0);
  if (expiresAtMs !== 0) writeNumber(shard, at + RECORD_HEADER_BYTES, expiresAtMs);
  if (valueBytes <= WORDWISE_BYTES_MAX) {
    copyFromEntry(shard, ref, keyBytes + valueBytes, at + headBytes);
  } else {
    copyFromEntry(shard, ref, keyBytes, at + headBytes);
    copyValue(shard, ref, value, valueStart, valueEnd, at + headBytes + keyBytes, at + bytes);
  }
  publishRecord(shard, at + bytes);
  return lsn;
}

/** Bytes were laid over an entry's value at `offset`, which made it `length` bytes long. O(bytes). */
export function appendSplice(
  shard: Shard,
  database: number,
  ref: number,
  length: number,
  offset: number,
  source: Buffer,
  start: number,
  end: number,
): number {
  const lsn = nextLsn(shard);
  if ((shard.keyEvents.watches & WATCHES_CHANGES) !== 0) noteEntry(shard, EVENT_CHANGED, database, ref);
  if (shard.control[JOURNALING] !== JOURNAL_ON) return lsn;
  const keyBytes = keyLength(shard.entries, ref);
  const keyFrom = RECORD_HEADER_BYTES + RECORD_NUMBER_BYTES;
  const bytes = recordBytes(keyFrom + keyBytes + end - start);
  const at = reserveRecord(shard, bytes);
  if (at === NO_ROOM) return lsn;
  writeHeader(shard, at, EFFECT_SPLICE | (database << RECORD_DATABASE_SHIFT), keyBytes, end - start, offset);
  writeNumber(shard, at + RECORD_HEADER_BYTES, length);
  copyFromEntry(shard, ref, keyBytes, at + keyFrom);
  copyValue(shard, ref, source, start, end, at + keyFrom + keyBytes, at + bytes);
  publishRecord(shard, at + bytes);
  return lsn;
}

/**
 * A collection of this type was changed by the operations `ops[start, end)`. `flags` has RECORD_CREATES if it was made for them, with
 * `expiresAtMs` then its deadline (0: none). O(operations).
 */
export function appendChange(
  shard: Shard,
  database: number,
  ref: number,
  type: number,
  flags: number,
  expiresAtMs: number,
  ops: Buffer,
  start: number,
  end: number,
): number {
  const lsn = nextLsn(shard);
  if ((shard.keyEvents.watches & WATCHES_CHANGES) !== 0) noteEntry(shard, EVENT_CHANGED, database, ref);
  if (shard.control[JOURNALING] !== JOURNAL_ON) return lsn;
  const keyBytes = keyLength(shard.entries, ref);
  const keyFrom = expiresAtMs === 0 ? RECORD_HEADER_BYTES : RECORD_HEADER_BYTES + RECORD_NUMBER_BYTES;
  const bytes = recordBytes(keyFrom + keyBytes + end - start);
  const at = reserveRecord(shard, bytes);
  if (at === NO_ROOM) return lsn;
  const allFlags = flags | (type << RECORD_TYPE_SHIFT) | (expiresAtMs === 0 ? 0 : RECORD_EXPIRES);
  const what = EFFECT_CHANGE | (database << RECORD_DATABASE_SHIFT) | (allFlags << RECORD_FLAGS_SHIFT);
  writeHeader(shard, at, what, keyBytes, end - start, 0);
  if (expiresAtMs !== 0) writeNumber(shard, at + RECORD_HEADER_BYTES, expiresAtMs);
  copyFromEntry(shard, ref, keyBytes, at + keyFrom);
  copyValue(shard, ref, ops, start, end, at + keyFrom + keyBytes, at + bytes);
  publishRecord(shard, at + bytes);
  return lsn;
}

/** An entry, which is still there, is about to go. O(key). */
export function appendDelete(shard: Shard, database: number, ref: number): number {
  const lsn = nextLsn(shard);
  if ((shard.keyEvents.watches & WATCHES_CHANGES) !== 0) noteEntry(shard, EVENT_CHANGED, database, ref);
  if (shard.control[JOURNALING] !== JOURNAL_ON) return lsn;
  const keyBytes = keyLength(shard.entries, ref);
  const bytes = recordBytes(RECORD_HEADER_BYTES + keyBytes);
  const at = reserveRecord(shard, bytes);
  if (at === NO_ROOM) return lsn;
  writeHeader(shard, at, EFFECT_DELETE | (database << RECORD_DATABASE_SHIFT), keyBytes, 0, 0);
  copyFromEntry(shard, ref, keyBytes, at + RECORD_HEADER_BYTES);
  publishRecord(shard, at + bytes);
  return lsn;
}

/** An entry's deadline was set, or with 0 removed. O(key). */
export function appendExpire(shard: Shard, database: number, ref: number, expiresAtMs: number): number {
  const lsn = nextLsn(shard);
  if ((shard.keyEvents.watches & WATCHES_CHANGES) !== 0) noteEntry(shard, EVENT_CHANGED, database, ref);
  if (shard.control[JOURNALING] !== JOURNAL_ON) return lsn;
  const keyBytes = keyLength(shard.entries, ref);
  const headBytes = expiresAtMs === 0 ? RECORD_HEADER_BYTES : RECORD_HEADER_BYTES + RECORD_NUMBER_BYTES;
  const bytes = recordBytes(headBytes + keyBytes);
  const at = reserveRecord(shard, bytes);
  if (at === NO_ROOM) return lsn;
  const what = EFFECT_EXPIRE | (database << RECORD_DATABASE_SHIFT);
  writeHeader(shard, at, expiresAtMs === 0 ? what : what | RECORD_EXPIRES_BITS, keyBytes, 0, 0);
  if (expiresAtMs !== 0) writeNumber(shard, at + RECORD_HEADER_BYTES, expiresAtMs);
  copyFromEntry(shard, ref, keyBytes, at + headBytes);
  publishRecord(shard, at + bytes);
  return lsn;
}

/** A database was emptied. O(1). */
export function appendFlush(shard: Shard, database: number): number {
  const { keyEvents } = shard;
  if ((keyEvents.watches & WATCHES_CHANGES) !== 0) noteDatabase(keyEvents, EVENT_FLUSHED, database, 0);
  return appendBare(shard, EFFECT_FLUSH | (database << RECORD_DATABASE_SHIFT), 0);
}

/** Two databases were exchanged. O(1). */
export function appendSwap(shard: Shard, one: number, other: number): number {
  const { keyEvents } = shard;
  if ((keyEvents.watches & WATCHES_CHANGES) !== 0) noteDatabase(keyEvents, EVENT_SWAPPED, one, other);
  return appendBare(shard, EFFECT_SWAP | (one << RECORD_DATABASE_SHIFT), other);
}

/** The database that a table is, for entries of which only the reference is known. */
export function databaseOfTable(shard: Shard, table: number): number {
  const { control } = shard;
  let database = 0;
  while (control[DATABASE_TABLES + database] !== table) database += 1;
  return database;
}

function appendBare(shard: Shard, what: number, extra: number): number {
  const lsn = nextLsn(shard);
  if (shard.control[JOURNALING] !== JOURNAL_ON) return lsn;
  const at = reserveRecord(shard, RECORD_HEADER_BYTES);
  if (at === NO_ROOM) return lsn;
  writeHeader(shard, at, what, 0, 0, extra);
  publishRecord(shard, at + RECORD_HEADER_BYTES);
  return lsn;
}

/** From here to the record's publication the journal lacks a record, which a look at the LSN shows. */
function nextLsn(shard: Shard): number {
  const lsn = shard.numbers[LSN] + 1;
  shard.numbers[LSN] = lsn;
  return lsn;
}

function writeHeader(
  shard: Shard,
  at: number,
  what: number,
  keyBytes: number,
  valueBytes: number,
  extra: number,
): void {
  const { recordWords } = shard.journal;
  const word = at >>> WORD_SHIFT;
  recordWords[word + RECORD_WHAT] = what;
  recordWords[word + RECORD_KEY_BYTES] = keyBytes;
  recordWords[word + RECORD_VALUE_BYTES] = valueBytes;
  recordWords[word + RECORD_EXTRA] = extra;
}

function writeNumber(shard: Shard, at: number, value: number): void {
  const { recordWords } = shard.journal;
  const word = at >>> WORD_SHIFT;
  recordWords[word] = value | 0;
  recordWords[word + 1] = Math.floor(value / TWO_TO_32);
}

/** Copies an entry's bytes from its key on to a multiple of 8, with zeros up to the next. A word too many is read. */
function copyFromEntry(shard: Shard, ref: number, bytes: number, at: number): void {
  const { words } = shard.entries;
  const { recordWords } = shard.journal;
  const count = (bytes + WORD_MASK) >>> WORD_SHIFT;
  const to = at >>> WORD_SHIFT;
  if (isWide(shard.entries, ref)) {
    const from = ref * WORDS_PER_CELL + (WIDE_KEY_AT >>> WORD_SHIFT);
    for (let i = 0; i < count; i += 1) recordWords[to + i] = words[from + i];
  } else {
    const from = ref * WORDS_PER_CELL + (NARROW_KEY_AT >>> WORD_SHIFT);
    let word = words[from];
    for (let i = 0; i < count; i += 1) {
      const next = words[from + i + 1];
      recordWords[to + i] = (word >>> HALF_BITS) | (next << HALF_BITS);
      word = next;
    }
  }
  const over = bytes & WORD_MASK;
  if (over !== 0) recordWords[to + count - 1] &= (1 << (over * BYTE_BITS)) - 1;
  if ((count & 1) !== 0) recordWords[to + count] = 0;
}

/** Copies a value behind its key, and writes zeros up to the record's end. */
function copyValue(
  shard: Shard,
  ref: number,
  source: Buffer,
  start: number,
  end: number,
  at: number,
  recordEnd: number,
): void {
  const { records } = shard.journal;
  if (source === entryBytes(shard.entries, ref)) copySharedBytes(source, start, end, records, at);
  else copyBytes(source, start, end, records, at);
  for (let to = at + end - start; to < recordEnd; to += 1) records[to] = 0;
}
