/**
 * A log for tests: shards whose changes are journaled, a writer per stream as its worker would have it, a disk, a clock that
 * tests move, and what the writers tell. `readLog` reads back what stands in the segments, in the order of the blocks.
 */
import type { Buffer } from 'node:buffer';
import { createLogBoardBuffer, openLogBoard } from '../../src/durability/log-board.ts';
import { settleCommits } from '../../src/durability/log-commit.ts';
import {
  closeSegmentReader,
  openSegmentReader,
  readBlock,
  readChunk,
} from '../../src/durability/log-reader.ts';
import { openSegment, type Segment } from '../../src/durability/log-segment.ts';
import { createLogWriter, type LogWriter } from '../../src/durability/log-stream.ts';
import type { Storage } from '../../src/durability/storage-types.ts';
import { startJournaling } from '../../src/shard/journal.ts';
import { createRecordView, decodeRecord } from '../../src/shard/record.ts';
import {
  createShardBuffers,
  formatShard,
  openShard,
  type Shard,
  type ShardBuffers,
} from '../../src/shard/shard.ts';
import { START_MS } from './shard.ts';
import { createSimulatedDisk, type SimulatedDisk } from './simulated-disk.ts';

const SHARD_BYTES = 16 * 2 ** 20;
const SMALL_SHARD_BYTES = 2 ** 18;
const DATABASES = 2;
const FIRST_WORKER = 2;

/** A record as text. */
type LoggedRecord = { readonly lsn: number; readonly key: string; readonly value: string };
type LoggedChunk = { readonly shard: number; readonly records: readonly LoggedRecord[] };
export type LoggedBlock = {
  readonly block: number;
  readonly stream: number;
  readonly syncedBlock: number;
  readonly chunks: readonly LoggedChunk[];
};

export type LogWorld = {
  readonly disk: SimulatedDisk;
  readonly boardBuffer: SharedArrayBuffer;
  readonly writers: readonly LogWriter[];
  readonly settings: { appendfsync: string };
  readonly clock: { nowMs: number };
  /** What the writers told, as 'stream: event'. */
  readonly told: string[];
  /** Makes the next segment of a stream. */
  nextSegment(stream: number, epoch?: number): Segment;
  /** Lets the streams that were told of progress look at their commits. */
  deliver(): void;
};

/** `isSmall`: for tests of many worlds. */
export function createLogWorld({
  streams = 1,
  shards = 2,
  appendfsync = 'everysec',
  isSmall = false,
} = {}): LogWorld {
  const disk = createSimulatedDisk();
  const buffers = createJournaledShards(shards, isSmall ? SMALL_SHARD_BYTES : SHARD_BYTES);
  const boardBuffer = createLogBoardBuffer(streams, 1);
  const settings = { appendfsync };
  const clock = { nowMs: 0 };
  const told: string[] = [];
  const progress: number[] = [];
  const segmentOf = (stream: number, sequence: number, epoch = 1) =>
    openTestSegment(disk, stream, sequence, epoch, shards);
  const writers = Array.from({ length: streams }, (_, stream) =>
    createLogWriter({
      board: openLogBoard(boardBuffer, streams),
      stream,
      threadId: FIRST_WORKER + stream,
      storage: disk,
      clock: { wallMs: () => START_MS + clock.nowMs, monotonicMs: () => clock.nowMs },
      shards: openShards(buffers, FIRST_WORKER + stream),
      settings,
      hooks: {
        onTrouble: (kind, error) =>
          void told.push(
            `${stream}: ${kind} ${(error as NodeJS.ErrnoException | undefined)?.code ?? ''}`.trim(),
          ),
        onHealthy: () => void told.push(`${stream}: healthy`),
        wantSegment: () => void told.push(`${stream}: want segment`),
        tellProgress: (other) => void progress.push(other),
      },
      segment: segmentOf(stream, 1),
    }),
  );
  return {
    disk,
    boardBuffer,
    writers,
    settings,
    clock,
    told,
    nextSegment: (stream, epoch = 1) => segmentOf(stream, writers[stream].segment.sequence + 1, epoch),
    deliver: () => {
      for (const stream of progress.splice(0)) settleCommits(writers[stream]);
    },
  };
}

