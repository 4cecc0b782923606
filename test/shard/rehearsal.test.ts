/** The rehearsal goes through the paths that it is there for, and comes to an end. */
import { expect, it } from 'vitest';
import { REHEARSAL_KEYS, REHEARSAL_STEP_KEYS } from '../../src/config/limits.ts';
import { EXPIRED_KEYS, KEYS_LIVE } from '../../src/shard/layout.ts';
import { createRehearsal, rehearse } from '../../src/shard/rehearsal.ts';
import { expectWhole } from '../support/shard.ts';

it('puts and expires as many keys as are named, and leaves nothing', () => {
  const rehearsal = createRehearsal();
  let steps = 1;
  while (rehearse(rehearsal)) steps += 1;
  const { shard } = rehearsal;
  expect(steps).toBe(Math.ceil(REHEARSAL_KEYS / REHEARSAL_STEP_KEYS));
  expect(shard.numbers[EXPIRED_KEYS]).toBe(steps * REHEARSAL_STEP_KEYS);
  expect(shard.control[KEYS_LIVE]).toBe(0);
  expectWhole(shard);
});
