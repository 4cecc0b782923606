/**
 * The load at the start: newest good snapshot, then the log behind it, by all processors, while clients are told to wait.
 *
 * Main thread; the reading is done by jobs. What is torn is cut and said; what is damaged is refused with a StartError.
 */
import { StartError } from '../base/errors.ts';
import { LOAD_PROGRESS_MS, LOAD_REPORT_MS } from '../config/limits.ts';
import { dataFiles, fallBackToPrevious, removeLeftovers } from '../durability/disk-state.ts';
import { snapshotPath } from '../durability/file-names.ts';
import { MANIFEST_NAME, type SnapshotSet } from '../durability/manifest.ts';
import type { ReplayLogRequest } from '../durability/recovery-jobs.ts';
import { applyCuts, type RecoveryPlan } from '../durability/recovery-scan.ts';
import { createJobProgress, JOB_BYTES, JOB_ENTRIES } from '../durability/snapshot-jobs.ts';
import {
  LOAD_MS,
  LOADED_KEYS,
  LOADING,
  LOADING_BYTES_DONE,
  LOADING_BYTES_TOTAL,
  LOADING_STARTED_MS,
  SNAPSHOT_BYTES,
  SNAPSHOT_LAST_MS,
} from '../metrics/persistence.ts';
import { KEYS_LIVE } from '../shard/layout.ts';
import { raiseLsn } from '../shard/load.ts';
import { acquireShard, releaseShard } from '../shard/lock.ts';
import { threadIdOfJob } from './boot.ts';
import { chooseLoadThreads, loadParts, runLoadJob } from './load-jobs.ts';
import type { Persistence } from './persistence.ts';

/** Where the next epoch begins. */
export type LoadEnd = { readonly nextEpoch: number; readonly nextBlock: number };

/** Loads what the folder holds. Throws a StartError that says what is wrong, where, and what to do. */
export async function loadData(persistence: Persistence): Promise<LoadEnd> {
  const { state, clock, numbers, log } = persistence;
  if (state.manifest === undefined) refuseOrphans(persistence);
  for (const path of removeLeftovers(state)) log.verbose(`removed ${path}, which no manifest lists`);
  if (state.manifest === undefined) return { nextEpoch: 1, nextBlock: 1 };
  const startedMs = clock.monotonicMs();
  numbers[LOADING] = 1;
  numbers[LOADING_STARTED_MS] = clock.wallMs();
  const progress = watchProgress(persistence);
  chooseLoadThreads(persistence);
  try {
    const base = await chooseBase(persistence);
    const plan = await planRecovery(persistence, base);
    numbers[LOADING_BYTES_TOTAL] = plan.bytes + sumOf(base?.files.map(({ bytes }) => bytes));
    await loadSet(persistence, base, plan.recordsOfSet > 0, progress.memory);
    const records = await replay(persistence, base, plan, progress.memory);
    for (const shard of persistence.shards) raiseLsn(shard, plan.largestLsn);
    noteBase(persistence, base);
    persistence.logBytesBase = -plan.bytes;
    const tookMs = Math.round(clock.monotonicMs() - startedMs);
    numbers[LOAD_MS] = tookMs;
    const keys = keyCount(persistence);
    numbers[LOADED_KEYS] = keys;
    log.notice('data loaded', { keys, logRecords: records, tookMs });
    return { nextEpoch: plan.nextEpoch, nextBlock: plan.nextBlock };
  } finally {
    progress.end();
    persistence.loadsHere = false;
    numbers[LOADING] = 0;
  }
}

/** Without its manifest nobody can say what the data in a folder is worth: it is not taken for leftovers. */
function refuseOrphans({ state, config }: Persistence): void {
  const [first] = dataFiles(state);
  if (first === undefined) return;
  throw new StartError(
    `the folder '${config.dir}' (dir) holds ${first}, but no ${MANIFEST_NAME}: bring that back, or remove the folders ` +
      'worker-* and shard-* to begin with nothing',
    1,
  );
}

/** The newest snapshot; the one before while that is kept because nobody knows yet whether the newest is good, and it is not. */
async function chooseBase(persistence: Persistence): Promise<SnapshotSet | null> {
  const { state, log } = persistence;
  const { snapshot, previous } = state.manifest ?? { snapshot: null, previous: null };
  if (snapshot === null || previous === null) return snapshot;
  const outcomes = await Promise.all(
    snapshot.files.map(({ shard }) =>
      runLoadJob(persistence, 'verifySnapshot', { path: snapshotPath(shard, snapshot.set) }),
    ),
  );
  const damage = outcomes.find(({ ok }) => !ok);
  if (damage === undefined || damage.ok) return snapshot;
  log.warning(`snapshot set ${snapshot.set} is damaged (${damage.text}); the one before it is loaded`);
  fallBackToPrevious(state);
  return previous;
}

