/**
 * The execution of commands whose keys may lie in several shards: all locks, all or nothing.
 *
 * Runs on the thread of the connection, called by the dispatcher (execute.ts).
 */
import { LogBehindError } from '../base/errors.ts';
import { JOURNAL_EVICTION_BYTES_MAX, JOURNAL_SOFT_BYTES, SHARDS_MAX } from '../config/limits.ts';
import { KEYSPACE_HITS, KEYSPACE_MISSES } from '../metrics/names.ts';
import { writeError } from '../resp/reply-writer.ts';
import { slotOfKey } from '../routing/slot.ts';
import { canEverHold, makeRoom, ROOM_LATER, ROOM_MADE, ROOM_NONE } from '../shard/eviction.ts';
import { isDrainDue, isDrainOverdue, markGrouped, pendingBytes } from '../shard/journal.ts';
import { LSN } from '../shard/layout.ts';
import { acquireShard, releaseShard } from '../shard/lock.ts';
import type { Shard } from '../shard/shard.ts';
import { OUT_OF_MEMORY } from './arguments.ts';
import type { Call, Command } from './call.ts';
import { noteTouched } from './changes.ts';
import type { Engine } from './engine.ts';
import { mendAfterFailure, replyInternalError } from './failure.ts';
import { countHotKey, isSampledSlot, tellAccesses } from './key-sampling.ts';
import { endWatch, startWatch } from './latency-monitor.ts';

/** What a new key costs besides its own bytes and its value's: header, index and rounding. */
export const KEY_OVERHEAD_BYTES = 64;

/** A command whose evictions fill a journal drains it and goes on; nothing takes more rounds than this. */
export const ROOM_ROUNDS_MAX = 10_000;

/** Of the keys of one command, so many sampled ones are told at most. */
const SAMPLED_KEYS_MAX = 1024;

/**
 * Which shards the running command locks, one byte each, the bytes that it may add to each, and which of its arguments,
 * `sampled[0, sampledCount)`, are keys that are sampled. One per thread.
 */
const locking = {
  wanted: new Uint8Array(SHARDS_MAX),
  needs: new Float64Array(SHARDS_MAX),
  sampled: new Int32Array(SAMPLED_KEYS_MAX),
  sampledCount: 0,
};

/**
 * Takes the locks of all keys' shards in ascending order, so that the command is atomic and no two can wait in a ring. False
 * when it was refused for want of memory.
 */
export function runManyKeys(call: Call, command: Command, replyStart: number): boolean {
  const { engine } = call;
  let hasRoom = true;
  wantShards(call, command);
  acquireWanted(engine);
  let changesBefore = sumOfLsns(engine);
  try {
    if (command.isWrite && isAnyJournalOver(engine, JOURNAL_SOFT_BYTES)) {
      drainWanted(engine);
      changesBefore = sumOfLsns(engine);
    }
    hasRoom = !command.deniesOom || makeRoomInAll(call);
    if (hasRoom) {
      const readsBefore = readsOf(engine);
      command.handler(call);
      if (locking.sampledCount > 0) noteSampled(call, command, readsBefore);
    }
  } catch (error) {
    if (error instanceof LogBehindError) throw error;
    replyInternalError(call, command, replyStart, error);
    // How each stood before is not kept: a failure over many keys is rare enough to check them all.
    for (const shard of engine.shards) if (isWanted(shard)) mendAfterFailure(call, shard, NaN);
  } finally {
    if (command.isWrite) {
      if (sumOfLsns(engine) !== changesBefore) engine.changes.writes += 1;
      groupWanted(engine);
    }
    noteWanted(engine);
    releaseWanted(engine.shards, engine.shards.length);
  }
  return hasRoom;
}

function noteSampled(call: Call, command: Command, readsBefore: number): void {
  const isRead = !command.isWrite && readsOf(call.engine) !== readsBefore;
  tellAccesses(call, locking.sampled, locking.sampledCount, isRead);
}

/** Look-ups by reading commands of this thread so far. */
function readsOf({ counters }: Engine): number {
  return counters[KEYSPACE_HITS] + counters[KEYSPACE_MISSES];
}

function isWanted(shard: Shard): boolean {
  return locking.wanted[shard.index] === 1;
}

/** All of them, or where it throws none. */
function acquireWanted({ shards }: Engine): void {
  let index = 0;
  try {
    for (; index < shards.length; index += 1) if (locking.wanted[index] === 1) acquireShard(shards[index]);
  } catch (error) {
    releaseWanted(shards, index);
    throw error;
  }
}

/** Those of the first `count` shards. */
function releaseWanted(shards: readonly Shard[], count: number): void {
  for (let index = count - 1; index >= 0; index -= 1) {
    if (locking.wanted[index] === 1) releaseShard(shards[index]);
  }
}

