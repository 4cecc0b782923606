/** Pages as blocks of the arena: they are told from entries, and each of them may move at any time. */

import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  headOf,
  isPage,
  isPair,
  levelOf,
  movePage,
  visitPages,
  writeOwner,
} from '../../src/collections/page.ts';
import { blockCells, release, usedCells } from '../../src/shard/arena.ts';
import { COMPACTION_HAND, NONE, TYPE_HASH, TYPE_LIST, TYPE_SET, TYPE_ZSET } from '../../src/shard/layout.ts';
import type { Shard } from '../../src/shard/shard.ts';
import {
  expectWholeCollection,
  filledCollection,
  groupsIn,
  newCollection,
  useTinyBounds,
  useUsualBounds,
} from '../support/sequences.ts';
import { createTestShard, expectWhole, find, set } from '../support/shard.ts';

beforeEach(useTinyBounds);
afterEach(useUsualBounds);

describe('a page', () => {
  it('is told from entries, and a collection without pages has no head', () => {
    const shard = createTestShard();
    set(shard, 'string', 'value');
    const small = newCollection(shard, 'small', TYPE_SET);
    const large = filledCollection(shard, 'large', TYPE_SET, 50);
    expect(headOf(shard, find(shard, 'string'))).toBe(NONE);
    expect(headOf(shard, small)).toBe(NONE);
    expect(isPage(shard.entries, large)).toBe(false);
    expect(isPage(shard.entries, headOf(shard, large))).toBe(true);
    expect(isPair(shard.entries, headOf(shard, large))).toBe(false);
    expect(isPair(shard.entries, headOf(shard, filledCollection(shard, 'sorted', TYPE_ZSET, 50)))).toBe(true);
  });

  it.each([TYPE_LIST, TYPE_SET, TYPE_HASH, TYPE_ZSET])('may move, whichever it is (type %i)', (type) => {
    const shard = createTestShard();
    const ref = filledCollection(shard, 'key', type, 90);
    const groups = groupsIn(shard, ref, type);
    const cells = usedCells(shard.entries);
    const levels = new Set<number>();
    for (let round = 0; round < 2; round += 1) {
      for (const page of pagesOf(shard, ref)) {
        levels.add(levelOf(shard.entries, page));
        shard.control[COMPACTION_HAND] = page;
        expect(movePage(shard, page)).toBe(true);
        expect(shard.control[COMPACTION_HAND]).toBe(NONE);
        expect(isPage(shard.entries, page)).toBe(false);
        release(shard.entries, page);
        expectWholeCollection(shard, ref);
      }
    }
    expect(levels.size).toBeGreaterThan(2);
    expect(groupsIn(shard, ref, type)).toEqual(groups);
    expect(Math.abs(usedCells(shard.entries) - cells)).toBeLessThan(pagesOf(shard, ref).length);
    expectWhole(shard);
  });

  it('stays when nothing owns it', () => {
    const shard = createTestShard();
    const ref = filledCollection(shard, 'key', TYPE_LIST, 100);
    const head = headOf(shard, ref);
    writeOwner(shard, head, NONE);
    expect(movePage(shard, head)).toBe(false);
    writeOwner(shard, head, ref);
    expect(movePage(shard, head)).toBe(true);
    release(shard.entries, head);
    expectWholeCollection(shard, ref);
    expectWhole(shard);
  });
});

function pagesOf(shard: Shard, ref: number): number[] {
  const pages: number[] = [];
  visitPages(shard, ref, (page) => pages.push(page));
  expect(pages.every((page) => blockCells(shard.entries.words, page) > 0)).toBe(true);
  return pages;
}
