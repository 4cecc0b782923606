/**
 * How many replicas of a slot there are, and how many have some change: what WAIT and `min-replicas-to-write` go by.
 *
 * Runs on the threads that execute commands, of nodes of a cluster only. Some loads for each replica of a slot.
 */
import { Buffer } from 'node:buffer';
import { readUint64, writeUint64 } from '../base/bytes.ts';
import { writeError } from '../resp/reply-writer.ts';
import { isSyncedTo, NO_NODE, ROLE_OWNER } from '../routing/node-table.ts';
import { acknowledgedLsn } from '../routing/replication-board.ts';
import { SLOT_COUNT } from '../routing/slot.ts';
import { LSN } from '../shard/layout.ts';
import type { Call } from './call.ts';
import type { ClusterView } from './cluster-view.ts';
import type { Engine } from './engine.ts';
import { isLeaseOver } from './fencing.ts';

const MS_PER_SECOND = 1000;
const LSN_BYTES = 8;

/** By shard: the latest change, as it is now. Without the locks: whoever asks has made its own changes before. */
export function currentLsns({ shards }: Engine): Float64Array {
  return Float64Array.from(shards, ({ numbers }) => numbers[LSN]);
}

/** As bytes, for another node: u64s. */
export function lsnsToBytes(lsns: Float64Array): Buffer {
  const bytes = Buffer.allocUnsafe(lsns.length * LSN_BYTES);
  for (let shard = 0; shard < lsns.length; shard += 1) writeUint64(bytes, shard * LSN_BYTES, lsns[shard]);
  return bytes;
}

/** Reads them; undefined where they are not so many. */
export function lsnsFrom(bytes: Buffer, shards: number): Float64Array | undefined {
  if (bytes.length !== shards * LSN_BYTES) return undefined;
  return Float64Array.from({ length: shards }, (_, shard) => readUint64(bytes, shard * LSN_BYTES));
}

/**
 * How many replicas have what the shards had at these LSNs: the least of these slots, or where there are none in the list, of all slots of
 * this node. -1 where one of them is not this node's. 0 behind the lease's end: a replica that knows of another owner passes over what
 * this node sends, and says that it has taken it.
 */
export function countReplicasOf(engine: Engine, slots: readonly number[], lsns: Float64Array): number {
  const { cluster } = engine;
  if (cluster === undefined || isLeaseOver(cluster)) return 0;
  let least = Infinity;
  for (const slot of slots) {
    if ((cluster.table.roles[slot] & ROLE_OWNER) === 0) return -1;
    least = Math.min(least, replicasOfSlotWith(engine, cluster, slot, lsns));
  }
  if (slots.length > 0) return least;
  for (let slot = 0; slot < SLOT_COUNT && least > 0; slot += 1) {
    if ((cluster.table.roles[slot] & ROLE_OWNER) === 0) continue;
    least = Math.min(least, replicasOfSlotWith(engine, cluster, slot, lsns));
  }
  return least === Infinity ? 0 : least;
}

function replicasOfSlotWith(
  { slotShard }: Engine,
  { table, board }: ClusterView,
  slot: number,
  lsns: Float64Array,
): number {
  if (board === undefined) return 0;
  const shard = slotShard[slot];
  let count = 0;
  for (const ranked of table.replicas) {
    const node = ranked[slot];
    if (node === NO_NODE || !isSyncedTo(table, node, slot)) continue;
    if (acknowledgedLsn(board, node, shard) >= lsns[shard]) count += 1;
  }
  return count;
}

/** Whether the slot may not be changed, because too few of its replicas are there and not too far behind; answers if so. */
export function lacksReplicas({ engine, reply }: Call, slot: number): boolean {
  const { cluster, config } = engine;
  if (config.minReplicasToWrite === 0 || config.minReplicasMaxLag === 0 || cluster === undefined)
    return false;
  if (
    countGoodReplicas(cluster, slot, config.minReplicasMaxLag * MS_PER_SECOND) >= config.minReplicasToWrite
  ) {
    return false;
  }
  writeError(reply, 'NOREPLICAS Not enough good replicas to write.');
  return true;
}

/** Replicas of a slot of this node that have it whole, and were heard of within so many ms. */
export function countGoodReplicas({ table, sharedMs }: ClusterView, slot: number, lagMsMax: number): number {
  const sinceMs = sharedMs() - lagMsMax;
  let count = 0;
  for (const ranked of table.replicas) {
    const node = ranked[slot];
    if (node !== NO_NODE && isSyncedTo(table, node, slot) && table.heardOfMs[node] >= sinceMs) count += 1;
  }
  return count;
}
