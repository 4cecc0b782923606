/**
 * What commands do with keys: find, put, change, expire, remove, visit. The front of the shard.
 *
 * Runs on every thread, under the shard's lock. A reference is good until the next call that allocates or removes.
 * Nothing here allocates in JavaScript; memory trouble is the returned NONE.
 */
import type { Buffer } from 'node:buffer';
import { copyBytes, copySharedBytes } from '../base/bytes.ts';
import { appendPut, appendSplice, databaseOfTable } from './append.ts';
import { BLOCK_CELLS_MAX, blockCells, cellsForBytes } from './arena.ts';
import { tableFor } from './databases.ts';
import {
  entryBytes,
  entryOffset,
  expiresAt,
  isRaw,
  isWide,
  keyLength,
  keyOffset,
  tableOf,
  typeOf,
  valueLength,
  valueOffset,
  writeExpiresAt,
  writeLsn,
} from './entry.ts';
import {
  admitKey,
  evictOne,
  giveUpBlock,
  INDEX_BYTES_MIN,
  reserveBlock,
  resizeInPlaceWithin,
} from './eviction.ts';
import { scheduleAt } from './expiry.ts';
import {
  CELL_BYTES,
  CHANGING,
  CLOCK_AND_TABLE,
  EXPIRES_AT_MS_MAX,
  EXPIRES_LOW,
  HIGHS,
  KEYS_LIVE,
  LIMIT_BYTES,
  LSN,
  NARROW_KEY_AT,
  NARROW_KEY_BYTES_MAX,
  NONE,
  PROTECTED,
  PROTECTED_SOURCE,
  SHAPE,
  SHAPE_KEY_HALF,
  SHAPE_RAW,
  SHAPE_SLACK_SHIFT,
  SHAPE_TYPE_SHIFT,
  SHAPE_WIDE,
  TABLE_EXPIRING,
  TYPE_STRING,
  WAITERS,
  WATCHED_ABSENT,
  WIDE_KEY_AT,
  WIDE_KEY_LENGTH,
  WIDE_VALUE_LENGTH,
  WORDS_PER_CELL,
  WRITING,
} from './layout.ts';
import { dropCollection, expireEntry, notePresence, replaceExpiry } from './lifecycle.ts';
import { admitEntry, touchEntry } from './recency.ts';
import { RECORD_RAW } from './record.ts';
import { sampleFromTable } from './sampling.ts';
import type { Shard } from './shard.ts';
import { countSlotKey, isForeign } from './slot-keys.ts';
import { findInTable, hashOf, insertInTable, tableBase, visitGroup } from './table.ts';
import { takeOver } from './take-over.ts';
import { countType } from './type-counts.ts';
import { noteBirth } from './waiting.ts';

/** Draws of RANDOMKEY that may meet an expired entry before one is given up on, as in redis-server's db.c. */
const RANDOM_TRIES_MAX = 100;

/** Longer strings are called `raw` anyway; shorter ones only when they were changed in place. */
export const EMBEDDED_BYTES_MAX = 44;

/** A value that grows by appending gets as much again, up to this, so that many appends move it seldom. */
const GROWTH_BYTES_MAX = 1024 * 1024;

/** The hash of the key that `findEntry` has looked for last, for a `putFound` that follows. One per thread. */
export const sought = { hash: 0 };

/** The entry under a key, or NONE. An expired one is removed on the way. Recency does not change. */
export function findEntry(
  shard: Shard,
  database: number,
  key: Uint8Array,
  start: number,
  end: number,
  nowMs: number,
): number {
  const hash = hashOf(shard, key, start, end);
  sought.hash = hash;
  const ref = findInTable(shard, tableFor(shard, database), hash, key, start, end);
  if (ref === NONE || !isExpired(shard, ref, nowMs)) return ref;
  expireEntry(shard, ref, hash);
  return NONE;
}

/** As `findEntry`, for those who only read: while clients are paused, an expired one stays where it is, and so does another node's. */
export function findForReading(
  shard: Shard,
  database: number,
  key: Uint8Array,
  start: number,
  end: number,
  nowMs: number,
): number {
  const hash = hashOf(shard, key, start, end);
  const ref = findInTable(shard, tableFor(shard, database), hash, key, start, end);
  if (ref === NONE || !isExpired(shard, ref, nowMs)) return ref;
  if (!shard.isPaused() && !isForeign(shard, ref)) expireEntry(shard, ref, hash);
  return NONE;
}

