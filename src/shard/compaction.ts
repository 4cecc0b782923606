/**
 * Making room in one piece: when free memory is there but scattered, entries and pages move out of a window until it is one hole.
 *
 * Runs on every thread, under the shard's lock, only after an allocation failed although the bytes are there.
 * A window begins right behind the entry for which the last one was cleared (the hand), so that large entries come to lie
 * one behind the other: between random windows, gaps that are just too small would waste a quarter of the memory (Renyi's
 * parking). Without a hand it begins at a random entry. Cost of one: the bytes that move, at most `cells` and one entry.
 */
import { isPage, movePage } from '../collections/page.ts';
import {
  blockCells,
  claimFreeBlock,
  isFreeBlock,
  largeFreeBlock,
  lastBlock,
  nextBlock,
  release,
} from './arena.ts';
import { COMPACTED_ENTRIES, COMPACTION_HAND, NONE } from './layout.ts';
import { moveEntry } from './lifecycle.ts';
import { sampleEntry } from './sampling.ts';
import type { Shard } from './shard.ts';

/** Windows that are tried before an entry is evicted instead. */
const WINDOWS_TRIED_MAX = 8;

/** Holes that are tried to be made larger before a write is refused. */
const HOLES_TRIED_MAX = 256;

/** Windows and cells that are tried before a write is refused. */
const LAST_WINDOWS_TRIED_MAX = 64;
const LAST_CELLS_TRIED_MAX = 2 ** 17;

/** Tries to leave a free block of `cells`; false when the entries in its windows would fit nowhere else. */
export function compact(shard: Shard, cells: number): boolean {
  return clearOneOf(shard, cells, WINDOWS_TRIED_MAX);
}

/** As `compact`, with more patience: nothing may be evicted. First where there is a large hole already, so that little moves. */
export function compactAtLast(shard: Shard, cells: number): boolean {
  for (let tried = 0; tried < HOLES_TRIED_MAX; tried += 1) {
    const hole = largeFreeBlock(shard.entries, cells, tried);
    if (hole === NONE) break;
    if (clearFrom(shard, cells, hole)) return true;
  }
  return clearOneOf(shard, cells, Math.min(LAST_WINDOWS_TRIED_MAX, Math.floor(LAST_CELLS_TRIED_MAX / cells)));
}

function clearOneOf(shard: Shard, cells: number, windows: number): boolean {
  for (let tried = 0; tried < windows; tried += 1) {
    if (clearWindow(shard, cells)) return true;
  }
  return false;
}

/**
 * Empties one window. Its free blocks are taken off the lists as they are met, so that what moves later does not move into
 * them; in the end every hole is given back, and they merge. The hand goes behind an entry that fits nowhere else.
 */
function clearWindow(shard: Shard, cells: number): boolean {
  const start = windowStart(shard);
  return start !== NONE && clearFrom(shard, cells, start);
}

function clearFrom(shard: Shard, cells: number, start: number): boolean {
  const { control, entries } = shard;
  const end = lastBlock(entries);
  let behind = start;
  while (behind < end && behind - start < cells) {
    const next = nextBlock(entries, behind);
    if (isFreeBlock(entries, behind)) {
      claimFreeBlock(entries, behind);
    } else {
      if (!moveBlock(shard, behind)) break;
      shard.numbers[COMPACTED_ENTRIES] += 1;
    }
    behind = next;
  }
  giveBackHoles(shard, start, behind);
  if (behind - start >= cells) return true;
  control[COMPACTION_HAND] = behind < end ? behind : NONE;
  return false;
}

/** False when it fits nowhere else, or is a page that belongs to nobody yet. */
function moveBlock(shard: Shard, ref: number): boolean {
  return isPage(shard.entries, ref) ? movePage(shard, ref) : moveEntry(shard, ref);
}

function windowStart(shard: Shard): number {
  const { control, entries } = shard;
  const hand = control[COMPACTION_HAND];
  const start = hand === NONE ? NONE : nextBlock(entries, hand);
  return start !== NONE && start < lastBlock(entries) ? start : sampleEntry(shard);
}

/** All blocks of the window are marked used and hold nothing any more. */
function giveBackHoles(shard: Shard, start: number, behind: number): void {
  const { entries } = shard;
  let ref = start;
  while (ref < behind) {
    const next = ref + blockCells(entries.words, ref);
    release(entries, ref);
    ref = next;
  }
}
