/**
 * The keys that clients watch (WATCH): a transaction of theirs is only executed if none of them was touched since.
 *
 * Runs on the thread of the connection. What a watch is stands in shard/watch.ts; whoever looks at one holds its shard's lock.
 */
import { Buffer } from 'node:buffer';
import { spanText } from '../base/bytes.ts';
import { ShardBusyError } from '../base/errors.ts';
import { WATCHED_BYTES_MAX, WATCHED_KEY_OVERHEAD_BYTES, WATCHES_SHOWN_MAX } from '../config/limits.ts';
import { writeError, writeOk } from '../resp/reply-writer.ts';
import { isOwn } from '../routing/node-table.ts';
import { slotOfKey } from '../routing/slot.ts';
import type { Shard } from '../shard/shard.ts';
import { isUntouched, unwatchAbsent, type Watch, watchesAbsent, watchKey } from '../shard/watch.ts';
import { type Call, shardOfKey } from './call.ts';
import type { Session } from './session.ts';
import { areLocksKept, enterShard, isWanted, leaveShard, wantShard } from './shard-locks.ts';

type WatchedKey = {
  readonly shard: Shard;
  readonly database: number;
  readonly key: Buffer;
  readonly watch: Watch;
};

/** The watched keys of one client, by database and name; and what they take of memory. */
export type WatchedKeys = { readonly byName: Map<string, WatchedKey>; bytes: number };

/** WATCH of the keys that are the arguments, under the locks of their shards. One that is watched already stays as it is. */
export function watchArguments(call: Call): void {
  const { session, spans, input, nowMs } = call;
  session.watched ??= { byName: new Map(), bytes: 0 };
  const { watched, database } = session;
  for (let index = 1; index < call.count; index += 1) {
    const start = spans[2 * index];
    const end = spans[2 * index + 1];
    const name = `${database}:${spanText(input, start, end)}`;
    if (watched.byName.has(name)) continue;
    const bytes = end - start + WATCHED_KEY_OVERHEAD_BYTES;
    if (watched.bytes + bytes > WATCHED_BYTES_MAX) {
      writeError(call.reply, `ERR the watched keys of one client take at most ${WATCHED_BYTES_MAX} bytes`);
      return;
    }
    const shard = shardOfKey(call, index);
    const key = Buffer.from(input.subarray(start, end));
    const watch = watchKey(shard, database, key, 0, key.length, nowMs);
    watched.byName.set(name, { shard, database, key, watch });
    watched.bytes += bytes;
  }
  writeOk(call.reply);
}

/** Adds the shards of the client's watched keys to those that are to be locked. */
export function wantWatched({ watched }: Session): void {
  if (watched === undefined) return;
  for (const { shard } of watched.byName.values()) wantShard(shard.index);
}

/** Whether a watched key was touched. With the locks of their shards. */
export function isAnyTouched({ watched }: Session, nowMs: number): boolean {
  if (watched === undefined) return false;
  for (const each of watched.byName.values()) if (isTouched(each, nowMs)) return true;
  return false;
}

/** Whether the slot of a watched key is not this node's any more, or about not to be; `roles` by slot (routing/node-table.ts). */
export function isWatchingElsewhere({ watched }: Session, roles: Uint8Array): boolean {
  if (watched === undefined) return false;
  for (const { key } of watched.byName.values()) {
    if (!isOwn(roles, slotOfKey(key, 0, key.length))) return true;
  }
  return false;
}

/** As `isAnyTouched`, for showing it: takes one lock after the other, and looks at the first of many keys only. */
export function looksTouched({ watched }: Session, nowMs: number): boolean {
  let left = WATCHES_SHOWN_MAX;
  for (const each of watched?.byName.values() ?? []) {
    if (left === 0) return false;
    left -= 1;
    // A transaction of this thread asks, which may not lock what it does not hold.
    if (areLocksKept() && !isWanted(each.shard)) continue;
    enterShard(each.shard);
    try {
      if (isTouched(each, nowMs)) return true;
    } finally {
      leaveShard(each.shard);
    }
  }
  return false;
}

/** The client watches nothing any more. */
export function unwatchAll(session: Session): void {
  const { watched } = session;
  if (watched === undefined) return;
  session.watched = undefined;
  for (const { shard, watch } of watched.byName.values()) if (watchesAbsent(watch)) unwatch(shard);
}

function isTouched({ shard, database, key, watch }: WatchedKey, nowMs: number): boolean {
  return !isUntouched(shard, watch, database, key, 0, key.length, nowMs);
}

/** Main does not wait for a shard that is busy: a watch too many costs the shard a note for each birth and removal. */
function unwatch(shard: Shard): void {
  try {
    enterShard(shard);
  } catch (error) {
    if (error instanceof ShardBusyError) return;
    throw error;
  }
  unwatchAbsent(shard);
  leaveShard(shard);
}
