/**
 * LCS: the longest common subsequence of two strings, its length, or where its pieces lie in both.
 *
 * Runs on the thread of the command. A small table is filled at once, under the locks of both keys. For a large one
 * the values are copied, and it is filled in slices after the turn, without a lock, while the client waits.
 * Source of the rules: Redis 7.0 `t_string.c`, `lcsCommand`.
 */
import { Buffer } from 'node:buffer';
import { parseInt64 } from '../base/decimal.ts';
import {
  beginBulk,
  insertArray,
  type ReplyWriter,
  writeArray,
  writeBulkText,
  writeError,
  writeInteger,
  writeMap,
} from '../resp/reply-writer.ts';
import { entryBytes, typeOf, valueLength, valueOffset } from '../shard/entry.ts';
import { NONE, TYPE_STRING } from '../shard/layout.ts';
import type { Shard } from '../shard/shard.ts';
import { isWord, NOT_AN_INTEGER, replySyntaxError } from './arguments.ts';
import { type Call, deferReply, type Handler, shardOfKey } from './call.ts';
import { peekEntry, readEntry } from './lookup.ts';
import {
  advanceSubsequence,
  type ByteSpan,
  createSubsequence,
  type Subsequence,
  subsequenceLength,
  visitMatches,
} from './strings-subsequence.ts';

/** Redis's table takes this much for each pair of bytes, and its bound on memory is ours on work. */
const CELL_BYTES_OF_REDIS = 4;

/** The largest table to fill under the locks: some 100 us. The second bound keeps rows and the way back as short. */
const CELLS_AT_ONCE_MAX = 2 ** 20;
const BYTES_AT_ONCE_MAX = 2 ** 14;

/** What one slice of a larger one fills: about a millisecond. */
const CELLS_PER_SLICE = 2 ** 22;
const ROWS_PER_SLICE_MAX = 2 ** 16;

type LcsOptions = { length: boolean; positions: boolean; matchLengths: boolean; matchBytesMin: number };

export const stringLcsHandlers: Readonly<Record<string, Handler>> = { lcs };

function lcs(call: Call): void {
  const { reply, engine } = call;
  const second = shardOfKey(call, 2);
  readEntry(call, call.shard, 1);
  const secondRef = readEntry(call, second, 2);
  // Looked up again: the second look-up may have removed an expired entry, and with that the reference.
  const firstRef = peekEntry(call, call.shard, 1);
  if (!isStringOrNone(call.shard, firstRef) || !isStringOrNone(second, secondRef)) {
    writeError(reply, 'ERR The specified keys must contain string values');
    return;
  }
  const options = readLcsOptions(call);
  if (options === undefined) return;
  const firstSpan = valueSpan(call.shard, firstRef);
  const secondSpan = valueSpan(second, secondRef);
  const firstBytes = firstSpan.end - firstSpan.start;
  const secondBytes = secondSpan.end - secondSpan.start;
  const cells = (firstBytes + 1) * (secondBytes + 1);
  if (cells * CELL_BYTES_OF_REDIS > engine.config.protoMaxBulkLen) {
    writeError(reply, 'ERR Insufficient memory, transient memory for LCS exceeds proto-max-bulk-len');
  } else if (cells > CELLS_AT_ONCE_MAX || firstBytes + secondBytes > BYTES_AT_ONCE_MAX) {
    answerLater(call, copySpan(firstSpan), copySpan(secondSpan), options);
  } else {
    const table = createSubsequence(firstSpan, secondSpan, !options.length);
    advanceSubsequence(table, firstBytes);
    replySubsequence(reply, table, options);
  }
}

/** Fills the table in slices of the worker's time; nobody else sees it, so no lock is needed. */
function answerLater(call: Call, first: ByteSpan, second: ByteSpan, options: LcsOptions): void {
  const { later } = call.engine;
  const deferred = deferReply(call);
  const rowsPerSlice = Math.min(ROWS_PER_SLICE_MAX, Math.floor(CELLS_PER_SLICE / (second.end + 1)));
  let table: Subsequence | undefined;
  const step = () => {
    table ??= createSubsequence(first, second, !options.length);
    const done = table;
    if (advanceSubsequence(done, rowsPerSlice)) later(step);
    else deferred.resume((reply) => replySubsequence(reply, done, options));
  };
  later(step);
}

