/**
 * Brings the images of a snapshot into a shard: a run at a time while there is room, one by one where something must make
 * room or where several threads load into one shard.
 *
 * Runs on a thread of the job pool, under the shard's lock, with the shard's journal off. Loading by runs needs the shard for
 * itself until `indexStaged`: a section's images are laid into the arena as they are, one block behind the other, and only
 * their hashes are kept; then the index is made group by group, so that neighbouring places are written together; last of all
 * comes the order of use (recency-order.ts). Some 150 ns an entry, against 400 one by one.
 *
 * Of two images of one key, or an image and an entry, the one with the higher LSN stays.
 */
import type { Buffer } from 'node:buffer';
import { equalBytes } from '../base/bytes.ts';
import { FORM_DEADLINES } from '../collections/form.ts';
import { LOAD_STAGED_ENTRIES_MAX } from '../config/limits.ts';
import { allocate, layBlocks } from './arena.ts';
import { tableFor } from './databases.ts';
import { doomTree } from './doomed-trees.ts';
import { entryBytes, expiresAt, keyLength, keyOffset, lsnOf, typeOf } from './entry.ts';
import { admitKey, evictOne, giveUpBlock, INDEX_BYTES_MIN, reserveBlock, usedBytes } from './eviction.ts';
import { isTimed, scheduleEntry, unscheduleEntry } from './expiry.ts';
import { CAPACITY_STEP, capacityOf, pushPlace, refsIn } from './group.ts';
import {
  imageClock,
  imageExpires,
  imageKeyBytes,
  imageKeyStart,
  imageLsn,
  imageType,
  placeImage,
} from './image.ts';
import {
  CELL_BYTES,
  COLLECTION_TYPES,
  EVICTED_KEYS,
  HEAD_ALL,
  KEYS_LIVE,
  KEYS_MAX,
  LIMIT_BYTES,
  LSN,
  NONE,
  POLICY,
  SHAPE,
  SHAPE_SLACK_SHIFT,
  SHAPE_TYPE_MASK,
  SHAPE_TYPE_SHIFT,
  SHAPE_WIDE,
  TABLE_COLLECTIONS,
  TABLE_EXPIRING,
  TABLE_KEYS,
  TABLE_LEVEL,
  TABLE_SPLIT,
  TYPE_HASH,
  TYPE_LIST,
  TYPE_STRING,
  WORDS_PER_CELL,
  WRITING,
} from './layout.ts';
import { detachEntry } from './lifecycle.ts';
import { ALL_LRU, isLfu } from './policy.ts';
import { adoptEntry, idleSeconds, oldestOf, secondsSince, translateClock } from './recency.ts';
import type { Shard } from './shard.ts';
import { countSlotKey, uncountSlotKey } from './slot-keys.ts';
import {
  findInTable,
  groupAt,
  groupCount,
  groupLevel,
  hashOf,
  insertInTable,
  KEYS_PER_GROUP,
  removeFromTable,
  replaceInTable,
  resizeGroup,
  sizeTable,
  splitGroup,
  tableBase,
  tagFor,
} from './table.ts';
import { countType, uncountType } from './type-counts.ts';

/** Images of one database, checked, in `bytes[start, end)`, which `words` views too. Loading gives them tables and clocks. */
export type Images = {
  readonly bytes: Buffer;
  readonly words: Int32Array;
  readonly start: number;
  readonly end: number;
  readonly records: number;
  readonly database: number;
  /** Whether their clocks are those of the lfu policies. */
  readonly hasUseClocks: boolean;
};

/** What lies in the arena of a shard and waits for its place in the index: all of one table. */
export type Staging = {
  readonly shard: Shard;
  readonly nowMs: number;
  /** By database: for how many keys an empty table is made. */
  readonly expectedKeys: readonly number[];
  database: number;
  /** Hash and reference of each, in turns. */
  pairs: Int32Array;
  count: number;
  hasDeadlines: boolean;
  /** Of each type of collections, from lists on, how many. */
  readonly collections: Int32Array;
};

/** What became of an image: it is there; an entry as new is there; it is older than what would have to go; no room. */
export const IMAGE_PLACED = 0;
export const IMAGE_KNOWN = 1;
export const IMAGE_EVICTED = 2;
export const IMAGE_NO_ROOM = 3;

