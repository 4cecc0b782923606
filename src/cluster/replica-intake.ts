/**
 * One owner as its replica sees it: what comes in of the owner's stream is done to this node's own shards.
 *
 * Runs on the worker of the replica that has the link, for some time of a turn only; the shards' locks are held for a few records each.
 * A record is applied only while the slot is the owner's and a replica (or to be imported) here, looked up under the lock: so nothing is
 * applied after this node has become the owner. A slot of which something had to be passed over is copied anew.
 *
 * A slot's life by this link: NOT_FOLLOWED, COMING (a copy is under way), WHOLE, and MISSED (its role ended here in between). The owner hears
 * that a slot has come to MISSED before anything that was passed over is acknowledged: else it would count on a change that is not here.
 */
import type { Buffer } from 'node:buffer';
import { areOpsSane } from '../collections/ops.ts';
import { noteTouched } from '../commands/changes.ts';
import type { ClusterView } from '../commands/cluster-view.ts';
import type { Engine } from '../commands/engine.ts';
import { tellKeyEvents } from '../commands/told-keys.ts';
import { REPLICA_DROP_ENTRIES } from '../config/limits-cluster.ts';
import {
  NO_NODE,
  ROLE_IMPORTING,
  ROLE_OWNER,
  ROLE_REPLICA,
  TABLE_VERSION,
  TOPOLOGY_EPOCH,
} from '../routing/node-table.ts';
import { SLOT_COUNT, slotOfKey } from '../routing/slot.ts';
import { applyRecord } from '../shard/apply.ts';
import { isDrainDue } from '../shard/journal.ts';
import { LSN } from '../shard/layout.ts';
import { acquireShard, releaseShard } from '../shard/lock.ts';
import { createRecordView, decodeRecord, EFFECT_CHANGE, recordType } from '../shard/record.ts';
import type { Shard } from '../shard/shard.ts';
import { dropSlots } from '../shard/slots.ts';
import { POSITIONS } from '../shard/table.ts';
import { drainIfMuch, makeRoomFor } from './replica-room.ts';
import {
  type Acknowledgement,
  createFrameReader,
  decodeNumbers,
  FRAME_COPY,
  FRAME_DAMAGED,
  FRAME_EMPTIED,
  FRAME_HELLO,
  FRAME_INCOMPLETE,
  FRAME_INHERITED,
  FRAME_RECORDS,
  FRAME_RESUMED,
  FRAME_UNFED,
  FRAME_WHOLE,
  type FrameReader,
  hasSlotBit,
  type ResumePoint,
  RUN_ID_BYTES,
  SLOT_BITS_BYTES,
  takeFrame,
} from './replication-frames.ts';

const NOT_FOLLOWED = 0;
const COMING = 1;
const WHOLE = 2;
const MISSED = 3;

export type Intake = {
  readonly engine: Engine;
  readonly cluster: ClusterView;
  /** The owner's index. */
  readonly owner: number;
  reader: FrameReader;
  /** By slot: NOT_FOLLOWED, COMING, ... */
  readonly states: Uint8Array;
  /** Of the owner: its process, and by its shards up to which LSN their records were done here, and in which history. */
  runId: string;
  lsns: Float64Array;
  histories: Float64Array;
  /** By the owner's shards: whether its LSN is to be acknowledged. */
  isChanged: Uint8Array;
  acknowledgedBytes: number;
  /** What the replica drops before anything else is done. */
  drop: Drop | undefined;
  /** A copy waits until this node knows of the topology that it comes of; 0 while none does. Of which of the owner's shards it is. */
  epochAwaited: number;
  copied: { readonly shard: number; readonly history: number };
  /** Slots that the owner takes for followed and that are not, a byte each; undefined: it knows of all. */
  passedOver: Uint8Array | undefined;
  /** The version of the table that the states were looked over by. */
  version: number;
  appliedRecords: number;
  copies: number;
  /** Of this node's changes as an owner, those that its successor never had; set when it is told. */
  unknownToSuccessor: number | undefined;
};

/** Slots that are emptied, a byte each and as a list, in those of this node's shards that they are in. */
type Drop = {
  readonly slots: Uint8Array;
  readonly list: readonly number[];
  readonly shards: readonly number[];
  /** The shard that is at hand, and how far it is. */
  turn: number;
  position: number;
};

