/**
 * A thread for the tests of the circuit breaker: in each round, at the same moment as the others, it asks once whether it
 * may go, and counts the probes that it was.
 *
 * `signal`: [0] the round that is on, [1] threads that are done with it, [2] probes in it.
 */
import { workerData } from 'node:worker_threads';
import {
  allow,
  type BreakerSettings,
  openCircuitBreaker,
  PROBE,
} from '../../src/resilience/circuit-breaker.ts';

/** What the thread is given. */
export type Race = {
  readonly words: Int32Array;
  readonly signal: Int32Array;
  readonly settings: BreakerSettings;
  readonly rounds: number;
  /** When each round takes place on the breaker's clock, besides the round's number. */
  readonly msPerRound: number;
};

const { words, signal, settings, rounds, msPerRound } = workerData as Race;
const breaker = openCircuitBreaker(words, 0, settings);

for (let round = 1; round <= rounds; round += 1) {
  for (let now = Atomics.load(signal, 0); now < round; now = Atomics.load(signal, 0)) {
    Atomics.wait(signal, 0, now);
  }
  if (allow(breaker, round * msPerRound) === PROBE) Atomics.add(signal, 2, 1);
  Atomics.add(signal, 1, 1);
  Atomics.notify(signal, 1);
}
