/**
 * The coordinator: the one node that plans for all (plan.ts) and commits what it has planned. Each node has this part; it does
 * something on the one whose id etcd has as the coordinator's, under that node's lease, and tries to become it where there is none.
 *
 * Main thread. It looks around when the state of the cluster has changed, and after a while all the same: soon when something is
 * under way, each second otherwise. One look at a time; a commit that comes too late (somebody else has changed the topology) does
 * nothing, and the next look sees what has changed. So it holds nothing that another coordinator would need.
 */
import {
  CLUSTER_CANDIDATES_MS,
  CLUSTER_LOOK_MS,
  CLUSTER_LOOK_MS_BUSY,
  CLUSTER_LOOK_MS_URGENT,
  CLUSTER_RESIGNED_MS,
  CLUSTER_UNHEARD_MS,
} from '../config/limits-cluster.ts';
import { NO_NODE } from '../routing/node-table.ts';
import { type Census, createCensus, goneForMs, settlesInMs, takeCensus } from './census.ts';
import type { ClusterLog, ClusterState } from './membership.ts';
import { createPlacer } from './placement.ts';
import { planStep } from './plan.ts';
import { type Plan, type PlanInput, type ReplicaProgress, slotsText } from './planning.ts';
import { createTopology, nodeAt, nodeOfId, type Topology } from './topology.ts';

export type CoordinatorOptions = {
  readonly state: ClusterState;
  readonly log: ClusterLog;
  /** How many nodes are to hold a copy of each slot besides its owner. */
  readonly replicas: number;
  readonly sharedMs: () => number;
  /** Whether this node is registered under a lease. */
  readonly isMember: () => boolean;
  /** Becomes the coordinator if there is none; resolves to whether it has. Never rejects. */
  readonly campaign: () => Promise<boolean>;
  /** Makes room for another one. Never rejects. */
  readonly resign: () => Promise<void>;
  /** Puts the next topology in force if nobody has changed it, and this node is the coordinator. Never rejects. */
  readonly commit: (next: Topology) => Promise<boolean>;
  /** What a node has of another's slots, by their ids; undefined where it does not say in time. Never rejects. */
  readonly askProgress: (replicaId: string, ownerId: string) => Promise<ReplicaProgress | undefined>;
  /** Which of so many shards each slot is in. */
  readonly shardsOfSlots: (shards: number) => Uint16Array;
  /** Does something later, unless what it returns is called before. */
  readonly schedule: (ms: number, deed: () => void) => () => void;
};

export type Coordinator = {
  readonly options: CoordinatorOptions;
  readonly census: Census;
  readonly place: PlanInput['place'];
  isDue: boolean;
  isStopped: boolean;
  looking: Promise<void> | undefined;
  cancelLook: () => void;
  /** What was told last. */
  lostSlots: number;
  /** Since when no other node has answered that should, 0: they do. */
  unheardSinceMs: number;
  /** Not before this it tries to become the coordinator again. */
  campaignsFromMs: number;
};

/** Nodes in pairs, as one number: who has a replica, and of whose slots. */
type Questions = {
  readonly answers: Map<number, ReplicaProgress>;
  readonly asked: Set<number>;
  readonly wanted: Set<number>;
};

const PAIR_BASE = NO_NODE + 1;

export function createCoordinator(options: CoordinatorOptions): Coordinator {
  return {
    options,
    census: createCensus(),
    place: createPlacer(),
    isDue: false,
    isStopped: false,
    looking: undefined,
    cancelLook: () => undefined,
    lostSlots: 0,
    unheardSinceMs: 0,
    campaignsFromMs: 0,
  };
}

/** Something may have changed. Returns at once; resolves when everything has been looked at that was there. */
export function wakeCoordinator(coordinator: Coordinator): Promise<void> {
  coordinator.isDue = true;
  coordinator.looking ??= lookWhileDue(coordinator).finally(() => {
    coordinator.looking = undefined;
  });
  return coordinator.looking;
}

/** It looks no more; what it is about to commit may still be committed. */
export function stopCoordinator(coordinator: Coordinator): void {
  coordinator.isStopped = true;
  coordinator.cancelLook();
}

async function lookWhileDue(coordinator: Coordinator): Promise<void> {
  let pauseMs = 0;
  while (coordinator.isDue && !coordinator.isStopped) {
    coordinator.isDue = false;
    pauseMs = await look(coordinator);
    if (pauseMs === 0) coordinator.isDue = true;
  }
  if (coordinator.isStopped) return;
  coordinator.cancelLook();
  coordinator.cancelLook = coordinator.options.schedule(pauseMs, () => void wakeCoordinator(coordinator));
}

/** Resolves to after how many milliseconds to look again, 0 for at once. */
async function look(coordinator: Coordinator): Promise<number> {
  const { options, census } = coordinator;
  takeCensus(census, options.state, options.sharedMs());
  if (!options.isMember() || !(await holdsOffice(coordinator))) return CLUSTER_LOOK_MS;
  const plan = await makePlan(coordinator);
  if (await resigns(coordinator, plan)) return CLUSTER_LOOK_MS;
  tellLost(coordinator, plan.lostSlots);
  if (plan.next === undefined) return pauseAfter(coordinator, plan);
  if (coordinator.isStopped || !(await options.commit(plan.next))) return CLUSTER_LOOK_MS_URGENT;
  for (const line of plan.lines) options.log.notice(line);
  return 0;
}

