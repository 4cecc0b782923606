/**
 * The node's copy of the cluster's topology, in memory that all threads share: for each slot who owns it, who has replicas of it,
 * what it is to this node, and how far its replicas are.
 *
 * The cluster agent on main writes the topology, whole, whenever it changes; every thread reads it, for every command, with
 * plain loads. A reader may see some slots before a change and others behind it, as it would a moment earlier or later; of
 * one slot it may see a new role with an old owner for some nanoseconds, which costs a client a redirection. Who is in sync is
 * written by the threads that run the links of replication, each its own slots or node.
 *
 * In bytes:
 *
 *   0         32        64       +16384   +16384 x 3 +16384    +16384  +16384        +16384      +2048 x 255  +8 x 255
 *  ┌─────────┬─────────┬────────┬────────┬──────────┬─────────┬───────┬─────────────┬───────────┬────────────┬──────────┐
 *  │ 8 words │ 4 x f64 │ (free) │ owners │ replicas │ targets │ roles │ synced from │ failovers │ synced to  │ heard of │
 *  └─────────┴─────────┴────────┴────────┴──────────┴─────────┴───────┴─────────────┴───────────┴────────────┴──────────┘
 *
 * Nodes are named by their index (0 to NODES_MAX - 1), which a node keeps as long as it is in the cluster's topology; what they
 * are called and where they listen goes to each thread over the bus.
 */
import { assert } from '../base/assert.ts';
import { SLOT_COUNT } from './slot.ts';

/** An index fits a byte, and NO_NODE is none. */
export const NODES_MAX = 255;
export const NO_NODE = 255;
/** The most replicas that a slot may have. */
export const REPLICAS_MAX = 3;

/** Words. It changes with every change of the table, and last. */
export const TABLE_VERSION = 0;
/** This node's index; NO_NODE until it is in the topology. */
export const OWN_INDEX = 1;
/** 1 while every slot has an owner that is alive. */
export const IS_COVERED = 2;
/** Changes with every failover of some slot that this node hears of. */
export const FAILOVERS = 3;

/** Numbers: the topology's epoch, 0 without one. */
export const TOPOLOGY_EPOCH = 0;
/**
 * Until when this node may act as an owner, in milliseconds of `sharedMs` (base/clock.ts): its lease has not ended before. 0 without
 * one.
 */
export const LEASE_ENDS_MS = 1;

/** What a slot is to this node, as bits: nothing (0); its own. */
export const ROLE_OWNER = 1;
/** Its own, but all of it is with the slot's target already, who is about to own it: clients are asked to go there. */
export const ROLE_HANDING_OVER = 2;
/** It holds a replica, or is to. */
export const ROLE_REPLICA = 4;
/** It is the target: the slot is about to become its own. */
export const ROLE_IMPORTING = 8;

const WORDS = 8;
const NUMBERS = 4;
const NUMBERS_AT = 32;
const SLOTS_AT = 64;
const SLOT_BYTES = 1 + REPLICAS_MAX + 1 + 1 + 1 + 1;
const BITS_BYTES = SLOT_COUNT / 8;
const SYNCED_TO_AT = SLOTS_AT + SLOT_COUNT * SLOT_BYTES;
const HEARD_OF_AT = SYNCED_TO_AT + NODES_MAX * BITS_BYTES;
const TABLE_BYTES = HEARD_OF_AT + NODES_MAX * Float64Array.BYTES_PER_ELEMENT;

assert(WORDS * Int32Array.BYTES_PER_ELEMENT <= NUMBERS_AT, 'the words end before the numbers');
assert(HEARD_OF_AT % Float64Array.BYTES_PER_ELEMENT === 0, 'the times are aligned');
assert(NUMBERS_AT + NUMBERS * Float64Array.BYTES_PER_ELEMENT <= SLOTS_AT, 'the numbers end before the slots');

