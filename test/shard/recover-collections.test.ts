/** A thread dies at every single write that it makes to a shard with collections: none is left that is half of what it was. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { commitChange, dropNoted, noteOp, OP_ADD } from '../../src/collections/change.ts';
import { moveCollection } from '../../src/collections/copy.ts';
import { encodeText } from '../../src/collections/elements.ts';
import { bounds, writeHead } from '../../src/collections/form.ts';
import { pushTail } from '../../src/collections/list.ts';
import { addCells, headOf, writeOwner } from '../../src/collections/page.ts';
import { blockCells } from '../../src/shard/arena.ts';
import { drainDoomed, flushDatabase } from '../../src/shard/databases.ts';
import { freeDoomedPages } from '../../src/shard/doomed-trees.ts';
import { entryBytes, valueLength, valueOffset } from '../../src/shard/entry.ts';
import { evictOne, giveUpBlock } from '../../src/shard/eviction.ts';
import { expireDue } from '../../src/shard/housekeeping.ts';
import { findEntry, putString } from '../../src/shard/keyspace.ts';
import {
  CLOCK_AND_TABLE,
  COMPACTED_ENTRIES,
  DOOMED_TREES_COUNT,
  NONE,
  REPAIRS,
  TABLE_MASK,
  WORDS_PER_CELL,
  WRITING,
} from '../../src/shard/layout.ts';
import { moveEntry, removeEntry } from '../../src/shard/lifecycle.ts';
import { NO_EVICTION } from '../../src/shard/policy.ts';
import { mendShard } from '../../src/shard/recover.ts';
import type { Shard } from '../../src/shard/shard.ts';
import { type Story, type ToBytes, tellDeaths } from '../support/deaths.ts';
import {
  addToHash,
  addToList,
  contentText,
  countAllPages,
  manyPairs,
  manyTexts,
  pagesOf,
  putHash,
  putList,
  putSorted,
  setDeadlines,
} from '../support/large-collections.ts';
import { useUsualBounds } from '../support/sequences.ts';
import { createTestShard, expectWhole, find, START_MS, set } from '../support/shard.ts';

beforeAll(() => {
  const small = { packedBytesMax: 200, packedLargeBytesMax: 200, leafBytesMax: [120, 120, 120] };
  Object.assign(bounds, small, { childrenMin: 2, childrenMax: 4 });
});
afterAll(useUsualBounds);

function refOf(shard: Shard, bytes: ToBytes, key: string): number {
  const name = bytes(key);
  return findEntry(shard, 0, name, 0, name.length, START_MS);
}

function put(shard: Shard, bytes: ToBytes, key: string, value: string): void {
  const name = bytes(key);
  const worth = bytes(value);
  putString(shard, 0, name, 0, name.length, worth, 0, worth.length, 0, START_MS);
}

function someCollections(shard: Shard): void {
  set(shard, 'string', 'v');
  putList(shard, 'list', manyTexts(30));
  putHash(shard, 'hash', manyPairs(30), { expiresAtMs: START_MS + 1000 });
  putList(shard, 'few', manyTexts(3));
  putSorted(shard, 'sorted', manyTexts(20));
  putHash(shard, 'elsewhere', manyPairs(20), { database: 1, expiresAtMs: START_MS + 1000 });
}

/** Hashes of which fields expire soon: some of a large one, and all of a small one. */
function timedCollections(shard: Shard): void {
  someCollections(shard);
  const fields = manyNames(20);
  setDeadlines(shard, find(shard, 'hash'), fields, START_MS + 50);
  setDeadlines(shard, putHash(shard, 'timed', manyPairs(3)), fields.slice(0, 3), START_MS + 60);
  setDeadlines(shard, putHash(shard, 'later', manyPairs(3)), fields.slice(0, 1), START_MS + 5000);
}

function manyNames(count: number): string[] {
  return manyPairs(count).map(([field]) => field);
}

/** Pushes two elements to a list, as one change. */
function pushTwo(shard: Shard, bytes: ToBytes, key: string): void {
  const element = bytes(' '.repeat(64));
  // Of the thread that died last.
  dropNoted();
  let ref = refOf(shard, bytes, key);
  for (const name of ['pushed 1', 'pushed 2']) {
    const text = bytes(name);
    const end = encodeText(element, 0, text, 0, text.length);
    ref = pushTail(shard, ref, element, 0, end, START_MS);
    if (ref === NONE) expect.fail('there is no room');
    noteOp(OP_ADD, 0, element, 0, end);
  }
  commitChange(shard, 0, ref, false);
}

