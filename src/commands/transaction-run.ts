/**
 * EXEC: the locks of all shards that a transaction touches or watches, then its commands, one after the other.
 *
 * Runs on the thread of the connection. Nobody else sees a part of what is done, and the log gets all of its records or none:
 * what would not fit is refused before the first command. Whatever has journals drained comes before the watched keys are looked
 * at, for the locks are given back meanwhile.
 */
import { LogBehindError } from '../base/errors.ts';
import { JOURNAL_SOFT_BYTES } from '../config/limits.ts';
import { LIMIT_CUTS } from '../metrics/names.ts';
import { writeArray, writeError, writeNullArray } from '../resp/reply-writer.ts';
import { foreseeSetUser } from './acl.ts';
import { forgetForeseen } from './acl-access.ts';
import { isRefusedInExec } from './acl-refusal.ts';
import { OUT_OF_MEMORY } from './arguments.ts';
import type { Call } from './call.ts';
import type { Engine } from './engine.ts';
import { makeRoomInAll } from './many-keys.ts';
import { runHeld } from './run-held.ts';
import { GUARD_QUEUE, GUARD_TRACKING, setGuard } from './session.ts';
import {
  acquireWanted,
  drainWanted,
  groupWanted,
  isAnyJournalOver,
  noteWanted,
  releaseWanted,
  setLocksKept,
  sumOfLsns,
  wantNone,
} from './shard-locks.ts';
import { beginInside, endInside } from './timing.ts';
import { trackReads } from './tracking-reads.ts';
import { awaitLate, beginCollecting, endCollecting, isPutOff } from './transaction-late.ts';
import { leaveTransaction, loadQueued, recycle, type Transaction } from './transaction-queue.ts';
import { fitsLog, LOG_FITS, LOG_FITS_LATER, measureTransaction, memoryNeeds } from './transaction-room.ts';
import { isAnyTouched, unwatchAll, wantWatched } from './watch.ts';

const ABORTED_FOR = 'EXECABORT Transaction discarded because of:';

/**
 * Executes what the client has queued, or answers why not; it is out of MULTI then, also where a bug throws in the middle of it. Where it
 * throws and the client is in MULTI still, nothing was done.
 */
export function runTransaction(call: Call, transaction: Transaction): void {
  const { engine, session, input, spans, count, command, reply } = call;
  const replyStart = reply.length;
  let hasChanged = false;
  lockAll(call, transaction);
  try {
    const refusal = refusalOf(call, transaction, replyStart);
    const before = sumOfLsns(engine);
    setLocksKept(true);
    const isTouched = isAnyTouched(session, call.nowMs);
    unwatchAll(session);
    if (refusal !== undefined) writeError(reply, `${ABORTED_FOR} ${refusal}`);
    else if (isTouched) writeNullArray(reply);
    else runQueued(call, transaction, replyStart);
    hasChanged = transaction.isWrite && sumOfLsns(engine) !== before;
  } finally {
    // Half of it was done, and must not be done again.
    if ((session.guards & GUARD_QUEUE) === 0) leaveTransaction(session);
    endCollecting(session);
    forgetForeseen(engine.access, session);
    setLocksKept(false);
    unlockAll(engine, transaction, hasChanged);
    call.input = input;
    call.spans = spans;
    call.count = count;
    call.command = command;
    call.isDeferred = false;
  }
  leaveTransaction(session);
  if (!awaitLate(call, hasChanged)) recycle(transaction);
}

function lockAll(call: Call, transaction: Transaction): void {
  wantNone(call.engine);
  measureTransaction(call, transaction);
  wantWatched(call.session);
  acquireWanted(call.engine);
}

function unlockAll(engine: Engine, { isWrite }: Transaction, hasChanged: boolean): void {
  if (hasChanged) engine.changes.writes += 1;
  if (isWrite) groupWanted(engine);
  noteWanted(engine);
  releaseWanted(engine);
}

/**
 * Makes room for all that is queued, of memory and in the journals; the reason where there is none. With the locks, which it
 * may give back and take again.
 */
function refusalOf(call: Call, transaction: Transaction, replyStart: number): string | undefined {
  const { engine, reply } = call;
  if (!transaction.isWrite) return undefined;
  if (isAnyJournalOver(engine, JOURNAL_SOFT_BYTES)) drainWanted(engine);
  if (transaction.deniesOom && !makeRoomInAll(call, memoryNeeds(engine.shards))) {
    reply.length = replyStart;
    return OUT_OF_MEMORY;
  }
  if (fitsLog(call, transaction) === LOG_FITS_LATER) drainForRoom(engine);
  return fitsLog(call, transaction) === LOG_FITS ? undefined : 'its changes do not fit into the log at once';
}

/** Main cannot drain: a worker does it, and EXEC is tried again. */
function drainForRoom(engine: Engine): void {
  if (engine.workerIndex < 0) {
    noteWanted(engine);
    throw new LogBehindError(engine.shards[0].index);
  }
  drainWanted(engine);
}

/** Whether more of the reply is there than the client may leave unread: it is closed, no more is kept of it, and the rest is executed. */
function isOverLimit({ engine, session, reply }: Call, replyStart: number): boolean {
  const { hardBytes } = engine.config.clientOutputBufferLimit.normal;
  if (hardBytes === 0 || reply.length - replyStart <= hardBytes) return false;
  engine.log.warning(`client ${session.id} closed: the reply of EXEC passed client-output-buffer-limit`);
  engine.counters[LIMIT_CUTS] += 1;
  session.connection.destroy();
  return true;
}

/** Runs the commands under the locks. They count, and are timed, like any others. */
function runQueued(call: Call, transaction: Transaction, replyStart: number): void {
  const { engine, session, reply } = call;
  const { commands } = transaction;
  setGuard(session, GUARD_QUEUE, false);
  writeArray(reply, commands.length);
  beginCollecting(session, transaction, replyStart);
  const startMs = beginInside(engine);
  let isCut = false;
  for (let index = 0; index < commands.length; index += 1) {
    const command = loadQueued(call, transaction, index);
    if (isRefusedInExec(call, command)) continue;
    if (!isPutOff(call, command, index)) {
      if ((session.guards & GUARD_TRACKING) !== 0) trackReads(call, command);
      runHeld(call, command);
    }
    if (command.spec.name === 'acl|setuser') foreseeSetUser(call);
    isCut ||= isOverLimit(call, replyStart);
    if (isCut) reply.length = replyStart;
  }
  endInside(call, startMs);
}
