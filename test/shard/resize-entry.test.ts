/** Values that grow and shrink: every length for keys of both forms, with what must stay. */
import { describe, expect, it } from 'vitest';
import { PACKED_EXACT_BYTES_MAX } from '../../src/config/limits-collections.ts';
import { blockCells } from '../../src/shard/arena.ts';
import {
  entryBytes,
  expiresAt,
  isWide,
  lsnOf,
  typeOf,
  valueLength,
  valueOffset,
} from '../../src/shard/entry.ts';
import { CELL_BYTES, NONE, PROTECTED, TYPE_SET, TYPE_STRING, WRITING } from '../../src/shard/layout.ts';
import { NO_EVICTION } from '../../src/shard/policy.ts';
import { growEntry, shrinkEntry } from '../../src/shard/resize-entry.ts';
import type { Shard } from '../../src/shard/shard.ts';
import { createTestShard, expectWhole, find, keyText, START_MS, set } from '../support/shard.ts';

const DEADLINE_MS = START_MS + 60_000;

/** Values up to here are tried at every length. */
const LENGTH_MAX = 700;

const KEYS = ['', 'k', 'seven..', 'k'.repeat(255), 'k'.repeat(256)];

describe('growEntry and shrinkEntry', () => {
  it.each(KEYS)('keep what the value begins with, byte by byte (key %#)', (key) => {
    const shard = createTestShard();
    set(shard, key, '', { expiresAtMs: DEADLINE_MS });
    let ref = find(shard, key);
    const lsn = lsnOf(shard.entries, ref);
    for (let length = 1; length <= LENGTH_MAX; length += 1) {
      // What lies behind makes it move now and then.
      if (length % 5 === 0) set(shard, `other ${length}`, 'x'.repeat(length % 40));
      ref = grow(shard, ref, length);
      entryBytes(shard.entries, ref)[valueOffset(shard.entries, ref) + length - 1] = length & 0xff;
      expectValue(shard, key, ref, length, lsn);
    }
    for (let length = LENGTH_MAX - 1; length >= 0; length -= 1) {
      shrinkEntry(shard, ref, length);
      expectValue(shard, key, ref, length, lsn);
    }
    expectWhole(shard);
  });

  it('give a small value exactly the room it needs', () => {
    const shard = createTestShard();
    set(shard, 'key', '');
    let ref = find(shard, 'key');
    for (let length = 1; length <= PACKED_EXACT_BYTES_MAX; length += 1) {
      ref = grow(shard, ref, length);
      expect(isWide(shard.entries, ref)).toBe(false);
      expect(blockCells(shard.entries.words, ref)).toBe(Math.ceil((38 + 3 + length) / CELL_BYTES));
    }
  });

  it('give a large value room to grow, and take back what it does not need', () => {
    const shard = createTestShard();
    set(shard, 'key', '');
    let ref = find(shard, 'key');
    let moves = 0;
    for (let length = 100; length <= 60_000; length += 100) {
      const to = grow(shard, ref, length);
      set(shard, `other ${length}`, '');
      if (to !== ref) moves += 1;
      ref = to;
      expect(blockCells(shard.entries.words, ref) * CELL_BYTES).toBeLessThan(length * 1.2 + 100);
    }
    expect(moves).toBeLessThan(50);
    shrinkEntry(shard, ref, 1000);
    expect(blockCells(shard.entries.words, ref) * CELL_BYTES).toBeLessThan(1100);
    expectWhole(shard);
  });

  it('evict others for room, and leave all as it was when there is none', () => {
    const evicting = createTestShard({ limitBytes: 64 * 1024 });
    for (let index = 0; index < 2000; index += 1) set(evicting, `${index}`, 'x'.repeat(30));
    const ref = grow(evicting, find(evicting, '1999'), 20_000);
    expect(keyText(evicting, ref)).toBe('1999');
    expectWhole(evicting);

    const full = createTestShard({ limitBytes: 64 * 1024, policy: NO_EVICTION });
    set(full, 'key', 'value');
    full.control[PROTECTED] = find(full, 'key');
    expect(growEntry(full, 100_000, START_MS)).toBe(false);
    expect(valueLength(full.entries, full.control[PROTECTED])).toBe(5);
    full.control[PROTECTED] = NONE;
    expectWhole(full);
  });

  it('keep the type and the mark of an entry in change', () => {
    const shard = createTestShard();
    set(shard, 'key', 'value');
    set(shard, 'behind', 'value');
    const ref = find(shard, 'key');
    shard.control[WRITING] = ref;
    const to = grow(shard, ref, 1000);
    expect(to).not.toBe(ref);
    expect(shard.control[WRITING]).toBe(to);
    expect(typeOf(shard.entries, to)).toBe(TYPE_STRING);
    expect(typeOf(shard.entries, to)).not.toBe(TYPE_SET);
  });
});

function grow(shard: Shard, ref: number, length: number): number {
  shard.control[PROTECTED] = ref;
  expect(growEntry(shard, length, START_MS)).toBe(true);
  const to = shard.control[PROTECTED];
  shard.control[PROTECTED] = NONE;
  return to;
}

function expectValue(shard: Shard, key: string, ref: number, length: number, lsn: number): void {
  const { entries } = shard;
  expect(find(shard, key)).toBe(ref);
  expect(valueLength(entries, ref)).toBe(length);
  expect(lsnOf(entries, ref)).toBe(lsn);
  expect(expiresAt(entries, ref)).toBe(DEADLINE_MS);
  expect(typeOf(entries, ref)).toBe(TYPE_STRING);
  const at = valueOffset(entries, ref);
  const bytes = entryBytes(entries, ref);
  for (let index = 0; index < length; index += 1) {
    if (bytes[at + index] !== ((index + 1) & 0xff)) throw new Error(`byte ${index} of ${length} is another`);
  }
}
