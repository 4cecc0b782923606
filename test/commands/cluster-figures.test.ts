/** What a node tells of its cluster: slots and keys by role, nodes, replicas, breakers; and what INFO says of its keys. */
import { Buffer } from 'node:buffer';
import { beforeEach, describe, expect, it } from 'vitest';
import { readCluster } from '../../src/commands/cluster-figures.ts';
import type { ClusterView } from '../../src/commands/cluster-view.ts';
import { readEngine } from '../../src/commands/engine-reading.ts';
import { recordFailure } from '../../src/resilience/circuit-breaker.ts';
import {
  createPeerBoardBuffer,
  openPeerBoard,
  PEER_COMMANDS_PER_SECOND,
  PEER_HEARD_MS,
  PEER_LATENCY_MS,
  setPeerNumber,
} from '../../src/resilience/peer-board.ts';
import { NO_NODE, ROLE_HANDING_OVER, setSyncedTo } from '../../src/routing/node-table.ts';
import {
  createReplicationBuffer,
  FEED_BEHIND_BYTES,
  FEED_CLIENT,
  FEED_COPIES,
  FEED_SENT_BYTES,
  FEED_TAKEN_BYTES,
  openReplicationBoard,
  setFeedNumber,
} from '../../src/routing/replication-board.ts';
import { SLOT_COUNT, slotOfKey } from '../../src/routing/slot.ts';
import { clusterTable, nodeId, setSlot } from '../support/cluster-table.ts';
import { createHarness, type Harness } from '../support/harness.ts';
import { set } from '../support/shard.ts';

const NODES = 4;
let view: ClusterView;
let harness: Harness;
let nowMs = 0;

/** A node of four: own are the slots 0, 4, 8 ..., replicas of 1, 5, 9 ... are here, those of its own on the node behind it. */
beforeEach(() => {
  nowMs = 10_000;
  view = clusterTable({
    nodes: NODES,
    replicaOf: (slot) => (slot % NODES === 1 ? 0 : slot % NODES === 0 ? 1 : NO_NODE),
    sharedMs: () => nowMs,
    leaseEndsMs: 12_500,
  });
  harness = createHarness({ cluster: view });
});

function slotOf(key: string): number {
  const bytes = Buffer.from(key);
  return slotOfKey(bytes, 0, bytes.length);
}

function reading() {
  const found = readCluster(harness.engine);
  if (found === undefined) throw new Error('the node is in a cluster');
  return found;
}

