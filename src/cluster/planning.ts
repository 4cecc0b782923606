/**
 * What the steps of a plan (plan.ts) work on, and how they name things to people. Pure.
 */
import type { PlacedNode, Placement } from './placement.ts';
import type { Topology, TopologyNode } from './topology.ts';
import type { TopologyDraft } from './topology-draft.ts';

/** What a plan has to know of a node that is alive. */
export type PlannedMember = Omit<TopologyNode, 'index'> & { readonly isStopping?: boolean };

/** What a node says of its replicas of another's slots. */
export type ReplicaProgress = {
  /** By slot, not 0: it has had all of the slot, and everything since in order. */
  readonly isInSync: Uint8Array;
  /** By shard of the owner: up to which LSN the node has what it got of that shard. */
  readonly lsns: readonly number[];
};

export type PlanInput = {
  readonly topology: Topology;
  /** The nodes whose leases are alive, by id. */
  readonly members: ReadonlyMap<string, PlannedMember>;
  /** How many nodes are to hold a copy of each slot besides its owner. */
  readonly replicas: number;
  /** Whether no node has come or gone lately. */
  readonly isSettled: boolean;
  /** For how many milliseconds a node of the topology, by index, has been gone. */
  readonly goneForMs: (index: number) => number;
  /**
   * What the first node has of the other's slots. 'awaited': it may be known soon, and is worth waiting for; undefined: it
   * could not be had.
   */
  readonly progress: (replica: number, owner: number) => ReplicaProgress | 'awaited' | undefined;
  readonly place: (nodes: readonly PlacedNode[]) => Placement;
  /** Which of an owner's shards a slot is in, when it has so many: a table by slot. */
  readonly shardsOfSlots: (shards: number) => Uint16Array;
};

export type Plan = {
  /** What to commit; undefined: nothing is to change now. */
  readonly next: Topology | undefined;
  /** What it changes, in words, a line for each kind. */
  readonly lines: readonly string[];
  /** Slots whose owner is gone: those for which an answer is awaited, and those of which nobody else has a whole copy. */
  readonly awaitedSlots: number;
  readonly lostSlots: number;
  /** Slots that are not yet as the ring wants them. */
  readonly unfinishedSlots: number;
};

/** A plan in the making. */
export type Planning = {
  readonly input: PlanInput;
  readonly draft: TopologyDraft;
  /** By index, 1: its lease is alive. */
  readonly isAlive: Uint8Array;
  readonly placement: Placement;
  readonly lines: string[];
  awaitedSlots: number;
  lostSlots: number;
  unfinishedSlots: number;
};

const NAME_DIGITS = 8;

/** How lines call a node: the beginning of its id. */
export function nodeName(draft: Topology, index: number): string {
  const node = draft.nodes.find((candidate) => candidate.index === index);
  return node === undefined ? `${index}` : shortId(node.id);
}

/** The first digits of an id, which are enough for people. */
export function shortId(id: string): string {
  return id.slice(0, NAME_DIGITS);
}

/** A count with its noun. */
export function slotsText(count: number): string {
  return count === 1 ? '1 slot' : `${count} slots`;
}
