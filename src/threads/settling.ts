/**
 * Main's changes on their way to the log: collected for one turn of main's loop, written by a worker, told when they are safe.
 *
 * Main thread. One message a turn, whatever the number of requests, plus one while replies that only show what others have
 * changed wait as well. A worker that dies is no answer: the next one is asked, whose write finds what the dead one has left.
 */
import { type Changes, clearTouched } from '../commands/changes.ts';
import { SETTLE_MS_MAX, SETTLE_RETRY_MS } from '../config/limits.ts';
import { hasFlights, type LogBoard } from '../durability/log-board.ts';
import { threadIdOfWorker } from './boot.ts';
import { type Bus, requestFrom } from './bus.ts';
import { type SettleReply, type SettleRequest, TOPIC_LOG_SETTLE } from './log-topics.ts';

/** How it ended: as safe as `appendfsync` promises; not, with the number of the disk's error; or nobody has told in time. */
export type Settled = SettleReply | 'unknown';

export type Settling = {
  readonly bus: Bus;
  readonly board: LogBoard;
  readonly workerCount: number;
  readonly monotonicMs: () => number;
  /** Those of this turn. */
  writers: ((settled: Settled) => void)[];
  readers: ((settled: Settled) => void)[];
  isDue: boolean;
  nextWorker: number;
  /** Turns whose changes workers were asked to write, so far. */
  turns: number;
};

export function createSettling(
  bus: Bus,
  board: LogBoard,
  workerCount: number,
  monotonicMs: () => number,
): Settling {
  return {
    bus,
    board,
    workerCount,
    monotonicMs,
    writers: [],
    readers: [],
    isDue: false,
    nextWorker: 0,
    turns: 0,
  };
}

/**
 * Whether what a command has just changed, or shown of what others have changed, is not yet in the log's files. While nothing
 * is logged: false. Some loads.
 */
export function mustSettle({ board }: Settling, changes: Changes): boolean {
  return changes.count > 0 || hasFlights(board);
}

/**
 * Calls `done` when what main's commands have touched so far (`changes`, which is emptied at the end of the turn) is written,
 * and with `isWrite` when it is safe. Never at once.
 */
export function whenSettled(
  settling: Settling,
  changes: Changes,
  isWrite: boolean,
  done: (settled: Settled) => void,
): void {
  (isWrite ? settling.writers : settling.readers).push(done);
  if (settling.isDue) return;
  settling.isDue = true;
  setImmediate(sendTurn, settling, changes);
}

function sendTurn(settling: Settling, changes: Changes): void {
  const { writers, readers } = settling;
  const shards = changes.touched.slice(0, changes.count).map(({ index }) => index);
  clearTouched(changes);
  settling.isDue = false;
  settling.turns += 1;
  settling.writers = [];
  settling.readers = [];
  if (readers.length > 0) send(settling, { shards, isWrite: false }, readers);
  if (writers.length > 0) send(settling, { shards, isWrite: true }, writers);
}

function send(settling: Settling, request: SettleRequest, waiting: ((settled: Settled) => void)[]): void {
  void ask(settling, request).then((settled) => {
    for (const done of waiting) done(settled);
  });
}

async function ask(settling: Settling, request: SettleRequest): Promise<Settled> {
  const { bus, workerCount, monotonicMs } = settling;
  const deadlineMs = monotonicMs() + SETTLE_MS_MAX;
  for (let leftMs = SETTLE_MS_MAX; leftMs > 0; leftMs = deadlineMs - monotonicMs()) {
    const threadId = threadIdOfWorker(settling.nextWorker % workerCount);
    settling.nextWorker += 1;
    const reply = await requestFrom<SettleReply>(bus, threadId, TOPIC_LOG_SETTLE, request, leftMs);
    if (reply !== undefined) return reply;
    await new Promise((resolve) => setTimeout(resolve, SETTLE_RETRY_MS));
  }
  return 'unknown';
}