/** The options behind the two keys; undefined when they are wrong, and then that is answered. */
function readLcsOptions(call: Call): LcsOptions | undefined {
  const options = { length: false, positions: false, matchLengths: false, matchBytesMin: 0 };
  for (let index = 3; index < call.count; index += 1) {
    if (isWord(call, index, 'IDX')) {
      options.positions = true;
    } else if (isWord(call, index, 'LEN')) {
      options.length = true;
    } else if (isWord(call, index, 'WITHMATCHLEN')) {
      options.matchLengths = true;
    } else if (isWord(call, index, 'MINMATCHLEN') && index + 1 < call.count) {
      index += 1;
      const bytesMin = parseInt64(call.input, call.spans[2 * index], call.spans[2 * index + 1]);
      if (bytesMin === undefined) {
        writeError(call.reply, NOT_AN_INTEGER);
        return undefined;
      }
      options.matchBytesMin = Number(bytesMin);
    } else {
      replySyntaxError(call);
      return undefined;
    }
  }
  if (!options.positions || !options.length) return options;
  writeError(call.reply, 'ERR If you want both the length and indexes, please just use IDX.');
  return undefined;
}

function replySubsequence(reply: ReplyWriter, table: Subsequence, options: LcsOptions): void {
  const length = subsequenceLength(table);
  if (options.length) writeInteger(reply, length);
  else if (options.positions) replyPositions(reply, table, length, options);
  else replyText(reply, table, length);
}

function replyText(reply: ReplyWriter, table: Subsequence, length: number): void {
  const { bytes, start } = table.first;
  let at = beginBulk(reply, length) + length;
  visitMatches(table, (row) => {
    at -= 1;
    reply.bytes[at] = bytes[start + row];
  });
}

/** The pieces that lie in both strings without a gap, the last one first, and the length of all. */
function replyPositions(reply: ReplyWriter, table: Subsequence, length: number, options: LcsOptions): void {
  writeMap(reply, 2);
  writeBulkText(reply, 'matches');
  const arrayStart = reply.length;
  let pieces = 0;
  let firstStart = 0;
  let secondStart = 0;
  let pieceBytes = 0;
  const endPiece = () => {
    if (pieceBytes === 0 || pieceBytes < options.matchBytesMin) return;
    pieces += 1;
    replyPiece(reply, firstStart, secondStart, pieceBytes, options.matchLengths);
  };
  visitMatches(table, (row, column) => {
    if (pieceBytes === 0 || row !== firstStart - 1 || column !== secondStart - 1) {
      endPiece();
      pieceBytes = 0;
    }
    firstStart = row;
    secondStart = column;
    pieceBytes += 1;
  });
  endPiece();
  insertArray(reply, arrayStart, pieces);
  writeBulkText(reply, 'len');
  writeInteger(reply, length);
}

function replyPiece(
  reply: ReplyWriter,
  firstStart: number,
  secondStart: number,
  bytes: number,
  withLength: boolean,
): void {
  writeArray(reply, withLength ? 3 : 2);
  writeArray(reply, 2);
  writeInteger(reply, firstStart);
  writeInteger(reply, firstStart + bytes - 1);
  writeArray(reply, 2);
  writeInteger(reply, secondStart);
  writeInteger(reply, secondStart + bytes - 1);
  if (withLength) writeInteger(reply, bytes);
}

function isStringOrNone(shard: Shard, ref: number): boolean {
  return ref === NONE || typeOf(shard.entries, ref) === TYPE_STRING;
}

/** A value where it lies; a missing key's is empty. */
function valueSpan(shard: Shard, ref: number): ByteSpan {
  const { entries } = shard;
  const bytes = entryBytes(entries, ref);
  if (ref === NONE) return { bytes, start: 0, end: 0 };
  const start = valueOffset(entries, ref);
  return { bytes, start, end: start + valueLength(entries, ref) };
}

function copySpan({ bytes, start, end }: ByteSpan): ByteSpan {
  return { bytes: Buffer.from(bytes.subarray(start, end)), start: 0, end: end - start };
}
