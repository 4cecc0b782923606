/**
 * What stands in `dir`, as the running server keeps it: the manifest in force, the files that it lists, and no others.
 *
 * Main thread. Every change of the manifest is on the disk before its caller goes on; a file is made before the manifest
 * lists it, and removed after the manifest no longer does. So a crash at any moment leaves a state that can be recovered.
 */
import { assert } from '../base/assert.ts';
import {
  parseSegmentName,
  parseShardFolder,
  parseSnapshotName,
  parseStreamFolder,
  segmentPath,
  shardFolder,
  snapshotPath,
  streamFolder,
} from './file-names.ts';
import { openSegment } from './log-segment.ts';
import {
  MANIFEST_NAME,
  MANIFEST_VERSION,
  type Manifest,
  type ManifestStream,
  readManifest,
  type SnapshotSet,
  writeManifest,
} from './manifest.ts';
import type { Storage } from './storage-types.ts';

/** One segment that was made: the stream's worker opens it. */
export type MadeSegment = { readonly stream: number; readonly sequence: number; readonly epoch: number };

export type DiskState = {
  readonly storage: Storage;
  /** Undefined in a folder that has never been used. */
  manifest: Manifest | undefined;
  /** Segments that were made in vain and that the disk would not let go. */
  readonly givenUp: Set<string>;
  /** A manifest may have taken the place of this one before its writing failed. */
  isUncertain: boolean;
  /** The number of the set that was to be put in force last, whether it was or not. */
  lastSet: number;
};

/** What an epoch begins with. */
export type EpochStart = {
  readonly epoch: number;
  readonly streams: number;
  readonly shards: number;
  readonly databases: number;
  readonly firstBlock: number;
  readonly createdMs: number;
};

const TEMPORARY = '.tmp';
const NAME_TEMPORARY = /\.tmp$/;

/** Reads the manifest of the current folder. Throws a StartError where it is damaged. */
export function openDiskState(storage: Storage): DiskState {
  const manifest = readManifest(storage, MANIFEST_NAME);
  return { storage, manifest, givenUp: new Set(), isUncertain: false, lastSet: 0 };
}

/** The number that the next snapshot set has: no file carries it yet. */
export function nextSetNumber({ manifest, lastSet }: DiskState): number {
  return 1 + Math.max(lastSet, manifest?.snapshot?.set ?? 0, manifest?.previous?.set ?? 0);
}

/**
 * Makes the first segments of an epoch, one per stream, behind those that the manifest lists already, and lists them. They
 * come in the order of the streams. Throws system errors: then the manifest is as it was.
 */
export function beginEpoch(state: DiskState, start: EpochStart): MadeSegment[] {
  const segments = makeSegments(state, start);
  try {
    const streams = addSegments(state.manifest?.streams ?? [], segments, start.firstBlock);
    commit(state, { ...frame(state, start), streams });
  } catch (error) {
    giveUpSegments(state, segments);
    throw error;
  }
  return segments;
}

/** As `beginEpoch`, but the log before it is void: nothing is listed before a snapshot of this epoch is (commitSnapshot). */
export function prepareEpoch(state: DiskState, start: EpochStart): MadeSegment[] {
  return makeSegments(state, start);
}

/** One more segment for a stream of an epoch that `prepareEpoch` has begun, behind the first. */
export function prepareSegment(state: DiskState, start: EpochStart, stream: number): MadeSegment {
  return makeSegment(state, start, stream);
}

/** Makes the next segment of each of these streams, and lists them. `epoch` is the one that is in force. */
export function extendStreams(
  state: DiskState,
  streams: readonly number[],
  firstBlock: number,
  createdMs: number,
): MadeSegment[] {
  const { manifest } = state;
  assert(manifest !== undefined, 'a log that is extended has been begun');
  const segments: MadeSegment[] = [];
  try {
    for (const stream of streams) {
      segments.push(makeSegment(state, { ...manifest, firstBlock, createdMs }, stream));
    }
    commit(state, { ...manifest, streams: addSegments(manifest.streams, segments, firstBlock) });
  } catch (error) {
    giveUpSegments(state, segments);
    throw error;
  }
  return segments;
}

