/** Tests of what a turn's commands leave to do for the log: alone, and as the dispatcher notes it. */
import { describe, expect, it } from 'vitest';
import { clearTouched, createChanges, noteTouched } from '../../src/commands/changes.ts';
import { JOURNAL_EVICTION_BYTES_MAX, JOURNAL_SOFT_BYTES } from '../../src/config/limits.ts';
import { pendingBytes, pendingRecords, startJournaling } from '../../src/shard/journal.ts';
import { holderOf } from '../../src/shard/lock.ts';
import { createHarness, type Harness } from '../support/harness.ts';

function loggedHarness(): Harness {
  const harness = createHarness();
  for (const shard of harness.shards) startJournaling(shard);
  return harness;
}

const touched = ({ engine }: Harness) =>
  engine.changes.touched.slice(0, engine.changes.count).map(({ index }) => index);

/** A key of each shard, by its index. */
function keysOf(harness: Harness): string[] {
  const keys: string[] = [];
  for (let number = 0; keys.filter(Boolean).length < harness.shards.length; number += 1) {
    const slot = Number(harness.run('CLUSTER', 'KEYSLOT', `key:${number}`).slice(1));
    keys[harness.engine.slotShard[slot]] ??= `key:${number}`;
  }
  return keys;
}

describe('the changes of a turn', () => {
  it('hold each touched shard once, in the order of the first touch', () => {
    const { shards } = createHarness({ shards: 4 });
    const changes = createChanges(shards);
    for (const index of [2, 0, 2, 3, 0]) noteTouched(changes, shards[index]);
    expect(changes.touched.slice(0, changes.count).map(({ index }) => index)).toEqual([2, 0, 3]);
  });

  it('have room for all shards, turn after turn', () => {
    const { shards } = createHarness({ shards: 4 });
    const changes = createChanges(shards);
    for (let turn = 0; turn < 3; turn += 1) {
      for (const shard of shards.toReversed()) noteTouched(changes, shard);
      expect(changes.count).toBe(4);
      clearTouched(changes);
      expect(changes.count).toBe(0);
      expect([...changes.isTouched]).toEqual([0, 0, 0, 0]);
    }
  });
});

describe('the dispatcher', () => {
  it('notes the shard of a write, and counts the command', () => {
    const harness = loggedHarness();
    const keys = keysOf(harness);
    harness.run('SET', keys[1], 'v');
    expect(touched(harness)).toEqual([1]);
    expect(harness.engine.changes.writes).toBe(1);
    harness.run('APPEND', keys[1], 'v');
    harness.run('SET', keys[2], 'v');
    expect(touched(harness)).toEqual([1, 2]);
    expect(harness.engine.changes.writes).toBe(3);
  });

  it('counts no command that changed nothing', () => {
    const harness = loggedHarness();
    harness.run('GET', 'a');
    harness.run('DEL', 'a');
    harness.run('SET', 'a', 'v', 'XX');
    harness.run('INCR');
    harness.run('MGET', 'a', 'b');
    expect(touched(harness)).toEqual([]);
    expect(harness.engine.changes.writes).toBe(0);
  });

  it('notes all shards of a command over many keys, and counts it once', () => {
    const harness = loggedHarness();
    const keys = keysOf(harness);
    harness.run('MSET', ...keys.flatMap((key) => [key, 'v']));
    expect(touched(harness).toSorted()).toEqual([0, 1, 2]);
    expect(harness.engine.changes.writes).toBe(1);
    clearTouched(harness.engine.changes);
    for (const shard of harness.shards) startJournaling(shard);
    harness.run('FLUSHALL');
    expect(touched(harness).toSorted()).toEqual([0, 1, 2]);
    expect(harness.engine.changes.writes).toBe(2);
  });

  it('notes a shard in which a reader finds what others have left pending', () => {
    const harness = loggedHarness();
    const keys = keysOf(harness);
    harness.run('SET', keys[1], 'v');
    const { writes } = harness.engine.changes;
    clearTouched(harness.engine.changes);
    harness.run('GET', keys[0]);
    expect(touched(harness)).toEqual([]);
    harness.run('GET', keys[1]);
    expect(touched(harness)).toEqual([1]);
    expect(harness.engine.changes.writes).toBe(writes);
  });

  it('notes an expiry that a reader finds, and does not count the reader as a writer', () => {
    const harness = loggedHarness();
    harness.run('SET', 'a', 'v', 'PX', '10');
    harness.nowMs += 20;
    clearTouched(harness.engine.changes);
    for (const shard of harness.shards) startJournaling(shard);
    expect(harness.run('GET', 'a')).toBe('$-1\r\n');
    expect(harness.run('MGET', 'a', 'b')).toBe('*2\r\n$-1\r\n$-1\r\n');
    expect(harness.engine.changes.count).toBe(1);
    expect(harness.engine.changes.writes).toBe(1);
    expect(harness.shards.reduce((sum, shard) => sum + pendingRecords(shard), 0)).toBe(1);
  });

  it('has a journal that has grown long drained before the next write, without the lock', () => {
    const harness = createHarness({ shards: 1 });
    const [shard] = harness.shards;
    startJournaling(shard);
    let drains = 0;
    harness.engine.drainLog = () => {
      drains += 1;
      expect(touched(harness)).toEqual([0]);
      clearTouched(harness.engine.changes);
      startJournaling(shard);
    };
    for (let index = 0; index < 40; index += 1) {
      expect(harness.run('SET', `key:${index}`, 'v'.repeat(100_000))).toBe('+OK\r\n');
    }
    expect(drains).toBeGreaterThan(2);
    expect(drains).toBeLessThan(6);
    harness.expectWhole();
  });

  it('evicts for a write though the log takes nothing, and answers no OOM', () => {
    for (const command of ['SET', 'MSET']) {
      const harness = createHarness({ shards: 1, shardBytes: 16 * 2 ** 20 });
      const [shard] = harness.shards;
      // What is evicted leaves its key in the journal, and that is nearly all of it.
      const name = 'k'.repeat(4096);
      for (let index = 0; index < 5000; index += 1) harness.run('SET', `${name}${index}`, '');
      startJournaling(shard);
      let drains = 0;
      harness.engine.drainLog = () => {
        drains += 1;
        clearTouched(harness.engine.changes);
      };
      expect(harness.run(command, 'big', 'v'.repeat(8 * 2 ** 20))).toBe('+OK\r\n');
      expect(pendingBytes(shard)).toBeGreaterThan(JOURNAL_EVICTION_BYTES_MAX);
      expect(drains).toBeLessThan(4);
      harness.expectWhole();
    }
  });

  it('gives the locks back when the drain before a write throws', () => {
    for (const command of [
      ['SET', 'a', '1'],
      ['MSET', 'a', '1', 'b', '2'],
    ]) {
      const harness = createHarness({ shards: 1 });
      const [shard] = harness.shards;
      startJournaling(shard);
      harness.run('SET', 'big', 'v'.repeat(JOURNAL_SOFT_BYTES));
      harness.engine.drainLog = () => {
        throw new Error('a bug');
      };
      expect(harness.run(...command)).toMatch(/^-ERR internal error/);
      expect(holderOf(shard)).toBe(0);
    }
  });
});
