/**
 * Keeps this node's copy of the cluster's keys: a watch from the revision on that was read, and a new reading where etcd does not
 * have that revision any more. Main thread.
 */
import { EtcdError } from '../base/errors.ts';
import { pauseFor } from '../base/pause.ts';
import { CLUSTER_JOIN_PAUSE_MS } from '../config/limits-cluster.ts';
import { applyState } from './agent-apply.ts';
import type { Agent } from './agent-state.ts';
import { type EtcdValue, getPrefix } from './etcd.ts';
import { type EtcdEvent, watchPrefix } from './etcd-watch.ts';
import { suspendLease } from './lease.ts';
import { takeEvents, takeValues } from './membership.ts';
import type { Topology } from './topology.ts';

/** Takes in everything as it was at a revision, and what comes behind it. */
export function followFrom(agent: Agent, values: readonly EtcdValue[], revision: number): void {
  const { etcd, state, options } = agent;
  agent.endWatch();
  takeValues(state, values, revision, options.log);
  agent.endWatch = watchPrefix(etcd, state.keys.prefix, revision + 1, {
    onEvents: (events) => hear(agent, events),
    onLost: () => void readAgain(agent),
    onStanding: (stands, reason) => {
      agent.isWatching = stands;
      if (!stands) options.log.warning(`the watch of etcd broke off and is being opened anew: ${reason}`);
    },
  });
}

function hear(agent: Agent, events: readonly EtcdEvent[]): void {
  const { state, options } = agent;
  takeEvents(state, events, options.log);
  suspendIfUnlisted(agent);
  void applyState(agent);
}

/** The lease ended, or somebody removed the key: whichever, others may take this node for dead. */
function suspendIfUnlisted(agent: Agent): void {
  const { state, options } = agent;
  if (agent.registeredAt === 0 || state.members.has(state.ownId)) return;
  agent.registeredAt = 0;
  suspendLease(agent.lease);
  options.log.warning('etcd does not list this node any more: it registers again');
  agent.wake();
}

/** Until it succeeds, or the agent has joined anew, or stops. */
async function readAgain(agent: Agent): Promise<void> {
  const { etcd, state, options } = agent;
  options.log.notice('etcd has compacted what this node has not seen yet: everything is read again');
  const ending = new AbortController();
  agent.isWatching = false;
  agent.endWatch = () => ending.abort();
  while (!ending.signal.aborted) {
    try {
      const { values, revision } = await getPrefix(etcd, state.keys.prefix, ending.signal);
      if (ending.signal.aborted) return;
      const { topology } = state;
      followFrom(agent, values, revision);
      keepNewer(agent, topology, revision);
      suspendIfUnlisted(agent);
      await applyState(agent);
      return;
    } catch (error) {
      if (!(error instanceof EtcdError)) throw error;
      options.log.warning(`etcd cannot be read: ${error.message}`);
      await pauseFor(CLUSTER_JOIN_PAUSE_MS, ending.signal);
    }
  }
}

/** This node may have written a topology while the reading was on its way. */
function keepNewer({ state }: Agent, topology: Topology | undefined, revision: number): void {
  if (topology !== undefined && topology.epoch > revision) state.topology = topology;
}
