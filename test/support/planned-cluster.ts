/**
 * A cluster that exists on paper, for tests of plans: nodes come, go, copy slots and hand them over, and each change of the
 * topology is judged as it is made.
 *
 * What a node has of a slot is told by the reign that it is of: a slot's reign begins with each new owner, and a copy of an
 * earlier one is worth nothing.
 */
import { createPlacer } from '../../src/cluster/placement.ts';
import { planStep } from '../../src/cluster/plan.ts';
import type { Plan, PlannedMember, ReplicaProgress } from '../../src/cluster/planning.ts';
import { createTopology, nodeOfId, type Topology, topologyDamage } from '../../src/cluster/topology.ts';
import { handOverSlots, replicasOf } from '../../src/cluster/topology-draft.ts';
import { NO_NODE } from '../../src/routing/node-table.ts';
import { SLOT_COUNT } from '../../src/routing/slot.ts';
import { nodeId } from './topologies.ts';

export type PlannedCluster = {
  topology: Topology;
  /** Alive ones by id. */
  readonly members: Map<string, PlannedMember>;
  readonly replicas: number;
  /** By slot: how many owners it has had. */
  readonly reigns: Int32Array;
  /** By index: the reigns of which the node has the slots whole; 0 for none. */
  readonly copies: Map<number, Int32Array>;
  /** By index: how far the node is with what it copies. */
  readonly lsns: Map<number, number>;
  /** Nodes that do not say what they have. */
  readonly silent: Set<number>;
  isSettled: boolean;
  goneForMs: number;
  readonly place: ReturnType<typeof createPlacer>;
};

const ONE_SHARD = new Uint16Array(SLOT_COUNT);

export function createPlannedCluster(replicas: number, nodes = 0): PlannedCluster {
  const cluster: PlannedCluster = {
    topology: createTopology(),
    members: new Map(),
    replicas,
    reigns: new Int32Array(SLOT_COUNT),
    copies: new Map(),
    lsns: new Map(),
    silent: new Set(),
    isSettled: true,
    goneForMs: 0,
    place: createPlacer(),
  };
  for (let number = 0; number < nodes; number++) join(cluster, number);
  if (nodes > 0) settle(cluster);
  return cluster;
}

export function join(cluster: PlannedCluster, number: number, change: Partial<PlannedMember> = {}): void {
  const id = nodeId(number);
  const member: PlannedMember = {
    ...{ id, weight: 100, host: `10.0.0.${number}`, port: 6379, tlsPort: 0, httpPort: 0, isLeaving: false },
    ...change,
  };
  cluster.members.set(id, member);
}

/** The lease ends; what the node has in memory stays there. */
export function pause(cluster: PlannedCluster, number: number): void {
  cluster.members.delete(nodeId(number));
}

/** The process ends: with it what it knew of its copies. */
export function kill(cluster: PlannedCluster, number: number): void {
  pause(cluster, number);
  const index = indexOf(cluster, number);
  if (index !== NO_NODE) cluster.copies.delete(index);
}

export function indexOf({ topology }: PlannedCluster, number: number): number {
  return nodeOfId(topology, nodeId(number))?.index ?? NO_NODE;
}

/** By index; looked up once where slots are gone through. */
function aliveIndices({ topology, members }: PlannedCluster): boolean[] {
  const isAliveAt = Array<boolean>(NO_NODE + 1).fill(false);
  for (const { id, index } of topology.nodes) isAliveAt[index] = members.has(id);
  return isAliveAt;
}

/** Makes a plan, and commits it. Throws where it does what must not be done. */
export function step(cluster: PlannedCluster): Plan {
  const plan = planOf(cluster);
  if (plan.next !== undefined) take(cluster, plan.next);
  return plan;
}

export function planOf(cluster: PlannedCluster): Plan {
  const answers = new Map<string, ReplicaProgress | undefined>();
  const ask = (replica: number, owner: number) => {
    const pair = `${replica} ${owner}`;
    if (!answers.has(pair)) answers.set(pair, progressOf(cluster, replica, owner));
    return answers.get(pair);
  };
  return planStep({
    topology: cluster.topology,
    members: cluster.members,
    replicas: cluster.replicas,
    isSettled: cluster.isSettled,
    goneForMs: () => cluster.goneForMs,
    progress: ask,
    place: cluster.place,
    shardsOfSlots: () => ONE_SHARD,
  });
}

/** All nodes that are to have a copy, and whose owners are alive, get it: of the slots that `has` names. */
export function copy(
  cluster: PlannedCluster,
  has: (slot: number, index: number) => boolean = () => true,
): void {
  const { topology, reigns } = cluster;
  const alive = aliveIndices(cluster);
  for (let slot = 0; slot < SLOT_COUNT; slot++) {
    if (!alive[topology.owners[slot]]) continue;
    for (const index of [...replicasOf(topology, slot), topology.targets[slot]]) {
      if (!alive[index] || !has(slot, index)) continue;
      copiesOf(cluster, index)[slot] = reigns[slot];
    }
  }
}

