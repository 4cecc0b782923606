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
import { OUT_OF_MEMORY } from './arguments.ts';
import type { Call, Command } from './call.ts';
import type { Engine } from './engine.ts';
import { mendAfterFailure, replyInternalError } from './failure.ts';
import { findKeyPlaces, firstPlace, nextPlace, readsUnnamedKeys } from './key-places.ts';
import { countHotKey, isSampledSlot, tellAccesses } from './key-sampling.ts';
import { endWatch, startWatch } from './latency-monitor.ts';
import {
  acquireWanted,
  drainWanted,
  groupWanted,
  isAnyJournalOver,
  isWanted,
  noteWanted,
  releaseWanted,
  sumOfLsns,
  wantAll,
  wantNone,
  wantShard,
} from './shard-locks.ts';

/** What a new key costs besides its own bytes and its value's: header, index and rounding. */
export const KEY_OVERHEAD_BYTES = 64;

/** A command whose evictions fill a journal drains it and goes on; nothing takes more rounds than this. */
export const ROOM_ROUNDS_MAX = 10_000;

/** Of the keys of one command, so many sampled ones are told at most. */
const SAMPLED_KEYS_MAX = 1024;

/**
 * The bytes that the running command may add to each shard, and which of its arguments, `sampled[0, sampledCount)`, are keys
 * that are sampled. One per thread.
 */
const keyed = {
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
  wantNone(engine);
  noteKeys(call, command);
  acquireWanted(engine);
  let changesBefore = sumOfLsns(engine);
  try {
    if (command.isWrite && isAnyJournalOver(engine, JOURNAL_SOFT_BYTES)) {
      drainWanted(engine);
      changesBefore = sumOfLsns(engine);
    }
    hasRoom = !command.deniesOom || makeRoomInAll(call, keyed.needs);
    if (hasRoom) runNoted(call, command);
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
    releaseWanted(engine);
  }
  return hasRoom;
}

/** Runs a command whose keys were noted and whose shards are locked. */
export function runNoted(call: Call, command: Command): void {
  const readsBefore = readsOf(call.engine);
  command.handler(call);
  if (keyed.sampledCount > 0) noteSampled(call, command, readsBefore);
}

function noteSampled(call: Call, command: Command, readsBefore: number): void {
  const isRead = !command.isWrite && readsOf(call.engine) !== readsBefore;
  tellAccesses(call, keyed.sampled, keyed.sampledCount, isRead);
}

/** Look-ups by reading commands of this thread so far. */
function readsOf({ counters }: Engine): number {
  return counters[KEYSPACE_HITS] + counters[KEYSPACE_MISSES];
}

/** Wants the shards of the keys, adds up what each would have to store, and samples the keys. */
export function noteKeys(call: Call, command: Command): void {
  const { engine, spans, count } = call;
  const { needs } = keyed;
  const places = findKeyPlaces(call, command);
  for (let shard = 0; shard < engine.shards.length; shard += 1) needs[shard] = 0;
  keyed.sampledCount = 0;
  let first = -1;
  for (let index = firstPlace(places); index > 0; index = nextPlace(places, index)) {
    const start = spans[2 * index];
    const slot = slotOfKey(call.input, start, spans[2 * index + 1]);
    const shard = engine.slotShard[slot];
    sampleKey(call, index, slot);
    const behind = Math.min(index + command.keyStep, count) - 1;
    wantShard(shard);
    needs[shard] += spans[2 * behind + 1] - start + KEY_OVERHEAD_BYTES;
    if (first < 0) first = shard;
  }
  call.shard = engine.shards[Math.max(0, first)];
  if (readsUnnamedKeys(call, command)) wantAll(engine);
}

function sampleKey(call: Call, index: number, slot: number): void {
  const { sampling } = call.engine;
  sampling.countdown -= 1;
  if (sampling.countdown <= 0) countHotKey(call, index);
  if (!isSampledSlot(sampling, slot) || keyed.sampledCount === SAMPLED_KEYS_MAX) return;
  keyed.sampled[keyed.sampledCount] = index;
  keyed.sampledCount += 1;
}

/** Makes room for the keys that were noted, whatever their journals hold then. Answers when it is false. */
export function makeRoomForNoted(call: Call): boolean {
  return makeRoomOnce(call, keyed.needs, Infinity) === ROOM_MADE;
}

/** Makes room for `needs`, bytes of each shard. All or nothing: what one shard cannot hold is refused before any key changes. Answers when it is false. */
export function makeRoomInAll(call: Call, needs: Float64Array): boolean {
  let journalBytesMax = JOURNAL_EVICTION_BYTES_MAX;
  const watch = startWatch(call.engine);
  for (let rounds = 0; rounds < ROOM_ROUNDS_MAX; rounds += 1) {
    const room = makeRoomOnce(call, needs, journalBytesMax);
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
function makeRoomOnce(call: Call, needs: Float64Array, journalBytesMax: number): number {
  const { shards } = call.engine;
  for (let index = 0; index < shards.length; index += 1) {
    if (needs[index] === 0) continue;
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
