/**
 * Where everything of a log segment lies: the drawings of its header, of a block and of a chunk, and the names of every
 * offset. The records themselves are drawn in shard/record.ts.
 *
 * Owns no state; any thread. Numbers are little-endian; a u64 is two u32 (low, high) and below 2^53. Encoding writes into the
 * caller's memory and costs some ten stores; the page of a segment's header apart, it allocates only what a checksum needs.
 */
import type { Buffer } from 'node:buffer';
import { assert } from '../base/assert.ts';
import { asciiBytes, readUint64, spanText, writeUint64 } from '../base/bytes.ts';
import { crc32 } from '../base/checksum.ts';

/** Blocks, payloads, chunks and records begin and end on multiples of this. */
export const LOG_ALIGN_BYTES = 8;

/**
 * A segment's header, one page; what is not drawn is zero:
 *
 *   0           8      12        16       20       24          28         32      40         48            56        64 .. 104
 *  ┌───────────┬──────┬─────────┬────────┬────────┬───────────┬──────────┬───────┬──────────┬─────────────┬─────────┬─────────┐
 *  │ magic     │ CRC  │ version │ stream │ shards │ databases │ reserved │ epoch │ sequence │ first block │ created │ boot id │
 *  │ DCWAL 0 0 1│ u32 │ u32     │ u32    │ u32    │ u32       │ u32      │ u64   │ u64      │ u64         │ ms u64  │ ASCII   │
 *  └───────────┴──────┴─────────┴────────┴────────┴───────────┴──────────┴───────┴──────────┴─────────────┴─────────┴─────────┘
 *
 * The CRC covers everything behind it, up to the end of the page.
 */
export const SEGMENT_HEADER_BYTES = 4096;
/** What is written: 2 since there are collections, whose changes version 1 did not know. */
export const LOG_VERSION = 2;
export const LOG_VERSION_OLDEST = 1;
const SEGMENT_MAGIC = 'DCWAL\0\0\u0001';
const SEGMENT_CRC_AT = 8;
const SEGMENT_VERSION_AT = 12;
const SEGMENT_STREAM_AT = 16;
const SEGMENT_SHARDS_AT = 20;
const SEGMENT_DATABASES_AT = 24;
const SEGMENT_EPOCH_AT = 32;
const SEGMENT_SEQUENCE_AT = 40;
const SEGMENT_FIRST_BLOCK_AT = 48;
const SEGMENT_CREATED_AT = 56;
const SEGMENT_BOOT_ID_AT = 64;
const BOOT_ID_BYTES = 40;

assert(SEGMENT_MAGIC.length === SEGMENT_CRC_AT, 'the magic ends where the checksum begins');
assert(SEGMENT_BOOT_ID_AT + BOOT_ID_BYTES <= SEGMENT_HEADER_BYTES, 'the boot id lies in the header');

/** What the header of a segment says. `version` is LOG_VERSION for all that this program writes. */
export type SegmentHeader = {
  readonly version: number;
  readonly stream: number;
  readonly shards: number;
  readonly databases: number;
  readonly epoch: number;
  readonly sequence: number;
  /** No block with a smaller number stands in the segment. */
  readonly firstBlock: number;
  readonly createdMs: number;
  /** At most 40 ASCII characters: which run of the machine wrote it; empty where the machine has none. */
  readonly bootId: string;
};

/** Why the bytes at the start of a file are no header of a segment. */
export type SegmentTrouble = 'short header' | 'bad magic' | 'bad header checksum';