/** How `takeIn` ended: all is done; there is more; it waits for the topology; the link must be given up. */
export const TAKEN_ALL = 0;
export const TAKEN_PART = 1;
export const TAKE_WAITS = 2;
export const TAKE_DAMAGED = 3;
export const TAKE_NO_ROOM = 4;
/** The stream goes on with slots that were given up after it was asked for: it has to be asked for anew. */
export const TAKE_OUTDATED = 5;

const view = createRecordView();

export function createIntake(engine: Engine, cluster: ClusterView, owner: number): Intake {
  return {
    ...{ engine, cluster, owner, reader: createFrameReader() },
    states: new Uint8Array(SLOT_COUNT),
    ...{ runId: '', lsns: new Float64Array(0), histories: new Float64Array(0), isChanged: new Uint8Array(0) },
    ...{ acknowledgedBytes: 0, drop: undefined, epochAwaited: 0, version: -1, appliedRecords: 0, copies: 0 },
    ...{ unknownToSuccessor: undefined, passedOver: undefined, copied: { shard: 0, history: 0 } },
  };
}

/** A new link to the owner begins: where the one before ended, if that is worth anything. */
export function beginStream(intake: Intake): ResumePoint | undefined {
  const { states, runId, lsns, histories } = intake;
  intake.reader = createFrameReader();
  intake.acknowledgedBytes = 0;
  intake.drop = undefined;
  intake.passedOver = undefined;
  intake.epochAwaited = 0;
  const slots = new Uint8Array(SLOT_COUNT);
  for (let slot = 0; slot < SLOT_COUNT; slot += 1) {
    if (states[slot] !== WHOLE || !isStillWhole(intake, slot)) states[slot] = NOT_FOLLOWED;
    else slots[slot] = 1;
  }
  return runId === '' ? undefined : { runId, lsns, histories, slots };
}

/** Does what has come to `reader`, until `isTimeOver`. */
export function takeIn(intake: Intake, nowMs: number, isTimeOver: () => boolean): number {
  const { reader, cluster } = intake;
  for (;;) {
    if (intake.epochAwaited > cluster.table.numbers[TOPOLOGY_EPOCH]) return TAKE_WAITS;
    if (intake.drop !== undefined && intake.epochAwaited > 0) beginDrop(intake, intake.drop);
    while (intake.drop !== undefined) {
      if (isTimeOver()) return TAKEN_PART;
      dropMore(intake, intake.drop);
    }
    if (isTimeOver()) return TAKEN_PART;
    const found = takeFrame(reader);
    if (found === FRAME_INCOMPLETE) return TAKEN_ALL;
    if (found === FRAME_DAMAGED) return TAKE_DAMAGED;
    const outcome = takeOne(intake, nowMs);
    if (outcome !== TAKEN_ALL) return outcome;
  }
}

/** What is to be told of what was taken in, once it is in the log; undefined where there is nothing new. */
export function acknowledgement(intake: Intake): Acknowledgement | undefined {
  const { reader, isChanged, lsns } = intake;
  // What waits for the topology or is being dropped has not been done.
  if (intake.drop !== undefined || intake.epochAwaited > 0) return undefined;
  if (reader.takenBytes === intake.acknowledgedBytes) return undefined;
  intake.acknowledgedBytes = reader.takenBytes;
  const told: Acknowledgement = { takenBytes: reader.takenBytes, shards: [], lsns: [] };
  for (let shard = 0; shard < isChanged.length; shard += 1) {
    if (isChanged[shard] === 0) continue;
    isChanged[shard] = 0;
    told.shards.push(shard);
    told.lsns.push(lsns[shard]);
  }
  return told;
}

/** What tells the owner that this node is there. */
export function heartbeat({ acknowledgedBytes }: Intake): Acknowledgement {
  return { takenBytes: acknowledgedBytes, shards: [], lsns: [] };
}

/**
 * Looks over the slots after the topology has changed: of those that are not to be followed any more the owner is told, and of those
 * that are again. About 0.1 ms, when it has changed.
 */
