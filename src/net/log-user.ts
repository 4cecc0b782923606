/**
 * What the network side does with a worker's log: the answers to threads/worker-log.ts.
 *
 * Runs on the worker.
 */
import type { Bus } from '../threads/bus.ts';
import type { LogUser } from '../threads/worker-log.ts';
import { failHeld, releaseAllHeld, releaseHeld } from './output.ts';
import type { Serving } from './serving.ts';
import { serveSettling } from './settling.ts';
import { attachLog, detachLog, endSettling } from './turn-log.ts';

/** Lets this worker's log be used, by its own connections and by main. */
export function serveLog(serving: Serving, bus: Bus): LogUser {
  serveSettling(serving, bus);
  return logUserOf(serving);
}

export function logUserOf(serving: Serving): LogUser {
  const { config } = serving.engine;
  return {
    attach: (writer) => attachLog(serving, writer, () => config.onLogError === 'continue'),
    detach: () => detachLog(serving, releaseHeld),
    fail: () => {
      const servesOn = config.onLogError === 'continue';
      if (serving.log !== undefined) endSettling(serving.log, servesOn);
      if (servesOn) releaseAllHeld(serving);
      else failHeld(serving);
    },
  };
}
