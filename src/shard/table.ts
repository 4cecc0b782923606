/**
 * The hash index of one table: linear hashing over groups of references, so that it grows and shrinks one group at a time.
 *
 * Runs on every thread, under the shard's lock; lies in the shard's index arena, its few counts in the control block.
 * Source: Litwin, "Linear hashing: a new tool for file and table addressing" (VLDB 1980). A group is not a fixed page
 * but a block that grows by four places, so that memory per key hardly depends on how full the table is:
 *
 *   root ──> segments of 1024 group references ──> group (group.ts)
 *
 * A tag is 16 bits of the key's hash: a miss reads one group and, mostly, no entry. The lowest bits pick the group; the
 * bit that splits it stands in the tag (bits 8 to 23 in a table of up to 2^16 groups, 16 to 31 in a larger one), so that
 * growing touches entries only in a tiny table and where the tags change their place. With about 24 references in a
 * group, the index costs 7 bytes a key.
 */
import { equalBytes } from '../base/bytes.ts';
import { allocate, blockCells, release } from './arena.ts';
import { entryBytes, isWide, keyLength, keyOffset } from './entry.ts';
import {
  CAPACITY_MAX,
  CAPACITY_STEP,
  capacityOf,
  createFor,
  createGroup,
  fetchGroups,
  GROUP_COUNTS,
  GROUP_TAGS,
  placeOf,
  pushPlace,
  refsIn,
  refsOf,
  tagAt,
  takePlace,
  writeTag,
} from './group.ts';
import { hashHalves, hashKey } from './key-hash.ts';
import {
  HASH_KEY_0,
  HASH_KEY_1,
  NONE,
  ROOT_WORDS,
  SHAPE,
  TABLE_AREA,
  TABLE_KEYS,
  TABLE_LEVEL,
  TABLE_SPLIT,
  TABLE_WORDS,
  TABLES,
  WORDS_PER_CELL,
} from './layout.ts';
import type { Shard } from './shard.ts';

const SEGMENT_GROUPS_SHIFT = 10;
const SEGMENT_GROUPS = 1 << SEGMENT_GROUPS_SHIFT;
const SEGMENT_FIRST = 2;
const SEGMENT_CELLS = (SEGMENT_GROUPS + SEGMENT_FIRST) / WORDS_PER_CELL;

/** Groups numbered by so many bits have the upper half of the hash for tags; before that, 16 bits from lower down. */
const LARGE_LEVEL = 16;
const SMALL_TAG_SHIFT = 8;
const TAG_MASK = 0xffff;

/** A group splits when the table holds more keys than this for each, and merges below a third of it. */
export const KEYS_PER_GROUP = 24;
const KEYS_PER_GROUP_MIN = 8;

/** Unused places in a group beyond this are given back when a key leaves. */
const SPARE_PLACES_MAX = 8;

/** Where a walk in hash order ends. */
export const POSITIONS = 2 ** 32;

/** The hash of a key in this shard. */
export function hashOf(shard: Shard, bytes: Uint8Array, start: number, end: number): number {
  return hashKey(bytes, start, end, shard.control[HASH_KEY_0], shard.control[HASH_KEY_1]);
}

/** The first word of a table in the control block. */
export function tableBase(table: number): number {
  return TABLE_AREA + table * TABLE_WORDS;
}

/** Groups that a table has at present. */
export function groupCount(shard: Shard, table: number): number {
  const base = tableBase(table);
  return (1 << shard.control[base + TABLE_LEVEL]) + shard.control[base + TABLE_SPLIT];
}

