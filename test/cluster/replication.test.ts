/** A worker's part in replication: who is fed, who is told, and what is known of owners. */
import { Buffer } from 'node:buffer';
import { beforeEach, describe, expect, it } from 'vitest';
import { startReplication } from '../../src/cluster/replication.ts';
import { encodeAcknowledgement } from '../../src/cluster/replication-frames.ts';
import type { ClusterView, Replication } from '../../src/commands/cluster-view.ts';
import type { Session } from '../../src/commands/session.ts';
import { isSyncedTo } from '../../src/routing/node-table.ts';
import {
  acknowledgedLsn,
  createReplicationBuffer,
  FEED_CLIENT,
  feedNumber,
  openReplicationBoard,
  type ReplicationBoard,
} from '../../src/routing/replication-board.ts';
import { startJournaling } from '../../src/shard/journal.ts';
import { clusterTable, nodeId } from '../support/cluster-table.ts';
import { createHarness, type Harness } from '../support/harness.ts';

const REPLICA = 1;
const NO_RESUME = Buffer.alloc(0);

let harness: Harness;
let view: ClusterView;
let board: ReplicationBoard;
let replication: Replication;

beforeEach(() => {
  board = openReplicationBoard(createReplicationBuffer(2, 1), 2);
  view = { ...clusterTable({ nodes: 3, ownerOf: () => 0, replicaOf: () => REPLICA }), board };
  harness = createHarness({ shards: 2, cluster: view });
  for (const shard of harness.shards) startJournaling(shard);
  startReplication(harness.engine, view, board);
  if (view.replication === undefined) throw new Error('it has begun');
  replication = view.replication;
});

async function pass(): Promise<void> {
  for (let pass = 0; pass < 6; pass += 1) await new Promise(setImmediate);
}

async function feed(session: Session): Promise<void> {
  expect(replication.feed(session, nodeId(REPLICA), NO_RESUME)).toBeUndefined();
  await pass();
}

function sentBytes(): number {
  return harness.pushed.reduce((sum, text) => sum + text.length, 0);
}

describe('a node that is fed', () => {
  it('gets frames, and counts as in sync once it has taken them', async () => {
    const session = harness.connect();
    await feed(session);
    expect(session.isReplica).toBe(true);
    expect(harness.pushed.length).toBeGreaterThan(2);
    expect(isSyncedTo(view.table, REPLICA, 5)).toBe(false);
    const early = { takenBytes: sentBytes() - 8, shards: [], lsns: [] };
    replication.acknowledge(session, encodeAcknowledgement(early));
    const synced = Array.from({ length: 100 }, (_, slot) => isSyncedTo(view.table, REPLICA, slot));
    expect(synced).toContain(false);
    const told = { takenBytes: sentBytes(), shards: [0, 1], lsns: [4, 7] };
    replication.acknowledge(session, encodeAcknowledgement(told));
    expect(isSyncedTo(view.table, REPLICA, 5)).toBe(true);
    expect(acknowledgedLsn(board, REPLICA, 1)).toBe(7);
  });

  it('counts as gone when its connection is', async () => {
    const session = harness.connect();
    await feed(session);
    replication.acknowledge(
      session,
      encodeAcknowledgement({ takenBytes: sentBytes(), shards: [], lsns: [] }),
    );
    session.onGone?.();
    expect(isSyncedTo(view.table, REPLICA, 5)).toBe(false);
    expect(feedNumber(board, REPLICA, FEED_CLIENT)).toBe(0);
  });

  it('has one stream: what an older one acknowledges, and its end, do not count', async () => {
    const [old, young] = [harness.connect(), harness.connect()];
    await feed(old);
    await feed(young);
    replication.acknowledge(old, encodeAcknowledgement({ takenBytes: 2 ** 40, shards: [0], lsns: [99] }));
    expect(acknowledgedLsn(board, REPLICA, 0)).toBe(0);
    old.onGone?.();
    expect(feedNumber(board, REPLICA, FEED_CLIENT)).toBe(young.id);
  });

  it('is refused while this node does not know it, and twice over one connection', async () => {
    const session = harness.connect();
    expect(replication.feed(session, 'f'.repeat(40), NO_RESUME)).toContain('not known here yet');
    await feed(session);
    expect(replication.feed(session, nodeId(REPLICA), NO_RESUME)).toContain('already');
  });

  it('may say nonsense', async () => {
    const session = harness.connect();
    await feed(session);
    for (const length of [0, 3, 9]) replication.acknowledge(session, Buffer.alloc(length));
    replication.copyAnew(session, Buffer.alloc(7));
    replication.acknowledge(harness.connect(), Buffer.alloc(8));
    expect(isSyncedTo(view.table, REPLICA, 5)).toBe(false);
  });
});

describe('who waits for replicas', () => {
  it('hears of an acknowledgement, but not in the middle of the command that brings it', async () => {
    const session = harness.connect();
    await feed(session);
    let told = 0;
    const stop = replication.onAcknowledged(() => {
      told += 1;
    });
    replication.acknowledge(session, encodeAcknowledgement({ takenBytes: 0, shards: [0], lsns: [1] }));
    expect(told).toBe(0);
    await pass();
    expect(told).toBe(1);
    stop();
    replication.acknowledge(session, encodeAcknowledgement({ takenBytes: 0, shards: [0], lsns: [2] }));
    await pass();
    expect(told).toBe(1);
  });
});

describe('what is known of an owner', () => {
  it('is nothing where no stream of it comes', async () => {
    expect(await replication.progress(nodeId(2))).toBeUndefined();
  });
});
