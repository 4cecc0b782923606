/** The in-process case of the circuit breaker: the question that every caller asks while nothing is wrong. */
import { ADMITTED, allow, BREAKER_WORDS, openCircuitBreaker } from '../../src/resilience/circuit-breaker.ts';
import type { Case } from './measure.ts';

const CHECKS = 1_000_000;
const ROUNDS = 20;

export const BREAKER_CASES: readonly Case[] = [
  {
    name: 'Breaker check',
    data: '1M, closed',
    adds: 'the state lies in shared memory, any thread may open it',
    create: () => {
      const words = new Int32Array(new SharedArrayBuffer(BREAKER_WORDS * Int32Array.BYTES_PER_ELEMENT));
      const settings = { failuresMax: 5, resetMs: 30_000, resetMsMax: 30_000, probesMax: 1 };
      const breaker = openCircuitBreaker(words, 0, settings);
      return {
        run: () => {
          let admitted = 0;
          // What is imported is read from its module each time: that is not the breaker's.
          const admits = allow;
          const yes = ADMITTED;
          for (let check = 0; check < CHECKS * ROUNDS; check += 1) {
            if (admits(breaker, check) === yes) admitted += 1;
          }
          if (admitted !== CHECKS * ROUNDS) throw new Error('a closed breaker refused');
          return admitted;
        },
      };
    },
  },
];
