/**
 * Snapshots as jobs: each function takes one record that can be sent to a thread, and answers one. Which thread runs it,
 * and how it naps, is the caller's.
 *
 * Runs on a thread of the job pool. A job that takes a shard's lock does so under the thread id in its request, which no other
 * thread has at that time: if its thread dies, whoever asked for it frees the lock (shard/recover.ts).
 */
import type { Clock } from '../base/clock.ts';
import { openShard, type ShardBuffers } from '../shard/shard.ts';
import { type LoadOutcome, loadSnapshot, orderShard } from './snapshot-loader.ts';
import { type VerifyOutcome, verifySnapshot } from './snapshot-reader.ts';
import { type SnapshotOutcome, type SnapshotPlan, writeSnapshot } from './snapshot-writer.ts';
import { createDiskStorage } from './storage.ts';

/** Float64 numbers in shared memory: what a job has done so far, and whether it is to stop (not 0). */
export const JOB_ENTRIES = 0;
export const JOB_BYTES = 1;
export const JOB_CALLED_OFF = 2;
const JOB_NUMBERS = 3;

export type SnapshotShardRequest = {
  readonly buffers: ShardBuffers;
  readonly shard: number;
  readonly threadId: number;
  readonly plan: SnapshotPlan;
  /** Of one processor, above 0 up to 1. */
  readonly share: number;
  readonly progress: SharedArrayBuffer;
};

export type VerifySnapshotRequest = { readonly path: string };

export type LoadSnapshotRequest = {
  readonly path: string;
  readonly buffers: readonly ShardBuffers[];
  readonly slotTable: SharedArrayBuffer;
  /** Whether a log will be replayed over it that tells of what happened while it was taken. */
  readonly hasLog: boolean;
  readonly threadId: number;
  readonly progress: SharedArrayBuffer;
};

export type OrderShardRequest = {
  readonly buffers: ShardBuffers;
  readonly shard: number;
  readonly threadId: number;
};

/** Memory for the progress of one job; all zero. */
export function createJobProgress(): SharedArrayBuffer {
  return new SharedArrayBuffer(JOB_NUMBERS * Float64Array.BYTES_PER_ELEMENT);
}

/** Writes the snapshot of one shard. `pace` is called between its slices. */
export function snapshotShardJob(
  request: SnapshotShardRequest,
  clock: Clock,
  pace: () => void,
): SnapshotOutcome {
  const numbers = new Float64Array(request.progress);
  const shard = openShard(request.buffers, request.shard, request.threadId, clock);
  return writeSnapshot(createDiskStorage(), shard, request.plan, {
    pause: () => {
      pace();
      return numbers[JOB_CALLED_OFF] === 0;
    },
    progress: (entries, bytes) => writeProgress(numbers, entries, bytes),
  });
}

/** Reads a whole file and checks everything in it. */
export function verifySnapshotJob(request: VerifySnapshotRequest): VerifyOutcome {
  return verifySnapshot(createDiskStorage(), request.path);
}

/** Loads one file into the shards. Where it says that they are not ordered, `orderShardJob` follows for each shard. */
export function loadSnapshotJob(request: LoadSnapshotRequest, clock: Clock): LoadOutcome {
  const numbers = new Float64Array(request.progress);
  return loadSnapshot(createDiskStorage(), request.path, {
    shards: request.buffers.map((buffers, index) => openShard(buffers, index, request.threadId, clock)),
    slotShard: new Uint16Array(request.slotTable),
    nowMs: clock.wallMs(),
    hasLog: request.hasLog,
    progress: (entries, bytes) => {
      writeProgress(numbers, entries, bytes);
      return numbers[JOB_CALLED_OFF] === 0;
    },
  });
}

/** Puts a shard's entries into the order of their use. */
export function orderShardJob(request: OrderShardRequest, clock: Clock): void {
  orderShard(openShard(request.buffers, request.shard, request.threadId, clock), clock.wallMs());
}

function writeProgress(numbers: Float64Array, entries: number, bytes: number): void {
  numbers[JOB_ENTRIES] = entries;
  numbers[JOB_BYTES] = bytes;
}