export async function planRecovery(
  persistence: Persistence,
  base: SnapshotSet | null,
): Promise<RecoveryPlan> {
  const { state, config, log } = persistence;
  const { manifest } = state;
  if (manifest === undefined) throw new StartError('there is no manifest to load by', 1);
  const request = { manifest, base, folder: config.dir };
  const { refusals, plan } = await runLoadJob(persistence, 'scanLog', request);
  if (refusals.length > 0) throw new StartError(refusals.join('\n'), 1);
  for (const { text } of plan.cuts) log.warning(text);
  if (plan.cuts.length > 0 && !config.aofLoadTruncated) {
    throw new StartError('the log has a torn end, and aof-load-truncated is no', 1);
  }
  applyCuts(state.storage, plan);
  return plan;
}

export async function loadSet(
  persistence: Persistence,
  base: SnapshotSet | null,
  hasLog: boolean,
  memory: Memory,
): Promise<void> {
  if (base === null) return;
  const { boot, config } = persistence;
  const outcomes = await Promise.all(
    base.files.map(({ shard }, index) =>
      runLoadJob(persistence, 'loadSnapshot', {
        path: snapshotPath(shard, base.set),
        buffers: boot.shardBuffers,
        slotTable: boot.slotTable,
        hasLog,
        threadId: threadIdOfJob(index),
        progress: memory(),
      }),
    ),
  );
  const strange = base.files.find(({ shard, startLsn }, index) => {
    const outcome = outcomes[index];
    if (!outcome.ok) return false;
    const { header } = outcome;
    return header.shard !== shard || header.set !== base.set || header.startLsn !== startLsn;
  });
  if (strange !== undefined) {
    const path = snapshotPath(strange.shard, base.set);
    throw new StartError(`${path} is not the file that the manifest lists under this name`, 1);
  }
  const damage = outcomes.find(({ ok }) => !ok);
  if (damage !== undefined && !damage.ok) {
    throw new StartError(`${damage.text}; see: distcache check ${config.dir} --repair`, 1);
  }
  if (outcomes.every((outcome) => outcome.ok && outcome.isOrdered)) return;
  await Promise.all(
    boot.shardBuffers.map((buffers, shard) =>
      runLoadJob(persistence, 'orderShard', { buffers, shard, threadId: threadIdOfJob(shard) }),
    ),
  );
}

/** Replays the log, each job the records of its own shards, which are today's (persistence-life.ts, shardCountOf). */
export async function replay(
  persistence: Persistence,
  base: SnapshotSet | null,
  plan: RecoveryPlan,
  memory: Memory,
): Promise<number> {
  if (plan.records === 0) return 0;
  const { boot } = persistence;
  const parts = loadParts(persistence);
  const requests = Array.from({ length: parts }, (_, part): ReplayLogRequest => {
    const { shardBuffers: buffers } = boot;
    return { plan, base, part, parts, buffers, threadId: threadIdOfJob(part), progress: memory() };
  });
  const outcomes = await Promise.all(
    requests.map((request) => runLoadJob(persistence, 'replayLog', request)),
  );
  for (const outcome of outcomes) if (!outcome.ok) throw new StartError(outcome.text, 1);
  return sumOf(outcomes.map((outcome) => (outcome.ok ? outcome.records : 0)));
}

function noteBase({ numbers }: Persistence, base: SnapshotSet | null): void {
  if (base === null) return;
  numbers[SNAPSHOT_LAST_MS] = base.finishedAtMs;
  numbers[SNAPSHOT_BYTES] = sumOf(base.files.map(({ bytes }) => bytes));
}

/** Gives each job memory for its progress, adds them up, and says now and then how far the load is. */
export type Memory = () => SharedArrayBuffer;

function watchProgress({ numbers, log, clock }: Persistence): { memory: Memory; end: () => void } {
  const jobs: Float64Array[] = [];
  const sum = (at: number): number => sumOf(jobs.map((job) => job[at]));
  let saidMs = clock.monotonicMs();
  const timer = setInterval(() => {
    numbers[LOADING_BYTES_DONE] = sum(JOB_BYTES);
    numbers[LOADED_KEYS] = sum(JOB_ENTRIES);
    if (clock.monotonicMs() - saidMs < LOAD_REPORT_MS) return;
    saidMs = clock.monotonicMs();
    const percent = Math.round(
      (100 * numbers[LOADING_BYTES_DONE]) / Math.max(1, numbers[LOADING_BYTES_TOTAL]),
    );
    log.notice('loading', { percent, entries: numbers[LOADED_KEYS] });
  }, LOAD_PROGRESS_MS);
  return {
    memory: () => {
      const memory = createJobProgress();
      jobs.push(new Float64Array(memory));
      return memory;
    },
    end: () => clearInterval(timer),
  };
}

function keyCount({ shards }: Persistence): number {
  let keys = 0;
  for (const shard of shards) {
    acquireShard(shard);
    keys += shard.control[KEYS_LIVE];
    releaseShard(shard);
  }
  return keys;
}

function sumOf(values: readonly number[] = []): number {
  return values.reduce((sum, value) => sum + value, 0);
}
