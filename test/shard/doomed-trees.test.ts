/** Large collections that go, in every way in which keys do: no hold of the lock frees more of their pages than is its share. */
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { bounds, TREE_VALUE_BYTES } from '../../src/collections/form.ts';
import { writeOwner } from '../../src/collections/page.ts';
import { HOUSEKEEPING_SLICE_ENTRIES } from '../../src/config/limits.ts';
import {
  DOOMED_PAGES_PER_EVICTION,
  DOOMED_PAGES_PER_SLICE,
  TREE_PAGES_AT_ONCE,
} from '../../src/config/limits-collections.ts';
import { usedCells } from '../../src/shard/arena.ts';
import { checkShard } from '../../src/shard/check.ts';
import { flushDatabase, swapDatabases } from '../../src/shard/databases.ts';
import { freeDoomedPages } from '../../src/shard/doomed-trees.ts';
import { evictOne, usedBytes } from '../../src/shard/eviction.ts';
import { memoryOfEntry } from '../../src/shard/footprint.ts';
import { keepHouse } from '../../src/shard/housekeeping.ts';
import {
  COMPACTED_ENTRIES,
  DOOMED_TREES,
  DOOMED_TREES_COUNT,
  EVICTED_KEYS,
  KEYS_LIVE,
  NONE,
  TABLE_COLLECTIONS,
  TYPE_HASH,
  TYPE_LIST,
  TYPE_STRING,
} from '../../src/shard/layout.ts';
import { removeEntry } from '../../src/shard/lifecycle.ts';
import { approachLimits } from '../../src/shard/limit-change.ts';
import { NO_EVICTION } from '../../src/shard/policy.ts';
import type { Shard } from '../../src/shard/shard.ts';
import { tableBase } from '../../src/shard/table.ts';
import { keysOfType } from '../../src/shard/type-counts.ts';
import {
  addToHash,
  addToList,
  countAllPages,
  manyPairs,
  manyTexts,
  pagesOf,
  putHash,
  putList,
  putSorted,
  textsOf,
} from '../support/large-collections.ts';
import { useUsualBounds } from '../support/sequences.ts';
import { createTestShard, expectWhole, find, START_MS, set } from '../support/shard.ts';

const LATER_MS = START_MS + 60_000;

beforeAll(() => {
  Object.assign(bounds, { packedBytesMax: 200, packedLargeBytesMax: 200, leafBytesMax: [120, 120, 120] });
});
afterAll(useUsualBounds);

let shard: Shard;
afterEach(() => expectWhole(shard));

/** How a key goes, and how many pages that may free at once: each of so many keys its few. */
type Way = { readonly name: string; readonly goes: (ref: number) => void };

const ways: Way[] = [
  { name: 'a removal', goes: (ref) => removeEntry(shard, ref) },
  {
    name: 'a string of the same size in its place',
    goes: () => set(shard, 'large', 'v'.repeat(TREE_VALUE_BYTES)),
  },
  { name: 'a longer string in its place', goes: () => set(shard, 'large', 'v'.repeat(5000)) },
  { name: 'a reader who comes after its deadline', goes: () => find(shard, 'large', { nowMs: LATER_MS }) },
  { name: 'the wheel', goes: () => keepHouse(shard, LATER_MS, true) },
  {
    name: 'an eviction',
    goes: () => {
      evictOne(shard, START_MS);
    },
  },
  {
    name: 'a flush',
    goes: () => {
      flushDatabase(shard, 0);
    },
  },
];

/** The most that one slice of all duties can free. */
const SLICE_PAGES_MAX = DOOMED_PAGES_PER_SLICE + 2 * HOUSEKEEPING_SLICE_ENTRIES * TREE_PAGES_AT_ONCE;

