/**
 * The clients of a worker whose commands wait for a slot that is between two nodes (commands/cluster-routing.ts).
 *
 * Runs on the worker. The table of nodes is memory that says nothing when it changes, so it is looked at by a timer, while somebody
 * waits. A command that comes again too early waits again.
 */
import { SLOT_WAIT_CHECK_MS, SLOT_WAIT_RETRY_MS } from '../config/limits-cluster.ts';
import { CLIENTS_BLOCKED } from '../metrics/names.ts';
import { TABLE_VERSION } from '../routing/node-table.ts';
import type { Connection, Serving } from './serving.ts';

export type SlotWaits = {
  readonly connections: Set<Connection>;
  timer: NodeJS.Timeout | undefined;
  /** What the table's version was when the first of them began to wait, and when that was. */
  version: number;
  sinceMs: number;
};

export function createSlotWaits(): SlotWaits {
  return { connections: new Set(), timer: undefined, version: 0, sinceMs: 0 };
}

/** Has the connection's next command wait; it comes again from its first byte. */
export function awaitSlot(connection: Connection): void {
  const { serving } = connection;
  const { engine, slotWaits } = serving;
  connection.suspensions += 1;
  slotWaits.connections.add(connection);
  engine.counters[CLIENTS_BLOCKED] += 1;
  if (slotWaits.timer !== undefined) return;
  slotWaits.version = versionOf(serving);
  slotWaits.sinceMs = engine.timing.monotonicMs();
  slotWaits.timer = setInterval(checkSlotWaits, SLOT_WAIT_CHECK_MS, serving);
  slotWaits.timer.unref();
}

/** Lets those who wait try again if there is a reason to. */
function checkSlotWaits(serving: Serving): void {
  const { engine, slotWaits } = serving;
  const isEarly = engine.timing.monotonicMs() - slotWaits.sinceMs < SLOT_WAIT_RETRY_MS;
  if (isEarly && versionOf(serving) === slotWaits.version) return;
  clearInterval(slotWaits.timer);
  slotWaits.timer = undefined;
  const connections = [...slotWaits.connections];
  slotWaits.connections.clear();
  engine.counters[CLIENTS_BLOCKED] -= connections.length;
  for (const connection of connections) {
    connection.session.isPostponed = false;
    serving.proceedLater(connection);
  }
}

function versionOf({ engine }: Serving): number {
  return engine.cluster?.table.words[TABLE_VERSION] ?? 0;
}