/** The entry under a key whose hash is known, or NONE. */
export function findInTable(
  shard: Shard,
  table: number,
  hash: number,
  key: Uint8Array,
  start: number,
  end: number,
): number {
  const index = groupOf(shard.control, table, hash);
  const group = groupAt(shard, table, index);
  if (group === NONE) return NONE;
  const { words } = shard.groups;
  const first = group * WORDS_PER_CELL;
  const counts = words[first + GROUP_COUNTS];
  const count = counts & 0xffff;
  const tag = tagFor(hash, groupLevel(shard.control, table, index));
  const refs = first + GROUP_TAGS + (counts >>> 17);
  for (let place = 0, at = first + GROUP_TAGS; place < count; place += 2, at += 1) {
    const two = words[at];
    if ((two & 0xffff) === tag) {
      const ref = words[refs + place];
      if (holdsKey(shard, ref, key, start, end)) return ref;
    }
    if (two >>> 16 === tag && place + 1 < count) {
      const ref = words[refs + place + 1];
      if (holdsKey(shard, ref, key, start, end)) return ref;
    }
  }
  return NONE;
}

/** Adds a reference; false when the index arena is full. Grows the table by at most one group. */
export function insertInTable(shard: Shard, table: number, hash: number, ref: number): boolean {
  const base = tableBase(table);
  const { control } = shard;
  const index = groupOf(control, table, hash);
  const tag = tagFor(hash, groupLevel(control, table, index));
  if (!appendToGroup(shard, table, index, tag, ref)) return false;
  control[base + TABLE_KEYS] += 1;
  if (control[base + TABLE_KEYS] > groupCount(shard, table) * KEYS_PER_GROUP) splitGroup(shard, table);
  return true;
}

/** Takes a reference out. Shrinks the table by at most one group. */
export function removeFromTable(shard: Shard, table: number, hash: number, ref: number): void {
  const { control } = shard;
  const { words } = shard.groups;
  const index = groupOf(control, table, hash);
  const group = groupAt(shard, table, index);
  const left = takePlace(words, group, ref);
  if (left === 0 || capacityOf(words, group) - left >= SPARE_PLACES_MAX)
    trimGroup(shard, table, index, group);
  control[tableBase(table) + TABLE_KEYS] -= 1;
  shrinkTable(shard, table, 1);
}

/**
 * Takes the first `count` of `refs` out, whose hashes are known. As `removeFromTable` for each, but groups that would be
 * trimmed again and again wait for their next change (an empty one goes), and the caller then calls `shrinkTable` once.
 * `groups` is room for `count`. The groups are fetched into the cache before the first is searched: a search ends with a
 * branch that nothing can guess, and reads behind it would wait for it (a sixth of the whole removal).
 */
export function takeFromTable(
  shard: Shard,
  table: number,
  hashes: Int32Array,
  refs: Int32Array,
  groups: Int32Array,
  count: number,
): void {
  const { control } = shard;
  const { words } = shard.groups;
  for (let i = 0; i < count; i += 1) groups[i] = groupAt(shard, table, groupOf(control, table, hashes[i]));
  fetchGroups(words, groups, count);
  for (let i = 0; i < count; i += 1) {
    const left = takePlace(words, groups[i], refs[i]);
    if (left === 0) trimGroup(shard, table, groupOf(control, table, hashes[i]), groups[i]);
  }
  control[tableBase(table) + TABLE_KEYS] -= count;
}

/** Merges groups until the table is no larger than its keys need, `mergesMax` at the most. */
export function shrinkTable(shard: Shard, table: number, mergesMax: number): void {
  const keys = shard.control[tableBase(table) + TABLE_KEYS];
  for (let merges = 0; merges < mergesMax; merges += 1) {
    const groups = groupCount(shard, table);
    if (groups <= 1 || keys >= groups * KEYS_PER_GROUP_MIN) return;
    mergeGroup(shard, table);
  }
}

/** Puts another reference in the place of one: the entry has moved, its key has not changed. */
export function replaceInTable(shard: Shard, table: number, hash: number, from: number, to: number): void {
  const group = groupAt(shard, table, groupOf(shard.control, table, hash));
  const { words } = shard.groups;
  words[refsOf(words, group) + placeOf(shard, group, from)] = to;
}

