/** When a packed collection becomes a tree, and what it keeps. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { FORM_LARGE, FORM_TREE, markLarge } from '../../src/collections/form.ts';
import { collectionBytes, countOf, flagsOf, makeTree } from '../../src/collections/sequence.ts';
import { PACKED_BYTES_MAX, PACKED_LARGE_BYTES_MAX } from '../../src/config/limits-collections.ts';
import { blockCells, usedCells } from '../../src/shard/arena.ts';
import { valueLength } from '../../src/shard/entry.ts';
import { CELL_BYTES, NONE, TYPE_HASH, TYPE_LIST, TYPE_SET, TYPE_ZSET } from '../../src/shard/layout.ts';
import { NO_EVICTION } from '../../src/shard/policy.ts';
import {
  addGroup,
  commit,
  expectWholeCollection,
  filledCollection,
  formOf,
  type Group,
  groupsIn,
  newCollection,
  useTinyBounds,
  useUsualBounds,
} from '../support/sequences.ts';
import { createTestShard, expectWhole, find, START_MS } from '../support/shard.ts';

beforeEach(useUsualBounds);
afterEach(useUsualBounds);

describe('a packed collection', () => {
  it.each([
    [TYPE_LIST, PACKED_LARGE_BYTES_MAX, 0],
    [TYPE_HASH, PACKED_BYTES_MAX, 0],
    [TYPE_ZSET, PACKED_BYTES_MAX, 0],
    [TYPE_SET, PACKED_BYTES_MAX, 0],
    [TYPE_HASH, PACKED_LARGE_BYTES_MAX, FORM_LARGE],
    [TYPE_ZSET, PACKED_LARGE_BYTES_MAX, FORM_LARGE],
    [TYPE_SET, PACKED_LARGE_BYTES_MAX, FORM_LARGE],
  ])('of type %i becomes a tree beyond %i bytes', (type, bytesMax, flags) => {
    const shard = createTestShard();
    let ref = newCollection(shard, 'key', type, flags);
    let packedBytes = 0;
    let count = 0;
    while (formOf(shard, ref) === 'packed') {
      packedBytes = valueLength(shard.entries, ref);
      ref = addGroup(shard, ref, type, { key: nameOf(count), value: '1', score: count });
      count += 1;
    }
    expect(packedBytes).toBeGreaterThan(bytesMax - 340);
    expect(packedBytes).toBeLessThanOrEqual(bytesMax + 3);
    expect(flagsOf(shard, ref)).toBe(FORM_TREE | flags);
    expectWholeCollection(shard, ref);
    const keys = groupsIn(shard, ref, type).map(({ key }) => key);
    const inOrder = Array.from({ length: count }, (_, index) => nameOf(index));
    if (type === TYPE_LIST || type === TYPE_ZSET) expect(keys).toEqual(inOrder);
    else expect(keys.toSorted()).toEqual(inOrder.toSorted());
    expectWhole(shard);
  });

  it('keeps the order in which groups came', () => {
    const shard = createTestShard();
    const ref = filledCollection(shard, 'key', TYPE_HASH, 500);
    expect(formOf(shard, ref)).toBe('packed');
    expect(groupsIn(shard, ref, TYPE_HASH).map(({ key }) => key)).toEqual(
      Array.from({ length: 500 }, (_, index) => `element ${index}`),
    );
  });

  it('of one group stays packed however large that is', () => {
    const shard = createTestShard();
    let ref = newCollection(shard, 'key', TYPE_LIST);
    ref = addGroup(shard, ref, TYPE_LIST, { key: 'x'.repeat(100_000), value: '', score: 0 });
    expect(formOf(shard, ref)).toBe('packed');
    ref = addGroup(shard, ref, TYPE_LIST, { key: 'y', value: '', score: 0 });
    expect(formOf(shard, ref)).toBe('tree');
    expect(groupsIn(shard, ref, TYPE_LIST).map(({ key }) => key)).toEqual(['x'.repeat(100_000), 'y']);
    expectWhole(shard);
  });

  it.each([TYPE_LIST, TYPE_SET, TYPE_HASH, TYPE_ZSET])(
    'becomes one at any number of groups when asked (type %i)',
    (type) => {
      for (let count = 0; count < 12; count += 1) {
        const shard = createTestShard();
        const packed = filledCollection(shard, 'key', type, count);
        const groups = groupsIn(shard, packed, type);
        const ref = makeTree(shard, packed, 0, START_MS);
        expect(formOf(shard, ref)).toBe('tree');
        expect(groupsIn(shard, ref, type).toSorted(byKey)).toEqual(groups.toSorted(byKey));
        commit(shard);
        expectWholeCollection(shard, ref);
      }
    },
  );

  it('stays as it is when there is no room for the tree', () => {
    useTinyBounds();
    for (const type of [TYPE_LIST, TYPE_HASH, TYPE_ZSET]) {
      const shard = createTestShard({ limitBytes: 16 * 1024, policy: NO_EVICTION });
      let ref = filledCollection(shard, 'key', type, 2);
      const groups = groupsIn(shard, ref, type);
      let other = newCollection(shard, 'other', TYPE_LIST);
      for (let index = 0; other !== NONE; index += 1)
        other = addGroup(shard, other, TYPE_LIST, { key: `${index}`, value: '', score: 0 });
      commit(shard);
      expect(makeTree(shard, ref, 0, START_MS)).toBe(NONE);
      ref = find(shard, 'key');
      expect(formOf(shard, ref)).toBe('packed');
      expect(groupsIn(shard, ref, type)).toEqual(groups);
      expectWhole(shard);
    }
  });
});

describe('collectionBytes', () => {
  it('is what the collection takes of the memory', () => {
    for (const type of [TYPE_LIST, TYPE_SET, TYPE_HASH, TYPE_ZSET]) {
      const shard = createTestShard();
      const before = usedCells(shard.entries);
      const ref = filledCollection(shard, 'key', type, 1200);
      const bytes = (usedCells(shard.entries) - before) * CELL_BYTES;
      expect(collectionBytes(shard, ref)).toBe(bytes + 8);
      expect(countOf(shard, ref)).toBe(1200);
    }
    const shard = createTestShard();
    const ref = filledCollection(shard, 'key', TYPE_SET, 3);
    markLarge(shard, ref);
    expect(collectionBytes(shard, ref)).toBe(blockCells(shard.entries.words, ref) * CELL_BYTES + 8);
  });
});

/** Long, so that few of them fill what a packed collection may take. */
function nameOf(index: number): string {
  return `element ${'x'.repeat(300)} ${index}`;
}

function byKey(one: Group, other: Group): number {
  return one.key < other.key ? -1 : 1;
}
