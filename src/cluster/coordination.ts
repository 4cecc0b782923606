/**
 * The coordinator's part of this node's cluster agent: what the coordinator needs of etcd and of the other nodes, and what
 * operators ask for (CLUSTER LEAVE, CLUSTER FORGET). Main thread.
 */
import { Buffer } from 'node:buffer';
import { EtcdError } from '../base/errors.ts';
import { pauseFor } from '../base/pause.ts';
import {
  type ReplicaProgressAnswer,
  TOPIC_CLUSTER_FORGET,
  TOPIC_CLUSTER_LEAVE,
  TOPIC_REPLICA_PROGRESS,
} from '../commands/cluster-topics.ts';
import { SHARDS_MAX } from '../config/limits.ts';
import { CLUSTER_LOOK_MS_URGENT, CLUSTER_PROGRESS_MS_MAX } from '../config/limits-cluster.ts';
import type { ReplyValue } from '../resp/reply-value.ts';
import { SLOT_COUNT } from '../routing/slot.ts';
import { handleTopic, requestAll } from '../threads/bus.ts';
import { createSlotTable } from '../threads/shards.ts';
import { changeRecord, commitTopology } from './agent-commit.ts';
import type { Agent } from './agent-state.ts';
import { type Coordinator, createCoordinator, stopCoordinator, wakeCoordinator } from './coordinator.ts';
import { commit } from './etcd.ts';
import { forgetNode } from './forget.ts';
import { askPeer } from './peer-request.ts';
import type { ReplicaProgress } from './planning.ts';
import { decodeNumbers, hasSlotBit, SLOT_BITS_BYTES } from './replication-frames.ts';
import { createTopology } from './topology.ts';

const FORGET_TRIES = 10;

/** That of a node that has no replica of the other's slots. */
const NOTHING: ReplicaProgress = { isInSync: new Uint8Array(SLOT_COUNT), lsns: [] };

/** Begins to coordinate as soon as the node is a member, if nobody else does; returns what ends it. */
export function startCoordination(agent: Agent): () => void {
  const { options, state } = agent;
  const coordinator = createCoordinator({
    state,
    log: options.log,
    replicas: options.config.clusterReplicas,
    sharedMs: options.sharedMs,
    isMember: () => agent.registeredAt > 0 && options.sharedMs() >= agent.plansFromMs,
    campaign: () => campaign(agent),
    resign: () => resign(agent),
    commit: (next) => commitTopology(agent, next, 'coordinator'),
    askProgress: (replicaId, ownerId) => askProgress(agent, replicaId, ownerId),
    shardsOfSlots: rememberShards(),
    schedule: (ms, deed) => {
      const timer = setTimeout(deed, ms).unref();
      return () => clearTimeout(timer);
    },
  });
  agent.listeners.push(() => void wakeCoordinator(coordinator));
  agent.farewells.push(async () => void (await changeRecord(agent, { isStopping: true })));
  handleTopic<null>(options.bus, TOPIC_CLUSTER_LEAVE, () => leave(agent));
  handleTopic<string>(options.bus, TOPIC_CLUSTER_FORGET, (id) => forget(agent, coordinator, id));
  return () => stopCoordinator(coordinator);
}

/** Only where there is no coordinator, and only as long as this node is registered as it is now. */
async function campaign(agent: Agent): Promise<boolean> {
  const { etcd, state, lease, registeredAt } = agent;
  const { keys, ownId } = state;
  const isOurs = await changes(agent, () =>
    commit(etcd, {
      compare: [
        { key: keys.coordinator, createRevision: 0 },
        { key: keys.nodes + ownId, createRevision: registeredAt },
      ],
      success: [{ put: keys.coordinator, value: ownId, lease: lease.id }],
    }),
  );
  if (isOurs) state.coordinator = ownId;
  return isOurs;
}

async function resign(agent: Agent): Promise<void> {
  const { keys, ownId } = agent.state;
  await changes(agent, () =>
    commit(agent.etcd, {
      compare: [{ key: keys.coordinator, value: ownId }],
      success: [{ remove: keys.coordinator }],
    }),
  );
}