/** Whether the table names this entry under this hash, with the right tag. For checks. */
export function isInTable(shard: Shard, table: number, hash: number, ref: number): boolean {
  const index = groupOf(shard.control, table, hash);
  const group = groupAt(shard, table, index);
  const place = group === NONE ? -1 : placeOf(shard, group, ref);
  if (place < 0) return false;
  return tagAt(shard.groups.words, group, place) === tagFor(hash, groupLevel(shard.control, table, index));
}

/**
 * Visits every entry of the group at `position` in hash order and returns the position behind that group; 2^32 is the
 * end. Positions are bit-reversed hashes, so that a group's share is one range whatever the table's size: when it
 * splits, its range splits; when it merges, its range grows to the left and entries may be visited twice, none is missed. `visit` changes nothing.
 */
export function visitGroup(
  shard: Shard,
  table: number,
  position: number,
  visit: (ref: number) => void,
): number {
  const base = tableBase(table);
  const level = shard.control[base + TABLE_LEVEL];
  const index = groupOf(shard.control, table, reverseBits(position));
  const bits = index < shard.control[base + TABLE_SPLIT] || index >= 1 << level ? level + 1 : level;
  const group = groupAt(shard, table, index);
  if (group !== NONE) {
    const { words } = shard.groups;
    const refs = refsOf(words, group);
    for (let place = refsIn(words, group) - 1; place >= 0; place -= 1) visit(words[refs + place]);
  }
  return bits === 0 ? POSITIONS : (reverseBits(index) >>> 0) + 2 ** (32 - bits);
}

/** Where an entry stands in hash order; see `visitGroup`. Touches the entry. */
export function positionOf(shard: Shard, ref: number): number {
  return reverseBits(hashOfEntry(shard, ref)) >>> 0;
}

/** The reference at a place of a group, for sampling: groups and places are numbered from 0. NONE beyond the last. */
export function refAt(shard: Shard, table: number, groupIndex: number, place: number): number {
  const group = groupAt(shard, table, groupIndex);
  if (group === NONE || place >= refsIn(shard.groups.words, group)) return NONE;
  return shard.groups.words[refsOf(shard.groups.words, group) + place];
}

/** How many references a group holds. */
export function groupSize(shard: Shard, table: number, groupIndex: number): number {
  const group = groupAt(shard, table, groupIndex);
  return group === NONE ? 0 : refsIn(shard.groups.words, group);
}

/** Cells of the index arena that a table holds, its segments and its groups. For checks. */
export function indexCells(shard: Shard, table: number): number {
  const { words } = shard.groups;
  const root = rootOf(shard.control, table);
  let cells = 0;
  for (let index = 0; index < shard.control[ROOT_WORDS]; index += 1) {
    const segment = shard.control[root + index];
    if (segment !== NONE) cells += blockCells(words, segment);
  }
  for (let index = 0; index < groupCount(shard, table); index += 1) {
    const group = groupAt(shard, table, index);
    if (group !== NONE) cells += blockCells(words, group);
  }
  return cells;
}

/** Compares an entry's key with a span. */
function holdsKey(shard: Shard, ref: number, key: Uint8Array, start: number, end: number): boolean {
  const { entries } = shard;
  if (keyLength(entries, ref) !== end - start) return false;
  return equalBytes(key, start, end, entryBytes(entries, ref), keyOffset(entries, ref));
}

/** The hash of an entry's own key. Touches the entry. */
export function hashOfEntry(shard: Shard, ref: number): number {
  const { control, entries } = shard;
  if (!isWide(entries, ref)) {
    const word = ref * WORDS_PER_CELL + SHAPE;
    return hashHalves(entries.words, word, keyLength(entries, ref), control[HASH_KEY_0], control[HASH_KEY_1]);
  }
  const at = keyOffset(shard.entries, ref);
  return hashOf(shard, entryBytes(shard.entries, ref), at, at + keyLength(shard.entries, ref));
}