/** Whether an entry's time has passed, removed or not. */
export function isExpired(shard: Shard, ref: number, nowMs: number): boolean {
  const { words } = shard.entries;
  const word = ref * WORDS_PER_CELL;
  if (words[word + EXPIRES_LOW] === 0 && words[word + HIGHS] >>> 16 === 0) return false;
  return expiresAt(shard.entries, ref) < nowMs;
}

/**
 * Creates or replaces a string. `expiresAtMs` 0 is for ever. Returns its reference; NONE when nothing (more) may be
 * evicted for it, and then nothing has changed but what was evicted. O(value), plus what is evicted.
 */
export function putString(
  shard: Shard,
  database: number,
  key: Buffer,
  keyStart: number,
  keyEnd: number,
  value: Buffer,
  valueStart: number,
  valueEnd: number,
  expiresAtMs: number,
  nowMs: number,
): number {
  const hash = hashOf(shard, key, keyStart, keyEnd);
  const existing = findInTable(shard, tableFor(shard, database), hash, key, keyStart, keyEnd);
  return putFound(
    shard,
    database,
    hash,
    existing,
    key,
    keyStart,
    keyEnd,
    value,
    valueStart,
    valueEnd,
    expiresAtMs,
    nowMs,
  );
}

/** As `putString`, for a caller that has looked the key up: `existing` is its entry, expired or not, or NONE. */
export function putFound(
  shard: Shard,
  database: number,
  hash: number,
  existing: number,
  key: Buffer,
  keyStart: number,
  keyEnd: number,
  value: Buffer,
  valueStart: number,
  valueEnd: number,
  expiresAtMs: number,
  nowMs: number,
): number {
  const length = valueEnd - valueStart;
  const table = tableFor(shard, database);
  const ref = placeString(shard, table, hash, existing, key, keyStart, keyEnd, length, expiresAtMs, nowMs);
  if (ref === NONE) return NONE;
  const { entries } = shard;
  copyBytes(value, valueStart, valueEnd, entryBytes(entries, ref), valueOffset(entries, ref));
  finishPut(shard, database, ref, keyEnd - keyStart, value, valueStart, valueEnd, expiresAtMs, 0);
  return ref;
}

/**
 * Creates or replaces an entry with the value of another, which may lie in another shard (whose lock is held too).
 * The source stays. Returns as `putString`. In one shard, making room may move the source: its old reference is void.
 */
export function putCopy(
  shard: Shard,
  database: number,
  key: Buffer,
  keyStart: number,
  keyEnd: number,
  source: Shard,
  sourceRef: number,
  expiresAtMs: number,
  nowMs: number,
): number {
  const length = valueLength(source.entries, sourceRef);
  const table = tableFor(shard, database);
  const hash = hashOf(shard, key, keyStart, keyEnd);
  const existing = findInTable(shard, table, hash, key, keyStart, keyEnd);
  source.control[PROTECTED_SOURCE] = sourceRef;
  const ref = placeString(shard, table, hash, existing, key, keyStart, keyEnd, length, expiresAtMs, nowMs);
  const from = source.control[PROTECTED_SOURCE];
  if (ref === NONE) {
    source.control[PROTECTED_SOURCE] = NONE;
    return NONE;
  }
  const at = valueOffset(source.entries, from);
  const target = entryBytes(shard.entries, ref);
  copySharedBytes(entryBytes(source.entries, from), at, at + length, target, valueOffset(shard.entries, ref));
  const isShortRaw = isRaw(source.entries, from) && length <= EMBEDDED_BYTES_MAX;
  const copy = isShortRaw ? makeRaw(shard, table, hash, ref, key, keyStart, keyEnd, nowMs) : ref;
  // Until here: room for the other form must not be made of the source, which the caller still has.
  source.control[PROTECTED_SOURCE] = NONE;
  const start = valueOffset(shard.entries, copy);
  const value = entryBytes(shard.entries, copy);
  const flags = isRaw(shard.entries, copy) ? RECORD_RAW : 0;
  finishPut(shard, database, copy, keyEnd - keyStart, value, start, start + length, expiresAtMs, flags);
  return copy;
}

