/**
 * Writes small logs for tests with the encoders of the product: streams, segments, blocks and records as asked for.
 */
import { Buffer } from 'node:buffer';
import { segmentPath } from '../../src/durability/file-names.ts';
import {
  BLOCK_HEADER_BYTES,
  CHUNK_HEADER_BYTES,
  encodeChunkHeader,
  encodeSegmentHeader,
  LOG_VERSION,
  SEGMENT_HEADER_BYTES,
  sealBlock,
} from '../../src/durability/log-format.ts';
import type { Manifest, ManifestSegment, SnapshotSet } from '../../src/durability/manifest.ts';
import {
  EFFECT_DELETE,
  EFFECT_PUT,
  EFFECT_SPLICE,
  RECORD_EXPIRES,
  RECORD_HEADER_BYTES,
  recordBytes,
} from '../../src/shard/record.ts';

/** What a test says of a record; the rest is zero. */
export type RecordPlan = {
  readonly effect: number;
  readonly database?: number;
  readonly flags?: number;
  readonly extra?: number;
  readonly key?: string;
  readonly value?: string | Buffer;
  readonly expiresAtMs?: number;
  readonly length?: number;
};

export type ChunkPlan = { readonly shard: number; readonly records: readonly RecordPlan[] };

/** A file as it is built. */
type BuiltSegment = ManifestSegment & { readonly path: string; readonly parts: Buffer[] };

export type LogBuilder = {
  readonly shards: number;
  readonly databases: number;
  readonly bootId: string;
  epoch: number;
  blockBase: number;
  nextBlock: number;
  readonly lsns: number[];
  readonly streams: BuiltSegment[][];
  snapshot: SnapshotSet | null;
};

export type LogShape = { streams: number; shards: number; databases?: number; bootId: string };

/** A log with one empty segment in each stream, in epoch 1 from block 1 on. */
export function createLogBuilder({ streams, shards, databases = 16, bootId }: LogShape): LogBuilder {
  const builder: LogBuilder = {
    ...{ shards, databases, bootId, epoch: 1, blockBase: 1, nextBlock: 1, snapshot: null },
    lsns: Array.from({ length: shards }, () => 1),
    streams: Array.from({ length: streams }, () => []),
  };
  for (let stream = 0; stream < streams; stream += 1) rotate(builder, stream);
  return builder;
}

export function put(key: string, value: string | Buffer, expiresAtMs?: number): RecordPlan {
  return expiresAtMs === undefined
    ? { effect: EFFECT_PUT, key, value }
    : { effect: EFFECT_PUT, key, value, expiresAtMs, flags: RECORD_EXPIRES };
}

export function del(key: string): RecordPlan {
  return { effect: EFFECT_DELETE, key };
}

/** Begins the stream's next segment. */
export function rotate(builder: LogBuilder, stream: number): void {
  const segments = builder.streams[stream];
  const sequence = (segments.at(-1)?.sequence ?? 0) + 1;
  const header = Buffer.alloc(SEGMENT_HEADER_BYTES);
  const { epoch, shards, databases, bootId, nextBlock: firstBlock } = builder;
  encodeSegmentHeader(header, 0, {
    ...{ version: LOG_VERSION, stream, shards, databases, epoch, sequence, firstBlock, bootId },
    createdMs: 1_700_000_000_000,
  });
  segments.push({ sequence, epoch, firstBlock, path: segmentPath(stream, sequence), parts: [header] });
}

/** Begins the next epoch, with a new segment in each stream. */
export function beginEpoch(builder: LogBuilder): void {
  builder.epoch += 1;
  builder.blockBase = builder.nextBlock;
  for (let stream = 0; stream < builder.streams.length; stream += 1) rotate(builder, stream);
}

/** Adds a block at the end of the stream; answers its number. */
export function addBlock(
  builder: LogBuilder,
  stream: number,
  chunks: readonly ChunkPlan[],
  syncedBlock = 0,
): number {
  const block = builder.nextBlock;
  builder.nextBlock += 1;
  const payload = Buffer.concat(chunks.map((chunk) => encodeChunk(builder, chunk)));
  const bytes = Buffer.concat([Buffer.alloc(BLOCK_HEADER_BYTES), payload]);
  sealBlock(bytes, 0, {
    ...{ payloadBytes: payload.length, block, syncedBlock, wallMs: 1_700_000_000_000 + block },
    ...{ chunks: chunks.length, stream, epoch: builder.epoch },
  });
  builder.streams[stream].at(-1)?.parts.push(bytes);
  return block;
}

/** The files' bytes by path. */
export function builtFiles(builder: LogBuilder): Map<string, Buffer> {
  return new Map(builder.streams.flat().map(({ path, parts }) => [path, Buffer.concat(parts)]));
}

export function builtManifest(builder: LogBuilder): Manifest {
  const { epoch, shards, databases, blockBase, snapshot } = builder;
  const streams = builder.streams.map((segments, stream) => ({
    stream,
    segments: segments.map(({ sequence, epoch: of, firstBlock }) => ({ sequence, epoch: of, firstBlock })),
  }));
  return { version: 1, epoch, shards, databases, streams, snapshot, previous: null, blockBase };
}

function encodeChunk(builder: LogBuilder, { shard, records }: ChunkPlan): Buffer {
  const body = Buffer.concat(records.map(encodeRecord));
  const header = Buffer.alloc(CHUNK_HEADER_BYTES);
  encodeChunkHeader(header, 0, shard, records.length, builder.lsns[shard], body.length);
  builder.lsns[shard] += records.length;
  return Buffer.concat([header, body]);
}

/** One record as record.ts draws it. */
function encodeRecord(plan: RecordPlan): Buffer {
  const { effect, database = 0, flags = 0, extra = 0, key = '', value = '' } = plan;
  const keyBytes = Buffer.from(key);
  const valueBytes = typeof value === 'string' ? Buffer.from(value) : value;
  const header = Buffer.alloc(RECORD_HEADER_BYTES);
  header.writeUInt32LE((effect | (database << 8) | (flags << 16)) >>> 0, 0);
  header.writeUInt32LE(keyBytes.length, 4);
  header.writeUInt32LE(valueBytes.length, 8);
  header.writeUInt32LE(extra, 12);
  const numbers: Buffer[] = [];
  if (plan.expiresAtMs !== undefined) numbers.push(uint64(plan.expiresAtMs));
  if (effect === EFFECT_SPLICE) numbers.push(uint64(plan.length ?? 0));
  const parts = Buffer.concat([header, ...numbers, keyBytes, valueBytes]);
  return Buffer.concat([parts, Buffer.alloc(recordBytes(parts.length) - parts.length)]);
}

function uint64(value: number): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64LE(BigInt(value));
  return bytes;
}