function groupOf(control: Int32Array, table: number, hash: number): number {
  const base = TABLE_AREA + table * TABLE_WORDS;
  const mask = (1 << control[base + TABLE_LEVEL]) - 1;
  const index = hash & mask;
  return index < control[base + TABLE_SPLIT] ? hash & ((mask << 1) | 1) : index;
}

/** How many of the hash's lowest bits number this group. */
export function groupLevel(control: Int32Array, table: number, index: number): number {
  const base = TABLE_AREA + table * TABLE_WORDS;
  const level = control[base + TABLE_LEVEL];
  return index < control[base + TABLE_SPLIT] || index >= 1 << level ? level + 1 : level;
}

function tagShift(level: number): number {
  return level < LARGE_LEVEL ? SMALL_TAG_SHIFT : LARGE_LEVEL;
}

/** The tag of a hash in a group of this level. */
export function tagFor(hash: number, level: number): number {
  return (hash >>> tagShift(level)) & TAG_MASK;
}

function rootOf(control: Int32Array, table: number): number {
  return TABLE_AREA + control[TABLES] * TABLE_WORDS + table * control[ROOT_WORDS];
}

/** The group of a number, or NONE where it holds nothing. */
export function groupAt(shard: Shard, table: number, index: number): number {
  const { control } = shard;
  const segment = control[rootOf(control, table) + (index >>> SEGMENT_GROUPS_SHIFT)];
  if (segment === NONE) return NONE;
  return shard.groups.words[segment * WORDS_PER_CELL + SEGMENT_FIRST + (index & (SEGMENT_GROUPS - 1))];
}

/** Writes a group's reference; false when it needs a new segment and there is no memory for one. */
function placeGroup(shard: Shard, table: number, index: number, group: number): boolean {
  const { control } = shard;
  const root = rootOf(control, table) + (index >>> SEGMENT_GROUPS_SHIFT);
  if (control[root] === NONE) {
    const segment = allocate(shard.groups, SEGMENT_CELLS);
    if (segment === NONE) return false;
    const first = segment * WORDS_PER_CELL;
    shard.groups.words.fill(0, first + 1, first + SEGMENT_FIRST + SEGMENT_GROUPS);
    control[root] = segment;
  }
  shard.groups.words[control[root] * WORDS_PER_CELL + SEGMENT_FIRST + (index & (SEGMENT_GROUPS - 1))] = group;
  return true;
}

function appendToGroup(shard: Shard, table: number, index: number, tag: number, ref: number): boolean {
  const { words } = shard.groups;
  let group = groupAt(shard, table, index);
  if (group === NONE || refsIn(words, group) === capacityOf(words, group)) {
    const capacity = group === NONE ? CAPACITY_STEP : capacityOf(words, group) + CAPACITY_STEP;
    group = resizeGroup(shard, table, index, group, capacity);
    if (group === NONE) return false;
  }
  const place = refsIn(words, group);
  writeTag(words, group, place, tag);
  words[refsOf(words, group) + place] = ref;
  words[group * WORDS_PER_CELL + GROUP_COUNTS] += 1;
  return true;
}

/** Moves a group to a block of another capacity; NONE when there is no memory (the old one stays). */
export function resizeGroup(
  shard: Shard,
  table: number,
  index: number,
  from: number,
  capacity: number,
): number {
  if (capacity > CAPACITY_MAX) return NONE;
  const to = createGroup(shard, capacity);
  if (to === NONE) return NONE;
  if (from !== NONE) {
    const { words } = shard.groups;
    const count = refsIn(words, from);
    const tagsFrom = from * WORDS_PER_CELL + GROUP_TAGS;
    const tagsTo = to * WORDS_PER_CELL + GROUP_TAGS;
    for (let i = 0; i < (count + 1) >>> 1; i += 1) words[tagsTo + i] = words[tagsFrom + i];
    const refsFrom = refsOf(words, from);
    const refsTo = refsOf(words, to);
    for (let i = 0; i < count; i += 1) words[refsTo + i] = words[refsFrom + i];
    words[to * WORDS_PER_CELL + GROUP_COUNTS] |= count;
  }
  if (!placeGroup(shard, table, index, to)) {
    release(shard.groups, to);
    return NONE;
  }
  if (from !== NONE) release(shard.groups, from);
  return to;
}

