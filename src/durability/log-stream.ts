/**
 * The writing end of one stream: the record that a worker keeps of its block, its segments, its syncs and its commits.
 *
 * One per worker, on its thread. What is done with it stands in log-drain (records into the block), log-writer (the block into
 * the segment), log-sync (the segment onto the disk) and log-commit (who waits for what).
 */
import { Buffer } from 'node:buffer';
import type { Clock } from '../base/clock.ts';
import { LOG_BLOCK_BYTES_START } from '../config/limits.ts';
import type { Shard } from '../shard/shard.ts';
import {
  breakLog,
  isLogBroken,
  LOG_SEGMENT_BYTES,
  LOG_SEGMENT_SEQUENCE,
  type LogBoard,
  logNumbersOf,
} from './log-board.ts';
import { type BlockHeader, createBlockHeader } from './log-format.ts';
import type { Segment } from './log-segment.ts';
import type { Storage } from './storage-types.ts';

/**
 * What went wrong. 'write': a block could not be written; it is kept and can be tried again. The others break the log, which
 * only a rebase mends. 'truncate': what a failed write left could not be cut off. 'sync': nobody knows what is on the disk.
 * 'removed': the segment, or its folder, is gone. 'journal': a shard has lost records that were never written.
 */
export type LogTrouble = 'write' | 'truncate' | 'sync' | 'removed' | 'journal';

/** What the writer tells its owner; called on its thread, between any two of its steps. */
type LogHooks = {
  readonly onTrouble: (kind: LogTrouble, error: unknown) => void;
  /** A block was written after one could not be. */
  readonly onHealthy: () => void;
  /** The segment grows full: make the next one and offer it, soon. Told once per segment. */
  readonly wantSegment: () => void;
  /** Have the worker of that stream look at its commits again (log-commit, settleCommits). */
  readonly tellProgress: (stream: number) => void;
};

/** The policy in force, read at each use: the live configuration. */
type LogSettings = { readonly appendfsync: string };

export type LogWriterOptions = {
  readonly board: LogBoard;
  readonly stream: number;
  readonly threadId: number;
  readonly storage: Storage;
  readonly clock: Clock;
  /** All shards of the process, in order. */
  readonly shards: readonly Shard[];
  readonly settings: LogSettings;
  readonly hooks: LogHooks;
  readonly segment: Segment;
};

/** A segment that is full but not yet known to be on the disk, up to its last block. */
type RetiredSegment = {
  readonly segment: Segment;
  readonly block: number;
  readonly bytesWritten: number;
};

/** A sync, and how far it brings the stream. */
export type RunningSync = {
  readonly segment: Segment;
  readonly block: number;
  readonly bytesWritten: number;
  /** Whether that segment is the oldest of the retired ones, to be closed then. */
  readonly isRetired: boolean;
  isDelayNoted: boolean;
  /** Files that were given up while it ran: to be closed when it ends. */
  givenUp: Segment[];
};

/** Replies that leave together, once every stream has reached what it needs: a word per stream. */
export type Commit = {
  readonly needs: Int32Array;
  /** Whether what it needs must be on the disk, not only in the files. */
  readonly isSynced: boolean;
  /** Its records are still in the journals: what it needs is not known yet. */
  isBehind: boolean;
  readonly waiting: (() => void)[];
};

export type LogWriter = Omit<LogWriterOptions, 'segment'> & {
  /** Where the stream's numbers begin in `board.numbers`. */
  readonly numbersAt: number;

  block: Buffer;
  readonly header: BlockHeader;
  payloadBytes: number;
  chunks: number;
  /** The number of the block that waits to be written; 0 when none does. */
  blockNumber: number;
  /** Whether the last drain left records behind, because they did not fit into one block. */
  isFull: boolean;
  /** Whether the drain that runs has met records that are missing, or would have to split a group. */
  hasLost: boolean;
  /** Whether records of past turns may still be in the journals. */
  isBehind: boolean;
  /** The last block of the last turn; 0 when that had none. */
  turnBlock: number;

  segment: Segment;
  next: Segment | undefined;
  isNextWanted: boolean;
  retired: RetiredSegment[];

  writtenBlock: number;
  syncedBlock: number;
  /** Of LOG_BYTES_WRITTEN, what is on the disk. */
  syncedBytes: number;
  /** The sync that runs. */
  running: RunningSync | undefined;
  syncStartedMs: number;

  commits: Commit[];
  readonly needs: Int32Array;
  /** Ends the wait of each seal that is under way, unsealed (log-writer, seal). */
  readonly seals: Set<() => void>;
};

/** The board is left as it is: at the start of the process nothing stands there, and after a death what does is right. */
export function createLogWriter(options: LogWriterOptions): LogWriter {
  const { segment, ...rest } = options;
  const { board, stream } = options;
  const writer: LogWriter = {
    ...rest,
    numbersAt: logNumbersOf(stream),
    block: Buffer.allocUnsafeSlow(LOG_BLOCK_BYTES_START),
    header: createBlockHeader(),
    payloadBytes: 0,
    chunks: 0,
    blockNumber: 0,
    isFull: false,
    hasLost: false,
    isBehind: false,
    turnBlock: 0,
    segment,
    next: undefined,
    isNextWanted: false,
    retired: [],
    writtenBlock: 0,
    syncedBlock: 0,
    syncedBytes: 0,
    running: undefined,
    syncStartedMs: -Infinity,
    commits: [],
    needs: new Int32Array(board.streams),
    seals: new Set(),
  };
  useSegment(writer, segment);
  return writer;
}

/** Goes on in another segment. */
export function useSegment(writer: LogWriter, segment: Segment): void {
  const { numbers } = writer.board;
  writer.segment = segment;
  writer.isNextWanted = false;
  writer.header.stream = segment.stream;
  writer.header.epoch = segment.epoch;
  numbers[writer.numbersAt + LOG_SEGMENT_SEQUENCE] = segment.sequence;
  numbers[writer.numbersAt + LOG_SEGMENT_BYTES] = segment.bytes;
}

/** Whether answers wait for the disk. */
export function isAlways(writer: LogWriter): boolean {
  return writer.settings.appendfsync === 'always';
}

/** From here on nothing is written or synced until a rebase; told once. */
export function breakWriter(writer: LogWriter, kind: LogTrouble, error: unknown): void {
  if (isLogBroken(writer.board)) return;
  breakLog(writer.board, errnoOf(error));
  writer.hooks.onTrouble(kind, error);
}

/** The system's number of an error, negative; 0 where it has none. */
export function errnoOf(error: unknown): number {
  return (error as NodeJS.ErrnoException | undefined)?.errno ?? 0;
}

/** Closes a file of which nothing more is expected. */
export function closeSegment(writer: LogWriter, segment: Segment): void {
  try {
    writer.storage.close(segment.fd);
  } catch {
    // What close reports was about bytes that are synced, or given up.
  }
}