/**
 * Changes the length of a string in place or by moving it: the prefix stays, growth is zero-filled. Returns the entry's
 * reference from now on; NONE when nothing (more) may be evicted for it, and then it is as before. `writeValue` must
 * follow: until then the entry counts as half written. O(1) when there is
 * room behind the value, which appending leaves; O(value) otherwise.
 */
export function resizeValue(shard: Shard, ref: number, length: number, nowMs: number): number {
  const { entries, control } = shard;
  const before = valueLength(entries, ref);
  let at = ref;
  if (!fitsInBlock(shard, ref, length)) {
    const keyBytes = keyLength(entries, ref);
    control[PROTECTED] = ref;
    let block = reserveBlock(shard, cellsForWide(keyBytes, length + growthFor(length)), nowMs);
    if (block === NONE) block = reserveBlock(shard, cellsForWide(keyBytes, length), nowMs);
    const from = control[PROTECTED];
    control[PROTECTED] = NONE;
    if (block === NONE) return NONE;
    control[WRITING] = block;
    at = moveToWide(shard, from, block, Math.min(before, length), nowMs);
  }
  control[WRITING] = at;
  entries.words[at * WORDS_PER_CELL + WIDE_VALUE_LENGTH] = length;
  entries.words[at * WORDS_PER_CELL + SHAPE] |= SHAPE_RAW;
  if (length > before) {
    const offset = valueOffset(entries, at);
    entryBytes(entries, at).fill(0, offset + before, offset + length);
  }
  return at;
}

/** Overwrites part of a value after `resizeValue`: `[offset, offset + end - start)` must lie within it. */
export function writeValue(
  shard: Shard,
  ref: number,
  offset: number,
  source: Buffer,
  start: number,
  end: number,
): void {
  const { entries } = shard;
  copyBytes(source, start, end, entryBytes(entries, ref), valueOffset(entries, ref) + offset);
  const database = databaseOfTable(shard, tableOf(entries, ref));
  const length = valueLength(entries, ref);
  writeLsn(entries, ref, appendSplice(shard, database, ref, length, offset, source, start, end));
  shard.control[WRITING] = NONE;
}

/** The largest value that a shard of this limit can hold under a key of this length. */
export function valueBytesMax(shard: Shard, keyBytes: number): number {
  const blockBytes = Math.min(BLOCK_CELLS_MAX * CELL_BYTES, shard.numbers[LIMIT_BYTES] - INDEX_BYTES_MIN);
  return Math.max(0, blockBytes - WIDE_KEY_AT - keyBytes - CELL_BYTES);
}

/** A key of a database at random, NONE when it has none that lives. */
export function randomEntry(shard: Shard, database: number, nowMs: number): number {
  let ref = NONE;
  for (let tries = 0; tries < RANDOM_TRIES_MAX; tries += 1) {
    ref = sampleFromTable(shard, tableFor(shard, database));
    if (ref === NONE || !isExpired(shard, ref, nowMs)) return ref;
  }
  return ref;
}

/** Visits the entries at a position in hash order; see `visitGroup` for what is promised. The visitor changes nothing. */
export function scanBucket(
  shard: Shard,
  database: number,
  position: number,
  visit: (ref: number) => void,
): number {
  return visitGroup(shard, tableFor(shard, database), position, visit);
}

/** Takes or makes the entry for a string of `length` bytes, with everything written but the value itself. */
export function placeString(
  shard: Shard,
  table: number,
  hash: number,
  existing: number,
  key: Buffer,
  keyStart: number,
  keyEnd: number,
  length: number,
  expiresAtMs: number,
  nowMs: number,
): number {
  const expiry = Math.min(expiresAtMs, EXPIRES_AT_MS_MAX);
  if (existing === NONE)
    return createEntry(shard, table, hash, key, keyStart, keyEnd, TYPE_STRING, length, expiry, nowMs);
  const isInPlace = isBlockFor(shard, existing, cellsFor(keyEnd - keyStart, length));
  const ref = isInPlace ? existing : reblock(shard, existing, hash, length, nowMs);
  if (ref === NONE) return NONE;
  shard.control[WRITING] = ref;
  if (isInPlace) dropCollection(shard, ref);
  // In place, a key of the same form lies where it should.
  const isKeyThere = isInPlace && isWide(shard.entries, ref) === keyEnd - keyStart > NARROW_KEY_BYTES_MAX;
  writeShape(shard, ref, TYPE_STRING, keyEnd - keyStart, length);
  if (!isKeyThere) writeKey(shard, ref, key, keyStart, keyEnd);
  replaceExpiry(shard, ref, expiry);
  touchEntry(shard, ref, nowMs);
  return ref;
}

