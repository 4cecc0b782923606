/**
 * One run of a simulated server: its shards, a writer for each stream of its log, its snapshots, put together as src/threads does
 * but on one thread and over a simulated disk. Time passes only where it is told to.
 */
import { Buffer } from 'node:buffer';
import { LOG_TICK_MS } from '../../../src/config/limits.ts';
import {
  beginEpoch,
  commitSnapshot,
  type DiskState,
  extendStreams,
  type MadeSegment,
  markVerified,
  nextSetNumber,
  removeLeftovers,
} from '../../../src/durability/disk-state.ts';
import { snapshotPath } from '../../../src/durability/file-names.ts';
import {
  createLogBoardBuffer,
  type LogBoard,
  nextBlockNumber,
  openLogBoard,
} from '../../../src/durability/log-board.ts';
import { commitLater, settleCommits } from '../../../src/durability/log-commit.ts';
import { joinSegment } from '../../../src/durability/log-segment.ts';
import { createLogWriter, type LogWriter } from '../../../src/durability/log-stream.ts';
import { closeFiles, syncNow, syncTick } from '../../../src/durability/log-sync.ts';
import { logTurn, offerSegment, rotate } from '../../../src/durability/log-writer.ts';
import type { SnapshotSet } from '../../../src/durability/manifest.ts';
import { ringOf } from '../../../src/durability/snapshot-loader.ts';
import { verifySnapshot } from '../../../src/durability/snapshot-reader.ts';
import { writeSnapshot } from '../../../src/durability/snapshot-writer.ts';
import type { Storage } from '../../../src/durability/storage-types.ts';
import { pendingFirstLsn, startJournaling } from '../../../src/shard/journal.ts';
import { openShard, type Shard, type ShardBuffers } from '../../../src/shard/shard.ts';
import type { Random } from '../seeded-random.ts';
import type { SimulatedDisk } from '../simulated-disk.ts';
import { type History, noteAcknowledged, noteBlock } from './history.ts';

export type Policy = 'always' | 'everysec' | 'no';

/** What a worker has done since its last turn. */
type Turn = { readonly touched: Set<Shard>; readonly changes: { block: number }[] };

export type Machine = {
  readonly disk: SimulatedDisk;
  readonly storage: Storage;
  readonly state: DiskState;
  readonly random: Random;
  readonly clock: SimulatedClock;
  readonly policy: Policy;
  readonly history: History;
  /** Whether commands change collections too, not only strings. */
  readonly hasCollections: boolean;
  readonly slotShard: Uint16Array;
  readonly buffers: readonly ShardBuffers[];
  readonly epoch: number;
  readonly board: LogBoard;
  /** By stream: its worker's views of all shards, its end of the log, and what it has not yet logged. */
  readonly views: readonly (readonly Shard[])[];
  readonly writers: readonly LogWriter[];
  readonly turns: Turn[];
  /** When each sync that is under way was asked for, and streams that were told of progress. */
  readonly syncsAskedMs: number[];
  readonly progress: number[];
  isSnapshotRunning: boolean;
};

export type SimulatedClock = {
  nowMs: number;
  readonly wallMs: () => number;
  readonly monotonicMs: () => number;
};

export type MachineOptions = Pick<
  Machine,
  'disk' | 'state' | 'random' | 'clock' | 'policy' | 'history' | 'hasCollections' | 'slotShard' | 'buffers'
> & {
  readonly streams: number;
  readonly databases: number;
  readonly nextEpoch: number;
  readonly nextBlock: number;
};

const START_MS = 1_700_000_000_123;
/** No sync takes longer. */
export const SYNC_MS_MAX = 150;
/** Worker 0's thread id; main is 1. */
const FIRST_WORKER = 2;
const SNAPSHOT_THREAD = 20;

/** A clock that the test moves. */
export function createSimulatedClock(): SimulatedClock {
  const clock: SimulatedClock = {
    nowMs: 0,
    wallMs: () => START_MS + clock.nowMs,
    monotonicMs: () => clock.nowMs,
  };
  return clock;
}