/** Whether a transaction was carried out; where etcd does not say, the watch will. */
async function changes(agent: Agent, deed: () => Promise<{ readonly succeeded: boolean }>): Promise<boolean> {
  try {
    return (await deed()).succeeded;
  } catch (error) {
    if (!(error instanceof EtcdError)) throw error;
    agent.options.log.warning(`the coordinator's key could not be changed: ${error.message}`);
    return false;
  }
}

/** This node asks itself as well, over the bus. */
async function askProgress(
  { options, state }: Agent,
  replicaId: string,
  ownerId: string,
): Promise<ReplicaProgress | undefined> {
  const { config, bus } = options;
  if (replicaId === state.ownId) {
    const topic = TOPIC_REPLICA_PROGRESS;
    const answers = await requestAll<ReplicaProgressAnswer | undefined>(
      bus,
      topic,
      ownerId,
      CLUSTER_PROGRESS_MS_MAX,
    );
    const known = answers.find((answer) => answer !== undefined);
    return known === undefined ? NOTHING : progressOf(known.slotBits, known.lsns);
  }
  const member = state.members.get(replicaId);
  if (member === undefined) return undefined;
  const words = ['CLUSTER', 'REPLICA-PROGRESS', ownerId];
  const { reply } = await askPeer(member, config, state.ownId, words, CLUSTER_PROGRESS_MS_MAX);
  return reply === undefined ? undefined : readProgress(reply);
}

/** What CLUSTER REPLICA-PROGRESS answers: nil for nothing, else the slots that are whole, as bits, and the LSNs of the owner's shards. */
export function readProgress(reply: ReplyValue): ReplicaProgress | undefined {
  if (reply === null) return NOTHING;
  if (!Array.isArray(reply)) return undefined;
  const [bits, numbers] = reply as readonly ReplyValue[];
  if (!Buffer.isBuffer(bits) || bits.length !== SLOT_BITS_BYTES || !Buffer.isBuffer(numbers))
    return undefined;
  const lsns = decodeNumbers(numbers, 0, numbers.length);
  return lsns === undefined || lsns.length > SHARDS_MAX ? undefined : progressOf(bits, lsns);
}

/** Who has not heard of the owner yet knows none of its shards, and has nothing whole. */
function progressOf(slotBits: Uint8Array, lsns: Float64Array): ReplicaProgress {
  if (lsns.length === 0) return NOTHING;
  const isInSync = new Uint8Array(SLOT_COUNT);
  for (let slot = 0; slot < SLOT_COUNT; slot++) if (hasSlotBit(slotBits, 0, slot)) isInSync[slot] = 1;
  return { isInSync, lsns: [...lsns] };
}

/** Of the number of shards that was asked for last: one owner goes at a time, as a rule. */
function rememberShards(): (shards: number) => Uint16Array {
  let shards = 0;
  let table: Uint16Array = new Uint16Array(SLOT_COUNT);
  return (wanted) => {
    if (wanted !== shards) table = new Uint16Array(createSlotTable(wanted));
    shards = wanted;
    return table;
  };
}

/** Resolves to an error for the client; '': the node is registered as one that leaves. */
async function leave(agent: Agent): Promise<string> {
  const { members, ownId } = agent.state;
  const others = [...members.values()].filter(({ id, isLeaving }) => id !== ownId && !isLeaving);
  if (others.length === 0) return 'ERR there is no other node that could take the slots of this one';
  return (await changeRecord(agent, { isLeaving: true }))
    ? ''
    : 'ERR etcd cannot be told now that this node leaves; try again';
}

/** Resolves to an error for the client, or ''. Others may change the topology at the same time. */
async function forget(agent: Agent, coordinator: Coordinator, id: string): Promise<string> {
  const { state, options, ending } = agent;
  for (let triesLeft = FORGET_TRIES; triesLeft > 0; triesLeft -= 1) {
    const forgotten = forgetNode(state.topology ?? createTopology(), state.members, id);
    if (forgotten.problem !== undefined) return `ERR ${forgotten.problem}`;
    if (await commitTopology(agent, forgotten.topology)) {
      options.log.warning(`node ${id} is given up, with what only it had: an operator said so`);
      await wakeCoordinator(coordinator);
      return '';
    }
    await pauseFor(CLUSTER_LOOK_MS_URGENT, ending.signal);
  }
  return 'TRYAGAIN the topology is changing just now, or etcd cannot be reached';
}
