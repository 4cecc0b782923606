/** Keeping to a share of a processor, with a clock that the test moves. */
import { expect, it } from 'vitest';
import { PACED_BURST_MS } from '../../src/config/limits.ts';
import { createPace } from '../../src/threads/pace.ts';

function pacing(share: number): { work: (ms: number) => void; naps: number[] } {
  let nowMs = 1000;
  const naps: number[] = [];
  const nap = (ms: number) => {
    naps.push(ms);
    nowMs += ms;
  };
  const pace = createPace(share, { monotonicMs: () => nowMs }, nap);
  return {
    work: (ms) => {
      nowMs += ms;
      pace();
    },
    naps,
  };
}

it('naps as long as the share asks for, after each burst of work', () => {
  const { work, naps } = pacing(0.25);
  for (let i = 0; i < 9; i += 1) work(PACED_BURST_MS / 4);
  expect(naps).toEqual([PACED_BURST_MS * 3, PACED_BURST_MS * 3]);
  work(10);
  expect(naps[2]).toBeCloseTo(3 * (10 + PACED_BURST_MS / 4));
});

it('never naps with a whole processor', () => {
  const { work, naps } = pacing(1);
  for (let i = 0; i < 100; i += 1) work(PACED_BURST_MS);
  expect(naps).toEqual([]);
});

it('really sleeps', () => {
  let nowMs = 0;
  const pace = createPace(0.5, { monotonicMs: () => nowMs });
  nowMs = PACED_BURST_MS;
  const startedMs = performance.now();
  pace();
  expect(performance.now() - startedMs).toBeGreaterThan(PACED_BURST_MS / 2);
});
