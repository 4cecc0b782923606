/**
 * Finding, making and changing the collection of a key argument, the way all commands of collections do.
 *
 * Runs on the thread of the command, under the lock of the key's shard. Nothing here allocates.
 */
import { commitChange, dropNoted } from '../collections/change.ts';
import { createCollection } from '../collections/sequence.ts';
import { writeError } from '../resp/reply-writer.ts';
import { typeOf } from '../shard/entry.ts';
import { NONE } from '../shard/layout.ts';
import type { Shard } from '../shard/shard.ts';
import { hashOf } from '../shard/table.ts';
import { WRONG_TYPE } from './arguments.ts';
import type { Call } from './call.ts';
import { type EventName, NOTIFY_GENERIC, NOTIFY_NEW, notifyKeyspace } from './keyspace-events.ts';
import { peekEntry, readEntry, replyNoRoom, writeEntry } from './lookup.ts';

/** There is a key of another type: WRONGTYPE has been answered. */
export const WRONG = -1;

/** Whether the collection that `openForAdding` returned last was made by it. */
export const opened = { isNew: false };

/** The collection of key argument `keyIndex`, for reading: NONE without a key, WRONG for one of another type. */
export function readCollection(call: Call, shard: Shard, keyIndex: number, type: number): number {
  return ofType(call, shard, readEntry(call, shard, keyIndex), type);
}

/** The same for changing it. */
export function changeCollection(call: Call, shard: Shard, keyIndex: number, type: number): number {
  return ofType(call, shard, writeEntry(call, shard, keyIndex), type);
}

/**
 * The same, made if there is no key (`opened.isNew` then): empty, so that something has to be added and `finishChange` to be called.
 * NONE when there is no room for it, which has been answered.
 */
export function openForAdding(
  call: Call,
  shard: Shard,
  keyIndex: number,
  type: number,
  flags: number,
): number {
  const ref = changeCollection(call, shard, keyIndex, type);
  opened.isNew = ref === NONE;
  if (ref !== NONE) return ref;
  const { input, spans, session, nowMs } = call;
  const start = spans[2 * keyIndex];
  const end = spans[2 * keyIndex + 1];
  const hash = hashOf(shard, input, start, end);
  const made = createCollection(shard, session.database, hash, input, start, end, type, flags, nowMs);
  if (made === NONE) replyNoRoom(call, shard, keyIndex, 0);
  return made;
}

/**
 * Commits what was noted of a change (collections/change.ts) and tells of it: of the key if it is new, of the event, and of the key's
 * end if it has become empty. Returns whether the key is still there.
 */
export function finishChange(
  call: Call,
  shard: Shard,
  keyIndex: number,
  ref: number,
  isNew: boolean,
  eventClass: number,
  event: EventName,
): boolean {
  const isThere = commitChange(shard, call.session.database, ref, isNew);
  if (isNew && isThere) notifyKeyspace(call, NOTIFY_NEW, 'new', keyIndex);
  notifyKeyspace(call, eventClass, event, keyIndex);
  if (!isThere) notifyKeyspace(call, NOTIFY_GENERIC, 'del', keyIndex);
  return isThere;
}

/**
 * Answers for a change that found no room for `bytes` more. What was done of it before stays, and is committed; the entry may have
 * moved meanwhile. `isNew` as for `finishChange`.
 */
export function replyNoRoomFor(
  call: Call,
  shard: Shard,
  keyIndex: number,
  isNew: boolean,
  bytes: number,
): void {
  const ref = peekEntry(call, shard, keyIndex);
  if (ref !== NONE) commitChange(shard, call.session.database, ref, isNew);
  dropNoted();
  replyNoRoom(call, shard, keyIndex, bytes);
}

function ofType(call: Call, shard: Shard, ref: number, type: number): number {
  if (ref === NONE || typeOf(shard.entries, ref) === type) return ref;
  writeError(call.reply, WRONG_TYPE);
  return WRONG;
}
