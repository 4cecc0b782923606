/** The order in which keys are sampled. */
import { expect, test } from 'vitest';
import { mayBeSampled, pointOfKey, rankOfSlot } from '../../src/commands/sample-point.ts';
import { POINTS } from '../../src/metrics/miss-ratio.ts';
import { SLOT_COUNT } from '../../src/routing/slot.ts';

const SLOTS = Array.from({ length: SLOT_COUNT }, (_, slot) => slot);

test('each slot has a rank of its own', () => {
  expect(new Set(SLOTS.map(rankOfSlot)).size).toBe(SLOT_COUNT);
});

test('the slots of a low threshold are spread over the whole range', () => {
  const sampled = SLOTS.filter((slot) => rankOfSlot(slot) < SLOT_COUNT / 64);
  const eighths = Array.from({ length: 8 }, (_, eighth) => {
    return sampled.filter((slot) => Math.floor(slot / (SLOT_COUNT / 8)) === eighth).length;
  });
  expect(Math.min(...eighths)).toBeGreaterThan(16);
  expect(Math.max(...eighths)).toBeLessThan(48);
});

test('a rank is let through when any of its points is sampled, and never when none is', () => {
  for (const rank of [0, 1, 77, SLOT_COUNT - 1]) {
    const first = pointOfKey(rank, 0);
    expect(mayBeSampled(rank, first)).toBe(false);
    expect(mayBeSampled(rank, first + 1)).toBe(true);
    expect(mayBeSampled(rank, POINTS)).toBe(true);
    expect(mayBeSampled(rank, 0)).toBe(false);
    expect(pointOfKey(rank, -1)).toBe(first + 0xffff);
  }
  expect(pointOfKey(SLOT_COUNT - 1, -1)).toBe(POINTS - 1);
});
