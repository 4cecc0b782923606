/**
 * Replays a log: hands every record that a plan keeps to whoever applies it, block by block in the order of the blocks' numbers.
 *
 * Owns the files that it has open meanwhile, with a window of memory for each stream. Any thread; several threads may replay
 * the same log at once, each the shards that it wants. Blocks its thread.
 */
import type { Buffer } from 'node:buffer';
import { StartError } from '../base/errors.ts';
import { decodeRecord, type RecordView } from '../shard/record.ts';
import { readChunk, type SegmentReader } from './log-reader.ts';
import type { RecoveryPlan } from './recovery-scan.ts';
import type { Storage } from './storage-types.ts';
import {
  closeStreamReader,
  createStreamReader,
  leastStream,
  nextOfOthers,
  readStreamBlock,
  type StreamReader,
  windowBytesFor,
} from './stream-reader.ts';

/** Whoever takes the records. `shard` is the number that the shard had in `epoch`, when the record was written. */
export type ReplayTarget = {
  /** Whether to hand over the records of a chunk. */
  readonly wants: (shard: number, epoch: number) => boolean;
  /** Takes one record. `view` and the bytes that it points into are void when it returns. False ends the replay. */
  readonly apply: (shard: number, lsn: number, view: RecordView, bytes: Buffer, epoch: number) => boolean;
  /** Told now and then how many bytes of blocks are done. */
  readonly onProgress?: (bytes: number) => void;
};

/** Between two words on the progress. */
const PROGRESS_BYTES = 2 ** 22;

type Progress = { blocks: number; bytes: number; told: number };

/**
 * Replays what the plan keeps. Answers the number of records that were handed over, or -1 when the target ended it. Throws a
 * StartError where a file is not what the scan found, and system errors of the disk.
 */
export function replayLog(storage: Storage, plan: RecoveryPlan, target: ReplayTarget): number {
  const windowBytes = windowBytesFor(plan.streams.length);
  const streams = plan.streams.map(({ stream, segments }) =>
    createStreamReader(storage, stream, segments, windowBytes),
  );
  try {
    for (const stream of streams) advance(stream);
    return replayStreams(streams, plan, target);
  } finally {
    for (const stream of streams) closeStreamReader(stream);
  }
}

function replayStreams(streams: readonly StreamReader[], plan: RecoveryPlan, target: ReplayTarget): number {
  const progress: Progress = { blocks: 0, bytes: 0, told: 0 };
  let records = 0;
  for (let stream = leastStream(streams); stream !== undefined; stream = leastStream(streams)) {
    const others = nextOfOthers(streams, stream);
    while (stream.block < others) {
      const { reader } = stream;
      if (reader !== undefined && stream.block >= plan.firstBlock) {
        const handed = replayBlock(reader, target);
        if (handed < 0) return -1;
        records += handed;
        tellProgress(progress, reader, target);
      }
      advance(stream);
    }
  }
  // A file that has become shorter since the scan ends as if it were whole.
  if (progress.blocks !== plan.blocks) throw new StartError('the log became shorter while it was read', 1);
  return records;
}

function advance(stream: StreamReader): void {
  if (readStreamBlock(stream)) return;
  if (stream.reader !== undefined) throw changed(stream.reader);
}

/** Hands over the records of one block; how many, or -1 when the target ended it. */
function replayBlock(reader: SegmentReader, { wants, apply }: ReplayTarget): number {
  const { chunk, record, bytes, block } = reader;
  const { epoch } = block;
  let records = 0;
  while (readChunk(reader)) {
    const { shard } = chunk;
    if (!wants(shard, epoch)) continue;
    const { recordsEnd } = reader;
    let lsn = chunk.firstLsn;
    for (let at = reader.recordsStart; at < recordsEnd; lsn += 1) {
      at = decodeRecord(bytes, at, recordsEnd, record);
      if (at < 0) throw changed(reader);
      if (!apply(shard, lsn, record, bytes, epoch)) return -1;
    }
    records += chunk.records;
  }
  if (reader.trouble !== undefined) throw changed(reader);
  return records;
}

function tellProgress(progress: Progress, reader: SegmentReader, { onProgress }: ReplayTarget): void {
  progress.blocks += 1;
  progress.bytes += reader.next - reader.at;
  if (progress.bytes - progress.told < PROGRESS_BYTES) return;
  progress.told = progress.bytes;
  onProgress?.(progress.bytes);
}

function changed({ path, at, trouble }: SegmentReader): StartError {
  return new StartError(
    `${path} changed while it was read: ${trouble ?? 'record malformed'} at offset ${at}`,
    1,
  );
}
