/**
 * When a worker rehearses (shard/rehearsal.ts): once, between turns, as soon as what is on the disk has been loaded.
 *
 * Not before: while the server starts, the processors have enough to do, and nothing falls due.
 */
import { REHEARSAL_CHECK_MS } from '../config/limits.ts';
import { GATE_LOADING, gateReasons } from '../resilience/gate.ts';
import { createRehearsal, type Rehearsal, rehearse } from '../shard/rehearsal.ts';
import type { Serving } from './serving.ts';

/** Unless it is not wanted. The timer, which holds no thread alive, goes with the others of the worker. */
export function rehearseWhenLoaded(serving: Serving): void {
  if (!serving.engine.config.rehearsal) return;
  const timer = setInterval(() => {
    if ((gateReasons(serving.engine.gate) & GATE_LOADING) !== 0) return;
    clearInterval(timer);
    scheduleStep(serving, createRehearsal());
  }, REHEARSAL_CHECK_MS);
  timer.unref();
  serving.timers.push(timer);
}

/** Between turns, as long as it takes: clients are served meanwhile. */
function scheduleStep(serving: Serving, rehearsal: Rehearsal): void {
  setImmediate(() => {
    if (!serving.isStopping && rehearse(rehearsal)) scheduleStep(serving, rehearsal);
  });
}
