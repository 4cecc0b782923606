/**
 * What one thread knows of the cluster: the slots in shared memory, and the nodes by their indices.
 *
 * One per thread; the slots are written by main (routing/node-table.ts), the nodes come over the bus before the slots that name them.
 */
import type { Buffer } from 'node:buffer';
import { sharedMs } from '../base/clock.ts';
import type { PeerBoard } from '../resilience/peer-board.ts';
import { type NodeTable, openNodeTable } from '../routing/node-table.ts';
import type { ReplicationBoard } from '../routing/replication-board.ts';
import type { Call, Command } from './call.ts';
import type { Engine } from './engine.ts';
import type { Session } from './session.ts';
import type { Transaction } from './transaction-queue.ts';

/** A node as others have to know it. */
export type ClusterNode = {
  /** 40 hexadecimal digits. */
  readonly id: string;
  readonly index: number;
  readonly host: string;
  /** 0: does not listen there. */
  readonly port: number;
  readonly tlsPort: number;
  readonly httpPort: number;
  readonly weight: number;
  /** Whether its lease is alive. */
  readonly isAlive: boolean;
};

/** How many replicas another node counts, -1 where a slot is not its own; and its LSNs, to be given back to it. */
export type ReplicaCount = { readonly count: number; readonly lsns: Buffer };

/** What has commands executed on other nodes. Nodes are named by their index. */
export type Forwarder = {
  /**
   * Passes a command on whose keys are all the node's, and defers the reply; it comes at once where the node is known not to answer.
   * With `isAsking`, of a slot that the node is about to own.
   */
  readonly forward: (call: Call, command: Command, node: number, isAsking: boolean) => void;
  /** Whether a command can be done in parts by several nodes: by the owners of its keys, or, without keys, by all. */
  readonly canScatter: (command: Command) => boolean;
  /** Has it done so, and defers the reply. */
  readonly scatter: (call: Call, command: Command) => void;
  /**
   * Passes on what the client has queued, all of it, and defers the reply of EXEC. The queue is its own from then on
   * (`recycle`); undefined where that is not offered.
   */
  readonly transaction: ((call: Call, transaction: Transaction, node: number) => void) | undefined;
  /**
   * Publishes the message of PUBLISH, which `receivers` clients of this node have got, on all other nodes as well, and answers with all
   * who got it; later, where there are other nodes.
   */
  readonly publish: (call: Call, receivers: number) => void;
  /**
   * Asks a node how many replicas have what its shards had at `lsns` (its own list as it told it; empty for now) of these slots, or with none
   * of all of its own: behind what was passed on to it before. `done` hears undefined where it does not say; it may be called at once.
   */
  readonly countReplicas: (
    node: number,
    protocol: 2 | 3,
    slots: readonly number[],
    lsns: Buffer,
    done: (count: ReplicaCount | undefined) => void,
  ) => void;
  /** Whether commands to the node get through at present, as far as is known. Some loads. */
  readonly reaches: (node: number) => boolean;
  /** The connections that this thread has to other nodes. */
  readonly links: () => LinkFigures[];
};

/** A connection with another node, opened by this one or by the other, and what waits in it to be sent. */
export type LinkFigures = {
  readonly direction: 'to' | 'from';
  readonly nodeId: string;
  readonly createdAtMs: number;
  readonly allocatedBytes: number;
  readonly usedBytes: number;
};

/** What feeds the replicas of this node's slots, and takes in what other owners say (cluster/replication.ts). */
export type Replication = {
  /** Begins to feed a node, by its id, over this connection. What stands in the way, or undefined. */
  readonly feed: (session: Session, nodeId: string, resume: Buffer) => string | undefined;
  /** The node says how far it is. */
  readonly acknowledge: (session: Session, bytes: Buffer) => void;
  /** The node has missed something of these slots, as bits. */
  readonly copyAnew: (session: Session, passedOver: Buffer) => void;
  /** What this node has of another's slots: those that it has whole, as bits, and its LSN of each of the other's shards, as u64s. */
  readonly progress: (nodeId: string) => Promise<{ slotBits: Buffer; lsns: Buffer } | undefined>;
  /** Calls back whenever replicas may have acknowledged more, until what it returns is called. */
  readonly onAcknowledged: (listener: () => void) => () => void;
};

export type ClusterView = {
  readonly table: NodeTable;
  /** How far the nodes are that get this node's changes; undefined in tests that have none. */
  readonly board: ReplicationBoard | undefined;
  /** Undefined until there is one, and on main. */
  replication: Replication | undefined;
  /** By index; holes are nodes that left. Replaced as a whole. */
  nodes: readonly (ClusterNode | undefined)[];
  /** The machine's monotonic clock, by which leases end (base/clock.ts). */
  readonly sharedMs: () => number;
  /** How the other nodes have been lately; undefined where nobody has told. */
  peers: PeerBoard | undefined;
  /** The id of the coordinator, '' for none; known on main alone. */
  coordinatorId: () => string;
  /** Undefined until there is one: clients are sent to the nodes themselves. */
  forwarder: Forwarder | undefined;
  /** Whether the lease was over when this thread last looked, when and in which turn that was, -1 for none (fencing.ts). */
  readonly lease: { isOver: boolean; turn: number; wallMs: number; lookedMs: number };
  /** The command that was looked at last has gone to other nodes. Whoever asks takes the answer along (`takeForwarded`). */
  hasForwarded: boolean;
};

/** To all threads, from main: the nodes, whenever one has changed; acknowledged before the table names new ones. */
export const TOPIC_CLUSTER_NODES = 'cluster-nodes';

/** To main, from a thread that starts: the nodes as all others have them. */
const TOPIC_CLUSTER_NODES_NOW = 'cluster-nodes-now';

/** `clockMs` is the machine's monotonic clock. */
export function createClusterView(
  buffer: SharedArrayBuffer,
  clockMs = sharedMs,
  board?: ReplicationBoard,
): ClusterView {
  return {
    board,
    replication: undefined,
    table: openNodeTable(buffer),
    nodes: [],
    sharedMs: clockMs,
    peers: undefined,
    coordinatorId: () => '',
    forwarder: undefined,
    lease: { isOver: true, turn: -1, wallMs: -1, lookedMs: 0 },
    hasForwarded: false,
  };
}

/** Hears of the nodes from now on. Once on each thread. */
export function installClusterView({ bus, cluster }: Engine): void {
  if (cluster === undefined) return;
  bus.handle(TOPIC_CLUSTER_NODES, (nodes) => {
    cluster.nodes = nodes as ClusterView['nodes'];
  });
  bus.handle(TOPIC_CLUSTER_NODES_NOW, () => cluster.nodes);
}

/** A worker that comes late, in place of one that died, has missed what the others were told. */
export async function learnNodes({ bus, cluster, workerIndex }: Engine): Promise<void> {
  if (cluster === undefined || workerIndex < 0) return;
  cluster.nodes = (await bus.requestMain(TOPIC_CLUSTER_NODES_NOW, null)) as ClusterView['nodes'];
}
