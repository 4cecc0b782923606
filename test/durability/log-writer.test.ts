/** The end of a turn: what is written, when replies may leave, what a sick disk does to it, and how segments follow each other. */
import { describe, expect, it } from 'vitest';
import { LOG_SEGMENT_BYTES_MAX, LOG_SEGMENT_PREPARE_BYTES } from '../../src/config/limits.ts';
import {
  abandonStream,
  isLogBroken,
  isLogTroubled,
  LOG_BLOCKS_WRITTEN,
  LOG_BYTES_WRITTEN,
  LOG_WRITES_FAILED,
  mendLog,
} from '../../src/durability/log-board.ts';
import { commitLater } from '../../src/durability/log-commit.ts';
import { drainShards } from '../../src/durability/log-drain.ts';
import type { LogWriter } from '../../src/durability/log-stream.ts';
import {
  awaitEarlier,
  logTurn,
  offerSegment,
  resetAfterRebase,
  retry,
  rotate,
} from '../../src/durability/log-writer.ts';
import { createLogWorld, type LogWorld, loggedKeys, readLog, readSegment } from '../support/log-world.ts';
import { set } from '../support/shard.ts';

/** A turn that sets one key in a shard; whether its replies may leave at once. */
function setInTurn(writer: LogWriter, key: string, shard = 0): boolean {
  set(writer.shards[shard], key, 'v');
  return logTurn(writer, [writer.shards[shard]], 1);
}

function numberOf(writer: LogWriter, index: number): number {
  return writer.board.numbers[writer.numbersAt + index];
}

/** A log whose only writer has written 'a' and could not write 'b'. */
function createFullDisk(): LogWorld {
  const world = createLogWorld();
  const [writer] = world.writers;
  setInTurn(writer, 'a');
  world.disk.setFreeBytes(60);
  expect(setInTurn(writer, 'b')).toBe(false);
  return world;
}

describe('a turn', () => {
  it('is one block in the file before its replies leave, and the shards of all turns follow each other', () => {
    const { writers, disk } = createLogWorld();
    const [writer] = writers;
    const operations = disk.operationCount();
    expect(setInTurn(writer, 'a')).toBe(true);
    for (const shard of writer.shards) set(shard, 'b', 'v');
    expect(logTurn(writer, writer.shards, 2)).toBe(true);
    expect(disk.operationCount() - operations).toBe(2);
    expect(readLog(disk).map(({ block, chunks }) => [block, chunks.length])).toEqual([
      [1, 1],
      [2, 2],
    ]);
    expect(numberOf(writer, LOG_BLOCKS_WRITTEN)).toBe(2);
    expect(numberOf(writer, LOG_BYTES_WRITTEN)).toBe(writer.segment.bytes - 4096);
  });

  it('does not wait for later blocks of other streams, only for earlier ones', () => {
    const { writers } = createLogWorld({ streams: 2 });
    const [first, second] = writers;
    expect(setInTurn(first, 'a')).toBe(true);
    set(second.shards[1], 'b', 'v');
    drainShards(second, second.shards, 2);
    first.turnBlock = 1;
    expect(awaitEarlier(first)).toBe(true);
  });

  it('has its replies wait when its records lie in a block that another stream cannot write', () => {
    const { writers, disk, deliver } = createLogWorld({ streams: 2 });
    const [first, second] = writers;
    set(first.shards[0], 'a', 'v');
    disk.setFreeBytes(0);
    expect(logTurn(second, second.shards, 2)).toBe(false);
    expect(logTurn(first, first.shards, 2)).toBe(false);
    const done: string[] = [];
    commitLater(first, () => done.push('first'));
    deliver();
    expect(done).toEqual([]);
    disk.setFreeBytes(Infinity);
    expect(retry(second)).toBe(true);
    deliver();
    expect(done).toEqual(['first']);
    expect(logTurn(first, first.shards, 2)).toBe(true);
    expect(loggedKeys(readLog(disk))).toEqual(['a']);
  });

  it('has its replies wait for an earlier block of another stream although its own is written', () => {
    const { writers, disk, deliver } = createLogWorld({ streams: 2 });
    const [first, second] = writers;
    disk.setFreeBytes(0);
    expect(setInTurn(second, 'early', 1)).toBe(false);
    disk.setFreeBytes(Infinity);
    expect(setInTurn(first, 'late')).toBe(false);
    const done: string[] = [];
    commitLater(first, () => done.push('late'));
    expect(readLog(disk).map(({ block }) => block)).toEqual([2]);
    expect(done).toEqual([]);
    retry(second);
    deliver();
    expect(done).toEqual(['late']);
    expect(loggedKeys(readLog(disk))).toEqual(['early', 'late']);
  });
});

