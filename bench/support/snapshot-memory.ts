/** What the threads of the snapshot cases must agree on. */
import type { MessagePort } from 'node:worker_threads';
import type { ShardBuffers } from '../../src/shard/shard.ts';

/** Words of the signal: the round that runs, and how many threads have finished it. -1 as the round ends the threads. */
export const SNAPSHOT_ROUND = 0;
export const SNAPSHOT_FINISHED = 1;
export const SNAPSHOT_SIGNAL_WORDS = 2;
export const SNAPSHOT_ROUND_LAST = -1;

/** One thread's part of a round: its shard is saved, or loaded from the file. All shards come with it. */
export type SnapshotDeed = {
  readonly isSave: boolean;
  readonly shards: readonly ShardBuffers[];
  readonly slotTable: SharedArrayBuffer;
  readonly folder: string;
  readonly shard: number;
};

export type SnapshotThreadBoot = { readonly signal: SharedArrayBuffer; readonly port: MessagePort };
