/**
 * Laying bytes over part of a string, for all commands that change one in place: SETRANGE, APPEND, bits, HyperLogLogs.
 *
 * Runs on the thread of the command, under the lock of the key's shard.
 */
import { Buffer } from 'node:buffer';
import { copyBytes } from '../base/bytes.ts';
import { putString, resizeValue, writeValue } from '../shard/keyspace.ts';
import { NONE } from '../shard/layout.ts';
import { removeEntry } from '../shard/lifecycle.ts';
import { putRaw } from '../shard/raw-string.ts';
import type { Shard } from '../shard/shard.ts';
import type { Call } from './call.ts';
import { isToldNew, NOTIFY_NEW, notifyKeyspace } from './keyspace-events.ts';
import { peekEntry, replyNoRoom } from './lookup.ts';

/** A new string of up to this is logged whole; a longer one as empty, and what is laid over it. */
const WHOLE_BYTES_MAX = 1024;

/** A new string. One per thread. */
const fresh = Buffer.alloc(WHOLE_BYTES_MAX);

/**
 * Makes the string under key argument `keyIndex` `length` bytes long, with zeros behind what it had, and lays
 * `source[start, end)` over it at `offset`. `ref` is its entry; NONE makes a new one, which is told of. Returns the entry from
 * now on; NONE when there is no room, and then that is answered and the string is as it was. With its length as it was, one that
 * was changed before always has room. O(end - start) where the string need not move.
 */
export function patchString(
  call: Call,
  shard: Shard,
  keyIndex: number,
  ref: number,
  length: number,
  offset: number,
  source: Buffer,
  start: number,
  end: number,
): number {
  if (ref === NONE) return createString(call, shard, keyIndex, length, offset, source, start, end);
  const at = resizeValue(shard, ref, length, call.nowMs);
  if (at === NONE) replyNoRoom(call, shard, keyIndex, length);
  else writeValue(shard, at, offset, source, start, end);
  return at;
}

/** Stores `value[0, length)` for ever, whatever was there before. Returns as `patchString`. */
export function storeRaw(call: Call, shard: Shard, keyIndex: number, value: Buffer, length: number): number {
  const { session, input, spans, nowMs } = call;
  const isNew = isToldNew(call, shard, keyIndex, session.database);
  const keyStart = spans[2 * keyIndex];
  const keyEnd = spans[2 * keyIndex + 1];
  const ref = putRaw(shard, session.database, input, keyStart, keyEnd, value, length, nowMs);
  if (ref === NONE) replyNoRoom(call, shard, keyIndex, length);
  else if (isNew) notifyKeyspace(call, NOTIFY_NEW, 'new', keyIndex);
  return ref;
}

function createString(
  call: Call,
  shard: Shard,
  keyIndex: number,
  length: number,
  offset: number,
  source: Buffer,
  start: number,
  end: number,
): number {
  if (length <= WHOLE_BYTES_MAX) {
    fresh.fill(0, 0, length);
    copyBytes(source, start, end, fresh, offset);
    return storeRaw(call, shard, keyIndex, fresh, length);
  }
  const { session, input, spans, nowMs } = call;
  const keyStart = spans[2 * keyIndex];
  const keyEnd = spans[2 * keyIndex + 1];
  const empty = putString(shard, session.database, input, keyStart, keyEnd, fresh, 0, 0, 0, nowMs);
  const at = empty === NONE ? NONE : resizeValue(shard, empty, length, nowMs);
  if (at === NONE) {
    dropEmpty(call, shard, keyIndex);
    replyNoRoom(call, shard, keyIndex, length);
    return NONE;
  }
  writeValue(shard, at, offset, source, start, end);
  notifyKeyspace(call, NOTIFY_NEW, 'new', keyIndex);
  return at;
}

/** Wherever it has been moved to in the search for room; it may even have been evicted, or never been there. */
function dropEmpty(call: Call, shard: Shard, keyIndex: number): void {
  const moved = peekEntry(call, shard, keyIndex);
  if (moved !== NONE) removeEntry(shard, moved);
}
