/** In-process cases of snapshots: a million entries to a file and back, on one thread and on two. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { MessageChannel, Worker } from 'node:worker_threads';
import { systemClock } from '../../src/base/clock.ts';
import { KEYS_LIVE } from '../../src/shard/layout.ts';
import { openShard, type ShardBuffers } from '../../src/shard/shard.ts';
import { type Deck, setKey } from './cache-operations.ts';
import type { Case, Workload } from './measure.ts';
import { doSnapshotDeed } from './snapshot-deeds.ts';
import {
  SNAPSHOT_FINISHED,
  SNAPSHOT_ROUND,
  SNAPSHOT_ROUND_LAST,
  SNAPSHOT_SIGNAL_WORDS,
  type SnapshotDeed,
} from './snapshot-memory.ts';
import { createBenchShards, createBenchSlotTable, shortKeys, shuffledOrder } from './workload-data.ts';

const ENTRIES = 1_000_000;
const VALUE = Buffer.from('value-0123');
const ALL_BYTES = 256 * 2 ** 20;
const ROUND_MS_MAX = 60_000;

const SAVING = 'slices under the lock, checksums, written aside, synced, renamed, folder synced';
const LOADING = 'checksums, every image checked, memory limit, index, LSN, deadlines, exact LRU; fresh pages';

export const SNAPSHOT_CASES: readonly Case[] = [
  {
    name: 'Snapshot save',
    data: '1M keys of 8 B, values 10 B, one shard, to the temporary folder',
    adds: SAVING,
    create: () => snapshotWorkload(1, true),
  },
  {
    name: 'Snapshot save, two threads',
    data: 'the same in two shards, a thread each',
    adds: SAVING,
    create: () => snapshotWorkload(2, true),
  },
  {
    name: 'Snapshot load',
    data: 'the same file into an empty shard',
    adds: LOADING,
    create: () => snapshotWorkload(1, false),
  },
  {
    name: 'Snapshot load, two threads',
    data: 'two files into two empty shards, a thread each',
    adds: LOADING,
    create: () => snapshotWorkload(2, false),
  },
];

function snapshotWorkload(count: number, isSave: boolean): Workload {
  const folder = mkdtempSync(join(tmpdir(), 'distcache-bench-'));
  const slotShard = createBenchSlotTable(count);
  const slotTable = slotShard.buffer as SharedArrayBuffer;
  const full = createFullShards(count, slotShard);
  const deeds = (shards: ShardBuffers[], saves: boolean): SnapshotDeed[] =>
    shards.map((_, shard) => ({ isSave: saves, shards, slotTable, folder, shard }));
  for (const deed of deeds(full, true)) doSnapshotDeed(deed);
  const team = count === 1 ? undefined : createTeam(count);
  let shards = full;
  const renew = (): void => {
    if (!isSave) shards = createBenchShards(count, ALL_BYTES / count);
  };
  return {
    before: renew,
    run: () => {
      if (team === undefined) doSnapshotDeed(deeds(shards, isSave)[0]);
      else team.run(deeds(shards, isSave));
      return entriesOf(shards);
    },
    close: async () => {
      await team?.end();
      rmSync(folder, { recursive: true });
    },
  };
}

function createFullShards(count: number, slotShard: Uint16Array): ShardBuffers[] {
  const buffers = createBenchShards(count, ALL_BYTES / count);
  const deck: Deck = {
    shards: buffers.map((own, index) => openShard(own, index, 1, systemClock)),
    slotShard,
  };
  const { bytes, starts } = shortKeys(ENTRIES);
  for (const key of shuffledOrder(ENTRIES)) {
    if (!setKey(deck, bytes, starts[key], starts[key + 1], VALUE, systemClock.wallMs()))
      throw new Error('a SET found no room');
  }
  return buffers;
}

function entriesOf(shards: readonly ShardBuffers[]): number {
  const sum = shards.reduce((keys, { control }) => keys + new Int32Array(control)[KEYS_LIVE], 0);
  if (sum !== ENTRIES) throw new Error(`${sum} entries of ${ENTRIES}`);
  return sum;
}

/** Threads that do one deed each in a round, and are waited for. */
function createTeam(count: number): {
  run: (deeds: readonly SnapshotDeed[]) => void;
  end: () => Promise<void>;
} {
  const signal = new Int32Array(new SharedArrayBuffer(SNAPSHOT_SIGNAL_WORDS * Int32Array.BYTES_PER_ELEMENT));
  const threads = Array.from({ length: count }, () => {
    const { port1, port2 } = new MessageChannel();
    const workerData = { signal: signal.buffer, port: port2 };
    const entry = new URL('./snapshot-thread.ts', import.meta.url);
    return { port: port1, worker: new Worker(entry, { workerData, transferList: [port2] }) };
  });
  return {
    run: (deeds) => {
      for (const [index, { port }] of threads.entries()) port.postMessage(deeds[index]);
      Atomics.store(signal, SNAPSHOT_FINISHED, 0);
      Atomics.add(signal, SNAPSHOT_ROUND, 1);
      Atomics.notify(signal, SNAPSHOT_ROUND);
      for (let done = 0; done < count; done = Atomics.load(signal, SNAPSHOT_FINISHED)) {
        if (Atomics.wait(signal, SNAPSHOT_FINISHED, done, ROUND_MS_MAX) === 'timed-out')
          throw new Error('a thread did not finish');
      }
    },
    end: async () => {
      Atomics.store(signal, SNAPSHOT_ROUND, SNAPSHOT_ROUND_LAST);
      Atomics.notify(signal, SNAPSHOT_ROUND);
      for (const { port } of threads) port.close();
      await Promise.all(threads.map(({ worker }) => worker.terminate()));
    },
  };
}