describe('a full disk', () => {
  it('leaves no part of the block behind, and the log says so', () => {
    const { writers, disk, told } = createFullDisk();
    const [writer] = writers;
    expect(told).toEqual(['0: write ENOSPC']);
    expect(isLogTroubled(writer.board)).toBe(true);
    expect(isLogBroken(writer.board)).toBe(false);
    expect(numberOf(writer, LOG_WRITES_FAILED)).toBe(1);
    expect(loggedKeys(readLog(disk))).toEqual(['a']);
  });

  it('loses nothing and keeps the order, once there is room again', () => {
    const { writers, disk, told } = createFullDisk();
    const [writer] = writers;
    const done: string[] = [];
    commitLater(writer, () => done.push('b'));
    expect(setInTurn(writer, 'c', 1)).toBe(false);
    commitLater(writer, () => done.push('c'));
    expect(retry(writer)).toBe(false);
    expect(told).toEqual(['0: write ENOSPC']);
    expect(done).toEqual([]);
    disk.setFreeBytes(Infinity);
    expect(retry(writer)).toBe(true);
    expect(told).toEqual(['0: write ENOSPC', '0: healthy']);
    expect(done).toEqual(['b', 'c']);
    expect(isLogTroubled(writer.board)).toBe(false);
    expect(setInTurn(writer, 'd')).toBe(true);
    const blocks = readLog(disk);
    expect(loggedKeys(blocks)).toEqual(['a', 'b', 'c', 'd']);
    expect(blocks.map(({ block }) => block)).toEqual([1, 2, 3, 4]);
  });

  it('that fills up again on the retry keeps what waits', () => {
    const { writers, disk } = createFullDisk();
    const [writer] = writers;
    const done: string[] = [];
    setInTurn(writer, 'c');
    commitLater(writer, () => done.push('c'));
    // Room for the block that waits, not for the records behind it.
    disk.setFreeBytes(150);
    expect(retry(writer)).toBe(false);
    expect(done).toEqual([]);
    disk.setFreeBytes(Infinity);
    expect(retry(writer)).toBe(true);
    expect(done).toEqual(['c']);
    expect(loggedKeys(readLog(disk))).toEqual(['a', 'b', 'c']);
  });

  it('breaks the log when the part that was written cannot be cut off', () => {
    const world = createLogWorld();
    const [writer] = world.writers;
    setInTurn(writer, 'a');
    world.disk.setFreeBytes(60);
    world.disk.failNext('truncate');
    expect(setInTurn(writer, 'b')).toBe(false);
    expect(world.told).toEqual(['0: truncate EIO']);
    expect(isLogBroken(writer.board)).toBe(true);
    world.disk.setFreeBytes(Infinity);
    expect(retry(writer)).toBe(false);
  });
});

