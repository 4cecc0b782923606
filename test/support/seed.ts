/** The seed of a run of the tests: each has its own, unless TEST_SEED asks for that of another. */
import { randomSeed } from '../../src/base/random.ts';

const wanted = process.env.TEST_SEED;

/** What TEST_SEED asks for, undefined where it is not set. */
export const wantedSeed = wanted === undefined ? undefined : Number(wanted);

/** A positive whole number. */
export function testSeed(): number {
  return wantedSeed ?? randomSeed() >>> 1;
}
