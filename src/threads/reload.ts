/**
 * DEBUG RELOAD and DEBUG LOADAOF: the data set goes to disk, out of memory, and comes back, as at a start.
 *
 * Main thread. Clients are told to wait meanwhile. What is loaded is what was there, so the log goes on as if nothing had
 * happened: each shard's LSN is the same before and after.
 */
import { TOPIC_EMPTIED } from '../commands/tracking-outlets.ts';
import type { SnapshotSet } from '../durability/manifest.ts';
import { createJobProgress } from '../durability/snapshot-jobs.ts';
import { closeGate, GATE_LOADING, openGate } from '../resilience/gate.ts';
import { isJournaling, startJournaling, stopJournaling } from '../shard/journal.ts';
import { LSN } from '../shard/layout.ts';
import { acquireShard, releaseShard } from '../shard/lock.ts';
import { formatShard, type Shard } from '../shard/shard.ts';
import { publish } from './bus.ts';
import { loadSet, planRecovery, replay } from './loading.ts';
import { sealStreams } from './log-epoch.ts';
import { inTurn, type Persistence, type SnapshotEnd } from './persistence.ts';
import { takeSnapshot } from './snapshots.ts';

/** `withLog`: from the newest snapshot and the log behind it; else from a snapshot, which is taken first with `saves`. */
export async function reloadData(
  persistence: Persistence,
  withLog: boolean,
  saves: boolean,
): Promise<SnapshotEnd> {
  const { gate } = persistence;
  // One that runs may have begun before the last changes; clients go on meanwhile.
  while (persistence.snapshot !== undefined) await persistence.snapshot;
  closeGate(gate, GATE_LOADING);
  try {
    // Every worker ends its turn: from here on nothing changes.
    if (persistence.isLogging) await sealStreams(persistence);
    while (persistence.snapshot !== undefined) await persistence.snapshot;
    if (!withLog && saves) {
      const end = await takeSnapshot(persistence, 'save', 1);
      if (!end.ok) return end;
    }
    await inTurn(persistence, () => loadAgain(persistence, withLog));
    return { ok: true };
  } catch (error) {
    return { ok: false, text: (error as Error).message };
  } finally {
    // What has expired meanwhile is not there any more, and nobody would hear of it who keeps its value.
    publish(persistence.bus, TOPIC_EMPTIED, undefined);
    openGate(gate, GATE_LOADING);
  }
}

async function loadAgain(persistence: Persistence, withLog: boolean): Promise<void> {
  const { state, shards } = persistence;
  const base: SnapshotSet | null = state.manifest?.snapshot ?? null;
  const plan = withLog && state.manifest !== undefined ? await planRecovery(persistence, base) : undefined;
  const lsns = shards.map((shard) => emptyShard(persistence, shard));
  const wasJournaling = persistence.isLogging;
  persistence.isLoaded = false;
  try {
    await loadSet(persistence, base, (plan?.recordsOfSet ?? 0) > 0, createJobProgress);
    if (plan !== undefined) await replay(persistence, base, plan, createJobProgress);
    persistence.isLoaded = true;
  } finally {
    for (const [index, shard] of shards.entries()) resumeShard(shard, lsns[index], wasJournaling);
  }
}

function emptyShard({ clock }: Persistence, shard: Shard): number {
  acquireShard(shard);
  try {
    if (isJournaling(shard)) stopJournaling(shard);
    formatShard(shard, clock.wallMs());
    return shard.numbers[LSN];
  } finally {
    releaseShard(shard);
  }
}

function resumeShard(shard: Shard, lsn: number, isJournaled: boolean): void {
  acquireShard(shard);
  try {
    shard.numbers[LSN] = lsn;
    if (isJournaled) startJournaling(shard);
  } finally {
    releaseShard(shard);
  }
}
