/**
 * The memory of the shards, and the table that says which shard a slot belongs to: made once, at start, by main.
 *
 * Owns no state. Both belong to the process and survive any worker.
 */
import type { Clock } from '../base/clock.ts';
import type { Config } from '../config/config.ts';
import { fillSlotTable, type RingOwner } from '../routing/hash-ring.ts';
import { SLOT_COUNT } from '../routing/slot.ts';
import { policyNumber } from '../shard/policy.ts';
import { createShardBuffers, formatShard, openShard, type ShardBuffers } from '../shard/shard.ts';
import { keysMaxOf, shareOf } from '../shard/shares.ts';
import { MAIN_THREAD_ID } from './boot.ts';

/** Reserves and formats so many shards. The kernel commits the memory as it is used. */
export function createShards(
  config: Config,
  shards: number,
  clock: Clock,
  seed: () => number,
): ShardBuffers[] {
  return Array.from({ length: shards }, (_, index) => {
    const buffers = createShardBuffers({
      capacityBytes: shareOf(config.maxmemoryReserved, shards, index),
      limitBytes: shareOf(config.maxmemory, shards, index),
      keysMax: keysMaxOf(config.maxkeys, shards, index),
      policy: policyNumber(config.maxmemoryPolicy),
      databases: config.databases,
      lfuLogFactor: config.lfuLogFactor,
      lfuDecayMinutes: config.lfuDecayTime,
      holdSampling: config.lockHoldSampling,
      hashKey: [seed(), seed()],
      seed: seed(),
      nowMs: clock.wallMs(),
      countsSlots: config.clusterEnabled,
      backlogBytes: config.clusterEnabled ? shareOf(config.replBacklogSize, shards, index) : undefined,
    });
    formatShard(openShard(buffers, index, MAIN_THREAD_ID, clock), clock.wallMs());
    return buffers;
  });
}

/** The slot table: the hash ring over `count` shards, in shared memory. */
export function createSlotTable(count: number): SharedArrayBuffer {
  const owners: RingOwner[] = Array.from({ length: count }, (_, index) => ({ id: `shard-${index}` }));
  const table = new SharedArrayBuffer(SLOT_COUNT * Uint16Array.BYTES_PER_ELEMENT);
  fillSlotTable(owners, new Uint16Array(table));
  return table;
}