describe('the figures of a cluster', () => {
  it('are none on a node that is alone', () => {
    const { engine } = createHarness();
    expect(readCluster(engine)).toBeUndefined();
    expect(readEngine(engine).cluster).toBeNull();
  });

  it('count the slots by what they are to the node', () => {
    setSlot(view, 2, 2, NO_NODE, 0);
    setSlot(view, 6, 6);
    setSlot(view, 10, NO_NODE);
    view.table.roles[0] |= ROLE_HANDING_OVER;
    view.table.targets[0] = 1;
    view.table.syncedFrom[1] = 2;
    const quarter = SLOT_COUNT / NODES;
    expect(reading()).toMatchObject({
      ownId: nodeId(0),
      epoch: 1,
      leaseLeftMs: 2500,
      isCovered: true,
      slots: { own: quarter, replica: quarter, importing: 1, strange: 2 * quarter - 1 },
      wholeReplicas: quarter - 1,
      handingOver: 1,
      coveredSlots: SLOT_COUNT - 2,
      movingSlots: 2,
    });
  });

  it('count the keys likewise', () => {
    const keys = Array.from({ length: 500 }, (_, index) => `key:${index}`);
    for (const key of keys) set(harness.shards[harness.engine.slotShard[slotOf(key)]], key, '');
    const of = (rest: number) => keys.filter((key) => slotOf(key) % NODES === rest).length;
    const { own, replica, importing, strange } = reading().keys;
    expect([own, replica, importing, strange]).toEqual([of(0), of(1), 0, of(2) + of(3)]);
  });

  it('tell that a lease is over, and of none', () => {
    nowMs = 12_501;
    expect(reading()).toMatchObject({ leaseLeftMs: 0, isServing: false });
  });

  it('name each node, with what it owns, holds and is about to own', () => {
    setSlot(view, 2, 2, NO_NODE, 3);
    view.nodes = view.nodes.map((node) => node && { ...node, isAlive: node.index !== 3 });
    view.coordinatorId = () => nodeId(1);
    const quarter = SLOT_COUNT / NODES;
    const { nodes, coordinatorId } = reading();
    expect(coordinatorId).toBe(nodeId(1));
    expect(nodes.map(({ id, slots, replicas, coming }) => [id, slots, replicas, coming])).toEqual([
      [nodeId(0), quarter, quarter, 0],
      [nodeId(1), quarter, quarter, 0],
      [nodeId(2), quarter, 0, 0],
      [nodeId(3), quarter, 0, 1],
    ]);
    expect(nodes.map(({ isOwn, isAlive, isCoordinator }) => [isOwn, isAlive, isCoordinator])).toEqual([
      [true, true, false],
      [false, true, true],
      [false, true, false],
      [false, false, false],
    ]);
  });

  it('leave out who is not there any more', () => {
    view.nodes = [view.nodes[0], undefined, view.nodes[2]];
    expect(reading().nodes.map(({ index }) => index)).toEqual([0, 2]);
  });

  it('tell of the replicas on both sides how many are whole', () => {
    for (const slot of [0, 4, 8]) setSyncedTo(view.table, 1, slot, true);
    view.table.heardOfMs[1] = 9_000;
    view.table.syncedFrom[5] = NO_NODE;
    const [, feeding, other] = reading().nodes;
    const quarter = SLOT_COUNT / NODES;
    expect(feeding).toMatchObject({ fedSlots: quarter, fedWhole: 3, fedHeardAgoMs: 1000 });
    expect(feeding).toMatchObject({ heldSlots: quarter, heldWhole: quarter - 1 });
    expect(other).toMatchObject({ fedSlots: 0, fedWhole: 0, fedHeardAgoMs: null, heldSlots: 0 });
  });

  it('tell how far a replica is with the changes, as long as it is connected', () => {
    const board = openReplicationBoard(createReplicationBuffer(3, 1), 3);
    const told = { FEED_SENT_BYTES, FEED_TAKEN_BYTES, FEED_BEHIND_BYTES, FEED_COPIES };
    Object.values(told).forEach((which, at) => {
      setFeedNumber(board, 1, which, [900, 600, 50, 7][at]);
    });
    harness = createHarness({ cluster: { ...view, board } });
    expect(reading().nodes[1]).toMatchObject({
      isFed: false,
      fedBehindBytes: 0,
      fedInFlightBytes: 0,
      fedCopies: 7,
    });
    setFeedNumber(board, 1, FEED_CLIENT, 12);
    expect(reading().nodes[1]).toMatchObject({
      isFed: true,
      fedBehindBytes: 50,
      fedInFlightBytes: 300,
      fedCopies: 7,
    });
  });

  it('tell of breakers and pings of the others, once somebody knows of them', () => {
    expect(reading().nodes[1]).toMatchObject({ circuit: null, pingMs: null, commandsPerSecond: null });
    const peers = openPeerBoard(createPeerBoardBuffer(), harness.engine.config);
    view.peers = peers;
    for (let failure = 0; failure < harness.engine.config.clusterBreakerFailures; failure += 1) {
      recordFailure(peers.breakers[2], 1);
    }
    setPeerNumber(peers, 1, PEER_HEARD_MS, 9_000);
    setPeerNumber(peers, 1, PEER_LATENCY_MS, 0.25);
    setPeerNumber(peers, 1, PEER_COMMANDS_PER_SECOND, 1234);
    const [own, one, two] = reading().nodes;
    expect(own).toMatchObject({ circuit: null, pingMs: null });
    expect(one).toMatchObject({ circuit: 'closed', pingMs: 0.25, commandsPerSecond: 1234 });
    expect(two).toMatchObject({ circuit: 'open', pingMs: null, commandsPerSecond: null });
  });
});

describe('INFO of a node of a cluster', () => {
  it('counts the keys of its own slots, and of those that expire as large a share', () => {
    const keys = Array.from({ length: 400 }, (_, index) => `key:${index}`);
    for (const key of keys) {
      const expiresAtMs = harness.nowMs + 1e6;
      set(harness.shards[harness.engine.slotShard[slotOf(key)]], key, '', { expiresAtMs });
    }
    const own = keys.filter((key) => slotOf(key) % NODES === 0).length;
    expect(harness.run('INFO', 'keyspace')).toContain(`db0:keys=${own},expires=${own},`);
    expect(harness.run('DBSIZE')).toBe(`:${own}\r\n`);
    expect(readEngine(harness.engine).keyspace.keys).toBe(keys.length);
  });
});
