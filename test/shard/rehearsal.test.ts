/** The rehearsal goes through the paths that it is there for, and comes to an end. */
import { expect, it } from 'vitest';
import { REHEARSAL_KEYS, REHEARSAL_STEP_KEYS, REHEARSAL_WIDE_KEYS } from '../../src/config/limits.ts';
import { EXPIRED_KEYS, EXPIRY_LAG_MS_MAX, KEYS_LIVE } from '../../src/shard/layout.ts';
import { createRehearsal, rehearse } from '../../src/shard/rehearsal.ts';
import { KEYS_PER_GROUP } from '../../src/shard/table.ts';
import { expectWhole } from '../support/shard.ts';

/** As in src/shard/table.ts. */
const SEGMENT_GROUPS = 1024;

it('puts and expires as many keys as are named, and leaves nothing', () => {
  const rehearsal = createRehearsal();
  let steps = 1;
  while (rehearse(rehearsal)) steps += 1;
  const { shard } = rehearsal;
  const wideSteps = REHEARSAL_WIDE_KEYS / REHEARSAL_STEP_KEYS;
  expect(steps).toBe(wideSteps + Math.ceil(REHEARSAL_KEYS / REHEARSAL_STEP_KEYS));
  expect(shard.numbers[EXPIRED_KEYS]).toBe(steps * REHEARSAL_STEP_KEYS);
  expect(shard.control[KEYS_LIVE]).toBe(0);
  expectWhole(shard);
});

it('has so many keys due at once, early on, that the index spans segments, and that they go later and later', () => {
  const rehearsal = createRehearsal();
  const { shard } = rehearsal;
  let keysMost = 0;
  for (let step = 0; step < REHEARSAL_WIDE_KEYS / REHEARSAL_STEP_KEYS; step += 1) {
    keysMost = Math.max(keysMost, shard.control[KEYS_LIVE]);
    rehearse(rehearsal);
  }
  expect(keysMost + REHEARSAL_STEP_KEYS).toBe(REHEARSAL_WIDE_KEYS);
  expect(keysMost).toBeGreaterThan(SEGMENT_GROUPS * KEYS_PER_GROUP);
  expect(shard.control[KEYS_LIVE]).toBe(0);
  expect(shard.numbers[EXPIRY_LAG_MS_MAX]).toBeGreaterThan(10);
  expectWhole(shard);
});
