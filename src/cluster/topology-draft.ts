/**
 * A topology in the making: a copy whose tables may be changed, slot by slot, until it is committed.
 *
 * Pure; whoever makes a draft owns it.
 */
import { Buffer } from 'node:buffer';
import { NO_NODE, NODES_MAX, REPLICAS_MAX } from '../routing/node-table.ts';
import type { Topology, TopologyNode } from './topology.ts';

/** The nodes are replaced as a whole, the tables written in place. */
export type TopologyDraft = Topology & { nodes: readonly TopologyNode[] };

/** A copy, of the same epoch: who commits it compares that with etcd's. */
export function draftTopology(topology: Topology): TopologyDraft {
  return {
    epoch: topology.epoch,
    nodes: topology.nodes,
    owners: topology.owners.slice(),
    replicas: topology.replicas.map((table) => table.slice()),
    targets: topology.targets.slice(),
  };
}

/** The indices of who holds replicas of the slot, or is to, by rank. */
export function replicasOf({ replicas }: Topology, slot: number): number[] {
  const found: number[] = [];
  for (const table of replicas) if (table[slot] !== NO_NODE) found.push(table[slot]);
  return found;
}

/** At most REPLICAS_MAX of them count. */
export function setReplicas(draft: TopologyDraft, slot: number, indices: readonly number[]): void {
  for (let rank = 0; rank < REPLICAS_MAX; rank++) draft.replicas[rank][slot] = indices[rank] ?? NO_NODE;
}

/** The slot has a new owner, which is neither its replica nor its target any more; nothing else changes. */
export function setOwner(draft: TopologyDraft, slot: number, owner: number): void {
  const others = replicasOf(draft, slot).filter((index) => index !== owner);
  draft.owners[slot] = owner;
  draft.targets[slot] = NO_NODE;
  setReplicas(draft, slot, owner === NO_NODE ? [] : others);
}

/**
 * The topology in which the slots belong to the node that was their target. Where there are replicas, who owned them becomes the first
 * one: as a rule the ring wants it there, and the coordinator takes out who is too many.
 */
export function handOverSlots(topology: Topology, slots: Iterable<number>, newOwner: number): Topology {
  const draft = draftTopology(topology);
  for (const slot of slots) {
    const oldOwner = draft.owners[slot];
    const hasReplicas = draft.replicas[0][slot] !== NO_NODE;
    setOwner(draft, slot, newOwner);
    if (hasReplicas) setReplicas(draft, slot, [oldOwner, ...replicasOf(draft, slot)]);
  }
  return draft;
}

/**
 * An index that no node has: the one behind the greatest, so that one which was given up is used again as late as possible.
 * Undefined where all are taken.
 */
export function freeIndex(nodes: readonly { readonly index: number }[]): number | undefined {
  const taken = new Set(nodes.map(({ index }) => index));
  const greatest = Math.max(-1, ...taken);
  for (let step = 1; step <= NODES_MAX; step++) {
    const index = (greatest + step) % NODES_MAX;
    if (!taken.has(index)) return index;
  }
  return undefined;
}

/** Whether the two say the same, whatever their epochs. */
export function isSameTopology(one: Topology, other: Topology): boolean {
  return (
    (one.nodes === other.nodes || JSON.stringify(one.nodes) === JSON.stringify(other.nodes)) &&
    isSameTable(one.owners, other.owners) &&
    isSameTable(one.targets, other.targets) &&
    one.replicas.every((table, rank) => isSameTable(table, other.replicas[rank]))
  );
}

function isSameTable(one: Uint8Array, other: Uint8Array): boolean {
  return Buffer.compare(one, other) === 0;
}
