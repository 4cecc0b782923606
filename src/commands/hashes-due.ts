/**
 * Fields of hashes whose time has come, but which are not removed yet: commands do not see them.
 *
 * Runs on the thread of the command, under the lock of the key's shard. Who reads passes by what is due; who changes fields removes those
 * of them that are due first, as a change of its own, and then knows no more of deadlines. The rest is for the shard's owner
 * (shard/due-fields.ts), and on a replica all of it for the owner of the slot.
 */
import { createCursor } from '../collections/cursor.ts';
import { firstDeadline, groupDeadline, hasDeadlines } from '../collections/deadlines.ts';
import { countDue, isDue } from '../collections/hash-deadlines.ts';
import { seekMember } from '../collections/sequence.ts';
import { expireFields } from '../shard/due-fields.ts';
import { NONE, TYPE_HASH } from '../shard/layout.ts';
import type { Shard } from '../shard/shard.ts';
import type { Call } from './call.ts';
import { beginEncoding, encodeArgument, encoded } from './collection-arguments.ts';
import { changeCollection, opened, openForAdding, WRONG } from './collections.ts';

/** Where a look at a field of an argument was. One per thread. */
const cursor = createCursor();

/** Whether some fields of a hash are due at `nowMs`. */
export function hasDueFields({ entries }: Shard, ref: number, nowMs: number): boolean {
  const first = firstDeadline(entries, ref);
  return first !== 0 && first < nowMs;
}

/** How many fields of a hash are due at `nowMs`. */
export function countDueFields(shard: Shard, ref: number, nowMs: number): number {
  return hasDueFields(shard, ref, nowMs) ? countDue(shard, ref, nowMs) : 0;
}

/**
 * The hash of argument 1 for changing the fields that every `step`th argument from `from` on names: those of them that are due have gone.
 * NONE without one, WRONG for a key of another type, which has been answered.
 */
export function changeHash(call: Call, from: number, step: number): number {
  const ref = changeCollection(call, call.shard, 1, TYPE_HASH);
  return ref === NONE || ref === WRONG ? ref : dropDueNamed(call, ref, from, step);
}

/** The same, made if there is none (`opened.isNew` then), as `openForAdding`. */
export function openHash(call: Call, from: number, step: number): number {
  const ref = openForAdding(call, call.shard, 1, TYPE_HASH, 0);
  if (ref === NONE || ref === WRONG || opened.isNew) return ref;
  const left = dropDueNamed(call, ref, from, step);
  return left === NONE ? openForAdding(call, call.shard, 1, TYPE_HASH, 0) : left;
}

/** The deadline of the field of argument `index`, 0 where it has none or is none. */
export function deadlineOfField(call: Call, ref: number, index: number): number {
  const { shard } = call;
  if (!hasDeadlines(shard.entries, ref)) return 0;
  const { length } = encoded;
  const start = encodeArgument(call, index);
  const isThere = seekMember(shard, ref, 0, cursor, encoded.bytes, start, encoded.length);
  encoded.length = length;
  return isThere ? groupDeadline(cursor.bytes, cursor.at, cursor.end) : 0;
}

/** Removes those fields that are due which every `step`th argument from `from` on names. The entry, NONE when it had no others. */
export function dropDueNamed(call: Call, ref: number, from: number, step: number): number {
  const { shard, nowMs } = call;
  if (!hasDueFields(shard, ref, nowMs)) return ref;
  beginEncoding();
  for (let index = from; index < call.count; index += step) {
    const start = encodeArgument(call, index);
    const isThere = seekMember(shard, ref, 0, cursor, encoded.bytes, start, encoded.length);
    if (!isThere || !isDue(cursor.bytes, cursor.at, cursor.end, nowMs)) encoded.length = start;
  }
  if (encoded.length === 0) return ref;
  return expireFields(shard, ref, encoded.bytes, encoded.length) ? ref : NONE;
}
