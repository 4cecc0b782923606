/**
 * An owner and a replica in one thread, with a wire between them that a test moves byte by byte: the real feed and intake over real
 * shards, without logs and sockets.
 *
 * Node 0 owns the even slots, and node 1 is their replica, unless a test says otherwise.
 */
import { Buffer } from 'node:buffer';
import { expect } from 'vitest';
import {
  acknowledgement,
  beginStream,
  createIntake,
  type Intake,
  reviewSlots,
  TAKE_OUTDATED,
  TAKE_WAITS,
  TAKEN_ALL,
  TAKEN_PART,
  takeIn,
  takePassedOver,
} from '../../src/cluster/replica-intake.ts';
import {
  closeFeed,
  copyAnew,
  createFeed,
  type Feed,
  noteAcknowledged,
  pumpFeed,
} from '../../src/cluster/replication-feed.ts';
import {
  addBytes,
  decodeAcknowledgement,
  decodePassedOver,
  decodeResume,
  encodeAcknowledgement,
  encodePassedOver,
  encodeResume,
} from '../../src/cluster/replication-frames.ts';
import { flagsOf } from '../../src/collections/sequence.ts';
import type { ClusterView } from '../../src/commands/cluster-view.ts';
import { isSyncedTo, NO_NODE, TOPOLOGY_EPOCH } from '../../src/routing/node-table.ts';
import { createReplicationBuffer, openReplicationBoard } from '../../src/routing/replication-board.ts';
import { SLOT_COUNT } from '../../src/routing/slot.ts';
import { keepRecords } from '../../src/shard/backlog.ts';
import { expiresAt, isRaw, typeOf } from '../../src/shard/entry.ts';
import {
  isJournalBroken,
  pendingBytes,
  pendingFirstLsn,
  pendingRecords,
  startJournaling,
  takePending,
} from '../../src/shard/journal.ts';
import { TYPE_STRING } from '../../src/shard/layout.ts';
import type { Shard } from '../../src/shard/shard.ts';
import { visitSlots } from '../../src/shard/slots.ts';
import { clusterTable, setSlot } from './cluster-table.ts';
import { createHarness, type Harness } from './harness.ts';
import { contentsOfCollection } from './operations.ts';
import { keyText, valueText } from './shard.ts';

const OWNER = 0;
const REPLICA = 1;
const POSITIONS = 2 ** 32;

export type Pair = {
  readonly owner: Harness;
  readonly replica: Harness;
  readonly ownerView: ClusterView;
  readonly replicaView: ClusterView;
  readonly intake: Intake;
  feed: Feed;
  /** What is on its way to the replica. */
  wire: Buffer;
  /** Frames that were sent since the stream began. */
  framesSent: number;
  takenOutcome: number;
};

type PairOptions = {
  ownerShards?: number;
  replicaShards?: number;
  backlogBytes?: number;
  replicaBytes?: number;
  replicaFlags?: string[];
};

export function createPair({
  ownerShards = 2,
  replicaShards = 3,
  backlogBytes = 64 * 1024,
  replicaBytes,
  replicaFlags,
}: PairOptions = {}): Pair {
  const ownerOf = (slot: number) => slot % 2;
  const replicaOf = (slot: number) => (slot % 2 === 0 ? REPLICA : NO_NODE);
  const board = openReplicationBoard(createReplicationBuffer(ownerShards, 1), ownerShards);
  const ownerView = { ...clusterTable({ nodes: 2, own: OWNER, ownerOf, replicaOf }), board };
  const replicaView = clusterTable({ nodes: 2, own: REPLICA, ownerOf, replicaOf });
  replicaView.table.syncedFrom.fill(NO_NODE);
  const owner = createHarness({ shards: ownerShards, cluster: ownerView, backlogBytes });
  const replica = createHarness({
    ...{ shards: replicaShards, cluster: replicaView, shardBytes: replicaBytes, flags: replicaFlags },
  });
  for (const shard of [...owner.shards, ...replica.shards]) startJournaling(shard);
  replica.engine.drainLog = () => {
    for (const shard of replica.shards) drainShard(shard);
  };
  const intake = createIntake(replica.engine, replicaView, OWNER);
  const pair: Pair = {
    ...{ owner, replica, ownerView, replicaView, intake, feed: undefined as never },
    ...{ wire: Buffer.alloc(0), framesSent: 0, takenOutcome: TAKEN_ALL },
  };
  connect(pair);
  return pair;
}

/** A new stream, from where the one before ended. What was on its way is lost. */
export function connect(pair: Pair): void {
  const { owner, ownerView, intake } = pair;
  if (pair.feed !== undefined) closeFeed(pair.feed);
  pair.wire = Buffer.alloc(0);
  pair.framesSent = 0;
  const resume = decodeResume(encodeResume(beginStream(intake)));
  if (ownerView.board === undefined) throw new Error('the owner has a board');
  pair.feed = createFeed({
    ...{ node: REPLICA, clientId: (pair.feed?.clientId ?? 0) + 1, table: ownerView.table },
    ...{
      board: ownerView.board,
      shards: owner.shards,
      slotShard: owner.engine.slotShard,
      runId: owner.engine.runId,
    },
    ...{ resume, inherited: undefined, sharedMs: () => 0 },
    send: (bytes) => {
      pair.framesSent += 1;
      pair.wire = Buffer.concat([pair.wire, bytes]);
    },
  });
}

