/**
 * From keys that have changed to the clients that hold them: of this thread at once, of others by way of their threads.
 *
 * Runs on every thread, after its commands and after its housekeeping, while no lock is held (told-keys.ts). Clients that have read a
 * key hear of it at once, one message for each key, and then no more until they read it again. Those that named
 * prefixes hear at the end of the turn, of all its keys in one message, as in redis-server's tracking.c.
 */
import type { Buffer } from 'node:buffer';
import { TRACKING_KEYS_DUE_MAX } from '../config/limits.ts';
import { TRACKED_ITEMS, TRACKED_KEYS } from '../metrics/names.ts';
import { bucketOf, mayTrack } from '../metrics/tracking-filter.ts';
import { EVENT_EXPIRED, EVENT_FLUSHED, EVENT_SWAPPED } from '../shard/key-events.ts';
import type { Engine } from './engine.ts';
import type { Session } from './session.ts';
import { createNotice, type Notice, noticeOf, tellClient } from './tracking-messages.ts';
import { addChangedKey, sendAllKeys, TOPIC_EMPTIED } from './tracking-outlets.ts';
import { findPrefixes, keepKey, type Prefix, takeDue } from './tracking-prefixes.ts';
import { clearTrackingTable, takeReaders } from './tracking-table.ts';

/** One note of what has happened to keys. `by` is the client whose command it was, if it was one's. */
export function tellChange(
  engine: Engine,
  by: Session | undefined,
  kind: number,
  bytes: Buffer,
  keyStart: number,
  keyEnd: number,
): void {
  const { tracking } = engine;
  tracking.running = by;
  if (kind === EVENT_FLUSHED || kind === EVENT_SWAPPED) {
    // Each shard has its own note, and each database.
    if (!tracking.isEmptied) tellEmptied(engine);
    return;
  }
  const key = bytes.toString('latin1', keyStart, keyEnd);
  if (kind >= EVENT_EXPIRED) {
    // That it has changed comes next.
    tracking.goneKey = key;
    return;
  }
  const isGone = tracking.goneKey === key;
  tracking.goneKey = undefined;
  tracking.isEmptied = false;
  // What has gone by itself is not the change of the client whose command has met it.
  tellOwn(engine, key, isGone ? undefined : by);
  if (tracking.watchers.size > 0) tellOthers(engine, key, bytes, keyStart, keyEnd);
}

/** All notes have been told. If there were too many and some are lost, all keys are invalid. */
export function endChanges(engine: Engine): void {
  const { keyEvents, tracking } = engine;
  if (keyEvents.hasLostChanges) tellEmptied(engine);
  keyEvents.hasLostChanges = false;
  tracking.isEmptied = false;
  tracking.goneKey = undefined;
  tracking.running = undefined;
}

/** A key has changed on another thread. */
export function receiveKey(engine: Engine, key: string): void {
  tellOwn(engine, key, undefined);
}

/** Whatever clients of this thread hold is invalid. */
export function tellOwnEmptied(engine: Engine): void {
  const { clients, table } = engine.tracking;
  clearTrackingTable(table);
  noteTotals(engine);
  const notice = createNotice(undefined);
  for (const session of clients) tellClient(engine, session, notice);
}

/** Tells the clients that have read a key that it is invalid, and forgets it. */
export function tellReaders(engine: Engine, key: string, by: Session | undefined): void {
  const { table } = engine.tracking;
  if (!table.readers.has(key)) return;
  const notice = noticeOf([key]);
  takeReaders(table, key, (clientId) => {
    const session = engine.sessions.get(clientId);
    const tracking = session?.tracking;
    // It may have changed its mind since.
    if (session === undefined || tracking === undefined || tracking.isBroadcast) return;
    if (tracking.isNoLoop && session === by) return;
    tellClient(engine, session, notice);
  });
  noteTotals(engine);
}

/** Stores how much is tracked, for INFO. */
export function noteTotals({ counters, tracking }: Engine): void {
  counters[TRACKED_KEYS] = tracking.table.readers.size;
  counters[TRACKED_ITEMS] = tracking.table.items;
}

/** Has what is kept sent when the turn has ended. */
function scheduleSending(engine: Engine): void {
  const { tracking } = engine;
  if (tracking.isSendDue) return;
  tracking.isSendDue = true;
  engine.later(() => {
    tracking.isSendDue = false;
    sendAllKeys(engine);
    broadcast(engine);
  });
}

function tellOwn(engine: Engine, key: string, by: Session | undefined): void {
  const { prefixes, found } = engine.tracking;
  tellReaders(engine, key, by);
  findPrefixes(prefixes, key, found);
  for (const prefix of found) {
    if (prefix.clients.size === 0) continue;
    keepKey(prefixes, prefix, key, by);
    scheduleSending(engine);
  }
  if (prefixes.keysDue > TRACKING_KEYS_DUE_MAX) broadcast(engine);
}

/** To those that may track the key, or have a prefix of it (as `found` says). */
function tellOthers(engine: Engine, key: string, bytes: Buffer, keyStart: number, keyEnd: number): void {
  const { watchers, table, found, firstWorkerThread } = engine.tracking;
  const bucket = bucketOf(table.filter, bytes, keyStart, keyEnd);
  for (const threadId of watchers) {
    if (
      mayTrack(table.filter, bucket, threadId - firstWorkerThread) ||
      found.some(({ threads }) => threads.has(threadId))
    ) {
      addChangedKey(engine, threadId, key);
      scheduleSending(engine);
    }
  }
}

function tellEmptied(engine: Engine): void {
  const { tracking, bus } = engine;
  tracking.isEmptied = true;
  sendAllKeys(engine);
  for (const threadId of tracking.watchers) bus.publishTo(threadId, TOPIC_EMPTIED, undefined);
  tellOwnEmptied(engine);
}

/** Tells the clients of this thread that have prefixes. */
function broadcast(engine: Engine): void {
  for (const prefix of takeDue(engine.tracking.prefixes)) {
    const notice = noticeOf([...prefix.keys.keys()].sort());
    for (const client of prefix.clients) {
      const own = client.tracking?.isNoLoop === true ? noticeWithout(prefix, client) : notice;
      if (own !== undefined) tellClient(engine, client, own);
    }
    prefix.keys.clear();
  }
}

/** Without the keys that the client itself was the last to change; undefined where there are no others. */
function noticeWithout({ keys }: Prefix, client: Session): Notice | undefined {
  const others = [...keys].filter(([, by]) => by !== client).map(([key]) => key);
  return others.length === 0 ? undefined : noticeOf(others.sort());
}
