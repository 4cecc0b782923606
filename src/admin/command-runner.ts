/**
 * Commands for clients of HTTP, executed in place on shared memory by the main thread.
 *
 * One per process, shared by its HTTP apps. Main must never wait long: it alone frees the lock of a worker that died. So its
 * wait for a shard is bounded, and after a shard was busy main does not wait at all for a moment, so that the requests
 * behind do not add up. What was changed goes to the log through a worker (threads/settling.ts) before its reply leaves.
 */
import { Buffer } from 'node:buffer';
import { assert } from '../base/assert.ts';
import { LogBehindError, ShardBusyError } from '../base/errors.ts';
import { systemErrorText } from '../base/platform.ts';
import { bindSession } from '../commands/acl-access.ts';
import type { Call, Command } from '../commands/call.ts';
import { noteTouched } from '../commands/changes.ts';
import type { Engine } from '../commands/engine.ts';
import { executeCall, executeRow } from '../commands/execute.ts';
import { isLeaseOver } from '../commands/fencing.ts';
import '../commands/families.ts';
import { findByName } from '../commands/registry.ts';
import { createSession, type Session, type SessionConnection } from '../commands/session.ts';
import { JOURNAL_SOFT_BYTES, MAIN_LOCK_PAUSE_MS, MAIN_LOCK_WAIT_MS } from '../config/limits.ts';
import { isLogTroubled } from '../durability/log-board.ts';
import { createReplyWriter, type ReplyWriter } from '../resp/reply-writer.ts';
import { isDrainDue, pendingBytes } from '../shard/journal.ts';
import { mustSettle, type Settled, type Settling, whenSettled } from '../threads/settling.ts';

const REPLY_BYTES_START = 16 * 1024;
const REPLY_BYTES_KEPT_MAX = 1024 * 1024;

/** HTTP's clients are no connections of RESP: none of them has an id. */
const NO_CLIENT_ID = 0;

export type CommandRunner = {
  readonly engine: Engine;
  readonly settling: Settling;
  readonly call: Call;
  readonly reply: ReplyWriter;
};

/** Why a command was not executed, or its change may not last; for a problem of status 503. */
export type RunTrouble = { readonly isExecuted: boolean; readonly detail: string };

/** For commands that all answer at once. */
export const AT_ONCE: Pick<SessionConnection, 'defer' | 'destroy'> = {
  defer: () => {
    throw new Error('this command does not answer later');
  },
  destroy: () => undefined,
};

const BUSY: RunTrouble = {
  isExecuted: false,
  detail: 'the shard of the key is busy; nothing was done, try again',
};

/** A change that is to be tried again once the log has been written (`whenLogWritten`). */
export const LOG_BEHIND: RunTrouble = {
  isExecuted: false,
  detail: 'too much of the shard of the key waits for the log; nothing was done, try again',
};

/** Another node may own the slot by now. */
const LATE: RunTrouble = {
  isExecuted: true,
  detail: "the change was made, but this node's lease was over before it could be answered: it may not last",
};

export function createCommandRunner(engine: Engine, settling: Settling): CommandRunner {
  const command = findByName('get');
  assert(command !== undefined, 'the commands are installed');
  const reply = createReplyWriter(REPLY_BYTES_START);
  const call: Call = {
    engine,
    input: Buffer.alloc(0),
    spans: new Int32Array(0),
    count: 0,
    command,
    session: createHttpSession(engine, '?', 0, AT_ONCE),
    reply,
    nowMs: 0,
    isDeferred: false,
    shard: engine.shards[0],
  };
  return { engine, settling, call, reply };
}

/** A client of HTTP for one request, in RESP3. `address` is `address:port` of the peer. */
export function createHttpSession(
  engine: Engine,
  address: string,
  database: number,
  { defer, destroy }: Pick<SessionConnection, 'defer' | 'destroy'>,
): Session {
  const nowMs = engine.wallMs();
  const session: Session = createSession({
    id: NO_CLIENT_ID,
    connection: {
      defer,
      closeAfterReply: () => undefined,
      destroy: () => {
        session.closing = true;
        destroy();
      },
      queryBufferBytes: () => 0,
      queryBufferFreeBytes: () => 0,
      outputBytes: () => 0,
      push: () => undefined,
      pushBehind: () => undefined,
      postpone: undefined,
      awaitSlot: undefined,
      places: undefined,
    },
    address,
    localAddress: '?:0',
    fileDescriptor: -1,
    createdAtMs: nowMs,
    isUnixSocket: false,
    isEncrypted: false,
    database,
    protocol: 3,
    authenticated: true,
  });
  return session;
}