describe('a large collection goes', () => {
  it.each(ways)('by $name: its pages follow in slices', ({ name, goes }) => {
    shard = createTestShard({ limitBytes: 32 * 2 ** 20 });
    const cellsBefore = usedCells(shard.entries);
    const ref = putList(shard, 'large', manyTexts(15_000), { expiresAtMs: START_MS + 1000 });
    const pages = pagesOf(shard, ref).length;
    expect(pages).toBeGreaterThan(4 * DOOMED_PAGES_PER_SLICE);
    goes(ref);
    // The wheel does its share of the slice, too.
    const atOnceMax = name === 'the wheel' ? DOOMED_PAGES_PER_SLICE + TREE_PAGES_AT_ONCE : TREE_PAGES_AT_ONCE;
    let left = countAllPages(shard);
    expect(pages - left).toBeLessThanOrEqual(atOnceMax);
    expectWhole(shard);
    for (let more = true; more; ) {
      more = keepHouse(shard, LATER_MS, true);
      const now = countAllPages(shard);
      expect(left - now).toBeLessThanOrEqual(SLICE_PAGES_MAX);
      left = now;
      expectWhole(shard);
    }
    expect(left).toBe(0);
    expect(shard.control[DOOMED_TREES]).toBe(NONE);
    const rest = find(shard, 'large');
    if (rest !== NONE) removeEntry(shard, rest);
    expect(usedCells(shard.entries)).toBe(cellsBefore);
  });

  it('with both of its trees when it is a sorted set', () => {
    shard = createTestShard();
    const cellsBefore = usedCells(shard.entries);
    const ref = putSorted(shard, 'sorted', manyTexts(2000));
    expect(pagesOf(shard, ref).length).toBeGreaterThan(800);
    expectWhole(shard);
    removeEntry(shard, ref);
    for (let more = true; more; ) {
      more = freeDoomedPages(shard, 100);
      expectWhole(shard);
    }
    expect(usedCells(shard.entries)).toBe(cellsBefore);
  });

  it('at once when it has few pages', () => {
    shard = createTestShard();
    const ref = putList(shard, 'few', manyTexts(10));
    expect(pagesOf(shard, ref).length).toBeGreaterThan(1);
    expect(pagesOf(shard, ref).length).toBeLessThanOrEqual(TREE_PAGES_AT_ONCE);
    removeEntry(shard, ref);
    expect(countAllPages(shard)).toBe(0);
    expect(shard.control[DOOMED_TREES_COUNT]).toBe(0);
  });

  it('one of many: each slice of a flush frees what its entries have at once and its share of the rest', () => {
    shard = createTestShard({ limitBytes: 32 * 2 ** 20 });
    for (let index = 0; index < 1000; index += 1)
      putHash(shard, `hash ${index}`, manyPairs(40), { database: 1, expiresAtMs: LATER_MS });
    let left = countAllPages(shard);
    flushDatabase(shard, 1);
    expect(countAllPages(shard)).toBe(left);
    let slices = 0;
    for (; keepHouse(shard, START_MS, true); slices += 1) {
      const now = countAllPages(shard);
      expect(left - now).toBeLessThanOrEqual(SLICE_PAGES_MAX);
      left = now;
      expectWhole(shard);
    }
    expect(slices).toBeGreaterThan(4);
    expect(countAllPages(shard)).toBe(0);
  });

  it.each([1, 2, 3, 7, 100])('in steps of %i pages, tree after tree', (step) => {
    shard = createTestShard();
    for (const key of ['a', 'b', 'c']) removeEntry(shard, putList(shard, key, manyTexts(100)));
    expect(shard.control[DOOMED_TREES_COUNT]).toBe(3);
    for (let left = countAllPages(shard); left > 0; left -= step) {
      expect(countAllPages(shard)).toBe(left);
      expect(freeDoomedPages(shard, step)).toBe(left > step);
      expectWhole(shard);
    }
    expect(shard.control[DOOMED_TREES_COUNT]).toBe(0);
  });
});

describe('room', () => {
  it('is made of what is doomed before anything is evicted, some pages at a time', () => {
    shard = createTestShard({ limitBytes: 2 ** 20 });
    set(shard, 'stays', 'v');
    removeEntry(shard, putList(shard, 'large', manyTexts(8000)));
    while (shard.control[DOOMED_TREES_COUNT] > 0) {
      const before = countAllPages(shard);
      evictOne(shard, START_MS);
      const freed = before - countAllPages(shard);
      expect(freed).toBeGreaterThan(0);
      expect(freed).toBeLessThanOrEqual(DOOMED_PAGES_PER_EVICTION);
    }
    expect(shard.numbers[EVICTED_KEYS]).toBe(0);
    expect(find(shard, 'stays')).not.toBe(NONE);
  });

  it('for one more key is made by evicting one, and what is doomed waits', () => {
    shard = createTestShard({ keysMax: 2 });
    for (const key of ['oldest', 'older']) set(shard, key, 'v');
    set(shard, 'older', 'v');
    removeEntry(shard, find(shard, 'oldest'));
    removeEntry(shard, putList(shard, 'large', manyTexts(1000)));
    set(shard, 'newer', 'v');
    const pages = countAllPages(shard);
    set(shard, 'newest', 'v');
    expect(countAllPages(shard)).toBe(pages);
    expect(find(shard, 'older')).toBe(NONE);
  });

  it('of a large value is what a large collection has left, though its pages lie everywhere', () => {
    shard = createTestShard({ limitBytes: 2 ** 20 });
    set(shard, 'stays', 'v');
    removeEntry(shard, putList(shard, 'large', manyTexts(12_000)));
    expect(set(shard, 'next', 'v'.repeat(600_000))).toBe(true);
    expect(shard.numbers[EVICTED_KEYS]).toBe(0);
  });

  it('under a lower limit comes in slices of as many evictions', () => {
    shard = createTestShard({ limitBytes: 2 ** 20 });
    putList(shard, 'large', manyTexts(12_000));
    let left = countAllPages(shard);
    for (let more = true; more; ) {
      more = approachLimits(shard, 2 ** 16, 0, START_MS, 10);
      const now = countAllPages(shard);
      expect(left - now).toBeLessThanOrEqual(10 * DOOMED_PAGES_PER_EVICTION);
      left = now;
    }
    expect(usedBytes(shard)).toBeLessThanOrEqual(2 ** 16);
    expect(shard.numbers[EVICTED_KEYS]).toBe(1);
  });

  it('is made by evicting a collection as one entry, in its order of use', () => {
    shard = createTestShard({ limitBytes: 2 ** 20 });
    set(shard, 'oldest', 'v');
    putList(shard, 'large', manyTexts(10_000));
    set(shard, 'newest', 'v');
    for (let index = 0; find(shard, 'large') !== NONE; index += 1)
      set(shard, `filler ${index}`, 'v'.repeat(3000));
    expect(find(shard, 'oldest')).toBe(NONE);
    expect(find(shard, 'newest')).not.toBe(NONE);
    expect(shard.numbers[EVICTED_KEYS]).toBe(2);
  });
});