/** All owners hand over the slots whose targets have them whole, each pair by a change of its own. */
export function handOver(cluster: PlannedCluster, numbers?: readonly number[]): void {
  const { topology } = cluster;
  const alive = aliveIndices(cluster);
  const only = numbers?.map((number) => indexOf(cluster, number));
  const batches = new Map<string, { owner: number; target: number; slots: number[] }>();
  for (let slot = 0; slot < SLOT_COUNT; slot++) {
    const [owner, target] = [topology.owners[slot], topology.targets[slot]];
    const isReady = target !== NO_NODE && alive[owner] && isWhole(cluster, target, slot);
    if (!isReady || only?.includes(owner) === false) continue;
    const batch = batches.get(`${owner} ${target}`) ?? { owner, target, slots: [] };
    batches.set(`${owner} ${target}`, batch);
    batch.slots.push(slot);
  }
  for (const { target, slots } of batches.values())
    take(cluster, handOverSlots(cluster.topology, slots, target));
}

/** Plans, copies and hands over until there is nothing left to do; answers how many changes that took. */
export function settle(cluster: PlannedCluster, stepsMax = 200): number {
  for (let steps = 0; steps < stepsMax; steps++) {
    const { next, unfinishedSlots } = step(cluster);
    copy(cluster);
    handOver(cluster);
    if (next === undefined && unfinishedSlots === 0) return steps;
  }
  throw new Error(`the cluster is not settled after ${stepsMax} steps`);
}

/** How many nodes that are alive have the slot whole, the owner among them. */
export function wholeCopies(cluster: PlannedCluster, slot: number, alive = aliveIndices(cluster)): number {
  const { owners, replicas } = cluster.topology;
  let whole = alive[owners[slot]] ? 1 : 0;
  for (const table of replicas) if (alive[table[slot]] && isWhole(cluster, table[slot], slot)) whole += 1;
  return whole;
}

function isWhole(cluster: PlannedCluster, index: number, slot: number): boolean {
  return (
    cluster.topology.owners[slot] === index || cluster.copies.get(index)?.[slot] === cluster.reigns[slot]
  );
}

function progressOf(cluster: PlannedCluster, replica: number, owner: number): ReplicaProgress | undefined {
  if (cluster.silent.has(replica) || !aliveIndices(cluster)[replica]) return undefined;
  const isInSync = new Uint8Array(SLOT_COUNT);
  const { owners } = cluster.topology;
  const copies = copiesOf(cluster, replica);
  for (let slot = 0; slot < SLOT_COUNT; slot++)
    if (owners[slot] === owner && copies[slot] === cluster.reigns[slot]) isInSync[slot] = 1;
  return { isInSync, lsns: [cluster.lsns.get(replica) ?? 0] };
}

/** The next topology is in force, unless it breaks a promise. */
function take(cluster: PlannedCluster, next: Topology): void {
  const before = cluster.topology;
  const damage = topologyDamage(next);
  if (damage !== undefined) throw new Error(`the plan is damaged: ${damage}`);
  const aliveBefore = aliveIndices(cluster);
  const copiesBefore = new Uint8Array(SLOT_COUNT);
  for (let slot = 0; slot < SLOT_COUNT; slot++) copiesBefore[slot] = wholeCopies(cluster, slot, aliveBefore);
  cluster.topology = { ...next, epoch: before.epoch + 1 };
  const alive = aliveIndices(cluster);
  for (let slot = 0; slot < SLOT_COUNT; slot++) {
    const owner = next.owners[slot];
    if (owner !== before.owners[slot]) judgeOwner(cluster, slot, before.owners[slot], alive);
    else if (wholeCopies(cluster, slot, alive) < Math.min(copiesBefore[slot], cluster.replicas > 0 ? 2 : 1))
      throw new Error(`slot ${slot} loses its last copy`);
  }
}

function judgeOwner(
  cluster: PlannedCluster,
  slot: number,
  oldOwner: number,
  alive: readonly boolean[],
): void {
  const { topology, reigns } = cluster;
  const owner = topology.owners[slot];
  if (!alive[owner]) throw new Error(`slot ${slot} goes to ${owner}, which is gone`);
  if (oldOwner !== NO_NODE && copiesOf(cluster, owner)[slot] !== reigns[slot])
    throw new Error(`slot ${slot} goes to ${owner}, which does not have it whole`);
  reigns[slot] += 1;
}

function copiesOf(cluster: PlannedCluster, index: number): Int32Array {
  const copies = cluster.copies.get(index) ?? new Int32Array(SLOT_COUNT);
  cluster.copies.set(index, copies);
  return copies;
}