/** Gives a fresh copy the form of a string that was changed in place; without room it stays as it is. Its reference. */
export function makeRaw(
  shard: Shard,
  table: number,
  hash: number,
  ref: number,
  key: Buffer,
  keyStart: number,
  keyEnd: number,
  nowMs: number,
): number {
  const { control, entries } = shard;
  control[CHANGING] += 1;
  control[WRITING] = NONE;
  const raw = resizeValue(shard, ref, valueLength(entries, ref), nowMs);
  // What was done for room may have moved it.
  const copy = raw === NONE ? findInTable(shard, table, hash, key, keyStart, keyEnd) : raw;
  control[WRITING] = copy;
  control[CHANGING] -= 1;
  return copy;
}

/** The change is complete: its record and its number. */
export function finishPut(
  shard: Shard,
  database: number,
  ref: number,
  keyBytes: number,
  value: Buffer,
  valueStart: number,
  valueEnd: number,
  expiresAtMs: number,
  flags: number,
): void {
  const expiry = Math.min(expiresAtMs, EXPIRES_AT_MS_MAX);
  const lsn = appendPut(shard, database, ref, keyBytes, value, valueStart, valueEnd, expiry, flags);
  writeLsn(shard.entries, ref, lsn);
  shard.control[WRITING] = NONE;
}

/** Whether a block has the size that was asked for; the allocator may have left it a cell that is too small to be a block. */
function isBlockFor(shard: Shard, ref: number, cells: number): boolean {
  const more = blockCells(shard.entries.words, ref) - cells;
  return more === 0 || more === 1;
}

/** A block of the size that the new value needs, in the place of the old one in index, lists and wheel. */
function reblock(shard: Shard, existing: number, hash: number, length: number, nowMs: number): number {
  const { entries, control } = shard;
  const cells = cellsFor(keyLength(entries, existing), length);
  control[PROTECTED] = existing;
  const block = reserveBlock(shard, cells, nowMs);
  const from = control[PROTECTED];
  control[PROTECTED] = NONE;
  if (block === NONE) return NONE;
  dropCollection(shard, from);
  takeOver(shard, from, block, hash, expiresAt(entries, from) !== 0);
  return block;
}

/** An entry for a key that has none, with everything written but its value; it counts as half written until that is there. NONE: no room. */
export function createEntry(
  shard: Shard,
  table: number,
  hash: number,
  key: Buffer,
  keyStart: number,
  keyEnd: number,
  type: number,
  length: number,
  expiresAtMs: number,
  nowMs: number,
): number {
  const { control, entries, numbers } = shard;
  if (!admitKey(shard, nowMs)) return NONE;
  const ref = reserveBlock(shard, cellsFor(keyEnd - keyStart, length), nowMs);
  if (ref === NONE) return NONE;
  const word = ref * WORDS_PER_CELL;
  control[WRITING] = ref;
  entries.words[word + CLOCK_AND_TABLE] = table;
  entries.words[word + HIGHS] = 0;
  writeExpiresAt(entries, ref, expiresAtMs);
  writeShape(shard, ref, type, keyEnd - keyStart, length);
  writeKey(shard, ref, key, keyStart, keyEnd);
  while (!insertInTable(shard, table, hash, ref)) {
    if (evictOne(shard, nowMs)) continue;
    entries.words[word + SHAPE] = 0;
    control[WRITING] = NONE;
    giveUpBlock(shard, ref);
    return NONE;
  }
  control[KEYS_LIVE] += 1;
  countType(shard, table, type);
  countSlotKey(shard, table, ref);
  // Its record is the next one.
  if (control[WATCHED_ABSENT] !== 0)
    notePresence(shard, databaseOfTable(shard, table), hash, numbers[LSN] + 1);
  if (control[WAITERS] !== 0) noteBirth(shard, table, hash, type, key, keyStart, keyEnd);
  admitEntry(shard, ref, hash, nowMs);
  if (expiresAtMs !== 0) {
    // Its value is still to come.
    scheduleAt(shard, ref, expiresAtMs);
    control[tableBase(table) + TABLE_EXPIRING] += 1;
  }
  return ref;
}

