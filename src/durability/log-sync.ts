/**
 * From the segment onto the disk: when a stream is synced, and what comes of it.
 *
 * Runs on the worker of the stream; the syncs themselves run off its loop, one at a time. Each worker syncs its own files:
 * measured here (ext4, fdatasync off the loop), two files at once take 0.29 ms where one takes 0.25, so that a common file
 * for all workers would save little and cost each a wait for the others' writes. Zero-filled files extended ahead take 0.21,
 * not worth the second write of every byte. A failed sync is never tried again: what the kernel has dropped it forgets.
 */
import { LOG_SYNC_DELAYED_MS, LOG_SYNC_MS } from '../config/limits.ts';
import { recordValue } from '../metrics/histogram.ts';
import {
  isLogBroken,
  isLogTroubled,
  LOG_BYTES_UNSYNCED,
  LOG_BYTES_WRITTEN,
  LOG_SYNC_MS_LAST,
  LOG_SYNC_MS_MAX,
  LOG_SYNCS,
  LOG_SYNCS_DELAYED,
  type LogBoard,
  noteAllSynced,
  noteSynced,
} from './log-board.ts';
import { isAwaitedElsewhere, isSyncAwaited, settleCommits, tellOthers } from './log-commit.ts';
import { breakWriter, closeSegment, isAlways, type LogWriter, type RunningSync } from './log-stream.ts';
import type { Storage } from './storage-types.ts';

const NS_PER_MS = 1e6;

/** Begins a sync if there is something to sync and none runs. Segments go one after the other, the oldest first. */
export function startSync(writer: LogWriter): void {
  if (writer.running !== undefined || isLogBroken(writer.board)) return;
  const sync = nextSync(writer);
  if (sync === undefined) return;
  writer.running = sync;
  writer.syncStartedMs = writer.clock.monotonicMs();
  writer.storage.syncLater(sync.segment.fd, (error) => finishSync(writer, sync, error));
}

/**
 * The stream's clockwork, to be called every 100 ms with monotonic time: syncs once a second under everysec, notices a
 * removed segment, looks after commits, and gives up seals while the log has trouble.
 */
export function syncTick(writer: LogWriter, nowMs: number): void {
  if (isLogTroubled(writer.board)) giveUpSeals(writer);
  if (isLogBroken(writer.board)) return;
  if (isSegmentGone(writer)) {
    breakWriter(writer, 'removed', undefined);
    return;
  }
  if (writer.running !== undefined) noteDelay(writer, writer.running, nowMs);
  else if (isSyncWanted(writer) && nowMs - writer.syncStartedMs >= LOG_SYNC_MS) startSync(writer);
  settleCommits(writer);
}

/** Puts everything that is written on the disk before it returns; for a clean stop. False when that failed. */
export function syncNow(writer: LogWriter): boolean {
  const { storage, board } = writer;
  if (isLogBroken(board)) return false;
  try {
    for (const { segment } of writer.retired) storage.sync(segment.fd);
    storage.sync(writer.segment.fd);
  } catch (error) {
    breakWriter(writer, 'sync', error);
    return false;
  }
  noteReached(writer, writer.writtenBlock, board.numbers[writer.numbersAt + LOG_BYTES_WRITTEN]);
  return true;
}

/** Sets the current segment aside: it is synced, whatever the policy, and then closed. */
export function retireSegment(writer: LogWriter): void {
  const { segment, writtenBlock: block, board } = writer;
  writer.retired.push({ segment, block, bytesWritten: board.numbers[writer.numbersAt + LOG_BYTES_WRITTEN] });
  startSync(writer);
}

/** Closes all files, at once or when the sync that still uses them has ended. The writer writes no more. */
export function closeFiles(writer: LogWriter): void {
  const files = [...writer.retired.map(({ segment }) => segment), writer.segment];
  const { running } = writer;
  writer.retired = [];
  writer.running = undefined;
  if (running !== undefined) running.givenUp = files;
  else for (const segment of files) closeSegment(writer, segment);
}

