/**
 * What commands ask of the cluster agent on main, over the bus.
 *
 * Types and names only; the agent's parts answer (cluster/). Where nothing else is said the answer is an error for the client, or ''
 * when it is done.
 */

/** This node is to give all of its slots to others; it is answered when that has begun. No payload. */
export const TOPIC_CLUSTER_LEAVE = 'cluster-leave';

/** A node that is gone is to be forgotten, with what only it had. The payload is its id. */
export const TOPIC_CLUSTER_FORGET = 'cluster-forget';

/** The owners of what this node has replicas of are to hand it over to this node. The payload is true where they are not to be asked. */
export const TOPIC_CLUSTER_FAILOVER = 'cluster-failover';

/** Another node, whose id is the payload, asks for the slots of this one that it has whole replicas of; it is answered when they are its. */
export const TOPIC_CLUSTER_GIVE = 'cluster-give';

/** To all threads: what this node has of the slots of another, whose id is the payload; one thread answers, the others with undefined. */
export const TOPIC_REPLICA_PROGRESS = 'replica-progress';

/** The answer: the slots that are whole, as bits (cluster/replication-frames.ts), and up to which LSN of each of the owner's shards. */
export type ReplicaProgressAnswer = { readonly slotBits: Uint8Array; readonly lsns: Float64Array };
