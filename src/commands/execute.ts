/**
 * One command from its arguments to its reply: the one place where commands are refused, locks taken and bugs caught.
 *
 * Runs on the thread of the connection. Nothing here allocates, awaits or throws on the way of a good command.
 */
import { spanText } from '../base/bytes.ts';
import { LogBehindError, ShardBusyError } from '../base/errors.ts';
import { JOURNAL_EVICTION_BYTES_MAX, JOURNAL_SOFT_BYTES, STRETCH_BYTES_MAX } from '../config/limits.ts';
import {
  COMMAND_CALLS,
  COMMAND_FAILED,
  COMMAND_REJECTED,
  COMMANDS,
  KEYSPACE_HITS,
  KEYSPACE_MISSES,
} from '../metrics/names.ts';
import { gateReasons } from '../resilience/gate.ts';
import { writeError } from '../resp/reply-writer.ts';
import { slotOfKey } from '../routing/slot.ts';
import { makeRoom, ROOM_LATER, ROOM_MADE } from '../shard/eviction.ts';
import { isDrainDue, isDrainOverdue, pendingBytes } from '../shard/journal.ts';
import { LIMIT_BYTES, LSN } from '../shard/layout.ts';
import { acquireShard, releaseShard } from '../shard/lock.ts';
import type { Shard } from '../shard/shard.ts';
import { argumentText, isWord, OUT_OF_MEMORY } from './arguments.ts';
import type { Call, Command } from './call.ts';
import { noteTouched } from './changes.ts';
import { takeForwarded } from './cluster-routing.ts';
import type { Engine } from './engine.ts';
import { countIfError, isError } from './error-replies.ts';
import { mendAfterFailure, mendIfSuspect, replyInternalError } from './failure.ts';
import { unknownSubcommandText } from './help.ts';
import { countHotKey, isSampledSlot, referenceSince, tellAccess } from './key-sampling.ts';
import { endWatch, startWatch } from './latency-monitor.ts';
import { KEY_OVERHEAD_BYTES, ROOM_ROUNDS_MAX, runManyKeys } from './many-keys.ts';
import { noteMonitored } from './monitor.ts';
import { mayRun, mayRunRow } from './refusals.ts';
import { findCommand } from './registry.ts';
import { isSliced, runSliced } from './sliced-keys.ts';
import {
  beginCommand,
  beginRead,
  endCommand,
  endRead,
  endStretch,
  leaveStretch,
  noteDelay,
  noteRefusal,
} from './timing.ts';
import { tellKeyEvents } from './told-keys.ts';
import { noteRefused, takeQueued } from './transaction-queue.ts';
import { noteWrittenKeys } from './written-slots.ts';

/** Names and arguments are quoted up to this in errors, as redis-server does. */
const QUOTED_CHARACTERS_MAX = 128;

/** Executes the command in `call`'s arguments (there is at least one), appends its reply, and times it by itself. */
export function executeCall(call: Call): void {
  const { engine } = call;
  beginRead(engine, Infinity);
  executeInStretch(call);
  endRead(call, true);
  endStretch(engine);
}

/** As `executeCall`, but brief commands in a row are timed together: the caller begins and ends the read and the stretch (timing.ts). */
export function executeInStretch(call: Call): void {
  const { reply, engine } = call;
  const replyStart = reply.length;
  const command = resolveCommand(call);
  if (command !== undefined && mayRun(call, command)) runCommand(call, command, replyStart);
  else endUnexecuted(call, command, replyStart);
  countIfError(engine, reply, replyStart);
}

/** The command is unknown, or was refused, or waits for EXEC. */
function endUnexecuted(call: Call, command: Command | undefined, replyStart: number): void {
  const { engine, session } = call;
  // It comes again: nothing has happened.
  if (session.isPostponed) return;
  if (engine.cluster !== undefined && takeForwarded(engine.cluster)) {
    endForwarded(call);
    return;
  }
  if (takeQueued(session)) {
    noteRefusal(engine);
    return;
  }
  if (command === undefined) noteRefusal(engine);
  else refuse(engine, command);
  if (noteRefused(call, command, replyStart) && command !== undefined && engine.monitoring.isWatched) {
    call.command = command;
    noteMonitored(call, command);
  }
}

