/**
 * One command from its arguments to its reply: the one place where commands are refused, locks taken and bugs caught.
 *
 * Runs on the thread of the connection. Nothing here allocates, awaits or throws on the way of a good command.
 */
import { spanText } from '../base/bytes.ts';
import { systemErrorText } from '../base/platform.ts';
import { JOURNAL_EVICTION_BYTES_MAX, JOURNAL_SOFT_BYTES } from '../config/limits.ts';
import { COMMAND_CALLS, COMMANDS, ERROR_REPLIES } from '../metrics/names.ts';
import { GATE_LOADING, GATE_LOG, gateErrno, gateReasons } from '../resilience/gate.ts';
import { writeError } from '../resp/reply-writer.ts';
import { slotOfKey } from '../routing/slot.ts';
import { makeRoom, ROOM_LATER, ROOM_MADE } from '../shard/eviction.ts';
import { isDrainDue, pendingBytes } from '../shard/journal.ts';
import { LIMIT_BYTES, LSN } from '../shard/layout.ts';
import { acquireShard, releaseShard } from '../shard/lock.ts';
import type { Shard } from '../shard/shard.ts';
import { argumentText, isWord, OUT_OF_MEMORY } from './arguments.ts';
import type { Call, Command } from './call.ts';
import { noteTouched } from './changes.ts';
import { mendAfterFailure, mendIfSuspect, replyInternalError } from './failure.ts';
import { unknownSubcommandText } from './help.ts';
import { KEY_OVERHEAD_BYTES, ROOM_ROUNDS_MAX, runManyKeys } from './many-keys.ts';
import { findCommand } from './registry.ts';

/** Names and arguments are quoted up to this in errors, as redis-server does. */
const QUOTED_CHARACTERS_MAX = 128;

const MINUS = 45;

const SNAPSHOT_MISCONF =
  "MISCONF Redis is configured to save RDB snapshots, but it's currently unable to persist to disk. Commands that may " +
  'modify the data set are disabled, because this instance is configured to report errors during writes if RDB ' +
  'snapshotting fails (stop-writes-on-bgsave-error option). Please check the Redis logs for details about the RDB error.';

/** Executes the command in `call`'s arguments (there is at least one) and appends its reply. */
export function executeCall(call: Call): void {
  const { reply, engine } = call;
  const { counters } = engine;
  const replyStart = reply.length;
  const command = resolveCommand(call);
  counters[COMMANDS] += 1;
  if (command !== undefined) {
    counters[COMMAND_CALLS + command.id] += 1;
    call.command = command;
    call.session.lastCommand = command.spec.name;
    if (command.firstKey === 0) runKeyless(call, command, replyStart);
    else if (command.lastKey === command.firstKey) runOneKey(call, command, replyStart);
    else runManyKeys(call, command, replyStart);
  }
  if (reply.length > replyStart && reply.bytes[replyStart] === MINUS) counters[ERROR_REPLIES] += 1;
}

/** Finds the command and refuses what may not run: unknown, wrong number of arguments, not authenticated. */
function resolveCommand(call: Call): Command | undefined {
  const { spans, count } = call;
  let command = findCommand(call.input, spans[0], spans[1]);
  if (command === undefined) return refuseUnknown(call);
  if (command.subcommands !== undefined && count > 1) {
    const subcommand = command.subcommands.get(argumentText(call, 1).toLowerCase());
    if (subcommand === undefined && !command.takesUnknown) return refuseSubcommand(call);
    command = subcommand ?? command;
  }
  const { arity } = command;
  if (arity > 0 ? count !== arity : count < -arity) {
    writeError(call.reply, `ERR wrong number of arguments for '${command.spec.name}' command`);
    return undefined;
  }
  if (!call.session.authenticated && !command.needsNoAuth && call.engine.config.requirepass !== '') {
    writeError(call.reply, 'NOAUTH Authentication required.');
    return undefined;
  }
  const reasons = gateReasons(call.engine.gate);
  return reasons === 0 || mayPass(call, command, reasons) ? command : undefined;
}

/** Whether the command may run though the gate is not open; answers if not. Texts and order as redis-server's. */
function mayPass(call: Call, command: Command, reasons: number): boolean {
  const { reply, engine } = call;
  if ((reasons & GATE_LOADING) !== 0) {
    if (command.allowsLoading) return true;
    writeError(reply, 'LOADING Redis is loading the dataset in memory');
    return false;
  }
  // PING is how clients find out that something is wrong.
  if (!command.isWrite && command.spec.name !== 'ping') return true;
  if ((reasons & GATE_LOG) !== 0) {
    const errno = gateErrno(engine.gate);
    const cause = errno === 0 ? 'the log is being begun anew' : systemErrorText(errno);
    writeError(reply, `MISCONF Errors writing to the AOF file: ${cause}`);
  } else {
    writeError(reply, SNAPSHOT_MISCONF);
  }
  return false;
}

function runKeyless(call: Call, command: Command, replyStart: number): void {
  call.shard = call.engine.shards[0];
  try {
    command.handler(call);
  } catch (error) {
    replyInternalError(call, command, replyStart, error);
    for (const shard of call.engine.shards) mendIfSuspect(call, shard);
  }
}

function runOneKey(call: Call, command: Command, replyStart: number): void {
  const { engine, spans } = call;
  const start = spans[2 * command.firstKey];
  const shard =
    engine.shards[engine.slotShard[slotOfKey(call.input, start, spans[2 * command.firstKey + 1])]];
  call.shard = shard;
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
    if (command.deniesOom && mayFit && !makeRoomInOne(call, shard, needBytes)) {
      writeError(call.reply, OUT_OF_MEMORY);
    } else {
      command.handler(call);
    }
  } catch (error) {
    replyInternalError(call, command, replyStart, error);
    mendAfterFailure(call, shard, lsn);
  } finally {
    // An expired key that a reader has removed would be gone without a record as well.
    if (command.isWrite && shard.numbers[LSN] !== lsn) engine.changes.writes += 1;
    // Also what others have left pending: no reply shows what is not in the log when it leaves.
    if (isDrainDue(shard)) noteTouched(engine.changes, shard);
    releaseShard(shard);
  }
}

/** False when there is not enough to evict. */
function makeRoomInOne(call: Call, shard: Shard, bytes: number): boolean {
  let room = makeRoom(shard, bytes, call.nowMs);
  for (let rounds = 0; room === ROOM_LATER && rounds < ROOM_ROUNDS_MAX; rounds += 1) {
    drainBetween(call, shard);
    // The log takes nothing at present: the journal has to hold it.
    const isStuck = pendingBytes(shard) > JOURNAL_EVICTION_BYTES_MAX;
    room = makeRoom(shard, bytes, call.nowMs, isStuck ? Infinity : JOURNAL_EVICTION_BYTES_MAX);
  }
  return room === ROOM_MADE;
}

/** Has the pending records of a shard written, for which its lock is given back and taken again. */
function drainBetween(call: Call, shard: Shard): void {
  noteTouched(call.engine.changes, shard);
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
