/** Chance from a seed, for tests that must be told again. */
import { nextRandom } from '../../src/base/random.ts';

/** A whole number from 0 up to, and without, `below`. */
export type Random = (below: number) => number;

export function createRandom(seed: number): Random {
  // Neighbouring seeds begin far apart; 0 would stay 0 for ever.
  let state = Math.imul(seed, 0x9e37_79b1) ^ 0x5bd1_e995 || 1;
  return (below) => {
    state = nextRandom(state);
    return (state >>> 0) % below;
  };
}
