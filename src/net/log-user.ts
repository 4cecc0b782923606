/**
 * What the network side does with a worker's log: the answers to threads/worker-log.ts.
 *
 * Runs on the worker.
 */
import type { LogUser } from '../threads/worker-log.ts';
import { failHeld, releaseAllHeld, releaseHeld } from './output.ts';
import type { Serving } from './serving.ts';
import { attachLog, detachLog } from './turn-log.ts';

export function logUserOf(serving: Serving): LogUser {
  const { config } = serving.engine;
  return {
    attach: (writer) => attachLog(serving, writer, () => config.onLogError === 'continue'),
    detach: () => detachLog(serving, releaseHeld),
    fail: () => (config.onLogError === 'continue' ? releaseAllHeld(serving) : failHeld(serving)),
  };
}
