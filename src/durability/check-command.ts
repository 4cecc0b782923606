/**
 * `distcache check DIR [--repair] [--yes]`: says what is wrong in a data folder, and repairs it when asked to.
 *
 * Main thread of a process of its own; it holds the folder's lock, so no server runs there meanwhile.
 */
import { StartError } from '../base/errors.ts';
import { checkDirectory, type DirectoryReport, type SetReport } from './directory-check.ts';
import { acquireDirectoryLock, releaseDirectoryLock } from './directory-lock.ts';
import { applyRepair, planRepair } from './directory-repair.ts';
import { MANIFEST_NAME, readManifest } from './manifest.ts';
import type { Storage } from './storage-types.ts';

const EXIT_GOOD = 0;
export const EXIT_DAMAGED = 1;

/** The terminal around a command. */
export type ToolTerminal = {
  readonly print: (line: string) => void;
  /** The answer to a yes-or-no question; false when nobody answers. */
  readonly confirm: (question: string) => Promise<boolean>;
};

export type CheckOptions = { readonly folder: string; readonly isRepair: boolean; readonly isSure: boolean };

/**
 * Checks the process's folder, which the operator calls `options.folder`. Answers the exit code. Throws a StartError where
 * the folder is in use or the manifest cannot be read, and system errors of the disk.
 */
export async function runCheck(
  storage: Storage,
  terminal: ToolTerminal,
  options: CheckOptions,
): Promise<number> {
  const lock = acquireDirectoryLock(storage, '.');
  try {
    const manifest = readManifest(storage, MANIFEST_NAME);
    if (manifest === undefined) return reportNothing(storage, terminal, options);
    const report = checkDirectory(storage, manifest, options.folder);
    for (const line of reportLines(report)) terminal.print(line);
    const isGood = report.problems.length === 0;
    terminal.print(isGood ? `${options.folder} is good` : `${options.folder} is damaged`);
    if (isGood) return EXIT_GOOD;
    if (options.isRepair) return await repair(storage, terminal, options, report);
    terminal.print(`'distcache check ${options.folder} --repair' shows what can be kept, and asks`);
    return EXIT_DAMAGED;
  } finally {
    releaseDirectoryLock(storage, lock);
  }
}

/** A folder without a manifest is empty, unless there are files that only a manifest makes sense of. */
function reportNothing(storage: Storage, terminal: ToolTerminal, { folder }: CheckOptions): number {
  const found = storage.list('.').filter((name) => /^(?:worker|shard)-\d{3,}$/.test(name));
  const files = found.filter((name) => storage.list(name).length > 0);
  if (files.length === 0) {
    terminal.print(`${folder} holds no data: there is no ${MANIFEST_NAME}`);
    return EXIT_GOOD;
  }
  throw new StartError(
    `${folder}: ${MANIFEST_NAME} is missing, and ${files.join(', ')} cannot be read without it`,
    1,
  );
}

function reportLines(report: DirectoryReport): string[] {
  const { manifest, log } = report;
  const { plan } = log;
  const segments = manifest.streams.reduce((sum, stream) => sum + stream.segments.length, 0);
  const whole = log.refusals.length === 0;
  return [
    `${MANIFEST_NAME}: epoch ${manifest.epoch}, ${manifest.shards} shards, ${manifest.streams.length} streams of ${segments} segments`,
    ...setLines('snapshot', report.snapshot),
    ...setLines('the one before it,', report.previous),
    ...(whole
      ? [
          `log: ${plan.blocks} blocks, ${plan.records} records, ${plan.bytes} bytes, up to block ${plan.lastBlock}`,
        ]
      : []),
    // A start cuts a torn end by itself: no damage.
    ...(whole ? plan.cuts.map(({ text }) => `torn end, which the next start cuts: ${text}`) : []),
    ...report.problems.map((problem) => `damaged: ${problem}`),
  ];
}

function setLines(name: string, report: SetReport | undefined): string[] {
  if (report === undefined || report.problems.length > 0) return [];
  return [
    `${name} set ${report.set.set}: ${report.set.files.length} files, ${report.entries} entries, ${report.bytes} bytes`,
  ];
}

async function repair(
  storage: Storage,
  terminal: ToolTerminal,
  options: CheckOptions,
  report: DirectoryReport,
): Promise<number> {
  const planned = planRepair(storage, report, options.folder);
  if (planned === undefined) {
    terminal.print('no snapshot is whole: there is nothing to begin a repair with. Nothing was changed');
    return EXIT_DAMAGED;
  }
  for (const line of planned.lines) terminal.print(line);
  if (!options.isSure && !(await terminal.confirm('Repair, keeping a copy of each file that changes?'))) {
    terminal.print('nothing was changed');
    return EXIT_DAMAGED;
  }
  for (const path of applyRepair(storage, planned)) terminal.print(`kept aside: ${path}`);
  const after = checkDirectory(storage, planned.manifest, options.folder);
  for (const problem of after.problems) terminal.print(`damaged: ${problem}`);
  terminal.print(
    after.problems.length === 0 ? `${options.folder} is good` : `${options.folder} is still damaged`,
  );
  return after.problems.length === 0 ? EXIT_GOOD : EXIT_DAMAGED;
}
