/**
 * From this node's copy of etcd's keys to all threads: the nodes over the bus, then the slots in shared memory, which name them.
 *
 * Main thread. Where the nodes have not changed, the slots are written at once, before the call returns: a slot that was given
 * away is given up in the same step in which that is known.
 */
import { type ClusterNode, TOPIC_CLUSTER_NODES } from '../commands/cluster-view.ts';
import { CLUSTER_NODES_TOLD_MS_MAX } from '../config/limits-cluster.ts';
import {
  countRole,
  forgetSynced,
  NO_NODE,
  type NodeTable,
  OWN_INDEX,
  ROLE_IMPORTING,
  ROLE_OWNER,
  ROLE_REPLICA,
} from '../routing/node-table.ts';
import { requestAll } from '../threads/bus.ts';
import type { Agent } from './agent-state.ts';
import { applyTopology } from './apply-topology.ts';
import type { ClusterState } from './membership.ts';
import type { TopologyNode } from './topology.ts';

/** Resolves when all threads go by the state as it was when this was called, or by a later one. Never rejects. */
export function applyState(agent: Agent): Promise<void> {
  agent.isApplyDue = true;
  if (agent.applying === undefined && sameNodes(nodesOf(agent.state), agent.nodes)) {
    agent.isApplyDue = false;
    writeTable(agent);
    return Promise.resolve();
  }
  agent.applying ??= applyInTurn(agent).finally(() => {
    agent.applying = undefined;
  });
  return agent.applying;
}

/** A thread that does not answer in time is on its way out, or is busy: it hears of the nodes all the same. */
async function applyInTurn(agent: Agent): Promise<void> {
  while (agent.isApplyDue) {
    agent.isApplyDue = false;
    const nodes = nodesOf(agent.state);
    if (!sameNodes(nodes, agent.nodes)) {
      forgetFormer(agent.options.view.table, agent.nodes, nodes);
      agent.nodes = nodes;
      await requestAll(agent.options.bus, TOPIC_CLUSTER_NODES, nodes, CLUSTER_NODES_TOLD_MS_MAX);
    }
    // Something else may have come meanwhile, with nodes that nobody was told of.
    if (sameNodes(nodesOf(agent.state), agent.nodes)) writeTable(agent);
    else agent.isApplyDue = true;
  }
}

/** Before threads hear of a node that has the index of another now: what is known of that one is not true of it. */
function forgetFormer(table: NodeTable, before: Agent['nodes'], after: Agent['nodes']): void {
  for (let index = 0; index < Math.max(before.length, after.length); index++) {
    if (before[index]?.id !== after[index]?.id) forgetSynced(table, index);
  }
}

function writeTable(agent: Agent): void {
  const { state, options } = agent;
  if (state.topology !== undefined) {
    applyTopology(options.view.table, state.topology, state.ownId, state.members);
    logEpoch(agent, state.topology.epoch);
  }
  for (const listener of agent.listeners) listener();
}

/** By index, with the addresses that those that are alive have said of themselves last. */
function nodesOf({ topology, members }: ClusterState): (ClusterNode | undefined)[] {
  const nodes: (ClusterNode | undefined)[] = [];
  for (const node of topology?.nodes ?? []) nodes[node.index] = describeNode(node, members);
  return Array.from(nodes);
}

function describeNode(node: TopologyNode, members: ClusterState['members']): ClusterNode {
  const { id, index, weight } = node;
  const member = members.get(id);
  const { host, port, tlsPort, httpPort } = member ?? node;
  return { id, index, host, port, tlsPort, httpPort, weight, isAlive: member !== undefined };
}

function sameNodes(a: Agent['nodes'], b: Agent['nodes']): boolean {
  return a.length === b.length && a.every((node, index) => sameNode(node, b[index]));
}

function sameNode(a: ClusterNode | undefined, b: ClusterNode | undefined): boolean {
  if (a === undefined || b === undefined) return a === b;
  const names = Object.keys(a) as (keyof ClusterNode)[];
  return names.every((name) => a[name] === b[name]);
}

/** One line for each epoch. */
function logEpoch(agent: Agent, epoch: number): void {
  if (agent.loggedEpoch === epoch) return;
  agent.loggedEpoch = epoch;
  const { table } = agent.options.view;
  const fields = {
    epoch,
    nodes: agent.nodes.filter((node) => node !== undefined).length,
    alive: agent.nodes.filter((node) => node?.isAlive).length,
    isMember: table.words[OWN_INDEX] !== NO_NODE,
    owned: countRole(table, ROLE_OWNER),
    replicas: countRole(table, ROLE_REPLICA),
    importing: countRole(table, ROLE_IMPORTING),
    moving: table.targets.filter((node) => node !== NO_NODE).length,
  };
  agent.options.log.notice('the cluster has a new topology', fields);
}
