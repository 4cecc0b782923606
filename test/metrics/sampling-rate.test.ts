/** The rate of sampling under loads of all kinds, with a clock of its own. */
import { expect, test } from 'vitest';
import { MISS_RATIO_ACCESSES_PER_SECOND, MISS_RATIO_COMMANDS_SHARE } from '../../src/config/limits.ts';
import { POINTS } from '../../src/metrics/miss-ratio.ts';
import { adaptThreshold, createSamplingRate } from '../../src/metrics/sampling-rate.ts';

const TICK_MS = 100;
const KEYS_MAX = 16_384;

/** What may be sampled of so many commands a second. */
function budgetFor(commandsPerSecond: number): number {
  return MISS_RATIO_ACCESSES_PER_SECOND + commandsPerSecond * MISS_RATIO_COMMANDS_SHARE;
}

/** The threshold and the accesses of the last second after so long under a load, which samples in proportion. */
function settle(accessesPerSecondAtAll: number, keysAtAll: number, ms: number, from = POINTS) {
  const rate = createSamplingRate(0);
  let threshold = from;
  let accesses = 0;
  for (let nowMs = TICK_MS; nowMs <= ms; nowMs += TICK_MS) {
    const share = threshold / POINTS;
    accesses = (accessesPerSecondAtAll * share * TICK_MS) / 1000;
    const commands = (accessesPerSecondAtAll * TICK_MS) / 1000;
    const load = { accesses, commands, keys: keysAtAll * share, keysMax: KEYS_MAX };
    threshold = adaptThreshold(rate, threshold, load, nowMs);
  }
  return { share: threshold / POINTS, perSecond: (accesses * 1000) / TICK_MS };
}

test('a light load keeps all keys', () => {
  expect(settle(4000, 1000, 60_000).share).toBe(1);
});

test('a heavy load comes within the budget in five seconds, and does not fall far below it', () => {
  const { perSecond } = settle(1_000_000, 10_000, 5000);
  expect(perSecond).toBeLessThan(1.2 * budgetFor(1_000_000));
  expect(perSecond).toBeGreaterThan(0.5 * budgetFor(1_000_000));
});

test('the rate rises when there is budget and room for much more, and only then', () => {
  expect(settle(1000, 1000, 120_000, POINTS / 1000).share).toBe(1);
  // Budget for twice as much, and half of that is no more than now.
  expect(settle(budgetFor(20_000) * 5, 1000, 120_000, POINTS / 10).share).toBe(0.1);
  // Room for twice as many keys.
  expect(settle(1000, KEYS_MAX * 50, 120_000, POINTS / 100).share).toBe(0.01);
});

test('a clock that stands still or is set back changes nothing', () => {
  const rate = createSamplingRate(1000);
  const load = { accesses: 1e9, commands: 0, keys: 1, keysMax: KEYS_MAX };
  expect(adaptThreshold(rate, 500, load, 1000)).toBe(500);
  expect(adaptThreshold(rate, 500, load, 900)).toBe(500);
});
