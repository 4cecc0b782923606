/**
 * CLUSTER INFO: how the cluster stands as this node sees it.
 *
 * Any thread.
 */

import { writeVerbatim } from '../resp/reply-writer.ts';
import { IS_COVERED, NO_NODE, OWN_INDEX, TOPOLOGY_EPOCH } from '../routing/node-table.ts';
import { SLOT_COUNT } from '../routing/slot.ts';
import type { Call } from './call.ts';
import { knownNodes } from './cluster-nodes.ts';
import type { ClusterView } from './cluster-view.ts';
import { isLeaseOver } from './fencing.ts';

/** The fields of redis-server 7.0.15. There is no bus between the nodes, hence there are no messages. */
export function replyClusterInfo({ engine, reply }: Call, cluster: ClusterView): void {
  const { table } = cluster;
  const { assigned, served, owners } = countSlots(cluster);
  const epoch = table.numbers[TOPOLOGY_EPOCH];
  const lines = [
    `cluster_state:${isServing(cluster, engine.config.clusterRequireFullCoverage) ? 'ok' : 'fail'}`,
    `cluster_slots_assigned:${assigned}`,
    `cluster_slots_ok:${served}`,
    'cluster_slots_pfail:0',
    `cluster_slots_fail:${assigned - served}`,
    `cluster_known_nodes:${knownNodes(cluster).length}`,
    `cluster_size:${owners}`,
    `cluster_current_epoch:${epoch}`,
    `cluster_my_epoch:${epoch}`,
    'cluster_stats_messages_sent:0',
    'cluster_stats_messages_received:0',
    'total_cluster_links_buffer_limit_exceeded:0',
  ];
  writeVerbatim(reply, 'txt', lines.map((line) => `${line}\r\n`).join(''));
}

/** Whether this node serves its slots, as far as the cluster is concerned: what is called cluster_state. */
export function isServing(cluster: ClusterView, requiresFullCoverage: boolean): boolean {
  const { words } = cluster.table;
  if (words[OWN_INDEX] === NO_NODE || isLeaseOver(cluster)) return false;
  return words[IS_COVERED] === 1 || !requiresFullCoverage;
}

/** Slots that have an owner; those whose owner is there; and how many owners there are. */
function countSlots({ table, nodes }: ClusterView): { assigned: number; served: number; owners: number } {
  const found = new Set<number>();
  let assigned = 0;
  let served = 0;
  for (let slot = 0; slot < SLOT_COUNT; slot += 1) {
    const owner = table.owners[slot];
    if (owner === NO_NODE) continue;
    found.add(owner);
    assigned += 1;
    if (nodes[owner]?.isAlive) served += 1;
  }
  return { assigned, served, owners: found.size };
}
