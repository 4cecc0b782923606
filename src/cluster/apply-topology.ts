/**
 * From the topology to the table that all threads read (routing/node-table.ts).
 *
 * Main thread, which alone writes these parts of the table. Owns no state.
 */
import {
  FAILOVERS,
  IS_COVERED,
  LEASE_ENDS_MS,
  NO_NODE,
  type NodeTable,
  OWN_INDEX,
  publishNodeTable,
  REPLICAS_MAX,
  ROLE_HANDING_OVER,
  ROLE_IMPORTING,
  ROLE_OWNER,
  ROLE_REPLICA,
  TOPOLOGY_EPOCH,
} from '../routing/node-table.ts';
import { SLOT_COUNT } from '../routing/slot.ts';
import { nodeOfId, type Topology } from './topology.ts';

/**
 * Makes the table that of the topology as the node `ownId` sees it. The threads must have been told of its nodes before. About 0.2 ms.
 *
 * What the node knows of a slot's replica here ends with the reign of the owner that it was copied from: the next time that this one
 * owns the slot the copy may be older than what happened between. What it is handing over it goes on handing over while the slot's target
 * is the same, or none, as when it is given to a replica: a topology that says otherwise has another epoch, at which the hand-over fails.
 */
export function applyTopology(
  table: NodeTable,
  topology: Topology,
  ownId: string,
  aliveIds: { has(id: string): boolean },
): void {
  const ownIndex = nodeOfId(topology, ownId)?.index ?? NO_NODE;
  const isAlive = new Uint8Array(NO_NODE + 1);
  for (const { id, index } of topology.nodes) isAlive[index] = aliveIds.has(id) ? 1 : 0;
  // This node hears that it was taken for gone when it is back, and is not admitted yet.
  const isOwnGone = table.numbers[LEASE_ENDS_MS] === 0;
  const isGone = (index: number) => isAlive[index] === 0 || (index === ownIndex && isOwnGone);
  let covered = 1;
  let failovers = 0;
  for (let slot = 0; slot < SLOT_COUNT; slot++) {
    const owner = topology.owners[slot];
    if (isAlive[owner] === 0) covered = 0;
    const roles = rolesOf(table, topology, ownIndex, slot);
    // A slot that goes is given up before others are named, one that comes is taken when they are.
    table.roles[slot] &= roles;
    const before = table.owners[slot];
    if (before !== owner) table.syncedFrom[slot] = NO_NODE;
    if (before !== owner && before !== NO_NODE && isGone(before)) {
      table.failovers[slot] += 1;
      failovers = 1;
    }
    table.owners[slot] = owner;
    for (let rank = 0; rank < REPLICAS_MAX; rank++)
      table.replicas[rank][slot] = topology.replicas[rank][slot];
    table.targets[slot] = topology.targets[slot];
    table.roles[slot] = roles;
  }
  table.words[OWN_INDEX] = ownIndex;
  table.words[IS_COVERED] = covered;
  table.words[FAILOVERS] += failovers;
  table.numbers[TOPOLOGY_EPOCH] = topology.epoch;
  publishNodeTable(table);
}

/** What the slot is to this node in the new topology; it compares with what the table still says of it. */
function rolesOf(table: NodeTable, topology: Topology, ownIndex: number, slot: number): number {
  if (ownIndex === NO_NODE) return 0;
  const target = topology.targets[slot];
  if (topology.owners[slot] === ownIndex) {
    const isSameTarget = table.targets[slot] === target;
    return ROLE_OWNER | (isSameTarget ? table.roles[slot] & ROLE_HANDING_OVER : 0);
  }
  let roles = target === ownIndex ? ROLE_IMPORTING : 0;
  for (const ranked of topology.replicas) if (ranked[slot] === ownIndex) roles |= ROLE_REPLICA;
  return roles;
}
