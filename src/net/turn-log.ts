/**
 * The log's place in a worker's turn: what the turn has changed is written before its replies leave.
 *
 * Runs on the worker. Replies of connections that have changed something wait while the policy is `always` and the disk is
 * not there yet; other connections go on. If the log cannot be written, such replies become errors: the change is in
 * memory, and nobody can say whether it will be there after a crash.
 */
import { Buffer } from 'node:buffer';
import { systemErrorText } from '../base/platform.ts';
import { clearTouched, noteTouched } from '../commands/changes.ts';
import { isLogTroubled, troubleErrno } from '../durability/log-board.ts';
import { commitLater } from '../durability/log-commit.ts';
import type { LogWriter } from '../durability/log-stream.ts';
import { logTurn } from '../durability/log-writer.ts';
import { countErrors } from '../metrics/error-counts.ts';
import { countReplies } from '../resp/reply-count.ts';
import { isDrainDue } from '../shard/journal.ts';
import type { Shard } from '../shard/shard.ts';
import type { Connection, Output, Serving, TurnLog } from './serving.ts';

/** What may become of the replies of this turn's writers: they leave, they wait for the disk, they become errors. */
export const TURN_SAFE = 0;
export const TURN_WAITS = 1;
export const TURN_FAILED = 2;

/** From now on this worker writes what its turns change. `servesWithout`: whether it goes on when that fails. */
export function attachLog(serving: Serving, writer: LogWriter, servesWithout: () => boolean): void {
  serving.log = {
    ...{ writer, servesWithout, commits: 1, hasFailed: false },
    held: new Set(),
    settling: new Set(),
  };
  serving.engine.drainLog = () => drainTouched(serving);
  serving.engine.whenSynced = (done) => {
    // What this very turn has changed is part of it.
    drainTouched(serving);
    callWhenSynced(writer, done);
  };
  serving.engine.whenLogged = (done) => {
    drainTouched(serving);
    commitLater(writer, done);
  };
}

/** From now on nothing is written; replies that wait leave as they are. */
export function detachLog(serving: Serving, release: (connection: Connection) => void): void {
  const held = [...(serving.log?.held ?? [])];
  serving.log?.held.clear();
  if (serving.log !== undefined) endSettling(serving.log, true);
  serving.log = undefined;
  serving.engine.drainLog = () => undefined;
  serving.engine.whenSynced = undefined;
  serving.engine.whenLogged = undefined;
  for (const connection of held) release(connection);
}

/** Writes what the turn has changed so far. Without any change, waits for what others have in flight. */
export function logChanges(serving: Serving, log: TurnLog): number {
  drainTouched(serving);
  const isSafe = !log.hasFailed;
  log.hasFailed = false;
  if (isSafe) return TURN_SAFE;
  if (!isLogTroubled(log.writer.board)) return TURN_WAITS;
  return log.servesWithout() ? TURN_SAFE : TURN_FAILED;
}

/** Sees to it that the records that housekeeping has left in these shards are written at the end of this turn. */
export function noteHousekeeping(serving: Serving, shards: readonly Shard[]): void {
  if (serving.log === undefined) return;
  for (const shard of shards) if (isDrainDue(shard)) noteTouched(serving.engine.changes, shard);
}

/** Replies of a turn that could not be logged, as so many errors. */
export function failedReplies(serving: Serving, { bytes }: Output): Output {
  const errno = serving.log === undefined ? 0 : troubleErrno(serving.log.writer.board);
  const cause = errno === 0 ? 'the log is broken' : systemErrorText(errno);
  const error = Buffer.from(`-MISCONF Errors writing to the AOF file: ${cause}\r\n`);
  const count = countReplies(bytes, 0, bytes.length);
  countErrors(serving.engine.counters, 'MISCONF', count);
  return { bytes: Buffer.concat(new Array(count).fill(error)), isPush: false, place: undefined };
}

/** Tells those who wait for changes of main how that ended. */
export function endSettling(log: TurnLog, isSafe: boolean): void {
  for (const end of [...log.settling]) end(isSafe);
}

/** Calls `done` when what this worker has logged so far is as safe as the policy promises. */
export function whenCommitted(log: TurnLog, done: () => void): void {
  commitLater(log.writer, done);
}

/** At once, which the caller expects; or later, and then never in the middle of a command. */
function callWhenSynced(writer: LogWriter, done: () => void): void {
  let isAtOnce = true;
  commitLater(writer, () => (isAtOnce ? done() : void setImmediate(done)), true);
  isAtOnce = false;
}

function drainTouched({ engine, log }: Serving): void {
  if (log === undefined) return;
  const { changes } = engine;
  if (!logTurn(log.writer, changes.touched, changes.count)) log.hasFailed = true;
  clearTouched(changes);
  if (engine.onLogged !== undefined && log.writer.turnBlock !== 0) engine.onLogged();
}
