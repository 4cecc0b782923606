/**
 * Reads a whole log once and decides what of it is good: the plan of a recovery, or why there can be none. The rules stand in
 * docs/formats/log.md ("Torn or damaged?").
 *
 * Owns nothing but the files that it has open while it reads. Changes nothing on the disk. Any thread; blocks it for as long
 * as the reading takes (the log is read once, some 10 ns a record on top).
 */
import { assert } from '../base/assert.ts';
import { SEGMENT_HEADER_BYTES } from './log-format.ts';
import { checkRecords, readChunk, type SegmentReader } from './log-reader.ts';
import { createLsnChain, followLsns, type LsnChain } from './lsn-chain.ts';
import type { Manifest, SnapshotSet } from './manifest.ts';
import { checkSegments, type LogFinding, type StreamFacts } from './segment-check.ts';
import type { Storage } from './storage-types.ts';
import {
  countDropped,
  type DroppedBlocks,
  type DropVisitor,
  damageOf,
  isTornEnd,
  type StreamDamage,
  surveyBehind,
} from './stream-damage.ts';
import {
  closeStreamReader,
  createStreamReader,
  leastStream,
  readStreamBlock,
  type StreamReader,
  windowBytesFor,
} from './stream-reader.ts';

export type ScanInput = {
  readonly storage: Storage;
  readonly manifest: Manifest;
  /** The snapshot that recovery starts with; null: the log alone, from its beginning. */
  readonly base: SnapshotSet | null;
  /** This run of the machine; empty where it is not known. */
  readonly bootId: string;
  /** The folder as the operator knows it, for the command in a refusal. */
  readonly folder: string;
  /** Cut wherever the log stops being readable, instead of refusing. */
  readonly isRepair?: boolean;
  readonly onDropped?: DropVisitor;
};

/** What to do with one file: bytes from `offset` on go. `text` says so in one line. */
type LogCut = {
  readonly path: string;
  readonly offset: number;
  readonly bytes: number;
  readonly text: string;
};

type PlannedSegment = {
  readonly path: string;
  readonly sequence: number;
  readonly epoch: number;
  readonly shards: number;
  /** The offset at which its good part ends. */
  readonly end: number;
};

type PlannedStream = {
  readonly stream: number;
  readonly segments: readonly PlannedSegment[];
  /** Sequence numbers of segments that cannot be used at all; only in a repair. */
  readonly lost: readonly number[];
};

/** What a recovery reads, and what the epoch after it starts from. */
export type RecoveryPlan = {
  readonly streams: readonly PlannedStream[];
  readonly cuts: readonly LogCut[];
  /** Replay runs from the one to the other block, both included; none where `lastBlock` is less. */
  readonly firstBlock: number;
  readonly lastBlock: number;
  readonly blocks: number;
  readonly records: number;
  /** Those of the snapshot's epoch, which tell what happened while it was taken. What comes of later ones does not. */
  readonly recordsOfSet: number;
  /** Bytes of the blocks. */
  readonly bytes: number;
  /** Good blocks that go because they follow what is torn or never was written, and their records. */
  readonly droppedBlocks: number;
  readonly droppedRecords: number;
  readonly nextEpoch: number;
  readonly nextBlock: number;
  /** The largest LSN of any shard in any epoch, snapshot and log. */
  readonly largestLsn: number;
};

export type ScanResult = {
  /** Why the log is refused, one line each; empty when there is a plan to go by. In a repair: what it mends. */
  readonly refusals: readonly string[];
  readonly plan: RecoveryPlan;
};

/** One stream during the scan. */
type StreamScan = {
  readonly facts: StreamFacts;
  readonly log: StreamReader;
  /** By segment: where its good part ends. */
  readonly ends: number[];
  readonly dropped: DroppedBlocks;
  damage: StreamDamage | undefined;
};

type Scan = {
  readonly input: ScanInput;
  readonly streams: readonly StreamScan[];
  readonly findings: LogFinding[];
  readonly chain: LsnChain;
  readonly firstBlock: number;
  /** The block that must come next. */
  nextBlock: number;
  /** A block is missing, and what follows goes. */
  isEnded: boolean;
  blocks: number;
  records: number;
  recordsOfSet: number;
  bytes: number;
};

