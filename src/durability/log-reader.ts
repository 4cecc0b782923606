/**
 * Reads one segment block by block, names every kind of trouble with its offset, and steps through chunks and records.
 *
 * Owns an open file and the memory that it is read into: one window, and a second buffer once a block is larger than that.
 * Any thread. Trouble is a returned value; what the disk refuses (EIO) is thrown by the storage.
 */
import { Buffer } from 'node:buffer';
import { createRecordView, decodeRecord, type RecordView } from '../shard/record.ts';
import {
  BLOCK_HEADER_BYTES,
  type BlockHeader,
  type BlockTrouble,
  type ChunkHeader,
  createBlockHeader,
  createChunkHeader,
  decodeBlockHeader,
  decodeChunkHeader,
  decodeSegmentHeader,
  indexOfBlockMagic,
  LOG_ALIGN_BYTES,
  payloadMatches,
  SEGMENT_HEADER_BYTES,
  type SegmentHeader,
  type SegmentTrouble,
} from './log-format.ts';
import type { Storage } from './storage-types.ts';

/** Why reading ended before the end of the file. */
export type ReadTrouble =
  | SegmentTrouble
  | BlockTrouble
  | 'wrong stream'
  | 'wrong epoch'
  | 'block number not growing'
  | 'chunk out of bounds'
  | 'record malformed'
  | 'zeros to the end';

/** One segment being read. Offsets of the file and offsets in `bytes` differ: only `at`, `next` and `end` are the file's. */
export type SegmentReader = {
  readonly storage: Storage;
  readonly path: string;
  readonly fd: number;
  readonly header: SegmentHeader;
  /** Where reading ends: the length of the file, or less. */
  readonly end: number;
  /** The current block: its header, where it begins in the file and where the next one does. */
  readonly block: BlockHeader;
  at: number;
  next: number;
  /** The number of the last good block; the next one's is greater. */
  lastBlock: number;
  /** Where the current block's payload lies in `bytes`. */
  bytes: Buffer;
  payloadStart: number;
  payloadEnd: number;
  /** The current chunk, where its records lie in `bytes`, and how many chunks were read of the block. */
  readonly chunk: ChunkHeader;
  recordsStart: number;
  recordsEnd: number;
  chunksRead: number;
  /** What ended reading, and where; undefined at the end of the file. */
  trouble: ReadTrouble | undefined;
  troubleAt: number;
  /** Part of the file in memory: `windowBytes` of it from offset `windowAt`. */
  readonly window: Buffer;
  windowAt: number;
  windowBytes: number;
  large: Buffer;
  readonly record: RecordView;
};

/** Reads the header of a segment alone. Throws where the file cannot be opened. */
export function readSegmentHeader(storage: Storage, path: string): SegmentHeader | SegmentTrouble {
  const fd = storage.openRead(path);
  try {
    return headerOf(storage, fd);
  } finally {
    storage.close(fd);
  }
}

/**
 * Opens a segment for reading its blocks, whose numbers are greater than `lastBlock`, up to offset `endMax`. `windowBytes` is
 * how much one read takes. Throws where the file cannot be opened.
 */
export function openSegmentReader(
  storage: Storage,
  path: string,
  windowBytes: number,
  lastBlock: number,
  endMax = Number.POSITIVE_INFINITY,
): SegmentReader | SegmentTrouble {
  const fd = storage.openRead(path);
  const header = headerOf(storage, fd);
  if (typeof header === 'string') {
    storage.close(fd);
    return header;
  }
  const end = Math.min(storage.size(fd), endMax);
  const window = Buffer.allocUnsafeSlow(Math.min(windowBytes, Math.max(end, SEGMENT_HEADER_BYTES)));
  return {
    ...{ storage, path, fd, header, end },
    ...{ block: createBlockHeader(), at: SEGMENT_HEADER_BYTES, next: SEGMENT_HEADER_BYTES },
    lastBlock: Math.max(lastBlock, header.firstBlock - 1),
    ...{ bytes: window, payloadStart: 0, payloadEnd: 0 },
    ...{ chunk: createChunkHeader(), recordsStart: 0, recordsEnd: 0, chunksRead: 0 },
    ...{ trouble: undefined, troubleAt: 0 },
    ...{ window, windowAt: 0, windowBytes: 0, large: Buffer.alloc(0), record: createRecordView() },
  };
}

