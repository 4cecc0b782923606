/**
 * Chance as an argument: a small generator whose state the caller keeps, and the seeds that start it.
 *
 * Owns no state; runs on every thread.
 */
import { randomBytes, randomFillSync } from 'node:crypto';

/**
 * The state (and value) after `state` of a xorshift generator: 32 bits, period 2^32 - 1, never 0 from a seed that is not.
 * For sampling, not for secrets. Source: Marsaglia, "Xorshift RNGs" (Journal of Statistical Software, 2003).
 */
export function nextRandom(state: number): number {
  let next = state ^ (state << 13);
  next ^= next >>> 17;
  return next ^ (next << 5);
}

/** A seed from the system's secure generator, never 0. */
export function randomSeed(): number {
  const words = randomFillSync(new Int32Array(2));
  return words[0] || words[1] || 1;
}

/** So many hexadecimal digits from the same generator: good for secrets. */
export function randomHex(digits: number): string {
  return randomBytes(Math.ceil(digits / 2))
    .toString('hex')
    .slice(0, digits);
}
