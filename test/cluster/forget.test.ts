/** Tests of giving up a node: who gets its slots, and when it is refused. */
import { describe, expect, test } from 'vitest';
import { forgetNode } from '../../src/cluster/forget.ts';
import { topologyDamage } from '../../src/cluster/topology.ts';
import { replicasOf } from '../../src/cluster/topology-draft.ts';
import { NO_NODE } from '../../src/routing/node-table.ts';
import { SLOT_COUNT } from '../../src/routing/slot.ts';
import { createPlannedCluster, join, kill, pause } from '../support/planned-cluster.ts';
import { nodeId } from '../support/topologies.ts';

describe('a node that is given up', () => {
  test('leaves its slots to who was to hold copies, or else to whom the ring wants', () => {
    const cluster = createPlannedCluster(1, 3);
    const before = cluster.topology;
    const index = before.nodes.find(({ id }) => id === nodeId(1))?.index ?? NO_NODE;
    // Half of its slots have no replica.
    for (let slot = 0; slot < SLOT_COUNT; slot += 2)
      if (before.owners[slot] === index) before.replicas[0][slot] = NO_NODE;
    kill(cluster, 1);
    const { topology } = forgetNode(before, cluster.members, nodeId(1));
    if (topology === undefined) throw new Error('it is forgotten');
    expect(topologyDamage(topology)).toBe(undefined);
    expect(topology.nodes).toHaveLength(2);
    for (let slot = 0; slot < SLOT_COUNT; slot++) {
      if (before.owners[slot] !== index) expect(topology.owners[slot]).toBe(before.owners[slot]);
      else if (slot % 2 === 1) expect(topology.owners[slot]).toBe(before.replicas[0][slot]);
      expect([topology.owners[slot], topology.targets[slot], ...replicasOf(topology, slot)]).not.toContain(
        index,
      );
    }
  });

  test('has to be known and gone, and not the last one', () => {
    const cluster = createPlannedCluster(1, 2);
    const { topology, members } = cluster;
    expect(forgetNode(topology, members, nodeId(9))).toEqual({ problem: `Unknown node ${nodeId(9)}` });
    expect(forgetNode(topology, members, nodeId(1)).problem).toContain('The node is alive');
    pause(cluster, 0);
    pause(cluster, 1);
    expect(forgetNode(topology, members, nodeId(1))).toEqual({ problem: 'There is no other node' });
  });

  test('leaves its slots to nodes that stay, and to those that leave only if there are no others', () => {
    const cluster = createPlannedCluster(0, 3);
    const { topology } = cluster;
    kill(cluster, 1);
    join(cluster, 2, { isLeaving: true });
    topology.nodes.forEach((node) => {
      if (node.id === nodeId(2)) Object.assign(node, { isLeaving: true });
    });
    const index = (number: number) => topology.nodes.find(({ id }) => id === nodeId(number))?.index;
    const forgotten = forgetNode(topology, cluster.members, nodeId(1)).topology;
    const heirs = new Set(
      [...topology.owners].flatMap((owner, slot) =>
        owner === index(1) ? (forgotten?.owners[slot] ?? NO_NODE) : [],
      ),
    );
    expect(heirs).toEqual(new Set([index(0)]));
    kill(cluster, 0);
    expect(forgetNode(topology, cluster.members, nodeId(1)).topology?.nodes).toHaveLength(2);
  });
});
