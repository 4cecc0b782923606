/** Saving and loading one shard's snapshot, as the jobs of the server do it. */
import { systemClock } from '../../src/base/clock.ts';
import { snapshotPath } from '../../src/durability/file-names.ts';
import { createJobProgress, loadSnapshotJob, snapshotShardJob } from '../../src/durability/snapshot-jobs.ts';
import { ringOf } from '../../src/durability/snapshot-loader.ts';
import { threadIdOfJob } from '../../src/threads/boot.ts';
import type { SnapshotDeed } from './snapshot-memory.ts';

const SET = 1;

/** Returns the entries that were saved or loaded. Throws where that failed. */
export function doSnapshotDeed({ isSave, shards, slotTable, folder, shard }: SnapshotDeed): number {
  const path = `${folder}/${snapshotPath(shard, SET)}`;
  const common = { threadId: threadIdOfJob(shard), progress: createJobProgress() };
  const ring = ringOf(new Uint16Array(slotTable));
  const plan = { path, shards: shards.length, ring, epoch: 1, set: SET, createdMs: systemClock.wallMs() };
  const outcome = isSave
    ? snapshotShardJob(
        { ...common, buffers: shards[shard], shard, plan, share: 1 },
        systemClock,
        () => undefined,
      )
    : loadSnapshotJob({ ...common, path, buffers: shards, slotTable, hasLog: false }, systemClock);
  if (!outcome.ok) throw new Error(outcome.text);
  return outcome.entries;
}