export function closeSegmentReader(reader: SegmentReader): void {
  reader.storage.close(reader.fd);
}

function headerOf(storage: Storage, fd: number): SegmentHeader | SegmentTrouble {
  const page = Buffer.alloc(SEGMENT_HEADER_BYTES);
  return decodeSegmentHeader(page, 0, storage.read(fd, page, 0, page.length, 0));
}

/**
 * Moves to the next block and checks header and payload. False at the end of the file and at trouble, which `trouble` names;
 * the reader then stays where it is.
 */
export function readBlock(reader: SegmentReader): boolean {
  reader.trouble = undefined;
  if (reader.next >= reader.end) return false;
  const trouble = tryBlock(reader, reader.next);
  if (trouble !== undefined) return fail(reader, trouble, reader.next);
  reader.at = reader.next;
  reader.next += BLOCK_HEADER_BYTES + reader.block.payloadBytes;
  reader.lastBlock = reader.block.block;
  restartChunks(reader);
  return true;
}

/** Stands before the first chunk of the current block again. */
export function restartChunks(reader: SegmentReader): void {
  reader.chunksRead = 0;
  reader.recordsEnd = reader.payloadStart;
}

/**
 * Moves to the first good block at or behind offset `from`, past whatever else is there. False when there is none. Bytes that
 * only look like a block deceive it where they bear every mark of one: checksums, stream, epoch and a growing number.
 */
export function seekBlock(reader: SegmentReader, from: number): boolean {
  for (let at = findMagic(reader, from); at >= 0; at = findMagic(reader, at + LOG_ALIGN_BYTES)) {
    reader.next = at;
    if (readBlock(reader)) return true;
  }
  reader.trouble = undefined;
  return false;
}

/**
 * Where to look for good blocks behind the trouble that `readBlock` named: behind the block, where its header can be believed.
 */
export function behindTrouble(reader: SegmentReader): number {
  const { trouble, troubleAt, end } = reader;
  if (trouble === 'payload cut' || trouble === 'zeros to the end') return end;
  const known = trouble === 'bad payload checksum';
  return troubleAt + (known ? BLOCK_HEADER_BYTES + reader.block.payloadBytes : LOG_ALIGN_BYTES);
}

/** Moves to the next chunk of the block. False behind the last one and at trouble. */
export function readChunk(reader: SegmentReader): boolean {
  const { bytes, recordsEnd: at, payloadEnd, chunk } = reader;
  if (at === payloadEnd) {
    return reader.chunksRead === reader.block.chunks ? false : fail(reader, 'chunk out of bounds', reader.at);
  }
  const recordsEnd = decodeChunkHeader(bytes, at, payloadEnd, chunk);
  if (recordsEnd < 0 || chunk.shard >= reader.header.shards || !Number.isSafeInteger(chunk.firstLsn)) {
    return fail(reader, 'chunk out of bounds', fileOffset(reader, at));
  }
  reader.chunksRead += 1;
  reader.recordsStart = recordsEnd - chunk.recordBytes;
  reader.recordsEnd = recordsEnd;
  return true;
}

/** Whether the current chunk's records are as many as its header says, each whole and sane. Some 10 ns a record. */
export function checkRecords(reader: SegmentReader): boolean {
  const { bytes, recordsStart, recordsEnd, chunk, record } = reader;
  let count = 0;
  for (let at = recordsStart; at < recordsEnd; count += 1) {
    const next = decodeRecord(bytes, at, recordsEnd, record);
    if (next < 0 || record.database >= reader.header.databases) {
      return fail(reader, 'record malformed', fileOffset(reader, at));
    }
    at = next;
  }
  return count === chunk.records || fail(reader, 'chunk out of bounds', fileOffset(reader, recordsStart));
}

