/** From journals to a block: order, numbers, groups that are never split, and memory that is given back. */
import { Buffer } from 'node:buffer';
import { describe, expect, it } from 'vitest';
import { LOG_BLOCK_BYTES_KEPT_MAX, LOG_BLOCK_BYTES_START } from '../../src/config/limits.ts';
import { isLogBroken, nextBlockNumber } from '../../src/durability/log-board.ts';
import { drainShards } from '../../src/durability/log-drain.ts';
import { logTurn } from '../../src/durability/log-writer.ts';
import { breakJournal, markGrouped, pendingBytes, pendingRecords } from '../../src/shard/journal.ts';
import { acquireShard, holderOf, releaseShard } from '../../src/shard/lock.ts';
import type { Shard } from '../../src/shard/shard.ts';
import { createLogWorld, loggedKeys, readLog } from '../support/log-world.ts';
import { set } from '../support/shard.ts';

/** A change of several shards, as a command makes it with all their locks. */
function setGroup(shards: readonly Shard[], key: string): void {
  for (const shard of shards) acquireShard(shard);
  for (const shard of shards) {
    set(shard, key, 'group');
    markGrouped(shard);
  }
  for (const shard of shards) releaseShard(shard);
}

describe('draining', () => {
  it('takes nothing and no number when nothing is pending', () => {
    const { writers, disk } = createLogWorld();
    const [writer] = writers;
    expect(drainShards(writer, writer.shards, 2)).toBe(0);
    expect(nextBlockNumber(writer.board)).toBe(1);
    expect(logTurn(writer, writer.shards, 0)).toBe(true);
    expect(readLog(disk)).toEqual([]);
  });

  it('makes one block of the touched shards, a chunk each, and leaves the others alone', () => {
    const { writers, disk } = createLogWorld({ shards: 3 });
    const [writer] = writers;
    const [first, second, third] = writer.shards;
    for (const shard of writer.shards) set(shard, `key ${shard.index}`, 'a');
    set(first, 'key 0', 'b');
    expect(logTurn(writer, [third, first], 2)).toBe(true);
    expect(readLog(disk)).toEqual([
      {
        block: 1,
        stream: 0,
        syncedBlock: 0,
        chunks: [
          { shard: 2, records: [{ lsn: 1, key: 'key 2', value: 'a' }] },
          {
            shard: 0,
            records: [
              { lsn: 1, key: 'key 0', value: 'a' },
              { lsn: 2, key: 'key 0', value: 'b' },
            ],
          },
        ],
      },
    ]);
    expect([pendingRecords(first), pendingRecords(second), pendingRecords(third)]).toEqual([0, 1, 0]);
    expect(writer.shards.map(holderOf)).toEqual([0, 0, 0]);
  });

  it('takes a group whole although only one of its shards was touched', () => {
    const { writers, disk } = createLogWorld({ shards: 3 });
    const [writer] = writers;
    const [first, second, third] = writer.shards;
    setGroup([second, third], 'both');
    set(first, 'alone', 'x');
    logTurn(writer, [second], 1);
    const [block, ...more] = readLog(disk);
    expect(more).toEqual([]);
    expect(block.chunks.map(({ shard }) => shard)).toEqual([1, 0, 2]);
    expect(loggedKeys([block])).toEqual(['both', 'alone', 'both']);
  });

  it('takes a shard a second time when a group reaches it between two looks', () => {
    const { writers, disk } = createLogWorld();
    const [writer] = writers;
    const [first, second] = writer.shards;
    set(first, 'before', 'x');
    set(second, 'before', 'x');
    // The moment between the two shards is that of the second one's lock.
    const touched = [
      first,
      new Proxy(second, {
        get: (target, name) => {
          if (name === 'journal' && pendingBytes(first) === 0 && pendingRecords(second) === 1) {
            setGroup(writer.shards, 'both');
          }
          return Reflect.get(target, name);
        },
      }),
    ];
    logTurn(writer, touched, 2);
    const [{ chunks }, ...more] = readLog(disk);
    expect(more).toEqual([]);
    expect(chunks).toEqual([
      { shard: 0, records: [{ lsn: 1, key: 'before', value: 'x' }] },
      {
        shard: 1,
        records: [
          { lsn: 1, key: 'before', value: 'x' },
          { lsn: 2, key: 'both', value: 'group' },
        ],
      },
      { shard: 0, records: [{ lsn: 2, key: 'both', value: 'group' }] },
    ]);
  });

  it('grows its memory for a large block and gives it back, but keeps what is usual', () => {
    const { writers, disk } = createLogWorld();
    const [writer] = writers;
    const [shard] = writer.shards;
    const value = Buffer.alloc(1_200_000, 'v');
    set(shard, 'large', value);
    logTurn(writer, [shard], 1);
    const keptBytes = writer.block.length;
    expect(keptBytes).toBeGreaterThan(LOG_BLOCK_BYTES_START);
    expect(keptBytes).toBeLessThanOrEqual(LOG_BLOCK_BYTES_KEPT_MAX);
    for (let count = 0; count < 4; count += 1) set(shard, `large ${count}`, value);
    logTurn(writer, [shard], 1);
    expect(writer.block.length).toBe(LOG_BLOCK_BYTES_START);
    const blocks = readLog(disk);
    expect(loggedKeys(blocks)).toEqual(['large', 'large 0', 'large 1', 'large 2', 'large 3']);
    const isWhole = blocks.every(({ chunks }) =>
      chunks[0].records.every((record) => value.equals(Buffer.from(record.value))),
    );
    expect(isWhole).toBe(true);
  });

  it('writes nothing of a drain that meets a journal with records missing: half a group must not get out', () => {
    const { writers, disk, told } = createLogWorld();
    const [writer] = writers;
    const [first, second] = writer.shards;
    setGroup([first, second], 'both');
    breakJournal(second);
    expect(logTurn(writer, [first], 1)).toBe(false);
    expect(isLogBroken(writer.board)).toBe(true);
    expect(told).toEqual(['0: journal']);
    expect(readLog(disk)).toEqual([]);
    expect(writer.shards.map(holderOf)).toEqual([0, 0]);
  });
});
