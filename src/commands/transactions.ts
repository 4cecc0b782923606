/**
 * MULTI, EXEC, DISCARD, WATCH and UNWATCH.
 *
 * Runs on the thread of the connection. What is queued stands in transaction-queue.ts, what is watched in watch.ts, and how a
 * transaction is executed in transaction-run.ts. Source: Redis 7.0 `multi.c`.
 */
import { writeError, writeOk } from '../resp/reply-writer.ts';
import type { Call, Handler } from './call.ts';
import type { Session } from './session.ts';
import { beginTransaction, dropTransaction } from './transaction-queue.ts';
import { runTransaction } from './transaction-run.ts';
import { unwatchAll, watchArguments } from './watch.ts';

export const transactionHandlers: Readonly<Record<string, Handler>> = {
  multi,
  exec,
  discard,
  watch,
  unwatch,
};

function multi({ session, reply }: Call): void {
  if (session.transaction !== undefined) {
    writeError(reply, 'ERR MULTI calls can not be nested');
    return;
  }
  beginTransaction(session);
  writeOk(reply);
}

function exec(call: Call): void {
  const { session, reply } = call;
  const { transaction } = session;
  if (transaction === undefined) {
    writeError(reply, 'ERR EXEC without MULTI');
  } else if (transaction.isDirty) {
    endTransaction(session);
    writeError(reply, 'EXECABORT Transaction discarded because of previous errors.');
  } else {
    runTransaction(call, transaction);
  }
}

function discard({ session, reply }: Call): void {
  if (session.transaction === undefined) {
    writeError(reply, 'ERR DISCARD without MULTI');
    return;
  }
  endTransaction(session);
  writeOk(reply);
}

function watch(call: Call): void {
  if (call.session.transaction !== undefined) writeError(call.reply, 'ERR WATCH inside MULTI is not allowed');
  else watchArguments(call);
}

function unwatch({ session, reply }: Call): void {
  unwatchAll(session);
  writeOk(reply);
}

/** The client has no transaction any more, and watches nothing. */
export function endTransaction(session: Session): void {
  dropTransaction(session);
  unwatchAll(session);
}
