/**
 * LCS: the longest common subsequence of two strings, its length, or where its pieces lie in both.
 *
 * Runs on the thread of the command. A small table is filled at once, under the locks of both keys. For a large one the
 * values are copied and given to the job pool, without a lock, while the client waits.
 * Source of the rules: Redis 7.0 `t_string.c`, `lcsCommand`.
 */
import { Buffer } from 'node:buffer';
import { copyBytes } from '../base/bytes.ts';
import { parseInt64 } from '../base/decimal.ts';
import { JOB_MS_MAX } from '../config/limits.ts';
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
import type { JobOutcome } from './engine.ts';
import { peekEntry, readEntry } from './lookup.ts';
import { findSubsequence, type Subsequence, type SubsequenceRequest } from './strings-subsequence.ts';

/** To main, with a SubsequenceRequest: the JobOutcome of findSubsequence in the job pool. */
export const TOPIC_JOB_SUBSEQUENCE = 'job-subsequence';

/** Redis's table takes this much for each pair of bytes, and its bound on memory is ours on work. */
const CELL_BYTES_OF_REDIS = 4;

/** The largest table to fill under the locks: some 100 us. The second bound keeps rows and the way back as short. */
const CELLS_AT_ONCE_MAX = 2 ** 20;
const BYTES_AT_ONCE_MAX = 2 ** 14;

/** A value: where it lies, or a copy. */
type ValueSpan = { readonly bytes: Buffer; readonly start: number; readonly end: number };

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
    answerLater(call, copyShared(firstSpan), copyShared(secondSpan), options);
  } else {
    const request = { first: firstSpan, second: secondSpan, wantsPlaces: !options.length };
    replySubsequence(reply, firstSpan, findSubsequence(request), options);
  }
}

/** Has the job pool find it, and answers what came of that. */
function answerLater(call: Call, first: ValueSpan, second: ValueSpan, options: LcsOptions): void {
  const { bus, log } = call.engine;
  const deferred = deferReply(call);
  const refuse = (reason: string) => deferred.resume((reply) => writeError(reply, `ERR LCS: ${reason}`));
  const request: SubsequenceRequest = { first, second, wantsPlaces: !options.length };
  bus.requestMain(TOPIC_JOB_SUBSEQUENCE, request, JOB_MS_MAX).then(
    (answer) => {
      const outcome = answer as JobOutcome<Subsequence>;
      if (outcome.ok) deferred.resume((reply) => replySubsequence(reply, first, outcome.result, options));
      else refuse(outcome.reason);
    },
    (error) => {
      log.error(`'${TOPIC_JOB_SUBSEQUENCE}' was not answered`, error);
      refuse('no answer in time; the log has the reason');
    },
  );
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

function replySubsequence(
  reply: ReplyWriter,
  first: ValueSpan,
  subsequence: Subsequence,
  options: LcsOptions,
): void {
  if (options.length) writeInteger(reply, subsequence.length);
  else if (options.positions) replyPositions(reply, subsequence, options);
  else replyText(reply, first, subsequence);
}

function replyText(reply: ReplyWriter, { bytes, start }: ValueSpan, subsequence: Subsequence): void {
  const { length, firstPlaces } = subsequence;
  const end = beginBulk(reply, length) + length;
  for (let i = 0; i < length; i += 1) reply.bytes[end - 1 - i] = bytes[start + firstPlaces[i]];
}

/** The pieces that lie in both strings without a gap, the last one first, and the length of all. */
function replyPositions(reply: ReplyWriter, subsequence: Subsequence, options: LcsOptions): void {
  const { length, firstPlaces, secondPlaces } = subsequence;
  writeMap(reply, 2);
  writeBulkText(reply, 'matches');
  const arrayStart = reply.length;
  let pieces = 0;
  let pieceBytes = 0;
  for (let i = 0; i < length; i += 1) {
    pieceBytes += 1;
    const goesOn =
      i + 1 < length &&
      firstPlaces[i + 1] === firstPlaces[i] - 1 &&
      secondPlaces[i + 1] === secondPlaces[i] - 1;
    if (goesOn) continue;
    if (pieceBytes >= options.matchBytesMin) {
      replyPiece(reply, firstPlaces[i], secondPlaces[i], pieceBytes, options.matchLengths);
      pieces += 1;
    }
    pieceBytes = 0;
  }
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
function valueSpan(shard: Shard, ref: number): ValueSpan {
  const { entries } = shard;
  const bytes = entryBytes(entries, ref);
  if (ref === NONE) return { bytes, start: 0, end: 0 };
  const start = valueOffset(entries, ref);
  return { bytes, start, end: start + valueLength(entries, ref) };
}

/** In shared memory, so that it is not copied again on its way to the job. */
function copyShared({ bytes, start, end }: ValueSpan): ValueSpan {
  const copy = Buffer.from(new SharedArrayBuffer(end - start));
  copyBytes(bytes, start, end, copy, 0);
  return { bytes: copy, start: 0, end: copy.length };
}
