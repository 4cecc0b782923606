/** Collections under other keys: nothing is lost, whether there is room or not, and whatever moves for it. */
import { Buffer } from 'node:buffer';
import { describe, expect, it } from 'vitest';
import { OP_ADD } from '../../src/collections/change.ts';
import { copyCollection, moveCollection } from '../../src/collections/copy.ts';
import { headOf } from '../../src/collections/page.ts';
import { collectionBytes, isTree } from '../../src/collections/sequence.ts';
import { usedCells } from '../../src/shard/arena.ts';
import { expiresAt, lsnOf } from '../../src/shard/entry.ts';
import { keepHouse } from '../../src/shard/housekeeping.ts';
import { startJournaling } from '../../src/shard/journal.ts';
import { LSN, NONE, PROTECTED_SOURCE, TYPE_HASH, TYPE_LIST } from '../../src/shard/layout.ts';
import { removeEntry } from '../../src/shard/lifecycle.ts';
import { ALL_LRU, NO_EVICTION } from '../../src/shard/policy.ts';
import type { Shard } from '../../src/shard/shard.ts';
import { replayAll, take } from '../support/journal.ts';
import {
  COLLECTION_TYPES,
  changeCollection,
  contentsOfCollection,
  everything,
  typeNames,
} from '../support/operations.ts';
import { createTestShard, expectWhole, find, get, START_MS, set } from '../support/shard.ts';

const DEADLINE_MS = START_MS + 5000;

function fill(shard: Shard, key: string, type: number, count: number): number {
  const texts = Array.from({ length: 2 * count }, (_, index) => `${index}`);
  expect(changeCollection(shard, key, type, [{ code: OP_ADD, argument: 0, texts }])).toBe(true);
  return find(shard, key);
}

function copyTo(shard: Shard, key: string, source: Shard, ref: number, expiresAtMs = 0): number {
  const bytes = Buffer.from(key);
  return copyCollection(shard, 0, bytes, 0, bytes.length, source, ref, expiresAtMs, START_MS);
}

function moveTo(shard: Shard, key: string, ref: number, expiresAtMs = 0): number {
  const bytes = Buffer.from(key);
  return moveCollection(shard, 0, bytes, 0, bytes.length, ref, expiresAtMs, START_MS);
}

describe.each(COLLECTION_TYPES.map((type) => ({ type, name: typeNames[type] })))('$name', ({ type }) => {
  it.each([3, 700])('of %d elements are copied to another shard, also over what is there', (count) => {
    const [source, target] = [createTestShard(), createTestShard()];
    startJournaling(target);
    const ref = fill(source, 'key', type, count);
    set(target, 'copy', 'text', { expiresAtMs: START_MS + 1 });
    for (const deadlineMs of [DEADLINE_MS, 0]) {
      const copy = copyTo(target, 'copy', source, ref, deadlineMs);
      expect(contentsOfCollection(target, copy)).toEqual(contentsOfCollection(source, find(source, 'key')));
      expect(expiresAt(target.entries, copy)).toBe(deadlineMs);
      expect(lsnOf(target.entries, copy)).toBe(target.numbers[LSN]);
      expectWhole(target);
    }
    expectWhole(source);
    expect(source.control[PROTECTED_SOURCE]).toBe(NONE);
    const replica = createTestShard();
    replayAll(replica, take(target));
    expect(everything(replica)).toEqual(everything(target));
  });

  it('that are large move within their shard with their pages', () => {
    const shard = createTestShard();
    startJournaling(shard);
    const ref = fill(shard, 'key', type, 700);
    const contents = contentsOfCollection(shard, ref);
    const head = headOf(shard, ref);
    fill(shard, 'other', TYPE_HASH, 400);
    const moved = moveTo(shard, 'other', find(shard, 'key'), DEADLINE_MS);
    expect(headOf(shard, moved)).toBe(head);
    expect(find(shard, 'other')).toBe(moved);
    expect(expiresAt(shard.entries, moved)).toBe(DEADLINE_MS);
    expectWhole(shard);
    expect(find(shard, 'key')).toBe(NONE);
    expect(contentsOfCollection(shard, moved)).toEqual(contents);
    expectWhole(shard);
    const replica = createTestShard();
    replayAll(replica, take(shard));
    expect(everything(replica)).toEqual(everything(shard));
    removeEntry(shard, moved);
    while (keepHouse(shard, START_MS, true));
    expect(usedCells(shard.entries)).toBe(usedCells(createTestShard().entries));
  });
});

describe('where memory is short', () => {
  it('a copy that finds no room leaves both keys as they were', () => {
    const shard = createTestShard({ limitBytes: 96 * 1024, policy: NO_EVICTION });
    const ref = fill(shard, 'key', TYPE_LIST, 6000);
    fill(shard, 'other', TYPE_HASH, 20);
    const before = everything(shard);
    expect(collectionBytes(shard, ref)).toBeGreaterThan(40_000);
    expect(copyTo(shard, 'other', shard, ref)).toBe(NONE);
    expect(everything(shard)).toEqual(before);
    expect(shard.control[PROTECTED_SOURCE]).toBe(NONE);
    expectWhole(shard);
  });

  it('a copy makes room of everything but its source', () => {
    const shard = createTestShard({ limitBytes: 256 * 1024, policy: ALL_LRU });
    const contents = contentsOfCollection(shard, fill(shard, 'key', TYPE_LIST, 6000));
    for (let index = 0; index < 400; index += 1) set(shard, `key ${index}`, 'v'.repeat(300));
    get(shard, 'key 399');
    const source = find(shard, 'key');
    if (source === NONE) expect.fail('the source is there');
    const copy = copyTo(shard, 'copy', shard, source);
    expect(copy).not.toBe(NONE);
    expect(contentsOfCollection(shard, copy)).toEqual(contents);
    expect(contentsOfCollection(shard, find(shard, 'key'))).toEqual(contents);
    expectWhole(shard);
  });

  it('a large collection moves nevertheless', () => {
    const shard = createTestShard({ limitBytes: 96 * 1024, policy: NO_EVICTION });
    const ref = fill(shard, 'key', TYPE_LIST, 6000);
    expect(isTree(shard, ref)).toBe(true);
    const contents = contentsOfCollection(shard, ref);
    expect(copyTo(shard, 'copy', shard, ref)).toBe(NONE);
    const moved = moveTo(shard, 'copy', find(shard, 'key'));
    expect(contentsOfCollection(shard, moved)).toEqual(contents);
    expectWhole(shard);
  });

  it('no collection moves to a key that has no room', () => {
    const shard = createTestShard({ limitBytes: 96 * 1024, policy: NO_EVICTION });
    const ref = fill(shard, 'key', TYPE_LIST, 2000);
    expect(moveTo(shard, 'k'.repeat(200_000), ref)).toBe(NONE);
    expect(find(shard, 'key')).toBe(ref);
    expectWhole(shard);
  });
});
