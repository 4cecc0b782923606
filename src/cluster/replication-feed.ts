/**
 * One replica as the owner sees it: which slots it gets, how far it is, and the frames that it is sent.
 *
 * Runs on the owner's worker that has the replica's connection. What of the shards is told is a matter of their lanes
 * (replication-lane.ts); which slots of them, of the topology: those that this node owns and the other is to have. So much is on its way
 * at a time; a replica that takes it more slowly than changes come falls out of the backlog in the end, and is copied to anew.
 *
 * A slot's life: NOT_FED, AWAITS_COPY, COPIED (under way), SENT (the replica has been told that it is whole), and with the
 * acknowledgement of that, in the node table, synced.
 */
import { Buffer } from 'node:buffer';
import { assert } from '../base/assert.ts';
import { REPLICATION_LOOK_BYTES, REPLICATION_WINDOW_BYTES } from '../config/limits-cluster.ts';
import {
  isSyncedTo,
  type NodeTable,
  ROLE_OWNER,
  setSyncedTo,
  TABLE_VERSION,
  TOPOLOGY_EPOCH,
} from '../routing/node-table.ts';
import {
  FEED_BEHIND_BYTES,
  FEED_CLIENT,
  FEED_COPIES,
  FEED_SENT_BYTES,
  FEED_TAKEN_BYTES,
  feedNumber,
  type ReplicationBoard,
  setAcknowledgedLsn,
  setFeedNumber,
} from '../routing/replication-board.ts';
import { SLOT_COUNT, slotOfKey } from '../routing/slot.ts';
import { findPlace } from '../shard/backlog.ts';
import { acquireShard, releaseShard } from '../shard/lock.ts';
import { createRecordView, decodeRecord, EFFECT_FLUSH, EFFECT_SWAP, recordSpan } from '../shard/record.ts';
import type { Shard } from '../shard/shard.ts';
import {
  type Acknowledgement,
  encodeFrame,
  encodeFrameHeader,
  encodeNumbers,
  encodeSlotBits,
  FRAME_COPY,
  FRAME_EMPTIED,
  FRAME_HEADER_BYTES,
  FRAME_HELLO,
  FRAME_INHERITED,
  FRAME_PING,
  FRAME_RECORDS,
  FRAME_RESUMED,
  FRAME_SLICE,
  FRAME_UNFED,
  FRAME_WHOLE,
  hasSlotBit,
  type ResumePoint,
} from './replication-frames.ts';
import { beginCopy, createLane, hasNothing, type Lane, type Look, lookAt } from './replication-lane.ts';

const NOT_FED = 0;
const AWAITS_COPY = 1;
const COPIED = 2;
const SENT = 3;

export type Feed = {
  /** The replica's index, and the id of its client, which is unique. */
  readonly node: number;
  readonly clientId: number;
  readonly table: NodeTable;
  readonly board: ReplicationBoard;
  readonly slotShard: Uint16Array;
  readonly lanes: readonly Lane[];
  /** Sends bytes that do not change any more. */
  readonly send: (bytes: Buffer) => void;
  readonly sharedMs: () => number;
  /** By slot: NOT_FED, AWAITS_COPY, ... */
  readonly states: Uint8Array;
  /** By slot: the bytes that must have been taken until the slot counts as synced; Infinity before they are known. */
  readonly wholeAt: Float64Array;
  /** Slots that are SENT and not yet synced. */
  unsynced: number;
  /** By lane: slots that await a copy. */
  readonly awaiting: Int32Array;
  /** The version of the table that the states go by. */
  version: number;
  sentBytes: number;
  takenBytes: number;
  sentMs: number;
  heardMs: number;
  /** The lane that is looked at first, so that none waits for the others for ever. */
  turn: number;
  isClosed: boolean;
};

type FeedStart = Pick<Feed, 'node' | 'clientId' | 'table' | 'board' | 'slotShard' | 'send' | 'sharedMs'> & {
  readonly shards: readonly Shard[];
  readonly runId: string;
  readonly resume: ResumePoint | undefined;
  /** By the replica's shards, the latest change of its own that this node has had; where it owns slots that were the replica's. */
  readonly inherited: ArrayLike<number> | undefined;
};

