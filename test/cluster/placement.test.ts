/** Tests of the placement: the original suite's ring cases by name over nodes of a cluster, balance, and who inherits what. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  createPlacer,
  type PlacedNode,
  PREFERENCE_RANKS,
  placeSlots,
  preferenceOf,
} from '../../src/cluster/placement.ts';
import { slotBalance } from '../../src/routing/hash-ring.ts';
import { NO_NODE } from '../../src/routing/node-table.ts';
import { SLOT_COUNT, slotOfKey } from '../../src/routing/slot.ts';
import { nodeId } from '../support/topologies.ts';

const CV_MAX = 0.05;
const KEYS = 1000;

function placedNodes(count: number, from = 0): PlacedNode[] {
  return Array.from({ length: count }, (_, at) => ({ id: nodeId(from + at), index: from + at, weight: 100 }));
}

function slotOf(key: string): number {
  const bytes = Buffer.from(key);
  return slotOfKey(bytes, 0, bytes.length);
}

function balanceOf(nodes: readonly PlacedNode[], rank: number): number {
  const placed = placeSlots(nodes)[rank];
  const places = new Uint16Array(NO_NODE + 1);
  for (const [at, { index }] of nodes.entries()) places[index] = at;
  const table = new Uint16Array(SLOT_COUNT);
  for (let slot = 0; slot < SLOT_COUNT; slot += 1) table[slot] = places[placed[slot]];
  return slotBalance(table, nodes).coefficientOfVariation;
}

describe('the ring of the original suite, over nodes', () => {
  const nodes = placedNodes(3);
  const owners = placeSlots(nodes)[0];

  test('distribution: some node answers for every key', () => {
    for (let i = 0; i < KEYS; i++) expect([0, 1, 2]).toContain(owners[slotOf(`key${i}`)]);
  });

  test('consistent mapping: the same key goes to the same node', () => {
    const again = placeSlots(nodes)[0];
    for (let i = 0; i < KEYS; i++) expect(again[slotOf(`key${i}`)]).toBe(owners[slotOf(`key${i}`)]);
  });

  test('removal: keys still map, and only the removed node’s keys moved', () => {
    for (const removed of nodes) {
      const after = placeSlots(nodes.filter((node) => node !== removed))[0];
      for (let i = 0; i < KEYS; i++) {
        const slot = slotOf(`key${i}`);
        if (owners[slot] === removed.index) expect(after[slot]).not.toBe(removed.index);
        else expect(after[slot]).toBe(owners[slot]);
      }
    }
  });

  test('load distribution: of 1000 keys each of 3 nodes has a third, within five standard deviations', () => {
    const counts = [0, 0, 0];
    for (let i = 0; i < KEYS; i++) counts[owners[slotOf(`key${i}`)]] += 1;
    const deviation = Math.sqrt(KEYS * (1 / 3) * (2 / 3));
    for (const count of counts) expect(Math.abs(count - KEYS / 3)).toBeLessThan(5 * deviation);
  });
});

describe('the balance of the placement', () => {
  test('has a coefficient of variation of at most 0.05 for every 2 to 64 nodes', () => {
    for (let count = 2; count <= 64; count++)
      expect(balanceOf(placedNodes(count), 0), `${count}`).toBeLessThanOrEqual(CV_MAX);
  });

  test('holds for the first replicas as well, which are who inherits', () => {
    for (const count of [2, 3, 5, 8, 16, 32])
      expect(balanceOf(placedNodes(count), 1)).toBeLessThan(1.2 * CV_MAX);
  });

  test('follows the weights', () => {
    const [a, b, c] = placedNodes(3);
    const nodes = [a, { ...b, weight: 50 }, { ...c, weight: 250 }];
    expect(balanceOf(nodes, 0)).toBeLessThanOrEqual(CV_MAX);
  });
});

describe('a change of the nodes', () => {
  test('that adds one to n moves about 1/(n+1) of the slots, all of them to it', () => {
    for (const count of [1, 2, 3, 4, 7, 15, 31, 63]) {
      const before = placeSlots(placedNodes(count))[0];
      const after = placeSlots(placedNodes(count + 1))[0];
      const moved = after.filter((index, slot) => index !== before[slot]);
      expect(new Set(moved)).toEqual(new Set([count]));
      const share = SLOT_COUNT / (count + 1);
      expect(Math.abs(moved.length - share)).toBeLessThan(0.15 * share);
    }
  });

  test('that takes one away moves its slots only, to who had their replicas, so that no data moves', () => {
    fc.assert(
      fc.property(someNodes, (nodes) => {
        const before = placeSlots(nodes);
        const [removed, ...others] = nodes;
        const after = placeSlots(others);
        for (let slot = 0; slot < SLOT_COUNT; slot++) {
          const heir = before[0][slot] === removed.index ? before[1][slot] : before[0][slot];
          if (after[0][slot] !== heir) expect.fail(`slot ${slot} went to ${after[0][slot]}, not to ${heir}`);
        }
      }),
      { numRuns: 30 },
    );
  });

  test('leaves the order of the others as it was', () => {
    const nodes = placedNodes(7);
    const before = placeSlots(nodes);
    const after = placeSlots(nodes.filter(({ index }) => index !== 3));
    for (let slot = 0; slot < SLOT_COUNT; slot++) {
      const kept = before.map((table) => table[slot]).filter((index) => index !== 3);
      expect(after.map((table) => table[slot]).slice(0, kept.length)).toEqual(kept);
    }
  });
});

describe('the order of preference', () => {
  test('names each node once, and none where there are fewer than ranks', () => {
    for (const count of [0, 1, 2, 4, 5, 9]) {
      const placement = placeSlots(placedNodes(count, 200));
      for (let slot = 0; slot < SLOT_COUNT; slot += 17) {
        const named = placement.map((table) => table[slot]).filter((index) => index !== NO_NODE);
        expect(new Set(named).size).toBe(Math.min(count, PREFERENCE_RANKS));
        expect(placement.slice(0, named.length).every((table) => table[slot] >= 200)).toBe(true);
      }
    }
  });

  test('does not depend on the order of the nodes, nor on their indices', () => {
    const nodes = placedNodes(6);
    const shuffled = [...nodes].reverse().map((node) => ({ ...node, index: node.index + 40 }));
    const plain = placeSlots(nodes);
    const other = placeSlots(shuffled);
    for (const [rank, table] of other.entries()) {
      expect(table).toEqual(plain[rank].map((index) => (index === NO_NODE ? NO_NODE : index + 40)));
    }
  });

  test('says which place a node has', () => {
    const placement = placeSlots(placedNodes(9));
    for (let rank = 0; rank < PREFERENCE_RANKS; rank++)
      expect(preferenceOf(placement, 77, placement[rank][77])).toBe(rank);
    const last = placedNodes(9).find(({ index }) => !placement.some((table) => table[77] === index));
    expect(preferenceOf(placement, 77, last?.index ?? 0)).toBe(PREFERENCE_RANKS);
  });

  test('is made anew only for other nodes', () => {
    const place = createPlacer();
    expect(place([])).toEqual(placeSlots([]));
    const first = place(placedNodes(3));
    expect(first).toEqual(placeSlots(placedNodes(3)));
    expect(place(placedNodes(3))).toBe(first);
    const [a, b, c] = placedNodes(3);
    const heavier = [a, b, { ...c, weight: 101 }];
    expect(place(heavier)).toEqual(placeSlots(heavier));
    expect(place([a, b])).toEqual(placeSlots([a, b]));
  });
});

const someNodes: fc.Arbitrary<PlacedNode[]> = fc
  .uniqueArray(
    fc.record({ index: fc.integer({ min: 0, max: 254 }), weight: fc.integer({ min: 1, max: 1000 }) }),
    {
      selector: ({ index }) => index,
      minLength: 2,
      maxLength: 9,
    },
  )
  .map((nodes) => nodes.map((node) => ({ ...node, id: nodeId(node.index) })));
