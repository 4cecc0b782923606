/**
 * The search for the largest keys: one at a time, a job of the long pool that walks all shards (shard/big-keys.ts).
 *
 * Main thread. It keeps the report of the latest until the next one is done.
 */
import type { Clock } from '../base/clock.ts';
import { KEY_REPORT_CPU_SHARE, SHARDS_MAX } from '../config/limits.ts';
import {
  BIG_KEYS_CALLED_OFF,
  BIG_KEYS_NUMBERS,
  BIG_KEYS_VISITED,
  type BigKeysReport,
  type BigKeysRequest,
} from '../shard/big-keys.ts';
import { KEYS_LIVE } from '../shard/layout.ts';
import { recoverAfterDeath } from '../shard/recover.ts';
import type { Shard, ShardBuffers } from '../shard/shard.ts';
import { threadIdOfJob } from './boot.ts';
import { type Jobs, runJob } from './jobs.ts';
import type { Log } from './log.ts';

export type BigKeysOptions = {
  readonly jobs: Jobs;
  readonly buffers: readonly ShardBuffers[];
  /** The same shards as main has them. */
  readonly shards: readonly Shard[];
  readonly clock: Clock;
  readonly log: Pick<Log, 'warning'>;
};

export type BigKeysSearch = {
  readonly options: BigKeysOptions;
  state: 'idle' | 'running' | 'done' | 'failed';
  /** Of the latest: wall time, how long it took, the keys that there were, and how it ended. */
  startedAtMs: number;
  tookMs: number;
  keysAtStart: number;
  report: BigKeysReport | undefined;
  reason: string;
  numbers: Float64Array;
  running: Promise<void> | undefined;
};

/** The jobs of a snapshot, one for each shard, have the ids below. */
const THREAD_ID = threadIdOfJob(SHARDS_MAX);

export function createBigKeysSearch(options: BigKeysOptions): BigKeysSearch {
  return {
    options,
    state: 'idle',
    startedAtMs: 0,
    tookMs: 0,
    keysAtStart: 0,
    report: undefined,
    reason: '',
    numbers: new Float64Array(BIG_KEYS_NUMBERS),
    running: undefined,
  };
}

/** Starts one; false while one runs. */
export function startBigKeysSearch(search: BigKeysSearch): boolean {
  if (search.running !== undefined) return false;
  const { shards, clock } = search.options;
  const progress = new SharedArrayBuffer(BIG_KEYS_NUMBERS * Float64Array.BYTES_PER_ELEMENT);
  search.numbers = new Float64Array(progress);
  search.state = 'running';
  search.startedAtMs = clock.wallMs();
  search.keysAtStart = shards.reduce((sum, { control }) => sum + control[KEYS_LIVE], 0);
  search.running = runSearch(search, progress).finally(() => {
    search.running = undefined;
  });
  return true;
}

/** How far it is, from 0 to 1. */
export function bigKeysProgress({ state, numbers, keysAtStart }: BigKeysSearch): number {
  if (state === 'running') return Math.min(1, numbers[BIG_KEYS_VISITED] / Math.max(1, keysAtStart));
  return state === 'done' ? 1 : 0;
}

/** Calls off the one that runs, and waits for it, `waitMs` at the most. */
export async function stopBigKeysSearch({ running, numbers }: BigKeysSearch, waitMs: number): Promise<void> {
  if (running === undefined) return;
  numbers[BIG_KEYS_CALLED_OFF] = 1;
  const bound = Promise.withResolvers<void>();
  const timer = setTimeout(bound.resolve, waitMs);
  await Promise.race([running, bound.promise]);
  clearTimeout(timer);
}

async function runSearch(search: BigKeysSearch, progress: SharedArrayBuffer): Promise<void> {
  const { jobs, buffers, shards, clock, log } = search.options;
  const startedMs = clock.monotonicMs();
  const request: BigKeysRequest = { buffers, threadId: THREAD_ID, share: KEY_REPORT_CPU_SHARE, progress };
  const outcome = await runJob<BigKeysReport>(jobs, 'bigKeys', request);
  search.tookMs = Math.round(clock.monotonicMs() - startedMs);
  if (!outcome.ok) {
    // Its thread may have died with a shard in its hands.
    for (const repair of recoverAfterDeath(shards, THREAD_ID, clock.wallMs())) log.warning(repair);
    fail(search, outcome.reason);
  } else if (outcome.result.calledOff) {
    fail(search, 'the search was called off');
  } else {
    search.report = outcome.result;
    search.state = 'done';
    search.reason = '';
  }
}

function fail(search: BigKeysSearch, reason: string): void {
  search.state = 'failed';
  search.reason = reason;
}