async function holdsOffice({ options, campaignsFromMs }: Coordinator): Promise<boolean> {
  const { state, campaign, log, sharedMs } = options;
  if (state.coordinator !== '') return state.coordinator === state.ownId;
  if (sharedMs() < campaignsFromMs || !(await campaign())) return false;
  log.notice('this node is the coordinator of the cluster now');
  return true;
}

function pauseAfter({ census, options }: Coordinator, plan: Plan): number {
  if (plan.awaitedSlots > 0) return CLUSTER_LOOK_MS_URGENT;
  const pauseMs = plan.unfinishedSlots > 0 ? CLUSTER_LOOK_MS_BUSY : CLUSTER_LOOK_MS;
  const settlesMs = settlesInMs(census, options.sharedMs());
  return settlesMs > 0 ? Math.min(settlesMs, pauseMs) : pauseMs;
}

/** Plans; where that needs answers of other nodes, asks for them, and plans with what has come. */
async function makePlan(coordinator: Coordinator): Promise<Plan> {
  const questions: Questions = { answers: new Map(), asked: new Set(), wanted: new Set() };
  const plan = planWith(coordinator, questions);
  if (questions.wanted.size > 0) await askWanted(coordinator, questions);
  noteUnheard(coordinator, questions);
  return questions.asked.size > 0 ? planWith(coordinator, questions) : plan;
}

function planWith(coordinator: Coordinator, questions: Questions): Plan {
  const { options, census, place } = coordinator;
  const { state, replicas, shardsOfSlots } = options;
  const topology = state.topology ?? createTopology();
  const nowMs = options.sharedMs();
  const goneMs = (index: number) => goneForMs(census, nodeAt(topology, index)?.id ?? '', nowMs);
  return planStep({
    topology,
    members: state.members,
    replicas,
    isSettled: settlesInMs(census, nowMs) === 0,
    goneForMs: goneMs,
    progress: (replica, owner) => {
      const pair = replica * PAIR_BASE + owner;
      const answer = questions.answers.get(pair);
      if (answer !== undefined) return answer;
      const isAsked = questions.asked.has(pair);
      if (!isAsked) questions.wanted.add(pair);
      // Whoever may be the most advanced of several is worth a moment, not more.
      return isAsked && goneMs(owner) >= CLUSTER_CANDIDATES_MS ? undefined : 'awaited';
    },
    place,
    shardsOfSlots,
  });
}

async function askWanted({ options }: Coordinator, questions: Questions): Promise<void> {
  const { topology } = options.state;
  if (topology === undefined) return;
  const idOf = (index: number) => nodeAt(topology, index)?.id ?? '';
  await Promise.all(
    [...questions.wanted].map(async (pair) => {
      questions.asked.add(pair);
      const answer = await options.askProgress(idOf(Math.floor(pair / PAIR_BASE)), idOf(pair % PAIR_BASE));
      if (answer !== undefined) questions.answers.set(pair, answer);
    }),
  );
}

/** Notes since when every other node that was asked has been silent. */
function noteUnheard(coordinator: Coordinator, { answers, asked }: Questions): void {
  const { state, sharedMs } = coordinator.options;
  const ownIndex = state.topology === undefined ? NO_NODE : nodeOfId(state.topology, state.ownId)?.index;
  const others = [...asked].filter((pair) => Math.floor(pair / PAIR_BASE) !== ownIndex);
  const isUnheard = others.length > 0 && others.every((pair) => !answers.has(pair));
  if (!isUnheard) coordinator.unheardSinceMs = 0;
  else if (coordinator.unheardSinceMs === 0) coordinator.unheardSinceMs = sharedMs();
}

/** Who is cut off from the others, and for whom slots wait, lets one of them try. */
async function resigns(coordinator: Coordinator, { lostSlots }: Plan): Promise<boolean> {
  const { options, unheardSinceMs } = coordinator;
  const nowMs = options.sharedMs();
  if (lostSlots === 0 || unheardSinceMs === 0 || nowMs - unheardSinceMs < CLUSTER_UNHEARD_MS) return false;
  options.log.warning('no other node can be asked from here: this node stops being the coordinator');
  coordinator.unheardSinceMs = 0;
  coordinator.campaignsFromMs = nowMs + CLUSTER_RESIGNED_MS;
  await options.resign();
  return true;
}

/** Says so when there are more or fewer of them. */
function tellLost(coordinator: Coordinator, lostSlots: number): void {
  const { log } = coordinator.options;
  if (lostSlots === coordinator.lostSlots) return;
  coordinator.lostSlots = lostSlots;
  if (lostSlots === 0) log.notice('every slot has an owner that is alive again');
  else {
    log.warning(
      `${slotsText(lostSlots)} cannot be served: the owner is gone, and nobody else has a whole copy. They wait until it is back; 'distcache cluster forget' gives them up`,
    );
  }
}