/** Moves a list while it is in change: until that is over, one of its bytes is not what it should be. */
function moveInChange(shard: Shard, bytes: ToBytes): void {
  const { control } = shard;
  const from = refOf(shard, bytes, 'own');
  control[WRITING] = from;
  replaceLastByte(shard, from, '!');
  expect(moveEntry(shard, from)).toBe(true);
  giveUpBlock(shard, from);
  const to = refOf(shard, bytes, 'own');
  expect(control[WRITING]).toBe(to);
  expect(to).not.toBe(from);
  replaceLastByte(shard, to, '.');
  control[WRITING] = NONE;
}

/** Of the text of a list's last element, which is followed by one byte. */
function replaceLastByte({ entries }: Shard, ref: number, text: string): void {
  entryBytes(entries, ref)[valueOffset(entries, ref) + valueLength(entries, ref) - 2] = text.charCodeAt(0);
}

/** Pages of two collections between strings, which then go. */
function scatteredCollections(shard: Shard): void {
  const texts = manyTexts(SCATTERED);
  const pairs = manyPairs(SCATTERED);
  putList(shard, 'list', []);
  putHash(shard, 'hash', []);
  for (let index = 0; index < SCATTERED; index += 3) {
    set(shard, `string ${index}`, 'v'.repeat(160));
    addToList(shard, find(shard, 'list'), texts.slice(index, index + 3));
    set(shard, `text ${index}`, 'v'.repeat(160));
    addToHash(shard, find(shard, 'hash'), pairs.slice(index, index + 3));
    setDeadlines(shard, putHash(shard, `hash ${index}`, manyPairs(1)), manyNames(1), START_MS + 5000 + index);
  }
  putSorted(shard, 'sorted', manyTexts(12));
  for (let index = 0; index < SCATTERED; index += 3) {
    removeEntry(shard, find(shard, `text ${index}`));
    removeEntry(shard, find(shard, `string ${index}`));
  }
}

const SCATTERED = 27;
const SCATTERED_OPTIONS = { policy: NO_EVICTION, capacityBytes: 9 * 1024, limitBytes: 64 * 1024 };

