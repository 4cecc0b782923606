/**
 * The clients of a worker whose commands wait for the end of a pause (commands/pause.ts), in the order in which they came.
 *
 * Runs on the worker. Their requests lie in their own buffers, and what comes behind them is bounded as for any client that waits.
 */
import { TOPIC_UNPAUSED } from '../commands/pause.ts';
import { applyLiveConfig } from '../commands/server-topics.ts';
import { TIMER_MS_MAX } from '../config/limits.ts';
import { CLIENTS_BLOCKED } from '../metrics/names.ts';
import { isPaused, isPausing, pauseEndMs } from '../resilience/pause.ts';
import type { Connection, Serving } from './serving.ts';

export type Postponed = {
  readonly connections: Set<Connection>;
  timer: NodeJS.Timeout | undefined;
  /** Whether there was a pause at the latest look. */
  wasPaused: boolean;
};

export function createPostponed(): Postponed {
  return { connections: new Set(), timer: undefined, wasPaused: false };
}

/** Hears of pauses that are ended from any thread. */
export function servePauses(serving: Serving): void {
  serving.engine.bus.handle(TOPIC_UNPAUSED, () => resumePostponed(serving));
}

/** Has the connection's next command wait; it comes again from its first byte. */
export function postponeConnection(connection: Connection): void {
  const { serving } = connection;
  connection.suspensions += 1;
  serving.postponed.connections.add(connection);
  serving.engine.counters[CLIENTS_BLOCKED] += 1;
  armTimer(serving);
}

/** A connection has closed. */
export function forgetPostponed(connection: Connection): void {
  const { serving, session } = connection;
  if (!session.isPostponed) return;
  session.isPostponed = false;
  const { postponed, engine } = serving;
  postponed.connections.delete(connection);
  serving.slotWaits.connections.delete(connection);
  engine.counters[CLIENTS_BLOCKED] -= 1;
}

/** One tick: the end of a pause is noticed whether or not anybody waits. */
export function tickPause(serving: Serving): void {
  const { engine, postponed } = serving;
  if (isPausing(engine.gate)) postponed.wasPaused = true;
  if (!postponed.wasPaused || isPaused(engine.gate, engine.wallMs())) return;
  resumePostponed(serving);
}

/** Lets all go on that wait, unless there is a pause again. */
export function resumePostponed(serving: Serving): void {
  const { engine, postponed } = serving;
  clearTimeout(postponed.timer);
  postponed.timer = undefined;
  if (isPaused(engine.gate, engine.wallMs())) {
    if (postponed.connections.size > 0) armTimer(serving);
    return;
  }
  if (postponed.wasPaused) {
    postponed.wasPaused = false;
    // What was held back meanwhile: a lower limit on memory.
    applyLiveConfig(engine);
  }
  const connections = [...postponed.connections];
  postponed.connections.clear();
  engine.counters[CLIENTS_BLOCKED] -= connections.length;
  for (const connection of connections) {
    connection.session.isPostponed = false;
    serving.proceedLater(connection);
  }
}

function armTimer(serving: Serving): void {
  const { engine, postponed } = serving;
  if (postponed.timer !== undefined) return;
  const leftMs = Math.max(0, pauseEndMs(engine.gate) - engine.wallMs()) + 1;
  postponed.timer = setTimeout(resumePostponed, Math.min(leftMs, TIMER_MS_MAX), serving);
  postponed.timer.unref();
}
