/**
 * The end of a worker's turn: its records out of the journals, into one block, into the segment, before the replies leave.
 *
 * Runs on the worker of the stream. One write a turn, whatever the number of shards. A block that cannot be written keeps its
 * number and stays, and nothing else leaves the journals through this stream until it was written: numbers have no gap. A
 * turn that finds such trouble, here or in an earlier block of another stream, has its replies wait (log-commit).
 */
import { Buffer } from 'node:buffer';
import { assert } from '../base/assert.ts';
import {
  LOG_BLOCK_BYTES_KEPT_MAX,
  LOG_BLOCK_BYTES_START,
  LOG_SEGMENT_BYTES_MAX,
  LOG_SEGMENT_PREPARE_BYTES,
} from '../config/limits.ts';
import type { Shard } from '../shard/shard.ts';
import {
  awaitFlights,
  beginFailing,
  endFailing,
  endFlight,
  isLogBroken,
  isLogTroubled,
  isStreamFailing,
  LOG_BLOCKS_WRITTEN,
  LOG_BYTES_UNSYNCED,
  LOG_BYTES_WRITTEN,
  LOG_SEGMENT_BYTES,
  LOG_WRITES_FAILED,
  nextBlockNumber,
  settleStream,
} from './log-board.ts';
import { catchUpCommits, commitLater, isAllSynced, settleCommits, tellOthers } from './log-commit.ts';
import { drainShards } from './log-drain.ts';
import { BLOCK_HEADER_BYTES, sealBlock } from './log-format.ts';
import type { Segment } from './log-segment.ts';
import { breakWriter, errnoOf, isAlways, type LogWriter, useSegment } from './log-stream.ts';
import { closeFiles, retireSegment, startSync } from './log-sync.ts';

/**
 * Writes what is pending in the first `count` of `touched`, the shards that the turn has changed, and waits for the blocks
 * that other workers took before. True: the replies may leave. False: they wait for a commit (commitLater), because the
 * policy is `always`, or something is wrong. Microseconds and one write; allocates nothing of its own.
 */
export function logTurn(writer: LogWriter, touched: readonly Shard[], count: number): boolean {
  if (isHeldUp(writer)) return fallBehind(writer);
  writer.turnBlock = 0;
  do {
    const block = drainShards(writer, touched, count);
    if (block !== 0) {
      writer.turnBlock = block;
      if (!writeBlock(writer)) return fallBehind(writer);
    }
  } while (writer.isFull && !isLogBroken(writer.board));
  if (isLogBroken(writer.board)) return fallBehind(writer);
  return awaitEarlier(writer) && (!isAlways(writer) || isAllSynced(writer));
}

/**
 * Waits until no other worker still writes a block from before the last of this turn; after a turn without any, all that are
 * in flight. False when one of them cannot be written.
 */
export function awaitEarlier(writer: LogWriter): boolean {
  return awaitFlights(writer.board, writer.stream, writer.turnBlock);
}

/**
 * Tries the block again that could not be written, then everything that was held back meanwhile; after a rebase that alone.
 * True when nothing is held back any more.
 */
export function retry(writer: LogWriter): boolean {
  const { board, stream, shards } = writer;
  if (isLogBroken(board)) return false;
  if (writer.blockNumber !== 0) {
    if (!writeBlock(writer)) return false;
    endFailing(board, stream);
    writer.hooks.onHealthy();
  }
  if (writer.isBehind) {
    writer.isBehind = false;
    logTurn(writer, shards, shards.length);
    if (writer.isBehind) return false;
    catchUpCommits(writer);
  }
  settleCommits(writer);
  tellOthers(writer);
  return true;
}

/**
 * Puts on the disk everything that has left a shard's memory as a change so far, whoever made it. False where the log has trouble,
 * or gets into trouble meanwhile (log-sync, syncTick): main mends that only when it waits for the seal no longer.
 */
export function seal(writer: LogWriter): Promise<boolean> {
  const { shards, board, seals } = writer;
  logTurn(writer, shards, shards.length);
  if (isLogTroubled(board)) return Promise.resolve(false);
  const { promise, resolve } = Promise.withResolvers<boolean>();
  const giveUp = () => resolve(false);
  const end = () => {
    seals.delete(giveUp);
    resolve(true);
  };
  seals.add(giveUp);
  commitLater(writer, end, true);
  return promise;
}

/** Keeps a segment ready for when the current one is full, or a rotation is asked for. Its number is the next. */
export function offerSegment(writer: LogWriter, segment: Segment): void {
  assert(writer.next === undefined, 'one segment is kept ready');
  assert(segment.sequence > writer.segment.sequence, 'segments come in order');
  writer.next = segment;
}

