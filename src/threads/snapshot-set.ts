/**
 * One snapshot set: a file for each shard, written by jobs in parallel and read back by them.
 *
 * Main thread. The files count only once the manifest lists them (durability/disk-state.ts).
 */
import { removeSet } from '../durability/disk-state.ts';
import { snapshotPath } from '../durability/file-names.ts';
import type { SnapshotSet } from '../durability/manifest.ts';
import { createJobProgress, JOB_CALLED_OFF, JOB_ENTRIES } from '../durability/snapshot-jobs.ts';
import { ringOf } from '../durability/snapshot-loader.ts';
import type { VerifyOutcome } from '../durability/snapshot-reader.ts';
import type { SnapshotOutcome } from '../durability/snapshot-writer.ts';
import {
  LOG_BYTES_AT_SNAPSHOT,
  SNAPSHOT_BYTES,
  SNAPSHOT_ENTRIES_DONE,
  SNAPSHOT_ENTRIES_TOTAL,
  SNAPSHOT_LAST_FAILED,
  SNAPSHOT_LAST_MS,
  SNAPSHOT_LSNS,
} from '../metrics/persistence.ts';
import { GATE_SNAPSHOT, openGate } from '../resilience/gate.ts';
import { KEYS_LIVE } from '../shard/layout.ts';
import { recoverAfterDeath } from '../shard/recover.ts';
import { threadIdOfJob } from './boot.ts';
import { runJob } from './jobs.ts';
import type { Persistence } from './persistence.ts';

export type SetRequest = {
  readonly set: number;
  readonly epoch: number;
  /** Of one processor for each job, up to 1. */
  readonly share: number;
};

export type WrittenSet = { readonly startedAtMs: number; readonly files: SnapshotSet['files'] };

/** Writes all files of a set. Throws an Error that says what went wrong, and leaves no file then. */
export async function writeSnapshotSet(persistence: Persistence, request: SetRequest): Promise<WrittenSet> {
  const { boot, clock, slotShard, numbers, state } = persistence;
  const { set, epoch, share } = request;
  const startedAtMs = clock.wallMs();
  const shards = boot.shardBuffers.length;
  const ring = ringOf(slotShard);
  const jobs = boot.shardBuffers.map((buffers, shard) => {
    const progress = createJobProgress();
    const plan = { path: snapshotPath(shard, set), shards, ring, epoch, set, createdMs: startedAtMs };
    const threadId = threadIdOfJob(shard);
    const outcome = runJob<SnapshotOutcome>(persistence.jobs, 'snapshotShard', {
      ...{ buffers, shard, threadId, plan, share, progress },
    });
    return { outcome, progress: new Float64Array(progress) };
  });
  numbers[SNAPSHOT_ENTRIES_TOTAL] = persistence.shards.reduce(
    (sum, { control }) => sum + control[KEYS_LIVE],
    0,
  );
  const timer = setInterval(() => {
    numbers[SNAPSHOT_ENTRIES_DONE] = jobs.reduce((sum, { progress }) => sum + progress[JOB_ENTRIES], 0);
    if (persistence.stopping) for (const { progress } of jobs) progress[JOB_CALLED_OFF] = 1;
  }, PROGRESS_MS);
  timer.unref();
  try {
    const files = await Promise.all(jobs.map(({ outcome }, shard) => fileOf(shard, outcome)));
    return { startedAtMs, files };
  } catch (error) {
    await Promise.allSettled(jobs.map(({ outcome }) => outcome));
    freeLocks(persistence);
    removeSet(state, set, shards);
    throw error;
  } finally {
    clearInterval(timer);
  }
}

/** The set as the manifest will list it. */
export function endOfSet(
  { boot, clock }: Persistence,
  { startedAtMs, files }: WrittenSet,
  where: { set: number; epoch: number; cut: SnapshotSet['cut']; firstBlock: number },
): SnapshotSet {
  const shards = boot.shardBuffers.length;
  return { ...where, shards, startedAtMs, finishedAtMs: clock.wallMs(), files, verified: false };
}

/** Where everything stood when a set was begun. */
export type SetBegin = { readonly lsns: number; readonly logBytes: number };

/**
 * The set is the newest from now on; the log has come to `logBytes` bytes meanwhile. Whatever it was taken for, it makes up for one
 * that failed before: nothing is refused on account of that any more.
 */
export function noteSnapshot(
  persistence: Persistence,
  set: SnapshotSet,
  begun: SetBegin,
  logBytes: number,
): void {
  const { numbers, gate } = persistence;
  persistence.logBytesBase = begun.logBytes;
  numbers[LOG_BYTES_AT_SNAPSHOT] = logBytes - begun.logBytes;
  numbers[SNAPSHOT_LSNS] = begun.lsns;
  numbers[SNAPSHOT_BYTES] = bytesOfSet(set);
  numbers[SNAPSHOT_LAST_MS] = set.finishedAtMs;
  numbers[SNAPSHOT_LAST_FAILED] = 0;
  openGate(gate, GATE_SNAPSHOT);
}

export function bytesOfSet({ files }: SnapshotSet): number {
  return files.reduce((sum, { bytes }) => sum + bytes, 0);
}

/** Reads all files of a set back; what is wrong with the first that is not good, or undefined. */
export async function verifySet(persistence: Persistence, set: SnapshotSet): Promise<string | undefined> {
  const outcomes = await Promise.all(
    set.files.map(({ shard }) =>
      runJob<VerifyOutcome>(persistence.jobs, 'verifySnapshot', { path: snapshotPath(shard, set.set) }),
    ),
  );
  for (const outcome of outcomes) {
    if (!outcome.ok) return outcome.reason;
    if (!outcome.result.ok) return outcome.result.text;
  }
  return undefined;
}

const PROGRESS_MS = 100;

/** A job's thread may have died with a shard in its hands. */
function freeLocks({ boot, shards, clock, log }: Persistence): void {
  for (let index = 0; index < boot.shardBuffers.length; index += 1) {
    for (const repair of recoverAfterDeath(shards, threadIdOfJob(index), clock.wallMs())) log.warning(repair);
  }
}

async function fileOf(
  shard: number,
  job: ReturnType<typeof runJob<SnapshotOutcome>>,
): Promise<SnapshotSet['files'][number]> {
  const outcome = await job;
  if (!outcome.ok) throw new Error(outcome.reason);
  if (!outcome.result.ok) throw new Error(outcome.result.text);
  const { startLsn, endLsn, entries, bytes } = outcome.result;
  return { shard, startLsn, endLsn, entries, bytes };
}
