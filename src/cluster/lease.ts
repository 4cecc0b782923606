/**
 * The node's lease in etcd, which is its heartbeat, and until when it may act as an owner because of it.
 *
 * Main thread. While the lease is alive nobody takes the node's slots; etcd counts its time from when it got the last
 * keep-alive, this node from when it sent it, less a margin for clocks that do not run alike. So this node stops first,
 * whatever happens to an answer on its way; and a keep-alive that goes out late only loses the lease early.
 *
 *     sent       arrives                                           this node stops       etcd ends the lease
 *      ├───────────┼──────────────────────── ttl ─────────── margin ───┤        │               │
 *      └─────────────────── this node's time ──────────────────────────┘        └ sent + ttl    └ arrival + ttl
 *
 * The end is written to the node table only while the node is admitted (`admitLease`): with a new lease it first has to
 * hear what became of its slots. Source: Gray and Cheriton, "Leases" (SOSP 1989), section 2.
 */
import { CLUSTER_LEASE_MARGIN_MS_MIN, CLUSTER_LEASE_MARGIN_SHARE } from '../config/limits-cluster.ts';
import { grantLease, keepAlive, revokeLease } from './etcd.ts';
import type { Etcd } from './etcd-gateway.ts';

const MS_PER_SECOND = 1000;
/** Keep-alives in the time of one lease: etcd may be without a leader for four of them. */
const BEATS_PER_TTL = 5;

export type Lease = {
  readonly etcd: Etcd;
  /** What is asked for. */
  readonly ttlSeconds: number;
  /** Milliseconds of a monotonic clock that all threads share. */
  readonly sharedMs: () => number;
  /** Told until when the node may act as an owner, 0 for not at all, whenever that changes. */
  readonly onEnd: (endsMs: number) => void;
  /** '' without one. */
  id: string;
  /** By this node's reckoning; 0 without a lease. */
  endsMs: number;
  isAdmitted: boolean;
};

export function createLease(
  etcd: Etcd,
  ttlSeconds: number,
  sharedMs: () => number,
  onEnd: (endsMs: number) => void,
): Lease {
  return { etcd, ttlSeconds, sharedMs, onEnd, id: '', endsMs: 0, isAdmitted: false };
}

/** Milliseconds from one keep-alive to the next. */
export function beatMs({ ttlSeconds }: Lease): number {
  return (ttlSeconds * MS_PER_SECOND) / BEATS_PER_TTL;
}

/** Gets a new lease, which is not admitted yet. Rejects with an EtcdError. */
export async function takeLease(lease: Lease): Promise<void> {
  let sentMs = 0;
  const granted = await grantLease(lease.etcd, lease.ttlSeconds, () => {
    sentMs = lease.sharedMs();
  });
  lease.id = granted.id;
  lease.endsMs = endOf(sentMs, granted.ttlSeconds);
}

/** From now on its end counts: the node is registered with it, and knows which slots are its own. */
export function admitLease(lease: Lease): void {
  lease.isAdmitted = true;
  lease.onEnd(lease.endsMs);
}

/** The node does not act as an owner until it is admitted again; the lease goes on. */
export function suspendLease(lease: Lease): void {
  lease.isAdmitted = false;
  lease.onEnd(0);
}

/** Sends a keep-alive. False: the lease is gone, and forgotten. Rejects with an EtcdError where that could not be found out. */
export async function renewLease(lease: Lease): Promise<boolean> {
  const { id } = lease;
  let sentMs = 0;
  const ttlSeconds = await keepAlive(lease.etcd, id, beatMs(lease), () => {
    sentMs = lease.sharedMs();
  });
  // A stop may have come meanwhile.
  if (lease.id !== id) return true;
  if (ttlSeconds === 0) {
    forgetLease(lease);
    return false;
  }
  lease.endsMs = Math.max(lease.endsMs, endOf(sentMs, ttlSeconds));
  if (lease.isAdmitted) lease.onEnd(lease.endsMs);
  return true;
}

/** Stops acting as an owner, then ends the lease, and with it the node's registration: what it owned may have a new owner at once. */
export async function dropLease(lease: Lease): Promise<void> {
  const { id } = lease;
  forgetLease(lease);
  if (id !== '') await revokeLease(lease.etcd, id);
}

function forgetLease(lease: Lease): void {
  lease.id = '';
  lease.endsMs = 0;
  suspendLease(lease);
}

/** Of two clocks, one may be faster by a share; and threads that look take a moment. */
function endOf(sentMs: number, ttlSeconds: number): number {
  const ttlMs = ttlSeconds * MS_PER_SECOND;
  return sentMs + ttlMs - Math.max(CLUSTER_LEASE_MARGIN_MS_MIN, ttlMs * CLUSTER_LEASE_MARGIN_SHARE);
}
