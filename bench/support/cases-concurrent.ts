/** The in-process case of many threads on one set of shards. */
import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';
import {
  CONCURRENT_OPERATIONS,
  CONCURRENT_THREADS,
  type ConcurrentBoot,
  FINISHED,
  ROUND,
  ROUND_LAST,
  SIGNAL_WORDS,
} from './concurrent-memory.ts';
import type { Case, Workload } from './measure.ts';
import { createBenchShards, createBenchSlotTable } from './workload-data.ts';

const SHARD_BYTES = 32 * 2 ** 20;
/** A round takes a fraction of a second; a thread that died never finishes it. */
const ROUND_MS_MAX = 60_000;

export const CONCURRENT_CASES: readonly Case[] = [
  {
    name: 'Concurrent ops',
    data: '8 threads, a third each SET, GET, DEL, 200k in all, 100k keys of 8 B',
    adds: 'a shard per core, a lock per shard, all that Cache SET and GET do; waking the threads',
    create: concurrentWorkload,
  },
];

function concurrentWorkload(): Workload {
  const signal = new Int32Array(new SharedArrayBuffer(SIGNAL_WORDS * Int32Array.BYTES_PER_ELEMENT));
  const count = availableParallelism();
  const shards = createBenchShards(count, SHARD_BYTES);
  const slotShard = createBenchSlotTable(count);
  const threads = Array.from({ length: CONCURRENT_THREADS }, (_, threadIndex) => {
    const boot: ConcurrentBoot = {
      threadIndex,
      signal: signal.buffer as SharedArrayBuffer,
      shards,
      slotShard,
    };
    return new Worker(new URL('./concurrent-thread.ts', import.meta.url), { workerData: boot });
  });
  return {
    run: () => {
      runRound(signal);
      return CONCURRENT_OPERATIONS;
    },
    close: async () => {
      Atomics.store(signal, ROUND, ROUND_LAST);
      Atomics.notify(signal, ROUND);
      await Promise.all(threads.map((thread) => thread.terminate()));
    },
  };
}

function runRound(signal: Int32Array): void {
  Atomics.store(signal, FINISHED, 0);
  Atomics.add(signal, ROUND, 1);
  Atomics.notify(signal, ROUND);
  for (let finished = 0; finished < CONCURRENT_THREADS; finished = Atomics.load(signal, FINISHED)) {
    if (Atomics.wait(signal, FINISHED, finished, ROUND_MS_MAX) === 'timed-out')
      throw new Error('a thread did not finish');
  }
}
