/**
 * The drawing of a log record, one change of one shard: the same bytes in the journal, in the log and in a replica's stream.
 *
 * Owns no state; runs on every thread. Little-endian, and every record begins on a multiple of 8 within its chunk:
 *
 *   0              4           8             12       16
 *  ┌──────────────┬───────────┬─────────────┬────────┬────────────────┬──────────────┬─────┬───────┬───────┐
 *  │ WHAT         │ KEY BYTES │ VALUE BYTES │ EXTRA  │ deadline (u64) │ length (u64) │ key │ value │ zeros │
 *  └──────────────┴───────────┴─────────────┴────────┴────────────────┴──────────────┴─────┴───────┴───────┘
 *
 * WHAT: effect 8 bits | database 8 | flags 16. The deadline (unix ms) is there if RECORD_EXPIRES, the length of the whole
 * value afterwards if the effect is SPLICE, zeros up to the next multiple of 8.
 */
import type { Buffer } from 'node:buffer';
import { assert } from '../base/assert.ts';
import { readUint64 } from '../base/bytes.ts';
import { DATABASES_MAX } from '../config/limits.ts';
import { EXPIRES_AT_MS_MAX, TYPE_HASH, TYPE_LIST } from './layout.ts';

/** A whole string: its key, its value, its deadline or none. */
export const EFFECT_PUT = 1;
/** The key goes. */
export const EFFECT_DELETE = 2;
/** The deadline becomes the record's; without RECORD_EXPIRES it goes. */
export const EFFECT_EXPIRE = 3;
/** The value becomes `length` bytes long, grown by zeros, and the record's value is laid over it at offset EXTRA. */
export const EFFECT_SPLICE = 4;
/** The database loses all keys of the shard. */
export const EFFECT_FLUSH = 5;
/** The database and database EXTRA change places in the shard. */
export const EFFECT_SWAP = 6;
/** What becomes of a collection: the value is operations (collections/change.ts), one behind the other. */
export const EFFECT_CHANGE = 7;

export const RECORD_EXPIRES = 1;
/** The string counts as changed in place (`OBJECT ENCODING` says raw). */
export const RECORD_RAW = 2;
/** CHANGE: the collection begins empty, in the place of whatever the key was; the deadline is the record's. */
export const RECORD_CREATES = 4;
/** CHANGE: the type of the collection, as entries have it, in these bits of the flags. */
export const RECORD_TYPE_SHIFT = 4;
export const RECORD_TYPE_MASK = 0b111;

/** The header in bytes, and its words. */
export const RECORD_HEADER_BYTES = 16;
export const RECORD_WHAT = 0;
export const RECORD_KEY_BYTES = 1;
export const RECORD_VALUE_BYTES = 2;
export const RECORD_EXTRA = 3;

/** Each of the two optional numbers behind the header. */
export const RECORD_NUMBER_BYTES = 8;

export const RECORD_DATABASE_SHIFT = 8;
export const RECORD_FLAGS_SHIFT = 16;

const BYTE_MASK = 0xff;
const FLAGS_KNOWN = RECORD_EXPIRES | RECORD_RAW;
const CHANGE_FLAGS_KNOWN = RECORD_EXPIRES | RECORD_CREATES | (RECORD_TYPE_MASK << RECORD_TYPE_SHIFT);
const ALIGNMENT_MASK = 7;
const WORD_BYTES = 4;
const TWO_TO_32 = 2 ** 32;

assert(DATABASES_MAX <= BYTE_MASK + 1, 'a record names its database in 8 bits');
assert(RECORD_HEADER_BYTES === (RECORD_EXTRA + 1) * WORD_BYTES, 'a header is whole words');

/** One record as it was read: spans in the bytes it was decoded from. Reused, so that reading allocates nothing. */
export type RecordView = {
  effect: number;
  database: number;
  flags: number;
  /** SPLICE: the offset of the value; SWAP: the other database; else 0. */
  extra: number;
  /** Unix milliseconds, 0 for none. */
  expiresAtMs: number;
  /** SPLICE: the length of the whole value afterwards; else 0. */
  length: number;
  keyStart: number;
  keyEnd: number;
  valueStart: number;
  valueEnd: number;
};

export function createRecordView(): RecordView {
  return {
    effect: 0,
    database: 0,
    flags: 0,
    extra: 0,
    expiresAtMs: 0,
    length: 0,
    keyStart: 0,
    keyEnd: 0,
    valueStart: 0,
    valueEnd: 0,
  };
}

/**
 * Reads the record at `at`, whose chunk ends at `end`, into `view`. Returns where the next one begins; -1 when the bytes
 * are no whole, sane record (`view` is void then). O(1).
 */
