/**
 * What one thread knows of client-side caching: its clients that track, what they are to hear of, and which threads have others.
 *
 * One record per thread, never shared but for the filter of the table; the files named tracking-* use it.
 */
import type { TrackingFilter } from '../metrics/tracking-filter.ts';
import type { Session } from './session.ts';
import { createPrefixes, type Prefix, type Prefixes } from './tracking-prefixes.ts';
import { createTrackingTable, type TrackingTable } from './tracking-table.ts';

export type Tracking = {
  /** The clients of this thread that track. */
  readonly clients: Set<Session>;
  /** The keys that those have read. */
  readonly table: TrackingTable;
  /** The prefixes of all threads. */
  readonly prefixes: Prefixes;
  /** The other threads that have clients that track. */
  readonly watchers: Set<number>;
  /** What is on its way to other threads. */
  readonly outlets: Map<number, Outlet>;
  /** The id of the thread of worker 0; the others follow. */
  readonly firstWorkerThread: number;
  /** Whether all threads know that this one has clients that track. */
  isAnnounced: boolean;
  /** Announcements that not all threads have answered yet. */
  announcing: number;
  /** Whether all that clients hold has just been called invalid, and nothing has changed since. */
  isEmptied: boolean;
  /** The key that has just expired or been evicted, until that change itself is told. */
  goneKey: string | undefined;
  /** The client whose command has just run, while its changes are told: what it hears of them comes behind its reply. */
  running: Session | undefined;
  isSendDue: boolean;
  isTrimDue: boolean;
  /** The prefixes of the key that is looked at; filled anew for each. */
  readonly found: Prefix[];
};

/** The way to another thread. */
export type Outlet = {
  /** Changed keys that wait to be sent, and what they cost. */
  keys: string[];
  bytes: number;
  /** What was sent and has not been taken in yet. */
  unseenBytes: number;
  /** The thread is so far behind that it gets no more keys, until it has caught up and all its keys are called invalid. */
  isLost: boolean;
};

export function createTracking(filter: TrackingFilter, firstWorkerThread: number): Tracking {
  return {
    clients: new Set(),
    table: createTrackingTable(filter),
    prefixes: createPrefixes(),
    watchers: new Set(),
    outlets: new Map(),
    firstWorkerThread,
    isAnnounced: false,
    announcing: 0,
    isEmptied: false,
    goneKey: undefined,
    running: undefined,
    isSendDue: false,
    isTrimDue: false,
    found: [],
  };
}
