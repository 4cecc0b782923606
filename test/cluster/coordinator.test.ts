/** Tests of the coordinator: when it acts and when it waits, whom it asks, and what it does when others are faster or silent. */
import { describe, expect, test } from 'vitest';
import { stopCoordinator } from '../../src/cluster/coordinator.ts';
import { countSlots, nodeOfId } from '../../src/cluster/topology.ts';
import {
  CLUSTER_CANDIDATES_MS,
  CLUSTER_LOOK_MS,
  CLUSTER_LOOK_MS_URGENT,
  CLUSTER_RESIGNED_MS,
  CLUSTER_SETTLE_MS,
  CLUSTER_SETTLE_MS_MAX,
  CLUSTER_UNHEARD_MS,
} from '../../src/config/limits-cluster.ts';
import { NO_NODE } from '../../src/routing/node-table.ts';
import { SLOT_COUNT } from '../../src/routing/slot.ts';
import { type CoordinatorWorld, createCoordinatorWorld } from '../support/coordinator-world.ts';
import { nodeId } from '../support/topologies.ts';

/** Slots that belong to the node with this number. */
function ownedBy({ state }: CoordinatorWorld, number: number): number {
  if (state.topology === undefined) return 0;
  const index = nodeOfId(state.topology, nodeId(number))?.index ?? NO_NODE;
  return index === NO_NODE ? 0 : countSlots(state.topology.owners)[index];
}

/** Nodes 0 to `nodes` - 1, laid out and settled. */
async function settledWorld(nodes: number, replicas = 1): Promise<CoordinatorWorld> {
  const world = createCoordinatorWorld(replicas);
  world.join(...Array.from({ length: nodes }, (_, number) => number));
  await world.wake();
  await world.advance(CLUSTER_SETTLE_MS_MAX);
  expect(ownedBy(world, 0)).toBeGreaterThan(0);
  for (const list of [world.lines, world.questions, world.commits]) list.length = 0;
  return world;
}

describe('the office', () => {
  test('is taken by a member when there is no coordinator', async () => {
    const world = createCoordinatorWorld();
    await world.wake();
    expect(world.state.coordinator).toBe(nodeId(0));
    expect(world.lines[0]).toBe('this node is the coordinator of the cluster now');
  });

  test('is not wanted by a node that is not registered', async () => {
    const world = createCoordinatorWorld();
    world.isMember = false;
    await world.wake();
    await world.advance(10 * CLUSTER_LOOK_MS);
    expect(world.campaigns).toBe(0);
    world.isMember = true;
    await world.advance(CLUSTER_LOOK_MS);
    expect(world.state.coordinator).toBe(nodeId(0));
  });

  test('belongs to whom etcd says: the others change nothing', async () => {
    const world = createCoordinatorWorld();
    world.state.coordinator = nodeId(1);
    world.join(1, 2);
    await world.wake();
    await world.advance(10 * CLUSTER_LOOK_MS);
    expect([world.campaigns, world.commits.length, world.questions.length]).toEqual([0, 0, 0]);
    world.state.coordinator = '';
    await world.wake();
    expect(ownedBy(world, 0)).toBeGreaterThan(0);
  });
});

describe('a new cluster', () => {
  test('has all nodes in the topology at once, and is laid out when none has come for a second', async () => {
    const world = createCoordinatorWorld();
    await world.wake();
    await world.advance(CLUSTER_SETTLE_MS - 1);
    world.join(1);
    await world.wake();
    world.join(2);
    await world.wake();
    expect(world.state.topology?.nodes).toHaveLength(3);
    await world.advance(CLUSTER_SETTLE_MS - 1);
    expect(ownedBy(world, 0)).toBe(0);
    await world.advance(1);
    for (const number of [0, 1, 2]) expect(ownedBy(world, number)).toBeGreaterThan(SLOT_COUNT / 4);
    expect(world.commits).toHaveLength(4);
  });

  test('is laid out after three seconds even if nodes go on coming', async () => {
    const world = createCoordinatorWorld();
    await world.wake();
    for (let ms = 0; ms < CLUSTER_SETTLE_MS_MAX; ms += CLUSTER_SETTLE_MS / 2) {
      expect(ownedBy(world, 0)).toBe(0);
      world.join(1 + ms / 500);
      await world.wake();
      await world.advance(CLUSTER_SETTLE_MS / 2);
    }
    expect(ownedBy(world, 0)).toBeGreaterThan(0);
  });
});

