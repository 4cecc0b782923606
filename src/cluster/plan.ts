/**
 * What is to change next: from the topology as it is, and the nodes that are alive, to the next topology. Pure.
 *
 * The ring over the nodes that are alive and do not leave (placement.ts) says where each slot should be. A plan goes towards that
 * as far as is safe now, and whoever makes it makes another one when something has happened:
 *
 *   nodes      who registered is in the topology, with an index
 *   failover   a slot whose owner is gone goes to the replica that has it whole and is the most advanced (plan-failover.ts)
 *   layout     a slot that nobody has gets the owner that the ring wants
 *   replicas   who is to hold a copy; who has one goes on until the others have it (plan-replicas.ts)
 *   moves      a slot that the ring wants elsewhere gets a target, so many at a time (plan-moves.ts)
 *   farewell   who is gone, and nothing names, is forgotten
 *
 * All but the first two wait until the nodes have settled: several come together, and one that restarts is back soon.
 */
import { CLUSTER_GONE_NODE_MS } from '../config/limits-cluster.ts';
import { NO_NODE } from '../routing/node-table.ts';
import { SLOT_COUNT } from '../routing/slot.ts';
import type { PlacedNode } from './placement.ts';
import { failOver } from './plan-failover.ts';
import { planMoves } from './plan-moves.ts';
import { planReplicas } from './plan-replicas.ts';
import {
  type Plan,
  type PlanInput,
  type PlannedMember,
  type Planning,
  shortId,
  slotsText,
} from './planning.ts';
import { countSlots, type Topology, type TopologyNode } from './topology.ts';
import { draftTopology, freeIndex, isSameTopology, setOwner } from './topology-draft.ts';

/** The next step. Some 2 ms, and the ring's time when nodes have come or gone. */
export function planStep(input: PlanInput): Plan {
  const lines: string[] = [];
  const draft = draftTopology(input.topology);
  draft.nodes = describeNodes(draft.nodes, input.members, lines);
  const planning: Planning = {
    input,
    draft,
    isAlive: aliveIndices(draft, input.members),
    placement: input.place(placedNodes(draft, input.members)),
    lines,
    awaitedSlots: 0,
    lostSlots: 0,
    unfinishedSlots: 0,
  };
  failOver(planning);
  // Without a node that stays there is nowhere to go.
  if (input.isSettled && planning.placement[0][0] !== NO_NODE) {
    layOut(planning);
    planReplicas(planning);
    planMoves(planning);
    forgetGone(planning);
  }
  const { awaitedSlots, lostSlots, unfinishedSlots } = planning;
  const next = isSameTopology(draft, input.topology) ? undefined : draft;
  return { next, lines, awaitedSlots, lostSlots, unfinishedSlots };
}

/** The nodes with what the members now say of themselves, newcomers behind, as far as there are indices. */
function describeNodes(
  nodes: readonly TopologyNode[],
  members: PlanInput['members'],
  lines: string[],
): readonly TopologyNode[] {
  const described = nodes.map((node) => {
    const member = members.get(node.id);
    return member === undefined ? node : topologyNodeOf(member, node.index);
  });
  const known = new Set(nodes.map(({ id }) => id));
  const newcomers = [...members.values()].filter(({ id }) => !known.has(id)).sort(byId);
  for (const member of newcomers) {
    const index = freeIndex(described);
    if (index === undefined) lines.push(`node ${shortId(member.id)} cannot join: the cluster is full`);
    else {
      described.push(topologyNodeOf(member, index));
      lines.push(`node ${shortId(member.id)} at ${member.host}:${member.port} joins as number ${index}`);
    }
  }
  return described;
}

/** A member may be more than a node of the topology: only the fields of that, in one order. */
function topologyNodeOf(member: PlannedMember, index: number): TopologyNode {
  const { id, weight, host, port, tlsPort, httpPort, isLeaving } = member;
  return { id, index, weight, host, port, tlsPort, httpPort, isLeaving };
}

function byId(one: PlannedMember, other: PlannedMember): number {
  return one.id < other.id ? -1 : 1;
}

function aliveIndices({ nodes }: Topology, members: PlanInput['members']): Uint8Array {
  const isAlive = new Uint8Array(NO_NODE + 1);
  for (const { id, index } of nodes) isAlive[index] = members.has(id) ? 1 : 0;
  return isAlive;
}

/** Who may have slots. */
function placedNodes({ nodes }: Topology, members: PlanInput['members']): PlacedNode[] {
  return nodes.filter(({ id, isLeaving }) => members.has(id) && !isLeaving);
}

function layOut({ draft, placement, lines }: Planning): void {
  let count = 0;
  for (let slot = 0; slot < SLOT_COUNT; slot++) {
    if (draft.owners[slot] !== NO_NODE) continue;
    setOwner(draft, slot, placement[0][slot]);
    count += 1;
  }
  const nodes = new Set(placement[0]).size;
  if (count > 0)
    lines.push(
      `${slotsText(count)} that nobody had ${count === 1 ? 'is' : 'are'} laid out over ${nodes} nodes`,
    );
}

/** One that left is not waited for; another one may come back. */
function forgetGone({ input, draft, isAlive, lines }: Planning): void {
  const counts = [draft.owners, ...draft.replicas, draft.targets].map(countSlots);
  const isToGo = ({ index, isLeaving }: TopologyNode) =>
    isAlive[index] === 0 &&
    counts.every((count) => count[index] === 0) &&
    (isLeaving || input.goneForMs(index) >= CLUSTER_GONE_NODE_MS);
  for (const node of draft.nodes.filter(isToGo)) {
    lines.push(
      `node ${shortId(node.id)} is ${node.isLeaving ? 'gone as it wanted' : 'forgotten'}: it has no slots`,
    );
  }
  draft.nodes = draft.nodes.filter((node) => !isToGo(node));
}