/** Other nodes execute the command, and who passes it on counts it. It has taken its share of the time. */
function endForwarded({ engine, isDeferred }: Call): void {
  if (isDeferred) leaveStretch(engine);
  else noteRefusal(engine);
}

/**
 * Executes a command of one key that no name finds: a row of the tables with another handler, for another door than RESP. Who
 * asks was let in there; counted as the row.
 */
export function executeRow(call: Call, command: Command): void {
  const { reply, engine } = call;
  const replyStart = reply.length;
  const reasons = gateReasons(engine.gate);
  beginRead(engine, Infinity);
  if (mayRunRow(call, command, reasons)) runCommand(call, command, replyStart);
  else if (engine.cluster !== undefined && takeForwarded(engine.cluster)) endForwarded(call);
  else refuse(engine, command);
  countIfError(engine, reply, replyStart);
  endRead(call, true);
  endStretch(engine);
}

/** Runs it, counts it by its outcome, and times it. */
function runCommand(call: Call, command: Command, replyStart: number): void {
  const { reply, engine } = call;
  const { counters } = engine;
  const isAlone = beginCommand(call, command);
  call.command = command;
  call.isDeferred = false;
  if (command.isWrite && engine.cluster !== undefined) noteWrittenKeys(call, command, engine.cluster.table);
  call.session.lastCommand = command.spec.name;
  const hasRun = runLocked(call, command, replyStart);
  // Also of one that was refused: room may have been made for it.
  if (engine.keyEvents.length !== 0) tellKeyEvents(engine, call.session, replyStart);
  if (!hasRun) {
    refuse(engine, command);
    return;
  }
  if (engine.monitoring.isWatched) noteMonitored(call, command);
  if (call.isDeferred) {
    // It is counted when it is answered.
    leaveStretch(engine);
    return;
  }
  counters[COMMANDS] += 1;
  counters[COMMAND_CALLS + command.id] += 1;
  if (isError(reply, replyStart)) counters[COMMAND_FAILED + command.id] += 1;
  endCommand(call, command.id, isAlone || reply.length - replyStart > STRETCH_BYTES_MAX);
}

/** False when it was refused for want of memory. */
function runLocked(call: Call, command: Command, replyStart: number): boolean {
  if (command.firstKey === 0) return runKeyless(call, command, replyStart);
  if (command.lastKey === command.firstKey) return runOneKey(call, command, replyStart);
  if (!isSliced(call, command)) return runManyKeys(call, command, replyStart);
  runSliced(call, command);
  return true;
}

function refuse(engine: Engine, command: Command): void {
  engine.counters[COMMAND_REJECTED + command.id] += 1;
  noteRefusal(engine);
}

/** Finds the command; answers where it is not known. */
function resolveCommand(call: Call): Command | undefined {
  const { spans, count } = call;
  const command = findCommand(call.input, spans[0], spans[1]);
  if (command === undefined) return refuseUnknown(call);
  if (command.subcommands === undefined || count === 1) return command;
  const subcommand = command.subcommands.get(argumentText(call, 1).toLowerCase());
  if (subcommand === undefined && !command.takesUnknown) return refuseSubcommand(call);
  return subcommand ?? command;
}

function runKeyless(call: Call, command: Command, replyStart: number): true {
  call.shard = call.engine.shards[0];
  try {
    command.handler(call);
  } catch (error) {
    if (error instanceof ShardBusyError) throw error;
    replyInternalError(call, command, replyStart, error);
    for (const shard of call.engine.shards) mendIfSuspect(call, shard);
  }
  return true;
}