export function decodeRecord(bytes: Buffer, at: number, end: number, view: RecordView): number {
  if (end - at < RECORD_HEADER_BYTES) return -1;
  const what = bytes.readUInt32LE(at + RECORD_WHAT * WORD_BYTES);
  const keyBytes = bytes.readUInt32LE(at + RECORD_KEY_BYTES * WORD_BYTES);
  const valueBytes = bytes.readUInt32LE(at + RECORD_VALUE_BYTES * WORD_BYTES);
  view.effect = what & BYTE_MASK;
  view.database = (what >>> RECORD_DATABASE_SHIFT) & BYTE_MASK;
  view.flags = what >>> RECORD_FLAGS_SHIFT;
  view.extra = bytes.readUInt32LE(at + RECORD_EXTRA * WORD_BYTES);
  const numbersEnd = decodeNumbers(bytes, at + RECORD_HEADER_BYTES, end, view);
  if (numbersEnd < 0) return -1;
  view.keyStart = numbersEnd;
  view.keyEnd = view.keyStart + keyBytes;
  view.valueStart = view.keyEnd;
  view.valueEnd = view.valueStart + valueBytes;
  const next = at + recordBytes(view.valueEnd - at);
  return next <= end && isSane(view) ? next : -1;
}

/** The bytes of the record at `at`, by its header, of which nothing is checked. */
export function recordSpan(bytes: Buffer, at: number): number {
  const what = bytes.readUInt32LE(at + RECORD_WHAT * WORD_BYTES);
  const keyBytes = bytes.readUInt32LE(at + RECORD_KEY_BYTES * WORD_BYTES);
  const valueBytes = bytes.readUInt32LE(at + RECORD_VALUE_BYTES * WORD_BYTES);
  const hasDeadline = ((what >>> RECORD_FLAGS_SHIFT) & RECORD_EXPIRES) !== 0;
  const hasLength = (what & BYTE_MASK) === EFFECT_SPLICE;
  const numbers = (hasDeadline ? 1 : 0) + (hasLength ? 1 : 0);
  return recordBytes(RECORD_HEADER_BYTES + numbers * RECORD_NUMBER_BYTES + keyBytes + valueBytes);
}

/** The size of a record whose parts have `bytes` together: the next multiple of 8. */
export function recordBytes(bytes: number): number {
  const over = bytes & ALIGNMENT_MASK;
  return over === 0 ? bytes : bytes + ALIGNMENT_MASK + 1 - over;
}

/** CHANGE: the type of the collection. */
export function recordType({ flags }: RecordView): number {
  return (flags >>> RECORD_TYPE_SHIFT) & RECORD_TYPE_MASK;
}

/** Reads the optional numbers; returns where they end, -1 when they do not fit. */
function decodeNumbers(bytes: Buffer, at: number, end: number, view: RecordView): number {
  const hasDeadline = (view.flags & RECORD_EXPIRES) !== 0;
  const hasLength = view.effect === EFFECT_SPLICE;
  const lengthAt = hasDeadline ? at + RECORD_NUMBER_BYTES : at;
  const numbersEnd = hasLength ? lengthAt + RECORD_NUMBER_BYTES : lengthAt;
  if (numbersEnd > end) return -1;
  view.expiresAtMs = hasDeadline ? readUint64(bytes, at) : 0;
  view.length = hasLength ? readUint64(bytes, lengthAt) : 0;
  return numbersEnd;
}

/** Whether the fields are what the effect allows. */
function isSane(view: RecordView): boolean {
  const { effect, flags, extra } = view;
  if (view.database >= DATABASES_MAX) return false;
  if ((flags & RECORD_EXPIRES) !== 0 && !isDeadline(view.expiresAtMs)) return false;
  if (effect === EFFECT_CHANGE) return extra === 0 && isSaneChange(flags);
  if ((flags & ~FLAGS_KNOWN) !== 0) return false;
  const valueBytes = view.valueEnd - view.valueStart;
  if (effect === EFFECT_PUT) return extra === 0;
  if (effect === EFFECT_SPLICE)
    return flags === 0 && extra + valueBytes <= view.length && view.length < TWO_TO_32;
  if (valueBytes !== 0 || (flags & RECORD_RAW) !== 0) return false;
  if (effect === EFFECT_EXPIRE) return extra === 0;
  if (flags !== 0) return false;
  if (effect === EFFECT_DELETE) return extra === 0;
  if (view.keyEnd !== view.keyStart) return false;
  if (effect === EFFECT_FLUSH) return extra === 0;
  return effect === EFFECT_SWAP && extra < DATABASES_MAX;
}

/** A collection that is there keeps its deadline. */
function isSaneChange(flags: number): boolean {
  const type = (flags >>> RECORD_TYPE_SHIFT) & RECORD_TYPE_MASK;
  if ((flags & ~CHANGE_FLAGS_KNOWN) !== 0 || type < TYPE_LIST || type > TYPE_HASH) return false;
  return (flags & (RECORD_EXPIRES | RECORD_CREATES)) !== RECORD_EXPIRES;
}

function isDeadline(expiresAtMs: number): boolean {
  return expiresAtMs > 0 && expiresAtMs <= EXPIRES_AT_MS_MAX;
}
