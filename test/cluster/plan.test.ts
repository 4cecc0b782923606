/** Tests of plans: each step by itself, then whole lives of clusters in which anything happens in any order. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { placeSlots } from '../../src/cluster/placement.ts';
import { planStep } from '../../src/cluster/plan.ts';
import type { Plan, PlanInput } from '../../src/cluster/planning.ts';
import { countSlots, type Topology } from '../../src/cluster/topology.ts';
import { replicasOf } from '../../src/cluster/topology-draft.ts';
import {
  CLUSTER_GONE_NODE_MS,
  CLUSTER_MOVES_MAX,
  CLUSTER_PAIR_MOVES_MAX,
} from '../../src/config/limits-cluster.ts';
import { NO_NODE } from '../../src/routing/node-table.ts';
import { SLOT_COUNT } from '../../src/routing/slot.ts';
import {
  copy,
  createPlannedCluster,
  handOver,
  indexOf,
  join,
  kill,
  type PlannedCluster,
  pause,
  planOf,
  settle,
  step,
  wholeCopies,
} from '../support/planned-cluster.ts';
import { nodeId } from '../support/topologies.ts';

/** Slots in which two topologies have different owners. */
function movedSlots(before: Topology, after: Topology): number[] {
  return slotsWhere((slot) => before.owners[slot] !== after.owners[slot]);
}

function slotsWhere(holds: (slot: number) => boolean): number[] {
  return Array.from({ length: SLOT_COUNT }, (_, slot) => slot).filter(holds);
}

/** Whether owners and replicas are where the ring wants them, and nothing is on its way. */
function expectAsTheRingWants(cluster: PlannedCluster): void {
  const { topology, members } = cluster;
  const placed = topology.nodes.filter(({ id }) => members.has(id) && members.get(id)?.isLeaving === false);
  const placement = placeSlots(placed);
  expect(topology.owners).toEqual(placement[0]);
  expect(countSlots(topology.targets)[NO_NODE]).toBe(SLOT_COUNT);
  const others = Math.min(cluster.replicas, placed.length - 1);
  const isOther = (slot: number) => {
    const wanted = placement.slice(1, 1 + others).map((table) => table[slot]);
    return replicasOf(topology, slot).sort().join() !== wanted.sort().join();
  };
  expect(slotsWhere(isOther)).toEqual([]);
}

const PARITIES = Uint16Array.from({ length: SLOT_COUNT }, (_, slot) => slot % 2);

/** A plan in which two shards are told apart by the parity of the slot. */
function planStepWith(cluster: PlannedCluster, progress: PlanInput['progress']): Plan {
  return planStep({
    ...{ topology: cluster.topology, members: cluster.members, replicas: cluster.replicas },
    ...{ isSettled: true, goneForMs: () => 0, place: cluster.place, progress },
    shardsOfSlots: () => PARITIES,
  });
}

describe('a new cluster', () => {
  test('is laid out in one step as the ring wants it, replicas and all', () => {
    const cluster = createPlannedCluster(1);
    for (const number of [0, 1, 2]) join(cluster, number);
    const { lines } = step(cluster);
    expect(lines.at(-2)).toBe('16384 slots that nobody had are laid out over 3 nodes');
    expectAsTheRingWants(cluster);
    copy(cluster);
    expect(planOf(cluster)).toMatchObject({ next: undefined, lines: [], unfinishedSlots: 0 });
  });

  test('has its nodes in the topology at once, and slots when they have settled', () => {
    const cluster = createPlannedCluster(1);
    cluster.isSettled = false;
    for (const number of [0, 1]) join(cluster, number);
    expect(step(cluster).lines).toEqual([
      expect.stringMatching(/^node [0-9a-f]{8} at 10\.0\.0\.[01]:6379 joins as number 0$/),
      expect.stringMatching(/^node [0-9a-f]{8} at 10\.0\.0\.[01]:6379 joins as number 1$/),
    ]);
    expect(countSlots(cluster.topology.owners)[NO_NODE]).toBe(SLOT_COUNT);
    expect(planOf(cluster).next).toBe(undefined);
    cluster.isSettled = true;
    step(cluster);
    expectAsTheRingWants(cluster);
  });

  test('of one node has it all, and no replicas', () => {
    expectAsTheRingWants(createPlannedCluster(3, 1));
  });

  test('without nodes, or of nodes that all leave, has no plan', () => {
    const cluster = createPlannedCluster(1);
    expect(planOf(cluster).next).toBe(undefined);
    join(cluster, 0, { isLeaving: true });
    step(cluster);
    expect(planOf(cluster).next).toBe(undefined);
    expect(countSlots(cluster.topology.owners)[NO_NODE]).toBe(SLOT_COUNT);
  });

  test('has as many replicas as are wanted, as far as there are nodes', () => {
    for (const replicas of [0, 1, 2, 3]) {
      for (const nodes of [1, 2, 3, 4, 6]) {
        const { topology } = createPlannedCluster(replicas, nodes);
        const counts = new Set(slotsWhere(() => true).map((slot) => replicasOf(topology, slot).length));
        expect([...counts], `${replicas} of ${nodes}`).toEqual([Math.min(replicas, nodes - 1)]);
      }
    }
  });

  test('takes no more nodes than there are indices', () => {
    const cluster = createPlannedCluster(1);
    for (let number = 0; number < 257; number++) join(cluster, number);
    const { lines } = step(cluster);
    expect(lines.filter((line) => line.endsWith('cannot join: the cluster is full'))).toHaveLength(2);
    expect(cluster.topology.nodes).toHaveLength(255);
  });
});

