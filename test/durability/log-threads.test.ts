/** Real threads that change the same shards and each write their own stream: order, groups, and a thread that dies. */
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import {
  abandonStream,
  createLogBoardBuffer,
  isLogBroken,
  nextBlockNumber,
  openLogBoard,
} from '../../src/durability/log-board.ts';
import { createDiskStorage } from '../../src/durability/storage.ts';
import { KEYS_LIVE } from '../../src/shard/layout.ts';
import type { LogErrand } from '../support/log-thread.ts';
import {
  createJournaledShards,
  type LoggedBlock,
  openShards,
  readLog,
  readSegment,
  storageIn,
} from '../support/log-world.ts';
import { expectWhole } from '../support/shard.ts';

const ENTRY = new URL('../support/log-thread.ts', import.meta.url);
const MAIN = 1;
const FIRST_WORKER = 2;
const PATIENCE = { timeout: 20_000, interval: 5 };

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'distcache-log-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

type World = Pick<LogErrand, 'shards' | 'board' | 'streams' | 'witness'>;

function createWorld(streams: number, shards: number): World {
  return {
    shards: createJournaledShards(shards),
    board: createLogBoardBuffer(streams, 1),
    streams,
    witness: new Int32Array(new SharedArrayBuffer(12)),
  };
}

function startThread(world: World, stream: number, turns: number, hangsInWrite = 0): Worker {
  const threadId = FIRST_WORKER + stream;
  const errand: LogErrand = { ...world, stream, threadId, folder, turns, hangsInWrite };
  return new Worker(ENTRY, { workerData: errand });
}

/** Blocks without a gap; each shard's LSNs without a gap, in the order of the blocks; groups whole. Answers the records. */
function expectOrder(blocks: readonly LoggedBlock[], shards: number): number {
  expect(blocks.map(({ block }) => block)).toEqual(blocks.map((_, index) => index + 1));
  const lsns = Array.from({ length: shards }, () => 0);
  let records = 0;
  let gaps = 0;
  let halves = 0;
  for (const { chunks } of blocks) {
    const groups = new Map<string, number>();
    for (const chunk of chunks) {
      for (const { lsn, key } of chunk.records) {
        records += 1;
        if (lsn !== lsns[chunk.shard] + 1) gaps += 1;
        lsns[chunk.shard] = lsn;
        if (key.startsWith('group')) groups.set(key, (groups.get(key) ?? 0) + 1);
      }
    }
    halves += [...groups.values()].filter((count) => count !== 2).length;
  }
  expect({ gaps, halves }).toEqual({ gaps: 0, halves: 0 });
  return records;
}

describe('the log of several threads', () => {
  it.each([
    ['concurrent writes of four threads', 4, 1000, 2],
    ['two threads for about a second', 2, 20_000, 4],
  ])('%s: all is there, in order, and no group is split', async (_, threads, turns, shards) => {
    const world = createWorld(threads, shards);
    const workers = Array.from({ length: threads }, (_unused, stream) => startThread(world, stream, turns));
    await Promise.all(workers.map((worker) => once(worker, 'exit')));
    expect(world.witness[1]).toBe(0);
    const records = expectOrder(readLog(storageIn(folder, createDiskStorage())), shards);
    const views = openShards(world.shards, MAIN);
    for (const shard of views) expectWhole(shard);
    expect(records).toBe(views.reduce((sum, shard) => sum + shard.control[KEYS_LIVE], 0));
    expect(records).toBeGreaterThan(threads * turns);
  });

  it('a thread that dies between its drain and its write breaks the log, and those that wait for its block are held up', async () => {
    const world = createWorld(2, 2);
    const board = openLogBoard(world.board, 2);
    const dying = startThread(world, 0, 1000, 12);
    await vi.waitFor(() => expect(Atomics.load(world.witness, 0)).toBe(1), PATIENCE);
    const hanging = nextBlockNumber(board) - 1;
    const waiting = startThread(world, 1, 1000);
    const ended = once(waiting, 'exit');
    await vi.waitFor(() => expect(nextBlockNumber(board)).toBeGreaterThan(hanging + 1), PATIENCE);
    await dying.terminate();
    expect(Atomics.load(world.witness, 1)).toBe(0);
    expect(abandonStream(board, 0, FIRST_WORKER)).toBe(true);
    await ended;
    expect(isLogBroken(board)).toBe(true);
    expect(Atomics.load(world.witness, 1)).toBe(1);
    const disk = storageIn(folder, createDiskStorage());
    expect(readSegment(disk, 'worker-000/wal-000000000001.log').map(({ block }) => block)).toEqual(
      Array.from({ length: hanging - 1 }, (_, index) => index + 1),
    );
    expect(readSegment(disk, 'worker-001/wal-000000000001.log').map(({ block }) => block)).toEqual([
      hanging + 1,
    ]);
  });

  it('a thread that dies between two turns leaves the others alone', async () => {
    const world = createWorld(2, 2);
    const board = openLogBoard(world.board, 2);
    await once(startThread(world, 0, 100), 'exit');
    expect(abandonStream(board, 0, FIRST_WORKER)).toBe(false);
    await once(startThread(world, 1, 100), 'exit');
    expect(isLogBroken(board)).toBe(false);
    expect(expectOrder(readLog(storageIn(folder, createDiskStorage())), 2)).toBeGreaterThan(200);
  });
});