export function reviewSlots(intake: Intake): void {
  const { cluster, states, owner } = intake;
  const { table } = cluster;
  if (intake.version === table.words[TABLE_VERSION]) return;
  intake.version = table.words[TABLE_VERSION];
  for (let slot = 0; slot < SLOT_COUNT; slot += 1) {
    if (states[slot] === NOT_FOLLOWED) continue;
    if (!isTakenIn(intake, slot)) {
      if (states[slot] !== MISSED) passOver(intake, slot);
      if (table.syncedFrom[slot] === owner && (table.roles[slot] & ROLE_OWNER) === 0)
        table.syncedFrom[slot] = NO_NODE;
    } else if (states[slot] === MISSED || (states[slot] === WHOLE && !isStillWhole(intake, slot))) {
      passOver(intake, slot);
      states[slot] = NOT_FOLLOWED;
    }
  }
}

/** What the owner has to be told of slots that were passed over, a byte each, before the next acknowledgement; or undefined. */
export function takePassedOver(intake: Intake): Uint8Array | undefined {
  const { passedOver } = intake;
  intake.passedOver = undefined;
  return passedOver;
}

/** The owner may take the slot for followed. */
function passOver(intake: Intake, slot: number): void {
  intake.states[slot] = MISSED;
  intake.passedOver ??= new Uint8Array(SLOT_COUNT);
  intake.passedOver[slot] = 1;
}

/** Slots that this node has whole from the owner, a byte each. */
export function wholeSlots({ states }: Intake): Uint8Array {
  return states.map((state) => (state === WHOLE ? 1 : 0));
}

/** Whether this node has taken over slots that it had whole, of an owner that is gone. To be asked before `reviewSlots`. */
export function hasInherited({ cluster, states }: Intake): boolean {
  const { roles } = cluster.table;
  return states.some((state, slot) => state === WHOLE && (roles[slot] & ROLE_OWNER) !== 0);
}

/** Main takes `syncedFrom` back when the slot had another owner in between. */
function isStillWhole({ cluster, owner }: Intake, slot: number): boolean {
  return cluster.table.syncedFrom[slot] === owner;
}

/** Whether what the owner says of a slot counts here. */
function isTakenIn({ cluster, owner }: Intake, slot: number): boolean {
  const { table } = cluster;
  const roles = table.roles[slot];
  return (
    (roles & (ROLE_REPLICA | ROLE_IMPORTING)) !== 0 &&
    (roles & ROLE_OWNER) === 0 &&
    table.owners[slot] === owner
  );
}

function takeOne(intake: Intake, nowMs: number): number {
  const { reader, lsns } = intake;
  const { kind, shard } = reader;
  if (kind === FRAME_HELLO) return takeHello(intake);
  if (kind === FRAME_INHERITED) noteInheritance(intake);
  if (kind === FRAME_RESUMED) return takeResumed(intake);
  if (kind === FRAME_UNFED) return takeUnfed(intake);
  const isOfShard = kind >= FRAME_RECORDS && kind <= FRAME_EMPTIED;
  if (!isOfShard) return TAKEN_ALL;
  if (shard >= lsns.length) return TAKE_DAMAGED;
  if (kind === FRAME_COPY || kind === FRAME_WHOLE || kind === FRAME_EMPTIED) {
    if (reader.payloadEnd - reader.payloadStart !== SLOT_BITS_BYTES) return TAKE_DAMAGED;
    if (kind === FRAME_COPY) takeCopy(intake);
    else if (kind === FRAME_WHOLE) takeWhole(intake);
    else takeEmptied(intake);
  } else {
    const outcome = takeRecords(intake, nowMs);
    if (outcome !== TAKEN_ALL) {
      giveUpChanged(intake);
      return outcome;
    }
  }
  // A slice stands at its LSN for the slots that it is of only; but all records up to there came before it.
  if (kind === FRAME_RECORDS) noteLsn(intake, shard, reader.lsn);
  return TAKEN_ALL;
}

function noteLsn({ lsns, isChanged }: Intake, shard: number, lsn: number): void {
  lsns[shard] = lsn;
  isChanged[shard] = 1;
}