const WORD_BYTES = CELL_BYTES / WORDS_PER_CELL;
const STAGED_ENTRIES_START = 64 * 1024;
/** What an entry needs of the index: six bytes, its part of a group's header and of a segment, and places not used. */
const INDEX_BYTES_PER_KEY = 8;
/** Doubles within a group are looked for by the highest bits of the hash first. */
const SEEN_BITS = 12;
const SEEN_PLACES = 1 << SEEN_BITS;
const SEEN_SHIFT = 32 - SEEN_BITS;
const SPARE_SLACK = CELL_BYTES << SHAPE_SLACK_SHIFT;

export function createStaging(shard: Shard, expectedKeys: readonly number[], nowMs: number): Staging {
  return {
    shard,
    nowMs,
    expectedKeys,
    database: 0,
    pairs: new Int32Array(2 * STAGED_ENTRIES_START),
    count: 0,
    hasDeadlines: false,
    collections: new Int32Array(COLLECTION_TYPES),
  };
}

/** Whether `stageImages` may be called for these, or what waits must go into the index first. */
export function canStage(staging: Staging, images: Images): boolean {
  if (staging.count === 0) return true;
  return staging.database === images.database && staging.count + images.records <= LOAD_STAGED_ENTRIES_MAX;
}

/**
 * Lays the images into the arena, to be found after `indexStaged`. False, and nothing has happened, when they do not fit
 * beside what is there: they must then be placed one by one. O(bytes), one hash a key.
 */
export function stageImages(staging: Staging, images: Images): boolean {
  const { shard } = staging;
  const { control, entries, numbers } = shard;
  const bytes = images.end - images.start;
  const keys = staging.count + images.records;
  const needed = bytes + INDEX_BYTES_MIN + keys * INDEX_BYTES_PER_KEY;
  if (usedBytes(shard) + needed > numbers[LIMIT_BYTES]) return false;
  if (control[KEYS_MAX] !== 0 && control[KEYS_LIVE] + keys > control[KEYS_MAX]) return false;
  const ref = allocate(entries, bytes / CELL_BYTES);
  if (ref === NONE) return false;
  staging.database = images.database;
  const lastCells = hashImages(staging, images, ref);
  if (layBlocks(entries, ref, images.bytes, images.start, images.end, lastCells))
    giveSpare(shard, ref + lastCells);
  return true;
}

/** Puts what was staged into the index and the wheel; false when the index has no room for all. O(staged). */
export function indexStaged(staging: Staging): boolean {
  const { shard, count, database } = staging;
  if (count === 0) return true;
  const table = tableFor(shard, database);
  if (staging.hasDeadlines) scheduleStaged(staging, table);
  countStaged(staging, table);
  growTable(shard, table, count, staging.expectedKeys[database]);
  const ends = new Int32Array(groupCount(shard, table) + 1);
  const pairs = sortByGroup(staging, table, ends);
  staging.count = 0;
  staging.hasDeadlines = false;
  const seen = new Int32Array(SEEN_PLACES);
  let hasRoom = true;
  for (let group = 0, from = 0; group < ends.length - 1; group += 1) {
    const to = ends[group];
    if (to > from && !fillGroup(shard, table, group, pairs, from, to, seen)) hasRoom = false;
    from = to;
  }
  return hasRoom;
}

/**
 * Places one image, after evicting what must go; it becomes the newest of its list, with its own clock. O(bytes). Under
 * allkeys-lru an image that is older than the oldest entry goes in its stead.
 */
