/** The manifest in force and the files that it lists, step by step. */
import { Buffer } from 'node:buffer';
import { describe, expect, it } from 'vitest';
import {
  beginEpoch,
  commitSnapshot,
  type DiskState,
  extendStreams,
  fallBackToPrevious,
  markVerified,
  nextSetNumber,
  openDiskState,
  prepareEpoch,
  removeLeftovers,
  removeSet,
} from '../../src/durability/disk-state.ts';
import { segmentPath, snapshotPath } from '../../src/durability/file-names.ts';
import { readSegmentHeader } from '../../src/durability/log-reader.ts';
import type { Storage } from '../../src/durability/storage-types.ts';
import {
  CREATED_MS,
  filesOf,
  listedIn,
  SHARDS,
  sequencesOf,
  setOf,
  startOf,
  takeSet,
  writeSet,
} from '../support/listed-files.ts';
import { createSimulatedDisk, type SimulatedDisk } from '../support/simulated-disk.ts';

function setsOf({ manifest }: DiskState): (number | undefined)[] {
  return [manifest?.snapshot?.set, manifest?.previous?.set];
}

describe('the disk state', () => {
  it('is empty in a folder that was never used', () => {
    const state = openDiskState(createSimulatedDisk());
    expect(state.manifest).toBeUndefined();
    expect(nextSetNumber(state)).toBe(1);
    expect(removeLeftovers(state)).toEqual([]);
  });

  it('begins each epoch with a new segment of every stream, behind those that were there', () => {
    const disk = createSimulatedDisk();
    const state = openDiskState(disk);
    expect(beginEpoch(state, startOf(1))).toEqual([
      { stream: 0, sequence: 1, epoch: 1 },
      { stream: 1, sequence: 1, epoch: 1 },
    ]);
    expect(beginEpoch(state, startOf(2, 3, 8)).map(({ sequence }) => sequence)).toEqual([2, 2, 1]);
    expect(state.manifest).toMatchObject({ epoch: 2, shards: SHARDS, databases: 3, blockBase: 8 });
    expect(sequencesOf(state)).toEqual({ 0: [1, 2], 1: [1, 2], 2: [1] });
    expect(openDiskState(disk).manifest).toEqual(state.manifest);
    const header = readSegmentHeader(disk, segmentPath(2, 1));
    expect(header).toMatchObject({ stream: 2, sequence: 1, epoch: 2, shards: SHARDS, firstBlock: 8 });
  });

  it('extends the streams that it is told to, in the epoch that is in force', () => {
    const state = openDiskState(createSimulatedDisk());
    beginEpoch(state, startOf(4));
    expect(extendStreams(state, [1], 9, CREATED_MS)).toEqual([{ stream: 1, sequence: 2, epoch: 4 }]);
    expect(sequencesOf(state)).toEqual({ 0: [1], 1: [1, 2] });
  });

  it.each([
    { name: 'the second file cannot be made', fault: 'createFile', after: 1 },
    { name: 'a header cannot be synced', fault: 'sync', after: 0 },
  ] as const)('is as it was when $name', ({ fault, after }) => {
    const disk = createSimulatedDisk();
    const state = openDiskState(disk);
    beginEpoch(state, startOf(1));
    const before = state.manifest;
    const failing: DiskState = { ...state, storage: failAfter(disk, fault, after) };
    expect(() => extendStreams(failing, [0, 1], 5, CREATED_MS)).toThrow('ENOSPC');
    expect(() => beginEpoch(failing, startOf(2))).toThrow('ENOSPC');
    expect(failing.manifest).toEqual(before);
    expect(filesOf(disk)).toEqual(listedIn(before));
    expect(extendStreams(state, [0], 5, CREATED_MS)).toMatchObject([{ sequence: 2 }]);
  });

  it.each([
    ['sync', 0],
    ['rename', 0],
  ] as const)(
    'goes on when a disk that refused a %s, and then would not even let go, is good again',
    (fault, good) => {
      const disk = createSimulatedDisk();
      const state = openDiskState(disk);
      beginEpoch(state, startOf(1));
      const storage = failAfter(disk, fault, good);
      const stuck = { ...state, storage: { ...storage, remove: failAfter(disk, 'remove', 0).remove } };
      expect(() => extendStreams(stuck, [0, 1], 5, CREATED_MS)).toThrow('ENOSPC');
      const healed: DiskState = { ...stuck, storage: disk };
      expect(extendStreams(healed, [0, 1], 5, CREATED_MS).map(({ sequence }) => sequence)).toEqual([2, 2]);
      expect(filesOf(disk)).toEqual(listedIn(healed.manifest));
    },
  );

  it('keeps the set before until the newer one is verified, and then only what that needs', () => {
    const disk = createSimulatedDisk();
    const state = openDiskState(disk);
    beginEpoch(state, startOf(1, 3));
    takeSet(state, 1, 5);
    expect(setsOf(state)).toEqual([1, undefined]);
    expect(sequencesOf(state)).toEqual({ 0: [1, 2], 1: [1, 2], 2: [1] });
    markVerified(state);
    // The third stream is in no cut: all of it is needed.
    expect(sequencesOf(state)).toEqual({ 0: [2], 1: [2], 2: [1] });
    expect(state.manifest?.snapshot?.verified).toBe(true);
    expect(removeLeftovers(state)).toEqual([segmentPath(0, 1), segmentPath(1, 1)]);
    takeSet(state, nextSetNumber(state), 9);
    expect(setsOf(state)).toEqual([2, 1]);
    expect(removeLeftovers(state)).toEqual([]);
    markVerified(state);
    expect(setsOf(state)).toEqual([2, undefined]);
    expect(removeLeftovers(state)).toContain(snapshotPath(1, 1));
    expect(filesOf(disk)).toEqual(listedIn(state.manifest));
  });

  it('never counts a set that could not be read back as one to fall back to', () => {
    const state = openDiskState(createSimulatedDisk());
    beginEpoch(state, startOf(1));
    takeSet(state, 1, 5);
    markVerified(state);
    takeSet(state, 2, 9);
    takeSet(state, nextSetNumber(state), 12);
    expect(setsOf(state)).toEqual([3, 1]);
    fallBackToPrevious(state);
    expect(setsOf(state)).toEqual([1, undefined]);
    // All of the log from the older set's cut on is still there.
    expect(sequencesOf(state)).toEqual({ 0: [2, 3, 4], 1: [2, 3, 4] });
    expect(removeLeftovers(state)).toContain(snapshotPath(0, 3));
    expect(filesOf(state.storage)).toEqual(listedIn(state.manifest));
  });

  it('drops a stream that only the log before the snapshot needed, and never takes it up again before that', () => {
    const state = openDiskState(createSimulatedDisk());
    beginEpoch(state, startOf(1, 3));
    const [made] = extendStreams(state, [0], 5, CREATED_MS);
    writeSet(state.storage, 1);
    commitSnapshot(state, setOf(1, 1, [made.sequence, 2, 2], 5));
    markVerified(state);
    removeLeftovers(state);
    expect(sequencesOf(state)).toEqual({ 0: [2] });
    // What is in no list any more still counts as older than the snapshot.
    expect(beginEpoch(state, startOf(2, 3, 6)).map(({ sequence }) => sequence)).toEqual([3, 2, 2]);
  });

  it('makes everything before a rebase void with its commit, and not earlier', () => {
    const disk = createSimulatedDisk();
    const state = openDiskState(disk);
    beginEpoch(state, startOf(1));
    const before = state.manifest;
    const start = startOf(2, 2, 7);
    const segments = prepareEpoch(state, start);
    expect(openDiskState(disk).manifest).toEqual(before);
    writeSet(disk, 1);
    commitSnapshot(state, setOf(1, 2, [2, 2], 7), { start, segments });
    expect(state.manifest).toMatchObject({ epoch: 2, blockBase: 7, previous: null });
    expect(sequencesOf(state)).toEqual({ 0: [2], 1: [2] });
    removeLeftovers(state);
    expect(filesOf(disk)).toEqual(listedIn(state.manifest));
  });

  it('keeps snapshots without any log', () => {
    const state = openDiskState(createSimulatedDisk());
    writeSet(state.storage, 1);
    commitSnapshot(state, setOf(1, 0, []));
    expect(state.manifest).toMatchObject({ epoch: 0, shards: SHARDS, streams: [] });
    markVerified(state);
    writeSet(state.storage, 2);
    commitSnapshot(state, setOf(2, 0, []));
    expect(setsOf(state)).toEqual([2, 1]);
  });

  it('removes what has names of its own and is not listed, and leaves all else', () => {
    const disk = createSimulatedDisk();
    const state = openDiskState(disk);
    beginEpoch(state, startOf(1));
    const mine = ['worker-000/wal-000000000009.log', 'worker-007/wal-000000000001.log'];
    const sets = ['shard-000/snapshot-000000000003.snap', 'shard-009/snapshot-000000000003.snap.tmp'];
    const others = ['worker-000/notes.txt', 'shard-000/wal-000000000001.log', 'backup/wal-000000000001.log'];
    for (const path of [...mine, ...sets, ...others]) disk.place(path, Buffer.from('x'));
    disk.failNext('remove', 'EACCES');
    const first = removeLeftovers(state);
    expect(first).toHaveLength(3);
    expect([...first, ...removeLeftovers(state)].sort()).toEqual([...mine, ...sets].sort());
    expect(others.every((path) => disk.exists(path))).toBe(true);
    expect(listedIn(state.manifest).every((path) => disk.exists(path))).toBe(true);
  });

  it('removes the files of a set that did not come to be, whole or not', () => {
    const disk = createSimulatedDisk();
    const state = openDiskState(disk);
    writeSet(disk, 4);
    disk.place(`${snapshotPath(1, 5)}.tmp`, Buffer.from('x'));
    disk.place(snapshotPath(0, 5), Buffer.from('x'));
    removeSet(state, 5, SHARDS);
    expect(filesOf(disk)).toEqual([snapshotPath(0, 4), snapshotPath(1, 4)]);
  });
});

/** The disk, on which an operation fails for want of space after so many good ones. */
function failAfter(
  disk: SimulatedDisk,
  operation: 'createFile' | 'sync' | 'rename' | 'remove',
  good: number,
): Storage {
  let done = 0;
  const counted = <Arguments extends unknown[], Result>(call: (...all: Arguments) => Result) => {
    return (...all: Arguments): Result => {
      done += 1;
      if (done > good) throw Object.assign(new Error('ENOSPC'), { code: 'ENOSPC', errno: -28 });
      return call(...all);
    };
  };
  return { ...disk, [operation]: counted(disk[operation] as (...all: unknown[]) => unknown) };
}