/** The owner's turn ends: its records leave the journals. */
export function drainOwner({ owner }: Pair): void {
  for (const shard of owner.shards) drainShard(shard);
}

function drainShard(shard: Shard): void {
  const bytes = Buffer.alloc(pendingBytes(shard));
  const records = pendingRecords(shard);
  const firstLsn = pendingFirstLsn(shard);
  takePending(shard, bytes, 0);
  if (records === 0 || shard.backlog === undefined || isJournalBroken(shard)) return;
  keepRecords(shard.backlog, bytes, 0, bytes.length, firstLsn, records);
}

/** One look at each shard. */
export function pump({ feed }: Pair): boolean {
  return pumpFeed(feed);
}

/** The next bytes of the wire come in, and what they complete is done and acknowledged. */
export function deliver(pair: Pair, bytes = pair.wire.length): void {
  const { intake, replica } = pair;
  addBytes(intake.reader, pair.wire.subarray(0, bytes));
  pair.wire = pair.wire.subarray(bytes);
  takeInAll(pair);
  replica.engine.drainLog();
}

function takeInAll(pair: Pair): void {
  const { intake, replica, feed } = pair;
  do {
    let steps = 0;
    pair.takenOutcome = takeIn(intake, replica.nowMs, () => {
      steps += 1;
      return steps > 3;
    });
  } while (pair.takenOutcome === TAKEN_PART);
  if (pair.takenOutcome === TAKE_OUTDATED) {
    connect(pair);
    pair.takenOutcome = TAKEN_ALL;
    return;
  }
  tellPassedOver(pair);
  const told = acknowledgement(intake);
  if (told === undefined) return;
  const decoded = decodeAcknowledgement(encodeAcknowledgement(told));
  if (decoded !== undefined) noteAcknowledged(feed, decoded);
}

/** What the replica's worker does from time to time. */
export function review(pair: Pair): void {
  reviewSlots(pair.intake);
  tellPassedOver(pair);
  takeInAll(pair);
}

function tellPassedOver({ intake, feed, replicaView }: Pair): void {
  const slots = takePassedOver(intake);
  if (slots === undefined) return;
  const told = decodePassedOver(encodePassedOver(slots, replicaView.table.numbers[TOPOLOGY_EPOCH]));
  if (told !== undefined) copyAnew(feed, told.bits, told.epoch);
}

/** Everything that is under way comes to its end. */
export function settle(pair: Pair): void {
  for (let round = 0; round < 10_000; round += 1) {
    drainOwner(pair);
    review(pair);
    const hasMore = pump(pair);
    if (!hasMore && pair.wire.length === 0) return;
    deliver(pair);
    expect([TAKEN_ALL, TAKE_WAITS]).toContain(pair.takenOutcome);
  }
  expect.fail('it never comes to an end');
}

/** Both nodes hear of a new topology, or one of them first. */
export function assign(
  pair: Pair,
  slot: number,
  owner: number,
  replica: number,
  who: 'both' | 'owner' | 'replica' = 'both',
): void {
  const views = {
    both: [pair.ownerView, pair.replicaView],
    owner: [pair.ownerView],
    replica: [pair.replicaView],
  };
  for (const view of views[who]) {
    const before = view.table.syncedFrom[slot];
    const wasOwner = view.table.owners[slot];
    setSlot(view, slot, owner, replica);
    view.table.syncedFrom[slot] = wasOwner === owner ? before : NO_NODE;
    view.table.numbers[TOPOLOGY_EPOCH] += 1;
  }
}

/** What a node has of some slots: by key, the value, the deadline and the form. */
export function contentsOf({ shards }: Harness, isMeant: (slot: number) => boolean): Map<string, string> {
  const filter = Uint8Array.from({ length: SLOT_COUNT }, (_, slot) => (isMeant(slot) ? 1 : 0));
  const contents = new Map<string, string>();
  for (const shard of shards) {
    for (let position = 0; position < POSITIONS; ) {
      position = visitSlots(shard, filter, position, 64, (ref) => {
        const { entries } = shard;
        const isText = typeOf(entries, ref) === TYPE_STRING;
        const form = isText ? (isRaw(entries, ref) ? 'raw' : 'whole') : `flags ${flagsOf(shard, ref)}`;
        const value = isText ? valueText(shard, ref) : contentsOfCollection(shard, ref).join(',');
        contents.set(keyText(shard, ref), `${value} until ${expiresAt(entries, ref)} ${form}`);
      });
    }
  }
  return contents;
}

/** The replica has of the slots that it is to have what the owner has, knows so, and the owner knows, too. */
export function expectReplicated(pair: Pair): void {
  const { owner, replica, ownerView, replicaView } = pair;
  const isReplicated = (slot: number) =>
    ownerView.table.owners[slot] === OWNER && ownerView.table.replicas[0][slot] === REPLICA;
  const wanted = contentsOf(owner, isReplicated);
  expect(contentsOf(replica, isReplicated)).toEqual(wanted);
  for (let slot = 0; slot < SLOT_COUNT; slot += 1) {
    const isWhole = isReplicated(slot);
    if (isSyncedTo(ownerView.table, REPLICA, slot) !== isWhole)
      expect.fail(`slot ${slot}: not ${isWhole} at the owner`);
    if (isWhole && replicaView.table.syncedFrom[slot] !== OWNER)
      expect.fail(`slot ${slot}: not in sync at the replica`);
  }
  owner.expectWhole();
  replica.expectWhole();
}
