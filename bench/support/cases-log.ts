/** In-process cases of the log: records appended, drained and written to a real file, and read back into a shard. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemClock } from '../../src/base/clock.ts';
import { createLogBoardBuffer, openLogBoard } from '../../src/durability/log-board.ts';
import { SEGMENT_HEADER_BYTES } from '../../src/durability/log-format.ts';
import { replayLog } from '../../src/durability/log-replay.ts';
import { openSegment } from '../../src/durability/log-segment.ts';
import { createLogWriter, type LogWriter } from '../../src/durability/log-stream.ts';
import { closeFiles } from '../../src/durability/log-sync.ts';
import { logTurn } from '../../src/durability/log-writer.ts';
import { MANIFEST_VERSION } from '../../src/durability/manifest.ts';
import { type RecoveryPlan, scanLog } from '../../src/durability/recovery-scan.ts';
import { createDiskStorage } from '../../src/durability/storage.ts';
import { appendPut } from '../../src/shard/append.ts';
import { startJournaling } from '../../src/shard/journal.ts';
import { putString } from '../../src/shard/keyspace.ts';
import { acquireShard, releaseShard } from '../../src/shard/lock.ts';
import { replayRecord } from '../../src/shard/replay.ts';
import { openShard, type Shard } from '../../src/shard/shard.ts';
import type { Case, Workload } from './measure.ts';
import { createBenchShard, createBenchShards, type Keys, shortKeys } from './workload-data.ts';

const RECORDS = 640_000;
const TURN_RECORDS = 64;
const KEYS = 100_000;
const KEY_BYTES = 8;
const VALUE = Buffer.from('value-0123456789');
const SHARD_BYTES = 64 * 2 ** 20;
const TURNS = 50_000;
const TURN_SHARDS = 4;
const SMALL_TURN_RECORDS = 10;
const DATABASES = 16;

export const LOG_CASES: readonly Case[] = [
  {
    name: 'WAL append',
    data: '640k records of 24 B (key 8, value 16), written by 64',
    adds: "the shard's lock for each; LSNs; blocks with CRC-32 of head and payload; write(2) to a file",
    create: appendWorkload,
  },
  {
    name: 'WAL turn',
    data: 'ends of turns: 10 records of 24 B over 4 shards, counted in turns',
    adds: 'the appends; four chunks in one block, one write(2)',
    create: turnWorkload,
  },
  {
    name: 'WAL replay',
    data: '640k records of 24 B over 100k keys, in blocks of 64',
    adds: 'reading the file, CRC-32, bounds of each record; then all that Cache SET does',
    create: replayWorkload,
  },
];

type Log = { readonly writer: LogWriter; readonly close: () => Promise<void> };

/** A log of one stream in a folder of its own, which becomes the process's while the case runs. */
function createLog(shards: readonly Shard[]): Log {
  const before = process.cwd();
  const folder = mkdtempSync(join(tmpdir(), 'distcache-bench-'));
  process.chdir(folder);
  const storage = createDiskStorage();
  const head = { stream: 0, sequence: 1, epoch: 1, shards: shards.length, databases: DATABASES };
  const writer = createLogWriter({
    board: openLogBoard(createLogBoardBuffer(1, 1), 1),
    stream: 0,
    threadId: 1,
    storage,
    clock: systemClock,
    shards,
    settings: { appendfsync: 'no' },
    hooks: {
      onTrouble: (kind, error) => {
        throw new Error(`the log has trouble: ${kind}`, { cause: error });
      },
      onHealthy: () => undefined,
      wantSegment: () => undefined,
      tellProgress: () => undefined,
    },
    segment: openSegment(storage, { ...head, firstBlock: 1, createdMs: systemClock.wallMs() }),
  });
  const close = async (): Promise<void> => {
    closeFiles(writer);
    process.chdir(before);
    rmSync(folder, { recursive: true });
  };
  return { writer, close };
}

