/**
 * A walk over all entries of a shard in slices, which copies their images into private memory while the shard serves on.
 *
 * Runs on a thread of the job pool; each slice takes the shard's lock. It goes through the databases in the order of
 * their numbers, and through each in hash order: every entry that is there throughout is copied at least once, whatever
 * else happens meanwhile; one that is there for a part of the time once, more often, or not at all. Together with the log
 * records above the LSN at which the walk began, that is the state of the shard.
 *
 * A slice ends between two groups of the index, after so many entries or bytes (some 50 us). Entries of a group that has more
 * bytes than a slice are taken in the order of their hashes, so that the next slice can go on between them. One string is
 * copied in one go: a value of 512 MB holds the lock for some 100 ms. Large collections come when all else is done, piece by
 * piece (walk-large.ts).
 */
import { SNAPSHOT_SLICE_BYTES, SNAPSHOT_SLICE_ENTRIES } from '../config/limits.ts';
import { tableFor } from './databases.ts';
import { CAPACITY_MAX } from './group.ts';
import { cellsOfImage } from './image.ts';
import { copyEntry, type ImageMemory } from './image-memory.ts';
import { CELL_BYTES, DATABASES, LSN, SNAPSHOT_VOID } from './layout.ts';
import { acquireShard, releaseShard } from './lock.ts';
import type { Shard } from './shard.ts';
import { POSITIONS, positionOf, visitGroup } from './table.ts';
import {
  copyLarge,
  createLargeWalk,
  isLargeEntry,
  LARGE_END,
  LARGE_MORE,
  type LargeWalk,
  nextLargeDatabase,
  noteLarge,
} from './walk-large.ts';

export type ShardWalk = {
  readonly shard: Shard;
  readonly voidMark: number;
  /** The shard's LSN when the walk began. */
  readonly startLsn: number;
  /** The shard's LSN at the latest slice. */
  asOfLsn: number;
  database: number;
  position: number;
  /** After WALK_LARGE: what the next image needs. */
  neededBytes: number;
  /** The entries of the group at hand, their cells, and how many they are. */
  readonly refs: Int32Array;
  readonly cells: Int32Array;
  count: number;
  readonly collect: (ref: number) => void;
  /** What comes last: the large collections that were met; and whether that is where the walk is. */
  readonly large: LargeWalk;
  isAtLarge: boolean;
};

/** How a slice ended: there is more; the memory is full; an entry is larger than the memory is when empty. */
export const WALK_MORE = 0;
export const WALK_FULL = 1;
export const WALK_LARGE = 2;
/** The database is done and the walk stands at the next; all are done; a flush or swap has made the walk worthless. */
const WALK_NEXT_DATABASE = 3;
export const WALK_END = 4;
export const WALK_VOID = 5;

/** Begins a walk: what the shard has up to this moment's LSN will be in its images. */
export function startWalk(shard: Shard): ShardWalk {
  acquireShard(shard);
  try {
    const walk: ShardWalk = {
      shard,
      voidMark: shard.control[SNAPSHOT_VOID],
      startLsn: shard.numbers[LSN],
      asOfLsn: shard.numbers[LSN],
      database: 0,
      position: 0,
      neededBytes: 0,
      refs: new Int32Array(CAPACITY_MAX),
      cells: new Int32Array(CAPACITY_MAX),
      count: 0,
      collect: (ref) => {
        walk.refs[walk.count] = ref;
        walk.count += 1;
      },
      large: createLargeWalk(shard),
      isAtLarge: false,
    };
    return walk;
  } finally {
    releaseShard(shard);
  }
}

/** Copies the next images to `memory`, under the lock for some 50 us. The images of one call are of one database. */
export function walkSlice(walk: ShardWalk, memory: ImageMemory): number {
  const { shard } = walk;
  acquireShard(shard);
  try {
    if (shard.control[SNAPSHOT_VOID] !== walk.voidMark) return WALK_VOID;
    walk.asOfLsn = shard.numbers[LSN];
    return walk.isAtLarge ? copyRest(walk, memory) : copyGroups(walk, memory);
  } finally {
    releaseShard(shard);
  }
}