describe('a node that is gone', () => {
  test('is followed by its replicas in the first step, and by no one else', () => {
    const cluster = createPlannedCluster(1, 3);
    const before = cluster.topology;
    const gone = indexOf(cluster, 1);
    kill(cluster, 1);
    cluster.isSettled = false;
    const { lines } = step(cluster);
    expect(lines).toHaveLength(1);
    expect(lines[0]).toMatch(
      /^failover: node [0-9a-f]{8} is gone, \d+ slots of it go to [0-9a-f]{8} \(\d+\), [0-9a-f]{8} \(\d+\)$/,
    );
    const heirs = before.owners.map((owner, slot) => (owner === gone ? before.replicas[0][slot] : owner));
    expect(cluster.topology.owners).toEqual(heirs);
  });

  test('leaves no data to be moved: the ring wants its slots where they are', () => {
    const cluster = createPlannedCluster(1, 5);
    kill(cluster, 2);
    step(cluster);
    const after = cluster.topology;
    settle(cluster);
    expect(movedSlots(after, cluster.topology)).toEqual([]);
    expectAsTheRingWants(cluster);
  });

  test('is followed by the most advanced of its replicas, and by the ring’s favourite among equals', () => {
    for (const ahead of [undefined, 0, 2, 3]) {
      const cluster = createPlannedCluster(3, 4);
      const before = cluster.topology;
      const gone = indexOf(cluster, 1);
      if (ahead !== undefined) cluster.lsns.set(indexOf(cluster, ahead), 7);
      kill(cluster, 1);
      step(cluster);
      const heir = ahead === undefined ? undefined : indexOf(cluster, ahead);
      const isOther = (slot: number) => cluster.topology.owners[slot] !== (heir ?? before.replicas[0][slot]);
      expect(slotsWhere((slot) => before.owners[slot] === gone && isOther(slot))).toEqual([]);
    }
  });

  test('is compared by the shard in which each slot was', () => {
    const cluster = createPlannedCluster(2, 3);
    const gone = indexOf(cluster, 0);
    const [one, other] = [indexOf(cluster, 1), indexOf(cluster, 2)];
    kill(cluster, 0);
    const isInSync = new Uint8Array(SLOT_COUNT).fill(1);
    const { next } = planStepWith(cluster, (replica) => ({
      isInSync,
      lsns: replica === one ? [9, 1] : [1, 9],
    }));
    const isOther = (slot: number) => next?.owners[slot] !== (slot % 2 === 0 ? one : other);
    expect(slotsWhere((slot) => cluster.topology.owners[slot] === gone && isOther(slot))).toEqual([]);
  });

  test('keeps the slots of which nobody has a whole copy, and gets them back when it returns', () => {
    const cluster = createPlannedCluster(1, 3);
    const before = cluster.topology;
    for (const number of [0, 2]) cluster.copies.delete(indexOf(cluster, number));
    kill(cluster, 1);
    const plan = step(cluster);
    expect(plan.lostSlots).toBe(countSlots(before.owners)[indexOf(cluster, 1)]);
    expect(movedSlots(before, cluster.topology)).toEqual([]);
    settle(cluster);
    expect(movedSlots(before, cluster.topology)).toEqual([]);
    join(cluster, 1);
    expect(step(cluster).lostSlots).toBe(0);
    settle(cluster);
    expectAsTheRingWants(cluster);
  });

  test('is not followed while an answer is awaited that may be better', () => {
    const cluster = createPlannedCluster(2, 3);
    kill(cluster, 0);
    const owned = countSlots(cluster.topology.owners)[indexOf(cluster, 0)];
    const late = indexOf(cluster, 2);
    const isInSync = new Uint8Array(SLOT_COUNT).fill(1);
    const awaited = planStepWith(cluster, (replica) =>
      replica === late ? 'awaited' : { isInSync, lsns: [1, 1] },
    );
    expect(awaited.awaitedSlots).toBe(owned);
    expect(movedSlots(cluster.topology, awaited.next ?? cluster.topology)).toEqual([]);
    const silent = planStepWith(cluster, (replica) =>
      replica === late ? undefined : { isInSync, lsns: [1, 1] },
    );
    expect(silent.awaitedSlots).toBe(0);
    expect(movedSlots(cluster.topology, silent.next ?? cluster.topology)).toHaveLength(owned);
  });

  test('is followed by a slot’s target where that has it whole', () => {
    const cluster = createPlannedCluster(0, 2);
    join(cluster, 2);
    step(cluster);
    copy(cluster);
    const before = cluster.topology;
    const gone = indexOf(cluster, 0);
    kill(cluster, 0);
    step(cluster);
    const heirOf = (slot: number) => (before.targets[slot] === NO_NODE ? gone : before.targets[slot]);
    const isOther = (slot: number) => cluster.topology.owners[slot] !== heirOf(slot);
    expect(slotsWhere((slot) => before.owners[slot] === gone && isOther(slot))).toEqual([]);
  });

  test('is never forgotten while a slot is its own', () => {
    const cluster = createPlannedCluster(0, 2);
    kill(cluster, 1);
    cluster.goneForMs = 2 * CLUSTER_GONE_NODE_MS;
    step(cluster);
    expect(cluster.topology.nodes).toHaveLength(2);
    for (const node of cluster.topology.nodes) Object.assign(node, { isLeaving: true });
    step(cluster);
    expect(cluster.topology.nodes).toHaveLength(2);
  });

  test('stays known for an hour, and keeps its index for when it returns', () => {
    const cluster = createPlannedCluster(1, 3);
    const index = indexOf(cluster, 1);
    kill(cluster, 1);
    cluster.goneForMs = CLUSTER_GONE_NODE_MS - 1;
    settle(cluster);
    join(cluster, 1);
    settle(cluster);
    expect(indexOf(cluster, 1)).toBe(index);
    kill(cluster, 1);
    cluster.goneForMs = CLUSTER_GONE_NODE_MS;
    settle(cluster);
    expect(indexOf(cluster, 1)).toBe(NO_NODE);
    join(cluster, 7);
    settle(cluster);
    expect(indexOf(cluster, 7)).toBe(3);
  });
});