/** Reads the log from the snapshot set `base` on. Throws system errors of the disk. */
export function scanLog(input: ScanInput): ScanResult {
  const { storage, manifest, base } = input;
  const { streams, findings } = checkSegments(storage, manifest, base);
  const firstBlock = base?.firstBlock ?? firstListed(manifest);
  const scan: Scan = {
    ...{
      input,
      findings,
      firstBlock,
      nextBlock: firstBlock,
      isEnded: false,
      blocks: 0,
      records: 0,
      recordsOfSet: 0,
      bytes: 0,
    },
    chain: createLsnChain(base),
    streams: streams.map((facts) => createStreamScan(storage, facts, windowBytesFor(streams.length))),
  };
  if (findings.length === 0 || input.isRepair) readAll(scan);
  return { refusals: findings.map((finding) => refusalText(finding, input.folder)), plan: planOf(scan) };
}

/** Cuts the files where the plan says, and has every segment on the disk as it is now. Throws system errors. */
export function applyCuts(storage: Storage, plan: RecoveryPlan): void {
  for (const { segments } of plan.streams) {
    for (const { path, end } of segments) {
      const fd = storage.openWrite(path);
      try {
        if (storage.size(fd) > end) storage.truncate(fd, end);
        // A segment of a process that died may never have been synced, and the next epoch builds on it.
        storage.sync(fd);
      } finally {
        storage.close(fd);
      }
    }
  }
}

function firstListed({ streams, blockBase }: Manifest): number {
  const firsts = streams.flatMap(({ segments }) => segments.map(({ firstBlock }) => firstBlock));
  return Math.min(blockBase, ...firsts);
}

function createStreamScan(storage: Storage, facts: StreamFacts, windowBytes: number): StreamScan {
  const segments = facts.segments.map(({ sequence }) => ({ sequence, end: Number.POSITIVE_INFINITY }));
  return {
    ...{ facts, log: createStreamReader(storage, facts.stream, segments, windowBytes) },
    ends: segments.map(() => SEGMENT_HEADER_BYTES),
    ...{ dropped: { blocks: 0, records: 0, firstBlock: 0 }, damage: undefined },
  };
}

function readAll(scan: Scan): void {
  const logs = scan.streams.map(({ log }) => log);
  try {
    for (const stream of scan.streams) advance(scan, stream);
    for (let log = leastStream(logs); log !== undefined; log = leastStream(logs)) {
      const stream = scan.streams[logs.indexOf(log)];
      takeBlock(scan, stream);
      if (stream.damage === undefined) advance(scan, stream);
    }
  } finally {
    for (const log of logs) closeStreamReader(log);
  }
  checkEnd(scan);
}

function advance(scan: Scan, stream: StreamScan): void {
  if (!readStreamBlock(stream.log) && stream.log.reader !== undefined) endStream(scan, stream);
}

/** Keeps the stream's current block, or drops it. */
function takeBlock(scan: Scan, stream: StreamScan): void {
  const reader = readerOf(stream);
  if (!scan.isEnded && reader.block.block >= scan.firstBlock) checkNumber(scan, reader);
  if (scan.isEnded) dropBlock(scan, stream, reader);
  else if (keepBlock(scan, reader)) stream.ends[stream.log.index] = reader.next;
  else endAtBlock(scan, stream, reader);
}

/** Ends the log before a block that has good checksums and yet cannot be right. */
function endAtBlock(scan: Scan, stream: StreamScan, reader: SegmentReader): void {
  if (reader.block.block >= scan.firstBlock) {
    scan.isEnded = true;
    scan.nextBlock = reader.block.block;
  }
  if (reader.trouble !== undefined) endStream(scan, stream);
  else dropBlock(scan, stream, reader);
}

function dropBlock(scan: Scan, stream: StreamScan, reader: SegmentReader): void {
  countDropped(reader, stream.dropped);
  scan.input.onDropped?.(reader);
}

/** The blocks' numbers leave none out and none comes twice. */
function checkNumber(scan: Scan, { block, path, at }: SegmentReader): void {
  if (block.block === scan.nextBlock) {
    scan.nextBlock += 1;
    return;
  }
  scan.isEnded = true;
  if (block.block > scan.nextBlock) return;
  scan.findings.push({ path, offset: at, problem: `block ${block.block} is there twice` });
}

/** Checks the block's chunks and counts it. False where it cannot be kept: the reader's trouble, or the log ends before it. */
function keepBlock(scan: Scan, reader: SegmentReader): boolean {
  const { chain, input } = scan;
  const isReplayed = reader.block.block >= scan.firstBlock;
  let records = 0;
  while (readChunk(reader)) {
    if (!checkRecords(reader)) return false;
    const { shard, firstLsn } = reader.chunk;
    const problem = isReplayed
      ? followLsns(chain, input.base, reader.block.epoch, shard, firstLsn, reader.chunk.records)
      : undefined;
    if (problem !== undefined) {
      scan.findings.push({ path: reader.path, offset: reader.at, problem });
      return false;
    }
    records += reader.chunk.records;
  }
  if (reader.trouble !== undefined) return false;
  if (isReplayed) {
    scan.blocks += 1;
    scan.records += records;
    if (reader.block.epoch === input.base?.epoch) scan.recordsOfSet += records;
    scan.bytes += reader.next - reader.at;
  }
  return true;
}

