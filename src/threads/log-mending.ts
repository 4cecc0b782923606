/**
 * The log in trouble: who is told, the breaker in front of the disk, and how the log becomes whole again.
 *
 * Main thread. A block that could not be written is tried again; a log that may have a hole is begun anew, in an epoch behind a
 * snapshot. In the meantime writes are refused (`on-log-error refuse`) or go unlogged (`continue`).
 */
import {
  breakLog,
  isLogBroken,
  isLogTroubled,
  isStreamFailing,
  mendLog,
  troubleErrno,
} from '../durability/log-board.ts';
import { LOG_BREAKER_OPENED, LOG_BREAKER_STATE, LOG_TROUBLED } from '../metrics/persistence.ts';
import { allow, REFUSED, recordFailure, recordSuccess, stateName } from '../resilience/circuit-breaker.ts';
import { closeGate, GATE_LOG, openGate } from '../resilience/gate.ts';
import { stopJournaling } from '../shard/journal.ts';
import { threadIdOfWorker } from './boot.ts';
import { publish, requestFrom } from './bus.ts';
import { beginBehindSnapshot, forEachLocked } from './log-epoch.ts';
import { TOPIC_LOG_GIVE_UP, TOPIC_LOG_RESET, TOPIC_LOG_RETRY } from './log-topics.ts';
import { inTurn, type Persistence } from './persistence.ts';

/** By the numbers that metrics/persistence.ts gives them. */
const BREAKER_STATES = ['closed', 'open', 'half-open'];

/** The disk has failed: the breaker opens, and writes are refused or go on unlogged. */
export function noteTrouble(persistence: Persistence): void {
  const { breaker, board, gate, numbers, clock, config, log, bus } = persistence;
  if (!persistence.isLogging) return;
  // Also those that have begun to wait since the trouble is known.
  publish(bus, TOPIC_LOG_GIVE_UP, undefined);
  if (numbers[LOG_TROUBLED] === 1) return;
  numbers[LOG_TROUBLED] = 1;
  // Without an error of the disk there is nothing to wait for.
  if (troubleErrno(board) !== 0 && recordFailure(breaker, clock.monotonicMs())) {
    numbers[LOG_BREAKER_OPENED] += 1;
  }
  if (config.onLogError === 'refuse') {
    closeGate(gate, GATE_LOG, troubleErrno(board));
    log.error('the log cannot be written: writes are refused until it can', undefined);
    return;
  }
  // What is not logged from here on makes the log useless as it is.
  breakLog(board, troubleErrno(board));
  void forEachLocked(persistence.shards, stopJournaling);
  log.error('the log cannot be written: serving on without it, as on-log-error says', undefined);
}

/** One probe, when the breaker lets one through. */
export async function mendTrouble(persistence: Persistence, nowMs: number): Promise<void> {
  const { breaker, numbers, log, isTroubleBeingMended, stopping } = persistence;
  if (numbers[LOG_TROUBLED] === 0 || isTroubleBeingMended || stopping) return;
  if (allow(breaker, nowMs) === REFUSED) return;
  persistence.isTroubleBeingMended = true;
  try {
    await inTurn(persistence, () => probeLog(persistence));
    if (numbers[LOG_TROUBLED] === 1) log.notice('the log is written again');
    endTrouble(persistence);
  } catch (error) {
    recordFailure(breaker, persistence.clock.monotonicMs());
    log.verbose(`the log still cannot be written: ${(error as Error).message}`);
  } finally {
    persistence.isTroubleBeingMended = false;
  }
}

/** Nothing is refused on account of the log any more. */
export function endTrouble({ breaker, numbers, gate }: Persistence): void {
  recordSuccess(breaker);
  numbers[LOG_TROUBLED] = 0;
  openGate(gate, GATE_LOG);
}

export function noteBreaker({ numbers, breaker }: Persistence): void {
  numbers[LOG_BREAKER_STATE] = BREAKER_STATES.indexOf(stateName(breaker));
}

/** Asks every worker to try again what it holds back; when all have answered, each has ended a turn. */
async function retryStreams({ bus, boot }: Persistence): Promise<void> {
  for (let stream = 0; stream < boot.workerCount; stream += 1) {
    await requestFrom(bus, threadIdOfWorker(stream), TOPIC_LOG_RETRY, undefined);
  }
}

async function probeLog(persistence: Persistence): Promise<void> {
  const { board, bus } = persistence;
  // It may have been turned off meanwhile.
  if (!persistence.isLogging) return;
  if (isLogBroken(board)) {
    await beginBehindSnapshot(persistence, TOPIC_LOG_RESET, () => true);
    mendLog(board);
  }
  for (let stream = 0; stream < board.streams; stream += 1) {
    if (!isStreamFailing(board, stream)) continue;
    const isWritten = await requestFrom<boolean>(bus, threadIdOfWorker(stream), TOPIC_LOG_RETRY, undefined);
    if (isWritten !== true) throw new Error(`worker ${stream} cannot write`);
  }
  await retryStreams(persistence);
  if (isLogTroubled(board)) throw new Error('it has failed again meanwhile');
}
