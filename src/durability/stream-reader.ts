/**
 * The blocks of one stream, segment after segment, as one sequence; and which of several streams has the next block.
 *
 * Owns at most one open segment for each stream. Any thread.
 */
import { StartError } from '../base/errors.ts';
import { LOG_READ_BYTES, LOG_READ_BYTES_MIN, LOG_READ_TOTAL_BYTES } from '../config/limits.ts';
import { segmentPath } from './file-names.ts';
import { closeSegmentReader, openSegmentReader, readBlock, type SegmentReader } from './log-reader.ts';
import type { Storage } from './storage-types.ts';

/** A segment to read: its good part ends at offset `end`, which may be beyond the end of the file. */
export type StreamSegment = { readonly sequence: number; readonly end: number };

/** A stream being read. `reader` is undefined before the first segment and behind the last one. */
export type StreamReader = {
  readonly storage: Storage;
  readonly stream: number;
  readonly segments: readonly StreamSegment[];
  readonly windowBytes: number;
  /** Which of the segments is open. */
  index: number;
  reader: SegmentReader | undefined;
  /** The last good block; the next one's number is greater. */
  lastBlock: number;
  /** The current block's number; Infinity before the first, behind the last and at trouble. */
  block: number;
};

/** A stream that stands before its first block. */
export function createStreamReader(
  storage: Storage,
  stream: number,
  segments: readonly StreamSegment[],
  windowBytes: number,
): StreamReader {
  return {
    ...{ storage, stream, segments, windowBytes, index: -1, reader: undefined, lastBlock: 0 },
    block: Number.POSITIVE_INFINITY,
  };
}

/** How much of each of so many streams to have in memory. */
export function windowBytesFor(streams: number): number {
  const share = Math.floor(LOG_READ_TOTAL_BYTES / Math.max(1, streams));
  return Math.max(LOG_READ_BYTES_MIN, Math.min(LOG_READ_BYTES, share));
}

/**
 * Moves to the next block, in whatever segment it is. False behind the last one, and at trouble, which `stream.reader.trouble`
 * names; it goes on behind that only by seekBlock or nextSegment.
 */
export function readStreamBlock(stream: StreamReader): boolean {
  stream.block = Number.POSITIVE_INFINITY;
  for (;;) {
    const { reader } = stream;
    if (reader !== undefined && readBlock(reader)) {
      stream.block = reader.block.block;
      stream.lastBlock = stream.block;
      return true;
    }
    if (reader?.trouble !== undefined || !nextSegment(stream)) return false;
  }
}

/**
 * Opens the next segment, before its first block. False when there is none. Throws a StartError where its header, which was
 * found good before, is not any more.
 */
export function nextSegment(stream: StreamReader): boolean {
  closeStreamReader(stream);
  stream.index += 1;
  if (stream.index >= stream.segments.length) return false;
  const { sequence, end } = stream.segments[stream.index];
  const path = segmentPath(stream.stream, sequence);
  const opened = openSegmentReader(stream.storage, path, stream.windowBytes, stream.lastBlock, end);
  if (typeof opened === 'string') throw new StartError(`${path} changed while it was read: ${opened}`, 1);
  stream.reader = opened;
  return true;
}

export function closeStreamReader(stream: StreamReader): void {
  if (stream.reader !== undefined) closeSegmentReader(stream.reader);
  stream.reader = undefined;
}

/** The stream whose current block has the least number; undefined when all are at their end. */
export function leastStream(streams: readonly StreamReader[]): StreamReader | undefined {
  let least: StreamReader | undefined;
  let block = Number.POSITIVE_INFINITY;
  for (const stream of streams) {
    if (stream.block < block) {
      least = stream;
      block = stream.block;
    }
  }
  return least;
}

/** The least number of a current block of the other streams: so far, `stream` can be read on without looking at them. */
export function nextOfOthers(streams: readonly StreamReader[], stream: StreamReader): number {
  let block = Number.POSITIVE_INFINITY;
  for (const other of streams) {
    if (other !== stream && other.block < block) block = other.block;
  }
  return block;
}
