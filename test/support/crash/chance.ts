/**
 * Seeded choices of the crash harness: numbers, picks and values of random bytes, the same for the same seed.
 */
import { Buffer } from 'node:buffer';
import { nextRandom } from '../../../src/base/random.ts';

export type Chance = {
  /** A whole number from 0 to `count` - 1. */
  below(count: number): number;
  /** True in `share` of all cases, 0 to 1. */
  happens(share: number): boolean;
  pick<T>(choices: readonly T[]): T;
  /** Random bytes: a view of the generator's pool, not to be changed. At most 1 MiB. */
  bytes(count: number): Buffer;
};

const POOL_BYTES = 2 ** 21;
const VALUE_BYTES_MAX = 2 ** 20;
const WORD_BYTES = 4;
const GOLDEN_RATIO = 0x9e3779b1;
const WARM_UP_STEPS = 8;
const UINT32_VALUES = 2 ** 32;

let pool: Buffer | undefined;

/** Streams of different `stream` numbers are independent of one another. */
export function createChance(seed: number, stream = 0): Chance {
  let state = Math.imul(seed + 1, GOLDEN_RATIO) ^ Math.imul(stream + 1, GOLDEN_RATIO >>> 7) || 1;
  const next = () => {
    state = nextRandom(state);
    return state >>> 0;
  };
  for (let i = 0; i < WARM_UP_STEPS; i += 1) next();
  const below = (count: number) => Math.floor((next() / UINT32_VALUES) * count);
  return {
    below,
    happens: (share) => next() / UINT32_VALUES < share,
    pick: (choices) => choices[below(choices.length)],
    bytes: (count) => {
      pool ??= createPool();
      const start = below(POOL_BYTES - VALUE_BYTES_MAX);
      return pool.subarray(start, start + count);
    },
  };
}

function createPool(): Buffer {
  const bytes = Buffer.alloc(POOL_BYTES);
  let state = GOLDEN_RATIO | 0;
  for (let at = 0; at < POOL_BYTES; at += WORD_BYTES) {
    state = nextRandom(state);
    bytes.writeInt32LE(state, at);
  }
  return bytes;
}