describe('compaction', () => {
  it('moves pages and entries of collections out of the way, and they stay what they are', () => {
    shard = createTestShard({ limitBytes: 2 ** 20, policy: NO_EVICTION });
    const texts = manyTexts(4000);
    const pairs = manyPairs(4000);
    let list = putList(shard, 'list', []);
    let hash = putHash(shard, 'hash', []);
    for (let index = 0; index < 4000; index += 4) {
      set(shard, `string ${index}`, 'v'.repeat(300));
      list = addToList(shard, list, texts.slice(index, index + 4));
      hash = addToHash(shard, find(shard, 'hash'), pairs.slice(index, index + 4));
      list = find(shard, 'list');
    }
    expect(pagesOf(shard, list).length + pagesOf(shard, hash).length).toBeGreaterThan(1000);
    for (let index = 0; index < 4000; index += 4) removeEntry(shard, find(shard, `string ${index}`));
    expect(set(shard, 'one piece', 'v'.repeat(600_000))).toBe(true);
    expect(shard.numbers[COMPACTED_ENTRIES]).toBeGreaterThan(100);
    expectWhole(shard);
    expect(textsOf(shard, find(shard, 'list'))).toEqual(texts);
    const found = textsOf(shard, find(shard, 'hash'));
    const pairsFound = Array.from({ length: found.length / 2 }, (_, at) => [
      found[2 * at],
      found[2 * at + 1],
    ]);
    expect(new Map(pairsFound as [string, string][])).toEqual(new Map(pairs));
  });
});

describe('keys by type', () => {
  it('are counted through flushes, swaps, removals, expiries, and strings in their places', () => {
    shard = createTestShard();
    const counts = () => [TYPE_STRING, TYPE_LIST, TYPE_HASH].map((type) => keysOfType(shard, type));
    set(shard, 'string', 'v');
    for (const database of [0, 1]) {
      putList(shard, 'list', manyTexts(40), { database });
      putHash(shard, 'hash', manyPairs(2), { database, expiresAtMs: START_MS + 1000 });
    }
    expect(counts()).toEqual([1, 2, 2]);
    swapDatabases(shard, 0, 1);
    expect(counts()).toEqual([1, 2, 2]);
    set(shard, 'list', 'no longer');
    expect(counts()).toEqual([2, 1, 2]);
    expectWhole(shard);
    flushDatabase(shard, 0);
    expect(counts()).toEqual([1, 1, 1]);
    while (keepHouse(shard, LATER_MS, true)) expectWhole(shard);
    expect(counts()).toEqual([1, 1, 0]);
    removeEntry(shard, find(shard, 'list', { database: 1 }));
    expect(counts()).toEqual([1, 0, 0]);
    expect(shard.control[KEYS_LIVE]).toBe(1);
  });
});

describe('the memory of a key', () => {
  it('is its entry with all pages', () => {
    shard = createTestShard();
    set(shard, 'first', 'makes the index');
    for (const count of [1, 10, 100, 1000]) {
      const before = usedCells(shard.entries);
      const ref = putHash(shard, 'hash', manyPairs(count));
      const bytes = (usedCells(shard.entries) - before) * 8;
      expect(memoryOfEntry(shard, ref)).toBe(bytes + 8);
      removeEntry(shard, ref);
      freeDoomedPages(shard, Infinity);
    }
  });
});

describe('the check of a shard', () => {
  it('finds pages that belong to nobody, or to two', () => {
    const problems: string[] = [];
    const damages: ((ref: number) => void)[] = [
      (ref) => writeOwner(shard, pagesOf(shard, ref)[0], NONE),
      () => {
        shard.control[DOOMED_TREES_COUNT] += 1;
      },
      (ref) => {
        shard.control[DOOMED_TREES] = pagesOf(shard, ref)[0];
        shard.control[DOOMED_TREES_COUNT] = 1;
      },
      () => {
        shard.control[tableBase(0) + TABLE_COLLECTIONS] += 1;
      },
    ];
    for (const damage of damages) {
      shard = createTestShard();
      damage(putList(shard, 'large', manyTexts(200)));
      problems.push(checkShard(shard) ?? 'nothing');
    }
    expect(problems.filter((problem) => problem === 'nothing')).toEqual([]);
    shard = createTestShard();
  });
});

/** Only to see that what is read back is what was put. */
it('tells a list as it was made', () => {
  shard = createTestShard();
  const texts = manyTexts(500);
  expect(textsOf(shard, putList(shard, 'list', texts))).toEqual(texts);
});
