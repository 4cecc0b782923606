/**
 * How many replicas have what a client has changed, on this node and on those that this one has passed changes on to.
 *
 * One for each WAIT, on the thread of the connection.
 */
import { Buffer } from 'node:buffer';
import { NO_NODE, ROLE_OWNER } from '../routing/node-table.ts';
import type { ClusterView } from './cluster-view.ts';
import type { Engine } from './engine.ts';
import { countReplicasOf, currentLsns } from './replica-counts.ts';
import type { Session } from './session.ts';
import { forgetFailovers, hasFailedOver } from './written-slots.ts';

/** What another node was asked. */
type Elsewhere = {
  readonly node: number;
  /** Slots of it; none for all. */
  readonly slots: readonly number[];
  /** The node's LSNs when it was asked first, as it tells them. */
  lsns: Buffer;
  count: number;
  isAsked: boolean;
};

export type Tally = {
  readonly engine: Engine;
  readonly session: Session;
  readonly lsns: Float64Array;
  /** The slots of this node that count; undefined: none does. None in the list: all. */
  own: readonly number[] | undefined;
  ownCount: number;
  elsewhere: Elsewhere[];
  /** A slot has failed over since the client has changed it: nobody can say any more who has the change. */
  hasLost: boolean;
};

/** Everything that the client has changed until now counts. */
export function beginTally(engine: Engine, session: Session): Tally {
  const tally: Tally = {
    ...{ engine, session, lsns: currentLsns(engine) },
    ...{ own: undefined, ownCount: 0, elsewhere: [], hasLost: false },
  };
  divide(tally);
  return tally;
}

/** Looks at what is known here, and asks the others, whose answers come later. */
export function takeTally(tally: Tally): void {
  const { engine, session, own, lsns } = tally;
  const { written } = session;
  if (written !== undefined && engine.cluster !== undefined) {
    tally.hasLost = hasFailedOver(written, engine.cluster.table);
    if (tally.hasLost) return;
  }
  tally.ownCount = own === undefined ? Infinity : countReplicasOf(engine, own, lsns);
  // A slot has gone to another node, or come from one.
  if (tally.ownCount < 0 || tally.elsewhere.some(({ count }) => count < 0)) divide(tally);
  for (const part of tally.elsewhere) {
    if (part.isAsked) continue;
    part.isAsked = true;
    const { node, slots } = part;
    engine.cluster?.forwarder?.countReplicas(node, session.protocol, slots, part.lsns, (answer) => {
      part.isAsked = false;
      if (answer === undefined) return;
      part.lsns = answer.lsns;
      part.count = answer.count;
    });
  }
}

/** Whether there are as many replicas as are wanted, or there is nothing to wait for. */
export function isTallyOver(tally: Tally, wanted: number): boolean {
  return tally.hasLost || leastOf(tally) >= wanted;
}

/** What the client is told. Once it has heard of a failover the next WAIT counts again. */
export function endTally(tally: Tally): number {
  const { engine, session, hasLost } = tally;
  if (hasLost && session.written !== undefined && engine.cluster !== undefined) {
    forgetFailovers(session.written, engine.cluster.table);
  }
  return leastOf(tally);
}

function leastOf({ ownCount, elsewhere, hasLost }: Tally): number {
  if (hasLost) return 0;
  const least = Math.min(ownCount, ...elsewhere.map(({ count }) => count));
  return least === Infinity ? 0 : Math.max(0, least);
}

/** Whose the slots are now. */
function divide(tally: Tally): void {
  const { engine, session } = tally;
  const { cluster } = engine;
  const { written } = session;
  tally.own = [];
  tally.ownCount = 0;
  tally.elsewhere = [];
  if (cluster === undefined || written === undefined) return;
  if (written.isAny) {
    askAll(tally, cluster);
    return;
  }
  const own: number[] = [];
  const others = new Map<number, number[]>();
  for (let index = 0; index < written.count; index += 1) {
    const slot = written.slots[index];
    if ((cluster.table.roles[slot] & ROLE_OWNER) !== 0) own.push(slot);
    else others.set(cluster.table.owners[slot], [...(others.get(cluster.table.owners[slot]) ?? []), slot]);
  }
  tally.own = own.length > 0 ? own : undefined;
  for (const [node, slots] of others) tally.elsewhere.push(ask(node, slots));
}

/** Any slot may have been changed: of every node that owns some. */
function askAll(tally: Tally, { table }: ClusterView): void {
  const nodes = new Set<number>();
  let ownsSome = false;
  for (let slot = 0; slot < table.owners.length; slot += 1) {
    if ((table.roles[slot] & ROLE_OWNER) !== 0) ownsSome = true;
    else if (table.owners[slot] !== NO_NODE) nodes.add(table.owners[slot]);
  }
  tally.own = ownsSome ? [] : undefined;
  // Where nothing is passed on, nothing was changed elsewhere.
  if (tally.engine.cluster?.forwarder === undefined) return;
  for (const node of nodes) tally.elsewhere.push(ask(node, []));
}

/** Counts as none until the node has answered; for ever, where no node is there that could. */
function ask(node: number, slots: readonly number[]): Elsewhere {
  return { node, slots, lsns: Buffer.alloc(0), count: 0, isAsked: node === NO_NODE };
}
