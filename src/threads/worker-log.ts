/**
 * A worker's end of the log: opens the writer when main says so, keeps its clockwork, and passes trouble on.
 *
 * Runs on the worker.
 */
import type { Clock } from '../base/clock.ts';
import type { Engine } from '../commands/engine.ts';
import { LOG_TICK_MS } from '../config/limits.ts';
import type { MadeSegment } from '../durability/disk-state.ts';
import { openLogBoard } from '../durability/log-board.ts';
import { settleCommits } from '../durability/log-commit.ts';
import { joinSegment, type Segment } from '../durability/log-segment.ts';
import { createLogWriter, type LogWriter } from '../durability/log-stream.ts';
import { closeFiles, syncNow, syncTick } from '../durability/log-sync.ts';
import { offerSegment, resetAfterRebase, retry, rotate, seal } from '../durability/log-writer.ts';
import { createDiskStorage } from '../durability/storage.ts';
import { closeGate, GATE_LOG } from '../resilience/gate.ts';
import { MAIN_THREAD_ID, type ThreadBoot, threadIdOfWorker } from './boot.ts';
import { type Bus, handleTopic, publishTo } from './bus.ts';
import { watchDisk } from './log-latency.ts';
import {
  type LogTroubleReport,
  TOPIC_LOG_CLOSE,
  TOPIC_LOG_GIVE_UP,
  TOPIC_LOG_OFFER,
  TOPIC_LOG_OPEN,
  TOPIC_LOG_PROGRESS,
  TOPIC_LOG_RESET,
  TOPIC_LOG_RETRY,
  TOPIC_LOG_ROTATE,
  TOPIC_LOG_SEAL,
  TOPIC_LOG_TROUBLE,
  TOPIC_LOG_WANTS_SEGMENT,
} from './log-topics.ts';

/** What the network side does with a writer (net/turn-log.ts, net/output.ts). */
export type LogUser = {
  readonly attach: (writer: LogWriter) => void;
  readonly detach: () => void;
  /** The log has failed: replies that wait for it become errors, or leave all the same (`on-log-error continue`). */
  readonly fail: () => void;
};

export type WorkerLog = {
  readonly user: LogUser;
  writer: LogWriter | undefined;
  timer: NodeJS.Timeout | undefined;
};

/** Answers main's topics from now on; begins to log at once where the worker replaces one that did. */
export function startWorkerLog(
  boot: ThreadBoot,
  engine: Engine,
  bus: Bus,
  clock: Clock,
  user: LogUser,
): WorkerLog {
  const log: WorkerLog = { user, writer: undefined, timer: undefined };
  const open = (segment: MadeSegment): boolean => {
    closeWorkerLog(log);
    const writer = createWriter(boot, engine, bus, clock, user, segment);
    log.writer = writer;
    log.timer = setInterval(() => syncTick(writer, clock.monotonicMs()), LOG_TICK_MS);
    log.timer.unref();
    user.attach(writer);
    return true;
  };
  handleTopic<MadeSegment>(bus, TOPIC_LOG_OPEN, open);
  handleTopic(bus, TOPIC_LOG_CLOSE, () => closeWorkerLog(log));
  handleTopic<MadeSegment>(bus, TOPIC_LOG_OFFER, (segment) => {
    if (log.writer !== undefined && log.writer.next === undefined) offerSegment(log.writer, opened(segment));
  });
  handleTopic<MadeSegment>(
    bus,
    TOPIC_LOG_ROTATE,
    (segment) => log.writer !== undefined && rotateTo(log.writer, segment),
  );
  handleTopic<MadeSegment>(bus, TOPIC_LOG_RESET, (segment) => {
    // A replacement could not go on where the dead had come to.
    if (log.writer === undefined) open(segment);
    if (log.writer !== undefined) resetAfterRebase(log.writer, opened(segment));
    return true;
  });
  handleTopic(bus, TOPIC_LOG_GIVE_UP, () => user.fail());
  handleTopic(bus, TOPIC_LOG_RETRY, () => log.writer === undefined || retry(log.writer));
  handleTopic(bus, TOPIC_LOG_SEAL, () => log.writer !== undefined && seal(log.writer));
  handleTopic(bus, TOPIC_LOG_PROGRESS, () => {
    if (log.writer !== undefined) settleCommits(log.writer);
  });
  if (boot.logSegment !== undefined) open(boot.logSegment);
  return log;
}

/** Puts on the disk what has been written, and ends. The turn's records have been written before. */
export function closeWorkerLog(log: WorkerLog): void {
  clearInterval(log.timer);
  if (log.writer === undefined) return;
  const { writer } = log;
  log.writer = undefined;
  syncNow(writer);
  closeFiles(writer);
  log.user.detach();
  for (const { waiting } of writer.commits) for (const done of waiting) done();
}

function createWriter(
  boot: ThreadBoot,
  engine: Engine,
  bus: Bus,
  clock: Clock,
  user: LogUser,
  segment: MadeSegment,
): LogWriter {
  return createLogWriter({
    board: openLogBoard(boot.logBoard, boot.workerCount),
    stream: boot.workerIndex,
    threadId: boot.threadId,
    storage: watchDisk(createDiskStorage(), engine),
    clock,
    shards: engine.shards,
    settings: engine.config,
    segment: opened(segment),
    hooks: {
      onTrouble: (kind, error) => {
        const errno = (error as NodeJS.ErrnoException | undefined)?.errno ?? 0;
        if (engine.config.onLogError === 'refuse') closeGate(engine.gate, GATE_LOG, errno);
        user.fail();
        const report: LogTroubleReport = { kind, text: textOf(error), errno };
        publishTo(bus, MAIN_THREAD_ID, TOPIC_LOG_TROUBLE, report);
      },
      onHealthy: () => undefined,
      wantSegment: () => publishTo(bus, MAIN_THREAD_ID, TOPIC_LOG_WANTS_SEGMENT, undefined),
      tellProgress: (stream) => publishTo(bus, threadIdOfWorker(stream), TOPIC_LOG_PROGRESS, undefined),
    },
  });
}

/** The segment takes the place of one that was offered and not used yet. */
function rotateTo(writer: LogWriter, segment: MadeSegment): boolean {
  if (writer.next !== undefined && !rotate(writer)) return false;
  offerSegment(writer, opened(segment));
  return rotate(writer);
}

/** Main has made it, and nobody has written to it yet. A file that a thread has open is closed when the thread dies. */
function opened({ stream, sequence, epoch }: MadeSegment): Segment {
  return joinSegment(createDiskStorage(), stream, sequence, epoch);
}

function textOf(error: unknown): string {
  return error instanceof Error ? error.message : '';
}
