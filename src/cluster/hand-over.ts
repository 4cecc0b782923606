/**
 * Giving slots to the nodes that are to own them, once those have them whole.
 *
 *            the target has it whole       all it had is acknowledged,
 *   ┌───────┐ clients are sent there ┌──────────────┐ one transaction ┌───────────────┐
 *   │ owner │ ─────────────────────► │ handing over │ ──────────────► │ not its owner │
 *   └───────┘ ◄───────────────────── └──────────────┘                 └───────────────┘
 *              it took too long, or was refused
 *
 * Main thread of the owner. The fence: once a slot's role says that it is being handed over, and every thread has passed from one
 * event to the next since, no command changes it here any more; so the LSNs that the shards have then are the last that the target has
 * to acknowledge. Some slots at a time, so that clients wait for a few milliseconds.
 */

import type { ClusterView } from '../commands/cluster-view.ts';
import type { Engine } from '../commands/engine.ts';
import {
  HAND_OVER_LOOK_MS,
  HAND_OVER_MS_MAX,
  HAND_OVER_SLOTS_MAX,
  HAND_OVER_TICK_MS,
} from '../config/limits-cluster.ts';
import {
  isSyncedTo,
  NO_NODE,
  type NodeTable,
  OWN_INDEX,
  publishNodeTable,
  ROLE_HANDING_OVER,
  ROLE_OWNER,
} from '../routing/node-table.ts';
import { acknowledgedLsn, type ReplicationBoard } from '../routing/replication-board.ts';
import { SLOT_COUNT } from '../routing/slot.ts';
import { LSN } from '../shard/layout.ts';
import type { Topology } from './topology.ts';
import { handOverSlots } from './topology-draft.ts';

/** Main's. */
export type HandOverEngine = Pick<Engine, 'bus' | 'shards' | 'slotShard' | 'workerCount' | 'log'>;

/** What a hand-over needs of the node that it is done by. */
export type HandOverOptions = {
  readonly engine: HandOverEngine;
  readonly cluster: ClusterView;
  readonly board: ReplicationBoard;
  /** The topology as it is known now. */
  readonly topology: () => Topology | undefined;
  /** Puts a topology in the place of the one that it was made from; whether it is in force. */
  readonly commit: (next: Topology) => Promise<boolean>;
  readonly pause: (ms: number) => Promise<void>;
};

export type HandOver = {
  readonly options: HandOverOptions;
  isBusy: boolean;
  isStopped: boolean;
  timer: NodeJS.Timeout | undefined;
  /** Slots that were handed over since the start, and hand-overs that were taken back. */
  handedSlots: number;
  takenBack: number;
};

/** To all threads, which answer once they have done what they were at. */
const TOPIC_FENCE = 'cluster-fence';

/** On each thread, once: answers the fence. */
export function answerFences({ bus }: Pick<Engine, 'bus'>): void {
  bus.handle(TOPIC_FENCE, () => true);
}

/** Hands over whatever can be, now and from time to time. */
export function startHandOver(options: HandOverOptions): HandOver {
  const handOver: HandOver = {
    ...{ options, isBusy: false, isStopped: false, timer: undefined },
    ...{ handedSlots: 0, takenBack: 0 },
  };
  handOver.timer = setInterval(() => void handOverDue(handOver), HAND_OVER_TICK_MS);
  handOver.timer.unref();
  return handOver;
}

export function stopHandOver(handOver: HandOver): void {
  handOver.isStopped = true;
  clearInterval(handOver.timer);
}

/** Hands over all that is due, batch after batch, until one cannot be. Never rejects. */
export function handOverDue(handOver: HandOver): Promise<boolean> {
  return handOverEach(handOver, HAND_OVER_SLOTS_MAX, targetOf);
}

/**
 * Gives the slots of this node to nodes that have whole replicas of them: all of which there are such, because it is about to stop, or
 * those of `only`, which has asked for them. Resolves to whether there were any, and all of them went.
 */
export async function handOverReplicated(handOver: HandOver, only?: number): Promise<boolean> {
  // What is under way ends soon.
  while (handOver.isBusy && !handOver.isStopped) await handOver.options.pause(HAND_OVER_LOOK_MS);
  return handOverEach(handOver, SLOT_COUNT, (options, slot) => replicaOf(options, slot, only));
}

type HeirOf = (options: HandOverOptions, slot: number) => number;

/** Whether there was something, and all of it went. */
async function handOverEach(handOver: HandOver, slotsMax: number, heirOf: HeirOf): Promise<boolean> {
  if (handOver.isBusy || handOver.isStopped) return false;
  handOver.isBusy = true;
  try {
    let hasGiven = false;
    for (;;) {
      const batch = nextBatch(handOver.options, slotsMax, heirOf);
      if (batch.slots.length === 0) return hasGiven;
      if (!(await handOverBatch(handOver, batch)) || handOver.isStopped) return false;
      hasGiven = true;
    }
  } finally {
    handOver.isBusy = false;
  }
}

