/** Hand-overs: nothing is given away that the heir does not have, and what cannot be given is kept. */
import { beforeEach, describe, expect, it } from 'vitest';
import {
  type HandOver,
  handOverDue,
  handOverReplicated,
  startHandOver,
  stopHandOver,
} from '../../src/cluster/hand-over.ts';
import { createTopology, type Topology } from '../../src/cluster/topology.ts';
import { draftTopology } from '../../src/cluster/topology-draft.ts';
import type { ClusterView } from '../../src/commands/cluster-view.ts';
import { HAND_OVER_MS_MAX, HAND_OVER_SLOTS_MAX } from '../../src/config/limits-cluster.ts';
import { NO_NODE, ROLE_HANDING_OVER, ROLE_OWNER, setSyncedTo } from '../../src/routing/node-table.ts';
import {
  createReplicationBuffer,
  openReplicationBoard,
  type ReplicationBoard,
  setAcknowledgedLsn,
} from '../../src/routing/replication-board.ts';
import { SLOT_COUNT } from '../../src/routing/slot.ts';
import { LSN } from '../../src/shard/layout.ts';
import { clusterTable, setSlot } from '../support/cluster-table.ts';
import { createHarness, type Harness } from '../support/harness.ts';

const OWN = 0;
const HEIR = 1;
const MOVING = [1, 2, 3, 500];

type World = {
  harness: Harness;
  view: ClusterView;
  board: ReplicationBoard;
  handOver: HandOver;
  topology: Topology;
  nowMs: number;
  /** What a commit resolves to, in turn; true from then on. */
  verdicts: boolean[];
  commits: Topology[];
  threadsThatAnswer: number;
  /** Called at each pause. */
  onPause: () => void;
};

let world: World;

beforeEach(() => {
  const board = openReplicationBoard(createReplicationBuffer(2, 1), 2);
  const targetOf = (slot: number) => (MOVING.includes(slot) ? HEIR : NO_NODE);
  const replicaOf = (slot: number) => (slot % 3 === 0 ? 2 : NO_NODE);
  const view = {
    ...clusterTable({ nodes: 3, own: OWN, ownerOf: () => OWN, targetOf, replicaOf }),
    board,
    sharedMs: () => world.nowMs,
  };
  const harness = createHarness({ shards: 2, cluster: view });
  const topology = draftTopology(createTopology());
  topology.owners.fill(OWN);
  for (let slot = 0; slot < SLOT_COUNT; slot += 1) {
    topology.targets[slot] = targetOf(slot);
    topology.replicas[0][slot] = replicaOf(slot);
  }
  world = {
    ...{ harness, view, board, topology, nowMs: 0, verdicts: [], commits: [], threadsThatAnswer: 3 },
    handOver: undefined as never,
    onPause: () => undefined,
  };
  const bus = {
    ...harness.engine.bus,
    requestAll: async () => new Array(world.threadsThatAnswer).fill(true),
  };
  world.handOver = startHandOver({
    ...{ engine: { ...harness.engine, bus }, cluster: view, board, topology: () => world.topology },
    commit: async (next) => {
      world.commits.push(next);
      const isDone = world.verdicts.shift() ?? true;
      if (isDone) adopt(next);
      return isDone;
    },
    pause: async () => {
      world.nowMs += 1;
      world.onPause();
    },
  });
  stopHandOver(world.handOver);
  world.handOver.isStopped = false;
  return () => stopHandOver(world.handOver);
});

function adopt(next: Topology): void {
  world.topology = { ...next, epoch: next.epoch + 1 };
  for (let slot = 0; slot < SLOT_COUNT; slot += 1) {
    setSlot(world.view, slot, next.owners[slot], next.replicas[0][slot], next.targets[slot]);
  }
}

function syncAll(slots: readonly number[], node = HEIR): void {
  for (const slot of slots) setSyncedTo(world.view.table, node, slot, true);
}

function acknowledgeAll(node = HEIR): void {
  for (const shard of world.harness.shards)
    setAcknowledgedLsn(world.board, node, shard.index, shard.numbers[LSN]);
}

function rolesOf(slots: readonly number[]): number[] {
  return slots.map((slot) => world.view.table.roles[slot]);
}

