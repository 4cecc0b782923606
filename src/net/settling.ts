/**
 * A worker's part in what main changes for clients of HTTP: main has no stream of the log, so a worker writes the records.
 *
 * Runs on the worker, between its turns. Any worker may drain any shard; main asks one (threads/settling.ts), and another
 * where that one dies.
 */
import { noteTouched } from '../commands/changes.ts';
import { isLogTroubled, troubleErrno } from '../durability/log-board.ts';
import { type Bus, handleTopic } from '../threads/bus.ts';
import { type SettleReply, type SettleRequest, TOPIC_LOG_SETTLE } from '../threads/log-topics.ts';
import type { Serving, TurnLog } from './serving.ts';
import { whenCommitted } from './turn-log.ts';

const SAFE: SettleReply = { isSafe: true, errno: 0 };

/** Answers main from now on. */
export function serveSettling(serving: Serving, bus: Bus): void {
  handleTopic<SettleRequest>(bus, TOPIC_LOG_SETTLE, (request) => settle(serving, request));
}

function settle(serving: Serving, { shards, isWrite }: SettleRequest): SettleReply | Promise<SettleReply> {
  const { engine, log } = serving;
  if (log === undefined) return SAFE;
  for (const index of shards) noteTouched(engine.changes, engine.shards[index]);
  // The turn's own replies must still hear of a failure that came before, or now with records of theirs.
  const hadFailed = log.hasFailed;
  log.hasFailed = false;
  engine.drainLog();
  const isSafe = !log.hasFailed;
  log.hasFailed = hadFailed || !isSafe;
  if (isSafe || !isWrite) return SAFE;
  if (isLogTroubled(log.writer.board)) return log.servesWithout() ? SAFE : unsafe(log);
  return settleLater(log);
}

function settleLater(log: TurnLog): Promise<SettleReply> {
  const { promise, resolve } = Promise.withResolvers<SettleReply>();
  const end = (isSafe: boolean) => {
    if (log.settling.delete(end)) resolve(isSafe ? SAFE : unsafe(log));
  };
  log.settling.add(end);
  whenCommitted(log, () => end(true));
  return promise;
}

function unsafe(log: TurnLog): SettleReply {
  return { isSafe: false, errno: troubleErrno(log.writer.board) };
}