function createJournaledShards(count: number): Shard[] {
  const shards = createBenchShards(count, SHARD_BYTES).map((buffers, index) =>
    openShard(buffers, index, 1, systemClock),
  );
  for (const shard of shards) startJournaling(shard);
  return shards;
}

/** The log alone: the records are of entries that are there, which nobody changes. */
function appendTo(shard: Shard, ref: number): void {
  acquireShard(shard);
  appendPut(shard, 0, ref, KEY_BYTES, VALUE, 0, VALUE.length, 0, 0);
  releaseShard(shard);
}

function putOne(shard: Shard): number {
  const key = shortKeys(1).bytes;
  return putString(shard, 0, key, 0, KEY_BYTES, VALUE, 0, VALUE.length, 0, systemClock.wallMs());
}

function appendWorkload(): Workload {
  const shards = createJournaledShards(1);
  const ref = putOne(shards[0]);
  const { writer, close } = createLog(shards);
  return {
    before: () => restart(writer),
    run: () => {
      for (let count = 0; count < RECORDS; count += TURN_RECORDS) {
        for (let index = 0; index < TURN_RECORDS; index += 1) appendTo(shards[0], ref);
        logTurn(writer, shards, 1);
      }
      return RECORDS;
    },
    close,
  };
}

function turnWorkload(): Workload {
  const shards = createJournaledShards(TURN_SHARDS);
  const refs = shards.map(putOne);
  const { writer, close } = createLog(shards);
  return {
    before: () => restart(writer),
    run: () => {
      for (let turn = 0; turn < TURNS; turn += 1) {
        for (let index = 0; index < SMALL_TURN_RECORDS; index += 1) {
          appendTo(shards[index % TURN_SHARDS], refs[index % TURN_SHARDS]);
        }
        logTurn(writer, shards, TURN_SHARDS);
      }
      return TURNS;
    },
    close,
  };
}

/** The file begins anew, in place of one more for each run. */
function restart(writer: LogWriter): void {
  const { segment, storage } = writer;
  segment.bytes = SEGMENT_HEADER_BYTES;
  storage.truncate(segment.fd, segment.bytes);
}

function replayWorkload(): Workload {
  const shards = createJournaledShards(1);
  const { writer, close } = createLog(shards);
  writeKeys(writer, shards[0], shortKeys(KEYS));
  const plan = planOf(writer);
  let shard = createBenchShard(SHARD_BYTES);
  const nowMs = systemClock.wallMs();
  return {
    before: () => {
      shard = createBenchShard(SHARD_BYTES);
    },
    run: () =>
      replayLog(writer.storage, plan, {
        wants: () => true,
        apply: (_, lsn, view, bytes) => replayRecord(shard, view, bytes, lsn, nowMs),
      }),
    close,
  };
}

function writeKeys(writer: LogWriter, shard: Shard, { bytes, starts }: Keys): void {
  const nowMs = systemClock.wallMs();
  for (let count = 0; count < RECORDS; count += TURN_RECORDS) {
    for (let index = count; index < count + TURN_RECORDS; index += 1) {
      const start = starts[(index * 7919) % KEYS];
      putString(shard, 0, bytes, start, start + KEY_BYTES, VALUE, 0, VALUE.length, 0, nowMs);
    }
    logTurn(writer, [shard], 1);
  }
}

function planOf(writer: LogWriter): RecoveryPlan {
  const { storage, segment } = writer;
  const segments = [{ sequence: segment.sequence, epoch: segment.epoch, firstBlock: 1 }];
  const { refusals, plan } = scanLog({
    storage,
    manifest: {
      version: MANIFEST_VERSION,
      epoch: segment.epoch,
      shards: 1,
      databases: DATABASES,
      streams: [{ stream: 0, segments }],
      snapshot: null,
      previous: null,
      blockBase: 1,
    },
    base: null,
    bootId: storage.bootId(),
    folder: '.',
  });
  if (refusals.length > 0) throw new Error(refusals.join('\n'));
  return plan;
}
