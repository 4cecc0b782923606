/**
 * Whether this node may act as an owner of slots: only while its lease has certainly not ended, for behind that another may own them.
 *
 * Any thread. Commands ask once a turn; replies of writes ask again before they leave (net/output.ts), so that no write is
 * acknowledged behind the lease's end however long the turn has taken.
 */
import { TURNS } from '../metrics/names.ts';
import { LEASE_ENDS_MS } from '../routing/node-table.ts';
import type { ClusterView } from './cluster-view.ts';
import type { Engine } from './engine.ts';

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
    lease.isOver = isLeaseOver(cluster);
  }
  return lease.isOver;
}