describe('a node that joins', () => {
  test('gets about its share, and nothing moves between the others', () => {
    const cluster = createPlannedCluster(1, 3);
    const before = cluster.topology;
    join(cluster, 3);
    settle(cluster);
    const moved = movedSlots(before, cluster.topology);
    expect(new Set(moved.map((slot) => cluster.topology.owners[slot]))).toEqual(new Set([3]));
    expect(Math.abs(moved.length - SLOT_COUNT / 4)).toBeLessThan(0.1 * (SLOT_COUNT / 4));
    expectAsTheRingWants(cluster);
  });

  test('gets so many slots at a time from each node and from all', () => {
    const cluster = createPlannedCluster(1, 1);
    join(cluster, 1);
    step(cluster);
    expect(countSlots(cluster.topology.targets)[indexOf(cluster, 1)]).toBe(CLUSTER_PAIR_MOVES_MAX);
    const wide = createPlannedCluster(0, 9);
    join(wide, 9);
    const { lines, unfinishedSlots } = step(wide);
    expect(SLOT_COUNT - countSlots(wide.topology.targets)[NO_NODE]).toBe(
      Math.min(CLUSTER_MOVES_MAX, unfinishedSlots),
    );
    expect(lines.filter((line) => /^moves: \d+ slots from .{8} to .{8} begin$/.test(line))).toHaveLength(9);
  });

  test('gets the next ones when half of those are done', () => {
    const cluster = createPlannedCluster(0, 1);
    join(cluster, 1);
    step(cluster);
    const begun = slotsWhere((slot) => cluster.topology.targets[slot] !== NO_NODE);
    const early = new Set(begun.slice(0, CLUSTER_PAIR_MOVES_MAX / 2 - 1));
    copy(cluster, (slot) => early.has(slot));
    handOver(cluster);
    expect(planOf(cluster).next).toBe(undefined);
    copy(cluster, (slot) => slot === begun[CLUSTER_PAIR_MOVES_MAX / 2]);
    handOver(cluster);
    step(cluster);
    expect(SLOT_COUNT - countSlots(cluster.topology.targets)[NO_NODE]).toBe(CLUSTER_PAIR_MOVES_MAX);
  });

  test('takes the place of a replica only when it has what that has', () => {
    const cluster = createPlannedCluster(1, 3);
    const before = cluster.topology;
    join(cluster, 3);
    step(cluster);
    const added = slotsWhere((slot) => replicasOf(cluster.topology, slot).includes(3));
    expect(added.length).toBeGreaterThan(0);
    for (const slot of added)
      expect(replicasOf(cluster.topology, slot)).toEqual([3, before.replicas[0][slot]]);
    const half = new Set(added.slice(0, added.length / 2));
    copy(cluster, (slot) => half.has(slot));
    step(cluster);
    for (const slot of added)
      expect(replicasOf(cluster.topology, slot)).toEqual(
        half.has(slot) ? [3] : [3, before.replicas[0][slot]],
      );
  });

  test('gets nothing while it is about to stop', () => {
    const cluster = createPlannedCluster(1, 2);
    join(cluster, 2, { isStopping: true });
    step(cluster);
    expect(countSlots(cluster.topology.targets)[NO_NODE]).toBe(SLOT_COUNT);
  });

  test('and is gone again gives the others back what was to be its own', () => {
    const cluster = createPlannedCluster(1, 3);
    const before = cluster.topology;
    join(cluster, 3);
    step(cluster);
    kill(cluster, 3);
    const { lines } = step(cluster);
    expect(lines).toContainEqual(expect.stringMatching(/^moves: \d+ slots stay where they are/));
    settle(cluster);
    expect(cluster.topology.owners).toEqual(before.owners);
    expect(cluster.topology.replicas).toEqual(before.replicas);
  });

  test('under another weight moves slots to or from it alone', () => {
    const cluster = createPlannedCluster(1, 3);
    const before = cluster.topology;
    join(cluster, 1, { weight: 300 });
    settle(cluster);
    expect(
      new Set(movedSlots(before, cluster.topology).map((slot) => cluster.topology.owners[slot])),
    ).toEqual(new Set([indexOf(cluster, 1)]));
    const heavy = cluster.topology;
    join(cluster, 1, { weight: 50 });
    settle(cluster);
    expect(new Set(movedSlots(heavy, cluster.topology).map((slot) => heavy.owners[slot]))).toEqual(
      new Set([indexOf(cluster, 1)]),
    );
    expectAsTheRingWants(cluster);
  });
});

