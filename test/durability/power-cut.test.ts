/**
 * Power cuts and kills at any operation of the disk, one after the other: what was promised is there, and a state that once was. The
 * short run; `npm run power-cut` lives thousands of lives.
 */
import { describe, expect, it } from 'vitest';
import { livePowerCuts, liveWithCollections, type Tally } from '../support/power-cut/simulation.ts';

const SEEDS = 100;
const SEEDS_PER_TEST = 50;

/** What simulated lives have found, told by the seed of one that did. `npm run power-cut -- --from SEED --seeds 1` tells it again. */
const FOUND = [
  [64, 'a stream that ended with fewer workers and begins again is not taken for older than the snapshot'],
  [317, 'a torn block is no damage because an older one, from before the snapshot, was synced'],
  [2476, 'nor is one of which only the payload is torn'],
  [1502, 'the folder of a shard is on the disk before the manifest lists its first snapshot'],
] as const;

function sumOf(tallies: readonly Tally[], name: keyof Tally): number {
  return tallies.reduce((sum, tally) => sum + tally[name], 0);
}

function liveMany(live: (seed: number) => Tally, from: number): Tally[] {
  return Array.from({ length: SEEDS_PER_TEST }, (_, index) => {
    const seed = from + index;
    try {
      return live(seed);
    } catch (error) {
      throw new Error(`seed ${seed}: ${(error as Error).message}`, { cause: error });
    }
  });
}

describe('a data folder through power cuts and kills', () => {
  it.each(FOUND)('keeps its promises with seed %i: %s', (seed) => {
    expect(() => livePowerCuts(seed)).not.toThrow();
  });

  it.each(Array.from({ length: SEEDS / SEEDS_PER_TEST }, (_, index) => index * SEEDS_PER_TEST))(
    'keeps its promises with the seeds from %i on',
    (from) => {
      const tallies = liveMany((seed) => livePowerCuts(seed), from);
      // There was something to lose, and some of it was lost.
      for (const name of ['powerCuts', 'kills', 'blocks', 'blocksLost', 'snapshots'] as const) {
        expect(sumOf(tallies, name), name).toBeGreaterThan(SEEDS_PER_TEST / 2);
      }
    },
  );

  it('keeps its promises with collections among the keys', () => {
    const tallies = liveMany(liveWithCollections, 0);
    expect(sumOf(tallies, 'snapshots')).toBeGreaterThan(SEEDS_PER_TEST / 2);
    expect(sumOf(tallies, 'blocksLost')).toBeGreaterThan(0);
  });
});