export function putImage(shard: Shard, images: Images, at: number, nowMs: number): number {
  const { control, entries, numbers } = shard;
  const { bytes, words } = images;
  const table = tableFor(shard, images.database);
  const keyStart = imageKeyStart(words, at);
  const keyEnd = keyStart + imageKeyBytes(words, at);
  const hash = hashOf(shard, bytes, keyStart, keyEnd);
  const known = findInTable(shard, table, hash, bytes, keyStart, keyEnd);
  if (known !== NONE) {
    if (lsnOf(entries, known) >= imageLsn(words, at)) return IMAGE_KNOWN;
    dropEntry(shard, table, hash, known);
  }
  const cells = words[at] >>> 2;
  const clock = translateClock(imageClock(words, at), images.hasUseClocks, isLfu(control[POLICY]), nowMs);
  if (isOlderThanAll(shard, cells, clock, nowMs)) {
    numbers[EVICTED_KEYS] += 1;
    return IMAGE_EVICTED;
  }
  if (!admitKey(shard, nowMs)) return IMAGE_NO_ROOM;
  const ref = reserveBlock(shard, cells, nowMs);
  if (ref === NONE) return IMAGE_NO_ROOM;
  control[WRITING] = ref;
  placeImage(words, at, table, clock);
  const start = at * WORD_BYTES;
  const spare = layBlocks(entries, ref, bytes, start, start + cells * CELL_BYTES, 0);
  if (spare) giveSpare(shard, ref);
  while (!insertInTable(shard, table, hash, ref)) {
    if (evictOne(shard, nowMs)) continue;
    forgetEntry(shard, ref);
    control[WRITING] = NONE;
    return IMAGE_NO_ROOM;
  }
  control[KEYS_LIVE] += 1;
  countType(shard, table, imageType(words, at));
  countSlotKey(shard, table, ref);
  adoptEntry(shard, ref);
  if (isTimed(entries, ref)) scheduleEntry(shard, ref);
  if (expiresAt(entries, ref) !== 0) control[tableBase(table) + TABLE_EXPIRING] += 1;
  control[WRITING] = NONE;
  return IMAGE_PLACED;
}

/** Removes an entry as if it had never been loaded: that is no change of the shard. */
export function dropEntry(shard: Shard, table: number, hash: number, ref: number): void {
  uncountType(shard, table, typeOf(shard.entries, ref));
  uncountSlotKey(shard, table, ref);
  removeFromTable(shard, table, hash, ref);
  doomTree(shard, ref);
  detachEntry(shard, ref);
  shard.control[KEYS_LIVE] -= 1;
}

/** No entry of the shard may have a higher LSN than the shard: what was loaded goes up to this one. */
export function raiseLsn(shard: Shard, lsn: number): void {
  if (shard.numbers[LSN] < lsn) shard.numbers[LSN] = lsn;
}

/** A counting sort of the pairs by the group of their hash; `ends` gets, by group, where its pairs end. */
function sortByGroup(staging: Staging, table: number, ends: Int32Array): Int32Array {
  const { control } = staging.shard;
  const { pairs } = staging;
  const length = 2 * staging.count;
  // groupOf with its three loads taken out of the loops: 10 ns an entry.
  const base = tableBase(table);
  const split = control[base + TABLE_SPLIT];
  const mask = (1 << control[base + TABLE_LEVEL]) - 1;
  const wideMask = (mask << 1) | 1;
  for (let from = 0; from < length; from += 2) {
    const hash = pairs[from];
    ends[((hash & mask) < split ? hash & wideMask : hash & mask) + 1] += 1;
  }
  for (let group = 1; group < ends.length; group += 1) ends[group] += ends[group - 1];
  const sorted = new Int32Array(length);
  for (let from = 0; from < length; from += 2) {
    const hash = pairs[from];
    const group = (hash & mask) < split ? hash & wideMask : hash & mask;
    const to = ends[group];
    ends[group] = to + 1;
    sorted[2 * to] = hash;
    sorted[2 * to + 1] = pairs[from + 1];
  }
  return sorted;
}