/**
 * Puts a snapshot set in force. The one before stays as `previous` while the log still reaches back to it, until the new
 * one is verified. With `start`, the set is the base of an epoch that `prepareEpoch` has made the segments of, and
 * everything before it is void.
 */
export function commitSnapshot(
  state: DiskState,
  set: SnapshotSet,
  rebase?: { start: EpochStart; segments: readonly MadeSegment[] },
): void {
  state.lastSet = set.set;
  if (rebase !== undefined) {
    const streams = addSegments([], rebase.segments, rebase.start.firstBlock);
    commit(state, { ...frame(state, rebase.start), streams, snapshot: set, previous: null });
    return;
  }
  const start = {
    epoch: set.epoch,
    shards: set.shards,
    databases: state.manifest?.databases ?? 1,
    firstBlock: set.firstBlock,
  };
  const manifest = state.manifest ?? { ...frame(state, { ...start, streams: 0, createdMs: 0 }), streams: [] };
  // One that could not be read back is no generation to fall back to.
  const keepsOlder = manifest.snapshot?.verified === false && manifest.previous !== null;
  commit(state, { ...manifest, snapshot: set, previous: keepsOlder ? manifest.previous : manifest.snapshot });
}

/** The newest set was read back whole: what only the one before needed is unlisted. */
export function markVerified(state: DiskState): void {
  const { manifest } = state;
  assert(manifest?.snapshot != null, 'there is a set to verify');
  const { cut } = manifest.snapshot;
  const streams = manifest.streams
    .map(({ stream, segments }) => {
      // A stream that began after the snapshot is in no cut: all of it is needed.
      const first = cut.find((one) => one.stream === stream)?.sequence ?? 0;
      return { stream, segments: segments.filter(({ sequence }) => sequence >= first) };
    })
    .filter(({ segments }) => segments.length > 0);
  commit(state, { ...manifest, streams, snapshot: { ...manifest.snapshot, verified: true }, previous: null });
}

/** Makes the set before the newest one, which is damaged, the newest again. */
export function fallBackToPrevious(state: DiskState): void {
  const { manifest } = state;
  assert(manifest?.previous != null, 'there is a set to fall back to');
  commit(state, { ...manifest, snapshot: manifest.previous, previous: null });
}

/** Removes the files of our naming that the manifest does not list. Returns their paths. Trouble with one is let be. */
export function removeLeftovers(state: DiskState): string[] {
  const listed = listedFiles(state.manifest);
  const removed: string[] = [];
  for (const path of ourFiles(state.storage)) {
    if (listed.has(path)) continue;
    try {
      state.storage.remove(path);
      removed.push(path);
    } catch {
      // It is in nobody's way, and the next start tries again.
    }
  }
  return removed;
}

/** Removes the files of a set that did not come to be. */
export function removeSet({ storage }: DiskState, set: number, shards: number): void {
  for (let shard = 0; shard < shards; shard += 1) {
    for (const path of [snapshotPath(shard, set), snapshotPath(shard, set) + TEMPORARY]) {
      if (storage.exists(path)) storage.remove(path);
    }
  }
}

function commit(state: DiskState, manifest: Manifest): void {
  // The folders of what it lists: one may be new, or from a process that died before it was synced.
  state.storage.syncFolder('.');
  state.isUncertain = true;
  writeManifest(state.storage, MANIFEST_NAME, manifest);
  state.isUncertain = false;
  state.manifest = manifest;
}

/** Puts the manifest in force back where one that failed may stand: that one lists what is to go. Throws system errors. */
function restoreManifest(state: DiskState): void {
  const { storage, manifest } = state;
  if (!state.isUncertain) return;
  if (manifest !== undefined) {
    commit(state, manifest);
    return;
  }
  if (storage.exists(MANIFEST_NAME)) storage.remove(MANIFEST_NAME);
  storage.syncFolder('.');
  state.isUncertain = false;
}

function frame(state: DiskState, { epoch, shards, databases, firstBlock }: EpochStart): Manifest {
  const { manifest } = state;
  return {
    version: MANIFEST_VERSION,
    epoch,
    shards,
    databases,
    blockBase: firstBlock,
    streams: manifest?.streams ?? [],
    snapshot: manifest?.snapshot ?? null,
    previous: manifest?.previous ?? null,
  };
}

