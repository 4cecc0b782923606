/**
 * What one thread's commands work on: the shards, the ring's table, the configuration, the counters, other threads.
 *
 * One per thread, made at its start (threads/, workers/shard.ts); never shared.
 */
import type { Config } from '../config/config.ts';
import type { LatencyEvents } from '../metrics/latency-events.ts';
import type { LogReading } from '../metrics/log-reading.ts';
import type { SlowLog } from '../metrics/slow-log.ts';
import type { Gate } from '../resilience/gate.ts';
import type { KeyEvents } from '../shard/key-events.ts';
import type { Shard } from '../shard/shard.ts';
import type { AclAccess } from './acl-access.ts';
import type { Blocking } from './blocking-state.ts';
import type { Changes } from './changes.ts';
import type { ClusterView } from './cluster-view.ts';
import type { Sampling } from './key-sampling.ts';
import type { Monitoring } from './monitoring.ts';
import type { PubSub } from './pubsub-state.ts';
import type { Session } from './session.ts';
import type { Timing } from './timing.ts';
import type { Tracking } from './tracking-state.ts';

/** The bus as commands need it; threads/bus.ts is one. Promises settle off the data path only. */
export type EngineBus = {
  /** Tells all other threads. */
  readonly publish: (topic: string, payload: unknown) => void;
  /** Tells one other thread; false where it is not there. */
  readonly publishTo: (threadId: number, topic: string, payload: unknown) => boolean;
  /** Asks all threads, this one included; the answers come in the order of the threads. */
  readonly requestAll: (topic: string, payload: unknown) => Promise<unknown[]>;
  /** Asks the main thread. Rejects when it cannot answer, or has not after `waitMs` (by default BUS_REPLY_MS_MAX). */
  readonly requestMain: (topic: string, payload: unknown, waitMs?: number) => Promise<unknown>;
  /** Calls back whenever another thread is gone, or was replaced; requests that wait for it have ended. */
  readonly onGone: (listener: (threadId: number) => void) => void;
  /** Answers a topic on this thread. */
  readonly handle: (topic: string, handler: (payload: unknown, fromThread: number) => unknown) => void;
};

/** What came of a job that was asked for (threads/jobs.ts); the reason is for the client. */
export type JobOutcome<Result> =
  | { readonly ok: true; readonly result: Result }
  | { readonly ok: false; readonly reason: string };

export type EngineLog = {
  readonly notice: (text: string) => void;
  readonly warning: (text: string) => void;
  readonly error: (text: string, error: unknown) => void;
};

export type Engine = {
  readonly threadId: number;
  /** -1 on the main thread. */
  readonly workerIndex: number;
  readonly workerCount: number;
  readonly shards: readonly Shard[];
  /** The shard of each of the 16384 slots. */
  readonly slotShard: Uint16Array;
  readonly config: Config;
  /** This thread's own section, by the indices of metrics/names.ts. */
  readonly counters: Float64Array;
  /** The sections of all threads, to be read only: for INFO. */
  readonly allCounters: SharedArrayBuffer;
  /** How long this thread's commands take. */
  readonly timing: Timing;
  /** What takes so long goes to the slow log or the latency monitor; Infinity while both are off. */
  slowThresholdNs: number;
  readonly bus: EngineBus;
  readonly log: EngineLog;
  readonly wallMs: () => number;
  readonly startedAtMs: number;
  readonly runId: string;
  /** The users, and what they were refused here. */
  readonly access: AclAccess;
  /** The clients that this thread serves, by id. */
  readonly sessions: Map<number, Session>;
  /** What this thread knows of the cluster; undefined on a node that is alone. */
  readonly cluster: ClusterView | undefined;
  /** Says which commands may run (resilience/gate.ts). */
  readonly gate: Gate;
  /** The clients that are told all commands, and what they are to be told. */
  readonly monitoring: Monitoring;
  /** What is sampled of the keys that commands use (key-sampling.ts). */
  readonly sampling: Sampling;
  /** What has happened to keys and was not told yet: one record for all views of shards (told-keys.ts). */
  readonly keyEvents: KeyEvents;
  /** Messages between clients: who listens, and what is on its way. */
  readonly pubsub: PubSub;
  /** The clients that wait for keys, here and elsewhere. */
  readonly blocking: Blocking;
  /** The clients that keep values and hear when their keys change. */
  readonly tracking: Tracking;
  /** What this turn's commands have left to do for the log. */
  readonly changes: Changes;
  /** Writes what is pending in the touched shards at once, in the middle of a turn; no lock of a shard is held. */
  drainLog: () => void;
  /** Told when records have gone to the log; undefined where nobody cares: no node gets this one's changes. */
  onLogged: (() => void) | undefined;
  /** The slow commands of this thread, and the latency spikes that it has seen. */
  readonly slowLog: SlowLog;
  readonly latencyEvents: LatencyEvents;
  /** How loading, snapshots and the log stand (metrics/persistence.ts), to be read only. */
  readonly persistence: Float64Array;
  /** What each stream of the log has done so far. */
  readonly logReading: () => LogReading;
  /** Zeroes what this thread's stream of the log has counted, for CONFIG RESETSTAT. */
  readonly resetLogTotals: () => void;
  /**
   * Calls back once everything that this thread's clients have changed so far is on the disk, whatever the policy; never
   * while it cannot be written. Undefined while nothing is logged.
   */
  whenSynced: ((done: () => void) => void) | undefined;
  /** Writes what this thread has changed so far, and calls back once that is as safe as the policy says. Undefined while nothing is logged. */
  whenLogged: ((done: () => void) => void) | undefined;
  /** Whether due entries are removed before someone asks for them (DEBUG SET-ACTIVE-EXPIRE). */
  activeExpiry: boolean;
  /** Runs a piece of long work after this turn, so that other clients get theirs. */
  readonly later: (callback: () => void) => void;
};