function takeHello(intake: Intake): number {
  const { reader } = intake;
  const { bytes, payloadStart, payloadEnd, count } = reader;
  const histories = decodeNumbers(bytes, payloadStart + RUN_ID_BYTES, payloadEnd);
  if (histories === undefined || histories.length !== count) return TAKE_DAMAGED;
  const runId = bytes.toString('latin1', payloadStart, payloadStart + RUN_ID_BYTES);
  if (runId !== intake.runId || count !== intake.lsns.length) {
    intake.runId = runId;
    intake.lsns = new Float64Array(count);
    intake.isChanged = new Uint8Array(count);
    // What an earlier process had sent is no part of what this one counts, even if the stream ends before it says so.
    intake.states.fill(NOT_FOLLOWED);
  }
  intake.histories = histories;
  return TAKEN_ALL;
}

/** Of what an earlier stream kept whole, what goes on; the rest of it is copied anew, and is what it was until then. */
function takeResumed(intake: Intake): number {
  const { reader, states } = intake;
  if (reader.payloadEnd - reader.payloadStart !== SLOT_BITS_BYTES) return TAKE_DAMAGED;
  for (let slot = 0; slot < SLOT_COUNT; slot += 1) {
    if (!hasSlotBit(reader.bytes, reader.payloadStart, slot)) states[slot] = NOT_FOLLOWED;
    else if (states[slot] !== WHOLE) return TAKE_OUTDATED;
  }
  return TAKEN_ALL;
}

/** What comes from here on is without these slots. */
function takeUnfed({ reader, states, cluster, owner }: Intake): number {
  if (reader.payloadEnd - reader.payloadStart !== SLOT_BITS_BYTES) return TAKE_DAMAGED;
  for (let slot = 0; slot < SLOT_COUNT; slot += 1) {
    if (!hasSlotBit(reader.bytes, reader.payloadStart, slot)) continue;
    states[slot] = NOT_FOLLOWED;
    if (cluster.table.syncedFrom[slot] === owner) cluster.table.syncedFrom[slot] = NO_NODE;
  }
  return TAKEN_ALL;
}

/** The slots go once this node knows of the topology that the copy comes of. */
function takeCopy(intake: Intake): void {
  const { reader } = intake;
  intake.drop = createDrop(intake, () => true);
  intake.copied = { shard: reader.shard, history: reader.count };
  intake.epochAwaited = Math.max(1, reader.lsn);
}

function createDrop({ reader, engine }: Intake, isMeant: (slot: number) => boolean): Drop {
  const slots = new Uint8Array(SLOT_COUNT);
  const list: number[] = [];
  const shards = new Set<number>();
  for (let slot = 0; slot < SLOT_COUNT; slot += 1) {
    if (!hasSlotBit(reader.bytes, reader.payloadStart, slot) || !isMeant(slot)) continue;
    slots[slot] = 1;
    list.push(slot);
    shards.add(engine.slotShard[slot]);
  }
  return { slots, list, shards: [...shards], turn: 0, position: 0 };
}

/** The slots that this node is to have are coming. */
function beginDrop(intake: Intake, drop: Drop): void {
  const { states, cluster, owner, copied } = intake;
  intake.epochAwaited = 0;
  intake.histories[copied.shard] = copied.history;
  intake.copies += 1;
  for (const slot of drop.list) {
    if (!isTakenIn(intake, slot)) {
      drop.slots[slot] = 0;
      passOver(intake, slot);
      continue;
    }
    states[slot] = COMING;
    if (cluster.table.syncedFrom[slot] === owner) cluster.table.syncedFrom[slot] = NO_NODE;
  }
}

/** A slice of what is to go; never of a slot that has become this node's own. */
function dropMore(intake: Intake, drop: Drop): void {
  const { engine } = intake;
  if (drop.turn === drop.shards.length) {
    intake.drop = undefined;
    return;
  }
  const shard = engine.shards[drop.shards[drop.turn]];
  drainIfMuch(engine, shard);
  acquireShard(shard);
  try {
    for (const slot of drop.list) if (!isTakenIn(intake, slot)) drop.slots[slot] = 0;
    drop.position = dropSlots(shard, drop.slots, drop.position, REPLICA_DROP_ENTRIES, Infinity);
    if (isDrainDue(shard)) noteTouched(engine.changes, shard);
  } finally {
    releaseShard(shard);
  }
  if (drop.position < POSITIONS) return;
  drop.position = 0;
  drop.turn += 1;
}

