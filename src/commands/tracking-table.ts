/**
 * The keys that clients of one thread have read and want to hear of, each with the ids of those clients.
 *
 * One per worker, in its own memory; which keys there are shows in the filter that all threads see (metrics/tracking-filter.ts). As in
 * redis-server, keys of all databases are one, and the id of a client that is gone stays until its key changes.
 */
import { Buffer } from 'node:buffer';
import {
  addTracked,
  bucketOf,
  clearTracked,
  dropTracked,
  type TrackingFilter,
} from '../metrics/tracking-filter.ts';

/** Of so few keys the buckets are found faster than by looking at all buckets. */
const DROPPED_ONE_BY_ONE_MAX = 4096;

/** Clients by id; most keys have one. */
type Readers = number | Set<number>;

export type TrackingTable = {
  readonly filter: TrackingFilter;
  readonly readers: Map<string, Readers>;
  /** Pairs of a key and a client. */
  items: number;
  /** Of all keys. */
  bytes: number;
  /** Where the oldest key is looked for: what lies before is gone. */
  hand: Iterator<string> | undefined;
};

export function createTrackingTable(filter: TrackingFilter): TrackingTable {
  return { filter, readers: new Map(), items: 0, bytes: 0, hand: undefined };
}

/** The client is about to read `bytes[start, end)`. To be called before the lock of its shard is taken. */
export function rememberKey(
  table: TrackingTable,
  bytes: Buffer,
  start: number,
  end: number,
  clientId: number,
): void {
  const key = bytes.toString('latin1', start, end);
  const readers = table.readers.get(key);
  if (readers === undefined) {
    table.readers.set(key, clientId);
    addTracked(table.filter, bucketOf(table.filter, bytes, start, end));
    table.items += 1;
    table.bytes += key.length;
  } else if (typeof readers === 'number') {
    if (readers === clientId) return;
    table.readers.set(key, new Set([readers, clientId]));
    table.items += 1;
  } else if (!readers.has(clientId)) {
    readers.add(clientId);
    table.items += 1;
  }
}

/** Forgets a key and calls `visit` for each client that wanted to hear of it: once, until it reads the key again. */
export function takeReaders(table: TrackingTable, key: string, visit: (clientId: number) => void): void {
  const readers = table.readers.get(key);
  if (readers === undefined) return;
  table.readers.delete(key);
  table.bytes -= key.length;
  dropKey(table.filter, key);
  if (typeof readers === 'number') {
    table.items -= 1;
    visit(readers);
    return;
  }
  table.items -= readers.size;
  for (const clientId of readers) visit(clientId);
}

/** The key that has been here longest; undefined of an empty table. */
export function oldestTrackedKey(table: TrackingTable): string | undefined {
  // An iterator that stays steps over what has been removed once only.
  for (let round = 0; round < 2; round += 1) {
    table.hand ??= table.readers.keys();
    const next = table.hand.next();
    if (next.done !== true) return next.value;
    table.hand = undefined;
  }
  return undefined;
}

export function clearTrackingTable(table: TrackingTable): void {
  const { readers, filter } = table;
  if (readers.size > DROPPED_ONE_BY_ONE_MAX) clearTracked(filter);
  else for (const key of readers.keys()) dropKey(filter, key);
  readers.clear();
  table.items = 0;
  table.bytes = 0;
  table.hand = undefined;
}

function dropKey(filter: TrackingFilter, key: string): void {
  const bytes = Buffer.from(key, 'latin1');
  dropTracked(filter, bucketOf(filter, bytes, 0, bytes.length));
}
