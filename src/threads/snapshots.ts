/**
 * When snapshots are taken and what becomes of them: on request, at save points, when the log has grown, at the stop.
 *
 * Main thread. A set is put in force when all its files are on the disk, read back, and only then is the one before it
 * removed together with the segments that only that one needed.
 */
import type { Config } from '../config/config.ts';
import { SAVE_POINTS_CHECK_MS, SAVE_RETRY_MS } from '../config/limits.ts';
import { commitSnapshot, markVerified, nextSetNumber, removeLeftovers } from '../durability/disk-state.ts';
import type { SnapshotSet } from '../durability/manifest.ts';
import {
  LOG_BYTES_AT_SNAPSHOT,
  REWRITE_LAST_FAILED,
  REWRITE_LAST_TOOK_MS,
  REWRITE_RUNNING,
  REWRITE_SCHEDULED,
  REWRITES,
  REWRITES_FAILED_IN_A_ROW,
  SNAPSHOT_BYTES,
  SNAPSHOT_ENTRIES_DONE,
  SNAPSHOT_LAST_FAILED,
  SNAPSHOT_LAST_MS,
  SNAPSHOT_LAST_TOOK_MS,
  SNAPSHOT_LSNS,
  SNAPSHOT_RUNNING,
  SNAPSHOT_STARTED_MS,
  SNAPSHOTS,
} from '../metrics/persistence.ts';
import { closeGate, GATE_SNAPSHOT, gateReasons, openGate } from '../resilience/gate.ts';
import { longJobThreads } from './jobs.ts';
import { logBytesWritten, sealStreams } from './log-epoch.ts';
import { cutBehind, logBytesSinceSnapshot, rotateStreams } from './logging.ts';
import { inTurn, lsnSum, type Persistence, type SnapshotEnd } from './persistence.ts';
import { bytesOfSet, endOfSet, noteSnapshot, verifySet, writeSnapshotSet } from './snapshot-set.ts';

/** Why a snapshot is taken. 'rewrite': to fold the log. */
export type SnapshotKind = 'save' | 'rewrite';

const NOT_LOADED = 'the data set is not in memory: what is on the disk is kept';

const MS_PER_SECOND = 1000;
const PERCENT = 100;

/**
 * Takes a snapshot, unless one runs: then that one's end is answered. Never rejects. `share` is what each of its jobs may
 * use of a processor, up to 1.
 */
export function takeSnapshot(
  persistence: Persistence,
  kind: SnapshotKind,
  share: number,
): Promise<SnapshotEnd> {
  if (!persistence.isLoaded) return Promise.resolve({ ok: false, text: NOT_LOADED });
  persistence.snapshot ??= inTurn(persistence, () => runSnapshot(persistence, kind, share)).finally(() => {
    persistence.snapshot = undefined;
    if (!persistence.isSnapshotScheduled || persistence.stopping) return;
    persistence.isSnapshotScheduled = false;
    persistence.numbers[REWRITE_SCHEDULED] = 0;
    void takeSnapshot(persistence, 'rewrite', backgroundShare(persistence));
  });
  return persistence.snapshot;
}

/** Notes that another is wanted once the one that runs has ended. */
export function scheduleSnapshot(persistence: Persistence): void {
  persistence.isSnapshotScheduled = true;
  persistence.numbers[REWRITE_SCHEDULED] = 1;
}

/** What has changed so far counts as saved: it has just been loaded. */
export function noteLsns(persistence: Persistence): void {
  persistence.numbers[SNAPSHOT_LSNS] = lsnSum(persistence);
}

/** Looks at the save points and at the growth of the log from now on, and refuses writes no longer than `config` says. */
export function watchSavePoints(persistence: Persistence): void {
  const { config, gate } = persistence;
  const timer = setInterval(() => {
    if (!stopsWrites(config)) openGate(gate, GATE_SNAPSHOT);
    const kind = kindDue(persistence);
    if (kind !== undefined) void takeSnapshot(persistence, kind, backgroundShare(persistence));
  }, SAVE_POINTS_CHECK_MS);
  timer.unref();
  persistence.timers.push(timer);
}

/** What each job of a snapshot in the background may use of one processor: all that run together have the share. */
export function backgroundShare({ config }: Persistence): number {
  return config.snapshotCpuShare / PERCENT / longJobThreads();
}

/** Changes since the newest snapshot began. */
export function changesSinceSnapshot(persistence: Persistence): number {
  return lsnSum(persistence) - persistence.numbers[SNAPSHOT_LSNS];
}

/** Whether writes are refused after a snapshot has failed. */
function stopsWrites({ stopWritesOnBgsaveError, save }: Config): boolean {
  return stopWritesOnBgsaveError && save.length > 0;
}

