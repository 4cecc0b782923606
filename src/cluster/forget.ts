/**
 * Giving up a node that does not come back, with what only it had. Pure; because an operator says so.
 */
import { NO_NODE } from '../routing/node-table.ts';
import { SLOT_COUNT } from '../routing/slot.ts';
import { placeSlots } from './placement.ts';
import type { PlanInput } from './planning.ts';
import { nodeOfId, type Topology } from './topology.ts';
import { draftTopology, replicasOf, setOwner, setReplicas } from './topology-draft.ts';

/** The topology without the node, or in words why not. */
export type Forgotten =
  | { readonly topology: Topology; readonly problem?: undefined }
  | { readonly topology?: undefined; readonly problem: string };

/**
 * Gives the slots of a node that is gone to others, of whom none has them whole: to one who was to hold a copy, and may have part
 * of it or an old one, else to the one that the ring wants, and there they are empty.
 */
export function forgetNode(topology: Topology, members: PlanInput['members'], id: string): Forgotten {
  const node = nodeOfId(topology, id);
  if (node === undefined) return { problem: `Unknown node ${id}` };
  if (members.has(id)) return { problem: 'The node is alive: CLUSTER LEAVE takes its slots from it' };
  const present = topology.nodes.filter((other) => members.has(other.id));
  const staying = present.filter(({ isLeaving }) => !isLeaving);
  const heirs = placeSlots(staying.length > 0 ? staying : present)[0];
  if (heirs[0] === NO_NODE) return { problem: 'There is no other node' };
  const draft = draftTopology(topology);
  const isPresent = new Uint8Array(NO_NODE + 1);
  for (const { index } of present) isPresent[index] = 1;
  for (let slot = 0; slot < SLOT_COUNT; slot++) {
    if (draft.owners[slot] === node.index) {
      const holder = replicasOf(draft, slot).find((index) => isPresent[index] === 1);
      setOwner(draft, slot, holder ?? heirs[slot]);
    }
    setReplicas(
      draft,
      slot,
      replicasOf(draft, slot).filter((index) => index !== node.index),
    );
    if (draft.targets[slot] === node.index) draft.targets[slot] = NO_NODE;
  }
  draft.nodes = draft.nodes.filter((other) => other !== node);
  return { topology: draft };
}
