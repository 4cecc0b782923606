/**
 * The slow commands that a thread remembers, the newest last; and the numbers that they get, in the order in which the threads
 * of the process noted them.
 *
 * One `SlowLog` per thread, which alone touches it; the next number is one word that all threads share.
 */
import { SLOW_LOG_ENTRIES_MAX } from '../config/limits.ts';

export type SlowLogEntry = {
  readonly id: number;
  /** When the command had ended. */
  readonly atMs: number;
  readonly durationUs: number;
  /** The command and its arguments, cut where they are long or many, one character per byte. */
  readonly arguments: readonly string[];
  /** `address:port` of the client, and its name, which may be ''. */
  readonly client: string;
  readonly clientName: string;
};

export type SlowLog = {
  readonly nextId: BigInt64Array;
  /** What is remembered is `entries[first, length)`. */
  entries: SlowLogEntry[];
  first: number;
};

/** The next number, shared by all threads: the first is 0. */
export function createSlowLogIds(): SharedArrayBuffer {
  return new SharedArrayBuffer(BigInt64Array.BYTES_PER_ELEMENT);
}

export function createSlowLog(ids: SharedArrayBuffer): SlowLog {
  return { nextId: new BigInt64Array(ids), entries: [], first: 0 };
}

/** Remembers one more, and no more than `entriesMax` of the newest. O(1), amortized. */
export function pushSlow(log: SlowLog, entry: Omit<SlowLogEntry, 'id'>, entriesMax: number): void {
  const { entries } = log;
  entries.push({ id: Number(Atomics.add(log.nextId, 0, 1n)), ...entry });
  log.first = Math.max(log.first, entries.length - Math.min(entriesMax, SLOW_LOG_ENTRIES_MAX));
  if (log.first <= entries.length / 2) return;
  log.entries = entries.slice(log.first);
  log.first = 0;
}

/** At most so many of the newest, in any order. */
export function newestSlow({ entries, first }: SlowLog, countMax: number): SlowLogEntry[] {
  return entries.slice(Math.max(first, entries.length - countMax));
}

export function countSlow({ entries, first }: SlowLog): number {
  return entries.length - first;
}

/** The numbers go on. */
export function clearSlow(log: SlowLog): void {
  log.entries = [];
  log.first = 0;
}
