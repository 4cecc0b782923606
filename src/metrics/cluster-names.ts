/**
 * What is told of a cluster, as data: the field of the reading, what the world calls it, and `scale`, the factor from the field's
 * unit to the base unit of the name. Constants only; any thread. There only on a node of a cluster.
 */
import type { Metric } from './names.ts';

const MS_TO_SECONDS = 1e-3;

export const CLUSTER_METRICS = [
  {
    field: 'epoch',
    name: 'distcache_cluster_epoch',
    type: 'gauge',
    unit: '',
    scale: 1,
    help: 'The epoch of the topology that this node goes by; 0 before the first.',
  },
  {
    field: 'leaseLeftMs',
    name: 'distcache_cluster_lease_seconds',
    type: 'gauge',
    unit: 'seconds',
    scale: MS_TO_SECONDS,
    help: 'For how much longer this node may act as an owner of slots without word from etcd; 0: it may not.',
  },
  {
    field: 'coveredSlots',
    name: 'distcache_cluster_covered_slots',
    type: 'gauge',
    unit: '',
    scale: 1,
    help: 'Slots of the cluster whose owner is alive, of 16384.',
  },
  {
    field: 'movingSlots',
    name: 'distcache_cluster_moving_slots',
    type: 'gauge',
    unit: '',
    scale: 1,
    help: 'Slots of the cluster that are on their way to another owner.',
  },
  {
    field: 'handingOver',
    name: 'distcache_cluster_handing_over_slots',
    type: 'gauge',
    unit: '',
    scale: 1,
    help: 'Slots of this node whose next owner has all of them and takes over just now.',
  },
  {
    field: 'wholeReplicas',
    name: 'distcache_cluster_replicas_in_sync_slots',
    type: 'gauge',
    unit: '',
    scale: 1,
    help: 'Slots of other nodes of which this node has whole replicas.',
  },
] as const satisfies readonly (Metric & { field: string; scale: number })[];

/** 1 on the node that coordinates, else 0. */
export const COORDINATOR_METRIC = {
  name: 'distcache_cluster_coordinator',
  type: 'gauge',
  unit: '',
  help: 'Whether this node is the one that plans the topology: 1, else 0.',
} as const satisfies Metric;

/** By state: alive, dead. */
export const CLUSTER_NODES_METRIC = {
  name: 'distcache_cluster_nodes',
  type: 'gauge',
  unit: '',
  help: 'Nodes of the topology whose lease is alive, and those whose lease is not.',
} as const satisfies Metric;

/** By role, as in `ByRole` of cluster-reading.ts. */
export const CLUSTER_SLOTS_METRIC = {
  name: 'distcache_cluster_slots',
  type: 'gauge',
  unit: '',
  help: 'Slots by what they are to this node.',
} as const satisfies Metric;

export const CLUSTER_KEYS_METRIC = {
  name: 'distcache_cluster_keys',
  type: 'gauge',
  unit: '',
  help: 'Keys in the memory of this node by what their slots are to it.',
} as const satisfies Metric;

export const NODE_SLOTS_METRIC = {
  name: 'distcache_cluster_node_slots',
  type: 'gauge',
  unit: '',
  help: 'Slots that a node owns.',
} as const satisfies Metric;

export const NODE_ALIVE_METRIC = {
  name: 'distcache_cluster_node_alive',
  type: 'gauge',
  unit: '',
  help: 'Whether the lease of a node is alive: 1, else 0.',
} as const satisfies Metric;

/** Of nodes that are replicas of this one, as are the next ones. */
export const REPLICATION_HEARD_METRIC = {
  name: 'distcache_replication_heard_seconds',
  type: 'gauge',
  unit: 'seconds',
  help: 'How long ago a replica was last heard of.',
} as const satisfies Metric;

export const REPLICATION_METRICS = [
  {
    field: 'fedSlots',
    name: 'distcache_replication_slots',
    type: 'gauge',
    unit: '',
    help: 'Slots of this node of which another holds a replica, or is to.',
  },
  {
    field: 'fedWhole',
    name: 'distcache_replication_in_sync_slots',
    type: 'gauge',
    unit: '',
    help: 'Of these, those that are whole there.',
  },
  {
    field: 'isFed',
    name: 'distcache_replication_connected',
    type: 'gauge',
    unit: '',
    help: 'Whether the other node is connected for the changes of this one: 1, else 0.',
  },
  {
    field: 'fedBehindBytes',
    name: 'distcache_replication_behind_bytes',
    type: 'gauge',
    unit: 'bytes',
    help: 'Changes of this node that were not sent to the other yet.',
  },
  {
    field: 'fedInFlightBytes',
    name: 'distcache_replication_in_flight_bytes',
    type: 'gauge',
    unit: 'bytes',
    help: 'Changes that were sent to the other node, and that it has not said to have.',
  },
  {
    field: 'fedCopies',
    name: 'distcache_replication_copies_total',
    type: 'counter',
    unit: '',
    help: 'Copies of the slots of a shard that were begun for the other node.',
  },
] as const satisfies readonly (Metric & { field: string })[];

/** By node and state. */
export const PEER_CIRCUIT_METRIC = {
  name: 'distcache_peer_circuit_state',
  type: 'gauge',
  unit: '',
  help: 'The circuit breaker in front of another node: 1 for the state that it is in, else 0.',
} as const satisfies Metric;

export const PEER_PING_METRIC = {
  name: 'distcache_peer_ping_seconds',
  type: 'gauge',
  unit: 'seconds',
  help: 'What the latest ping to another node took.',
} as const satisfies Metric;

export const PEER_COMMANDS_METRIC = {
  name: 'distcache_peer_commands_per_second',
  type: 'gauge',
  unit: '',
  help: 'Commands that another node said to execute each second.',
} as const satisfies Metric;