/** Begins to log, as threads/logging.ts does after the load. */
export function startMachine(options: MachineOptions): Machine {
  const { disk, state, clock, policy, buffers, streams, databases, nextEpoch, nextBlock } = options;
  const board = openLogBoard(createLogBoardBuffer(streams, nextBlock), streams);
  const start = { streams, shards: buffers.length, databases, firstBlock: nextBlock };
  const segments = beginEpoch(state, { ...start, epoch: nextEpoch, createdMs: clock.wallMs() });
  const syncsAskedMs: number[] = [];
  const progress: number[] = [];
  const storage: Storage = {
    ...disk,
    syncLater: (fd, done) => {
      syncsAskedMs.push(clock.nowMs);
      disk.syncLater(fd, done);
    },
  };
  const views = segments.map(({ stream }) => viewsOf(buffers, FIRST_WORKER + stream, clock));
  for (const shard of views[0]) startJournaling(shard);
  const writers = segments.map(({ stream, sequence, epoch }) =>
    createLogWriter({
      ...{ board, stream, threadId: FIRST_WORKER + stream, storage, clock, shards: views[stream] },
      settings: { appendfsync: policy },
      segment: joinSegment(storage, stream, sequence, epoch),
      hooks: {
        onTrouble: () => undefined,
        onHealthy: () => undefined,
        wantSegment: () => undefined,
        tellProgress: (other) => void progress.push(other),
      },
    }),
  );
  return {
    ...{ disk, storage, state, random: options.random, clock, policy, history: options.history },
    ...{
      hasCollections: options.hasCollections,
      slotShard: options.slotShard,
      buffers,
      epoch: nextEpoch,
      board,
      views,
      writers,
      syncsAskedMs,
      progress,
    },
    turns: writers.map(() => ({ touched: new Set<Shard>(), changes: [] })),
    isSnapshotRunning: false,
  };
}

function viewsOf(buffers: readonly ShardBuffers[], threadId: number, clock: SimulatedClock): Shard[] {
  return buffers.map((shard, index) => openShard(shard, index, threadId, clock));
}

/** The end of a worker's turn: what it has changed is logged, and then, at once or later, answered. */
export function endTurn(machine: Machine, stream: number): void {
  const { writers, turns, history, clock } = machine;
  const writer = writers[stream];
  const turn = turns[stream];
  turns[stream] = { touched: new Set(), changes: [] };
  const touched = [...turn.touched];
  const isAnswered = drainTurn(machine, writer, touched);
  const answer = () => {
    const block = turn.changes.reduce((last, change) => Math.max(last, change.block), 0);
    noteAcknowledged(history, block, clock.nowMs);
  };
  if (isAnswered) answer();
  else commitLater(writer, answer);
}

function drainTurn(
  { board, history, views }: Machine,
  writer: LogWriter,
  touched: readonly Shard[],
): boolean {
  const before = nextBlockNumber(board);
  const isAnswered = logTurn(writer, touched, touched.length);
  const after = nextBlockNumber(board);
  if (after > before + 1) throw new Error('a turn took two blocks');
  if (after > before) noteBlock(history, before, views[0].map(pendingFirstLsn));
  return isAnswered;
}

/** Lets time pass, with the clockwork of every stream and the ends of syncs. */
export function passTime(machine: Machine, ms: number): void {
  const { clock, writers } = machine;
  for (let left = ms; left > 0; ) {
    const toTick = LOG_TICK_MS - (clock.nowMs % LOG_TICK_MS);
    const step = Math.min(left, toTick);
    left -= step;
    clock.nowMs += step;
    while (machine.syncsAskedMs.length > 0 && clock.nowMs - machine.syncsAskedMs[0] >= SYNC_MS_MAX) {
      endSync(machine);
    }
    if (step === toTick) for (const writer of writers) syncTick(writer, clock.nowMs);
  }
  deliver(machine);
}

/** The oldest sync that is under way ends. */
export function endSync(machine: Machine): void {
  if (machine.syncsAskedMs.length === 0) return;
  machine.syncsAskedMs.shift();
  machine.disk.pump(1);
}

/** Streams that were told of the progress of others look at their commits. */
function deliver({ progress, writers }: Machine): void {
  for (const stream of progress.splice(0)) settleCommits(writers[stream]);
}

/** A stream gets its next segment ahead of its need, as when the current one grows full. */
export function offerNext(machine: Machine, stream: number): void {
  const { state, board, clock, writers } = machine;
  if (writers[stream].next !== undefined) return;
  const [segment] = extendStreams(state, [stream], nextBlockNumber(board), clock.wallMs());
  offerSegment(writers[stream], opened(machine, segment));
}

