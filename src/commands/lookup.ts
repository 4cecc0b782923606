/**
 * Finding the entry of a key argument the way commands mean it: reads count as hits or misses and as uses.
 *
 * Runs on the thread of the command, under the lock of the key's shard.
 */
import type { Buffer } from 'node:buffer';
import { KEYSPACE_HITS, KEYSPACE_MISSES } from '../metrics/names.ts';
import { writeError } from '../resp/reply-writer.ts';
import { typeOf } from '../shard/entry.ts';
import { findEntry, findForReading, valueBytesMax } from '../shard/keyspace.ts';
import { NONE, TYPE_STRING } from '../shard/layout.ts';
import { touchEntry } from '../shard/recency.ts';
import type { Shard } from '../shard/shard.ts';
import { argumentBytes, OUT_OF_MEMORY, WRONG_TYPE } from './arguments.ts';
import type { Call } from './call.ts';
import { NOTIFY_MISS, notifyKeyspace, notifyMissing } from './keyspace-events.ts';

/** The entry of key argument `index` in `shard` for reading, NONE without one. Counts a hit or a miss, and a use. */
export function readEntry(call: Call, shard: Shard, index: number): number {
  const ref = seekEntry(call, shard, index);
  const { counters } = call.engine;
  if (ref === NONE) {
    counters[KEYSPACE_MISSES] += 1;
    notifyKeyspace(call, NOTIFY_MISS, 'keymiss', index);
    return NONE;
  }
  counters[KEYSPACE_HITS] += 1;
  if (!call.session.noTouch) touchEntry(shard, ref, call.nowMs);
  return ref;
}

/** As `readEntry`, for the key `name[start, end)` in `shard`, which no argument names. */
export function readNamedEntry(call: Call, shard: Shard, name: Buffer, start: number, end: number): number {
  const { engine, session, nowMs } = call;
  const ref = findForReading(shard, session.database, name, start, end, nowMs);
  engine.counters[ref === NONE ? KEYSPACE_MISSES : KEYSPACE_HITS] += 1;
  if (ref === NONE) notifyMissing(call, name, start, end);
  else if (!session.noTouch) touchEntry(shard, ref, nowMs);
  return ref;
}

/** As `readEntry`, but not a use: for commands that ask about a key and not for its value (EXISTS, TTL, TYPE). */
export function probeEntry(call: Call, shard: Shard, index: number): number {
  const ref = probeSilently(call, shard, index);
  if (ref === NONE) notifyKeyspace(call, NOTIFY_MISS, 'keymiss', index);
  return ref;
}

/** The same, but nobody is told of a miss (OBJECT). */
export function probeSilently(call: Call, shard: Shard, index: number): number {
  const ref = seekEntry(call, shard, index);
  call.engine.counters[ref === NONE ? KEYSPACE_MISSES : KEYSPACE_HITS] += 1;
  return ref;
}

/** The entry for changing: a use, but neither hit nor miss, as in redis-server. */
export function writeEntry(call: Call, shard: Shard, index: number): number {
  const ref = peekEntry(call, shard, index);
  if (ref !== NONE && !call.session.noTouch) touchEntry(shard, ref, call.nowMs);
  return ref;
}

/** The entry for looking at it without that being a use, a hit or a miss (DEL, SETNX). */
export function peekEntry(call: Call, shard: Shard, index: number): number {
  const { spans } = call;
  const start = spans[2 * index];
  return findEntry(shard, call.session.database, call.input, start, spans[2 * index + 1], call.nowMs);
}

/** The entry for reading only. */
function seekEntry(call: Call, shard: Shard, index: number): number {
  const { spans } = call;
  const start = spans[2 * index];
  return findForReading(shard, call.session.database, call.input, start, spans[2 * index + 1], call.nowMs);
}

/** Whether the entry is a string; answers WRONGTYPE if not. */
export function isString(call: Call, shard: Shard, ref: number): boolean {
  if (typeOf(shard.entries, ref) === TYPE_STRING) return true;
  writeError(call.reply, WRONG_TYPE);
  return false;
}

/** Answers for a write that found no room: too big for any shard ever, or nothing left to evict. */
export function replyNoRoom(call: Call, shard: Shard, keyIndex: number, valueBytes: number): void {
  const bytesMax = valueBytesMax(shard, argumentBytes(call, keyIndex));
  writeError(
    call.reply,
    valueBytes > bytesMax
      ? `ERR a value of ${valueBytes} bytes does not fit: a shard holds at most ${bytesMax} (raise maxmemory or lower workers)`
      : OUT_OF_MEMORY,
  );
}
