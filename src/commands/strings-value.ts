/**
 * The value of a string key between the shard and the client: answered from an entry, stored from an argument.
 *
 * Runs on the thread of the command, under the lock of the key's shard.
 */
import { type ReplyWriter, writeBulk } from '../resp/reply-writer.ts';
import { entryBytes, valueLength, valueOffset } from '../shard/entry.ts';
import { putString } from '../shard/keyspace.ts';
import { NONE } from '../shard/layout.ts';
import type { Shard } from '../shard/shard.ts';
import { argumentBytes } from './arguments.ts';
import type { Call } from './call.ts';
import { isToldNew, NOTIFY_NEW, notifyKeyspace } from './keyspace-events.ts';
import { replyNoRoom } from './lookup.ts';

/** Answers with the whole value of a string entry. */
export function replyEntryValue(reply: ReplyWriter, shard: Shard, ref: number): void {
  const { entries } = shard;
  const at = valueOffset(entries, ref);
  writeBulk(reply, entryBytes(entries, ref), at, at + valueLength(entries, ref));
}

/**
 * Creates or replaces the string under key argument `keyIndex` with argument `valueIndex`; `expiresAtMs` 0 is for
 * ever. Answers only when there is no room for it, and returns false then.
 */
export function storeArgument(
  call: Call,
  shard: Shard,
  keyIndex: number,
  valueIndex: number,
  expiresAtMs: number,
): boolean {
  const { input, spans, session } = call;
  const isNew = isToldNew(call, shard, keyIndex, session.database);
  const ref = putString(
    shard,
    session.database,
    input,
    spans[2 * keyIndex],
    spans[2 * keyIndex + 1],
    input,
    spans[2 * valueIndex],
    spans[2 * valueIndex + 1],
    expiresAtMs,
    call.nowMs,
  );
  if (ref !== NONE) {
    if (isNew) notifyKeyspace(call, NOTIFY_NEW, 'new', keyIndex);
    return true;
  }
  replyNoRoom(call, shard, keyIndex, argumentBytes(call, valueIndex));
  return false;
}