const stories: Story[] = [
  {
    name: 'the removal of a large list',
    before: someCollections,
    deed: (shard, bytes) => removeEntry(shard, refOf(shard, bytes, 'list')),
  },
  {
    name: 'the removal of a list of few elements',
    before: someCollections,
    deed: (shard, bytes) => removeEntry(shard, refOf(shard, bytes, 'few')),
  },
  {
    name: 'the removal of a large sorted set',
    before: someCollections,
    deed: (shard, bytes) => removeEntry(shard, refOf(shard, bytes, 'sorted')),
  },
  {
    name: 'a string in the place of a large hash',
    before: someCollections,
    deed: (shard, bytes) => put(shard, bytes, 'hash', 'v'.repeat(300)),
  },
  {
    name: 'a string in the block of a large list',
    before: someCollections,
    deed: (shard, bytes) => put(shard, bytes, 'list', 'v'.repeat(23)),
  },
  {
    name: 'the freeing of large collections',
    before: (shard) => {
      someCollections(shard);
      for (const key of ['hash', 'list']) removeEntry(shard, find(shard, key));
    },
    deed: (shard) => {
      while (freeDoomedPages(shard, 7));
    },
  },
  {
    name: 'a flush, and its draining',
    before: someCollections,
    deed: (shard) => {
      flushDatabase(shard, 0);
      while (drainDoomed(shard, 2));
      while (freeDoomedPages(shard, 7));
    },
    isAtomic: true,
  },
  {
    name: 'the expiry of large hashes',
    before: someCollections,
    deed: (shard) => {
      while (expireDue(shard, START_MS + 2000, 10));
    },
  },
  ...['hash', 'small'].map((key) => ({
    name: `deadlines for fields of a hash, the key '${key}'`,
    before: (shard: Shard) => {
      someCollections(shard);
      putHash(shard, 'small', manyPairs(4));
    },
    deed: (shard: Shard, bytes: ToBytes) => {
      setDeadlines(shard, refOf(shard, bytes, key), ['field 1', 'field 3', 'field 2'], START_MS + 50);
    },
  })),
  ...['hash', 'timed'].map((key) => ({
    name: `fields that lose their deadlines, of the key '${key}'`,
    before: timedCollections,
    deed: (shard: Shard, bytes: ToBytes) => {
      setDeadlines(shard, refOf(shard, bytes, key), manyNames(20), 0);
    },
  })),
  {
    name: 'the growth of a small hash with deadlines',
    before: (shard) => {
      someCollections(shard);
      setDeadlines(shard, putHash(shard, 'small', manyPairs(5)), ['field 1', 'field 3'], START_MS + 50);
    },
    deed: (shard, bytes) => {
      addToHash(shard, refOf(shard, bytes, 'small'), manyPairs(9).slice(5));
    },
  },
  {
    name: 'the expiry of fields',
    before: timedCollections,
    deed: (shard) => {
      while (expireDue(shard, START_MS + 100, 1000));
    },
  },
  {
    name: 'strings in the place of hashes with deadlines',
    before: timedCollections,
    deed: (shard, bytes) => {
      for (const key of ['hash', 'timed']) put(shard, bytes, key, 'v'.repeat(300));
    },
  },
  {
    name: 'the move of a large hash with deadlines',
    before: timedCollections,
    deed: (shard, bytes) => {
      const name = bytes('new');
      moveCollection(shard, 0, name, 0, name.length, refOf(shard, bytes, 'hash'), 0, START_MS);
    },
  },
  {
    name: 'the eviction of a large list',
    before: (shard) => {
      someCollections(shard);
      for (const key of ['string', 'hash']) find(shard, key);
    },
    deed: (shard) => {
      for (let times = 0; times < 5; times += 1) evictOne(shard, START_MS);
      expect(find(shard, 'list')).toBe(NONE);
    },
  },
  {
    name: 'a compaction that moves pages and entries of collections',
    options: SCATTERED_OPTIONS,
    before: scatteredCollections,
    deed: (shard, bytes) => {
      for (const key of ['one', 'other']) put(shard, bytes, key, 'v'.repeat(1500));
      expect(shard.numbers[COMPACTED_ENTRIES]).toBeGreaterThan(10);
    },
  },
  {
    name: 'the move of a small list that is in change',
    before: (shard) => {
      someCollections(shard);
      putList(shard, 'own', manyTexts(2));
    },
    deed: moveInChange,
    rewritten: ['0/own'],
  },
  ...['new', 'sorted'].map((key) => ({
    name: `the move of a large list to the key '${key}'`,
    before: someCollections,
    deed: (shard: Shard, bytes: ToBytes) => {
      const name = bytes(key);
      moveCollection(shard, 0, name, 0, name.length, refOf(shard, bytes, 'list'), 0, START_MS);
    },
  })),
  ...[0, 4, 7, 8].map((before) => ({
    name: `two elements pushed to a list of ${before + 1}`,
    before: (shard: Shard) => {
      someCollections(shard);
      putList(shard, 'own', manyTexts(before + 1));
    },
    deed: (shard: Shard, bytes: ToBytes) => pushTwo(shard, bytes, 'own'),
  })),
];