/** One at a time of a thread. */
const view = createRecordView();

/** Begins to feed a replica, from where an earlier stream ended, as far as that is there yet. */
export function createFeed(start: FeedStart): Feed {
  const { node, clientId, table, board, slotShard, send, sharedMs, shards } = start;
  const feed: Feed = {
    ...{ node, clientId, table, board, slotShard, send, sharedMs },
    lanes: shards.map(createLane),
    states: new Uint8Array(SLOT_COUNT),
    wholeAt: new Float64Array(SLOT_COUNT).fill(Infinity),
    awaiting: new Int32Array(shards.length),
    ...{ unsynced: 0, version: -1, sentBytes: 0, takenBytes: 0, turn: 0, isClosed: false },
    sentMs: sharedMs(),
    heardMs: sharedMs(),
  };
  setFeedNumber(board, node, FEED_CLIENT, clientId);
  for (let shard = 0; shard < shards.length; shard += 1) setAcknowledgedLsn(board, node, shard, 0);
  for (let slot = 0; slot < SLOT_COUNT; slot += 1) setSyncedTo(table, node, slot, false);
  sendHello(feed, start.runId);
  if (start.inherited !== undefined) {
    sendFrame(feed, FRAME_INHERITED, 0, start.inherited.length, 0, encodeNumbers(start.inherited));
  }
  resumeLanes(feed, start.runId, start.resume);
  noteHeard(feed);
  return feed;
}

/** Whether it is still this feed that the node is fed by: another may have come in its place, on any thread. */
export function isCurrent({ board, node, clientId }: Feed): boolean {
  return feedNumber(board, node, FEED_CLIENT) === clientId;
}

/** The replica is gone. What it has stays in sync by its own account; this node counts on it no more. */
export function closeFeed(feed: Feed): void {
  if (feed.isClosed) return;
  feed.isClosed = true;
  if (!isCurrent(feed)) return;
  setFeedNumber(feed.board, feed.node, FEED_CLIENT, 0);
  feed.table.heardOfMs[feed.node] = 0;
  for (let slot = 0; slot < SLOT_COUNT; slot += 1) setSyncedTo(feed.table, feed.node, slot, false);
}

/** Sends what there is, a look at each lane; whether there is more that may be sent at once. */
export function pumpFeed(feed: Feed): boolean {
  if (feed.isClosed) return false;
  if (feed.table.words[TABLE_VERSION] !== feed.version) chooseSlots(feed);
  let hasMore = false;
  let behindBytes = 0;
  const { lanes } = feed;
  feed.turn = (feed.turn + 1) % lanes.length;
  for (let index = 0; index < lanes.length; index += 1) {
    const lane = lanes[(feed.turn + index) % lanes.length];
    if (feed.sentBytes - feed.takenBytes > REPLICATION_WINDOW_BYTES) return false;
    if (feed.awaiting[lane.shard.index] > 0 && lane.copy === undefined) startCopy(feed, lane);
    if (hasNothing(lane)) continue;
    const look = lookAt(lane);
    if (look.isLost) restart(feed, lane);
    else sendLook(feed, lane, look);
    behindBytes += look.behindBytes;
    if (!look.isAtEnd || lane.copy !== undefined || feed.awaiting[lane.shard.index] > 0) hasMore = true;
  }
  setFeedNumber(feed.board, feed.node, FEED_BEHIND_BYTES, behindBytes);
  return hasMore;
}

/** The replica has taken so much, and has it in its log. */
export function noteAcknowledged(feed: Feed, { takenBytes, shards, lsns }: Acknowledgement): void {
  if (feed.isClosed || !isCurrent(feed)) return;
  feed.takenBytes = takenBytes;
  noteHeard(feed);
  setFeedNumber(feed.board, feed.node, FEED_TAKEN_BYTES, takenBytes);
  for (let index = 0; index < shards.length; index += 1) {
    if (shards[index] < feed.lanes.length)
      setAcknowledgedLsn(feed.board, feed.node, shards[index], lsns[index]);
  }
  if (feed.unsynced > 0) noteSynced(feed);
}