/**
 * Puts on the disk what a thread that died had written to its last segment; by whoever takes over its stream. Throws the
 * system's error: the log is broken then.
 */
export function syncAbandoned(board: LogBoard, stream: number, storage: Storage, path: string): void {
  const fd = storage.openWrite(path);
  try {
    storage.sync(fd);
  } finally {
    storage.close(fd);
  }
  noteAllSynced(board, stream);
}

function giveUpSeals({ seals }: LogWriter): void {
  for (const giveUp of seals) giveUp();
  seals.clear();
}

function nextSync(writer: LogWriter): RunningSync | undefined {
  const retired = writer.retired.at(0);
  const fresh = { isDelayNoted: false, givenUp: [] };
  if (retired !== undefined) return { ...retired, ...fresh, isRetired: true };
  const { segment, writtenBlock: block } = writer;
  if (block <= writer.syncedBlock) return undefined;
  const bytesWritten = writer.board.numbers[writer.numbersAt + LOG_BYTES_WRITTEN];
  return { segment, block, bytesWritten, ...fresh, isRetired: false };
}

function finishSync(writer: LogWriter, sync: RunningSync, error: Error | undefined): void {
  if (writer.running !== sync) {
    for (const segment of sync.givenUp) closeSegment(writer, segment);
    return;
  }
  writer.running = undefined;
  noteDuration(writer);
  if (error !== undefined) {
    breakWriter(writer, 'sync', error);
    return;
  }
  if (sync.isRetired) {
    writer.retired.shift();
    closeSegment(writer, sync.segment);
  }
  noteReached(writer, sync.block, sync.bytesWritten);
  if (isAlways(writer) || writer.retired.length > 0) startSync(writer);
}

/** The stream is on the disk up to `block`; those who wait for it go on. */
function noteReached(writer: LogWriter, block: number, bytesWritten: number): void {
  const { numbers } = writer.board;
  if (block > writer.syncedBlock) {
    writer.syncedBlock = block;
    writer.syncedBytes = bytesWritten;
    numbers[writer.numbersAt + LOG_BYTES_UNSYNCED] =
      numbers[writer.numbersAt + LOG_BYTES_WRITTEN] - bytesWritten;
    noteSynced(writer.board, writer.stream, block);
  }
  settleCommits(writer);
  tellOthers(writer);
}

function isSyncWanted(writer: LogWriter): boolean {
  if (writer.settings.appendfsync !== 'no' || writer.retired.length > 0) return true;
  // WAITAOF, on this thread or on another.
  return isSyncAwaited(writer) || isAwaitedElsewhere(writer);
}

function isSegmentGone(writer: LogWriter): boolean {
  const { storage, segment } = writer;
  try {
    return storage.linkCount(segment.fd) === 0 || !storage.exists(segment.path);
  } catch {
    return true;
  }
}

function noteDelay(writer: LogWriter, running: RunningSync, nowMs: number): void {
  if (running.isDelayNoted || nowMs - writer.syncStartedMs < LOG_SYNC_DELAYED_MS) return;
  running.isDelayNoted = true;
  writer.board.numbers[writer.numbersAt + LOG_SYNCS_DELAYED] += 1;
}

function noteDuration(writer: LogWriter): void {
  const { numbers, syncs } = writer.board;
  const at = writer.numbersAt;
  const tookMs = writer.clock.monotonicMs() - writer.syncStartedMs;
  numbers[at + LOG_SYNCS] += 1;
  numbers[at + LOG_SYNC_MS_LAST] = tookMs;
  numbers[at + LOG_SYNC_MS_MAX] = Math.max(tookMs, numbers[at + LOG_SYNC_MS_MAX]);
  recordValue(syncs[writer.stream], tookMs * NS_PER_MS);
}
