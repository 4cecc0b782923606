/** The check of a collection: it finds what is wrong, kind by kind. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createCursor } from '../../src/collections/cursor.ts';
import { SCORE_BYTES } from '../../src/collections/elements.ts';
import {
  FORM_DEADLINES,
  readForm,
  writeForm,
  writeHead,
  writePackedCount,
} from '../../src/collections/form.ts';
import {
  addCells,
  addGroupsAt,
  childAt,
  headOf,
  levelOf,
  usedOf,
  writeChild,
  writeFirst,
  writeGroups,
  writeOwner,
  writeParent,
  writeSeparator,
  writeUsed,
} from '../../src/collections/page.ts';
import { removeGroup, replaceGroup, seekRank } from '../../src/collections/sequence.ts';
import { checkCollection } from '../../src/collections/sequence-check.ts';
import { TYPE_HASH, TYPE_LIST, TYPE_SET, TYPE_ZSET } from '../../src/shard/layout.ts';
import type { Shard } from '../../src/shard/shard.ts';
import { manyPairs, putHash, setDeadlines } from '../support/large-collections.ts';
import {
  encodeGroup,
  expectWholeCollection,
  filledCollection,
  insertAt,
  seekKey,
  useTinyBounds,
  useUsualBounds,
} from '../support/sequences.ts';
import { createTestShard, START_MS } from '../support/shard.ts';

beforeEach(useTinyBounds);
afterEach(useUsualBounds);

const cursor = createCursor();

describe('the check of a collection', () => {
  it('finds a packed one whose count or bytes are wrong', () => {
    const { shard, ref } = filled(TYPE_LIST, 3);
    writePackedCount(shard.entries, ref, 2);
    expect(checkCollection(shard, ref)).toMatch(/3 groups, 2 are counted/);
    writePackedCount(shard.entries, ref, 3);
    seekRank(shard, ref, 0, cursor, 2);
    cursor.bytes[cursor.at] += 1;
    expect(checkCollection(shard, ref)).toMatch(/a group begins at .* and ends at/);
  });

  it('finds packed scores out of order', () => {
    const { shard, ref } = filled(TYPE_ZSET, 4);
    seekRank(shard, ref, 0, cursor, 0);
    cursor.bytes.writeDoubleLE(100, cursor.at);
    expect(checkCollection(shard, ref)).toMatch(/groups 0 and 1 do not ascend/);
  });

  it.each([
    [
      'a head that is no page',
      /is no page/,
      (shard: Shard, ref: number) => writeHead(shard.entries, ref, ref),
    ],
    [
      'a head that belongs to another',
      /belongs to another/,
      (shard: Shard, _: number, head: number) => writeOwner(shard, head, 1),
    ],
    ['cells', /cells/, (shard: Shard, _: number, head: number) => addCells(shard.entries, head, 1)],
    [
      'groups of a page',
      /are counted/,
      (shard: Shard, _: number, head: number) => writeGroups(shard.entries, head, 1),
    ],
    [
      'groups of a child',
      /errs about the groups/,
      (shard: Shard, _: number, head: number) => addGroupsAt(shard.entries, head, 0, 1),
    ],
    [
      'too many children',
      /children/,
      (shard: Shard, _: number, head: number) => writeUsed(shard.entries, head, 100),
    ],
    [
      'one child of the root',
      /one child/,
      (shard: Shard, _: number, head: number) => writeUsed(shard.entries, head, 1),
    ],
    [
      'a child of another',
      /another parent/,
      (shard: Shard, _: number, head: number) =>
        writeParent(shard.entries, childAt(shard.entries, head, 1), 7),
    ],
    [
      'a child on another level',
      /wrong level/,
      (shard: Shard, _: number, head: number) => {
        const { entries } = shard;
        writeChild(entries, head, 0, childAt(entries, childAt(entries, head, 0), 0));
      },
    ],
    [
      'separators that do not ascend',
      /do not ascend/,
      (shard: Shard, _: number, head: number) => writeSeparator(shard.entries, head, 1, 0xffffffff),
    ],
    [
      'groups beyond their leaf',
      /do not lie in it/,
      (shard: Shard, ref: number) => writeFirst(shard.entries, leafOf(shard, ref), 9999),
    ],
    [
      'an empty leaf',
      /is empty/,
      (shard: Shard, ref: number) => writeUsed(shard.entries, leafOf(shard, ref), 0),
    ],
  ])('finds %s', (_, message, damage) => {
    const { shard, ref } = filled(TYPE_SET, 80);
    const head = headOf(shard, ref);
    expect(levelOf(shard.entries, head)).toBeGreaterThan(1);
    damage(shard, ref, head);
    expect(checkCollection(shard, ref)).toMatch(message);
  });

  it('finds a group that lies beyond the separators around its leaf', () => {
    const { shard, ref } = filled(TYPE_HASH, 80);
    const { entries } = shard;
    let parent = headOf(shard, ref);
    while (levelOf(entries, parent) > 1) parent = childAt(entries, parent, 0);
    expect(usedOf(entries, parent)).toBeGreaterThan(1);
    writeSeparator(entries, parent, 1, 0);
    expect(checkCollection(shard, ref)).toMatch(/lies between/);
  });

  it('finds a sorted set of which the trees differ', () => {
    const { shard, ref } = filled(TYPE_ZSET, 40);
    seekKey(shard, ref, 1, cursor, TYPE_ZSET, 'element 3');
    const other = encodeGroup(TYPE_ZSET, { key: 'element 3', value: '', score: 77 });
    replaceGroup(shard, cursor, other, 0, other.length, 0);
    expect(checkCollection(shard, ref)).toMatch(/two scores/);
    removeGroup(shard, cursor);
    expect(checkCollection(shard, ref)).toMatch(/different numbers/);
    seekKey(shard, ref, 1, cursor, TYPE_ZSET, 'another');
    insertAt(shard, cursor, { key: 'another', value: '', score: 1 });
    expect(checkCollection(shard, ref)).toMatch(/in one tree only/);
  });

  it('finds a packed hash whose form errs about its deadlines', () => {
    const { shard, ref } = timed(3, ['field 1']);
    writeForm(shard.entries, ref, 0);
    expect(checkCollection(shard, ref)).toMatch(/errs about its deadlines/);
    const other = timed(3, []);
    writeForm(other.shard.entries, other.ref, FORM_DEADLINES);
    expect(checkCollection(other.shard, other.ref)).toMatch(/errs about its deadlines/);
  });

  it('finds a hash in a tree whose deadlines are not those of its fields', () => {
    const { shard, ref } = timed(40, ['field 1', 'field 5']);
    const form = readForm(shard.entries, ref);
    writeForm(shard.entries, ref, form & ~FORM_DEADLINES);
    expect(checkCollection(shard, ref)).toMatch(/errs about 2 deadlines/);
    writeForm(shard.entries, ref, form);
    seekRank(shard, ref, 1, cursor, 0);
    cursor.bytes.writeDoubleLE(START_MS + 49, cursor.at);
    expect(checkCollection(shard, ref)).toMatch(/two deadlines/);
    cursor.bytes.writeDoubleLE(START_MS + 50, cursor.at);
    cursor.bytes[cursor.at + SCORE_BYTES + 'field 1'.length] += 1;
    expect(checkCollection(shard, ref)).toMatch(/two deadlines/);
    cursor.bytes[cursor.at + SCORE_BYTES + 1] -= 1;
    expect(checkCollection(shard, ref)).toMatch(/of no field/);
    removeGroup(shard, cursor);
    expect(checkCollection(shard, ref)).toMatch(/2 fields have deadlines, 1 are in the second tree/);
  });

  it('finds a hash in a tree with deadlines that has no second tree', () => {
    const { shard, ref } = timed(40, ['field 1']);
    const main = childAt(shard.entries, headOf(shard, ref), 0);
    writeHead(shard.entries, ref, main);
    writeOwner(shard, main, ref);
    expect(checkCollection(shard, ref)).toMatch(/no tree for its deadlines/);
  });

  it('finds a sorted set that is not a pair of trees', () => {
    const { shard, ref } = filled(TYPE_ZSET, 40);
    const head = headOf(shard, ref);
    writeHead(shard.entries, ref, childAt(shard.entries, head, 0));
    writeOwner(shard, childAt(shard.entries, head, 0), ref);
    expect(checkCollection(shard, ref)).toMatch(/not of its type/);
  });
});

function filled(type: number, count: number): { shard: Shard; ref: number } {
  const shard = createTestShard();
  const ref = filledCollection(shard, 'key', type, count);
  expectWholeCollection(shard, ref);
  return { shard, ref };
}

/** A hash of so many fields, of which some expire. */
function timed(count: number, fields: readonly string[]): { shard: Shard; ref: number } {
  const shard = createTestShard();
  const ref = setDeadlines(shard, putHash(shard, 'key', manyPairs(count)), fields, START_MS + 50);
  expectWholeCollection(shard, ref);
  return { shard, ref };
}

function leafOf(shard: Shard, ref: number): number {
  seekRank(shard, ref, 0, cursor, 0);
  return cursor.leaf;
}
