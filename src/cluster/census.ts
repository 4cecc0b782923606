/**
 * Who is there and since when, as the coordinator has seen it: whether the nodes have settled, and how long others have been gone.
 *
 * Main thread; the times are those of the caller's clock.
 */
import { CLUSTER_SETTLE_MS, CLUSTER_SETTLE_MS_MAX } from '../config/limits-cluster.ts';
import type { ClusterState } from './membership.ts';

export type Census = {
  /** Of which processes the members were, the last time. */
  present: string;
  changedAtMs: number;
  /** The first change since the nodes were settled last. */
  unsettledSinceMs: number;
  /** By id, for the nodes of the topology that are not there. */
  goneSinceMs: ReadonlyMap<string, number>;
};

export function createCensus(): Census {
  return { present: '', changedAtMs: 0, unsettledSinceMs: 0, goneSinceMs: new Map() };
}

/** Takes note of who is there now. */
export function takeCensus(census: Census, { members, topology }: ClusterState, nowMs: number): void {
  // A node that has started anew has come, even if nobody saw it go.
  const present = [...members.values()]
    .map(({ id, runId }) => `${id} ${runId}`)
    .sort()
    .join();
  if (present !== census.present) {
    if (settlesInMs(census, nowMs) === 0) census.unsettledSinceMs = nowMs;
    census.changedAtMs = nowMs;
    census.present = present;
  }
  const gone = (topology?.nodes ?? []).filter(({ id }) => !members.has(id));
  census.goneSinceMs = new Map(gone.map(({ id }) => [id, census.goneSinceMs.get(id) ?? nowMs]));
}

/** How long it takes until the nodes have settled, if none comes or goes; 0 where they have. */
export function settlesInMs({ present, changedAtMs, unsettledSinceMs }: Census, nowMs: number): number {
  if (present === '') return 0;
  const atMs = Math.min(changedAtMs + CLUSTER_SETTLE_MS, unsettledSinceMs + CLUSTER_SETTLE_MS_MAX);
  return Math.max(0, atMs - nowMs);
}

/** For how long a node has been gone; 0 where it is there. */
export function goneForMs({ goneSinceMs }: Census, id: string, nowMs: number): number {
  return nowMs - (goneSinceMs.get(id) ?? nowMs);
}
