/** Tests of the table of a node: every role, what is kept from one topology to the next, and what is not. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { applyTopology } from '../../src/cluster/apply-topology.ts';
import { createTopology, type Topology } from '../../src/cluster/topology.ts';
import {
  createNodeTableBuffer,
  FAILOVERS,
  IS_COVERED,
  isInSync,
  LEASE_ENDS_MS,
  NO_NODE,
  type NodeTable,
  OWN_INDEX,
  openNodeTable,
  ROLE_HANDING_OVER,
  ROLE_IMPORTING,
  ROLE_OWNER,
  ROLE_REPLICA,
  TABLE_VERSION,
  TOPOLOGY_EPOCH,
} from '../../src/routing/node-table.ts';
import { SLOT_COUNT } from '../../src/routing/slot.ts';
import { nodeId, topologyNode } from '../support/topologies.ts';

const INDICES = [0, 1, 2, 3];
const ALL_ALIVE = new Set(INDICES.map(nodeId));
const SLOT = 4711;

/** Node 1 owns all slots, with what is given for one of them. */
function topologyWith(owner: number, replicas: readonly number[] = [], target = NO_NODE): Topology {
  const topology = createTopology();
  topology.owners.fill(1);
  topology.owners[SLOT] = owner;
  for (const [rank, replica] of replicas.entries()) topology.replicas[rank][SLOT] = replica;
  topology.targets[SLOT] = target;
  return { ...topology, epoch: 9, nodes: INDICES.map((index) => topologyNode(index)) };
}

function emptyTable(): NodeTable {
  return openNodeTable(createNodeTableBuffer());
}

function applied(topology: Topology, ownIndex: number, table = emptyTable()): NodeTable {
  applyTopology(table, topology, nodeId(ownIndex), ALL_ALIVE);
  return table;
}

describe('the role of a slot', () => {
  test('is every one of them, for every place in which this node stands', () => {
    const topology = topologyWith(0, [1, 2], 3);
    expect(INDICES.map((own) => applied(topology, own).roles[SLOT])).toEqual([
      ROLE_OWNER,
      ROLE_REPLICA,
      ROLE_REPLICA,
      ROLE_IMPORTING,
    ]);
    const toReplica = topologyWith(0, [1, 2, 3], 2);
    expect(INDICES.map((own) => applied(toReplica, own).roles[SLOT])).toEqual([
      ROLE_OWNER,
      ROLE_REPLICA,
      ROLE_REPLICA | ROLE_IMPORTING,
      ROLE_REPLICA,
    ]);
  });

  test('is none for a node that the topology does not know', () => {
    const table = applied(topologyWith(0, [1, 2], 3), 200);
    expect(table.words[OWN_INDEX]).toBe(NO_NODE);
    expect(table.roles.every((roles) => roles === 0)).toBe(true);
    expect(table.owners[SLOT]).toBe(0);
  });

  test('is taken from whom it had before', () => {
    const table = applied(topologyWith(0, [1, 2]), 0);
    expect(applied(topologyWith(2, [1]), 0, table).roles[SLOT]).toBe(0);
    expect(applied(topologyWith(NO_NODE), 0, table).roles[SLOT]).toBe(0);
  });
});

describe('a slot that is being handed over', () => {
  /** What is left of the mark after another topology. */
  function rolesAfter(next: Topology): number {
    const table = applied(topologyWith(0, [2], 3), 0);
    table.roles[SLOT] |= ROLE_HANDING_OVER;
    return applied(next, 0, table).roles[SLOT];
  }

  test('goes on being so while owner and target stay', () => {
    expect(rolesAfter(topologyWith(0, [2], 3))).toBe(ROLE_OWNER | ROLE_HANDING_OVER);
    expect(rolesAfter(topologyWith(0, [1], 3))).toBe(ROLE_OWNER | ROLE_HANDING_OVER);
  });

  test('goes on being so without a target, as when it is given to a replica', () => {
    const table = applied(topologyWith(0, [2]), 0);
    table.roles[SLOT] |= ROLE_HANDING_OVER;
    expect(applied(topologyWith(0, [2]), 0, table).roles[SLOT]).toBe(ROLE_OWNER | ROLE_HANDING_OVER);
    expect(applied(topologyWith(0, [2], 2), 0, table).roles[SLOT]).toBe(ROLE_OWNER);
  });

  test('is not when the target is another, or gone, or owns it', () => {
    expect(rolesAfter(topologyWith(0, [2], 2))).toBe(ROLE_OWNER);
    expect(rolesAfter(topologyWith(0, [2]))).toBe(ROLE_OWNER);
    expect(rolesAfter(topologyWith(3, [2]))).toBe(0);
    expect(rolesAfter(topologyWith(3, [0]))).toBe(ROLE_REPLICA);
  });

  test('is never begun by a topology', () => {
    for (const target of [3, NO_NODE]) {
      const table = applied(topologyWith(0, [], target), 0);
      expect(applied(topologyWith(0, [], target), 0, table).roles[SLOT]).toBe(ROLE_OWNER);
    }
  });
});