export function createJournaledShards(count: number, bytes = SHARD_BYTES): ShardBuffers[] {
  return Array.from({ length: count }, (_, index) => {
    const buffers = createShardBuffers({
      capacityBytes: bytes,
      limitBytes: bytes,
      keysMax: 0,
      policy: 1,
      databases: DATABASES,
      lfuLogFactor: 10,
      lfuDecayMinutes: 1,
      holdSampling: 64,
      hashKey: [index + 5, 6],
      seed: index + 5,
      nowMs: START_MS,
    });
    const [shard] = openShards([buffers], 1);
    formatShard(shard, START_MS);
    startJournaling(shard);
    return buffers;
  });
}

export function openShards(buffers: readonly ShardBuffers[], threadId: number): Shard[] {
  const clock = { wallMs: () => START_MS, monotonicMs: () => 0 };
  return buffers.map((shard, index) => openShard(shard, index, threadId, clock));
}

export function openTestSegment(
  storage: Storage,
  stream: number,
  sequence: number,
  epoch: number,
  shards: number,
): Segment {
  const options = { stream, sequence, epoch, shards, databases: DATABASES, firstBlock: 1 };
  return openSegment(storage, { ...options, createdMs: START_MS });
}

/** All blocks of all segments of a disk, in the order of their numbers. Throws where one is no good, unless ends may be torn. */
export function readLog(storage: Storage, { mayBeTorn = false } = {}): LoggedBlock[] {
  const folders = storage.list('.').filter((name) => name.startsWith('worker-'));
  const paths = folders.flatMap((folder) => storage.list(folder).map((name) => `${folder}/${name}`));
  return paths.flatMap((path) => readSegment(storage, path, mayBeTorn)).sort((a, b) => a.block - b.block);
}

export function readSegment(storage: Storage, path: string, mayBeTorn = false): LoggedBlock[] {
  const reader = openSegmentReader(storage, path, 2 ** 16, 0);
  if (typeof reader === 'string') throw new Error(`${path}: ${reader}`);
  const blocks: LoggedBlock[] = [];
  while (readBlock(reader)) {
    const { block, stream, syncedBlock } = reader.block;
    const chunks: LoggedChunk[] = [];
    while (readChunk(reader)) {
      const { shard, firstLsn, records: count } = reader.chunk;
      const records = recordsIn(reader.bytes, reader.recordsStart, reader.recordsEnd, firstLsn);
      if (records.length !== count) throw new Error(`${path}: ${records.length} records of ${count}`);
      chunks.push({ shard, records });
    }
    blocks.push({ block, stream, syncedBlock, chunks });
  }
  closeSegmentReader(reader);
  if (reader.trouble !== undefined && !mayBeTorn)
    throw new Error(`${path}: ${reader.trouble} at ${reader.troubleAt}`);
  return blocks;
}

function recordsIn(bytes: Buffer, start: number, end: number, firstLsn: number): LoggedRecord[] {
  const view = createRecordView();
  const records: LoggedRecord[] = [];
  for (let at = start; at < end; ) {
    at = decodeRecord(bytes, at, end, view);
    if (at < 0) throw new Error('a record is malformed');
    const key = bytes.toString('latin1', view.keyStart, view.keyEnd);
    const value = bytes.toString('latin1', view.valueStart, view.valueEnd);
    records.push({ lsn: firstLsn + records.length, key, value });
  }
  return records;
}

/** The keys of a log in the order in which their changes were logged. */
export function loggedKeys(blocks: readonly LoggedBlock[]): string[] {
  return blocks.flatMap(({ chunks }) => chunks.flatMap(({ records }) => records.map(({ key }) => key)));
}

/** The folder of a test as a storage whose paths are relative to it. */
export function storageIn(folder: string, storage: Storage): Storage {
  const at = (path: string) => `${folder}/${path}`;
  return {
    ...storage,
    openRead: (path) => storage.openRead(at(path)),
    createFile: (path) => storage.createFile(at(path)),
    openWrite: (path) => storage.openWrite(at(path)),
    remove: (path) => storage.remove(at(path)),
    exists: (path) => storage.exists(at(path)),
    list: (path) => storage.list(at(path)),
    makeFolder: (path) => storage.makeFolder(at(path)),
    syncFolder: (path) => storage.syncFolder(at(path)),
  };
}