/** Gives back the places that a group does not use, or the whole of an empty one. */
function trimGroup(shard: Shard, table: number, index: number, group: number): void {
  const count = refsIn(shard.groups.words, group);
  if (count > 0) {
    resizeGroup(shard, table, index, group, Math.ceil(count / CAPACITY_STEP) * CAPACITY_STEP);
    return;
  }
  placeGroup(shard, table, index, NONE);
  release(shard.groups, group);
}

/** Splits the next group in turn into itself and its image. Without memory it does nothing: groups then hold more. */
export function splitGroup(shard: Shard, table: number): void {
  const { control } = shard;
  const base = tableBase(table);
  const level = control[base + TABLE_LEVEL];
  const from = control[base + TABLE_SPLIT];
  const to = from + (1 << level);
  if (to >>> SEGMENT_GROUPS_SHIFT >= control[ROOT_WORDS]) return;
  if (!divideGroup(shard, table, from, to, level)) return;
  control[base + TABLE_SPLIT] = from + 1;
  if (from + 1 === 1 << level) {
    control[base + TABLE_LEVEL] = level + 1;
    control[base + TABLE_SPLIT] = 0;
  }
}

/** Copies into two fresh groups first and swaps them in last, so that a lack of memory leaves all as it was. */
function divideGroup(shard: Shard, table: number, from: number, to: number, level: number): boolean {
  const group = groupAt(shard, table, from);
  if (group === NONE) return placeGroup(shard, table, to, NONE);
  const { words } = shard.groups;
  const count = refsIn(words, group);
  const refs = refsOf(words, group);
  let moving = 0;
  for (let place = 0; place < count; place += 1) moving += splitBit(shard, group, refs, place, level);
  const stay = createFor(shard, count - moving);
  const move = createFor(shard, moving);
  const enough = (stay !== NONE || moving === count) && (move !== NONE || moving === 0);
  if (!enough || !placeGroup(shard, table, to, move)) {
    if (stay !== NONE) release(shard.groups, stay);
    if (move !== NONE) release(shard.groups, move);
    return false;
  }
  for (let place = 0; place < count; place += 1) {
    const target = splitBit(shard, group, refs, place, level) === 1 ? move : stay;
    pushPlace(words, target, tagAt(words, group, place), words[refs + place]);
  }
  retagGroup(shard, stay, level, level + 1);
  retagGroup(shard, move, level, level + 1);
  placeGroup(shard, table, from, stay);
  release(shard.groups, group);
  return true;
}

/** Writes a group's tags anew where groups of the next level have other bits for tags. Touches its entries then. */
function retagGroup(shard: Shard, group: number, levelBefore: number, level: number): void {
  if (group === NONE || tagShift(levelBefore) === tagShift(level)) return;
  const { words } = shard.groups;
  const refs = refsOf(words, group);
  for (let place = refsIn(words, group) - 1; place >= 0; place -= 1) {
    writeTag(words, group, place, tagFor(hashOfEntry(shard, words[refs + place]), level));
  }
}

function splitBit(shard: Shard, group: number, refs: number, place: number, level: number): number {
  const { words } = shard.groups;
  const shift = tagShift(level);
  if (level >= shift) return (tagAt(words, group, place) >>> (level - shift)) & 1;
  return (hashOfEntry(shard, words[refs + place]) >>> level) & 1;
}