function takeWhole(intake: Intake): void {
  const { reader, states, cluster, owner } = intake;
  for (let slot = 0; slot < SLOT_COUNT; slot += 1) {
    if (!hasSlotBit(reader.bytes, reader.payloadStart, slot) || states[slot] !== COMING) continue;
    if (!isTakenIn(intake, slot)) {
      passOver(intake, slot);
      continue;
    }
    states[slot] = WHOLE;
    cluster.table.syncedFrom[slot] = owner;
  }
}

/** The owner's shard was emptied: so are its slots here, which are whole as before. */
function takeEmptied(intake: Intake): void {
  const { states } = intake;
  intake.drop = createDrop(intake, (slot) => states[slot] === COMING || states[slot] === WHOLE);
}

/** Does the records of a frame, holding the lock of a shard as long as they are of one. */
function takeRecords(intake: Intake, nowMs: number): number {
  const { engine, reader } = intake;
  const { bytes, payloadEnd } = reader;
  let held: Shard | undefined;
  let outcome = TAKEN_ALL;
  let at = reader.payloadStart;
  try {
    while (at < payloadEnd && outcome === TAKEN_ALL) {
      at = decodeRecord(bytes, at, payloadEnd, view);
      if (at < 0 || !isSaneChange(bytes)) return TAKE_DAMAGED;
      const slot = slotOfKey(bytes, view.keyStart, view.keyEnd);
      const shard = engine.shards[engine.slotShard[slot]];
      if (held !== shard) {
        if (held !== undefined) leave(engine, held);
        held = undefined;
        acquireShard(shard);
        held = shard;
      }
      outcome = takeRecord(intake, shard, slot, nowMs);
    }
  } finally {
    if (held !== undefined) leave(engine, held);
    if (engine.keyEvents.length !== 0) tellKeyEvents(engine, undefined, 0);
  }
  return outcome;
}

/** Whether the record in `view` can be done to a collection, if it is one of a collection. */
function isSaneChange(bytes: Buffer): boolean {
  if (view.effect !== EFFECT_CHANGE) return true;
  return areOpsSane(recordType(view), bytes, view.valueStart, view.valueEnd);
}

/**
 * Of a frame that was done in part the next stream brings all records again. A string is what the last of its own say, but an element may not
 * come or go twice, and a collection for which there was no room is gone: what has changes of such is copied anew.
 */
function giveUpChanged({ reader, states, cluster, owner }: Intake): void {
  const { bytes, payloadStart, payloadEnd } = reader;
  for (let at = payloadStart; at < payloadEnd; ) {
    at = decodeRecord(bytes, at, payloadEnd, view);
    if (at < 0) return;
    if (view.effect !== EFFECT_CHANGE) continue;
    const slot = slotOfKey(bytes, view.keyStart, view.keyEnd);
    if (states[slot] !== WHOLE) continue;
    states[slot] = NOT_FOLLOWED;
    if (cluster.table.syncedFrom[slot] === owner) cluster.table.syncedFrom[slot] = NO_NODE;
  }
}

function takeRecord(intake: Intake, shard: Shard, slot: number, nowMs: number): number {
  const { engine, states, reader } = intake;
  if (states[slot] !== COMING && states[slot] !== WHOLE) return TAKEN_ALL;
  if (!makeRoomFor(engine, shard, view, reader.bytes, nowMs)) return TAKE_NO_ROOM;
  // Under the lock, and after anything that has given it back.
  if (!isTakenIn(intake, slot)) {
    passOver(intake, slot);
    return TAKEN_ALL;
  }
  if (!applyRecord(shard, view, reader.bytes, nowMs)) return TAKE_NO_ROOM;
  intake.appliedRecords += 1;
  return TAKEN_ALL;
}

function leave(engine: Engine, shard: Shard): void {
  if (isDrainDue(shard)) noteTouched(engine.changes, shard);
  releaseShard(shard);
}

/** The successor tells what it has had of this node's changes: how many it never had, of all slots, at the most. */
function noteInheritance(intake: Intake): void {
  const { reader, engine } = intake;
  const had = decodeNumbers(reader.bytes, reader.payloadStart, reader.payloadEnd);
  // With another number of shards since, there is nothing to compare.
  if (had === undefined || had.length !== engine.shards.length) return;
  let unknown = 0;
  for (const shard of engine.shards) unknown += Math.max(0, shard.numbers[LSN] - had[shard.index]);
  intake.unknownToSuccessor = unknown;
}
