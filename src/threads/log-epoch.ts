/**
 * Epochs of the log: what a new one begins with, what the workers are told of it, and the one that begins behind a snapshot.
 *
 * Main thread. Until the snapshot of such an epoch is committed the one before it is in force on the disk, and `coming`
 * stands for it: a worker that dies meanwhile is replaced by one that goes on in the coming epoch.
 */
import { LOCK_NAP_MS, SEAL_MS_MAX } from '../config/limits.ts';
import {
  commitSnapshot,
  type EpochStart,
  giveUpSegments,
  type MadeSegment,
  nextSetNumber,
  prepareEpoch,
  prepareSegment,
  removeLeftovers,
} from '../durability/disk-state.ts';
import { isLogBroken, LOG_BYTES_WRITTEN, logNumbersOf, nextBlockNumber } from '../durability/log-board.ts';
import type { SnapshotSet } from '../durability/manifest.ts';
import { EPOCH } from '../metrics/persistence.ts';
import { startJournaling } from '../shard/journal.ts';
import { releaseShard, tryAcquireShard } from '../shard/lock.ts';
import type { Shard } from '../shard/shard.ts';
import { threadIdOfWorker } from './boot.ts';
import { requestFrom } from './bus.ts';
import { TOPIC_LOG_SEAL } from './log-topics.ts';
import { lsnSum, type Persistence } from './persistence.ts';
import { endOfSet, noteSnapshot, writeSnapshotSet } from './snapshot-set.ts';

/** What an epoch begins with that begins now. */
export function epochStart({ boot, board, clock, config }: Persistence, epoch: number): EpochStart {
  return {
    epoch,
    streams: boot.workerCount,
    shards: boot.shardBuffers.length,
    databases: config.databases,
    firstBlock: nextBlockNumber(board),
    createdMs: clock.wallMs(),
  };
}

/**
 * Begins an epoch whose base is a snapshot: from its commit on, what stood in the log before is void. `topic` tells the workers
 * their segments; `mayCommit` has the last word. Throws what stands in the way: then the epoch before is still in force.
 */
export async function beginBehindSnapshot(
  persistence: Persistence,
  topic: string,
  mayCommit: () => boolean,
): Promise<void> {
  const { state, numbers } = persistence;
  const start = epochStart(persistence, persistence.epoch + 1);
  const segments = prepareEpoch(state, start);
  persistence.coming = { start, segments };
  try {
    if (!areAllTold(persistence, await tellStreams(persistence, topic, segments))) {
      throw new Error('a worker does not answer');
    }
    await forEachLocked(persistence.shards, startJournaling);
    const set = nextSetNumber(state);
    const begun = { lsns: lsnSum(persistence), logBytes: logBytesWritten(persistence) };
    const written = await writeSnapshotSet(persistence, { set, epoch: start.epoch, share: 1 });
    // A broken log is sealed by nobody; what is changed meanwhile has not been answered.
    if (!isLogBroken(persistence.board)) await sealStreams(persistence);
    if (!mayCommit()) throw new Error('the log could not be written meanwhile');
    const { epoch, firstBlock } = start;
    const end = endOfSet(persistence, written, { set, epoch, cut: firstOfEach(segments), firstBlock });
    commitSnapshot(state, end, { start, segments });
    noteSnapshot(persistence, end, begun, logBytesWritten(persistence));
  } catch (error) {
    giveUpSegments(state, segments);
    throw error;
  } finally {
    persistence.coming = undefined;
  }
  persistence.epoch = start.epoch;
  numbers[EPOCH] = start.epoch;
  removeLeftovers(state);
}

/** The next segment of a stream in the coming epoch; undefined where none is coming. */
export function extendComing({ coming, state, board }: Persistence, stream: number): MadeSegment | undefined {
  if (coming === undefined) return undefined;
  const segment = prepareSegment(state, { ...coming.start, firstBlock: nextBlockNumber(board) }, stream);
  coming.segments.push(segment);
  return segment;
}

/**
 * Has every stream write and sync what is pending: a snapshot holds changes up to its end, and counts only once the log has
 * them too. Else a crash would leave of a change over several shards what the snapshot happened to see. Throws where a
 * stream cannot.
 */
export async function sealStreams({ bus, boot }: Persistence): Promise<void> {
  const answers = await Promise.all(
    Array.from({ length: boot.workerCount }, (_, stream) =>
      requestFrom(bus, threadIdOfWorker(stream), TOPIC_LOG_SEAL, undefined, SEAL_MS_MAX),
    ),
  );
  if (!answers.every((answer) => answer === true)) throw new Error('the log cannot be written at present');
}

/** Tells each worker its segment; the answers in the order of the workers. */
export function tellStreams(
  { bus, boot }: Persistence,
  topic: string,
  segments: readonly MadeSegment[],
): Promise<unknown[]> {
  return Promise.all(
    Array.from({ length: boot.workerCount }, (_, stream) =>
      requestFrom(bus, threadIdOfWorker(stream), topic, segments.at(stream)),
    ),
  );
}

/** Whether every worker said yes, but for those that are dead: their replacements are started with a segment. */
export function areAllTold({ bus }: Persistence, answers: readonly unknown[]): boolean {
  return answers.every((answer, stream) => answer === true || !bus.peers.has(threadIdOfWorker(stream)));
}

/** Bytes that all streams have written since the process started. */
export function logBytesWritten({ board }: Persistence): number {
  let bytes = 0;
  for (let stream = 0; stream < board.streams; stream += 1) {
    bytes += board.numbers[logNumbersOf(stream) + LOG_BYTES_WRITTEN];
  }
  return bytes;
}

/**
 * Takes each shard's lock for a step. Main never waits long for one: its holder may have died, and main must live to free
 * what the dead have held.
 */
export async function forEachLocked(shards: readonly Shard[], step: (shard: Shard) => void): Promise<void> {
  for (const shard of shards) {
    while (!tryAcquireShard(shard, LOCK_NAP_MS)) await new Promise(setImmediate);
    try {
      step(shard);
    } finally {
      releaseShard(shard);
    }
  }
}

/** By stream, the first of its segments. */
function firstOfEach(segments: readonly MadeSegment[]): SnapshotSet['cut'] {
  const streams = [...new Set(segments.map(({ stream }) => stream))];
  return streams.map((stream) => {
    const [sequence] = segments.filter((segment) => segment.stream === stream).map((one) => one.sequence);
    return { stream, sequence };
  });
}
