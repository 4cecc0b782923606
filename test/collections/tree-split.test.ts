/** Leaves that split: what has one hash stays together, and what is large gets room of its own. */
import { Buffer } from 'node:buffer';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createCursor } from '../../src/collections/cursor.ts';
import { encodeElement } from '../../src/collections/elements.ts';
import { bounds } from '../../src/collections/form.ts';
import { groupsOf, levelOf, usedOf, visitPages } from '../../src/collections/page.ts';
import {
  countOf,
  insertGroup,
  makeTree,
  removeGroup,
  replaceGroup,
  seekRank,
} from '../../src/collections/sequence.ts';
import { hashOfElement } from '../../src/collections/tree-seek.ts';
import { TYPE_HASH, TYPE_LIST, TYPE_SET } from '../../src/shard/layout.ts';
import type { Shard } from '../../src/shard/shard.ts';
import {
  addGroup,
  commit,
  encodeGroup,
  expectWholeCollection,
  filledCollection,
  formOf,
  groupsIn,
  newCollection,
  seekKey,
  useMiddlingBounds,
  useTinyBounds,
  useUsualBounds,
} from '../support/sequences.ts';
import { createTestShard, expectWhole, START_MS } from '../support/shard.ts';

beforeEach(useTinyBounds);
afterEach(useUsualBounds);

const cursor = createCursor();

/** Among so many keys some pairs have one hash of 32 bits. */
const KEYS_WITH_TWINS = 250_000;

describe('a leaf that splits', () => {
  it('keeps those together that have one hash, in a leaf that grows beyond its bound', () => {
    const shard = createTestShard();
    let ref = filledCollection(shard, 'key', TYPE_HASH, 40);
    const twins = keysWithTwins(shard);
    expect(twins.length).toBeGreaterThan(1);
    const value = 'v'.repeat(90);
    for (const key of twins) {
      ref = addGroup(shard, ref, TYPE_HASH, { key, value, score: 0 });
      expectWholeCollection(shard, ref);
    }
    for (const key of twins) {
      expect(seekKey(shard, ref, 0, cursor, TYPE_HASH, key)).toBe(true);
      const longer = encodeGroup(TYPE_HASH, { key, value: `${value}${value}`, score: 0 });
      expect(replaceGroup(shard, cursor, longer, 0, longer.length, START_MS)).toBe(true);
      ref = cursor.ref;
      expectWholeCollection(shard, ref);
    }
    for (const key of twins) {
      expect(seekKey(shard, ref, 0, cursor, TYPE_HASH, key)).toBe(true);
      removeGroup(shard, cursor);
    }
    commit(shard);
    expect(groupsIn(shard, ref, TYPE_HASH).length).toBe(40);
    expectWhole(shard);
  });

  it('keeps those together that have one hash when a packed collection becomes a tree', () => {
    useMiddlingBounds();
    const shard = createTestShard();
    let packed = newCollection(shard, 'key', TYPE_HASH);
    for (const key of keysWithTwins(shard).slice(0, 6))
      packed = addGroup(shard, packed, TYPE_HASH, { key, value: 'v'.repeat(30), score: 0 });
    expect(formOf(shard, packed)).toBe('packed');
    useTinyBounds();
    bounds.childrenMax = 64;
    bounds.leafBytesMax = [1, 1, 1];
    const ref = makeTree(shard, packed, 0, START_MS);
    expectWholeCollection(shard, ref);
  });

  it('gives a large element of a list a leaf of its own, wherever it comes', () => {
    for (const place of [0, 1, 17, 39, 40]) {
      const shard = createTestShard();
      const ref = filledCollection(shard, 'key', TYPE_LIST, 40);
      const keys = groupsIn(shard, ref, TYPE_LIST).map(({ key }) => key);
      const large = encodeGroup(TYPE_LIST, { key: 'x'.repeat(5000), value: '', score: 0 });
      seekRank(shard, ref, 0, cursor, place);
      expect(insertGroup(shard, cursor, large, 0, large.length, START_MS)).toBe(true);
      commit(shard);
      expectWholeCollection(shard, cursor.ref);
      expect(groupsOf(shard.entries, cursor.leaf)).toBe(1);
      expect(groupsIn(shard, cursor.ref, TYPE_LIST).map(({ key }) => key)).toEqual(
        keys.toSpliced(place, 0, 'x'.repeat(5000)),
      );
    }
  });

  it('leaves full leaves behind where a list is pushed to, at either end', () => {
    for (const isTail of [true, false]) {
      const shard = createTestShard();
      let ref = filledCollection(shard, 'key', TYPE_LIST, 10);
      for (let index = 0; index < 300; index += 1) {
        const group = encodeGroup(TYPE_LIST, { key: `${index}`.padStart(10, 'p'), value: '', score: 0 });
        seekRank(shard, ref, 0, cursor, isTail ? countOf(shard, ref) : 0);
        expect(insertGroup(shard, cursor, group, 0, group.length, START_MS)).toBe(true);
        ref = cursor.ref;
      }
      commit(shard);
      let leaves = 0;
      visitPages(shard, ref, (page) => {
        if (levelOf(shard.entries, page) !== 0) return;
        leaves += 1;
        expect(usedOf(shard.entries, page)).toBeLessThanOrEqual(96);
      });
      // 12 bytes each: 8 go into a leaf of 96.
      expect(leaves).toBeLessThan(310 / 8 + 5);
    }
  });

  it('loses nothing when sets of many small members split', () => {
    useUsualBounds();
    const shard = createTestShard();
    const ref = filledCollection(shard, 'key', TYPE_SET, 4000);
    expectWholeCollection(shard, ref);
    expect(new Set(groupsIn(shard, ref, TYPE_SET).map(({ key }) => key)).size).toBe(4000);
  });
});

/** Keys of which some other has the hash. */
function keysWithTwins(shard: Shard): string[] {
  const seen = new Map<number, string>();
  const twins: string[] = [];
  const element = Buffer.alloc(40);
  const text = Buffer.alloc(20);
  for (let index = 0; index < KEYS_WITH_TWINS; index += 1) {
    const key = `twin ${index}`;
    encodeElement(element, 0, text, 0, text.write(key));
    const hash = hashOfElement(shard, element, 0);
    const other = seen.get(hash);
    if (other !== undefined) twins.push(other, key);
    seen.set(hash, key);
  }
  return twins;
}