/** Writes a segment's header, SEGMENT_HEADER_BYTES of it, to `target` at `at`. */
export function encodeSegmentHeader(target: Buffer, at: number, header: SegmentHeader): void {
  assert(header.bootId.length <= BOOT_ID_BYTES, 'a boot id fits in the header of a segment');
  target.fill(0, at, at + SEGMENT_HEADER_BYTES);
  target.write(SEGMENT_MAGIC, at, 'latin1');
  target.writeUInt32LE(header.version, at + SEGMENT_VERSION_AT);
  target.writeUInt32LE(header.stream, at + SEGMENT_STREAM_AT);
  target.writeUInt32LE(header.shards, at + SEGMENT_SHARDS_AT);
  target.writeUInt32LE(header.databases, at + SEGMENT_DATABASES_AT);
  writeUint64(target, at + SEGMENT_EPOCH_AT, header.epoch);
  writeUint64(target, at + SEGMENT_SEQUENCE_AT, header.sequence);
  writeUint64(target, at + SEGMENT_FIRST_BLOCK_AT, header.firstBlock);
  writeUint64(target, at + SEGMENT_CREATED_AT, header.createdMs);
  target.write(header.bootId, at + SEGMENT_BOOT_ID_AT, 'latin1');
  target.writeUInt32LE(segmentChecksum(target, at), at + SEGMENT_CRC_AT);
}

/** Reads the header that begins at `at`; the file goes on to `end`. A version that is not ours is the caller's to refuse. */
export function decodeSegmentHeader(bytes: Buffer, at: number, end: number): SegmentHeader | SegmentTrouble {
  if (end - at < SEGMENT_HEADER_BYTES) return 'short header';
  if (spanText(bytes, at, at + SEGMENT_MAGIC.length) !== SEGMENT_MAGIC) return 'bad magic';
  if (bytes.readUInt32LE(at + SEGMENT_CRC_AT) !== segmentChecksum(bytes, at)) return 'bad header checksum';
  const bootIdAt = at + SEGMENT_BOOT_ID_AT;
  return {
    version: bytes.readUInt32LE(at + SEGMENT_VERSION_AT),
    stream: bytes.readUInt32LE(at + SEGMENT_STREAM_AT),
    shards: bytes.readUInt32LE(at + SEGMENT_SHARDS_AT),
    databases: bytes.readUInt32LE(at + SEGMENT_DATABASES_AT),
    epoch: readUint64(bytes, at + SEGMENT_EPOCH_AT),
    sequence: readUint64(bytes, at + SEGMENT_SEQUENCE_AT),
    firstBlock: readUint64(bytes, at + SEGMENT_FIRST_BLOCK_AT),
    createdMs: readUint64(bytes, at + SEGMENT_CREATED_AT),
    bootId: spanText(bytes, bootIdAt, bootIdAt + BOOT_ID_BYTES).replace(/\0+$/, ''),
  };
}

function segmentChecksum(bytes: Buffer, at: number): number {
  return crc32(bytes.subarray(at + SEGMENT_VERSION_AT, at + SEGMENT_HEADER_BYTES));
}

/**
 * A block's header; the payload, chunks back to back, follows it:
 *
 *   0       4          8               12            16      24             32         40       44      48       52         56 .. 64
 *  ┌───────┬──────────┬───────────────┬─────────────┬───────┬──────────────┬──────────┬────────┬───────┬────────┬──────────┬───────┐
 *  │ magic │ CRC of   │ payload bytes │ CRC of the  │ block │ synced block │ wall     │ chunks │ flags │ stream │ reserved │ epoch │
 *  │ DCBK  │ [8, 64)  │ u32           │ payload u32 │ u64   │ u64          │ ms u64   │ u32    │ 0     │ u32    │ 0        │ u64   │
 *  └───────┴──────────┴───────────────┴─────────────┴───────┴──────────────┴──────────┴────────┴───────┴────────┴──────────┴───────┘
 */
export const BLOCK_HEADER_BYTES = 64;
const BLOCK_MAGIC_BYTES = asciiBytes('DCBK');
const BLOCK_MAGIC = BLOCK_MAGIC_BYTES.readUInt32LE(0);
const BLOCK_CRC_AT = 4;
const BLOCK_PAYLOAD_BYTES_AT = 8;
const BLOCK_PAYLOAD_CRC_AT = 12;
const BLOCK_NUMBER_AT = 16;
const BLOCK_SYNCED_AT = 24;
const BLOCK_WALL_AT = 32;
const BLOCK_CHUNKS_AT = 40;
const BLOCK_FLAGS_AT = 44;
const BLOCK_STREAM_AT = 48;
const BLOCK_RESERVED_AT = 52;
const BLOCK_EPOCH_AT = 56;