/** Reads what is behind the stream's trouble, and says whether that is the torn end of the log. */
function endStream(scan: Scan, stream: StreamScan): void {
  const { facts, log, dropped } = stream;
  const { bootId, onDropped } = scan.input;
  const damage = damageOf(log, readerOf(stream));
  stream.damage = damage;
  const synced = surveyBehind(log, damage, dropped, onDropped);
  log.block = Number.POSITIVE_INFINITY;
  // Blocks from before the snapshot were synced in segments that are not read: they tell nothing of this place.
  const syncedHere = synced < scan.firstBlock ? 0 : synced;
  if (isTornEnd(damage, facts.segments, syncedHere, bootId)) return;
  const behind = damage.goodBehind > 0 ? `, and ${count(damage.goodBehind, 'good block')} behind it` : '';
  const problem = `${damage.trouble}${behind}`;
  scan.findings.push({ path: facts.segments[damage.index].path, offset: damage.troubleAt, problem });
}

/** No block may be missing that an earlier recovery had: those before the current epoch. */
function checkEnd(scan: Scan): void {
  const { manifest } = scan.input;
  if (scan.findings.length > 0 || scan.nextBlock >= manifest.blockBase) return;
  const problem = `block ${scan.nextBlock} is missing, and the log was whole up to block ${manifest.blockBase - 1}`;
  const first = scan.streams.flatMap(({ facts }) => facts.segments)[0];
  scan.findings.push({ path: first?.path ?? 'the log', offset: 0, problem });
}

function planOf(scan: Scan): RecoveryPlan {
  const { input, streams, nextBlock } = scan;
  const epochs = streams.flatMap(({ facts }) => facts.segments.map(({ header }) => header.epoch));
  return {
    streams: streams.map(({ facts, ends }) => ({
      ...{ stream: facts.stream, lost: facts.lost },
      segments: facts.segments.map(({ path, sequence, header: { epoch, shards } }, index) => {
        return { path, sequence, epoch, shards, end: ends[index] };
      }),
    })),
    cuts: streams.flatMap((stream) => cutsOf(stream, nextBlock)),
    ...{ firstBlock: scan.firstBlock, lastBlock: nextBlock - 1 },
    ...{ blocks: scan.blocks, records: scan.records, recordsOfSet: scan.recordsOfSet, bytes: scan.bytes },
    droppedBlocks: streams.reduce((sum, { dropped }) => sum + dropped.blocks, 0),
    droppedRecords: streams.reduce((sum, { dropped }) => sum + dropped.records, 0),
    nextEpoch: Math.max(input.manifest.epoch, ...epochs) + 1,
    ...{ nextBlock, largestLsn: scan.chain.largest },
  };
}

function cutsOf(stream: StreamScan, nextBlock: number): LogCut[] {
  const { facts, ends, damage, dropped } = stream;
  const cut = facts.segments
    .map(({ path, fileBytes }, index) => ({
      path,
      offset: ends[index],
      bytes: fileBytes - ends[index],
      index,
    }))
    .filter(({ bytes }) => bytes > 0);
  return cut.map(({ path, offset, bytes, index }) => {
    const reasons: string[] = [];
    if (damage?.index === index) reasons.push(`torn at offset ${damage.troubleAt} (${damage.trouble})`);
    if (dropped.blocks > 0) {
      const what = `${count(dropped.blocks, 'block')}, ${count(dropped.records, 'record')}`;
      reasons.push(
        `the stream from block ${dropped.firstBlock} on (${what}) follows block ${nextBlock}, which is missing`,
      );
    }
    return {
      path,
      offset,
      bytes,
      text: `${path}: ${bytes} bytes cut at offset ${offset}: ${reasons.join('; ')}`,
    };
  });
}

function refusalText({ path, offset, problem }: LogFinding, folder: string): string {
  return `${path}: ${problem}, at offset ${offset}; 'distcache check ${folder} --repair' shows what can be kept`;
}

function readerOf({ log }: StreamScan): SegmentReader {
  assert(log.reader !== undefined, 'a stream with a block has an open segment');
  return log.reader;
}

function count(value: number, unit: string): string {
  return `${value} ${unit}${value === 1 ? '' : 's'}`;
}