/**
 * The replica has passed over something of these slots (bits), because they are not for it by the topology of an epoch, or were not in
 * between: they are copied anew, once this node knows of that topology, too.
 */
export function copyAnew(feed: Feed, bits: Uint8Array, epoch: number): void {
  if (feed.isClosed) return;
  const isBehind = feed.table.numbers[TOPOLOGY_EPOCH] < epoch;
  for (let slot = 0; slot < SLOT_COUNT; slot += 1) {
    if (!hasSlotBit(bits, 0, slot) || feed.states[slot] < COPIED) continue;
    if (isBehind) stopFeeding(feed, slot);
    else awaitCopy(feed, slot);
  }
}

/** Says that this node is there, if nothing else has for so long. */
export function pingIfIdle(feed: Feed, idleMs: number): void {
  if (!feed.isClosed && feed.sharedMs() - feed.sentMs >= idleMs)
    sendFrame(feed, FRAME_PING, 0, 0, 0, Buffer.alloc(0));
}

function noteHeard(feed: Feed): void {
  feed.heardMs = feed.sharedMs();
  feed.table.heardOfMs[feed.node] = feed.heardMs;
}

function sendHello(feed: Feed, runId: string): void {
  const histories = encodeNumbers(feed.lanes.map(({ history }) => history));
  const payload = Buffer.concat([Buffer.from(runId, 'latin1'), histories]);
  sendFrame(feed, FRAME_HELLO, 0, feed.lanes.length, 0, payload);
}

/** Lanes whose earlier place is there yet go on from it, and their slots with them. */
function resumeLanes(feed: Feed, runId: string, resume: ResumePoint | undefined): void {
  const { lanes, slotShard } = feed;
  const goesOn = lanes.map(
    (lane) => resume !== undefined && resume.runId === runId && resumeLane(lane, resume),
  );
  const slots = new Uint8Array(SLOT_COUNT);
  for (let slot = 0; slot < SLOT_COUNT; slot += 1) {
    if (resume === undefined || resume.slots[slot] === 0) continue;
    if (!goesOn[slotShard[slot]] || !isToHave(feed, slot)) continue;
    slots[slot] = 1;
    feed.states[slot] = SENT;
    feed.unsynced += 1;
  }
  sendFrame(feed, FRAME_RESUMED, 0, 0, 0, encodeSlotBits(slots));
  for (let slot = 0; slot < SLOT_COUNT; slot += 1) if (slots[slot] !== 0) feed.wholeAt[slot] = feed.sentBytes;
}

function resumeLane(lane: Lane, { lsns, histories }: ResumePoint): boolean {
  const { shard, backlog } = lane;
  if (shard.index >= lsns.length || histories[shard.index] !== lane.history) return false;
  acquireShard(shard);
  const place = findPlace(backlog, lsns[shard.index] + 1);
  releaseShard(shard);
  if (place === undefined) return false;
  lane.position = place.position;
  lane.lsn = place.lsn;
  lane.toldLsn = lsns[shard.index];
  return true;
}

/** Which slots the replica is to have, as the topology is now. About 0.1 ms, when it has changed. */
function chooseSlots(feed: Feed): void {
  feed.version = feed.table.words[TABLE_VERSION];
  let unfed: Uint8Array | undefined;
  for (let slot = 0; slot < SLOT_COUNT; slot += 1) {
    const isFed = feed.states[slot] !== NOT_FED;
    if (isFed === isToHave(feed, slot)) continue;
    if (isFed) {
      stopFeeding(feed, slot);
      unfed ??= new Uint8Array(SLOT_COUNT);
      unfed[slot] = 1;
    } else awaitCopy(feed, slot);
  }
  // Before any record: the replica may hear of this topology late, or only of one in which it is to have them again.
  if (unfed !== undefined) sendFrame(feed, FRAME_UNFED, 0, 0, 0, encodeSlotBits(unfed));
}

