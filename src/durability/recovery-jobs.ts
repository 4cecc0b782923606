/**
 * The reading of a log as jobs: the scan that decides what of it is good, and the replay of a share of its shards.
 *
 * Runs on threads of the job pool; requests and answers can be sent between threads.
 */
import type { Clock } from '../base/clock.ts';
import { HOUSEKEEPING_SLICE_ENTRIES } from '../config/limits.ts';
import { DATABASES } from '../shard/layout.ts';
import { acquireShard, releaseShard } from '../shard/lock.ts';
import { EFFECT_SWAP, type RecordView } from '../shard/record.ts';
import { replayRecord } from '../shard/replay.ts';
import { openShard, type Shard, type ShardBuffers } from '../shard/shard.ts';
import { replayLog } from './log-replay.ts';
import type { Manifest, SnapshotSet } from './manifest.ts';
import { type RecoveryPlan, type ScanResult, scanLog } from './recovery-scan.ts';
import { JOB_BYTES, JOB_ENTRIES } from './snapshot-jobs.ts';
import { createDiskStorage } from './storage.ts';
import type { Storage } from './storage-types.ts';

export type ScanLogRequest = {
  readonly manifest: Manifest;
  readonly base: SnapshotSet | null;
  readonly folder: string;
};

export type ReplayLogRequest = {
  readonly plan: RecoveryPlan;
  readonly base: SnapshotSet | null;
  /** This job takes the shards whose number, modulo `parts`, is `part`. */
  readonly part: number;
  readonly parts: number;
  readonly buffers: readonly ShardBuffers[];
  readonly threadId: number;
  readonly progress: SharedArrayBuffer;
};

export type ReplayLogOutcome =
  | { readonly ok: true; readonly records: number }
  | { readonly ok: false; readonly text: string };

const NO_ROOM = 'the log does not fit into memory: raise maxmemory or choose an allkeys policy';

export function scanLogJob(request: ScanLogRequest): ScanResult {
  const storage = createDiskStorage();
  return scanLog({ storage, ...request, bootId: storage.bootId() });
}

export function replayLogJob(request: ReplayLogRequest, clock: Clock): ReplayLogOutcome {
  return replayLogShare(createDiskStorage(), request, clock);
}

/** Applies the records of this job's shards in their order, behind what the snapshot has. */
export function replayLogShare(storage: Storage, request: ReplayLogRequest, clock: Clock): ReplayLogOutcome {
  const { plan, base, part, parts } = request;
  const numbers = new Float64Array(request.progress);
  const shards = request.buffers.map((buffers, index) => openShard(buffers, index, request.threadId, clock));
  const startLsns = new Map(base?.files.map(({ shard, startLsn }) => [shard, startLsn]));
  const nowMs = clock.wallMs();
  const held: Held = { shard: undefined, records: 0 };
  let reason = NO_ROOM;
  let records = 0;
  try {
    records = replayLog(storage, plan, {
      wants: (shard) => shard % parts === part,
      apply: (number, lsn, view, bytes, epoch) => {
        // The snapshot has seen it. LSNs never go back, so this holds for later epochs as well.
        if (epoch === base?.epoch && lsn <= (startLsns.get(number) ?? 0)) return true;
        const target = shards[number];
        if (!hasDatabases(target, view)) {
          reason = `the log has changes of database ${view.effect === EFFECT_SWAP ? Math.max(view.database, view.extra) : view.database}: raise databases`;
          return false;
        }
        hold(held, target);
        numbers[JOB_ENTRIES] += 1;
        return replayRecord(target, view, bytes, lsn, nowMs);
      },
      onProgress: (bytes) => {
        numbers[JOB_BYTES] = bytes;
      },
    });
  } finally {
    letGo(held);
  }
  return records < 0 ? { ok: false, text: reason } : { ok: true, records };
}

/** `databases` may have been lowered since. */
function hasDatabases({ control }: Shard, { effect, database, extra }: RecordView): boolean {
  return database < control[DATABASES] && (effect !== EFFECT_SWAP || extra < control[DATABASES]);
}

/** The shard whose lock the replay has at present: mostly the next record is of the same. */
type Held = { shard: Shard | undefined; records: number };

function hold(held: Held, shard: Shard): void {
  held.records += 1;
  if (held.shard === shard && held.records < HOUSEKEEPING_SLICE_ENTRIES) return;
  letGo(held);
  acquireShard(shard);
  held.shard = shard;
}

function letGo(held: Held): void {
  if (held.shard !== undefined) releaseShard(held.shard);
  held.shard = undefined;
  held.records = 0;
}
