/**
 * The start of a simulated server: what the disk holds, brought into fresh shards as threads/loading.ts does, on one thread.
 */
import {
  type DiskState,
  fallBackToPrevious,
  openDiskState,
  removeLeftovers,
} from '../../../src/durability/disk-state.ts';
import { snapshotPath } from '../../../src/durability/file-names.ts';
import type { SnapshotSet } from '../../../src/durability/manifest.ts';
import { replayLogShare } from '../../../src/durability/recovery-jobs.ts';
import { applyCuts, scanLog } from '../../../src/durability/recovery-scan.ts';
import { createJobProgress } from '../../../src/durability/snapshot-jobs.ts';
import { loadSnapshot, orderShard } from '../../../src/durability/snapshot-loader.ts';
import { verifySnapshot } from '../../../src/durability/snapshot-reader.ts';
import { fillSlotTable } from '../../../src/routing/hash-ring.ts';
import { SLOT_COUNT } from '../../../src/routing/slot.ts';
import { stopJournaling } from '../../../src/shard/journal.ts';
import { LSN } from '../../../src/shard/layout.ts';
import { raiseLsn } from '../../../src/shard/load.ts';
import { NO_EVICTION } from '../../../src/shard/policy.ts';
import {
  createShardBuffers,
  formatShard,
  openShard,
  type Shard,
  type ShardBuffers,
} from '../../../src/shard/shard.ts';
import type { SimulatedDisk } from '../simulated-disk.ts';
import type { SimulatedClock } from './machine.ts';

export type Recovered = {
  readonly state: DiskState;
  readonly shards: readonly Shard[];
  readonly buffers: readonly ShardBuffers[];
  readonly nextEpoch: number;
  readonly nextBlock: number;
};

const SHARD_BYTES = 2 ** 18;
const LOADING_THREAD = 30;
const memories = new Map<string, readonly ShardBuffers[]>();
const slotTables = new Map<number, Uint16Array>();

/** Which shard each slot is of. */
export function slotTableFor(shards: number): Uint16Array {
  const table = slotTables.get(shards) ?? new Uint16Array(new SharedArrayBuffer(2 * SLOT_COUNT));
  if (!slotTables.has(shards)) {
    fillSlotTable(
      Array.from({ length: shards }, (_, index) => ({ id: `shard-${index}` })),
      table,
    );
    slotTables.set(shards, table);
  }
  return table;
}

/** Brings back what the disk holds. Throws an Error for every refusal: nothing that a crash leaves is a reason for one. */
export function recover(
  disk: SimulatedDisk,
  clock: SimulatedClock,
  shards: number,
  databases: number,
): Recovered {
  const state = openDiskState(disk);
  removeLeftovers(state);
  const buffers = createBuffers(shards, databases, clock);
  const { manifest } = state;
  if (manifest === undefined)
    return { state, shards: open(buffers, clock), buffers, nextEpoch: 1, nextBlock: 1 };
  const base = chooseBase(state);
  const { refusals, plan } = scanLog({ storage: disk, manifest, base, bootId: disk.bootId(), folder: 'DIR' });
  if (refusals.length > 0) throw new Error(`refused: ${refusals.join('\n')}`);
  applyCuts(disk, plan);
  if (base !== null) loadSet(disk, base, plan.recordsOfSet > 0, buffers, clock);
  const parts = 2;
  for (let part = 0; part < parts && plan.records > 0; part += 1) {
    const share = {
      plan,
      base,
      part,
      parts,
      buffers,
      threadId: LOADING_THREAD,
      progress: createJobProgress(),
    };
    const outcome = replayLogShare(disk, share, clock);
    if (!outcome.ok) throw new Error(outcome.text);
  }
  const loaded = open(buffers, clock);
  for (const shard of loaded) raiseLsn(shard, plan.largestLsn);
  return { state, shards: loaded, buffers, nextEpoch: plan.nextEpoch, nextBlock: plan.nextBlock };
}

function chooseBase(state: DiskState): SnapshotSet | null {
  const { snapshot, previous } = state.manifest ?? { snapshot: null, previous: null };
  if (snapshot === null || previous === null) return snapshot;
  const isGood = snapshot.files.every(
    ({ shard }) => verifySnapshot(state.storage, snapshotPath(shard, snapshot.set)).ok,
  );
  if (isGood) return snapshot;
  fallBackToPrevious(state);
  return previous;
}

/** Making memory costs more than all that is done in it: that of earlier runs with the same shape is used again, as if new. */
function createBuffers(shards: number, databases: number, clock: SimulatedClock): readonly ShardBuffers[] {
  const shape = `${shards}/${databases}`;
  const buffers =
    memories.get(shape) ?? Array.from({ length: shards }, (_, index) => newBuffers(index, databases));
  memories.set(shape, buffers);
  for (const shard of open(buffers, clock)) {
    stopJournaling(shard);
    formatShard(shard, clock.wallMs());
    shard.numbers[LSN] = 0;
  }
  return buffers;
}

function newBuffers(index: number, databases: number): ShardBuffers {
  return createShardBuffers({
    ...{ capacityBytes: SHARD_BYTES, limitBytes: SHARD_BYTES, keysMax: 0, policy: NO_EVICTION, databases },
    ...{ lfuLogFactor: 10, lfuDecayMinutes: 1, holdSampling: 64 },
    ...{ hashKey: [index + 5, 6], seed: index + 5, nowMs: 1 },
  });
}

function open(buffers: readonly ShardBuffers[], clock: SimulatedClock): Shard[] {
  return buffers.map((shard, index) => openShard(shard, index, LOADING_THREAD, clock));
}

function loadSet(
  disk: SimulatedDisk,
  base: SnapshotSet,
  hasLog: boolean,
  buffers: readonly ShardBuffers[],
  clock: SimulatedClock,
): void {
  const shards = open(buffers, clock);
  const slotShard = slotTableFor(shards.length);
  const outcomes = base.files.map(({ shard }) =>
    loadSnapshot(disk, snapshotPath(shard, base.set), {
      ...{ shards, slotShard, nowMs: clock.wallMs(), hasLog, progress: () => true },
    }),
  );
  for (const outcome of outcomes) if (!outcome.ok) throw new Error(outcome.text);
  if (outcomes.every((outcome) => outcome.ok && outcome.isOrdered)) return;
  for (const shard of shards) orderShard(shard, clock.wallMs());
}