function copyGroups(walk: ShardWalk, memory: ImageMemory): number {
  const { shard } = walk;
  const table = tableFor(shard, walk.database);
  const bytesBefore = memory.used;
  let groupsLeft = SNAPSHOT_SLICE_ENTRIES;
  const recordsMax = memory.records + SNAPSHOT_SLICE_ENTRIES;
  while (memory.records < recordsMax && groupsLeft > 0) {
    if (walk.position >= POSITIONS) return nextDatabase(walk);
    walk.count = 0;
    const next = visitGroup(shard, table, walk.position, walk.collect);
    const bytes = measureGroup(walk);
    const taken = memory.used - bytesBefore;
    if (bytes > SNAPSHOT_SLICE_BYTES) return copyPart(walk, memory, taken, next);
    if (taken + bytes > SNAPSHOT_SLICE_BYTES) return WALK_MORE;
    if (memory.used + bytes > memory.end) return WALK_FULL;
    for (let index = 0; index < walk.count; index += 1) copyImage(walk, memory, index);
    walk.position = next;
    groupsLeft -= 1;
  }
  return WALK_MORE;
}

function nextDatabase(walk: ShardWalk): number {
  if (walk.database === walk.shard.control[DATABASES] - 1) {
    walk.isAtLarge = true;
    return copyEnd(walk);
  }
  walk.database += 1;
  walk.position = 0;
  return WALK_NEXT_DATABASE;
}

/** The large collections, database by database. */
function copyRest(walk: ShardWalk, memory: ImageMemory): number {
  const { large, database } = walk;
  const status = copyLarge(large, database, memory);
  if (status === LARGE_END) return copyEnd(walk);
  if (status === LARGE_MORE) return WALK_MORE;
  return noRoom(walk, memory, large.neededBytes);
}

/** Of the database at hand nothing is left to copy. */
function copyEnd(walk: ShardWalk): number {
  const database = nextLargeDatabase(walk.large);
  if (database < 0) return WALK_END;
  walk.database = database;
  return WALK_NEXT_DATABASE;
}

/** The bytes of the group's images; large collections have none yet. Reading all headers before the first is copied lets the cache misses overlap. */
function measureGroup(walk: ShardWalk): number {
  const { entries } = walk.shard;
  const { refs, cells, count } = walk;
  let sum = 0;
  for (let index = 0; index < count; index += 1) {
    const ref = refs[index];
    const own = isLargeEntry(entries, ref) ? 0 : cellsOfImage(entries.words, ref);
    cells[index] = own;
    sum += own;
  }
  return sum * CELL_BYTES;
}

/** A group larger than a slice: copies what it has from the walk's position on, in hash order, as far as that goes. */
function copyPart(walk: ShardWalk, memory: ImageMemory, taken: number, next: number): number {
  const { cells, count, refs, shard } = walk;
  const positions: number[] = [];
  for (let index = 0; index < count; index += 1) positions.push(positionOf(shard, refs[index]));
  const order = [...positions.keys()].filter((index) => positions[index] >= walk.position);
  order.sort((a, b) => positions[a] - positions[b]);
  let left = SNAPSHOT_SLICE_BYTES - taken;
  let isFirst = taken === 0;
  for (let from = 0; from < order.length; ) {
    // Entries of one hash go together: a position cannot stand between them.
    const position = positions[order[from]];
    let to = from;
    let bytes = 0;
    for (; to < order.length && positions[order[to]] === position; to += 1)
      bytes += cells[order[to]] * CELL_BYTES;
    walk.position = position;
    if (bytes > left && !isFirst) return WALK_MORE;
    if (memory.used + bytes > memory.end) return noRoom(walk, memory, bytes);
    for (; from < to; from += 1) copyImage(walk, memory, order[from]);
    left -= bytes;
    isFirst = false;
  }
  walk.position = next;
  return WALK_MORE;
}

function noRoom(walk: ShardWalk, memory: ImageMemory, bytes: number): number {
  if (memory.used > memory.start) return WALK_FULL;
  walk.neededBytes = bytes;
  return WALK_LARGE;
}

function copyImage(
  { shard, refs, cells, database, large }: ShardWalk,
  memory: ImageMemory,
  index: number,
): void {
  const ref = refs[index];
  if (cells[index] === 0) noteLarge(large, database, positionOf(shard, ref));
  else copyEntry(memory, shard, ref, cells[index], database);
}
