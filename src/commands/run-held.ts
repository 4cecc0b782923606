/**
 * One command under locks that are held already: run, counted, timed and told like any other.
 *
 * Runs on the thread of the connection, for the commands of a transaction (transaction-run.ts), whose checks were made when they were
 * queued. Nothing here takes a lock or has a journal drained.
 */

import { STRETCH_BYTES_MAX } from '../config/limits.ts';
import { COMMAND_CALLS, COMMAND_FAILED, COMMAND_REJECTED, COMMANDS } from '../metrics/names.ts';
import { writeError } from '../resp/reply-writer.ts';
import { canEverHold, makeRoom, ROOM_MADE } from '../shard/eviction.ts';
import type { Shard } from '../shard/shard.ts';
import { OUT_OF_MEMORY } from './arguments.ts';
import type { Call, Command } from './call.ts';
import { countIfError, isError } from './error-replies.ts';
import { mendAfterFailure, mendIfSuspect, replyInternalError } from './failure.ts';
import { KEY_OVERHEAD_BYTES, makeRoomForNoted, noteKeys, runNoted } from './many-keys.ts';
import { noteMonitored } from './monitor.ts';
import { areLocksKept, isWanted } from './shard-locks.ts';
import { beginCommand, endCommand, leaveStretch, noteRefusal } from './timing.ts';
import { noteWrittenKeys } from './written-slots.ts';

/** Runs the command whose arguments are in `call` and appends its reply. It may answer later (`call.isDeferred`). */
export function runHeld(call: Call, command: Command): void {
  const { engine, reply } = call;
  const { counters } = engine;
  const replyStart = reply.length;
  const isAlone = beginCommand(call, command);
  call.command = command;
  call.isDeferred = false;
  if (command.isWrite && engine.cluster !== undefined) noteWrittenKeys(call, command, engine.cluster.table);
  if (!runHandler(call, command, replyStart)) {
    counters[COMMAND_REJECTED + command.id] += 1;
    noteRefusal(engine);
  } else {
    if (engine.monitoring.isWatched) noteMonitored(call, command);
    if (call.isDeferred) {
      leaveStretch(engine);
    } else {
      counters[COMMANDS] += 1;
      counters[COMMAND_CALLS + command.id] += 1;
      if (isError(reply, replyStart)) counters[COMMAND_FAILED + command.id] += 1;
      endCommand(call, command.id, isAlone || reply.length - replyStart > STRETCH_BYTES_MAX);
    }
  }
  countIfError(engine, reply, replyStart);
}

/** False when it was refused for want of memory. */
function runHandler(call: Call, command: Command, replyStart: number): boolean {
  try {
    if (command.firstKey === 0) {
      call.shard = call.engine.shards[0];
      command.handler(call);
      return true;
    }
    noteKeys(call, command);
    if (command.deniesOom && !hasRoom(call, command)) return false;
    runNoted(call, command);
  } catch (error) {
    replyInternalError(call, command, replyStart, error);
    for (const shard of call.engine.shards) mendHeld(call, shard);
  }
  return true;
}

/** A command that was put off has locked for itself, and has released. */
function mendHeld(call: Call, shard: Shard): void {
  if (!areLocksKept()) mendIfSuspect(call, shard);
  else if (isWanted(shard)) mendAfterFailure(call, shard, NaN);
}

/** As outside of a transaction, but that what is evicted stays in the journal: the transaction has seen to room there. */
function hasRoom(call: Call, command: Command): boolean {
  if (command.lastKey !== command.firstKey) return makeRoomForNoted(call);
  const { shard, spans, count } = call;
  const bytes = spans[2 * count - 1] - spans[2 * command.firstKey] + KEY_OVERHEAD_BYTES;
  if (!canEverHold(shard, bytes) || makeRoom(shard, bytes, call.nowMs, Infinity) === ROOM_MADE) return true;
  writeError(call.reply, OUT_OF_MEMORY);
  return false;
}