describe('a broken log', () => {
  it('writes nothing until it was rebased, and then lets go what waited', () => {
    const { writers, disk, nextSegment } = createLogWorld({ streams: 2 });
    const [first, second] = writers;
    setInTurn(first, 'a');
    set(second.shards[1], 'lost', 'v');
    drainShards(second, second.shards, 2);
    expect(abandonStream(second.board, 1, second.threadId)).toBe(true);
    expect(setInTurn(first, 'b')).toBe(false);
    const done: string[] = [];
    commitLater(first, () => done.push('b'));
    expect(loggedKeys(readLog(disk))).toEqual(['a']);
    resetAfterRebase(first, nextSegment(0, 2));
    resetAfterRebase(second, nextSegment(1, 2));
    expect(setInTurn(first, 'c')).toBe(false);
    expect(done).toEqual([]);
    mendLog(first.board);
    expect(retry(first)).toBe(true);
    expect(retry(second)).toBe(true);
    expect(done).toEqual(['b']);
    expect(isLogTroubled(first.board)).toBe(false);
    expect(setInTurn(second, 'd')).toBe(true);
    const after = [...readSegment(disk, first.segment.path), ...readSegment(disk, second.segment.path)];
    expect(loggedKeys(after)).toEqual(['b', 'c', 'd']);
    expect(after.map(({ block }) => block)).toEqual([3, 4]);
  });

  it('forgets a block that could not be written', () => {
    const { writers, disk, nextSegment } = createFullDisk();
    const [writer] = writers;
    disk.setFreeBytes(Infinity);
    disk.loseFolder('worker-000');
    abandonStream(writer.board, 0, writer.threadId);
    resetAfterRebase(writer, nextSegment(0, 2));
    mendLog(writer.board);
    expect(isLogTroubled(writer.board)).toBe(false);
    expect(retry(writer)).toBe(true);
    expect(setInTurn(writer, 'c')).toBe(true);
    expect(loggedKeys(readLog(disk))).toEqual(['c']);
  });
});

describe('rotation', () => {
  it('needs a segment, is done between two blocks, and syncs the segment that is left', () => {
    const { writers, disk, nextSegment } = createLogWorld();
    const [writer] = writers;
    setInTurn(writer, 'a');
    expect(rotate(writer)).toBe(false);
    offerSegment(writer, nextSegment(0));
    expect(rotate(writer)).toBe(true);
    setInTurn(writer, 'b');
    expect(loggedKeys(readSegment(disk, 'worker-000/wal-000000000001.log'))).toEqual(['a']);
    expect(loggedKeys(readSegment(disk, 'worker-000/wal-000000000002.log'))).toEqual(['b']);
    expect(disk.pump()).toBe(1);
    expect(writer.syncedBlock).toBe(1);
    expect(writer.retired).toEqual([]);
  });

  it('waits while a block cannot be written', () => {
    const { writers, disk, nextSegment } = createFullDisk();
    const [writer] = writers;
    disk.setFreeBytes(4096);
    offerSegment(writer, nextSegment(0));
    expect(rotate(writer)).toBe(false);
    disk.setFreeBytes(Infinity);
    retry(writer);
    expect(rotate(writer)).toBe(true);
  });

  it('asks once for a next segment ahead of time, and begins it when the current one is full', () => {
    const { writers, told, nextSegment } = createLogWorld();
    const [writer] = writers;
    const full = writer.segment;
    // Of a full segment only the place of the next block matters; the disk need not hold so much.
    writer.storage.write = () => undefined;
    full.bytes = LOG_SEGMENT_PREPARE_BYTES - 8;
    setInTurn(writer, 'a');
    setInTurn(writer, 'b');
    expect(told).toEqual(['0: want segment']);
    full.bytes = LOG_SEGMENT_BYTES_MAX - 8;
    setInTurn(writer, 'c');
    expect(writer.segment).toBe(full);
    offerSegment(writer, nextSegment(0));
    setInTurn(writer, 'd');
    expect(writer.segment.sequence).toBe(2);
    expect(writer.retired.map(({ segment, block }) => [segment, block])).toEqual([[full, 3]]);
    expect(told).toEqual(['0: want segment']);
  });
});