/** Has what is pending written, for which the locks are given back and taken again. Main gives up, as for one key (execute.ts). */
function drainWanted(engine: Engine): void {
  noteWanted(engine);
  if (engine.workerIndex < 0) {
    for (const shard of engine.shards) {
      if (isWanted(shard) && isDrainOverdue(shard)) throw new LogBehindError(shard.index);
    }
    return;
  }
  releaseWanted(engine.shards, engine.shards.length);
  try {
    engine.drainLog();
  } finally {
    acquireWanted(engine);
  }
}

/** The locks are held: whatever changes it is the command. */
function sumOfLsns({ shards }: Engine): number {
  let sum = 0;
  for (let index = 0; index < shards.length; index += 1) {
    if (locking.wanted[index] === 1) sum += shards[index].numbers[LSN];
  }
  return sum;
}

function isAnyJournalOver({ shards }: Engine, bytes: number): boolean {
  for (let index = 0; index < shards.length; index += 1) {
    if (locking.wanted[index] === 1 && pendingBytes(shards[index]) > bytes) return true;
  }
  return false;
}

/** The records of a command over several shards get into the log together or not at all: also where one's are missing. */
function groupWanted({ shards }: Engine): void {
  let changed = 0;
  for (let index = 0; index < shards.length; index += 1) {
    if (locking.wanted[index] === 1 && isDrainDue(shards[index])) changed += 1;
  }
  if (changed < 2) return;
  for (let index = 0; index < shards.length; index += 1) {
    if (locking.wanted[index] === 1 && isDrainDue(shards[index])) markGrouped(shards[index]);
  }
}

function noteWanted({ shards, changes }: Engine): void {
  for (let index = 0; index < shards.length; index += 1) {
    if (locking.wanted[index] === 1 && isDrainDue(shards[index])) noteTouched(changes, shards[index]);
  }
}

/** Marks the shards of the keys, and adds up what each would have to store. */
function wantShards(call: Call, command: Command): void {
  const { engine, spans, count } = call;
  const { wanted, needs } = locking;
  wanted.fill(0, 0, engine.shards.length);
  needs.fill(0, 0, engine.shards.length);
  locking.sampledCount = 0;
  const last = command.lastKey < 0 ? count + command.lastKey : command.lastKey;
  let first = -1;
  for (let index = command.firstKey; index <= last; index += command.keyStep) {
    const start = spans[2 * index];
    const slot = slotOfKey(call.input, start, spans[2 * index + 1]);
    const shard = engine.slotShard[slot];
    sampleKey(call, index, slot);
    const behind = Math.min(index + command.keyStep, count) - 1;
    wanted[shard] = 1;
    needs[shard] += spans[2 * behind + 1] - start + KEY_OVERHEAD_BYTES;
    if (first < 0) first = shard;
  }
  call.shard = engine.shards[Math.max(0, first)];
}

function sampleKey(call: Call, index: number, slot: number): void {
  const { sampling } = call.engine;
  sampling.countdown -= 1;
  if (sampling.countdown <= 0) countHotKey(call, index);
  if (!isSampledSlot(sampling, slot) || locking.sampledCount === SAMPLED_KEYS_MAX) return;
  locking.sampled[locking.sampledCount] = index;
  locking.sampledCount += 1;
}

/** All or nothing: what one shard cannot hold is refused before any key changes. Answers when it is false. */
function makeRoomInAll(call: Call): boolean {
  let journalBytesMax = JOURNAL_EVICTION_BYTES_MAX;
  const watch = startWatch(call.engine);
  for (let rounds = 0; rounds < ROOM_ROUNDS_MAX; rounds += 1) {
    const room = makeRoomOnce(call, journalBytesMax);
    if (room !== ROOM_LATER) {
      endWatch(call.engine, 'eviction-cycle', watch);
      return room === ROOM_MADE;
    }
    drainWanted(call.engine);
    // The log takes nothing at present: the journals have to hold it.
    if (isAnyJournalOver(call.engine, JOURNAL_EVICTION_BYTES_MAX)) journalBytesMax = Infinity;
  }
  writeError(call.reply, OUT_OF_MEMORY);
  return false;
}

/** ROOM_NONE when it has answered; ROOM_LATER when the records of what was evicted must be written first. */
function makeRoomOnce(call: Call, journalBytesMax: number): number {
  const { shards } = call.engine;
  const { wanted, needs } = locking;
  for (let index = 0; index < shards.length; index += 1) {
    if (wanted[index] === 0) continue;
    if (!canEverHold(shards[index], needs[index])) {
      writeError(
        call.reply,
        `ERR ${needs[index]} bytes do not fit into one shard (raise maxmemory or lower workers)`,
      );
      return ROOM_NONE;
    }
    const room = makeRoom(shards[index], needs[index], call.nowMs, journalBytesMax);
    if (room === ROOM_NONE) writeError(call.reply, OUT_OF_MEMORY);
    if (room !== ROOM_MADE) return room;
  }
  return ROOM_MADE;
}
