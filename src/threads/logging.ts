/**
 * The log as main looks after it: begins it, gives the streams their segments, and turns it on and off.
 *
 * Main thread. What is done when it cannot be written stands in log-mending.ts.
 */
import { StartError } from '../base/errors.ts';
import { LOG_MONITOR_MS } from '../config/limits.ts';
import { beginEpoch, extendStreams, type MadeSegment } from '../durability/disk-state.ts';
import { segmentPath } from '../durability/file-names.ts';
import {
  abandonStream,
  breakLog,
  isLogTroubled,
  mendLog,
  nextBlockNumber,
  startLogBoard,
} from '../durability/log-board.ts';
import { syncAbandoned } from '../durability/log-sync.ts';
import type { SnapshotSet } from '../durability/manifest.ts';
import { EPOCH, LOG_BYTES, LOG_ENABLED } from '../metrics/persistence.ts';
import { startJournaling, stopJournaling } from '../shard/journal.ts';
import { threadIdOfWorker } from './boot.ts';
import { handleTopic, publishTo } from './bus.ts';
import type { LoadEnd } from './loading.ts';
import {
  areAllTold,
  beginBehindSnapshot,
  epochStart,
  extendComing,
  forEachLocked,
  logBytesWritten,
  tellStreams,
} from './log-epoch.ts';
import { endTrouble, mendTrouble, noteBreaker, noteTrouble } from './log-mending.ts';
import {
  type LogTroubleReport,
  TOPIC_LOG_CLOSE,
  TOPIC_LOG_OFFER,
  TOPIC_LOG_OPEN,
  TOPIC_LOG_ROTATE,
  TOPIC_LOG_TROUBLE,
  TOPIC_LOG_WANTS_SEGMENT,
} from './log-topics.ts';
import { inTurn, type Persistence } from './persistence.ts';

/** Begins to log, behind what was loaded. Clients come in after it. */
export async function startLogging(persistence: Persistence, { nextEpoch }: LoadEnd): Promise<void> {
  const { state, numbers } = persistence;
  const segments = beginEpoch(state, epochStart(persistence, nextEpoch));
  persistence.epoch = nextEpoch;
  numbers[EPOCH] = nextEpoch;
  // From here on a worker that dies is replaced by one that logs.
  persistence.isLogging = true;
  numbers[LOG_ENABLED] = 1;
  await forEachLocked(persistence.shards, startJournaling);
  if (areAllTold(persistence, await tellStreams(persistence, TOPIC_LOG_OPEN, segments))) return;
  throw new StartError('a worker cannot write its log', 1);
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
    noteBreaker(persistence);
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
  const { state, board, clock, log, isLogging, coming } = persistence;
  if (!isLogging && coming === undefined) return undefined;
  try {
    const last = lastSequence(persistence, stream);
    if (last !== undefined) syncAbandoned(board, stream, state.storage, segmentPath(stream, last));
    const segment = extendComing(persistence, stream);
    return segment ?? extendStreams(state, [stream], nextBlockNumber(board), clock.wallMs())[0];
  } catch (error) {
    log.error(`the log of worker ${stream} cannot be taken over`, error);
    breakLog(board, (error as NodeJS.ErrnoException).errno ?? 0);
    return undefined;
  }
}

/** Clears away what a dead worker held of the log. Before the locks of its shards are freed. */
export function buryStream(persistence: Persistence, stream: number): void {
  if (!persistence.isLogging && persistence.coming === undefined) return;
  if (abandonStream(persistence.board, stream, threadIdOfWorker(stream))) {
    persistence.log.warning(`worker ${stream} died while it wrote the log, which is begun anew`);
  }
}

/**
 * Turns the log on at run time: an epoch behind a snapshot, which takes what is written meanwhile. Throws what stands in the
 * way; then nothing is logged, as before.
 */
export async function enableLog(persistence: Persistence): Promise<void> {
  const { board, numbers } = persistence;
  mendLog(board);
  startLogBoard(board, nextBlockNumber(board));
  try {
    await beginBehindSnapshot(persistence, TOPIC_LOG_OPEN, () => !isLogTroubled(board));
  } catch (error) {
    await disableLog(persistence);
    throw error;
  }
  persistence.isLogging = true;
  numbers[LOG_ENABLED] = 1;
}

/** Turns it off: what was logged stays as it is on the disk, for the next start. */
export async function disableLog(persistence: Persistence): Promise<void> {
  persistence.isLogging = false;
  persistence.numbers[LOG_ENABLED] = 0;
  await forEachLocked(persistence.shards, stopJournaling);
  await tellStreams(persistence, TOPIC_LOG_CLOSE, []);
  endTrouble(persistence);
}

/** Bytes of the log since the newest snapshot. */
export function logBytesSinceSnapshot(persistence: Persistence): number {
  return logBytesWritten(persistence) - persistence.logBytesBase;
}

function noteLogBytes(persistence: Persistence): void {
  persistence.numbers[LOG_BYTES] = logBytesSinceSnapshot(persistence);
}

/** The segment that a stream has come to. */
function lastSequence({ coming, state }: Persistence, stream: number): number | undefined {
  if (coming !== undefined) return coming.segments.findLast((segment) => segment.stream === stream)?.sequence;
  return state.manifest?.streams.find((one) => one.stream === stream)?.segments.at(-1)?.sequence;
}

function offerNext(persistence: Persistence, stream: number): void {
  const { state, board, clock, bus } = persistence;
  const [segment] = extendStreams(state, [stream], nextBlockNumber(board), clock.wallMs());
  publishTo(bus, threadIdOfWorker(stream), TOPIC_LOG_OFFER, segment);
}