describe('when a node is gone', () => {
  test('its slots have other owners in the same moment, without waiting for the nodes to settle', async () => {
    const world = await settledWorld(3);
    world.go(1);
    await world.wake();
    expect(ownedBy(world, 1)).toBe(0);
    expect(world.questions.toSorted()).toEqual(['0 of 1', '2 of 1']);
    expect(world.commits).toHaveLength(1);
    expect(world.lines[0]).toMatch(/^failover: node .{8} is gone, \d+ slots of it go to/);
    expect(world.looksAtMs - world.nowMs).toBeLessThanOrEqual(CLUSTER_SETTLE_MS);
  });

  test('new replicas are made a second later, unless it is back by then', async () => {
    const world = await settledWorld(4);
    const before = countSlots(world.state.topology?.replicas[0] ?? new Uint8Array());
    world.go(1);
    await world.wake();
    const index = nodeOfId(world.state.topology as never, nodeId(1))?.index ?? NO_NODE;
    const failedOver = world.state.topology;
    await world.advance(CLUSTER_SETTLE_MS - 1);
    expect(world.state.topology).toBe(failedOver);
    expect(before[index]).toBeGreaterThan(0);
    await world.advance(1);
    expect(countSlots(world.state.topology?.replicas[0] ?? new Uint8Array())[index]).toBe(0);
  });

  test('a replica that is silent is waited for, but not longer than a second, and others’ slots do not wait', async () => {
    const world = await settledWorld(3);
    const owned = ownedBy(world, 1);
    world.silent.add(2);
    world.go(1);
    await world.wake();
    const waiting = ownedBy(world, 1);
    expect(waiting).toBeGreaterThan(0);
    expect(waiting).toBeLessThan(owned);
    expect(world.looksAtMs - world.nowMs).toBe(CLUSTER_LOOK_MS_URGENT);
    world.silent.delete(2);
    await world.advance(CLUSTER_LOOK_MS_URGENT);
    expect(ownedBy(world, 1)).toBe(0);
  });

  test('of several replicas one that is silent is done without after a second', async () => {
    const world = await settledWorld(3, 2);
    world.silent.add(2);
    world.go(1);
    await world.wake();
    expect(ownedBy(world, 1)).toBeGreaterThan(0);
    await world.advance(CLUSTER_CANDIDATES_MS - CLUSTER_LOOK_MS_URGENT);
    expect(ownedBy(world, 1)).toBeGreaterThan(0);
    await world.advance(CLUSTER_LOOK_MS_URGENT);
    expect(ownedBy(world, 1)).toBe(0);
  });

  test('slots of which nobody has a whole copy are told of once, and once when they are back', async () => {
    const world = await settledWorld(2, 0);
    const owned = ownedBy(world, 1);
    world.go(1);
    await world.wake();
    await world.advance(10 * CLUSTER_LOOK_MS);
    expect(world.lines).toEqual([
      `${owned} slots cannot be served: the owner is gone, and nobody else has a whole copy. They wait until it is back; 'distcache cluster forget' gives them up`,
    ]);
    world.join(1);
    await world.wake();
    expect(world.lines.slice(1)).toEqual(['every slot has an owner that is alive again']);
  });
});

describe('a commit', () => {
  test('that somebody else was faster than is planned again from what there is then', async () => {
    const world = await settledWorld(3);
    const { onCommit } = world;
    world.onCommit = () => {
      world.onCommit = onCommit;
      // A hand-over came between.
      if (world.state.topology !== undefined)
        world.state.topology = { ...world.state.topology, epoch: world.state.topology.epoch + 1 };
      return false;
    };
    world.go(1);
    await world.wake();
    expect(world.commits).toEqual([]);
    expect(world.lines).toEqual([]);
    await world.advance(CLUSTER_LOOK_MS_URGENT);
    expect(ownedBy(world, 1)).toBe(0);
    expect(world.lines).toHaveLength(1);
  });

  test('is followed by the next step at once, until there is nothing to do', async () => {
    const world = await settledWorld(3);
    world.join(3);
    await world.wake();
    await world.advance(CLUSTER_SETTLE_MS);
    expect(world.commits.length).toBeGreaterThanOrEqual(2);
    const commits = world.commits.length;
    await world.advance(CLUSTER_LOOK_MS);
    expect(world.commits).toHaveLength(commits);
  });
});

describe('a coordinator that hears of nobody', () => {
  test('makes room for another one, and does not come back at once', async () => {
    const world = await settledWorld(4);
    for (const number of [1, 2, 3]) world.silent.add(number);
    world.go(1);
    await world.wake();
    await world.advance(CLUSTER_UNHEARD_MS);
    expect(world.state.coordinator).toBe('');
    expect(world.lines.at(-1)).toContain('this node stops being the coordinator');
    const { campaigns } = world;
    await world.advance(CLUSTER_RESIGNED_MS - CLUSTER_LOOK_MS);
    expect(world.campaigns).toBe(campaigns);
    await world.advance(2 * CLUSTER_LOOK_MS);
    expect(world.campaigns).toBe(campaigns + 1);
  });

  test('stays while others answer, and while no slot waits', async () => {
    const world = await settledWorld(4);
    world.silent.add(2);
    world.hollow.add(3);
    world.go(1);
    await world.wake();
    await world.advance(10 * CLUSTER_UNHEARD_MS);
    expect(world.state.coordinator).toBe(nodeId(0));
    const calm = await settledWorld(3);
    for (const number of [1, 2, 3]) calm.silent.add(number);
    calm.join(3);
    await calm.wake();
    await calm.advance(10 * CLUSTER_UNHEARD_MS);
    expect(calm.state.coordinator).toBe(nodeId(0));
  });
});

describe('looking around', () => {
  test('is done once at a time, and once more for what changes meanwhile', async () => {
    const world = await settledWorld(3);
    world.go(1);
    const first = world.wake();
    world.join(5);
    expect(world.wake()).toBe(first);
    await first;
    expect(world.state.topology?.nodes).toHaveLength(4);
    expect(ownedBy(world, 1)).toBe(0);
  });

  test('ends when it is stopped', async () => {
    const world = await settledWorld(3);
    stopCoordinator(world.coordinator);
    world.go(1);
    await world.wake();
    await world.advance(10 * CLUSTER_LOOK_MS);
    expect(world.commits).toEqual([]);
  });
});
