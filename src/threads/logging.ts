/**
 * The log as main looks after it: begins it, gives the streams their segments, and mends it when the disk has failed.
 *
 * Main thread. A block that could not be written is tried again; a log that may have a hole is begun anew: a new epoch whose
 * base is a snapshot. In the meantime writes are refused (`on-log-error refuse`) or go unlogged (`continue`).
 */
import { LOG_MONITOR_MS } from '../config/limits.ts';
import {
  beginEpoch,
  commitSnapshot,
  type EpochStart,
  extendStreams,
  type MadeSegment,
  nextSetNumber,
  prepareEpoch,
  removeLeftovers,
} from '../durability/disk-state.ts';
import { segmentPath } from '../durability/file-names.ts';
import {
  abandonStream,
  breakLog,
  isLogBroken,
  isLogTroubled,
  isStreamFailing,
  LOG_BYTES_WRITTEN,
  logNumbersOf,
  mendLog,
  nextBlockNumber,
  startLogBoard,
  troubleErrno,
} from '../durability/log-board.ts';
import { syncAbandoned } from '../durability/log-sync.ts';
import type { SnapshotSet } from '../durability/manifest.ts';
import {
  EPOCH,
  LOG_BREAKER_OPENED,
  LOG_BREAKER_STATE,
  LOG_BYTES,
  LOG_BYTES_AT_SNAPSHOT,
  LOG_ENABLED,
  LOG_TROUBLED,
} from '../metrics/persistence.ts';
import { allow, REFUSED, recordFailure, recordSuccess, stateName } from '../resilience/circuit-breaker.ts';
import { closeGate, GATE_LOG, openGate } from '../resilience/gate.ts';
import { startJournaling, stopJournaling } from '../shard/journal.ts';
import { acquireShard, releaseShard } from '../shard/lock.ts';
import { threadIdOfWorker } from './boot.ts';
import { handleTopic, publishTo, requestFrom } from './bus.ts';
import type { LoadEnd } from './loading.ts';
import {
  type LogTroubleReport,
  TOPIC_LOG_CLOSE,
  TOPIC_LOG_OFFER,
  TOPIC_LOG_OPEN,
  TOPIC_LOG_RESET,
  TOPIC_LOG_RETRY,
  TOPIC_LOG_ROTATE,
  TOPIC_LOG_TROUBLE,
  TOPIC_LOG_WANTS_SEGMENT,
} from './log-topics.ts';
import { inTurn, type Persistence } from './persistence.ts';
import { endOfSet, writeSnapshotSet } from './snapshot-set.ts';

/** By the numbers that metrics/persistence.ts gives them. */
const BREAKER_STATES = ['closed', 'open', 'half-open'];

/** Begins to log, behind what was loaded. Clients come in after it. */
export async function startLogging(
  persistence: Persistence,
  { nextEpoch, nextBlock }: LoadEnd,
): Promise<void> {
  const { state, board, numbers } = persistence;
  persistence.epoch = nextEpoch;
  numbers[EPOCH] = nextEpoch;
  startLogBoard(board, nextBlock);
  const segments = beginEpoch(state, epochStart(persistence, nextEpoch));
  for (const shard of persistence.shards) withLock(shard, () => startJournaling(shard));
  await tellStreams(persistence, TOPIC_LOG_OPEN, segments);
  persistence.isLogging = true;
  numbers[LOG_ENABLED] = 1;
}

/** Keeps the log going: segments on demand, and an eye on trouble. Once, at start. */
export function watchLog(persistence: Persistence): void {
  const { bus, log, board, clock } = persistence;
  handleTopic(bus, TOPIC_LOG_WANTS_SEGMENT, (_: unknown, thread) => {
    void inTurn(persistence, () => offerNext(persistence, thread - threadIdOfWorker(0))).catch(
      (error: unknown) => log.error('the next segment of the log cannot be made', error),
    );
  });
  handleTopic<LogTroubleReport>(bus, TOPIC_LOG_TROUBLE, ({ kind, text, errno }, thread) => {
    log.warning(`the log of worker ${thread - threadIdOfWorker(0)} has trouble (${kind})`, {
      error: text,
      errno,
    });
    noteTrouble(persistence);
  });
  const timer = setInterval(() => {
    noteLogBytes(persistence);
    if (!persistence.isLogging) return;
    if (isLogTroubled(board)) noteTrouble(persistence);
    void mendTrouble(persistence, clock.monotonicMs());
  }, LOG_MONITOR_MS);
  timer.unref();
  persistence.timers.push(timer);
}

/** From where on the log is needed beside a snapshot that begins now. */
export type LogCutPoint = { readonly cut: SnapshotSet['cut']; readonly firstBlock: number };

