/**
 * The cluster agent's record: this node's standing in the cluster, and what the agent's parts share. Main thread.
 *
 * agent.ts joins and keeps the lease, agent-watch.ts keeps the copy of etcd's keys, agent-apply.ts brings it to all threads,
 * agent-commit.ts changes the topology. Coordinator and hand-overs read `state` and hear of each change through `listeners`.
 */
import type { ClusterNode, ClusterView } from '../commands/cluster-view.ts';
import type { Config } from '../config/config.ts';
import { LEASE_ENDS_MS } from '../routing/node-table.ts';
import type { Bus } from '../threads/bus.ts';
import type { Log } from '../threads/log.ts';
import { createEtcd, type Etcd, type EtcdPatience } from './etcd-gateway.ts';
import { createLease, type Lease } from './lease.ts';
import { type ClusterState, clusterKeys, createClusterState, type NodeRecord } from './membership.ts';

export type AgentOptions = {
  readonly config: Config;
  readonly bus: Bus;
  readonly log: Log;
  /** Main's own view, whose table is written. */
  readonly view: ClusterView;
  /** What the node says of itself. */
  readonly record: NodeRecord;
  /** The machine's monotonic clock, which all threads share. */
  readonly sharedMs: () => number;
  readonly patience?: Partial<EtcdPatience>;
};

export type Agent = {
  readonly options: AgentOptions;
  readonly etcd: Etcd;
  readonly lease: Lease;
  readonly state: ClusterState;
  /** Told, in their order, after each change of `state` that has come to all threads. */
  readonly listeners: (() => void)[];
  /** Done before the node gives its lease back, each within so many ms: hand over what others can take. Never rejects. */
  readonly farewells: ((leftMs: number) => Promise<void>)[];
  /** As it is registered, or is to be. */
  record: NodeRecord;
  /** etcd's revision at which this node was registered; 0 while it is not. */
  registeredAt: number;
  /** When another process was last seen registered under this node's name; -Infinity for never. */
  otherSeenMs: number;
  /** From when on it may decide about nodes that are not there: later than at once where its own lease was lost. */
  plansFromMs: number;
  /** Why the node has not joined, or cannot keep its lease; '' while all is well. */
  trouble: string;
  troubleSinceMs: number;
  troubleLoggedMs: number;
  /** Whether the present trouble has outlasted the lease. */
  isFenced: boolean;
  /** Whether the watch of etcd's keys stands. */
  isWatching: boolean;
  /** Ends the present watch, or the reading before the next one. */
  endWatch: () => void;
  /** What the threads were told last. */
  nodes: readonly (ClusterNode | undefined)[];
  /** The epoch that was logged last. */
  loggedEpoch: number;
  applying: Promise<void> | undefined;
  isApplyDue: boolean;
  /** Ends the pause before the next step of joining and staying in. */
  wake: () => void;
  /** Aborted when the agent stops. */
  readonly ending: AbortController;
  /** Joining and staying in, until the agent stops. */
  life: Promise<void>;
};

const MS_PER_SECOND = 1000;

/** An agent that has not begun: nothing was sent to etcd. */
export function createAgent(options: AgentOptions): Agent {
  const { config, view, record, sharedMs, patience } = options;
  const etcd = createEtcd({ urls: config.clusterEtcd, patience });
  const ttlSeconds = Math.ceil(config.clusterNodeTimeout / MS_PER_SECOND);
  return {
    options,
    etcd,
    lease: createLease(etcd, ttlSeconds, sharedMs, (endsMs) => {
      view.table.numbers[LEASE_ENDS_MS] = endsMs;
    }),
    state: createClusterState(record.id, clusterKeys(config.clusterName)),
    listeners: [],
    farewells: [],
    record,
    registeredAt: 0,
    otherSeenMs: Number.NEGATIVE_INFINITY,
    plansFromMs: 0,
    trouble: 'not joined yet',
    troubleSinceMs: sharedMs(),
    troubleLoggedMs: Number.NEGATIVE_INFINITY,
    isFenced: true,
    isWatching: false,
    endWatch: () => undefined,
    nodes: [],
    loggedEpoch: 0,
    applying: undefined,
    isApplyDue: false,
    wake: () => undefined,
    ending: new AbortController(),
    life: Promise.resolve(),
  };
}