function fail(reader: SegmentReader, trouble: ReadTrouble, at: number): false {
  reader.trouble = trouble;
  reader.troubleAt = at;
  return false;
}

/** The offset in the file of a place in `bytes`. */
function fileOffset(reader: SegmentReader, at: number): number {
  return reader.at + BLOCK_HEADER_BYTES + at - reader.payloadStart;
}

function tryBlock(reader: SegmentReader, at: number): ReadTrouble | undefined {
  const { block, header, end } = reader;
  if (end - at < BLOCK_HEADER_BYTES) return 'short block header';
  let start = load(reader, at, BLOCK_HEADER_BYTES);
  if (start < 0) return 'short block header';
  const trouble = decodeBlockHeader(reader.bytes, start, start + BLOCK_HEADER_BYTES, block);
  if (trouble === 'bad block magic' && isZero(reader, at)) return 'zeros to the end';
  if (trouble !== undefined) return trouble;
  if (block.stream !== header.stream) return 'wrong stream';
  if (block.epoch !== header.epoch) return 'wrong epoch';
  if (block.block <= reader.lastBlock) return 'block number not growing';
  const blockBytes = BLOCK_HEADER_BYTES + block.payloadBytes;
  if (blockBytes > end - at) return 'payload cut';
  start = load(reader, at, blockBytes);
  if (start < 0) return 'payload cut';
  reader.payloadStart = start + BLOCK_HEADER_BYTES;
  reader.payloadEnd = start + blockBytes;
  const payload = reader.bytes.subarray(reader.payloadStart, reader.payloadEnd);
  return payloadMatches(reader.bytes, start, payload) ? undefined : 'bad payload checksum';
}

/** Has `count` bytes of the file from offset `at` in `bytes`, and answers where they lie there; -1 where the file ends before. */
function load(reader: SegmentReader, at: number, count: number): number {
  const { storage, fd, window } = reader;
  if (count > window.length) {
    if (reader.large.length < count) reader.large = Buffer.allocUnsafeSlow(count);
    reader.bytes = reader.large;
    return storage.read(fd, reader.large, 0, count, at) === count ? 0 : -1;
  }
  reader.bytes = window;
  if (at < reader.windowAt || at + count > reader.windowAt + reader.windowBytes) {
    reader.windowAt = at;
    reader.windowBytes = storage.read(fd, window, 0, Math.min(window.length, reader.end - at), at);
  }
  return at + count <= reader.windowAt + reader.windowBytes ? at - reader.windowAt : -1;
}

/** Whether the file holds nothing but zeros from `from` on. */
function isZero(reader: SegmentReader, from: number): boolean {
  for (let at = from; at < reader.end; ) {
    const count = Math.min(reader.window.length, reader.end - at);
    const start = load(reader, at, count);
    if (start < 0) return false;
    for (let i = start; i < start + count; i += 1) {
      if (reader.bytes[i] !== 0) return false;
    }
    at += count;
  }
  return true;
}

/** The first aligned offset from `from` on where a block's first four bytes stand; -1 where there is none. */
function findMagic(reader: SegmentReader, from: number): number {
  const { window, end } = reader;
  for (let at = from; at + BLOCK_HEADER_BYTES <= end; at += window.length - LOG_ALIGN_BYTES) {
    const count = Math.min(window.length, end - at);
    const start = load(reader, at, count);
    if (start < 0) return -1;
    const loaded = window.subarray(start, start + count);
    for (let found = indexOfBlockMagic(loaded, 0); found >= 0; found = indexOfBlockMagic(loaded, found + 1)) {
      if (found % LOG_ALIGN_BYTES === 0) return at + found;
    }
  }
  return -1;
}