/**
 * Executes one command and leaves its reply in `runner.reply`: with `row`, that command; else the one that argument 0 names.
 * Answers with what hindered it. Never waits longer than MAIN_LOCK_WAIT_MS.
 */
export function runCommand(
  runner: CommandRunner,
  session: Session,
  input: Buffer,
  spans: Int32Array,
  row?: Command,
): RunTrouble | undefined {
  const { call, reply, engine } = runner;
  if (reply.bytes.length > REPLY_BYTES_KEPT_MAX) reply.bytes = Buffer.allocUnsafeSlow(REPLY_BYTES_START);
  reply.length = 0;
  reply.protocol = session.protocol;
  call.input = input;
  call.spans = spans;
  call.count = spans.length / 2;
  call.session = session;
  call.nowMs = engine.wallMs();
  // Of each command: the rules may have changed since the one before.
  bindSession(engine.access, session);
  try {
    if (row === undefined) executeCall(call);
    else executeRow(call, row);
    return undefined;
  } catch (error) {
    if (!(error instanceof ShardBusyError)) throw error;
    if (error instanceof LogBehindError) return LOG_BEHIND;
    pauseWaiting(engine);
    return BUSY;
  }
}

/**
 * Calls `done` when the replies of what was executed since the last call may leave: at once where nothing is logged or nothing
 * lacks. `isWrite` says whether something was changed, `turns` what `settling.turns` was before.
 */
export function whenReplySafe(
  runner: CommandRunner,
  isWrite: boolean,
  turns: number,
  done: (trouble: RunTrouble | undefined) => void,
): void {
  const { engine, settling } = runner;
  const { cluster } = engine;
  const end = (trouble?: RunTrouble): void => {
    const isLate = isWrite && cluster !== undefined && isLeaseOver(cluster);
    done(trouble === undefined && isLate ? LATE : trouble);
  };
  const isOvertaken = settling.turns !== turns;
  // Another request has had its changes sent to a worker, and nobody here knows how far that is.
  if (isOvertaken)
    for (const shard of engine.shards) if (isDrainDue(shard)) noteTouched(engine.changes, shard);
  if (isOvertaken || mustSettle(settling, engine.changes)) {
    whenSettled(settling, engine.changes, isWrite, (settled) =>
      end(isWrite ? settledTrouble(settled) : undefined),
    );
  } else {
    end();
  }
}

/** Calls `done` when a worker has written what is pending; with false where it could not, whatever `on-log-error` says to that. */
export function whenLogWritten(
  { engine, settling }: CommandRunner,
  done: (isWritten: boolean) => void,
): void {
  whenSettled(settling, engine.changes, true, (settled) =>
    done(settled !== 'unknown' && settled.isSafe && !isLogTroubled(settling.board)),
  );
}

/** Whether main has changed so much that the log should be written before it changes more. */
export function isLogBehind({ engine }: CommandRunner): boolean {
  const { touched, count } = engine.changes;
  for (let index = 0; index < count; index += 1) {
    if (pendingBytes(touched[index]) > JOURNAL_SOFT_BYTES) return true;
  }
  return false;
}

function settledTrouble(settled: Settled): RunTrouble | undefined {
  if (settled === 'unknown')
    return {
      isExecuted: true,
      detail: 'the change was made, but no worker has told in time that it is in the log',
    };
  if (settled.isSafe) return undefined;
  const cause = settled.errno === 0 ? 'the log is broken' : systemErrorText(settled.errno);
  return {
    isExecuted: true,
    detail: `the change was made in memory, but the log cannot be written: ${cause}`,
  };
}

/** A shard that was busy once in this moment is asked again without waiting. */
function pauseWaiting({ shards }: Engine): void {
  if (shards[0].lockWaitMs === 0) return;
  for (const shard of shards) shard.lockWaitMs = 0;
  setTimeout(() => {
    for (const shard of shards) shard.lockWaitMs = MAIN_LOCK_WAIT_MS;
  }, MAIN_LOCK_PAUSE_MS).unref();
}