/** Which snapshot is due, by the configuration or because writes are refused until one succeeds; undefined for none. */
function kindDue(persistence: Persistence): SnapshotKind | undefined {
  const { config, numbers, clock, gate, snapshot, stopping, isLoaded } = persistence;
  if (snapshot !== undefined || stopping || !isLoaded) return undefined;
  const nowMs = clock.wallMs();
  const hasFailed = numbers[SNAPSHOT_LAST_FAILED] === 1;
  if (hasFailed && nowMs - numbers[SNAPSHOT_STARTED_MS] < SAVE_RETRY_MS) return undefined;
  // Nothing changes meanwhile, so that no save point may ever come due.
  if ((gateReasons(gate) & GATE_SNAPSHOT) !== 0) return 'save';
  const changes = changesSinceSnapshot(persistence);
  const sinceMs = nowMs - numbers[SNAPSHOT_LAST_MS];
  if (config.save.some((point) => changes >= point.changes && sinceMs > point.seconds * MS_PER_SECOND))
    return 'save';
  return isLogOutgrown(persistence) ? 'rewrite' : undefined;
}

/** As redis-server reckons: snapshot and log are its file, whose base is what that was when the newest snapshot was whole. */
function isLogOutgrown(persistence: Persistence): boolean {
  const { config, numbers, isLogging } = persistence;
  const { autoAofRewritePercentage: percent, autoAofRewriteMinSize: bytesMin } = config;
  if (!isLogging || percent === 0) return false;
  const bytes = numbers[SNAPSHOT_BYTES] + logBytesSinceSnapshot(persistence);
  const baseBytes = numbers[SNAPSHOT_BYTES] + numbers[LOG_BYTES_AT_SNAPSHOT];
  return bytes > bytesMin && (bytes - baseBytes) * PERCENT >= baseBytes * percent;
}

async function runSnapshot(
  persistence: Persistence,
  kind: SnapshotKind,
  share: number,
): Promise<SnapshotEnd> {
  const { numbers, clock, log, config, gate } = persistence;
  const startedMs = clock.monotonicMs();
  numbers[SNAPSHOT_RUNNING] = 1;
  numbers[REWRITE_RUNNING] = kind === 'rewrite' ? 1 : 0;
  numbers[SNAPSHOT_STARTED_MS] = clock.wallMs();
  numbers[SNAPSHOT_ENTRIES_DONE] = 0;
  let end: SnapshotEnd = { ok: true };
  try {
    const set = await writeAndCommit(persistence, share);
    const tookMs = Math.round(clock.monotonicMs() - startedMs);
    log.notice('snapshot taken', { set: set.set, entries: entriesOf(set), bytes: bytesOfSet(set), tookMs });
    await verifyAndTidy(persistence, set);
  } catch (error) {
    end = { ok: false, text: (error as Error).message };
    if (persistence.stopping) log.notice('the snapshot is called off: the server stops');
    else log.error('the snapshot failed', error);
    if (stopsWrites(config)) closeGate(gate, GATE_SNAPSHOT);
  }
  noteEnd(persistence, kind, end.ok, Math.round(clock.monotonicMs() - startedMs));
  return end;
}

async function writeAndCommit(persistence: Persistence, share: number): Promise<SnapshotSet> {
  const { state, isLogging, epoch } = persistence;
  const set = nextSetNumber(state);
  const { cut, firstBlock } = isLogging ? await rotateStreams(persistence) : cutBehind(persistence);
  const begun = { lsns: lsnSum(persistence), logBytes: logBytesWritten(persistence) };
  const written = await writeSnapshotSet(persistence, { set, epoch, share });
  const done = endOfSet(persistence, written, { set, epoch, cut, firstBlock });
  if (isLogging) await sealStreams(persistence);
  commitSnapshot(state, done);
  noteSnapshot(persistence, done, begun, logBytesWritten(persistence));
  return done;
}

/** Reads the set back. A damaged one stays listed beside the one before, which a start then falls back to. */
async function verifyAndTidy(persistence: Persistence, set: SnapshotSet): Promise<void> {
  const damage = await verifySet(persistence, set);
  if (damage !== undefined) throw new Error(`what was written cannot be read back: ${damage}`);
  markVerified(persistence.state);
  removeLeftovers(persistence.state);
}

function noteEnd({ numbers }: Persistence, kind: SnapshotKind, ok: boolean, tookMs: number): void {
  numbers[SNAPSHOT_RUNNING] = 0;
  numbers[SNAPSHOT_LAST_FAILED] = ok ? 0 : 1;
  numbers[SNAPSHOT_LAST_TOOK_MS] = tookMs;
  if (ok) numbers[SNAPSHOTS] += 1;
  if (kind !== 'rewrite') return;
  numbers[REWRITE_RUNNING] = 0;
  numbers[REWRITE_LAST_FAILED] = ok ? 0 : 1;
  numbers[REWRITE_LAST_TOOK_MS] = tookMs;
  numbers[REWRITES] += 1;
  numbers[REWRITES_FAILED_IN_A_ROW] = ok ? 0 : numbers[REWRITES_FAILED_IN_A_ROW] + 1;
}

function entriesOf(set: SnapshotSet): number {
  return set.files.reduce((sum, { entries }) => sum + entries, 0);
}
