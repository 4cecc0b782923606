/**
 * What a node of a cluster tells of the cluster and of its own part in it, as one plain record. Types only.
 */

/** Slots or keys by what the slot is to this node. */
export type ByRole = {
  own: number;
  /** It holds, or is to hold, replicas of them. */
  replica: number;
  /** They are about to become its own. */
  importing: number;
  /** They are nothing to it: keys of them go before long. */
  strange: number;
};

export type ClusterReading = {
  name: string;
  /** This node's; '' before it is in the topology, as the coordinator's while there is none. */
  ownId: string;
  coordinatorId: string;
  /** The topology's, 0 without one. */
  epoch: number;
  isCovered: boolean;
  /** Whether this node serves its slots: it is in the topology, its lease is alive, and no slot is missing that must not be. */
  isServing: boolean;
  /** For how much longer the node may act as an owner; 0 if it may not. */
  leaseLeftMs: number;
  slots: ByRole;
  keys: ByRole;
  /** Of the slots of which it holds replicas: those that are whole. */
  wholeReplicas: number;
  /** Of its own slots: those whose next owner has all of them already. */
  handingOver: number;
  /** Of all slots of the cluster: those that have an owner that is alive, and those that are to change their owner. */
  coveredSlots: number;
  movingSlots: number;
  nodes: readonly ClusterNodeReading[];
};

/** A node as this one knows it. Numbers that nobody here knows are null. */
export type ClusterNodeReading = {
  /** 40 hexadecimal digits. */
  id: string;
  index: number;
  host: string;
  /** 0: does not listen there. */
  port: number;
  tlsPort: number;
  httpPort: number;
  weight: number;
  isAlive: boolean;
  isOwn: boolean;
  isCoordinator: boolean;
  /** Slots that it owns, those of which it holds replicas or is to, and those that it is about to own. */
  slots: number;
  replicas: number;
  coming: number;
  /** Of this node's slots: those that it holds replicas of or is to, and those of them that are whole there. */
  fedSlots: number;
  fedWhole: number;
  /** When it was last heard of as a replica of this node; null while it is not one. */
  fedHeardAgoMs: number | null;
  /** Whether it is connected as such a replica; bytes of changes that were not sent to it yet, and of those that it has not taken in yet. */
  isFed: boolean;
  fedBehindBytes: number;
  fedInFlightBytes: number;
  /** Copies of a shard's slots that were begun for it. */
  fedCopies: number;
  /** Of its slots: those that this node holds replicas of or is to, and those of them that are whole here. */
  heldSlots: number;
  heldWhole: number;
  /** The circuit breaker in front of it, by the names of persistence-names.ts. */
  circuit: string | null;
  /** What the latest ping took, and how many commands a second it executes. */
  pingMs: number | null;
  commandsPerSecond: number | null;
};