function makeSegment(state: DiskState, start: Omit<EpochStart, 'streams'>, stream: number): MadeSegment {
  removeGivenUp(state);
  const segment = { stream, sequence: nextSequence(state, stream), epoch: start.epoch };
  try {
    // Whoever writes it opens it: a file belongs to its thread.
    state.storage.close(openSegment(state.storage, { ...start, ...segment }).fd);
  } catch (error) {
    giveUpSegments(state, [segment]);
    throw error;
  }
  return segment;
}

function makeSegments(state: DiskState, start: EpochStart): MadeSegment[] {
  const segments: MadeSegment[] = [];
  try {
    for (let stream = 0; stream < start.streams; stream += 1) {
      segments.push(makeSegment(state, start, stream));
    }
  } catch (error) {
    giveUpSegments(state, segments);
    throw error;
  }
  return segments;
}

/**
 * Behind everything that the manifest lists or the folder holds, and not before what a snapshot takes for older than itself:
 * a stream that ended with fewer workers, was folded into a snapshot and begins again is listed nowhere else.
 */
function nextSequence({ storage, manifest }: DiskState, stream: number): number {
  const listed = manifest?.streams.find((one) => one.stream === stream)?.segments.at(-1)?.sequence ?? 0;
  const found = storage.list(streamFolder(stream)).map((name) => parseSegmentName(name) ?? 0);
  const cuts = [manifest?.snapshot, manifest?.previous].flatMap((set) => set?.cut ?? []);
  const needed = cuts.filter((cut) => cut.stream === stream).map(({ sequence }) => sequence - 1);
  return 1 + Math.max(listed, ...found, ...needed);
}

/** Sequence numbers of a stream have no gap: what was made in vain has been removed. */
function addSegments(
  streams: readonly ManifestStream[],
  segments: readonly MadeSegment[],
  firstBlock: number,
): ManifestStream[] {
  const added = new Map(streams.map((one) => [one.stream, one.segments]));
  for (const { stream, sequence, epoch } of segments) {
    added.set(stream, [...(added.get(stream) ?? []), { sequence, epoch, firstBlock }]);
  }
  return [...added].map(([stream, list]) => ({ stream, segments: list })).sort((a, b) => a.stream - b.stream);
}

/** Segments that were made and are not listed go again, so that the next ones have their numbers. */
export function giveUpSegments(state: DiskState, segments: readonly MadeSegment[]): void {
  for (const { stream, sequence } of segments) state.givenUp.add(segmentPath(stream, sequence));
  try {
    removeGivenUp(state);
  } catch {
    // What a sick disk keeps goes before the next segment is made.
  }
}

/** Throws system errors. */
function removeGivenUp(state: DiskState): void {
  const { storage, givenUp } = state;
  if (givenUp.size === 0) return;
  restoreManifest(state);
  for (const path of givenUp) {
    if (storage.exists(path)) storage.remove(path);
    givenUp.delete(path);
  }
}

/** The paths of all segments and snapshots that a manifest lists. */
export function listedFiles(manifest: Manifest | undefined): Set<string> {
  const listed = new Set<string>();
  for (const { stream, segments } of manifest?.streams ?? []) {
    for (const { sequence } of segments) listed.add(segmentPath(stream, sequence));
  }
  for (const set of [manifest?.snapshot, manifest?.previous]) {
    for (const { shard } of set?.files ?? []) listed.add(snapshotPath(shard, set?.set ?? 0));
  }
  return listed;
}

/** The segments and snapshots that lie in the current folder, whatever a manifest says. */
export function dataFiles({ storage }: DiskState): string[] {
  return ourFiles(storage).filter((path) => !path.endsWith(TEMPORARY));
}

function ourFiles(storage: Storage): string[] {
  const files: string[] = [];
  for (const folder of storage.list('.')) {
    const stream = parseStreamFolder(folder);
    const shard = parseShardFolder(folder);
    if (stream === undefined && shard === undefined) continue;
    for (const name of storage.list(folder)) {
      const base = name.replace(NAME_TEMPORARY, '');
      const isOurs = stream === undefined ? parseSnapshotName(base) : parseSegmentName(base);
      if (isOurs === undefined) continue;
      files.push(`${stream === undefined ? shardFolder(shard ?? 0) : streamFolder(stream)}/${name}`);
    }
  }
  return files;
}