/** Gives the images their table and clock, and notes their hashes; where the last begins, in cells from the first. */
function hashImages(staging: Staging, images: Images, ref: number): number {
  const { shard, nowMs } = staging;
  const { bytes, words } = images;
  const table = tableFor(shard, images.database);
  const toUses = isLfu(shard.control[POLICY]);
  const first = images.start / WORD_BYTES;
  const end = images.end / WORD_BYTES;
  reserveStaged(staging, images.records);
  const { pairs, collections } = staging;
  let { count, hasDeadlines } = staging;
  let last = first;
  for (let at = first; at < end; at += (words[at] >>> 2) * WORDS_PER_CELL) {
    const keyStart = imageKeyStart(words, at);
    pairs[2 * count] = hashOf(shard, bytes, keyStart, keyStart + imageKeyBytes(words, at));
    pairs[2 * count + 1] = ref + (at - first) / WORDS_PER_CELL;
    count += 1;
    placeImage(words, at, table, translateClock(imageClock(words, at), images.hasUseClocks, toUses, nowMs));
    if (!hasDeadlines && imageExpires(words, at)) hasDeadlines = true;
    const type = imageType(words, at);
    if (type !== TYPE_STRING) collections[type - TYPE_LIST] += 1;
    if (type === TYPE_HASH && (bytes[keyStart + imageKeyBytes(words, at)] & FORM_DEADLINES) !== 0)
      hasDeadlines = true;
    last = at;
  }
  staging.count = count;
  staging.hasDeadlines = hasDeadlines;
  return (last - first) / WORDS_PER_CELL;
}

function reserveStaged(staging: Staging, records: number): void {
  const needed = 2 * (staging.count + records);
  if (needed <= staging.pairs.length) return;
  const { pairs } = staging;
  staging.pairs = new Int32Array(Math.max(needed, pairs.length * 2));
  staging.pairs.set(pairs);
}

/** A cell that the allocator left to a block is slack of a narrow entry, and room of a wide one. */
function giveSpare(shard: Shard, ref: number): void {
  const { words } = shard.entries;
  const shape = ref * WORDS_PER_CELL + SHAPE;
  if ((words[shape] & SHAPE_WIDE) === 0) words[shape] += SPARE_SLACK;
}

function scheduleStaged(staging: Staging, table: number): void {
  const { shard, pairs, count } = staging;
  let expiring = 0;
  for (let i = 0; i < count; i += 1) {
    const ref = pairs[2 * i + 1];
    if (!isTimed(shard.entries, ref)) continue;
    scheduleEntry(shard, ref);
    if (expiresAt(shard.entries, ref) !== 0) expiring += 1;
  }
  shard.control[tableBase(table) + TABLE_EXPIRING] += expiring;
}

/** Counts the staged collections as the table's; what is a double is uncounted when it goes. */
function countStaged({ shard, collections }: Staging, table: number): void {
  const counts = tableBase(table) + TABLE_COLLECTIONS;
  for (let index = 0; index < COLLECTION_TYPES; index += 1)
    shard.control[counts + index] += collections[index];
  collections.fill(0);
}

/** As many groups as the table will need: at once while it is empty, else by splits. */
function growTable(shard: Shard, table: number, count: number, expectedKeys: number): void {
  const keys = shard.control[tableBase(table) + TABLE_KEYS];
  if (keys === 0) sizeTable(shard, table, Math.max(count, expectedKeys));
  let groups = groupCount(shard, table);
  while (keys + count > groups * KEYS_PER_GROUP) {
    splitGroup(shard, table);
    if (groupCount(shard, table) === groups) return;
    groups += 1;
  }
}

/** Adds the pairs from `from` to `to` to their group, each key once; false when the index has no room for them. */
function fillGroup(
  shard: Shard,
  table: number,
  index: number,
  pairs: Int32Array,
  from: number,
  to: number,
  seen: Int32Array,
): boolean {
  const { control } = shard;
  const { words } = shard.groups;
  let group = groupAt(shard, table, index);
  const before = group === NONE ? 0 : refsIn(words, group);
  const end = dropDoubles(shard, table, before > 0, pairs, from, to, seen);
  const count = before + end - from;
  if (group === NONE || capacityOf(words, group) < count) {
    if (end === from) return true;
    group = resizeGroup(shard, table, index, group, Math.ceil(count / CAPACITY_STEP) * CAPACITY_STEP);
    if (group === NONE) {
      for (let i = from; i < end; i += 1) dropStaged(shard, table, pairs[2 * i + 1]);
      return false;
    }
  }
  const level = groupLevel(control, table, index);
  for (let i = from; i < end; i += 1) pushPlace(words, group, tagFor(pairs[2 * i], level), pairs[2 * i + 1]);
  control[tableBase(table) + TABLE_KEYS] += end - from;
  control[KEYS_LIVE] += end - from;
  if (shard.slotKeys !== undefined) {
    for (let i = from; i < end; i += 1) countSlotKey(shard, table, pairs[2 * i + 1]);
  }
  return true;
}

