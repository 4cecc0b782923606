/** Tests of topologies in the making: what a change changes, and what it leaves as it was. */
import { describe, expect, test } from 'vitest';
import { createTopology, type Topology, topologyDamage } from '../../src/cluster/topology.ts';
import {
  draftTopology,
  freeIndex,
  handOverSlots,
  isSameTopology,
  replicasOf,
  setOwner,
  setReplicas,
} from '../../src/cluster/topology-draft.ts';
import { NO_NODE, NODES_MAX } from '../../src/routing/node-table.ts';
import { topologyNode } from '../support/topologies.ts';

const SLOT = 99;

/** Node 0 owns all; 1 and 2 have replicas of one slot, which is to go to 3. */
function topologyOfFour(): Topology {
  const topology = draftTopology(createTopology());
  topology.owners.fill(0);
  setReplicas(topology, SLOT, [1, 2]);
  topology.targets[SLOT] = 3;
  return { ...topology, epoch: 5, nodes: [0, 1, 2, 3].map((index) => topologyNode(index)) };
}

/** Owner, target and replicas of the slot. */
function slotOf(topology: Topology): [number, number, number[]] {
  return [topology.owners[SLOT], topology.targets[SLOT], replicasOf(topology, SLOT)];
}

describe('a draft', () => {
  test('is a copy of the same epoch, whose changes the original does not see', () => {
    const topology = topologyOfFour();
    const draft = draftTopology(topology);
    expect(draft).toEqual(topology);
    setOwner(draft, SLOT, 2);
    setReplicas(draft, SLOT, []);
    expect(slotOf(topology)).toEqual([0, 3, [1, 2]]);
  });

  test('is the same as another that says the same, whatever its epoch, and as none that differs in one place', () => {
    const topology = topologyOfFour();
    const changes: ((draft: ReturnType<typeof draftTopology>) => void)[] = [
      ({ owners }) => owners.fill(1, 7, 8),
      ({ targets }) => targets.fill(1, 7, 8),
      ({ replicas }) => replicas[2].fill(1, 7, 8),
      (draft) => {
        draft.nodes = draft.nodes.map((node) => ({ ...node, weight: 7 }));
      },
    ];
    expect(
      isSameTopology(topology, { ...draftTopology(topology), epoch: 9, nodes: [...topology.nodes] }),
    ).toBe(true);
    for (const change of changes) {
      const draft = draftTopology(topology);
      change(draft);
      expect(isSameTopology(topology, draft)).toBe(false);
    }
  });
});

describe('a new owner', () => {
  test('is no replica and no target any more, and the other replicas stay in their order', () => {
    for (const [owner, left] of [
      [1, [2]],
      [2, [1]],
      [3, [1, 2]],
    ] as const) {
      const draft = draftTopology(topologyOfFour());
      setOwner(draft, SLOT, owner);
      expect(slotOf(draft)).toEqual([owner, NO_NODE, left]);
      expect(topologyDamage(draft)).toBe(undefined);
    }
  });

  test('who is nobody leaves nothing of the slot', () => {
    const draft = draftTopology(topologyOfFour());
    setOwner(draft, SLOT, NO_NODE);
    expect(slotOf(draft)).toEqual([NO_NODE, NO_NODE, []]);
  });
});

describe('slots that are handed over', () => {
  test('have their old owner as the first of their replicas', () => {
    const topology = topologyOfFour();
    expect(slotOf(handOverSlots(topology, [SLOT], 3))).toEqual([3, NO_NODE, [0, 1, 2]]);
    expect(slotOf(handOverSlots(topology, [SLOT], 1))).toEqual([1, NO_NODE, [0, 2]]);
    expect(slotOf(topology)).toEqual([0, 3, [1, 2]]);
    expect(handOverSlots(topology, [SLOT], 3).owners[SLOT + 1]).toBe(0);
  });

  test('have no replica where they had none', () => {
    const topology = topologyOfFour();
    expect(replicasOf(handOverSlots(topology, [SLOT + 1], 3), SLOT + 1)).toEqual([]);
  });
});

describe('a free index', () => {
  test('is the one behind the greatest, then the lowest that is free, then none', () => {
    const indexed = (...indices: number[]) => indices.map((index) => ({ index }));
    expect(freeIndex([])).toBe(0);
    expect(freeIndex(indexed(4, 1))).toBe(5);
    expect(freeIndex(indexed(0, 1, NODES_MAX - 1))).toBe(2);
    const all = Array.from({ length: NODES_MAX }, (_, index) => index);
    expect(freeIndex(indexed(...all))).toBe(undefined);
    expect(freeIndex(indexed(...all.filter((index) => index !== 100)))).toBe(100);
  });
});
