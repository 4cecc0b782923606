/**
 * This node's part in its cluster: what runs on main for it is started in one list and stopped in the reverse list, both in this file.
 *
 * Main thread; loaded on nodes of a cluster only.
 */
import type { Check } from '../threads/readiness.ts';
import { startAgent, stopAgent } from './agent.ts';
import { type Agent, type AgentOptions, createAgent } from './agent-state.ts';
import { type AnnouncementOptions, checkClusterConfig, describeOwnNode } from './announcement.ts';
import { clusterCheck } from './cluster-check.ts';
import { startCoordination } from './coordination.ts';
import type { HandOverEngine } from './hand-over.ts';
import { startHandingOver } from './hand-over-part.ts';
import type { LinkEngine } from './peer-links.ts';
import { type PeerPings, startPings, stopPings } from './peer-pings.ts';

export type OwnNode = {
  readonly agent: Agent;
  /** Main's, for calls to other nodes. */
  readonly engine: LinkEngine & HandOverEngine;
  stopCoordination: () => void;
  stopHandingOver: () => void;
  pings: PeerPings | undefined;
  hasBegun: boolean;
};

type OwnNodeOptions = Omit<AgentOptions, 'record'> & AnnouncementOptions & Pick<OwnNode, 'engine'>;

/** Nothing is sent yet. Throws a StartError where the configuration or the file with the node's name cannot be used. */
export function createOwnNode(options: OwnNodeOptions): OwnNode {
  checkClusterConfig(options.config);
  const agent = createAgent({ ...options, record: describeOwnNode(options) });
  options.view.coordinatorId = () => agent.state.coordinator;
  return {
    agent,
    engine: options.engine,
    stopCoordination: () => undefined,
    stopHandingOver: () => undefined,
    pings: undefined,
    hasBegun: false,
  };
}

/** When the data is loaded and clients can come: begins to join, and returns at once. */
export function startOwnNode(node: OwnNode): void {
  node.hasBegun = true;
  node.stopCoordination = startCoordination(node.agent);
  node.stopHandingOver = startHandingOver(node.agent, node.engine);
  startAgent(node.agent);
  const { view } = node.agent.options;
  if (view.peers !== undefined) node.pings = startPings(node.engine, view, view.peers);
}

/** Gives up what this node owns, and lets others decide about it; within about so many ms. */
export async function stopOwnNode(node: OwnNode, leftMs: number): Promise<void> {
  node.stopCoordination();
  if (node.pings !== undefined) stopPings(node.pings);
  if (node.hasBegun) await stopAgent(node.agent, leftMs);
  node.stopHandingOver();
}

export function checkOwnNode(node: OwnNode): Check {
  if (node.hasBegun) return clusterCheck(node.agent);
  return { name: 'cluster', ok: false, reason: 'this node joins when its data is loaded' };
}
