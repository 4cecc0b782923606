/**
 * Room for what an owner's stream brings to a replica: in the journal of its shard, and in its memory by eviction.
 *
 * Runs on the thread that takes the stream in, with the shard's lock.
 */
import type { Buffer } from 'node:buffer';
import { areRemovals } from '../collections/ops.ts';
import { noteTouched } from '../commands/changes.ts';
import type { Engine } from '../commands/engine.ts';
import { KEY_OVERHEAD_BYTES, ROOM_ROUNDS_MAX } from '../commands/many-keys.ts';
import { JOURNAL_EVICTION_BYTES_MAX, JOURNAL_SOFT_BYTES } from '../config/limits.ts';
import { makeRoom, ROOM_LATER, ROOM_NONE } from '../shard/eviction.ts';
import { pendingBytes } from '../shard/journal.ts';
import { acquireShard, releaseShard } from '../shard/lock.ts';
import { EFFECT_CHANGE, EFFECT_DELETE, EFFECT_EXPIRE, type RecordView } from '../shard/record.ts';
import type { Shard } from '../shard/shard.ts';

/**
 * Whether there is room for the record in `view`, of which the spans are in `bytes`; with the lock, which may be given back and taken again
 * meanwhile. O(what is evicted).
 */
export function makeRoomFor(
  engine: Engine,
  shard: Shard,
  view: RecordView,
  bytes: Buffer,
  nowMs: number,
): boolean {
  if (pendingBytes(shard) > JOURNAL_SOFT_BYTES) drainHeld(engine, shard);
  if (!needsRoom(view, bytes)) return true;
  const needBytes = view.valueEnd - view.keyStart + KEY_OVERHEAD_BYTES;
  let journalBytesMax = JOURNAL_EVICTION_BYTES_MAX;
  let room = makeRoom(shard, needBytes, nowMs, journalBytesMax);
  for (let rounds = 0; room === ROOM_LATER && rounds < ROOM_ROUNDS_MAX; rounds += 1) {
    drainHeld(engine, shard);
    // The log takes nothing at present: the journal has to hold it.
    if (pendingBytes(shard) > journalBytesMax) journalBytesMax = Infinity;
    room = makeRoom(shard, needBytes, nowMs, journalBytesMax);
  }
  return room !== ROOM_NONE;
}

/** What only takes away is how a replica that is full gets room again. */
function needsRoom({ effect, valueStart, valueEnd }: RecordView, bytes: Buffer): boolean {
  if (effect === EFFECT_DELETE || effect === EFFECT_EXPIRE) return false;
  return effect !== EFFECT_CHANGE || !areRemovals(bytes, valueStart, valueEnd);
}

/** Has pending records written if they are many, without a lock. */
export function drainIfMuch(engine: Engine, shard: Shard): void {
  if (pendingBytes(shard) <= JOURNAL_SOFT_BYTES) return;
  noteTouched(engine.changes, shard);
  engine.drainLog();
}

function drainHeld(engine: Engine, shard: Shard): void {
  noteTouched(engine.changes, shard);
  releaseShard(shard);
  try {
    engine.drainLog();
  } finally {
    acquireShard(shard);
  }
}