describe('slots with a target', () => {
  it('stay while the target has not got them whole', async () => {
    expect(await handOverDue(world.handOver)).toBe(false);
    expect(world.commits).toEqual([]);
  });

  it('go together, in one transaction, once it has', async () => {
    syncAll(MOVING);
    acknowledgeAll();
    expect(await handOverDue(world.handOver)).toBe(true);
    expect(world.commits).toHaveLength(1);
    expect(MOVING.map((slot) => world.topology.owners[slot])).toEqual([HEIR, HEIR, HEIR, HEIR]);
    expect(world.topology.owners[4]).toBe(OWN);
    expect(world.handOver.handedSlots).toBe(MOVING.length);
  });

  it('wait, handed over, for the acknowledgement of the last change', async () => {
    syncAll(MOVING);
    acknowledgeAll();
    for (const shard of world.harness.shards) shard.numbers[LSN] += 5;
    let pauses = 0;
    world.onPause = () => {
      pauses += 1;
      expect(rolesOf(MOVING).every((roles) => (roles & ROLE_HANDING_OVER) !== 0)).toBe(true);
      expect(world.commits).toEqual([]);
      if (pauses === 10) acknowledgeAll();
    };
    expect(await handOverDue(world.handOver)).toBe(true);
    expect(pauses).toBe(10);
  });

  it('are taken back when that takes too long', async () => {
    syncAll(MOVING);
    world.harness.shards[0].numbers[LSN] += 5;
    world.harness.shards[1].numbers[LSN] += 5;
    expect(await handOverDue(world.handOver)).toBe(false);
    expect(world.nowMs).toBeGreaterThan(HAND_OVER_MS_MAX);
    expect(rolesOf(MOVING)).toEqual(MOVING.map(() => ROLE_OWNER));
    expect(world.commits).toEqual([]);
    expect(world.handOver.takenBack).toBe(1);
  });

  it('are taken back when a thread does not pass the fence', async () => {
    syncAll(MOVING);
    acknowledgeAll();
    world.threadsThatAnswer = 2;
    expect(await handOverDue(world.handOver)).toBe(false);
    expect(rolesOf(MOVING)).toEqual(MOVING.map(() => ROLE_OWNER));
    expect(world.commits).toEqual([]);
  });

  it('stay where the target loses them before the end', async () => {
    syncAll(MOVING);
    for (const shard of world.harness.shards) shard.numbers[LSN] += 1;
    world.onPause = () => {
      setSyncedTo(world.view.table, HEIR, MOVING[0], false);
      acknowledgeAll();
    };
    await handOverDue(world.handOver);
    expect(world.topology.owners[MOVING[0]]).toBe(OWN);
  });

  it('go with the next topology where somebody else was quicker', async () => {
    syncAll(MOVING);
    acknowledgeAll();
    world.verdicts = [false];
    world.onPause = () => {
      world.topology = { ...world.topology, epoch: 7 };
    };
    expect(await handOverDue(world.handOver)).toBe(true);
    expect(world.commits.map(({ epoch }) => epoch)).toEqual([0, 7]);
  });

  it('stay where the target has lost them by the next topology', async () => {
    syncAll(MOVING);
    acknowledgeAll();
    world.verdicts = [false];
    world.onPause = () => {
      world.topology = { ...world.topology, epoch: 7 };
      setSyncedTo(world.view.table, HEIR, MOVING[0], false);
    };
    expect(await handOverDue(world.handOver)).toBe(false);
    expect(world.commits).toHaveLength(1);
    expect(rolesOf(MOVING)).toEqual(MOVING.map(() => ROLE_OWNER));
  });

  it('are not tried twice with one topology', async () => {
    syncAll(MOVING);
    acknowledgeAll();
    world.verdicts = [false, false, false];
    expect(await handOverDue(world.handOver)).toBe(false);
    expect(world.commits).toHaveLength(1);
    expect(rolesOf(MOVING)).toEqual(MOVING.map(() => ROLE_OWNER));
  });

  it('stay out of it when a topology has come that says otherwise', async () => {
    syncAll(MOVING);
    for (const shard of world.harness.shards) shard.numbers[LSN] += 1;
    world.onPause = () => {
      // As applyTopology does for a slot whose target is another.
      world.view.table.roles[MOVING[0]] = ROLE_OWNER;
      acknowledgeAll();
    };
    expect(await handOverDue(world.handOver)).toBe(false);
    expect(world.commits).toEqual([]);
  });

  it('go in batches', async () => {
    const many = Array.from({ length: 2 * HAND_OVER_SLOTS_MAX + 10 }, (_, slot) => slot);
    for (const slot of many) {
      setSlot(world.view, slot, OWN, NO_NODE, HEIR);
      world.topology.targets[slot] = HEIR;
    }
    syncAll(many);
    acknowledgeAll();
    expect(await handOverDue(world.handOver)).toBe(true);
    expect(world.commits.length).toBeGreaterThanOrEqual(3);
    expect(many.every((slot) => world.topology.owners[slot] === HEIR)).toBe(true);
  });
});

describe('a node that stops', () => {
  it('gives each slot to a node that has a whole replica of it, and keeps the others', async () => {
    const replicated = Array.from({ length: SLOT_COUNT }, (_, slot) => slot).filter((slot) => slot % 3 === 0);
    syncAll(replicated.slice(1), 2);
    acknowledgeAll(2);
    expect(await handOverReplicated(world.handOver)).toBe(true);
    expect(world.commits).toHaveLength(1);
    expect(world.topology.owners[0]).toBe(OWN);
    expect(world.topology.owners[3]).toBe(2);
    expect(world.topology.owners[4]).toBe(OWN);
  });

  it('gives to one node what that one asks for', async () => {
    syncAll([3, 6], 2);
    acknowledgeAll(2);
    expect(await handOverReplicated(world.handOver, HEIR)).toBe(false);
    expect(await handOverReplicated(world.handOver, 2)).toBe(true);
    expect(world.topology.owners[6]).toBe(2);
  });
});