function isToHave({ table, node }: Feed, slot: number): boolean {
  if ((table.roles[slot] & ROLE_OWNER) === 0) return false;
  if (table.targets[slot] === node) return true;
  for (const ranked of table.replicas) if (ranked[slot] === node) return true;
  return false;
}

function awaitCopy(feed: Feed, slot: number): void {
  if (feed.states[slot] !== NOT_FED) stopFeeding(feed, slot);
  feed.states[slot] = AWAITS_COPY;
  feed.awaiting[feed.slotShard[slot]] += 1;
}

function stopFeeding(feed: Feed, slot: number): void {
  const { states, wholeAt, table, node } = feed;
  const lane = feed.lanes[feed.slotShard[slot]];
  if (states[slot] === AWAITS_COPY) feed.awaiting[lane.shard.index] -= 1;
  if (states[slot] === COPIED && lane.copy !== undefined) lane.copy.slots[slot] = 0;
  if (states[slot] === SENT && !isSyncedTo(table, node, slot)) feed.unsynced -= 1;
  states[slot] = NOT_FED;
  wholeAt[slot] = Infinity;
  setSyncedTo(table, node, slot, false);
}

/** From here on the replica gets the changes of these slots, too. */
function startCopy(feed: Feed, lane: Lane): void {
  const { states, slotShard, board, node, table } = feed;
  const { index } = lane.shard;
  const slots = new Uint8Array(SLOT_COUNT);
  for (let slot = 0; slot < SLOT_COUNT; slot += 1) {
    if (states[slot] !== AWAITS_COPY || slotShard[slot] !== index) continue;
    slots[slot] = 1;
    states[slot] = COPIED;
  }
  feed.awaiting[index] = 0;
  beginCopy(lane, slots);
  setFeedNumber(board, node, FEED_COPIES, feedNumber(board, node, FEED_COPIES) + 1);
  sendFrame(feed, FRAME_COPY, index, lane.history, table.numbers[TOPOLOGY_EPOCH], encodeSlotBits(slots));
}

/** What the replica has not got of a shard is not there any more: all of its slots are copied anew. */
function restart(feed: Feed, lane: Lane): void {
  const { states, slotShard } = feed;
  for (let slot = 0; slot < SLOT_COUNT; slot += 1) {
    if (slotShard[slot] === lane.shard.index && states[slot] >= COPIED) awaitCopy(feed, slot);
  }
}

function sendLook(feed: Feed, lane: Lane, look: Look): void {
  const end = sendRecords(feed, lane, look);
  if (end === 0 && look.ringBytes > 0) {
    // A record that is longer than what was taken: its size is in its header.
    lane.lookBytes = recordSpan(look.records, 0);
    assert(lane.lookBytes > look.ringBytes, 'a backlog holds whole records');
    return;
  }
  const { slice, sliceLsn } = look;
  if (slice.count > 0) {
    sendFrame(feed, FRAME_SLICE, lane.shard.index, slice.count, sliceLsn, slice.bytes, slice.length);
  }
  if (look.isCopied) endCopy(feed, lane, look.sliceLsn);
}

/** Sends the records that are the replica's of those that were taken; how many bytes of the backlog that were. */
function sendRecords(feed: Feed, lane: Lane, look: Look): number {
  const { records, ringBytes, recordsEnd } = look;
  const frame = {
    bytes: Buffer.allocUnsafe(FRAME_HEADER_BYTES + recordsEnd),
    length: FRAME_HEADER_BYTES,
    count: 0,
  };
  let at = 0;
  let ringEnd = 0;
  for (let lsn = lane.lsn; at < recordsEnd; lsn += 1) {
    const next = decodeRecord(records, at, recordsEnd, view);
    if (next < 0) break;
    if (lsn > lane.toldLsn) {
      if (view.effect === EFFECT_FLUSH) sendEmptied(feed, lane, frame, lsn);
      else if (view.effect !== EFFECT_SWAP && isFed(feed, records)) {
        records.copy(frame.bytes, frame.length, at, next);
        frame.length += next - at;
        frame.count += 1;
      }
      lane.toldLsn = lsn;
    }
    at = next;
    if (at <= ringBytes) {
      ringEnd = at;
      lane.lsn = lsn + 1;
    }
  }
  lane.position += ringEnd;
  lane.lookBytes = REPLICATION_LOOK_BYTES;
  if (lane.toldLsn > lane.announcedLsn) sendFilled(feed, lane, frame);
  return ringEnd;
}