/** What the header of a block says, but for its checksums. Mutable: one is kept and filled again for each block. */
export type BlockHeader = {
  /** Bytes of the payload, a multiple of LOG_ALIGN_BYTES, below 2^32. */
  payloadBytes: number;
  block: number;
  /** A block of this stream up to which the stream was known to be on disk when this one was written; 0 for none. */
  syncedBlock: number;
  wallMs: number;
  chunks: number;
  stream: number;
  epoch: number;
};

/** Why the bytes at some place of a segment are no block. */
export type BlockTrouble =
  | 'short block header'
  | 'bad block magic'
  | 'bad block header checksum'
  | 'malformed block header'
  | 'payload cut'
  | 'bad payload checksum';

export function createBlockHeader(): BlockHeader {
  return { payloadBytes: 0, block: 0, syncedBlock: 0, wallMs: 0, chunks: 0, stream: 0, epoch: 0 };
}

/**
 * Writes the header of the block whose payload already stands in `target` from `at + BLOCK_HEADER_BYTES` on, checksums and
 * all. `at` is a multiple of LOG_ALIGN_BYTES. Allocates two views of `target`, which zlib needs.
 */
export function sealBlock(target: Buffer, at: number, header: BlockHeader): void {
  const payloadAt = at + BLOCK_HEADER_BYTES;
  target.writeUInt32LE(BLOCK_MAGIC, at);
  target.writeUInt32LE(header.payloadBytes, at + BLOCK_PAYLOAD_BYTES_AT);
  target.writeUInt32LE(
    crc32(target.subarray(payloadAt, payloadAt + header.payloadBytes)),
    at + BLOCK_PAYLOAD_CRC_AT,
  );
  writeUint64(target, at + BLOCK_NUMBER_AT, header.block);
  writeUint64(target, at + BLOCK_SYNCED_AT, header.syncedBlock);
  writeUint64(target, at + BLOCK_WALL_AT, header.wallMs);
  target.writeUInt32LE(header.chunks, at + BLOCK_CHUNKS_AT);
  target.writeUInt32LE(0, at + BLOCK_FLAGS_AT);
  target.writeUInt32LE(header.stream, at + BLOCK_STREAM_AT);
  target.writeUInt32LE(0, at + BLOCK_RESERVED_AT);
  writeUint64(target, at + BLOCK_EPOCH_AT, header.epoch);
  target.writeUInt32LE(blockChecksum(target, at), at + BLOCK_CRC_AT);
}

/** Reads a block's header at `at`, of bytes that are there up to `end`, into `header`. Says nothing about the payload. */
export function decodeBlockHeader(
  bytes: Buffer,
  at: number,
  end: number,
  header: BlockHeader,
): BlockTrouble | undefined {
  if (end - at < BLOCK_HEADER_BYTES) return 'short block header';
  if (bytes.readUInt32LE(at) !== BLOCK_MAGIC) return 'bad block magic';
  if (bytes.readUInt32LE(at + BLOCK_CRC_AT) !== blockChecksum(bytes, at)) return 'bad block header checksum';
  header.payloadBytes = bytes.readUInt32LE(at + BLOCK_PAYLOAD_BYTES_AT);
  header.block = readUint64(bytes, at + BLOCK_NUMBER_AT);
  header.syncedBlock = readUint64(bytes, at + BLOCK_SYNCED_AT);
  header.wallMs = readUint64(bytes, at + BLOCK_WALL_AT);
  header.chunks = bytes.readUInt32LE(at + BLOCK_CHUNKS_AT);
  header.stream = bytes.readUInt32LE(at + BLOCK_STREAM_AT);
  header.epoch = readUint64(bytes, at + BLOCK_EPOCH_AT);
  const sane =
    header.payloadBytes % LOG_ALIGN_BYTES === 0 &&
    bytes.readUInt32LE(at + BLOCK_FLAGS_AT) === 0 &&
    Number.isSafeInteger(header.block);
  return sane ? undefined : 'malformed block header';
}

