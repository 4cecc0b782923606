/** The files of a data folder in tests of its manifest: sets that are written, what is there, and what is listed. */
import { Buffer } from 'node:buffer';
import {
  commitSnapshot,
  type DiskState,
  type EpochStart,
  extendStreams,
} from '../../src/durability/disk-state.ts';
import { segmentPath, shardFolder, snapshotPath } from '../../src/durability/file-names.ts';
import type { Manifest, SnapshotSet } from '../../src/durability/manifest.ts';
import type { Storage } from '../../src/durability/storage-types.ts';

export const CREATED_MS = 1_700_000_000_000;
export const SHARDS = 2;
/** What stands in the files. */
export const SNAPSHOT_TEXT = 'a snapshot';

export function startOf(epoch: number, streams = 2, firstBlock = 1): EpochStart {
  return { epoch, streams, shards: SHARDS, databases: 3, firstBlock, createdMs: CREATED_MS };
}

/** The files of a set, put on the disk as snapshot-writer does. */
export function writeSet(storage: Storage, set: number): void {
  for (let shard = 0; shard < SHARDS; shard += 1) {
    const path = snapshotPath(shard, set);
    storage.makeFolder(shardFolder(shard));
    const fd = storage.createFile(`${path}.tmp`);
    storage.write(fd, Buffer.from(SNAPSHOT_TEXT), 0, SNAPSHOT_TEXT.length, 0);
    storage.sync(fd);
    storage.close(fd);
    storage.rename(`${path}.tmp`, path);
    storage.syncFolder(shardFolder(shard));
  }
}

export function setOf(set: number, epoch: number, sequences: readonly number[], firstBlock = 1): SnapshotSet {
  return {
    ...{ set, epoch, shards: SHARDS, startedAtMs: CREATED_MS, finishedAtMs: CREATED_MS, firstBlock },
    files: Array.from({ length: SHARDS }, (_, shard) => {
      return { shard, startLsn: 1, endLsn: 2, entries: 1, bytes: SNAPSHOT_TEXT.length };
    }),
    cut: sequences.map((sequence, stream) => ({ stream, sequence })),
    verified: false,
  };
}

/** Rotates all streams and puts a set in force, as threads/snapshots.ts does. */
export function takeSet(state: DiskState, set: number, firstBlock: number): void {
  const epoch = state.manifest?.epoch ?? 0;
  const made = extendStreams(state, [0, 1], firstBlock, CREATED_MS);
  writeSet(state.storage, set);
  commitSnapshot(
    state,
    setOf(
      set,
      epoch,
      made.map(({ sequence }) => sequence),
      firstBlock,
    ),
  );
}

export function sequencesOf({ manifest }: DiskState): Record<number, number[]> {
  const streams = manifest?.streams ?? [];
  return Object.fromEntries(
    streams.map(({ stream, segments }) => [stream, segments.map(({ sequence }) => sequence)]),
  );
}

export function filesOf(storage: Storage): string[] {
  const folders = storage.list('.').filter((name) => /^(worker|shard)-/.test(name));
  return folders.flatMap((folder) => storage.list(folder).map((name) => `${folder}/${name}`)).sort();
}

export function listedIn(manifest: Manifest | undefined): string[] {
  const segments = (manifest?.streams ?? []).flatMap(({ stream, segments: listed }) =>
    listed.map(({ sequence }) => segmentPath(stream, sequence)),
  );
  const files = [manifest?.snapshot, manifest?.previous].flatMap((set) =>
    (set?.files ?? []).map(({ shard }) => snapshotPath(shard, set?.set ?? 0)),
  );
  return [...segments, ...files].sort();
}
