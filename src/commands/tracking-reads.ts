/**
 * The tracking of what clients read: which commands count, and how many keys at most.
 *
 * Runs on the worker of the client, before a command of one that tracks (refusals.ts; EXEC for each of its own).
 */
import {
  TRACKING_ITEMS_MAX,
  TRACKING_TABLE_BYTES_MAX,
  TRACKING_TRIMMED_PER_SLICE,
} from '../config/limits.ts';
import { openAllCounters, sumCounter } from '../metrics/counters.ts';
import { TRACKED_KEYS } from '../metrics/names.ts';
import type { Call, Command } from './call.ts';
import type { ClientTracking } from './client-tracking.ts';
import type { Engine } from './engine.ts';
import { findKeyPlaces, firstPlace, nextPlace } from './key-places.ts';
import { GUARD_QUEUE } from './session.ts';
import { noteTotals, tellReaders } from './tracking-changes.ts';
import { oldestTrackedKey, rememberKey } from './tracking-table.ts';

/** To all: there are too many keys over all threads; who has more than its share is to forget some. */
export const TOPIC_TRIM = 'tracking-trim';

/** Before each command that a client sends and that is executed at once. */
export function trackCommand(call: Call, command: Command): void {
  const { session } = call;
  const { tracking } = session;
  if (tracking === undefined) return;
  // As redis-server's resetClient after the command before.
  if (!tracking.hasAskedBefore && (session.guards & GUARD_QUEUE) === 0) tracking.isCachingGiven = false;
  tracking.hasAskedBefore = command.spec.name.startsWith('client|');
  trackReads(call, command);
}

/**
 * Before a command of a client that tracks: remembers the keys that it reads. Before the locks of their shards are taken, or
 * under them: then nobody can have changed them in between.
 */
export function trackReads(call: Call, command: Command): void {
  const { engine, session, input, spans } = call;
  const { tracking } = session;
  if (tracking === undefined || command.firstKey === 0 || !command.isRead || !isWanted(tracking)) return;
  const { table } = engine.tracking;
  const places = findKeyPlaces(call, command);
  for (let index = firstPlace(places); index > 0; index = nextPlace(places, index)) {
    rememberKey(table, input, spans[2 * index], spans[2 * index + 1], session.id);
  }
  noteTotals(engine);
  if (isOverBounds(engine)) scheduleTrim(engine);
}

/** Forgets keys of this thread, a slice at a time, as long as there are too many; their clients hear that they changed. */
export function scheduleTrim(engine: Engine): void {
  const { tracking } = engine;
  if (tracking.isTrimDue) return;
  tracking.isTrimDue = true;
  // When the replies of what is read now are on their way: else a client would keep what it has just been told to drop.
  engine.later(() => {
    tracking.isTrimDue = false;
    trim(engine);
  });
}

function isWanted({ isBroadcast, isOptIn, isOptOut, isCachingGiven }: ClientTracking): boolean {
  if (isBroadcast) return false;
  return isOptIn ? isCachingGiven : !(isOptOut && isCachingGiven);
}

function trim(engine: Engine): void {
  const { table } = engine.tracking;
  for (let left = TRACKING_TRIMMED_PER_SLICE; left > 0; left -= 1) {
    if (!isOverBounds(engine)) return;
    if (!isOverOwnShare(engine)) {
      engine.bus.publish(TOPIC_TRIM, undefined);
      return;
    }
    const key = oldestTrackedKey(table);
    if (key === undefined) return;
    tellReaders(engine, key, undefined);
  }
  scheduleTrim(engine);
}

function isOverBounds(engine: Engine): boolean {
  const { config, allCounters, tracking } = engine;
  const { table } = tracking;
  if (table.bytes > TRACKING_TABLE_BYTES_MAX || table.items > TRACKING_ITEMS_MAX) return true;
  const keysMax = config.trackingTableMaxKeys;
  return keysMax !== 0 && sumCounter(openAllCounters(allCounters), TRACKED_KEYS) > keysMax;
}

/** What is too much may be another thread's. */
function isOverOwnShare({ config, tracking, workerCount }: Engine): boolean {
  const { readers, bytes, items } = tracking.table;
  if (bytes > TRACKING_TABLE_BYTES_MAX || items > TRACKING_ITEMS_MAX) return true;
  return readers.size > Math.floor(config.trackingTableMaxKeys / workerCount);
}
