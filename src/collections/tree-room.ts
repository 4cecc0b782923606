/**
 * The blocks that a change of a tree needs, set aside before the tree is touched.
 *
 * Runs on every thread, under the shard's lock; one command at a time on a thread. Setting aside may evict other entries and move
 * this one and its pages, so that no half-done tree ever meets an eviction; the cursor is stood anew. What was set aside is
 * marked as pages that nothing owns (page.ts) until it is taken.
 */
import { allocate } from '../shard/arena.ts';
import { giveUpBlock, reserveBlock, usedBytes } from '../shard/eviction.ts';
import { CELL_BYTES, LIMIT_BYTES, NONE, PROTECTED } from '../shard/layout.ts';
import type { Shard } from '../shard/shard.ts';
import type { Cursor } from './cursor.ts';
import { enterPacked } from './packed.ts';
import { formatReserved } from './page.ts';
import { rankOfLeaf, seekTreeRank } from './tree-seek.ts';

const WANTED_START = 64;

/** Their sizes in cells, and once they are set aside their references, in the order in which they are taken. One per thread. */
const wanted = {
  cells: new Int32Array(WANTED_START),
  blocks: new Int32Array(WANTED_START),
  count: 0,
  taken: 0,
};

/** Forgets what was wanted. */
export function wantNothing(): void {
  wanted.count = 0;
  wanted.taken = 0;
}

/** Wants one more block. */
export function wantBlock(cells: number): void {
  if (wanted.count === wanted.cells.length) growWanted();
  wanted.cells[wanted.count] = cells;
  wanted.count += 1;
}

/** Sets aside all that is wanted; false when there is no room, and then none of it is. The cursor stands where it stood. */
export function reserveWanted(shard: Shard, cursor: Cursor, nowMs: number): boolean {
  for (let index = 0; index < wanted.count; index += 1) {
    const block = allocateWithin(shard, wanted.cells[index]);
    if (block === NONE) return reserveRest(shard, cursor, index, nowMs);
    formatReserved(shard.entries, block);
    wanted.blocks[index] = block;
  }
  return true;
}

/** The next of the blocks set aside. */
export function takeBlock(): number {
  const block = wanted.blocks[wanted.taken];
  wanted.taken += 1;
  return block;
}

/** A block, when there is one now: nothing is evicted or moved for it. */
export function allocateWithin(shard: Shard, cells: number): number {
  if (usedBytes(shard) + cells * CELL_BYTES > shard.numbers[LIMIT_BYTES]) return NONE;
  return allocate(shard.entries, cells);
}

function reserveRest(shard: Shard, cursor: Cursor, from: number, nowMs: number): boolean {
  const { control, entries } = shard;
  const offset = cursor.at - cursor.start;
  const isPacked = cursor.leaf === NONE;
  const rank = isPacked ? 0 : rankOfLeaf(entries, cursor);
  control[PROTECTED] = cursor.ref;
  let index = from;
  for (; index < wanted.count; index += 1) {
    const block = reserveBlock(shard, wanted.cells[index], nowMs);
    if (block === NONE) break;
    formatReserved(entries, block);
    wanted.blocks[index] = block;
  }
  const ref = control[PROTECTED];
  control[PROTECTED] = NONE;
  if (index < wanted.count) giveBack(shard, index);
  if (isPacked) enterPacked(shard, ref, cursor);
  else seekTreeRank(shard, ref, cursor.root, cursor, rank);
  cursor.at = cursor.start + offset;
  return index === wanted.count;
}

function giveBack(shard: Shard, count: number): void {
  for (let index = 0; index < count; index += 1) giveUpBlock(shard, wanted.blocks[index]);
}

function growWanted(): void {
  const { cells, blocks } = wanted;
  wanted.cells = new Int32Array(cells.length * 2);
  wanted.cells.set(cells);
  wanted.blocks = new Int32Array(blocks.length * 2);
}