/** Where nobody writes the log any more: nothing of it is needed. */
export function cutBehind({ state, board }: Persistence): LogCutPoint {
  const cut = (state.manifest?.streams ?? []).map(({ stream, segments }) => {
    return { stream, sequence: 1 + (segments.at(-1)?.sequence ?? 0) };
  });
  return { cut, firstBlock: nextBlockNumber(board) };
}

/** Has every stream go on in a new segment. No block behind the answered one is in an older segment. */
export async function rotateStreams(persistence: Persistence): Promise<LogCutPoint> {
  const { state, board, clock, boot } = persistence;
  const streams = Array.from({ length: boot.workerCount }, (_, stream) => stream);
  const segments = extendStreams(state, streams, nextBlockNumber(board), clock.wallMs());
  const rotated = await tellStreams(persistence, TOPIC_LOG_ROTATE, segments);
  if (!rotated.every(Boolean)) throw new Error('the log cannot be written at present');
  const begun = new Map(segments.map(({ stream, sequence }) => [stream, sequence]));
  const { cut, firstBlock } = cutBehind(persistence);
  return {
    cut: cut.map(({ stream, sequence }) => ({ stream, sequence: begun.get(stream) ?? sequence })),
    firstBlock,
  };
}

/** What a worker that died leaves of its stream, and the segment in which its replacement goes on; undefined without a log. */
export function inheritStream(persistence: Persistence, stream: number): MadeSegment | undefined {
  const { state, board, clock, log, isLogging } = persistence;
  if (!isLogging) return undefined;
  try {
    const last = state.manifest?.streams.find((one) => one.stream === stream)?.segments.at(-1);
    if (last !== undefined) syncAbandoned(board, stream, state.storage, segmentPath(stream, last.sequence));
    return extendStreams(state, [stream], nextBlockNumber(board), clock.wallMs())[0];
  } catch (error) {
    log.error(`the log of worker ${stream} cannot be taken over`, error);
    breakLog(board, (error as NodeJS.ErrnoException).errno ?? 0);
    return undefined;
  }
}

/** Clears away what a dead worker held of the log. Before the locks of its shards are freed. */
export function buryStream(persistence: Persistence, stream: number): void {
  if (!persistence.isLogging) return;
  if (abandonStream(persistence.board, stream, threadIdOfWorker(stream))) {
    persistence.log.warning(`worker ${stream} died while it wrote the log, which is begun anew`);
  }
}

/** Turns the log on at run time: a new epoch behind a snapshot. Throws what stands in the way. */
export async function enableLog(persistence: Persistence): Promise<void> {
  const { board, numbers } = persistence;
  breakLog(board, 0);
  const start = epochStart(persistence, persistence.epoch + 1);
  const segments = prepareEpoch(persistence.state, start);
  await tellStreams(persistence, TOPIC_LOG_OPEN, segments);
  persistence.isLogging = true;
  numbers[LOG_ENABLED] = 1;
  await rebaseOn(persistence, start, segments);
}

/** Turns it off: what was logged stays as it is on the disk, for the next start. */
export async function disableLog(persistence: Persistence): Promise<void> {
  persistence.isLogging = false;
  persistence.numbers[LOG_ENABLED] = 0;
  for (const shard of persistence.shards) withLock(shard, () => stopJournaling(shard));
  await tellStreams(persistence, TOPIC_LOG_CLOSE, []);
  openGate(persistence.gate, GATE_LOG);
}

/** Bytes that all streams have written since the process started. */
export function logBytesWritten({ board }: Persistence): number {
  let bytes = 0;
  for (let stream = 0; stream < board.streams; stream += 1) {
    bytes += board.numbers[logNumbersOf(stream) + LOG_BYTES_WRITTEN];
  }
  return bytes;
}

function noteLogBytes(persistence: Persistence): void {
  const { numbers, breaker } = persistence;
  numbers[LOG_BYTES] = logBytesWritten(persistence) - numbers[LOG_BYTES_AT_SNAPSHOT];
  numbers[LOG_BREAKER_STATE] = BREAKER_STATES.indexOf(stateName(breaker));
}

/** The disk has failed: the breaker opens, and writes are refused or go on unlogged. */
function noteTrouble(persistence: Persistence): void {
  const { breaker, board, gate, numbers, clock, config, log } = persistence;
  if (numbers[LOG_TROUBLED] === 1) return;
  numbers[LOG_TROUBLED] = 1;
  // Without an error of the disk there is nothing to wait for.
  if (troubleErrno(board) !== 0 && recordFailure(breaker, clock.monotonicMs()))
    numbers[LOG_BREAKER_OPENED] += 1;
  if (config.onLogError === 'refuse') {
    closeGate(gate, GATE_LOG, troubleErrno(board));
    log.error('the log cannot be written: writes are refused until it can', undefined);
    return;
  }
  // What is not logged from here on makes the log useless as it is.
  breakLog(board, troubleErrno(board));
  for (const shard of persistence.shards) withLock(shard, () => stopJournaling(shard));
  log.error('the log cannot be written: serving on without it, as on-log-error says', undefined);
}