/** Goes on in the segment that was offered. False without one, and while a block cannot be written. Between turns. */
export function rotate(writer: LogWriter): boolean {
  const { next } = writer;
  if (next === undefined || isHeldUp(writer)) return false;
  changeSegment(writer, next);
  return true;
}

/**
 * Begins a new epoch in `segment` after the log was broken, once a snapshot holds all that was changed until then. The block
 * that waited is given up. Nothing is written until main ends the trouble (mendLog); then `retry` lets go what waited.
 */
export function resetAfterRebase(writer: LogWriter, segment: Segment): void {
  const { board, stream } = writer;
  assert(isLogBroken(board), 'a rebase mends a broken log');
  closeFiles(writer);
  writer.next = undefined;
  writer.blockNumber = 0;
  writer.isBehind = true;
  const block = nextBlockNumber(board) - 1;
  writer.writtenBlock = block;
  writer.syncedBlock = block;
  writer.syncedBytes = board.numbers[writer.numbersAt + LOG_BYTES_WRITTEN];
  board.numbers[writer.numbersAt + LOG_BYTES_UNSYNCED] = 0;
  useSegment(writer, segment);
  settleStream(board, stream, block);
}

function isHeldUp(writer: LogWriter): boolean {
  return writer.blockNumber !== 0 || isLogBroken(writer.board);
}

/** What the turn has changed is not all in the log: nobody is told before that was made good. */
function fallBehind(writer: LogWriter): false {
  writer.isBehind = true;
  return false;
}

/** Writes the block at the end of the segment; after a failure the same block at the same place. */
function writeBlock(writer: LogWriter): boolean {
  const { board, stream, storage, header, blockNumber } = writer;
  const bytes = BLOCK_HEADER_BYTES + writer.payloadBytes;
  const { next } = writer;
  if (next !== undefined && writer.segment.bytes + bytes > LOG_SEGMENT_BYTES_MAX) changeSegment(writer, next);
  const { segment } = writer;
  header.payloadBytes = writer.payloadBytes;
  header.block = blockNumber;
  header.syncedBlock = writer.syncedBlock;
  header.wallMs = writer.clock.wallMs();
  header.chunks = writer.chunks;
  sealBlock(writer.block, 0, header);
  try {
    storage.write(segment.fd, writer.block, 0, bytes, segment.bytes);
  } catch (error) {
    keepBlock(writer, error);
    return false;
  }
  segment.bytes += bytes;
  writer.writtenBlock = blockNumber;
  writer.blockNumber = 0;
  endFlight(board, stream, blockNumber);
  noteWritten(writer, bytes);
  if (writer.block.length > LOG_BLOCK_BYTES_KEPT_MAX) {
    writer.block = Buffer.allocUnsafeSlow(LOG_BLOCK_BYTES_START);
  }
  if (isAlways(writer)) startSync(writer);
  return true;
}

function changeSegment(writer: LogWriter, next: Segment): void {
  writer.next = undefined;
  retireSegment(writer);
  useSegment(writer, next);
}

/** Cuts off what a failed write has left, so that the block can follow where it belongs. */
function keepBlock(writer: LogWriter, error: unknown): void {
  const { board, stream, storage, segment } = writer;
  board.numbers[writer.numbersAt + LOG_WRITES_FAILED] += 1;
  const isFirst = !isStreamFailing(board, stream);
  beginFailing(board, stream, errnoOf(error));
  try {
    storage.truncate(segment.fd, segment.bytes);
  } catch (truncateError) {
    breakWriter(writer, 'truncate', truncateError);
    return;
  }
  if (isFirst) writer.hooks.onTrouble('write', error);
}

function noteWritten(writer: LogWriter, bytes: number): void {
  const { board, numbersAt, segment } = writer;
  const { numbers } = board;
  numbers[numbersAt + LOG_BYTES_WRITTEN] += bytes;
  numbers[numbersAt + LOG_BLOCKS_WRITTEN] += 1;
  numbers[numbersAt + LOG_BYTES_UNSYNCED] = numbers[numbersAt + LOG_BYTES_WRITTEN] - writer.syncedBytes;
  numbers[numbersAt + LOG_SEGMENT_BYTES] = segment.bytes;
  if (segment.bytes >= LOG_SEGMENT_PREPARE_BYTES && !writer.isNextWanted) {
    writer.isNextWanted = true;
    if (writer.next === undefined) writer.hooks.wantSegment();
  }
}
