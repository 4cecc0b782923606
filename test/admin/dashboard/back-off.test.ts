/** Tests of the waits before the server is tried again. */
import { expect, test } from 'vitest';
import { retryDelaySeconds } from '../../../src/admin/dashboard/back-off.js';

test('waits grow and stay below a quarter of a minute', () => {
  expect([1, 2, 3, 4, 5, 6, 1000].map(retryDelaySeconds)).toEqual([1, 2, 4, 8, 15, 15, 15]);
});

test('no failure counts as one', () => {
  expect(retryDelaySeconds(0)).toBe(1);
});