/** One probe, when the breaker lets one through. */
async function mendTrouble(persistence: Persistence, nowMs: number): Promise<void> {
  const { breaker, numbers, gate, log, isTroubleBeingMended, stopping } = persistence;
  if (numbers[LOG_TROUBLED] === 0 || isTroubleBeingMended || stopping) return;
  if (allow(breaker, nowMs) === REFUSED) return;
  persistence.isTroubleBeingMended = true;
  try {
    await inTurn(persistence, () => probeLog(persistence));
    recordSuccess(breaker);
    numbers[LOG_TROUBLED] = 0;
    openGate(gate, GATE_LOG);
    log.notice('the log is written again');
  } catch (error) {
    recordFailure(breaker, persistence.clock.monotonicMs());
    log.verbose(`the log still cannot be written: ${(error as Error).message}`);
  } finally {
    persistence.isTroubleBeingMended = false;
  }
}

async function probeLog(persistence: Persistence): Promise<void> {
  const { board } = persistence;
  if (isLogBroken(board)) {
    await rebase(persistence);
    return;
  }
  for (let stream = 0; stream < board.streams; stream += 1) {
    if (!isStreamFailing(board, stream)) continue;
    if (
      !(await requestFrom<boolean>(persistence.bus, threadIdOfWorker(stream), TOPIC_LOG_RETRY, undefined))
    ) {
      throw new Error(`worker ${stream} cannot write`);
    }
  }
  await retryStreams(persistence);
  if (isLogTroubled(board)) throw new Error('another stream has failed meanwhile');
}

/** Begins a new epoch whose base is a snapshot. What stood in the log before is void from the moment of its commit. */
async function rebase(persistence: Persistence): Promise<void> {
  const start = epochStart(persistence, persistence.epoch + 1);
  const segments = prepareEpoch(persistence.state, start);
  await tellStreams(persistence, TOPIC_LOG_RESET, segments);
  await rebaseOn(persistence, start, segments);
}

async function rebaseOn(
  persistence: Persistence,
  start: EpochStart,
  segments: readonly MadeSegment[],
): Promise<void> {
  const { state, board, numbers } = persistence;
  for (const shard of persistence.shards) withLock(shard, () => startJournaling(shard));
  const set = nextSetNumber(state);
  const written = await writeSnapshotSet(persistence, { set, epoch: start.epoch, share: 1 });
  const cut = segments.map(({ stream, sequence }) => ({ stream, sequence }));
  const done = endOfSet(persistence, written, { set, epoch: start.epoch, cut, firstBlock: start.firstBlock });
  commitSnapshot(state, done, { start, segments });
  persistence.epoch = start.epoch;
  numbers[EPOCH] = start.epoch;
  numbers[LOG_BYTES_AT_SNAPSHOT] = logBytesWritten(persistence);
  mendLog(board);
  removeLeftovers(state);
  await retryStreams(persistence);
}

/** Asks every worker to try again what it holds back; when all have answered, each has ended a turn. */
export async function retryStreams(persistence: Persistence): Promise<void> {
  const { bus, boot } = persistence;
  for (let stream = 0; stream < boot.workerCount; stream += 1) {
    await requestFrom(bus, threadIdOfWorker(stream), TOPIC_LOG_RETRY, undefined);
  }
}

function offerNext(persistence: Persistence, stream: number): void {
  const { state, board, clock, bus } = persistence;
  const [segment] = extendStreams(state, [stream], nextBlockNumber(board), clock.wallMs());
  publishTo(bus, threadIdOfWorker(stream), TOPIC_LOG_OFFER, segment);
}

/** Tells each worker its segment; the answers in the order of the workers. */
function tellStreams(
  persistence: Persistence,
  topic: string,
  segments: readonly MadeSegment[],
): Promise<unknown[]> {
  const { bus, boot } = persistence;
  return Promise.all(
    Array.from({ length: boot.workerCount }, (_, stream) =>
      requestFrom(bus, threadIdOfWorker(stream), topic, segments.at(stream)),
    ),
  );
}

function epochStart({ boot, board, clock, config }: Persistence, epoch: number): EpochStart {
  return {
    epoch,
    streams: boot.workerCount,
    shards: boot.shardBuffers.length,
    databases: config.databases,
    firstBlock: nextBlockNumber(board),
    createdMs: clock.wallMs(),
  };
}

function withLock(shard: Persistence['shards'][number], step: () => void): void {
  acquireShard(shard);
  try {
    step();
  } finally {
    releaseShard(shard);
  }
}