function runOneKey(call: Call, command: Command, replyStart: number): boolean {
  const { engine, spans } = call;
  let hasRoom = true;
  const start = spans[2 * command.firstKey];
  const slot = slotOfKey(call.input, start, spans[2 * command.firstKey + 1]);
  const shard = engine.shards[engine.slotShard[slot]];
  call.shard = shard;
  const { sampling, counters } = engine;
  const isSampled = isSampledSlot(sampling, slot);
  const hitsBefore = isSampled ? counters[KEYSPACE_HITS] : 0;
  const missesBefore = isSampled ? counters[KEYSPACE_MISSES] : 0;
  sampling.countdown -= 1;
  if (sampling.countdown <= 0) countHotKey(call, command.firstKey);
  acquireShard(shard);
  let lsn = shard.numbers[LSN];
  try {
    if (command.isWrite && pendingBytes(shard) > JOURNAL_SOFT_BYTES) {
      drainBetween(call, shard);
      lsn = shard.numbers[LSN];
    }
    const needBytes = spans[2 * call.count - 1] - start + KEY_OVERHEAD_BYTES;
    // What no eviction makes room for is left to the handler, which knows the exact reason.
    const mayFit = needBytes <= shard.numbers[LIMIT_BYTES];
    hasRoom = !command.deniesOom || !mayFit || makeRoomInOne(call, shard, needBytes);
    if (!hasRoom) {
      writeError(call.reply, OUT_OF_MEMORY);
    } else {
      command.handler(call);
      if (isSampled) {
        tellAccess(call, shard, command.firstKey, slot, referenceSince(engine, hitsBefore, missesBefore));
      }
    }
  } catch (error) {
    if (error instanceof LogBehindError) throw error;
    replyInternalError(call, command, replyStart, error);
    mendAfterFailure(call, shard, lsn);
  } finally {
    // An expired key that a reader has removed would be gone without a record as well.
    if (command.isWrite && shard.numbers[LSN] !== lsn) engine.changes.writes += 1;
    // Also what others have left pending: no reply shows what is not in the log when it leaves.
    if (isDrainDue(shard)) noteTouched(engine.changes, shard);
    releaseShard(shard);
  }
  return hasRoom;
}

/** False when there is not enough to evict. */
function makeRoomInOne(call: Call, shard: Shard, bytes: number): boolean {
  const watch = startWatch(call.engine);
  let room = makeRoom(shard, bytes, call.nowMs);
  for (let rounds = 0; room === ROOM_LATER && rounds < ROOM_ROUNDS_MAX; rounds += 1) {
    drainBetween(call, shard);
    // The log takes nothing at present: the journal has to hold it.
    const isStuck = pendingBytes(shard) > JOURNAL_EVICTION_BYTES_MAX;
    room = makeRoom(shard, bytes, call.nowMs, isStuck ? Infinity : JOURNAL_EVICTION_BYTES_MAX);
  }
  endWatch(call.engine, 'eviction-cycle', watch);
  return room === ROOM_MADE;
}

/**
 * Has the pending records of a shard written, for which its lock is given back and taken again. Main cannot: what it added on top
 * might find no room in the journal, which would break the log, so that it gives up and lets a worker drain first.
 */
function drainBetween(call: Call, shard: Shard): void {
  noteTouched(call.engine.changes, shard);
  if (call.engine.workerIndex < 0) {
    if (!isDrainOverdue(shard)) return;
    throw new LogBehindError(shard.index);
  }
  noteDelay(call.engine);
  releaseShard(shard);
  try {
    call.engine.drainLog();
  } finally {
    acquireShard(shard);
  }
}

function refuseUnknown(call: Call): undefined {
  if (isWord(call, 0, 'POST') || isWord(call, 0, 'HOST:')) {
    // A browser made to speak to this port: whatever follows in its request must not be taken for commands.
    call.engine.log.warning(
      'possible cross-protocol attack: POST or Host: where a command should be; closed',
    );
    call.session.connection.destroy();
    return undefined;
  }
  let quoted = '';
  for (let index = 1; index < call.count && quoted.length < QUOTED_CHARACTERS_MAX; index += 1) {
    quoted += `'${quote(call, index, QUOTED_CHARACTERS_MAX - quoted.length)}' `;
  }
  const name = quote(call, 0, QUOTED_CHARACTERS_MAX);
  writeError(call.reply, `ERR unknown command '${name}', with args beginning with: ${quoted}`);
  return undefined;
}

function refuseSubcommand(call: Call): undefined {
  writeError(call.reply, unknownSubcommandText(argumentText(call, 1), argumentText(call, 0).toUpperCase()));
  return undefined;
}

/** As C prints a string: up to a NUL. */
function quote(call: Call, index: number, charactersMax: number): string {
  const { spans } = call;
  const text = spanText(call.input, spans[2 * index], spans[2 * index + 1]);
  const end = text.indexOf('\0');
  return (end < 0 ? text : text.slice(0, end)).slice(0, charactersMax);
}