/**
 * Leaves one pair of each key from `from` to the returned end, the newest, and none that the index has as new. `seen` is
 * stamped by the highest bits of the hashes: where there is no stamp of this group, there was no such key.
 */
function dropDoubles(
  shard: Shard,
  table: number,
  isKnown: boolean,
  pairs: Int32Array,
  from: number,
  to: number,
  seen: Int32Array,
): number {
  let end = from;
  for (let i = from; i < to; i += 1) {
    const hash = pairs[2 * i];
    const ref = pairs[2 * i + 1];
    const place = hash >>> SEEN_SHIFT;
    const other = seen[place] === to ? findDouble(shard, pairs, from, end, hash, ref) : end;
    seen[place] = to;
    if (other < end) {
      const isNewer = lsnOf(shard.entries, ref) > lsnOf(shard.entries, pairs[2 * other + 1]);
      dropStaged(shard, table, isNewer ? pairs[2 * other + 1] : ref);
      if (isNewer) pairs[2 * other + 1] = ref;
    } else if (!isKnown || !replaceKnown(shard, table, hash, ref)) {
      pairs[2 * end] = hash;
      pairs[2 * end + 1] = ref;
      end += 1;
    }
  }
  return end;
}

/** The pair from `from` to `end` that has the key of `ref`, or `end`. */
function findDouble(
  shard: Shard,
  pairs: Int32Array,
  from: number,
  end: number,
  hash: number,
  ref: number,
): number {
  let other = from;
  while (other < end && !(pairs[2 * other] === hash && haveOneKey(shard, pairs[2 * other + 1], ref)))
    other += 1;
  return other;
}

/** Whether the index has the key already; then the newer of the two stays. */
function replaceKnown(shard: Shard, table: number, hash: number, ref: number): boolean {
  const { entries } = shard;
  const at = keyOffset(entries, ref);
  const known = findInTable(shard, table, hash, entryBytes(entries, ref), at, at + keyLength(entries, ref));
  if (known === NONE) return false;
  const isNewer = lsnOf(entries, ref) > lsnOf(entries, known);
  if (isNewer) {
    replaceInTable(shard, table, hash, known, ref);
    doomTree(shard, known);
  }
  dropStaged(shard, table, isNewer ? known : ref);
  return true;
}

function haveOneKey(shard: Shard, one: number, other: number): boolean {
  const { entries } = shard;
  const length = keyLength(entries, one);
  if (length !== keyLength(entries, other)) return false;
  const at = keyOffset(entries, one);
  return equalBytes(
    entryBytes(entries, one),
    at,
    at + length,
    entryBytes(entries, other),
    keyOffset(entries, other),
  );
}

/** Gives back the block of an entry that is scheduled and counted but in no group; the recency lists are made anew anyway. */
function dropStaged(shard: Shard, table: number, ref: number): void {
  if (isTimed(shard.entries, ref)) unscheduleEntry(shard, ref);
  if (expiresAt(shard.entries, ref) !== 0) shard.control[tableBase(table) + TABLE_EXPIRING] -= 1;
  uncountType(shard, table, typeOf(shard.entries, ref));
  forgetEntry(shard, ref);
}

function forgetEntry(shard: Shard, ref: number): void {
  shard.entries.words[ref * WORDS_PER_CELL + SHAPE] &= ~(SHAPE_TYPE_MASK << SHAPE_TYPE_SHIFT);
  giveUpBlock(shard, ref);
}

function isOlderThanAll(shard: Shard, cells: number, clock: number, nowMs: number): boolean {
  const { control, entries, numbers } = shard;
  if (control[POLICY] !== ALL_LRU) return false;
  const isFull =
    usedBytes(shard) + cells * CELL_BYTES > numbers[LIMIT_BYTES] ||
    (control[KEYS_MAX] !== 0 && control[KEYS_LIVE] >= control[KEYS_MAX]);
  const oldest = oldestOf(entries, HEAD_ALL);
  if (!isFull || oldest === HEAD_ALL) return false;
  return secondsSince(shard, clock, nowMs) > idleSeconds(shard, oldest, nowMs);
}