describe('recover', () => {
  it.each(stories)('a death at any write of $name leaves a whole shard that tells the truth', (story) => {
    expect(tellDeaths(story)).toBeGreaterThan(0);
  });

  it('drops a collection that was in change, whole, and keeps the others', () => {
    const shard = createTestShard();
    someCollections(shard);
    const hash = contentText(shard, find(shard, 'hash'));
    const pages = countAllPages(shard);
    const own = pagesOf(shard, find(shard, 'list')).length;
    shard.control[WRITING] = find(shard, 'list');
    expect(mendShard(shard, START_MS)).toContain('1 dropped');
    expectWhole(shard);
    expect(find(shard, 'list')).toBe(NONE);
    expect(contentText(shard, find(shard, 'hash'))).toBe(hash);
    expect(countAllPages(shard)).toBe(pages - own);
    expect(shard.control[REPAIRS]).toBe(1);
  });

  it('frees what was doomed when it rebuilds, and keeps it doomed when it need not', () => {
    const shard = createTestShard();
    someCollections(shard);
    removeEntry(shard, find(shard, 'list'));
    mendShard(shard, START_MS);
    expect(shard.control[DOOMED_TREES_COUNT]).toBe(1);
    shard.control[WRITING] = find(shard, 'string');
    mendShard(shard, START_MS);
    expect(shard.control[DOOMED_TREES_COUNT]).toBe(0);
    expectWhole(shard);
  });

  it('drops a collection whose pages are not whole, whatever happened to one of them, and nothing else', () => {
    let dropped = 0;
    for (const which of [0, 1, 5]) {
      for (let word = 1; word < PAGE_WORDS_HURT; word += 1) {
        for (const value of [0, -1, 2 ** 20]) {
          for (const key of ['list', 'sorted']) dropped += hurt(key, which, word, value);
        }
      }
    }
    expect(dropped).toBeGreaterThan(50);
  });

  it('counts the cells of a collection anew when one who moved a page had not counted yet', () => {
    const shard = createTestShard();
    someCollections(shard);
    const ref = find(shard, 'list');
    const list = contentText(shard, ref);
    addCells(shard.entries, headOf(shard, ref), 1);
    expect(mendShard(shard, START_MS)).toContain('0 dropped');
    expectWhole(shard);
    expect(contentText(shard, find(shard, 'list'))).toBe(list);
  });

  it('frees the pages of a collection whose key there is twice', () => {
    const shard = createTestShard();
    const { words } = shard.entries;
    putList(shard, 'list', manyTexts(30));
    const other = putList(shard, 'list', manyTexts(50), { database: 1 }) * WORDS_PER_CELL + CLOCK_AND_TABLE;
    words[other] = (words[other] & ~TABLE_MASK) | 0;
    mendShard(shard, START_MS);
    expectWhole(shard);
    freeDoomedPages(shard, Infinity);
    expect(countAllPages(shard)).toBe(pagesOf(shard, find(shard, 'list')).length);
  });

  it('finds the pages of a collection that names another head', () => {
    const shard = createTestShard();
    const list = putList(shard, 'list', manyTexts(30));
    const other = putList(shard, 'other', manyTexts(40));
    writeHead(shard.entries, other, headOf(shard, list));
    mendShard(shard, START_MS);
    expectWhole(shard);
    expect(contentText(shard, find(shard, 'list'))).toBe(`list ${manyTexts(30).join(' ')}`);
    expect(contentText(shard, find(shard, 'other'))).toBe(`list ${manyTexts(40).join(' ')}`);
  });

  it('keeps one of two collections that name the same pages', () => {
    const shard = createTestShard();
    const list = putList(shard, 'list', manyTexts(30));
    const other = putList(shard, 'other', manyTexts(40));
    writeOwner(shard, headOf(shard, other), NONE);
    writeHead(shard.entries, other, headOf(shard, list));
    mendShard(shard, START_MS);
    expectWhole(shard);
    expect(contentText(shard, find(shard, 'list'))).toBe(`list ${manyTexts(30).join(' ')}`);
    expect(find(shard, 'other')).toBe(NONE);
  });
});

/** The header of a page, and what behind it is within every page. */
const PAGE_WORDS_HURT = 14;

/** Writes a word of one of a collection's pages; whether the collection was dropped, 1 or 0. */
function hurt(key: string, which: number, word: number, value: number): number {
  const shard = createTestShard({ limitBytes: 2 ** 18 });
  someCollections(shard);
  const others = ['string', 'hash', 'few', 'list', 'sorted'].filter((other) => other !== key);
  const before = others.map((other) => contentText(shard, find(shard, other)));
  const page = pagesOf(shard, find(shard, key))[which];
  expect(blockCells(shard.entries.words, page) * WORDS_PER_CELL).toBeGreaterThanOrEqual(PAGE_WORDS_HURT);
  shard.entries.words[page * WORDS_PER_CELL + word] = value;
  mendShard(shard, START_MS);
  expectWhole(shard);
  expect(others.map((other) => contentText(shard, find(shard, other)))).toEqual(before);
  expect(set(shard, 'after', 'death')).toBe(true);
  expectWhole(shard);
  return find(shard, key) === NONE ? 1 : 0;
}
