/**
 * A coordinator in a world of its own: a clock that is moved, an etcd that is three fields, and nodes that answer what they are told to.
 */
import { type Coordinator, createCoordinator, wakeCoordinator } from '../../src/cluster/coordinator.ts';
import {
  type ClusterState,
  clusterKeys,
  createClusterState,
  type Member,
} from '../../src/cluster/membership.ts';
import type { ReplicaProgress } from '../../src/cluster/planning.ts';
import type { Topology } from '../../src/cluster/topology.ts';
import { SLOT_COUNT } from '../../src/routing/slot.ts';
import { nodeId } from './topologies.ts';

export type CoordinatorWorld = {
  readonly state: ClusterState;
  readonly coordinator: Coordinator;
  readonly lines: string[];
  /** Who was asked about whom, by numbers. */
  readonly questions: string[];
  /** Nodes that do not answer, by number. */
  readonly silent: Set<number>;
  /** Nodes that have nothing whole. */
  readonly hollow: Set<number>;
  readonly commits: Topology[];
  nowMs: number;
  isMember: boolean;
  /** What becomes of a commit; by default it is done. */
  onCommit: (next: Topology) => boolean;
  campaigns: number;
  /** When it looks around next, by itself. */
  looksAtMs: number;
  /** Moves the clock, and has it look around when it is time. */
  advance(ms: number): Promise<void>;
  wake(): Promise<void>;
  join(...numbers: number[]): void;
  go(...numbers: number[]): void;
};

const WHOLE: ReplicaProgress = { isInSync: new Uint8Array(SLOT_COUNT).fill(1), lsns: [1] };

const NOTHING: ReplicaProgress = { isInSync: new Uint8Array(SLOT_COUNT), lsns: [] };

/** Of node 0, which is a member and alone. */
export function createCoordinatorWorld(replicas = 1): CoordinatorWorld {
  const state = createClusterState(nodeId(0), clusterKeys('test'));
  let deed = () => undefined as unknown;
  const say = (text: string) => void world.lines.push(text);
  const coordinator = createCoordinator({
    ...{ state, replicas, log: { notice: say, warning: say } },
    sharedMs: () => world.nowMs,
    isMember: () => world.isMember,
    campaign: async () => {
      world.campaigns += 1;
      if (state.coordinator !== '') return false;
      state.coordinator = state.ownId;
      return true;
    },
    resign: async () => {
      state.coordinator = '';
    },
    commit: async (next) => {
      if (next.epoch !== (state.topology?.epoch ?? 0) || !world.onCommit(next)) return false;
      world.commits.push(next);
      state.topology = { ...next, epoch: next.epoch + 1 };
      return true;
    },
    askProgress: async (replicaId, ownerId) => {
      const [replica, owner] = [numberOf(replicaId), numberOf(ownerId)];
      world.questions.push(`${replica} of ${owner}`);
      if (world.silent.has(replica)) return undefined;
      return world.hollow.has(replica) ? NOTHING : WHOLE;
    },
    shardsOfSlots: () => new Uint16Array(SLOT_COUNT),
    schedule: (ms, look) => {
      world.looksAtMs = world.nowMs + ms;
      deed = look;
      return () => {
        world.looksAtMs = Number.POSITIVE_INFINITY;
      };
    },
  });
  const world: CoordinatorWorld = {
    ...{ state, coordinator, lines: [], questions: [], silent: new Set(), hollow: new Set(), commits: [] },
    ...{ nowMs: 1_000_000, isMember: true, onCommit: () => true, campaigns: 0 },
    looksAtMs: Number.POSITIVE_INFINITY,
    wake: () => wakeCoordinator(coordinator),
    advance: async (ms) => {
      const untilMs = world.nowMs + ms;
      while (world.looksAtMs <= untilMs) {
        world.nowMs = Math.max(world.nowMs, world.looksAtMs);
        world.looksAtMs = Number.POSITIVE_INFINITY;
        deed();
        await coordinator.looking;
      }
      world.nowMs = untilMs;
    },
    join: (...numbers) => {
      state.members = new Map([...state.members, ...numbers.map((number) => recordOf(number))]);
    },
    go: (...numbers) => {
      const gone = new Set(numbers.map(nodeId));
      state.members = new Map([...state.members].filter(([id]) => !gone.has(id)));
    },
  };
  world.join(0);
  return world;
}

function recordOf(number: number): [string, Member] {
  const id = nodeId(number);
  const record: Member = {
    ...{ id, host: `10.0.0.${number}`, port: 6379, tlsPort: 0, httpPort: 0, weight: 100 },
    ...{ runId: `run of ${number}`, startedAtMs: 0, isLeaving: false, registeredAt: 1 },
  };
  return [id, record];
}

function numberOf(id: string): number {
  let number = 0;
  while (nodeId(number) !== id) number += 1;
  return number;
}
