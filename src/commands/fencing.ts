/**
 * Whether this node may act as an owner of slots: only while its lease has certainly not ended, for behind that another may own them.
 *
 * Any thread. Commands ask once a turn; replies of writes ask again before they leave (net/output.ts), so that no write is
 * acknowledged behind the lease's end however long the turn has taken.
 */
import { LEASE_LOOK_MS_MAX } from '../config/limits-cluster.ts';
import { TURNS } from '../metrics/names.ts';
import { LEASE_ENDS_MS } from '../routing/node-table.ts';
import type { ClusterView } from './cluster-view.ts';
import type { Engine } from './engine.ts';

/** None that has looked at the lease. */
const NO_TURN = -1;

/** Reads the clock. */
export function isLeaseOver({ table, sharedMs }: ClusterView): boolean {
  return sharedMs() >= table.numbers[LEASE_ENDS_MS];
}

/** The same as of this turn: read at its first command. `nowMs` is the turn's time, for main, whose turns are not counted. */
export function isFenced({ counters }: Engine, cluster: ClusterView, nowMs: number): boolean {
  const { lease } = cluster;
  if (lease.turn !== counters[TURNS] || lease.wallMs !== nowMs) {
    lease.turn = counters[TURNS];
    lease.wallMs = nowMs;
    lease.lookedMs = cluster.sharedMs();
    lease.isOver = lease.lookedMs >= cluster.table.numbers[LEASE_ENDS_MS];
  }
  return lease.isOver;
}

/**
 * Ends a turn: whether it has served under a lease that has ended since, and so long after its look that another may have changed what was
 * read here, as when the process was paused. Reads the clock.
 */
export function hasServedBehindLease(cluster: ClusterView): boolean {
  const { lease } = cluster;
  if (lease.turn === NO_TURN) return false;
  lease.turn = NO_TURN;
  return !lease.isOver && isLeaseOver(cluster) && cluster.sharedMs() - lease.lookedMs >= LEASE_LOOK_MS_MAX;
}
