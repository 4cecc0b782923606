/**
 * The hand-over's part of this node's cluster agent: what it needs of the topology, and who may ask for it. Main thread.
 */

import { pauseFor } from '../base/pause.ts';
import { TOPIC_CLUSTER_FAILOVER, TOPIC_CLUSTER_GIVE } from '../commands/cluster-topics.ts';
import { CLUSTER_GIVE_MS_MAX } from '../config/limits-cluster.ts';
import { NO_NODE, ROLE_REPLICA } from '../routing/node-table.ts';
import { SLOT_COUNT } from '../routing/slot.ts';
import { commitTopology } from './agent-commit.ts';
import type { Agent } from './agent-state.ts';
import {
  answerFences,
  type HandOver,
  type HandOverEngine,
  handOverReplicated,
  startHandOver,
  stopHandOver,
} from './hand-over.ts';
import { askPeer } from './peer-request.ts';

/** Begins to hand over what can be; returns what ends it. Before the node gives its lease back, others get what they have replicas of. */
export function startHandingOver(agent: Agent, engine: HandOverEngine): () => void {
  const { state, ending, options } = agent;
  const { view } = options;
  if (view.board === undefined) return () => undefined;
  answerFences(engine);
  const handOver = startHandOver({
    ...{ engine, cluster: view, board: view.board },
    topology: () => state.topology,
    commit: (next) => commitTopology(agent, next),
    pause: (ms) => pauseFor(ms, ending.signal),
  });
  agent.farewells.push(async () => {
    await handOverReplicated(handOver);
  });
  engine.bus.handle(TOPIC_CLUSTER_GIVE, (nodeId) => give(agent, handOver, nodeId as string));
  engine.bus.handle(TOPIC_CLUSTER_FAILOVER, () => askForSlots(agent));
  return () => stopHandOver(handOver);
}

/** Another node asks for the slots that it has replicas of. Resolves to an error for it, or ''. */
async function give({ options }: Agent, handOver: HandOver, nodeId: string): Promise<string> {
  const node = options.view.nodes.find((one) => one?.id === nodeId);
  if (node === undefined) return `ERR Unknown node ${nodeId}`;
  const hasGiven = await handOverReplicated(handOver, node.index);
  return hasGiven
    ? ''
    : 'ERR there is no slot here that this node has a whole replica of, or it could not be handed over';
}

/** Asks the owners of what this node has replicas of. Resolves to an error for the client, or ''. */
async function askForSlots({ options, state }: Agent): Promise<string> {
  const { view, config } = options;
  const owners = ownersOfReplicas(view.table);
  if (owners.length === 0) return 'ERR You should send CLUSTER FAILOVER to a replica';
  const words = ['CLUSTER', 'GIVE', state.ownId];
  const answers = await Promise.all(
    owners.map((index) => {
      const node = view.nodes[index];
      return node === undefined
        ? { problem: `node ${index} is not known` }
        : askPeer(node, config, state.ownId, words, CLUSTER_GIVE_MS_MAX);
    }),
  );
  const [problem] = answers.flatMap((answer) => answer.problem ?? []);
  return problem === undefined ? '' : `ERR ${problem}`;
}

function ownersOfReplicas({ roles, owners }: Agent['options']['view']['table']): number[] {
  const found = new Set<number>();
  for (let slot = 0; slot < SLOT_COUNT; slot += 1) {
    if ((roles[slot] & ROLE_REPLICA) !== 0 && owners[slot] !== NO_NODE) found.add(owners[slot]);
  }
  return [...found];
}