describe('a node that leaves', () => {
  test('loses all that it has, keeps serving it until then, and is forgotten when it is gone', () => {
    const cluster = createPlannedCluster(1, 3);
    const leaving = indexOf(cluster, 1);
    join(cluster, 1, { isLeaving: true });
    step(cluster);
    expect(cluster.topology.nodes[leaving].isLeaving).toBe(true);
    expect(countSlots(cluster.topology.owners)[leaving]).toBeGreaterThan(0);
    settle(cluster);
    for (const table of [cluster.topology.owners, ...cluster.topology.replicas])
      expect(countSlots(table)[leaving]).toBe(0);
    expectAsTheRingWants(cluster);
    kill(cluster, 1);
    const { lines } = step(cluster);
    expect(lines).toEqual([`node ${nodeId(1).slice(0, 8)} is gone as it wanted: it has no slots`]);
    expect(indexOf(cluster, 1)).toBe(NO_NODE);
  });

  test('moves its slots to who has their replicas, and they stay replicas until then', () => {
    const cluster = createPlannedCluster(1, 4);
    const before = cluster.topology;
    const leaving = indexOf(cluster, 2);
    join(cluster, 2, { isLeaving: true });
    step(cluster);
    for (const slot of slotsWhere((each) => before.owners[each] === leaving)) {
      expect(replicasOf(cluster.topology, slot)).toEqual(replicasOf(before, slot));
      expect([NO_NODE, before.replicas[0][slot]]).toContain(cluster.topology.targets[slot]);
    }
  });

  test('and changes its mind keeps what it still has', () => {
    const cluster = createPlannedCluster(1, 3);
    join(cluster, 1, { isLeaving: true });
    step(cluster);
    copy(cluster);
    handOver(cluster);
    join(cluster, 1);
    settle(cluster);
    expectAsTheRingWants(cluster);
  });
});

