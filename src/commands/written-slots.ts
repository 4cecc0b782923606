/**
 * The slots that a client has changed, which WAIT has to look at: some of them by name, or all.
 *
 * Owned by the worker of the client. Noted on nodes of a cluster only: a few nanoseconds for each change.
 */
import { WRITTEN_SLOTS_MAX } from '../config/limits-cluster.ts';
import { slotOfKey } from '../routing/slot.ts';
import type { Call, Command } from './call.ts';
import type { Session } from './session.ts';

export type WrittenSlots = {
  /** `slots[0, count)`, each once. */
  readonly slots: Uint16Array;
  count: number;
  /** There were more: any slot may have been changed. */
  isAny: boolean;
};

/** Notes that the client has changed a key of the slot. */
export function noteWritten(session: Session, slot: number): void {
  session.written ??= { slots: new Uint16Array(WRITTEN_SLOTS_MAX), count: 0, isAny: false };
  const { written } = session;
  if (written.isAny) return;
  const { slots, count } = written;
  for (let index = count - 1; index >= 0; index -= 1) if (slots[index] === slot) return;
  if (count === WRITTEN_SLOTS_MAX) {
    written.isAny = true;
    return;
  }
  slots[count] = slot;
  written.count = count + 1;
}

/** Notes that the client may have changed any key of a command that names some; of one that names none, of any slot. */
export function noteWrittenKeys(call: Call, command: Command): void {
  const { spans, count, input, session } = call;
  const last = command.lastKey < 0 ? count + command.lastKey : command.lastKey;
  for (let index = command.firstKey; index > 0 && index <= last; index += command.keyStep) {
    noteWritten(session, slotOfKey(input, spans[2 * index], spans[2 * index + 1]));
  }
  if (command.firstKey === 0) noteWrittenAnywhere(session);
}

/** Notes that the client may have changed any slot. */
export function noteWrittenAnywhere(session: Session): void {
  session.written ??= { slots: new Uint16Array(WRITTEN_SLOTS_MAX), count: 0, isAny: false };
  session.written.isAny = true;
}
