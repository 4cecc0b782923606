/**
 * Repairs the state in `dir` by leaving out what cannot be read: first what that would drop, then the doing of it. Whatever
 * is changed is copied aside first (FILE.damaged-1).
 *
 * Owns no state. Main thread, under the directory's lock; blocks it.
 */
import { Buffer } from 'node:buffer';
import { LOG_READ_BYTES } from '../config/limits.ts';
import type { DirectoryReport, SetReport } from './directory-check.ts';
import { addDropped, createDroppedTally, droppedLines } from './dropped-tally.ts';
import { segmentPath } from './file-names.ts';
import { MANIFEST_NAME, type Manifest, type SnapshotSet, writeManifest } from './manifest.ts';
import { applyCuts, type RecoveryPlan, scanLog } from './recovery-scan.ts';
import type { Storage } from './storage-types.ts';

export type Repair = {
  /** What would be done and what would be lost, line by line. */
  readonly lines: readonly string[];
  readonly plan: RecoveryPlan;
  readonly manifest: Manifest;
  /** Files that are of no use any more: they get another name. */
  readonly setAside: readonly string[];
};

/** What a repair would do; undefined where there is nothing to start from: no snapshot that is whole and has its log. */
export function planRepair(storage: Storage, report: DirectoryReport, folder: string): Repair | undefined {
  const { manifest } = report;
  const fallsBack = (report.snapshot?.problems.length ?? 0) > 0;
  if (fallsBack && !canFallBack(report)) return undefined;
  const base = fallsBack ? manifest.previous : manifest.snapshot;
  const tally = createDroppedTally();
  const { plan } = scanLog({
    ...{ storage, manifest, base, bootId: storage.bootId(), folder, isRepair: true },
    onDropped: (reader) => addDropped(tally, reader),
  });
  const setAside = [...setAsideOf(report, fallsBack), ...lostPaths(storage, plan)];
  const lines = [
    ...(fallsBack
      ? [
          `snapshot set ${manifest.snapshot?.set} is left out: set ${base?.set} and the log behind it are used`,
        ]
      : []),
    ...plan.cuts.map(
      ({ path, offset, bytes }) => `${path}: ${bytes} bytes would go, from offset ${offset} on`,
    ),
    ...setAside.map((path) => `${path}: would not be used any more`),
    ...droppedLines(tally),
    `kept: ${plan.blocks} blocks with ${plan.records} records behind ${base === null ? 'no snapshot' : `snapshot set ${base.set}`}, up to block ${plan.lastBlock}`,
  ];
  return { lines, plan, manifest: repairedManifest(report, base, fallsBack, plan), setAside };
}

/** Does it. Throws system errors of the disk; what was done until then can be done again. */
export function applyRepair(storage: Storage, { plan, manifest, setAside }: Repair): string[] {
  const copies = plan.cuts.map(({ path }) => copyAside(storage, path));
  applyCuts(storage, plan);
  writeManifest(storage, MANIFEST_NAME, manifest);
  const moved = setAside.map((path) => {
    const aside = freeName(storage, path);
    storage.rename(path, aside);
    return aside;
  });
  return [...copies, ...moved];
}

function canFallBack({ previous, manifest, previousLog }: DirectoryReport): boolean {
  return previous?.problems.length === 0 && reaches(manifest, previous.set) && previousLog !== undefined;
}

/** Whether the segments that a set needs are listed. */
function reaches({ streams }: Manifest, { cut }: SnapshotSet): boolean {
  return cut.every(({ stream, sequence }) =>
    streams.some(
      (of) => of.stream === stream && of.segments.some((segment) => segment.sequence === sequence),
    ),
  );
}

function setAsideOf({ snapshot, previous }: DirectoryReport, fallsBack: boolean): readonly string[] {
  return damagedFiles(fallsBack ? snapshot : previous);
}

function damagedFiles(report: SetReport | undefined): readonly string[] {
  return report?.damagedPaths ?? [];
}

function lostPaths(storage: Storage, { streams }: RecoveryPlan): string[] {
  return streams
    .flatMap(({ stream, lost }) => lost.map((sequence) => segmentPath(stream, sequence)))
    .filter((path) => storage.exists(path));
}

function repairedManifest(
  { manifest, previous, previousLog }: DirectoryReport,
  base: SnapshotSet | null,
  fallsBack: boolean,
  plan: RecoveryPlan,
): Manifest {
  const streams = manifest.streams.map(({ stream, segments }) => {
    const lost = plan.streams.find((of) => of.stream === stream)?.lost ?? [];
    return { stream, segments: segments.filter(({ sequence }) => !lost.includes(sequence)) };
  });
  const isPreviousGood = previous?.problems.length === 0 && previousLog?.refusals.length === 0;
  const repaired = { ...manifest, streams, blockBase: Math.min(manifest.blockBase, plan.nextBlock) };
  return {
    ...repaired,
    snapshot: base === null ? null : withoutLost(base, repaired),
    previous: !fallsBack && isPreviousGood ? manifest.previous : null,
  };
}

/** The set, needing only segments that there are. */
function withoutLost(set: SnapshotSet, manifest: Manifest): SnapshotSet {
  return { ...set, cut: set.cut.filter((cut) => reaches(manifest, { ...set, cut: [cut] })) };
}

/** Copies a file to a free name beside it, synced; that name. */
function copyAside(storage: Storage, path: string): string {
  const aside = freeName(storage, path);
  const from = storage.openRead(path);
  try {
    const to = storage.createFile(aside);
    try {
      copyFile(storage, from, to);
      storage.sync(to);
    } finally {
      storage.close(to);
    }
  } finally {
    storage.close(from);
  }
  return aside;
}

function copyFile(storage: Storage, from: number, to: number): void {
  const piece = Buffer.allocUnsafeSlow(LOG_READ_BYTES);
  const bytes = storage.size(from);
  for (let at = 0; at < bytes; at += piece.length) {
    const count = storage.read(from, piece, 0, piece.length, at);
    storage.write(to, piece, 0, count, at);
  }
}

function freeName(storage: Storage, path: string): string {
  for (let number = 1; ; number += 1) {
    const name = `${path}.damaged-${number}`;
    if (!storage.exists(name)) return name;
  }
}
