/**
 * The job pool: stateless CPU work off the data path, on threads of its own (workers/job.ts), which Piscina starts with the
 * first job and ends when they have had none for a while. Main thread.
 *
 * Jobs wait in a bounded queue; one that finds it full is refused. A job is never cancelled (Piscina would end its thread):
 * whoever asked for it stops waiting.
 */
import { availableParallelism } from 'node:os';
import { fileURLToPath } from 'node:url';
import { Piscina } from 'piscina';
import type { JobOutcome } from '../commands/engine.ts';
import { TOPIC_JOB_SUBSEQUENCE } from '../commands/strings-lcs.ts';
import { JOB_THREAD_IDLE_MS } from '../config/limits.ts';
import { type Bus, handleTopic } from './bus.ts';
import type { Log } from './log.ts';

export type JobsOptions = {
  /** The file whose exports are the jobs (base/places.ts). */
  readonly entry: URL;
  readonly threadsMax: number;
  /** Jobs that wait for a thread, besides those that run. */
  readonly waitingMax: number;
  readonly log: Pick<Log, 'error'>;
};

export type Jobs = { readonly options: JobsOptions; readonly pool: Piscina; stopping: boolean };

/** Half of the processors: the workers need theirs. */
export function jobThreads(): number {
  return Math.max(1, Math.floor(availableParallelism() / 2));
}

/**
 * Threads of the pool for jobs that take their time (snapshots): one for each processor, for at start, while they load, the
 * workers have nothing to do. A pool of its own, so that short jobs never wait behind a long one.
 */
export function longJobThreads(): number {
  return availableParallelism();
}

/** No thread starts before there is a job. */
export function createJobs(options: JobsOptions): Jobs {
  const pool = new Piscina({
    filename: fileURLToPath(options.entry),
    minThreads: 0,
    maxThreads: options.threadsMax,
    maxQueue: options.waitingMax,
    idleTimeout: JOB_THREAD_IDLE_MS,
    // By default a thread's loop freezes between its jobs.
    atomics: 'disabled',
    recordTiming: false,
  });
  const jobs: Jobs = { options, pool, stopping: false };
  // A thread died without a job: it could not load its entry.
  pool.on('error', (error) => {
    options.log.error('a thread of the job pool failed', error);
    void refuseStranded(jobs);
  });
  return jobs;
}

/** Answers the jobs that workers ask for. */
export function serveJobs(jobs: Jobs, bus: Bus): void {
  handleTopic(bus, TOPIC_JOB_SUBSEQUENCE, (request) => runJob(jobs, 'subsequence', request));
}

/** Runs one export of the entry. Input and result are cloned; shared memory in them stays shared. Never rejects. */
export async function runJob<Result>(jobs: Jobs, name: string, input: unknown): Promise<JobOutcome<Result>> {
  const { pool, options } = jobs;
  if (jobs.stopping) return refusal('the server is stopping');
  if (pool.queueSize >= options.waitingMax) return refusal('too many jobs wait, try again later');
  try {
    return { ok: true, result: await pool.run(input, { name }) };
  } catch (error) {
    if (jobs.stopping) return refusal('the server is stopping');
    options.log.error(`the job '${name}' failed`, error);
    await refuseStranded(jobs);
    return refusal('the job failed; the log has the reason');
  }
}

/** Ends all threads, whatever they are at; what runs or waits is refused. Resolves when they are gone, or after `waitMs`. */
export async function stopJobs(jobs: Jobs, waitMs: number): Promise<void> {
  jobs.stopping = true;
  const bound = Promise.withResolvers<void>();
  const timer = setTimeout(bound.resolve, waitMs);
  await Promise.race([jobs.pool.destroy(), bound.promise]);
  clearTimeout(timer);
}

/** When the last thread died, Piscina starts no other for the jobs that wait: they would wait for the next one to come. */
async function refuseStranded({ pool }: Jobs): Promise<void> {
  if (pool.threads.length === 0 && pool.queueSize > 0) await pool.destroy();
}

function refusal(reason: string): { ok: false; reason: string } {
  return { ok: false, reason };
}
