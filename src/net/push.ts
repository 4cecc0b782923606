/**
 * What a connection is sent besides the replies to its commands: lines for MONITOR, later messages and notices.
 *
 * Runs on the worker of the connection. A push has its place between two replies, never in the middle of one: behind those
 * that are written, held or put off when it comes. It leaves with them, in the one write of the turn, and counts against
 * the client's limit from the moment it is there.
 */
import type { Buffer } from 'node:buffer';
import { checkOutputLimit, noteDirty } from './output.ts';
import type { Connection } from './serving.ts';

/**
 * Sends bytes that must not change any more; several connections may share them. A client that is being closed gets none.
 * `isBehind`: behind the reply of the command that runs.
 */
export function pushOutput(connection: Connection, bytes: Buffer, isBehind: boolean): void {
  const { serving, session } = connection;
  if (session.closing || bytes.length === 0) return;
  connection.pushedBytes += bytes.length;
  serving.pushedBytes += bytes.length;
  if (connection.deferrals > 0) {
    connection.waitingPushes ??= [];
    connection.waitingPushes.push(bytes);
  } else {
    const { isRunning, replyStart, outputEnd } = connection;
    const runningAt = isBehind ? serving.reply.length : replyStart;
    placePush(connection, bytes, isRunning ? runningAt : outputEnd);
  }
  checkOutputLimit(connection, serving.engine.wallMs());
}

/** The last reply that was put off has been written, up to `at`: what has waited behind it comes next. */
export function placeWaiting(connection: Connection, at: number): void {
  const waiting = connection.waitingPushes;
  if (waiting === undefined) return;
  connection.waitingPushes = undefined;
  for (const bytes of waiting) placePush(connection, bytes, at);
}

/** A command's replies were dropped, back to `end`: what was pushed behind them is there now. */
export function pullPushes({ pushes }: Connection, end: number): void {
  for (const push of pushes ?? []) push.at = Math.min(push.at, end);
}

function placePush(connection: Connection, bytes: Buffer, at: number): void {
  connection.pushes ??= [];
  connection.pushes.push({ at, bytes, place: undefined });
  noteDirty(connection);
}