/** Undoes the latest split: the last group's references return to the group they came from. */
function mergeGroup(shard: Shard, table: number): void {
  const { control } = shard;
  const base = tableBase(table);
  const split = control[base + TABLE_SPLIT];
  const level = split === 0 ? control[base + TABLE_LEVEL] - 1 : control[base + TABLE_LEVEL];
  const to = split === 0 ? (1 << level) - 1 : split - 1;
  const from = to + (1 << level);
  if (!joinGroups(shard, table, from, to, level)) return;
  control[base + TABLE_LEVEL] = level;
  control[base + TABLE_SPLIT] = to;
  if ((from & (SEGMENT_GROUPS - 1)) === 0) releaseSegment(shard, table, from >>> SEGMENT_GROUPS_SHIFT);
}

function joinGroups(shard: Shard, table: number, from: number, to: number, level: number): boolean {
  const { words } = shard.groups;
  const source = groupAt(shard, table, from);
  let target = groupAt(shard, table, to);
  if (source === NONE) {
    retagGroup(shard, target, level + 1, level);
    return true;
  }
  const moving = refsIn(words, source);
  const count = moving + (target === NONE ? 0 : refsIn(words, target));
  if (target === NONE || capacityOf(words, target) < count) {
    target = resizeGroup(shard, table, to, target, Math.ceil(count / CAPACITY_STEP) * CAPACITY_STEP);
    if (target === NONE) return false;
  }
  const refs = refsOf(words, source);
  for (let place = 0; place < moving; place += 1) {
    pushPlace(words, target, tagAt(words, source, place), words[refs + place]);
  }
  retagGroup(shard, target, level + 1, level);
  placeGroup(shard, table, from, NONE);
  release(shard.groups, source);
  return true;
}

function releaseSegment(shard: Shard, table: number, index: number): void {
  const root = rootOf(shard.control, table) + index;
  const segment = shard.control[root];
  if (segment === NONE || index === 0) return;
  shard.control[root] = NONE;
  release(shard.groups, segment);
}

function reverseBits(value: number): number {
  let v = value | 0;
  v = ((v >>> 1) & 0x55555555) | ((v & 0x55555555) << 1);
  v = ((v >>> 2) & 0x33333333) | ((v & 0x33333333) << 2);
  v = ((v >>> 4) & 0x0f0f0f0f) | ((v & 0x0f0f0f0f) << 4);
  v = ((v >>> 8) & 0x00ff00ff) | ((v & 0x00ff00ff) << 8);
  return (v >>> 16) | (v << 16);
}

/** Words of root that a table needs for at most `keys` keys. */
export function rootWordsFor(keys: number): number {
  return Math.max(1, Math.ceil(keys / KEYS_PER_GROUP / SEGMENT_GROUPS) * 2);
}

/** Gives an empty table as many groups as `keys` keys need, so that filling it splits none. O(1). */
export function sizeTable(shard: Shard, table: number, keys: number): void {
  const { control } = shard;
  const base = tableBase(table);
  const groupsMax = control[ROOT_WORDS] * SEGMENT_GROUPS;
  const groups = Math.max(1, Math.min(groupsMax, Math.ceil(keys / KEYS_PER_GROUP)));
  const level = 31 - Math.clz32(groups);
  control[base + TABLE_LEVEL] = level;
  control[base + TABLE_SPLIT] = groups - (1 << level);
}

/** Frees an empty table's segments and marks it free. Cost: its segments. */
export function clearTable(shard: Shard, table: number): void {
  const { control } = shard;
  const root = rootOf(control, table);
  for (let index = 0; index < control[ROOT_WORDS]; index += 1) {
    const segment = control[root + index];
    control[root + index] = NONE;
    if (segment !== NONE) release(shard.groups, segment);
  }
  const base = tableBase(table);
  control.fill(0, base, base + TABLE_WORDS);
}
