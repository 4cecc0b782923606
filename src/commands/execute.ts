/**
 * One command from its arguments to its reply: the one place where commands are refused, locks taken and bugs caught.
 *
 * Runs on the thread of the connection. Nothing here allocates, awaits or throws on the way of a good command.
 */
import { spanText } from '../base/bytes.ts';
import { SHARDS_MAX } from '../config/limits.ts';
import { COMMAND_CALLS, COMMANDS, ERROR_REPLIES, INTERNAL_ERRORS } from '../metrics/names.ts';
import { writeError } from '../resp/reply-writer.ts';
import { slotOfKey } from '../routing/slot.ts';
import { canEverHold, makeRoom } from '../shard/eviction.ts';
import { LIMIT_BYTES, LSN } from '../shard/layout.ts';
import { acquireShard, releaseShard } from '../shard/lock.ts';
import { isSuspect, mendShard } from '../shard/recover.ts';
import type { Shard } from '../shard/shard.ts';
import { argumentText, isWord, OUT_OF_MEMORY } from './arguments.ts';
import type { Call, Command } from './call.ts';
import { unknownSubcommandText } from './help.ts';
import { findCommand } from './registry.ts';

/** What a new key costs besides its own bytes and its value's: header, index and rounding. */
const KEY_OVERHEAD_BYTES = 64;

/** Names and arguments are quoted up to this in errors, as redis-server does. */
const QUOTED_CHARACTERS_MAX = 128;

const MINUS = 45;

/** Which shards the running command locks, one byte each, and the bytes that it may add to each. One per thread. */
const locking = { wanted: new Uint8Array(SHARDS_MAX), needs: new Float64Array(SHARDS_MAX) };

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
  return command;
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

/** Such a command locks for itself, and has released: what it may have left half done shows in the shard. */
function mendIfSuspect(call: Call, shard: Shard): void {
  acquireShard(shard);
  try {
    if (isSuspect(shard)) mendAfterFailure(call, shard, NaN);
  } finally {
    releaseShard(shard);
  }
}

function runOneKey(call: Call, command: Command, replyStart: number): void {
  const { engine, spans } = call;
  const start = spans[2 * command.firstKey];
  const shard =
    engine.shards[engine.slotShard[slotOfKey(call.input, start, spans[2 * command.firstKey + 1])]];
  call.shard = shard;
  acquireShard(shard);
  const lsn = shard.numbers[LSN];
  try {
    const needBytes = spans[2 * call.count - 1] - start + KEY_OVERHEAD_BYTES;
    // What no eviction makes room for is left to the handler, which knows the exact reason.
    const mayFit = needBytes <= shard.numbers[LIMIT_BYTES];
    if (command.deniesOom && mayFit && !makeRoom(shard, needBytes, call.nowMs)) {
      writeError(call.reply, OUT_OF_MEMORY);
    } else {
      command.handler(call);
    }
  } catch (error) {
    replyInternalError(call, command, replyStart, error);
    mendAfterFailure(call, shard, lsn);
  } finally {
    releaseShard(shard);
  }
}

/** Takes the locks of all keys' shards in ascending order, so that the command is atomic and no two can wait in a ring. */
function runManyKeys(call: Call, command: Command, replyStart: number): void {
  const { shards } = call.engine;
  const { wanted } = locking;
  wantShards(call, command);
  for (let index = 0; index < shards.length; index += 1) {
    if (wanted[index] === 1) acquireShard(shards[index]);
  }
  try {
    if (!command.deniesOom || makeRoomInAll(call)) command.handler(call);
  } catch (error) {
    replyInternalError(call, command, replyStart, error);
    for (let index = 0; index < shards.length; index += 1) {
      // How each stood before is not kept: a failure over many keys is rare enough to check them all.
      if (wanted[index] === 1) mendAfterFailure(call, shards[index], NaN);
    }
  } finally {
    for (let index = shards.length - 1; index >= 0; index -= 1) {
      if (wanted[index] === 1) releaseShard(shards[index]);
    }
  }
}

/** Marks the shards of the keys, and adds up what each would have to store. */
function wantShards(call: Call, command: Command): void {
  const { engine, spans, count } = call;
  const { wanted, needs } = locking;
  wanted.fill(0, 0, engine.shards.length);
  needs.fill(0, 0, engine.shards.length);
  const last = command.lastKey < 0 ? count + command.lastKey : command.lastKey;
  let first = -1;
  for (let index = command.firstKey; index <= last; index += command.keyStep) {
    const start = spans[2 * index];
    const shard = engine.slotShard[slotOfKey(call.input, start, spans[2 * index + 1])];
    const behind = Math.min(index + command.keyStep, count) - 1;
    wanted[shard] = 1;
    needs[shard] += spans[2 * behind + 1] - start + KEY_OVERHEAD_BYTES;
    if (first < 0) first = shard;
  }
  call.shard = engine.shards[Math.max(0, first)];
}

/** All or nothing: what one shard cannot hold is refused before any key changes. Answers when it is false. */
function makeRoomInAll(call: Call): boolean {
  const { shards } = call.engine;
  const { wanted, needs } = locking;
  for (let index = 0; index < shards.length; index += 1) {
    if (wanted[index] === 0) continue;
    if (!canEverHold(shards[index], needs[index])) {
      writeError(
        call.reply,
        `ERR ${needs[index]} bytes do not fit into one shard (raise maxmemory or lower workers)`,
      );
      return false;
    }
    if (!makeRoom(shards[index], needs[index], call.nowMs)) {
      writeError(call.reply, OUT_OF_MEMORY);
      return false;
    }
  }
  return true;
}

/** A bug of ours: the client gets one line, the log the stack, and the shards are checked before others enter them. */
function replyInternalError(call: Call, command: Command, replyStart: number, error: unknown): void {
  const { reply, engine } = call;
  reply.length = replyStart;
  const text = error instanceof Error ? error.message : String(error);
  writeError(reply, `ERR internal error in '${command.spec.name}': ${text}`);
  engine.counters[INTERNAL_ERRORS] += 1;
  engine.log.error(`command '${command.spec.name}' failed`, error);
}

function mendAfterFailure(call: Call, shard: Shard, lsnBefore: number): void {
  if (!isSuspect(shard) && shard.numbers[LSN] === lsnBefore) return;
  call.engine.log.warning(`shard ${shard.index} after a failed command: ${mendShard(shard, call.nowMs)}`);
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
