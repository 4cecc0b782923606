/**
 * Looks at everything that belongs to the state in `dir` and says what is wrong with it: manifest, snapshots, log.
 *
 * Owns no state and changes nothing. Main thread; blocks it for as long as reading all of it takes.
 */
import { snapshotPath } from './file-names.ts';
import type { Manifest, SnapshotSet } from './manifest.ts';
import { type ScanResult, scanLog } from './recovery-scan.ts';
import { verifySnapshot } from './snapshot-reader.ts';
import type { Storage } from './storage-types.ts';

/** One snapshot set, read whole: what it holds, and a line for each file that is not good. */
export type SetReport = {
  readonly set: SnapshotSet;
  readonly entries: number;
  readonly bytes: number;
  readonly problems: readonly string[];
  readonly damagedPaths: readonly string[];
};

export type DirectoryReport = {
  readonly manifest: Manifest;
  readonly snapshot: SetReport | undefined;
  readonly previous: SetReport | undefined;
  /** The log from the newest set on, and from the one before it. */
  readonly log: ScanResult;
  readonly previousLog: ScanResult | undefined;
  /** All that is wrong, one line each. */
  readonly problems: readonly string[];
};

/** Reads all that the manifest lists. `folder` is how the operator calls it. Throws system errors of the disk. */
export function checkDirectory(storage: Storage, manifest: Manifest, folder: string): DirectoryReport {
  const scan = (base: SnapshotSet | null): ScanResult =>
    scanLog({ storage, manifest, base, bootId: storage.bootId(), folder });
  const { snapshot, previous } = manifest;
  const report = {
    manifest,
    snapshot: snapshot === null ? undefined : checkSet(storage, snapshot),
    previous: previous === null ? undefined : checkSet(storage, previous),
    log: scan(snapshot),
    previousLog: previous === null ? undefined : scan(previous),
  };
  const problems = [
    ...(report.snapshot?.problems ?? []),
    ...(report.previous?.problems ?? []),
    ...report.log.refusals,
    ...(report.previousLog?.refusals ?? []),
  ];
  return { ...report, problems: [...new Set(problems)] };
}

function checkSet(storage: Storage, set: SnapshotSet): SetReport {
  const problems: string[] = [];
  const damagedPaths: string[] = [];
  let entries = 0;
  let bytes = 0;
  for (const file of set.files) {
    const path = snapshotPath(file.shard, set.set);
    const problem = fileProblem(storage, set, file, path);
    if (problem !== undefined) {
      problems.push(problem);
      if (storage.exists(path)) damagedPaths.push(path);
    }
    entries += file.entries;
    bytes += file.bytes;
  }
  return { set, entries, bytes, problems, damagedPaths };
}

/** What is wrong with one file of a set, with its path and offset. */
function fileProblem(
  storage: Storage,
  set: SnapshotSet,
  file: SnapshotSet['files'][number],
  path: string,
): string | undefined {
  if (!storage.exists(path)) return `${path}: the snapshot is missing, at offset 0`;
  const found = verifySnapshot(storage, path);
  if (!found.ok) return found.text;
  const { header } = found;
  const pairs: [name: string, found: number, due: number][] = [
    ['shard', header.shard, file.shard],
    ['number of shards', header.shards, set.shards],
    ['epoch', header.epoch, set.epoch],
    ['set', header.set, set.set],
    ['start LSN', header.startLsn, file.startLsn],
    ['number of entries', found.entries, file.entries],
    ['length', found.bytes, file.bytes],
  ];
  const wrong = pairs.find(([, is, due]) => is !== due);
  return wrong === undefined
    ? undefined
    : `${path}: its ${wrong[0]} is ${wrong[1]}, not ${wrong[2]}, at offset 0`;
}
