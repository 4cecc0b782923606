/**
 * From the journals into a worker's block: takes what is pending in the shards that a turn has touched.
 *
 * Runs on the worker, under the drain lock and then the shards' locks, for memory copies only. Two drains never run at the
 * same time, so the order of the blocks' numbers is the order in which records left each journal. A change of several
 * shards marks its journals as grouped: once such a mark is seen, everything that is pending anywhere comes into the
 * same block, taken with all locks held, so that no group is ever split over blocks.
 */
import { Buffer } from 'node:buffer';
import { LOG_BLOCK_BYTES_MAX } from '../config/limits.ts';
import { keepRecords } from '../shard/backlog.ts';
import {
  isJournalBroken,
  pendingBytes,
  pendingFirstLsn,
  pendingIsGrouped,
  pendingRecords,
  takePending,
} from '../shard/journal.ts';
import { acquireShard, releaseShard } from '../shard/lock.ts';
import type { Shard } from '../shard/shard.ts';
import { acquireDrain, beginFlight, breakLog, isLogBroken, releaseDrain } from './log-board.ts';
import { BLOCK_HEADER_BYTES, CHUNK_HEADER_BYTES, encodeChunkHeader } from './log-format.ts';
import type { LogWriter } from './log-stream.ts';

/**
 * Fills the writer's block with what is pending in the first `count` of `touched`, and numbers it. Returns the number; 0
 * when nothing was pending, or the log is broken. `isFull` says that some did not fit and is still pending. A few hundred
 * nanoseconds and the bytes; allocates only for a block larger than any before.
 */
export function drainShards(writer: LogWriter, touched: readonly Shard[], count: number): number {
  const { board } = writer;
  writer.payloadBytes = 0;
  writer.chunks = 0;
  writer.isFull = false;
  acquireDrain(board, writer.threadId);
  if (!isLogBroken(board)) {
    let isGrouped = false;
    for (let index = 0; index < count; index += 1) {
      if (takeOne(writer, touched[index])) isGrouped = true;
    }
    if (isGrouped) takeAll(writer);
    if (writer.hasLost) breakLog(board, 0);
  }
  const isEmpty = writer.chunks === 0 || writer.hasLost;
  writer.blockNumber = isEmpty ? 0 : beginFlight(board, writer.stream);
  releaseDrain(board);
  if (writer.hasLost) {
    writer.hasLost = false;
    writer.hooks.onTrouble('journal', undefined);
  }
  return writer.blockNumber;
}

/** Takes what one shard has pending; whether some of it belongs to a change of several shards. */
function takeOne(writer: LogWriter, shard: Shard): boolean {
  // Under the drain lock nobody else empties a journal, so that what this thread has appended is seen without the lock.
  if (pendingBytes(shard) === 0 && !isJournalBroken(shard)) return false;
  acquireShard(shard);
  const isGrouped = pendingIsGrouped(shard);
  const isTaken = takeChunk(writer, shard);
  releaseShard(shard);
  if (!isTaken) writer.isFull = true;
  // With no memory at all for what one shard has, there would be no end of trying.
  if (!isTaken && writer.chunks === 0) writer.hasLost = true;
  return isGrouped && isTaken;
}

/** Takes what all shards have pending at one moment. A shard may have a chunk already: its second one has higher LSNs. */
function takeAll(writer: LogWriter): void {
  const { shards } = writer;
  for (let index = 0; index < shards.length; index += 1) acquireShard(shards[index]);
  for (let index = 0; index < shards.length; index += 1) {
    // Gigabytes in one turn: half of a group may be in the block, and must not get out.
    if (!takeChunk(writer, shards[index])) writer.hasLost = true;
  }
  for (let index = shards.length - 1; index >= 0; index -= 1) releaseShard(shards[index]);
}

/** Moves a shard's pending records to the end of the block; false when it has no room for them. With the shard's lock. */
function takeChunk(writer: LogWriter, shard: Shard): boolean {
  // The other half of a group may be among the records that are missing: nothing of this drain is written.
  if (isJournalBroken(shard)) writer.hasLost = true;
  const bytes = pendingBytes(shard);
  if (bytes === 0) return true;
  const at = BLOCK_HEADER_BYTES + writer.payloadBytes;
  const end = at + CHUNK_HEADER_BYTES + bytes;
  if (end > writer.block.length && !growBlock(writer, at, end)) return false;
  const records = pendingRecords(shard);
  const firstLsn = pendingFirstLsn(shard);
  encodeChunkHeader(writer.block, at, shard.index, records, firstLsn, bytes);
  takePending(shard, writer.block, at + CHUNK_HEADER_BYTES);
  if (shard.backlog !== undefined && !isJournalBroken(shard)) {
    keepRecords(shard.backlog, writer.block, at + CHUNK_HEADER_BYTES, bytes, firstLsn, records);
  }
  writer.payloadBytes = end - BLOCK_HEADER_BYTES;
  writer.chunks += 1;
  return true;
}

/** Gives the block at least `bytes`, of which the first `used` stay. Fresh memory is mapped, not filled: microseconds. */
function growBlock(writer: LogWriter, used: number, bytes: number): boolean {
  if (bytes > LOG_BLOCK_BYTES_MAX) return false;
  try {
    const larger = Buffer.allocUnsafeSlow(
      Math.min(LOG_BLOCK_BYTES_MAX, Math.max(bytes, 2 * writer.block.length)),
    );
    writer.block.copy(larger, 0, 0, used);
    writer.block = larger;
    return true;
  } catch {
    return false;
  }
}
