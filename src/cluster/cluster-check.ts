/**
 * What the cluster has to say to whoever asks whether this node should get traffic. Main thread.
 */
import { countRole, IS_COVERED, LEASE_ENDS_MS, ROLE_OWNER, ROLE_REPLICA } from '../routing/node-table.ts';
import type { Check } from '../threads/readiness.ts';
import type { Agent } from './agent-state.ts';

const MS_PER_SECOND = 1000;

/** Well is a member whose lease is alive, in a cluster whose slots all have owners that are alive. */
export function clusterCheck(agent: Agent): Check {
  const reason = outReason(agent);
  if (reason !== '') return { name: 'cluster', ok: false, reason };
  return { name: 'cluster', ok: true, reason: '', detail: standing(agent) };
}

/** Why not, '' where it is well. */
function outReason({ options, registeredAt, trouble, state }: Agent): string {
  const { table } = options.view;
  const leftMs = table.numbers[LEASE_ENDS_MS] - options.sharedMs();
  if (registeredAt === 0) return `not a member of the cluster: ${trouble || 'joining'}`;
  if (leftMs <= 0) return `the lease has ended: ${trouble || 'joining'}`;
  if (state.topology === undefined) return 'no slot has been assigned yet';
  return table.words[IS_COVERED] === 1 ? '' : 'some slots have no owner that is alive';
}

function standing({ options, state, trouble }: Agent): string {
  const { table } = options.view;
  const leftMs = table.numbers[LEASE_ENDS_MS] - options.sharedMs();
  const parts = [
    `epoch ${state.topology?.epoch ?? 0}`,
    `${state.members.size} nodes`,
    `${countRole(table, ROLE_OWNER)} slots owned`,
    `${countRole(table, ROLE_REPLICA)} replicas`,
  ];
  // The lease is still alive: the node serves on, and its operator should look at etcd.
  if (trouble !== '') parts.push(`${trouble}; serves for another ${Math.ceil(leftMs / MS_PER_SECOND)} s`);
  return parts.join(', ');
}