describe('a replica', () => {
  test('that does not say how far it is stays until all that are wanted have whole copies', () => {
    const cluster = createPlannedCluster(1, 3);
    const before = cluster.topology;
    join(cluster, 3);
    step(cluster);
    for (const number of [0, 1, 2]) cluster.silent.add(indexOf(cluster, number));
    const added = slotsWhere((slot) => replicasOf(cluster.topology, slot).includes(3));
    step(cluster);
    for (const slot of added) expect(replicasOf(cluster.topology, slot)).toContain(before.replicas[0][slot]);
    copy(cluster);
    step(cluster);
    for (const slot of added) expect(replicasOf(cluster.topology, slot)).toEqual([3]);
  });

  test('of three is kept when the ring wants three others', () => {
    const cluster = createPlannedCluster(3, 4);
    for (const number of [4, 5, 6, 7, 8, 9]) join(cluster, number);
    step(cluster);
    expect(slotsWhere((slot) => wholeCopies(cluster, slot) < 2)).toEqual([]);
    settle(cluster);
    expectAsTheRingWants(cluster);
  });
});

describe('any life of a cluster', () => {
  test('keeps its promises at each step, and ends as the ring wants when all nodes are back', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: 3 }),
        fc.array(anyEvent, { maxLength: 16 }),
        (replicas, events) => {
          const cluster = createPlannedCluster(replicas, 3);
          for (const event of events) happen(cluster, event);
          cluster.isSettled = true;
          cluster.silent.clear();
          for (const { id } of cluster.topology.nodes) {
            const number = NUMBERS.find((each) => nodeId(each) === id) ?? 0;
            if (!cluster.members.has(id)) join(cluster, number);
          }
          settle(cluster);
          expectAsTheRingWants(cluster);
        },
      ),
      { numRuns: 12 },
    );
  }, 60_000);
});

const NUMBERS = [0, 1, 2, 3, 4, 5];

/** What may happen to a cluster; each deed has the number of a node, and a number of its own. */
const DEEDS: Record<string, (cluster: PlannedCluster, number: number, salt: number) => void> = {
  join: (cluster, number) => join(cluster, number),
  leave: (cluster, number) => change(cluster, number, { isLeaving: true }),
  weigh: (cluster, number, salt) => change(cluster, number, { weight: 1 + salt }),
  kill: (cluster, number) => void (cluster.members.size > 1 && kill(cluster, number)),
  pause: (cluster, number) => void (cluster.members.size > 1 && pause(cluster, number)),
  silence: (cluster, number) => void cluster.silent.add(number),
  speak: (cluster) => cluster.silent.clear(),
  unsettle: (cluster) => void Object.assign(cluster, { isSettled: !cluster.isSettled }),
  plan: (cluster) => void step(cluster),
  planAgain: (cluster) => void step(cluster),
  copy: (cluster) => copy(cluster),
  copySome: (cluster, _, salt) => copy(cluster, (slot, index) => Math.imul(slot + salt, index + 3) % 3 === 0),
  handOver: (cluster) => handOver(cluster),
  handOverOne: (cluster, number) => handOver(cluster, [number]),
  turn: (cluster) => {
    step(cluster);
    copy(cluster);
    handOver(cluster);
  },
};

type LifeEvent = readonly [deed: string, number: number, salt: number];
const anyEvent: fc.Arbitrary<LifeEvent> = fc.tuple(
  fc.constantFrom(...Object.keys(DEEDS)),
  fc.constantFrom(...NUMBERS),
  fc.nat(1000),
);

function happen(cluster: PlannedCluster, [deed, number, salt]: LifeEvent): void {
  DEEDS[deed](cluster, number, salt);
}

function change(cluster: PlannedCluster, number: number, member: Parameters<typeof join>[2]): void {
  if (cluster.members.has(nodeId(number))) join(cluster, number, member);
}
