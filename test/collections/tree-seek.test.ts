/** Ways through a tree: hashes leaf by leaf, scores that are all one, and the ends. */
import { Buffer } from 'node:buffer';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createCursor } from '../../src/collections/cursor.ts';
import {
  countOf,
  leafHashEnd,
  rankOf,
  seekFirst,
  seekHash,
  seekRank,
  seekScore,
  step,
  stepBack,
} from '../../src/collections/sequence.ts';
import { HASHES, hashOfElement } from '../../src/collections/tree-seek.ts';
import { TYPE_LIST, TYPE_SET, TYPE_ZSET } from '../../src/shard/layout.ts';
import {
  addGroup,
  filledCollection,
  newCollection,
  readGroup,
  useTinyBounds,
  useUsualBounds,
} from '../support/sequences.ts';
import { createTestShard } from '../support/shard.ts';

beforeEach(useTinyBounds);
afterEach(useUsualBounds);

const cursor = createCursor();

describe('a tree', () => {
  it('is walked leaf by leaf by hashes that ascend, and each leaf has those up to the next', () => {
    const shard = createTestShard();
    const ref = filledCollection(shard, 'key', TYPE_SET, 200);
    const seen = new Set<string>();
    let leaves = 0;
    for (let hash = 0; hash < HASHES; hash = leafHashEnd(cursor)) {
      expect(seekHash(shard, ref, 0, cursor, hash)).toBe(true);
      expect(leafHashEnd(cursor)).toBeGreaterThan(hash);
      leaves += 1;
      const { leaf } = cursor;
      do {
        const own = hashOfElement(shard, cursor.bytes, cursor.at);
        expect(own >= hash && own < leafHashEnd(cursor)).toBe(true);
        seen.add(readGroup(TYPE_SET, cursor.bytes, cursor.at).key);
      } while (step(shard, cursor) && cursor.leaf === leaf);
      seekHash(shard, ref, 0, cursor, hash);
    }
    expect(seen.size).toBe(200);
    expect(leaves).toBeGreaterThan(20);
  });

  it('finds members by name when all scores are one', () => {
    const shard = createTestShard();
    let ref = newCollection(shard, 'key', TYPE_ZSET);
    const keys: string[] = [];
    for (let index = 0; index < 150; index += 1) {
      const key = `member ${(index * 37) % 150}`;
      ref = addGroup(shard, ref, TYPE_ZSET, { key, value: '', score: 5 });
      keys.push(key);
    }
    keys.sort();
    for (const [rank, key] of keys.entries()) {
      const member = Buffer.from(key);
      expect(seekScore(shard, ref, cursor, 5, member, 0, member.length)).toBe(true);
      expect(rankOf(shard, cursor)).toBe(rank);
      const behind = Buffer.from(`${key}\0`);
      expect(seekScore(shard, ref, cursor, 5, behind, 0, behind.length)).toBe(rank < keys.length - 1);
      expect(rankOf(shard, cursor)).toBe(rank + 1);
    }
    expect(seekScore(shard, ref, cursor, 5, Buffer.alloc(0), 0, 0)).toBe(true);
    expect(rankOf(shard, cursor)).toBe(0);
    expect(seekScore(shard, ref, cursor, 5.5, Buffer.alloc(0), 0, 0)).toBe(false);
    expect(rankOf(shard, cursor)).toBe(150);
  });

  it('has ends: there is nothing before the first group, and nothing behind the last', () => {
    const shard = createTestShard();
    const ref = filledCollection(shard, 'key', TYPE_LIST, 60);
    expect(seekFirst(shard, ref, 0, cursor)).toBe(true);
    expect(stepBack(shard, cursor)).toBe(false);
    expect(rankOf(shard, cursor)).toBe(0);
    expect(seekRank(shard, ref, 0, cursor, 59)).toBe(true);
    expect(step(shard, cursor)).toBe(false);
    expect(rankOf(shard, cursor)).toBe(countOf(shard, ref));
    expect(step(shard, cursor)).toBe(false);
    expect(stepBack(shard, cursor)).toBe(true);
    expect(readGroup(TYPE_LIST, cursor.bytes, cursor.at).key).toBe('element 59');
  });
});