/** Whether the payload at `payloadAt` is the one that the header at `at` was written for. */
export function payloadMatches(bytes: Buffer, at: number, payload: Uint8Array): boolean {
  return bytes.readUInt32LE(at + BLOCK_PAYLOAD_CRC_AT) === crc32(payload);
}

/** Where the first four bytes that could begin a block lie in `bytes` from `from` on; -1 where there are none. */
export function indexOfBlockMagic(bytes: Buffer, from: number): number {
  return bytes.indexOf(BLOCK_MAGIC_BYTES, from);
}

function blockChecksum(bytes: Buffer, at: number): number {
  return crc32(bytes.subarray(at + BLOCK_PAYLOAD_BYTES_AT, at + BLOCK_HEADER_BYTES));
}

/**
 * A chunk's header; the records of one shard, with LSNs first, first + 1, ..., follow it:
 *
 *   0       4         8           16              20 .. 24
 *  ┌───────┬─────────┬───────────┬───────────────┬──────────┐
 *  │ shard │ records │ first LSN │ record bytes  │ reserved │
 *  │ u32   │ u32     │ u64       │ u32           │ 0        │
 *  └───────┴─────────┴───────────┴───────────────┴──────────┘
 */
export const CHUNK_HEADER_BYTES = 24;
const CHUNK_SHARD_AT = 0;
const CHUNK_RECORDS_AT = 4;
const CHUNK_FIRST_LSN_AT = 8;
const CHUNK_RECORD_BYTES_AT = 16;
const CHUNK_RESERVED_AT = 20;

assert(BLOCK_HEADER_BYTES % LOG_ALIGN_BYTES === 0, 'a payload begins aligned');
assert(CHUNK_HEADER_BYTES % LOG_ALIGN_BYTES === 0, 'the records of a chunk begin aligned');

/** What the header of a chunk says. Mutable: one is kept and filled again for each chunk. */
export type ChunkHeader = {
  shard: number;
  records: number;
  firstLsn: number;
  /** Bytes of the records, a multiple of LOG_ALIGN_BYTES. */
  recordBytes: number;
};

export function createChunkHeader(): ChunkHeader {
  return { shard: 0, records: 0, firstLsn: 0, recordBytes: 0 };
}

/** Writes a chunk's header to `target` at `at`. Allocates nothing. */
export function encodeChunkHeader(
  target: Buffer,
  at: number,
  shard: number,
  records: number,
  firstLsn: number,
  recordBytes: number,
): void {
  target.writeUInt32LE(shard, at + CHUNK_SHARD_AT);
  target.writeUInt32LE(records, at + CHUNK_RECORDS_AT);
  writeUint64(target, at + CHUNK_FIRST_LSN_AT, firstLsn);
  target.writeUInt32LE(recordBytes, at + CHUNK_RECORD_BYTES_AT);
  target.writeUInt32LE(0, at + CHUNK_RESERVED_AT);
}

/**
 * Reads the chunk's header at `at` of a payload that ends at `end` into `chunk`. Answers where its records end, or -1 where
 * header or records do not lie whole within the payload.
 */
export function decodeChunkHeader(bytes: Buffer, at: number, end: number, chunk: ChunkHeader): number {
  if (end - at < CHUNK_HEADER_BYTES) return -1;
  chunk.shard = bytes.readUInt32LE(at + CHUNK_SHARD_AT);
  chunk.records = bytes.readUInt32LE(at + CHUNK_RECORDS_AT);
  chunk.firstLsn = readUint64(bytes, at + CHUNK_FIRST_LSN_AT);
  chunk.recordBytes = bytes.readUInt32LE(at + CHUNK_RECORD_BYTES_AT);
  const recordsEnd = at + CHUNK_HEADER_BYTES + chunk.recordBytes;
  return chunk.recordBytes % LOG_ALIGN_BYTES === 0 && recordsEnd <= end ? recordsEnd : -1;
}
