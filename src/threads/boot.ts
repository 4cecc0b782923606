/**
 * The one file that main and the workers must agree on: thread ids, the record a worker is started with, and the
 * messages that travel over its parent port. Everything else between threads goes over the bus (bus.ts).
 *
 * Owns no state; runs on every thread.
 */
import type { MessagePort } from 'node:worker_threads';
import type { User } from '../commands/acl-user.ts';
import type { Config } from '../config/config.ts';
import { WORKERS_MAX } from '../config/limits.ts';
import type { MadeSegment } from '../durability/disk-state.ts';
import type { ShardBuffers } from '../shard/shard.ts';

/** Thread ids are what a shard's lock word holds, so none of them is 0. A replacement has the id of the dead. */
export const MAIN_THREAD_ID = 1;
const FIRST_WORKER_THREAD_ID = 2;

/** The id of the thread that runs worker `index`. */
export function threadIdOfWorker(index: number): number {
  return FIRST_WORKER_THREAD_ID + index;
}

/** The id of a thread of the job pool while it runs job `index` of those that take shards' locks at the same time. */
export function threadIdOfJob(index: number): number {
  return FIRST_WORKER_THREAD_ID + WORKERS_MAX + index;
}

/** Which section of the counters (metrics/counters.ts) a thread writes: 0 is main, 1 + i is worker i. */
export function sectionOfThread(threadId: number): number {
  return threadId - MAIN_THREAD_ID;
}

/** One end of the channel between two threads; `threadId` names the other end. */
export type BusPort = { readonly threadId: number; readonly port: MessagePort };

/** What all workers of a process share. Buffers are shared; the rest is copied. */
export type ProcessBoot = {
  readonly workerCount: number;
  /** By shard index; worker i owns shard i, i + workers, and so on (shard/shares.ts). */
  readonly shardBuffers: readonly ShardBuffers[];
  /** Uint16 x 16384: the shard of each slot. */
  readonly slotTable: SharedArrayBuffer;
  readonly counters: SharedArrayBuffer;
  /** What may not run at present (resilience/gate.ts). */
  readonly gate: SharedArrayBuffer;
  /** How far the log is (durability/log-board.ts), one stream per worker; it is there whether or not anything is logged. */
  readonly logBoard: SharedArrayBuffer;
  /** The next number of an entry of the slow logs (metrics/slow-log.ts). */
  readonly slowLogIds: SharedArrayBuffer;
  /** The sampled accesses to keys on their way to main (metrics/access-ring.ts). */
  readonly accesses: SharedArrayBuffer;
  /** Which workers track which keys (metrics/tracking-filter.ts). */
  readonly trackingFilter: SharedArrayBuffer;
  /** How loading, snapshots and log stand (metrics/persistence.ts). */
  readonly persistence: SharedArrayBuffer;
  /** The cluster's topology as this node has it (routing/node-table.ts); undefined on a node that is alone. */
  readonly nodeTable: SharedArrayBuffer | undefined;
  /** How far other nodes are with this one's changes (routing/replication-board.ts); likewise. */
  readonly replication: SharedArrayBuffer | undefined;
  /** How other nodes have been lately (resilience/peer-board.ts); of no use on a node that is alone. */
  readonly peerBoard: SharedArrayBuffer;
  /** As it is when the worker starts: a replacement gets what CONFIG SET has made of it. */
  readonly config: Config;
  /** Likewise: by name, as they are when the worker starts. */
  readonly users: Map<string, User>;
  readonly startedAtMs: number;
  /** 40 hex digits, fresh for each start of the process. */
  readonly runId: string;
};

/** A worker's `workerData`; the ports are transferred. */
export type ThreadBoot = ProcessBoot & {
  readonly threadId: number;
  readonly workerIndex: number;
  /** How many threads have served in this place before. */
  readonly generation: number;
  /** Where a replacement goes on with the log of the dead; undefined where nothing is logged (yet). */
  readonly logSegment: MadeSegment | undefined;
  readonly ports: readonly BusPort[];
};

/** A connection that main accepted. It is transferred: fresh and paused, nothing read. */
export type HandedSocket = import('node:net').Socket;

/** Main to worker. */
export type MainMessage =
  | { readonly kind: 'socket'; readonly socket: HandedSocket; readonly isEncrypted: boolean }
  | { readonly kind: 'peer'; readonly peer: BusPort }
  | { readonly kind: 'stop' };

/**
 * Worker to main: it serves, or it found at start that it never can (one line for the operator). After 'stop' it just
 * ends.
 */
export type WorkerMessage =
  | { readonly kind: 'started' }
  | { readonly kind: 'refused'; readonly text: string };

/** On the bus, worker to main: the worker accepted a connection itself. No payload. */
export const TOPIC_ACCEPTED = 'accepted';
