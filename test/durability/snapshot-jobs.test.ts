/** The snapshot jobs on real threads of a pool, with the real disk. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { PLACES } from '../../src/base/places.ts';
import type { JobOutcome } from '../../src/commands/engine.ts';
import { WORKERS_MAX } from '../../src/config/limits.ts';
import {
  createJobProgress,
  JOB_BYTES,
  JOB_CALLED_OFF,
  JOB_ENTRIES,
  type LoadSnapshotRequest,
  type OrderShardRequest,
  type SnapshotShardRequest,
  type VerifySnapshotRequest,
} from '../../src/durability/snapshot-jobs.ts';
import { type LoadOutcome, ringOf } from '../../src/durability/snapshot-loader.ts';
import type { VerifyOutcome } from '../../src/durability/snapshot-reader.ts';
import type { SnapshotOutcome } from '../../src/durability/snapshot-writer.ts';
import { putString } from '../../src/shard/keyspace.ts';
import { KEYS_LIVE } from '../../src/shard/layout.ts';
import { holderOf } from '../../src/shard/lock.ts';
import { createShardBuffers, formatShard, openShard, type ShardBuffers } from '../../src/shard/shard.ts';
import { threadIdOfJob, threadIdOfWorker } from '../../src/threads/boot.ts';
import { createJobs, type Jobs, longJobThreads, runJob, stopJobs } from '../../src/threads/jobs.ts';
import { createSlotTable } from '../../src/threads/shards.ts';
import { expectWhole, START_MS, stillClock } from '../support/shard.ts';

const ENTRIES = 20_000;
const SHARDS = 2;

let folder = '';
let jobs: Jobs;
let errors: unknown[] = [];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'distcache-test-'));
  errors = [];
  const log = { error: (_: string, error: unknown) => void errors.push(error) };
  jobs = createJobs({ entry: PLACES.workerEntry('job'), threadsMax: longJobThreads(), waitingMax: 64, log });
});

afterEach(async () => {
  await stopJobs(jobs, 1000);
  rmSync(folder, { recursive: true });
  expect(errors).toEqual([]);
});

function createShard(index: number): ShardBuffers {
  const buffers = createShardBuffers({
    capacityBytes: 8 * 2 ** 20,
    limitBytes: 8 * 2 ** 20,
    keysMax: 0,
    policy: 1,
    databases: 2,
    lfuLogFactor: 10,
    lfuDecayMinutes: 1,
    holdSampling: 64,
    hashKey: [index, 7],
    seed: 1,
    nowMs: START_MS,
  });
  formatShard(openShard(buffers, index, 1, stillClock), START_MS);
  return buffers;
}

const open = (buffers: ShardBuffers, index: number) => openShard(buffers, index, 1, stillClock);

function requestFor(buffers: ShardBuffers, shard: number): SnapshotShardRequest {
  const ring = ringOf(new Uint16Array(createSlotTable(SHARDS)));
  const path = join(folder, `shard-${shard}`, 'one.snap');
  const plan = { path, shards: SHARDS, ring, epoch: 1, set: 1, createdMs: START_MS };
  return { buffers, shard, threadId: threadIdOfJob(shard), plan, share: 0.5, progress: createJobProgress() };
}

async function done<Result>(name: string, request: object): Promise<Result> {
  const outcome: JobOutcome<Result> = await runJob(jobs, name, request);
  if (!outcome.ok) throw new Error(outcome.reason);
  return outcome.result;
}

it('save, verify and load shards side by side, and tell how far they are', async () => {
  const full = Array.from({ length: SHARDS }, (_, index) => createShard(index));
  for (const [index, buffers] of full.entries()) {
    const shard = open(buffers, index);
    for (let i = 0; i < ENTRIES; i += 1) {
      const key = Buffer.from(`${index}:${i}`);
      putString(shard, i % 2, key, 0, key.length, key, 0, key.length, 0, START_MS);
    }
  }
  const requests = full.map(requestFor);
  const saved = await Promise.all(requests.map((request) => done<SnapshotOutcome>('snapshotShard', request)));
  expect(saved).toMatchObject([
    { ok: true, entries: ENTRIES },
    { ok: true, entries: ENTRIES },
  ]);
  for (const { progress } of requests) {
    expect(new Float64Array(progress)[JOB_ENTRIES]).toBe(ENTRIES);
    expect(new Float64Array(progress)[JOB_BYTES]).toBeGreaterThan(ENTRIES * 40);
  }
  const paths = requests.map(({ plan }) => plan.path);
  for (const path of paths) {
    const request: VerifySnapshotRequest = { path };
    expect(await done<VerifyOutcome>('verifySnapshot', request)).toMatchObject({
      ok: true,
      entries: ENTRIES,
    });
  }
  for (const count of [SHARDS, 1]) {
    const empty = Array.from({ length: count }, (_, index) => createShard(index + 5));
    const loads = paths.map((path, index): LoadSnapshotRequest => {
      const common = { threadId: threadIdOfJob(index), progress: createJobProgress() };
      return { ...common, path, buffers: empty, slotTable: createSlotTable(count), hasLog: false };
    });
    const loaded = await Promise.all(loads.map((request) => done<LoadOutcome>('loadSnapshot', request)));
    const expected = { ok: true, entries: ENTRIES, isOrdered: count === SHARDS };
    expect(loaded).toMatchObject([expected, expected]);
    for (const [index, buffers] of empty.entries()) {
      const request: OrderShardRequest = { buffers, shard: index, threadId: threadIdOfJob(0) };
      await done<undefined>('orderShard', request);
      expect(holderOf(open(buffers, index))).toBe(0);
      expect(open(buffers, index).control[KEYS_LIVE]).toBe((ENTRIES * SHARDS) / count);
      expectWhole(open(buffers, index));
    }
  }
});

it('are called off through shared memory', async () => {
  const request = requestFor(createShard(0), 0);
  new Float64Array(request.progress)[JOB_CALLED_OFF] = 1;
  expect(await done('snapshotShard', request)).toEqual({ ok: false, text: 'the snapshot was called off' });
});

it('have thread ids of their own', () => {
  expect(threadIdOfJob(0)).toBe(threadIdOfWorker(WORKERS_MAX - 1) + 1);
  expect(threadIdOfJob(1)).toBe(threadIdOfJob(0) + 1);
});