describe('the table', () => {
  test('has all that the topology has, for any topology', () => {
    fc.assert(
      fc.property(fc.infiniteStream(fc.constantFrom(...INDICES, NO_NODE)), (stream) => {
        const topology = topologyWith(0);
        for (const slots of [topology.owners, ...topology.replicas, topology.targets]) {
          const some = [...Array(64)].map(() => stream.next().value ?? NO_NODE);
          for (let slot = 0; slot < SLOT_COUNT; slot++) slots[slot] = some[slot % 64];
        }
        const table = applied(topology, 2);
        expect(table.owners).toEqual(topology.owners);
        expect(table.replicas).toEqual(topology.replicas);
        expect(table.targets).toEqual(topology.targets);
      }),
      { numRuns: 20 },
    );
  });

  test('has the own index and the epoch, and a new version each time', () => {
    const table = emptyTable();
    const before = table.words[TABLE_VERSION];
    applied(topologyWith(0), 3, table);
    expect([table.words[OWN_INDEX], table.numbers[TOPOLOGY_EPOCH]]).toEqual([3, 9]);
    expect(table.words[TABLE_VERSION]).toBe(before + 1);
    applied({ ...topologyWith(0), epoch: 12 }, 3, table);
    expect([table.words[TABLE_VERSION], table.numbers[TOPOLOGY_EPOCH]]).toEqual([before + 2, 12]);
  });

  test('is covered while every slot has an owner that is alive', () => {
    const table = applied(topologyWith(0), 1);
    expect(table.words[IS_COVERED]).toBe(1);
    applyTopology(table, topologyWith(0), nodeId(1), new Set([nodeId(1), nodeId(2)]));
    expect(table.words[IS_COVERED]).toBe(0);
    applyTopology(table, topologyWith(2), nodeId(1), new Set([nodeId(1), nodeId(2)]));
    expect(table.words[IS_COVERED]).toBe(1);
    applyTopology(table, topologyWith(NO_NODE), nodeId(1), ALL_ALIVE);
    expect(table.words[IS_COVERED]).toBe(0);
  });
});

describe('a replica on this node', () => {
  test('stays in sync while the owner stays, whatever else changes', () => {
    const table = applied(topologyWith(0, [2]), 2);
    table.syncedFrom[SLOT] = 0;
    applied(topologyWith(0, [1, 2], 3), 2, table);
    expect(isInSync(table, SLOT)).toBe(true);
  });

  test('is not in sync with an owner that comes back after another', () => {
    const table = applied(topologyWith(0, [2]), 2);
    table.syncedFrom[SLOT] = 0;
    applied(topologyWith(3, [2]), 2, table);
    expect(isInSync(table, SLOT)).toBe(false);
    applied(topologyWith(0, [2]), 2, table);
    expect(isInSync(table, SLOT)).toBe(false);
  });
});

describe('a failover', () => {
  /** How often the slot has failed over, and how often any, once node 0 has lost it to node 2, as node `own` sees it. */
  function failoversAt(own: number, alive: readonly number[], leaseEndsMs = 1): number[] {
    const table = applied(topologyWith(0), own);
    table.numbers[LEASE_ENDS_MS] = leaseEndsMs;
    applyTopology(table, topologyWith(2), nodeId(own), new Set(alive.map(nodeId)));
    return [table.failovers[SLOT], table.words[FAILOVERS]];
  }

  test('is a change of owners whose first one is gone; one that is there has handed the slot over', () => {
    expect(failoversAt(1, [1, 2, 3])).toEqual([1, 1]);
    expect(failoversAt(1, INDICES)).toEqual([0, 0]);
  });

  test('is known of by a node that was taken for gone itself, before it is admitted again', () => {
    expect(failoversAt(0, INDICES, 0)).toEqual([1, 1]);
    expect(failoversAt(0, INDICES)).toEqual([0, 0]);
  });

  test('is none where a slot gets its first owner, or keeps it', () => {
    const table = applied(topologyWith(NO_NODE), 1);
    applyTopology(table, topologyWith(0), nodeId(1), new Set([nodeId(1)]));
    applyTopology(table, topologyWith(0), nodeId(1), new Set([nodeId(1)]));
    expect([table.failovers[SLOT], table.words[FAILOVERS]]).toEqual([0, 0]);
  });
});
