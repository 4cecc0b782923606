/**
 * The jobs of a load: on the threads of the pool, or right here where there is so little to load that a thread would take
 * longer to start than its job.
 *
 * Main thread.
 */
import { systemClock } from '../base/clock.ts';
import { StartError } from '../base/errors.ts';
import { LOAD_HERE_BYTES_MAX } from '../config/limits.ts';
import { listedFiles } from '../durability/disk-state.ts';
import { type ReplayLogRequest, replayLogJob, scanLogJob } from '../durability/recovery-jobs.ts';
import {
  type LoadSnapshotRequest,
  loadSnapshotJob,
  type OrderShardRequest,
  orderShardJob,
  verifySnapshotJob,
} from '../durability/snapshot-jobs.ts';
import { longJobThreads, runJob } from './jobs.ts';
import type { Persistence } from './persistence.ts';

const LOAD_JOBS = {
  verifySnapshot: verifySnapshotJob,
  scanLog: scanLogJob,
  loadSnapshot: (request: LoadSnapshotRequest) => loadSnapshotJob(request, systemClock),
  orderShard: (request: OrderShardRequest) => orderShardJob(request, systemClock),
  replayLog: (request: ReplayLogRequest) => replayLogJob(request, systemClock),
};

type LoadJobs = typeof LOAD_JOBS;

/** Decides where the next load runs. Throws system errors. */
export function chooseLoadThreads(persistence: Persistence): void {
  persistence.loadsHere = dataBytes(persistence) <= LOAD_HERE_BYTES_MAX;
}

/** How many parts of one job are worth while. */
export function loadParts({ loadsHere }: Persistence): number {
  return loadsHere ? 1 : longJobThreads();
}

/** Runs a job and answers its result. Throws a StartError where the pool cannot, and here what the job throws. */
export async function runLoadJob<Name extends keyof LoadJobs>(
  { loadsHere, jobs }: Persistence,
  name: Name,
  input: Parameters<LoadJobs[Name]>[0],
): Promise<ReturnType<LoadJobs[Name]>> {
  if (loadsHere) {
    const job = LOAD_JOBS[name] as (input: unknown) => unknown;
    return job(input) as ReturnType<LoadJobs[Name]>;
  }
  const outcome = await runJob<ReturnType<LoadJobs[Name]>>(jobs, name, input);
  if (!outcome.ok) throw new StartError(`loading: ${outcome.reason}`, 1);
  return outcome.result;
}

function dataBytes({ state: { storage, manifest } }: Persistence): number {
  let bytes = 0;
  for (const path of listedFiles(manifest)) {
    if (!storage.exists(path)) continue;
    const fd = storage.openRead(path);
    bytes += storage.size(fd);
    storage.close(fd);
  }
  return bytes;
}
