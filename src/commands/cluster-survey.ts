/**
 * Where the keys of a command, or of a whole transaction, are: one record per thread, filled anew for each.
 *
 * Runs on the thread of the connection. Allocates nothing.
 */
import {
  isInSync,
  NO_NODE,
  type NodeTable,
  ROLE_HANDING_OVER,
  ROLE_IMPORTING,
  ROLE_OWNER,
  ROLE_REPLICA,
} from '../routing/node-table.ts';
import { slotOfKey } from '../routing/slot.ts';
import type { Call, Command } from './call.ts';
import { findKeyPlaces, firstPlace, nextPlace } from './key-places.ts';

/** Places that are no index of another node: this node. */
export const HERE = -1;
/** This node before long: the slot is on its way. */
export const COMING = -2;
/** No node owns it. */
const UNSERVED = -3;
/** Of several keys: not all in one place. */
export const MIXED = -4;
/** Added to a node's index: the node is about to own the slot, and has all of it. */
export const ASKED = 256;

/** What was found so far. */
export type Survey = {
  keys: number;
  /** Of the first key. */
  slot: number;
  isOneSlot: boolean;
  /** Of all keys: HERE, COMING, UNSERVED, MIXED, the index of a node, or that and ASKED. */
  place: number;
  /** Of the first key that is not here; -1 where all are. */
  slotElsewhere: number;
  isFirstUnserved: boolean;
  hasUnserved: boolean;
  /** Some slot is between two nodes. */
  hasPassing: boolean;
  /** This node has whole replicas of all slots that are not its own. */
  isReplicated: boolean;
};

/**
 * What the client may have of slots that this node does not own: replicas, if it reads; those on their way, if it asks (ASKING). Of channels
 * nothing is handed over: their slots are the owner's up to the end.
 */
export type Claim = { mayReadReplicas: boolean; isAsking: boolean; isOfChannels: boolean };

export const survey: Survey = {
  keys: 0,
  slot: 0,
  isOneSlot: true,
  place: HERE,
  slotElsewhere: -1,
  isFirstUnserved: false,
  hasUnserved: false,
  hasPassing: false,
  isReplicated: true,
};

/** Forgets what was found. */
export function beginSurvey(): void {
  survey.keys = 0;
  survey.isOneSlot = true;
  survey.place = HERE;
  survey.slotElsewhere = -1;
  survey.hasUnserved = false;
  survey.hasPassing = false;
  survey.isReplicated = true;
}

/** Adds the keys of the command that `call` is about. */
export function addKeys(
  call: Call,
  command: Pick<Command, 'firstKey' | 'lastKey' | 'keyStep' | 'movable'>,
  table: NodeTable,
  claim: Claim,
): void {
  const { input, spans } = call;
  const places = findKeyPlaces(call, command);
  for (let index = firstPlace(places); index > 0; index = nextPlace(places, index)) {
    addSlot(table, slotOfKey(input, spans[2 * index], spans[2 * index + 1]), claim);
  }
}

function addSlot(table: NodeTable, slot: number, claim: Claim): void {
  const place = placeOf(table, slot, claim);
  if (survey.keys === 0) {
    survey.slot = slot;
    survey.isFirstUnserved = place === UNSERVED;
    survey.place = place;
  } else {
    if (slot !== survey.slot) survey.isOneSlot = false;
    if (place !== survey.place) survey.place = MIXED;
  }
  if (place !== HERE) {
    if (survey.slotElsewhere < 0) survey.slotElsewhere = slot;
    if (place === UNSERVED) survey.hasUnserved = true;
    if (place === COMING || place >= ASKED) survey.hasPassing = true;
    if (!hasReplica(table, slot)) survey.isReplicated = false;
  }
  survey.keys += 1;
}

function placeOf(table: NodeTable, slot: number, { mayReadReplicas, isAsking, isOfChannels }: Claim): number {
  const role = table.roles[slot];
  if ((role & ROLE_OWNER) !== 0) {
    if ((role & ROLE_HANDING_OVER) === 0 || isOfChannels) return HERE;
    // Without a target it goes to one of its replicas, and clients wait for those moments.
    return table.targets[slot] === NO_NODE ? COMING : ASKED + table.targets[slot];
  }
  if (isAsking && (role & ROLE_IMPORTING) !== 0) return COMING;
  if (mayReadReplicas && hasReplica(table, slot)) return HERE;
  const owner = table.owners[slot];
  return owner === NO_NODE ? UNSERVED : owner;
}

function hasReplica(table: NodeTable, slot: number): boolean {
  return (table.roles[slot] & ROLE_REPLICA) !== 0 && isInSync(table, slot);
}