/** A snapshot from beginning to end, as threads/snapshots.ts takes it; `meanwhile` is what the workers do between its steps. */
export function takeSnapshot(machine: Machine, meanwhile: () => void): void {
  const { state, clock, views, epoch } = machine;
  machine.isSnapshotRunning = true;
  const set = nextSetNumber(state);
  const { cut, firstBlock } = rotateStreams(machine);
  const startedAtMs = clock.wallMs();
  const shards = views[0].length;
  const files = views[0].map((_, shard) => writeFile(machine, set, shard, startedAtMs, meanwhile));
  sealLog(machine, meanwhile);
  const done = { set, epoch, shards, startedAtMs, finishedAtMs: clock.wallMs(), files, cut, firstBlock };
  commitSnapshot(state, { ...done, verified: false });
  meanwhile();
  if (machine.random(4) === 0) damageFile(machine, done);
  if (files.every(({ shard }) => verifySnapshot(machine.disk, snapshotPath(shard, set)).ok)) {
    markVerified(state);
    meanwhile();
    removeLeftovers(state);
  }
  machine.isSnapshotRunning = false;
}

/** Nothing is lost by a stop that is asked for. */
export function stopMachine(machine: Machine): void {
  const { writers } = machine;
  for (const { stream } of writers) endTurn(machine, stream);
  for (const writer of writers) syncNow(writer);
  for (const writer of writers) closeFiles(writer);
}

function rotateStreams(machine: Machine): Pick<SnapshotSet, 'cut' | 'firstBlock'> {
  const { state, board, clock, writers } = machine;
  const streams = writers.map(({ stream }) => stream);
  const segments = extendStreams(state, streams, nextBlockNumber(board), clock.wallMs());
  for (const segment of segments) rotateTo(machine, segment);
  const begun = new Map(segments.map(({ stream, sequence }) => [stream, sequence]));
  const cut = (state.manifest?.streams ?? []).map(({ stream, segments: listed }) => {
    return { stream, sequence: begun.get(stream) ?? 1 + (listed.at(-1)?.sequence ?? 0) };
  });
  return { cut, firstBlock: nextBlockNumber(board) };
}

function rotateTo(machine: Machine, segment: MadeSegment): void {
  const writer = machine.writers[segment.stream];
  endTurn(machine, segment.stream);
  if (writer.next !== undefined) rotate(writer);
  offerSegment(writer, opened(machine, segment));
  if (!rotate(writer)) throw new Error('a healthy stream did not rotate');
}

function writeFile(
  machine: Machine,
  set: number,
  shard: number,
  createdMs: number,
  meanwhile: () => void,
): SnapshotSet['files'][number] {
  const { disk, slotShard, epoch, clock, buffers } = machine;
  const path = snapshotPath(shard, set);
  const plan = { path, shards: buffers.length, ring: ringOf(slotShard), epoch, set, createdMs };
  const view = openShard(buffers[shard], shard, SNAPSHOT_THREAD, clock);
  const outcome = writeSnapshot(busyDuring(disk, meanwhile), view, plan, {
    pause: () => {
      meanwhile();
      return true;
    },
    progress: () => undefined,
  });
  if (!outcome.ok) throw new Error(outcome.text);
  const { startLsn, endLsn, entries, bytes } = outcome;
  return { shard, startLsn, endLsn, entries, bytes };
}

/** What the files may have seen is in the log, and on the disk, before they count: else they would be ahead of it. */
function sealLog(machine: Machine, meanwhile: () => void): void {
  const { writers } = machine;
  let sealed = 0;
  for (const writer of writers) {
    endTurn(machine, writer.stream);
    drainTurn(machine, writer, writer.shards);
    commitLater(
      writer,
      () => {
        sealed += 1;
      },
      true,
    );
  }
  // A disk that was stopped says so when it is asked; the log would wait for it to recover.
  while (sealed < writers.length && machine.disk.exists('.')) {
    meanwhile();
    passTime(machine, 1 + machine.random(LOG_TICK_MS));
  }
}

/** The disk while others work too. */
function busyDuring(disk: SimulatedDisk, meanwhile: () => void): Storage {
  return {
    ...disk,
    write: (fd, bytes, start, end, position) => {
      meanwhile();
      disk.write(fd, bytes, start, end, position);
    },
    sync: (fd) => {
      meanwhile();
      disk.sync(fd);
    },
    rename: (from, to) => {
      meanwhile();
      disk.rename(from, to);
    },
  };
}

/** A disk that went bad under the newest set, while the one before it is kept. */
function damageFile(
  { disk, state, random }: Machine,
  { set, files }: Pick<SnapshotSet, 'set' | 'files'>,
): void {
  if (state.manifest?.previous == null) return;
  const path = snapshotPath(random(files.length), set);
  const bytes = Buffer.from(disk.contents(path));
  bytes[random(bytes.length)] ^= 1 << random(8);
  disk.place(path, bytes);
}

function opened({ storage }: Machine, { stream, sequence, epoch }: MadeSegment) {
  return joinSegment(storage, stream, sequence, epoch);
}
