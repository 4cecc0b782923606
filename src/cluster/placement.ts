/**
 * Where the ring wants each slot: the nodes in its order of preference. Pure.
 *
 * The first of the order is to own the slot, the next ones hold its replicas. The order without one node is the order of the ring
 * without it; so when a node dies, those who hold the replicas of its slots are those whom the ring wants as their owners then, and
 * they are all the other nodes, evenly. A node that joins stands before others and moves no slot between them.
 */
import { fillPreferenceTables } from '../routing/hash-ring.ts';
import { NO_NODE, REPLICAS_MAX } from '../routing/node-table.ts';
import { SLOT_COUNT } from '../routing/slot.ts';

/** One who can own slots. */
export type PlacedNode = { readonly id: string; readonly index: number; readonly weight: number };

/** By rank and then slot: the indices of nodes, or NO_NODE where there are fewer. */
export type Placement = readonly Uint8Array[];

/** As many as are looked at: besides the replicas, the owner that there is and the one that is to be. */
export const PREFERENCE_RANKS = REPLICAS_MAX + 2;

/** The placement over these nodes, of which there may be none. It depends on ids and weights alone. About 0.5 ms per node. */
export function placeSlots(nodes: readonly PlacedNode[]): Placement {
  const tables = Array.from({ length: PREFERENCE_RANKS }, () => new Uint16Array(SLOT_COUNT).fill(NO_NODE));
  fillPreferenceTables(nodes, tables);
  return tables.map((table, rank) => {
    const placed = new Uint8Array(SLOT_COUNT).fill(NO_NODE);
    if (rank < nodes.length)
      for (let slot = 0; slot < SLOT_COUNT; slot += 1) placed[slot] = nodes[table[slot]].index;
    return placed;
  });
}

/** `placeSlots` that remembers its last answer, since plans are made far more often than nodes come and go. */
export function createPlacer(): (nodes: readonly PlacedNode[]) => Placement {
  let placedFor = '';
  let placed = placeSlots([]);
  return (nodes) => {
    const wanted = nodes.map(({ id, index, weight }) => `${id} ${index} ${weight}`).join();
    if (wanted !== placedFor) {
      placed = placeSlots(nodes);
      placedFor = wanted;
    }
    return placed;
  };
}

/** The place of a node in a slot's order of preference; PREFERENCE_RANKS where it is not among the first. */
export function preferenceOf(placement: Placement, slot: number, index: number): number {
  let rank = 0;
  while (rank < PREFERENCE_RANKS && placement[rank][slot] !== index) rank += 1;
  return rank;
}
