/**
 * CLUSTER STATUS: all that this node knows of its cluster, as JSON for `distcache cluster status`.
 *
 * On the thread of the connection, which asks main: who coordinates is known there.
 */
import { writeBulkText } from '../resp/reply-writer.ts';
import type { Call } from './call.ts';
import { readCluster } from './cluster-figures.ts';
import type { Engine } from './engine.ts';
import { replyFromMain } from './main-reply.ts';

/** To main, no payload: the reading of the cluster (metrics/cluster-reading.ts) as JSON. */
const TOPIC_CLUSTER_STATUS = 'cluster-status';

/** Makes this thread answer. Once, at its start. */
export function installClusterStatus(engine: Engine): void {
  engine.bus.handle(TOPIC_CLUSTER_STATUS, () => JSON.stringify(readCluster(engine) ?? null));
}

export function replyClusterStatus(call: Call): void {
  replyFromMain<string>(call, TOPIC_CLUSTER_STATUS, null, writeBulkText);
}
