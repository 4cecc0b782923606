/**
 * A tree gets a second one beside it: that of a hash's deadlines, empty as yet.
 *
 * Runs on every thread, under the shard's lock. The pages are set aside before the entry is touched.
 */
import { blockCells } from '../shard/arena.ts';
import { NONE } from '../shard/layout.ts';
import type { Shard } from '../shard/shard.ts';
import { beginRebuilding, endRebuilding } from '../shard/writing.ts';
import { createCursor } from './cursor.ts';
import { readHead, writeHead } from './form.ts';
import { addCells, BY_SCORE, cellsOfHead, formatLeaf, formatPair, pairCells, writeOwner } from './page.ts';
import { leafCells } from './tree-leaf.ts';
import { reserveWanted, takeBlock, wantBlock, wantNothing } from './tree-room.ts';
import { seekTreeRank } from './tree-seek.ts';

const cursor = createCursor();

/** Puts a pair over the tree of an entry and an empty one that goes by score. The entry from then on; NONE: no room, nothing changed. */
export function addSecondTree(shard: Shard, ref: number, nowMs: number): number {
  const { entries } = shard;
  seekTreeRank(shard, ref, 0, cursor, 0);
  wantNothing();
  wantBlock(leafCells(BY_SCORE, 0));
  wantBlock(pairCells());
  if (!reserveWanted(shard, cursor, nowMs)) return NONE;
  const mark = beginRebuilding(shard, cursor.ref);
  const main = readHead(entries, cursor.ref);
  const second = takeBlock();
  const pair = takeBlock();
  const cells = cellsOfHead(entries, main);
  formatLeaf(entries, second, BY_SCORE);
  formatPair(entries, pair, main, second);
  addCells(entries, main, -cells);
  addCells(entries, pair, cells + blockCells(entries.words, second) + blockCells(entries.words, pair));
  writeHead(entries, cursor.ref, pair);
  writeOwner(shard, pair, cursor.ref);
  endRebuilding(shard, mark);
  return cursor.ref;
}
