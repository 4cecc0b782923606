/**
 * A log of log-builder.ts on a simulated disk, read back through the code of the product: what a recovery would find.
 */
import type { Buffer } from 'node:buffer';
import { replayLog } from '../../src/durability/log-replay.ts';
import type { Manifest } from '../../src/durability/manifest.ts';
import { applyCuts, type ScanInput, type ScanResult, scanLog } from '../../src/durability/recovery-scan.ts';
import { builtFiles, builtManifest, type LogBuilder } from './log-builder.ts';
import { createSimulatedDisk, type SimulatedDisk } from './simulated-disk.ts';

/** The boot id of a simulated disk that was not crashed. */
export const SAME_BOOT = createSimulatedDisk().bootId();

export type PlacedLog = { readonly disk: SimulatedDisk; readonly manifest: Manifest };

/** Puts the built log on a disk of its own, with some files changed or (undefined) left out. */
export function placeLog(
  builder: LogBuilder,
  changes: ReadonlyMap<string, Buffer | undefined> = new Map(),
): PlacedLog {
  const disk = createSimulatedDisk();
  for (const [path, bytes] of new Map([...builtFiles(builder), ...changes])) {
    disk.makeFolder(path.slice(0, path.indexOf('/')));
    if (bytes !== undefined) disk.place(path, bytes);
  }
  return { disk, manifest: builtManifest(builder) };
}

export function scanPlaced({ disk, manifest }: PlacedLog, options: Partial<ScanInput> = {}): ScanResult {
  return scanLog({ storage: disk, manifest, base: null, bootId: SAME_BOOT, folder: 'DIR', ...options });
}

/** Every record that a replay hands over, as `epoch/shard/lsn effect database key=value`. */
export function replayedRecords(
  { disk }: PlacedLog,
  { plan }: ScanResult,
  wants: (shard: number) => boolean = () => true,
): string[] {
  const lines: string[] = [];
  replayLog(disk, plan, {
    wants,
    apply: (shard, lsn, view, bytes, epoch) => {
      const key = bytes.toString('utf8', view.keyStart, view.keyEnd);
      const value = bytes.toString('utf8', view.valueStart, view.valueEnd);
      lines.push(`${epoch}/${shard}/${lsn} ${view.effect} ${view.database} ${key}=${value}`);
      return true;
    },
  });
  return lines;
}

/** Recovers: scans, cuts, replays. Undefined where the log is refused. */
export function recoverPlaced(log: PlacedLog, options: Partial<ScanInput> = {}): string[] | undefined {
  const result = scanPlaced(log, options);
  if (result.refusals.length > 0) return undefined;
  applyCuts(log.disk, result.plan);
  return replayedRecords(log, result);
}
