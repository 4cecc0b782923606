/**
 * Changes of the cluster's keys by this node: each one transaction that says what must not have changed meanwhile.
 *
 * Main thread. A new topology takes the place of the very epoch that it was made from, is written by a registered node only, and
 * takes slots only from the writer itself or from nodes that are not registered: whoever is owner elsewhere and alive stays it. What the
 * writer gives of its own goes to nodes that are still registered as it knows them: one that has started anew may have nothing of it.
 */
import { EtcdError } from '../base/errors.ts';
import { pauseFor } from '../base/pause.ts';
import { CLUSTER_JOIN_PAUSE_MS } from '../config/limits-cluster.ts';
import { NO_NODE } from '../routing/node-table.ts';
import { applyState } from './agent-apply.ts';
import type { Agent } from './agent-state.ts';
import { commit, type EtcdCompare, getPrefix } from './etcd.ts';
import { type ClusterState, type NodeRecord, takeTopology } from './membership.ts';
import { encodeTopology, nodeAt, nodeOfId, type Topology } from './topology.ts';

/**
 * Puts `next` in the place of the topology that it was made from, which is the one of `next.epoch`. With the guard 'coordinator',
 * only while this node is it. Resolves to whether that was done, and in force here; false: the topology has changed, or this node's
 * standing has, and `state` knows or will soon. As long as it is in doubt whether it was done it tries to find out, however long
 * etcd is away; once the agent stops it resolves to false. Never rejects.
 */
export async function commitTopology(agent: Agent, next: Topology, guard?: 'coordinator'): Promise<boolean> {
  const { state, etcd } = agent;
  if (agent.registeredAt === 0 || next.epoch !== (state.topology?.epoch ?? 0)) return false;
  if (heirs(state, next).some((id) => !state.members.has(id))) return false;
  const compare = comparesFor(agent, next, guard);
  const text = encodeTopology(next);
  const { topology: key } = state.keys;
  for (let isInDoubt = false; !agent.ending.signal.aborted; ) {
    try {
      const { succeeded, revision } = await commit(etcd, { compare, success: [{ put: key, value: text }] });
      if (succeeded) return adopt(agent, next, revision);
      // Of two tries only one can find the epoch as it was: that may have been the first.
      return isInDoubt ? await adoptPresent(agent, next, text) : false;
    } catch (error) {
      if (!(error instanceof EtcdError)) throw error;
      agent.options.log.warning(`a change of the topology did not go through: ${error.message}`);
      if (error.outcome === 'unknown') isInDoubt = true;
      if (!isInDoubt) return false;
      await pauseFor(CLUSTER_JOIN_PAUSE_MS, agent.ending.signal);
    }
  }
  return false;
}

/** Registers other things about this node, under the same lease; false: it is not registered, or etcd cannot be reached now. */
export async function changeRecord(agent: Agent, change: Partial<NodeRecord>): Promise<boolean> {
  const { state, lease, etcd } = agent;
  if (agent.registeredAt === 0) return false;
  const key = state.keys.nodes + state.ownId;
  const record = { ...agent.record, ...change };
  try {
    const { succeeded } = await commit(etcd, {
      compare: [{ key, createRevision: agent.registeredAt }],
      success: [{ put: key, value: JSON.stringify(record), lease: lease.id }],
    });
    if (succeeded) agent.record = record;
    return succeeded;
  } catch (error) {
    if (!(error instanceof EtcdError)) throw error;
    agent.options.log.warning(`etcd did not take what this node says of itself: ${error.message}`);
    return false;
  }
}

function comparesFor(agent: Agent, next: Topology, guard: 'coordinator' | undefined): EtcdCompare[] {
  const { state, registeredAt } = agent;
  const { keys, ownId } = state;
  return [
    next.epoch === 0
      ? { key: keys.topology, createRevision: 0 }
      : { key: keys.topology, modRevision: next.epoch },
    { key: keys.nodes + ownId, createRevision: registeredAt },
    ...(guard === 'coordinator' ? [{ key: keys.coordinator, value: ownId }] : []),
    ...losers(state.topology, next)
      .filter((id) => id !== ownId)
      .map((id) => ({ key: keys.nodes + id, createRevision: 0 })),
    ...heirs(state, next).map((id) => ({
      key: keys.nodes + id,
      createRevision: state.members.get(id)?.registeredAt ?? 0,
    })),
  ];
}

/** The ids of the nodes that own fewer slots than before, in that some of theirs have another owner or none. */
function losers(before: Topology | undefined, next: Topology): string[] {
  if (before === undefined) return [];
  const indices = new Set<number>();
  for (let slot = 0; slot < next.owners.length; slot++) {
    const owner = before.owners[slot];
    if (owner !== NO_NODE && owner !== next.owners[slot]) indices.add(owner);
  }
  return [...indices].flatMap((index) => nodeAt(before, index)?.id ?? []);
}

/** The ids of the nodes that get slots of this node. */
function heirs({ topology: before, ownId }: ClusterState, next: Topology): string[] {
  const own = before === undefined ? undefined : nodeOfId(before, ownId)?.index;
  if (before === undefined || own === undefined) return [];
  const indices = new Set<number>();
  for (let slot = 0; slot < next.owners.length; slot++) {
    if (before.owners[slot] === own && next.owners[slot] !== own) indices.add(next.owners[slot]);
  }
  return [...indices].flatMap((index) => nodeAt(next, index)?.id ?? []);
}

async function adopt(agent: Agent, next: Topology, revision: number): Promise<boolean> {
  const { state } = agent;
  if (state.topology === undefined || state.topology.epoch < revision) {
    state.topology = { ...next, epoch: revision };
    await applyState(agent);
  }
  // The watch may have been faster, and what it brought be on its way to the threads.
  await agent.applying;
  return true;
}

/**
 * Whether it is `next` that etcd has. If not, something may have come behind it, by which this node has to go before it takes
 * itself for the owner of what it wanted to give away. Rejects where etcd cannot be read.
 */
async function adoptPresent(agent: Agent, next: Topology, text: string): Promise<boolean> {
  const { etcd, state, options } = agent;
  const { topology: key } = state.keys;
  const { values } = await getPrefix(etcd, key);
  const present = values.find((value) => value.key === key);
  if (present === undefined) return false;
  if (present.value === text) return adopt(agent, next, present.modRevision);
  takeTopology(state, present.value, present.modRevision, options.log);
  await applyState(agent);
  return false;
}
