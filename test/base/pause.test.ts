/** A pause that can be ended early. */
import { expect, it } from 'vitest';
import { pauseFor } from '../../src/base/pause.ts';

it('a pause ends when its time is over', async () => {
  await pauseFor(1, new AbortController().signal);
});

it('a pause ends early when it is called off, and does not begin where it was', async () => {
  const calling = new AbortController();
  const pausing = pauseFor(1e9, calling.signal);
  calling.abort();
  await pausing;
  await pauseFor(1e9, calling.signal);
});

it('whoever looks again after each pause leaves others their turn, even when pauses are called off', async () => {
  const calling = new AbortController();
  calling.abort();
  let hasHadTurn = false;
  setImmediate(() => {
    hasHadTurn = true;
  });
  for (let looks = 0; looks < 10_000 && !hasHadTurn; looks += 1) await pauseFor(1, calling.signal);
  expect(hasHadTurn).toBe(true);
});
