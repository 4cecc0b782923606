/** The counts of keys by slot: right after everything that brings keys or takes them, and found out where they are not. */
import { Buffer } from 'node:buffer';
import { describe, expect, it } from 'vitest';
import { ROLE_HANDING_OVER, ROLE_IMPORTING, ROLE_OWNER, ROLE_REPLICA } from '../../src/routing/node-table.ts';
import { SLOT_COUNT, slotOfKey } from '../../src/routing/slot.ts';
import { checkShard } from '../../src/shard/check.ts';
import { flushDatabase, swapDatabases } from '../../src/shard/databases.ts';
import { removeEntry } from '../../src/shard/lifecycle.ts';
import { mendShard } from '../../src/shard/recover.ts';
import type { Shard } from '../../src/shard/shard.ts';
import { isForeign } from '../../src/shard/slot-keys.ts';
import { createTestShard, expectWhole, find, START_MS, set } from '../support/shard.ts';

function slotOf(key: string): number {
  const bytes = Buffer.from(key);
  return slotOfKey(bytes, 0, bytes.length);
}

/** Slots that have keys, with their counts. */
function counted(shard: Shard): Map<number, number> {
  const counts = new Map<number, number>();
  for (const [slot, keys] of shard.slotKeys?.entries() ?? []) if (keys > 0) counts.set(slot, keys);
  return counts;
}

describe('keys by slot', () => {
  it('are those of database 0, by their hash tags', () => {
    const shard = createTestShard();
    for (const key of ['a', '{tag}1', '{tag}2', 'k'.repeat(1000)]) set(shard, key, 'value');
    set(shard, '{tag}1', 'a longer value than before');
    set(shard, '{tag}3', 'value', { database: 1 });
    expect(counted(shard)).toEqual(
      new Map([
        [slotOf('a'), 1],
        [slotOf('tag'), 2],
        [slotOf('k'.repeat(1000)), 1],
      ]),
    );
    removeEntry(shard, find(shard, '{tag}1'));
    removeEntry(shard, find(shard, '{tag}3', { database: 1 }));
    expect(counted(shard).get(slotOf('tag'))).toBe(1);
    expectWhole(shard);
  });

  it('are none after a flush, and other ones after an exchange', () => {
    const shard = createTestShard();
    set(shard, 'a', 'value');
    set(shard, 'b', 'value', { database: 1 });
    flushDatabase(shard, 1);
    expect(counted(shard)).toEqual(new Map([[slotOf('a'), 1]]));
    set(shard, 'c', 'value', { database: 1 });
    swapDatabases(shard, 0, 1);
    expect(counted(shard)).toEqual(new Map([[slotOf('c'), 1]]));
    swapDatabases(shard, 1, 2);
    expect(counted(shard)).toEqual(new Map([[slotOf('c'), 1]]));
    flushDatabase(shard, 0);
    expect(counted(shard)).toEqual(new Map());
    expectWhole(shard);
  });

  it('are not counted on a node that is alone', () => {
    const shard = createTestShard({ countsSlots: false });
    set(shard, 'a', 'value');
    expect(shard.slotKeys).toBeUndefined();
    expectWhole(shard);
  });

  it('that are counted wrong are found, and mended with the shard', () => {
    const shard = createTestShard();
    set(shard, 'a', 'value');
    shard.slotKeys?.fill(2, slotOf('a'), slotOf('a') + 1);
    const problem = `slot ${slotOf('a')} has 1 keys, 2 are counted`;
    expect(checkShard(shard)).toBe(problem);
    expect(mendShard(shard, START_MS)).toBe(`${problem}; rebuilt with 1 keys, 0 dropped`);
    expect(counted(shard)).toEqual(new Map([[slotOf('a'), 1]]));
    expectWhole(shard);
  });
});

describe('an entry', () => {
  it('is foreign unless its slot is this node’s, and never on a node that is alone', () => {
    const shard = createTestShard();
    set(shard, 'a', 'value');
    expect(isForeign(shard, find(shard, 'a'))).toBe(false);
    const roles = new Uint8Array(SLOT_COUNT);
    shard.roles = roles;
    const isForeignAs = (role: number) => {
      roles[slotOf('a')] = role;
      return isForeign(shard, find(shard, 'a'));
    };
    expect([0, ROLE_REPLICA, ROLE_IMPORTING, ROLE_REPLICA | ROLE_IMPORTING].map(isForeignAs)).toEqual([
      true,
      true,
      true,
      true,
    ]);
    expect([ROLE_OWNER, ROLE_OWNER | ROLE_HANDING_OVER].map(isForeignAs)).toEqual([false, false]);
  });
});
