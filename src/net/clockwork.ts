/**
 * When a worker keeps house: every few milliseconds while there is something to do, ten times as rarely while there is not.
 *
 * An idle server sleeps: 200 ticks a second cost each worker 1 to 2 % of a core, whatever they find. What falls due while it dozes is
 * late by a tick of the slow kind, and the first turn of a client wakes it.
 */
import { CLOCKWORK_DOZE_MS, CLOCKWORK_QUIET_TICKS, HOUSEKEEPING_MS } from '../config/limits.ts';

export type Clockwork = {
  /** Does what is due; whether there was anything. */
  readonly tick: () => boolean;
  timer: NodeJS.Timeout;
  /** Milliseconds between two ticks. */
  periodMs: number;
  /** Ticks in a row that had nothing to do. */
  quietTicks: number;
  /** It ticks no more, whoever wakes it. */
  isStopped: boolean;
};

/** The timer holds no thread alive. */
export function startClockwork(tick: () => boolean): Clockwork {
  const clockwork: Clockwork = {
    tick,
    timer: setInterval(() => tickOnce(clockwork), HOUSEKEEPING_MS).unref(),
    periodMs: HOUSEKEEPING_MS,
    quietTicks: 0,
    isStopped: false,
  };
  return clockwork;
}

/** A client has something to say. */
export function wakeClockwork(clockwork: Clockwork): void {
  clockwork.quietTicks = 0;
  if (clockwork.periodMs !== HOUSEKEEPING_MS) setPeriod(clockwork, HOUSEKEEPING_MS);
}

export function stopClockwork(clockwork: Clockwork): void {
  clockwork.isStopped = true;
  clearInterval(clockwork.timer);
}

function tickOnce(clockwork: Clockwork): void {
  if (clockwork.tick()) {
    wakeClockwork(clockwork);
    return;
  }
  clockwork.quietTicks += 1;
  if (clockwork.quietTicks === CLOCKWORK_QUIET_TICKS) setPeriod(clockwork, CLOCKWORK_DOZE_MS);
}

function setPeriod(clockwork: Clockwork, periodMs: number): void {
  if (clockwork.isStopped) return;
  clearInterval(clockwork.timer);
  clockwork.periodMs = periodMs;
  clockwork.timer = setInterval(() => tickOnce(clockwork), periodMs).unref();
}
