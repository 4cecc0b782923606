/** How much of a measured time lay within snapshots. */
import { expect, test } from 'vitest';
import { shareWithin } from '../../bench/support/background-saves.ts';

const span = (startedMs: number, endedMs: number) => ({ startedMs, endedMs });

test.each([
  ['none', [], 0],
  ['one that holds all of it', [span(0, 300)], 1],
  ['one that begins before and one that ends after', [span(50, 120), span(180, 250)], 0.4],
  ['some within', [span(100, 110), span(120, 150)], 0.4],
  ['those before and after', [span(0, 90), span(210, 300)], 0],
])('%s', (_, spans, share) => {
  expect(shareWithin(spans, 100, 200)).toBeCloseTo(share, 9);
});