type RecordsFrame = { bytes: Buffer; length: number; count: number };

/** Whether the replica gets the record in `view`. A cluster has database 0 only. */
function isFed({ states }: Feed, records: Buffer): boolean {
  return view.database === 0 && states[slotOfKey(records, view.keyStart, view.keyEnd)] >= COPIED;
}

/** The shard was emptied: what came before goes out first, then word of that for the slots that the replica has of it. */
function sendEmptied(feed: Feed, lane: Lane, frame: RecordsFrame, lsn: number): void {
  if (view.database !== 0) return;
  sendFilled(feed, lane, frame);
  const slots = new Uint8Array(SLOT_COUNT);
  for (let slot = 0; slot < SLOT_COUNT; slot += 1) {
    if (feed.slotShard[slot] === lane.shard.index && feed.states[slot] >= COPIED) slots[slot] = 1;
  }
  sendFrame(feed, FRAME_EMPTIED, lane.shard.index, 0, lsn, encodeSlotBits(slots));
  frame.bytes = Buffer.allocUnsafe(frame.bytes.length);
  frame.length = FRAME_HEADER_BYTES;
  frame.count = 0;
}

function sendFilled(feed: Feed, lane: Lane, { bytes, length, count }: RecordsFrame): void {
  lane.announcedLsn = lane.toldLsn;
  encodeFrameHeader(
    bytes,
    0,
    FRAME_RECORDS,
    length - FRAME_HEADER_BYTES,
    lane.shard.index,
    count,
    lane.toldLsn,
  );
  sendBytes(feed, bytes.subarray(0, length));
}

function endCopy(feed: Feed, lane: Lane, lsn: number): void {
  const { states, slotShard } = feed;
  const slots = new Uint8Array(SLOT_COUNT);
  for (let slot = 0; slot < SLOT_COUNT; slot += 1) {
    if (states[slot] !== COPIED || slotShard[slot] !== lane.shard.index) continue;
    slots[slot] = 1;
    states[slot] = SENT;
    feed.unsynced += 1;
  }
  lane.copy = undefined;
  sendFrame(feed, FRAME_WHOLE, lane.shard.index, 0, lsn, encodeSlotBits(slots));
  for (let slot = 0; slot < SLOT_COUNT; slot += 1) if (slots[slot] !== 0) feed.wholeAt[slot] = feed.sentBytes;
}

function noteSynced(feed: Feed): void {
  const { states, wholeAt, table, node, takenBytes } = feed;
  for (let slot = 0; slot < SLOT_COUNT; slot += 1) {
    if (states[slot] !== SENT || wholeAt[slot] > takenBytes || isSyncedTo(table, node, slot)) continue;
    setSyncedTo(table, node, slot, true);
    feed.unsynced -= 1;
  }
}

function sendFrame(
  feed: Feed,
  kind: number,
  shard: number,
  count: number,
  lsn: number,
  payload: Uint8Array,
  payloadBytes = payload.length,
): void {
  sendBytes(feed, encodeFrame(kind, shard, count, lsn, payload.subarray(0, payloadBytes)));
}

function sendBytes(feed: Feed, bytes: Buffer): void {
  feed.sentBytes += bytes.length;
  feed.sentMs = feed.sharedMs();
  setFeedNumber(feed.board, feed.node, FEED_SENT_BYTES, feed.sentBytes);
  feed.send(bytes);
}