/** One thread's views. */
export type NodeTable = {
  readonly words: Int32Array;
  readonly numbers: Float64Array;
  /** By slot: the index of the owner, or NO_NODE. */
  readonly owners: Uint8Array;
  /** By rank and then slot: the indices of those who hold replicas, or are to, or NO_NODE. */
  readonly replicas: readonly Uint8Array[];
  /** By slot: who is to become the owner, or NO_NODE. */
  readonly targets: Uint8Array;
  /** By slot: bits of ROLE_*. */
  readonly roles: Uint8Array;
  /**
   * By slot: of which owner this node has a whole replica, one that has had everything that the owner had at some time, and all since
   * then in order; or NO_NODE. Written by the thread that takes in the owner's stream; main takes it back when the owner is another.
   */
  readonly syncedFrom: Uint8Array;
  /**
   * By slot: how often it has got another owner because the one before was gone, modulo 256. What was changed before and had reached no
   * replica is lost then; an owner that hands a slot over leaves nothing behind.
   */
  readonly failovers: Uint8Array;
  /** By node and then slot, a bit each: which slots of this node's the other has whole. Written by the thread that feeds it. */
  readonly syncedTo: Uint8Array;
  /** By node: when the thread that feeds it last heard of it, in milliseconds of `sharedMs`; 0 for never, or not fed. */
  readonly heardOfMs: Float64Array;
};

/** A topology without nodes. */
export function createNodeTableBuffer(): SharedArrayBuffer {
  const buffer = new SharedArrayBuffer(TABLE_BYTES);
  const table = openNodeTable(buffer);
  table.words[OWN_INDEX] = NO_NODE;
  for (const nodes of [table.owners, ...table.replicas, table.targets, table.syncedFrom]) nodes.fill(NO_NODE);
  return buffer;
}

export function openNodeTable(buffer: SharedArrayBuffer): NodeTable {
  const bytesAt = (index: number) => new Uint8Array(buffer, SLOTS_AT + index * SLOT_COUNT, SLOT_COUNT);
  return {
    words: new Int32Array(buffer, 0, WORDS),
    numbers: new Float64Array(buffer, NUMBERS_AT, NUMBERS),
    owners: bytesAt(0),
    replicas: Array.from({ length: REPLICAS_MAX }, (_, rank) => bytesAt(1 + rank)),
    targets: bytesAt(1 + REPLICAS_MAX),
    roles: bytesAt(2 + REPLICAS_MAX),
    syncedFrom: bytesAt(3 + REPLICAS_MAX),
    failovers: bytesAt(4 + REPLICAS_MAX),
    syncedTo: new Uint8Array(buffer, SYNCED_TO_AT, NODES_MAX * BITS_BYTES),
    heardOfMs: new Float64Array(buffer, HEARD_OF_AT, NODES_MAX),
  };
}

/** Tells that the table has changed: what was written before is seen by whoever sees the new version. */
export function publishNodeTable({ words }: NodeTable): void {
  Atomics.add(words, TABLE_VERSION, 1);
}

/** How many slots have the role for this node. */
export function countRole({ roles }: NodeTable, role: number): number {
  let count = 0;
  for (const bits of roles) if ((bits & role) !== 0) count += 1;
  return count;
}

/** Whether the node has the slot, which is this node's, whole. */
export function isSyncedTo(table: NodeTable, node: number, slot: number): boolean {
  return (table.syncedTo[node * BITS_BYTES + (slot >>> 3)] & (1 << (slot & 7))) !== 0;
}

export function setSyncedTo(table: NodeTable, node: number, slot: number, isSynced: boolean): void {
  const at = node * BITS_BYTES + (slot >>> 3);
  const bit = 1 << (slot & 7);
  table.syncedTo[at] = isSynced ? table.syncedTo[at] | bit : table.syncedTo[at] & ~bit;
}

/** Nothing that this node has is known to be whole of the node's, nor the other way round. */
export function forgetSynced({ syncedTo, syncedFrom }: NodeTable, node: number): void {
  syncedTo.fill(0, node * BITS_BYTES, (node + 1) * BITS_BYTES);
  for (let slot = 0; slot < SLOT_COUNT; slot += 1) if (syncedFrom[slot] === node) syncedFrom[slot] = NO_NODE;
}

/** Whether this node has a whole replica of the slot. */
export function isInSync(table: NodeTable, slot: number): boolean {
  const owner = table.owners[slot];
  return owner !== NO_NODE && table.syncedFrom[slot] === owner;
}

/** Whether the slot is this node's and is not being handed over. */
export function isOwn(roles: Uint8Array, slot: number): boolean {
  return (roles[slot] & (ROLE_OWNER | ROLE_HANDING_OVER)) === ROLE_OWNER;
}
