/**
 * What main knows of the data on disk: the state of `dir`, the jobs that load and save, and what the workers are told.
 *
 * The record only; what is done with it stands in loading.ts (start), logging.ts (segments, trouble) and snapshots.ts.
 * Main thread.
 */
import type { Clock } from '../base/clock.ts';
import type { Config } from '../config/config.ts';
import { LOG_BREAKER_PROBES, LOG_BREAKER_RESET_MS, LOG_BREAKER_RESET_MS_MAX } from '../config/limits.ts';
import {
  acquireDirectoryLock,
  type DirectoryLock,
  releaseDirectoryLock,
} from '../durability/directory-lock.ts';
import {
  type DiskState,
  type EpochStart,
  type MadeSegment,
  openDiskState,
} from '../durability/disk-state.ts';
import { type LogBoard, openLogBoard } from '../durability/log-board.ts';
import { createDiskStorage } from '../durability/storage.ts';
import { BREAKER_WORDS, type CircuitBreaker, openCircuitBreaker } from '../resilience/circuit-breaker.ts';
import type { Gate } from '../resilience/gate.ts';
import { LSN } from '../shard/layout.ts';
import type { Shard } from '../shard/shard.ts';
import type { ProcessBoot } from './boot.ts';
import type { Bus } from './bus.ts';
import type { Jobs } from './jobs.ts';
import type { Log } from './log.ts';

/** What `dir` holds, as it is found before anything else of the server exists. */
export type OpenedFolder = { readonly state: DiskState; readonly lock: DirectoryLock };

export type Persistence = {
  readonly state: DiskState;
  readonly lock: DirectoryLock;
  readonly config: Config;
  readonly clock: Clock;
  readonly log: Log;
  readonly bus: Bus;
  readonly boot: ProcessBoot;
  readonly shards: readonly Shard[];
  readonly slotShard: Uint16Array;
  readonly jobs: Jobs;
  readonly board: LogBoard;
  readonly gate: Gate;
  readonly numbers: Float64Array;
  readonly breaker: CircuitBreaker;
  readonly timers: NodeJS.Timeout[];
  /** The epoch that is in force. */
  epoch: number;
  /** Whether memory holds the data set, all of it. Else no snapshot may take the place of what is on the disk. */
  isLoaded: boolean;
  /** Whether the workers write a log. */
  isLogging: boolean;
  /** The epoch that comes into force with its first snapshot, while that is taken (log-epoch.ts). */
  coming: { readonly start: EpochStart; readonly segments: MadeSegment[] } | undefined;
  /** Whether the jobs of a load run on the main thread (load-jobs.ts). */
  loadsHere: boolean;
  /** Of the bytes that this process has written to the log, those before the newest snapshot; below 0 for what was loaded. */
  logBytesBase: number;
  /** What changes files and manifest, one after the other. */
  queue: Promise<unknown>;
  /** The snapshot that runs. */
  snapshot: Promise<SnapshotEnd> | undefined;
  isSnapshotScheduled: boolean;
  isTroubleBeingMended: boolean;
  /** The data would be cut into another number of shards, were its log empty: the stop takes a snapshot for that. */
  readonly wantsOtherShards: boolean;
  stopping: boolean;
};

/** How a snapshot ended: the text is for the operator. */
export type SnapshotEnd = { readonly ok: true } | { readonly ok: false; readonly text: string };

/** Takes the current folder for this process and reads its manifest. Throws a StartError where that cannot be. */
export function openFolder(): OpenedFolder {
  const storage = createDiskStorage();
  const lock = acquireDirectoryLock(storage, '.');
  try {
    return { state: openDiskState(storage), lock };
  } catch (error) {
    releaseDirectoryLock(storage, lock);
    throw error;
  }
}

export function closeFolder({ state, lock }: OpenedFolder): void {
  releaseDirectoryLock(state.storage, lock);
}

/** What `createPersistence` is given. */
export type PersistenceOptions = Pick<
  Persistence,
  'config' | 'clock' | 'log' | 'bus' | 'boot' | 'shards' | 'slotShard' | 'jobs' | 'gate' | 'wantsOtherShards'
>;

export function createPersistence(folder: OpenedFolder, options: PersistenceOptions): Persistence {
  const { boot } = options;
  return {
    ...folder,
    ...options,
    board: openLogBoard(boot.logBoard, boot.workerCount),
    numbers: new Float64Array(boot.persistence),
    breaker: openCircuitBreaker(new Int32Array(new SharedArrayBuffer(BREAKER_WORDS * 4)), 0, {
      failuresMax: 1,
      resetMs: LOG_BREAKER_RESET_MS,
      resetMsMax: LOG_BREAKER_RESET_MS_MAX,
      probesMax: LOG_BREAKER_PROBES,
    }),
    timers: [],
    epoch: folder.state.manifest?.epoch ?? 0,
    isLoaded: false,
    isLogging: false,
    coming: undefined,
    loadsHere: false,
    logBytesBase: 0,
    queue: Promise.resolve(),
    snapshot: undefined,
    isSnapshotScheduled: false,
    isTroubleBeingMended: false,
    stopping: false,
  };
}

/** The sum of all shards' LSNs: how many changes there have been. */
export function lsnSum({ shards }: Persistence): number {
  let sum = 0;
  for (const { numbers } of shards) sum += numbers[LSN];
  return sum;
}

/** Runs `step` when all steps that were asked for before have ended: they change the same manifest. */
export function inTurn<Result>(
  persistence: Persistence,
  step: () => Promise<Result> | Result,
): Promise<Result> {
  const result = persistence.queue.then(step);
  persistence.queue = result.catch(() => undefined);
  return result;
}
