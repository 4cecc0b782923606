/**
 * The slots that a client has changed, which WAIT has to look at: some of them by name, or all; and how often each had failed over by then.
 *
 * Owned by the worker of the client. Noted on nodes of a cluster only: a few nanoseconds for each change.
 */
import { WRITTEN_SLOTS_MAX } from '../config/limits-cluster.ts';
import { FAILOVERS, type NodeTable } from '../routing/node-table.ts';
import { slotOfKey } from '../routing/slot.ts';
import type { Call, Command } from './call.ts';
import { findKeyPlaces, firstPlace, nextPlace } from './key-places.ts';
import type { Session } from './session.ts';

export type WrittenSlots = {
  /** `slots[0, count)`, each once, and the failovers of each when it was changed first. */
  readonly slots: Uint16Array;
  readonly failovers: Uint8Array;
  count: number;
  /** There were more: any slot may have been changed. */
  isAny: boolean;
  /** The failovers of all slots when that began. */
  anyFailovers: number;
  /** Slots that are not listed any more had failed over before that. */
  hasLost: boolean;
};

/** Notes that the client has changed a key of the slot. */
export function noteWritten(session: Session, table: NodeTable, slot: number): void {
  session.written ??= createWrittenSlots();
  const { written } = session;
  if (written.isAny) return;
  const { slots, count } = written;
  for (let index = count - 1; index >= 0; index -= 1) if (slots[index] === slot) return;
  if (count === WRITTEN_SLOTS_MAX) {
    noteWrittenAnywhere(session, table);
    return;
  }
  slots[count] = slot;
  written.failovers[count] = table.failovers[slot];
  written.count = count + 1;
}

/** Notes that the client may have changed any key of a command that names some; of one that names none, of any slot. */
export function noteWrittenKeys(call: Call, command: Command, table: NodeTable): void {
  const { spans, input, session } = call;
  if (command.firstKey === 0) {
    noteWrittenAnywhere(session, table);
    return;
  }
  const places = findKeyPlaces(call, command);
  for (let index = firstPlace(places); index > 0; index = nextPlace(places, index)) {
    noteWritten(session, table, slotOfKey(input, spans[2 * index], spans[2 * index + 1]));
  }
}

/** Notes that the client may have changed any slot. */
export function noteWrittenAnywhere(session: Session, table: NodeTable): void {
  session.written ??= createWrittenSlots();
  const { written } = session;
  if (written.isAny) return;
  written.hasLost = hasFailedOver(written, table);
  written.anyFailovers = table.words[FAILOVERS];
  written.isAny = true;
}

/** Whether a slot has had a failover since the client has changed it: the change may be lost, whatever the slot's replicas have now. */
export function hasFailedOver(written: WrittenSlots, table: NodeTable): boolean {
  if (written.isAny) return written.hasLost || written.anyFailovers !== table.words[FAILOVERS];
  for (let index = 0; index < written.count; index += 1) {
    if (written.failovers[index] !== table.failovers[written.slots[index]]) return true;
  }
  return false;
}

/** The client has been told of the failovers until now: what it changes from here on is another matter. */
export function forgetFailovers(written: WrittenSlots, table: NodeTable): void {
  written.hasLost = false;
  written.anyFailovers = table.words[FAILOVERS];
  for (let index = 0; index < written.count; index += 1) {
    written.failovers[index] = table.failovers[written.slots[index]];
  }
}

function createWrittenSlots(): WrittenSlots {
  return {
    slots: new Uint16Array(WRITTEN_SLOTS_MAX),
    failovers: new Uint8Array(WRITTEN_SLOTS_MAX),
    ...{ count: 0, isAny: false, anyFailovers: 0, hasLost: false },
  };
}