/** Slots that go to one heir. */
type Batch = { readonly slots: readonly number[]; readonly heir: number };

function nextBatch(options: HandOverOptions, slotsMax: number, heirOf: HeirOf): Batch {
  const { roles } = options.cluster.table;
  const slots: number[] = [];
  let heir = NO_NODE;
  for (let slot = 0; slot < SLOT_COUNT && slots.length < slotsMax; slot += 1) {
    if ((roles[slot] & ROLE_OWNER) === 0) continue;
    const next = heirOf(options, slot);
    if (next === NO_NODE || (heir !== NO_NODE && next !== heir)) continue;
    heir = next;
    slots.push(slot);
  }
  return { slots, heir };
}

/** The slot's target, if that has it whole. */
function targetOf({ cluster }: HandOverOptions, slot: number): number {
  const target = cluster.table.targets[slot];
  return target !== NO_NODE && isReady(cluster, target, slot) ? target : NO_NODE;
}

/** A node that has a whole replica of the slot: `only`, or the first. */
function replicaOf({ cluster }: HandOverOptions, slot: number, only: number | undefined): number {
  for (const ranked of cluster.table.replicas) {
    const node = ranked[slot];
    if (node === NO_NODE || (only !== undefined && node !== only)) continue;
    if (isReady(cluster, node, slot)) return node;
  }
  return NO_NODE;
}

function isReady({ table, nodes }: ClusterView, node: number, slot: number): boolean {
  return nodes[node]?.isAlive === true && isSyncedTo(table, node, slot);
}

/** Whether they are the heir's now; else they are this node's again, unless something else has become of them. */
async function handOverBatch(handOver: HandOver, batch: Batch): Promise<boolean> {
  const { options } = handOver;
  const { slots, heir } = batch;
  const { table, nodes } = options.cluster;
  markHandedOver(table, slots, true);
  const deadlineMs = options.cluster.sharedMs() + HAND_OVER_MS_MAX;
  const name = nodes[heir]?.id ?? heir;
  if ((await isAllThere(options, batch, deadlineMs)) && (await commitBatch(options, batch, deadlineMs))) {
    handOver.handedSlots += slots.length;
    options.engine.log.notice(`${slots.length} slots were handed over to node ${name}`);
    return true;
  }
  markHandedOver(table, slots, false);
  handOver.takenBack += 1;
  options.engine.log.warning(`${slots.length} slots could not be handed over to node ${name} and stay here`);
  return false;
}

/** Once more with each topology that somebody else has put in force in between. */
async function commitBatch(options: HandOverOptions, batch: Batch, deadlineMs: number): Promise<boolean> {
  let triedEpoch = -1;
  while (options.cluster.sharedMs() <= deadlineMs) {
    const next = nextTopology(options, batch);
    if (next === undefined) return false;
    if (next.epoch !== triedEpoch && (await options.commit(next))) return true;
    triedEpoch = next.epoch;
    await options.pause(HAND_OVER_LOOK_MS);
  }
  return false;
}

/**
 * As the topology is now. A topology that came meanwhile has taken the mark from slots that go elsewhere, or not at all; and the heir may
 * have lost what it had.
 */
function nextTopology({ topology, cluster }: HandOverOptions, { slots, heir }: Batch): Topology | undefined {
  const present = topology();
  const { table } = cluster;
  const own = table.words[OWN_INDEX];
  const areAsBefore = slots.every(
    (slot) =>
      present?.owners[slot] === own &&
      (table.roles[slot] & ROLE_HANDING_OVER) !== 0 &&
      isReady(cluster, heir, slot),
  );
  return present === undefined || !areAsBefore ? undefined : handOverSlots(present, slots, heir);
}

function markHandedOver(table: NodeTable, slots: readonly number[], isOn: boolean): void {
  for (const slot of slots) {
    if (!isOn) table.roles[slot] &= ~ROLE_HANDING_OVER;
    else if ((table.roles[slot] & ROLE_OWNER) !== 0) table.roles[slot] |= ROLE_HANDING_OVER;
  }
  publishNodeTable(table);
}

/** Waits for the fence, and until the heir has acknowledged what the shards of the slots had then; not for ever. */
async function isAllThere(
  options: HandOverOptions,
  { slots, heir }: Batch,
  deadlineMs: number,
): Promise<boolean> {
  const { engine, cluster, board, pause } = options;
  const passed = await engine.bus.requestAll(TOPIC_FENCE, null);
  // A thread that did not answer may be in the middle of a command.
  if (passed.length < engine.workerCount + 1) return false;
  const shards = [...new Set(slots.map((slot) => engine.slotShard[slot]))];
  const lsns = shards.map((index) => engine.shards[index].numbers[LSN]);
  const hasAll = () => shards.every((shard, index) => acknowledgedLsn(board, heir, shard) >= lsns[index]);
  while (!hasAll()) {
    if (cluster.sharedMs() > deadlineMs) return false;
    await pause(HAND_OVER_LOOK_MS);
  }
  return slots.every((slot) => isReady(cluster, heir, slot));
}