/** Copies key and value to a larger block in the wide form, and makes it the entry. */
function moveToWide(shard: Shard, from: number, block: number, length: number, nowMs: number): number {
  const { entries } = shard;
  const keyBytes = keyLength(entries, from);
  const target = entryBytes(entries, block);
  const key = keyOffset(entries, from);
  const value = valueOffset(entries, from);
  const at = entryOffset(block) + WIDE_KEY_AT;
  copyBytes(entryBytes(entries, from), key, key + keyBytes, target, at);
  copyBytes(entryBytes(entries, from), value, value + length, target, at + keyBytes);
  const type = typeOf(entries, from);
  const isScheduled = expiresAt(entries, from) !== 0;
  takeOver(shard, from, block, hashOf(shard, target, at, at + keyBytes), isScheduled);
  const word = block * WORDS_PER_CELL;
  entries.words[word + WIDE_KEY_LENGTH] = keyBytes;
  entries.words[word + WIDE_VALUE_LENGTH] = length;
  entries.words[word + SHAPE] = SHAPE_WIDE | (type << SHAPE_TYPE_SHIFT);
  touchEntry(shard, block, nowMs);
  return block;
}

/** Whether a value of another length has its place in the block as it is, or as it can grow where it stands. */
function fitsInBlock(shard: Shard, ref: number, length: number): boolean {
  const { entries } = shard;
  const keyBytes = keyLength(entries, ref);
  if (!isWide(entries, ref)) return false;
  if (length <= blockCells(entries.words, ref) * CELL_BYTES - WIDE_KEY_AT - keyBytes) return true;
  return resizeInPlaceWithin(shard, ref, cellsForWide(keyBytes, length + growthFor(length)));
}

function growthFor(length: number): number {
  return Math.min(length, GROWTH_BYTES_MAX);
}

function cellsFor(keyBytes: number, valueBytes: number): number {
  return keyBytes > NARROW_KEY_BYTES_MAX
    ? cellsForWide(keyBytes, valueBytes)
    : cellsForBytes(NARROW_KEY_AT + keyBytes + valueBytes);
}

function cellsForWide(keyBytes: number, valueBytes: number): number {
  return cellsForBytes(WIDE_KEY_AT + keyBytes + valueBytes);
}

/** Writes the lengths for a block that was made for them. From here on the block is an entry. */
function writeShape(shard: Shard, ref: number, type: number, keyBytes: number, valueBytes: number): void {
  const { words } = shard.entries;
  const word = ref * WORDS_PER_CELL;
  if (keyBytes > NARROW_KEY_BYTES_MAX) {
    words[word + WIDE_KEY_LENGTH] = keyBytes;
    words[word + WIDE_VALUE_LENGTH] = valueBytes;
    words[word + SHAPE] = SHAPE_WIDE | (type << SHAPE_TYPE_SHIFT);
    return;
  }
  const slack = blockCells(words, ref) * CELL_BYTES - NARROW_KEY_AT - keyBytes - valueBytes;
  const shape = keyBytes | (slack << SHAPE_SLACK_SHIFT) | (type << SHAPE_TYPE_SHIFT);
  // The upper half is the key's, which may be there.
  words[word + SHAPE] = (words[word + SHAPE] & SHAPE_KEY_HALF) | shape;
}

function writeKey({ entries }: Shard, ref: number, key: Buffer, keyStart: number, keyEnd: number): void {
  const at = keyEnd - keyStart > NARROW_KEY_BYTES_MAX ? WIDE_KEY_AT : NARROW_KEY_AT;
  copyBytes(key, keyStart, keyEnd, entryBytes(entries, ref), entryOffset(ref) + at);
}
