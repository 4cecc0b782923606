/** Tests of rates between two states of the server. */
import { expect, test } from 'vitest';
import { ratesBetween } from '../../../src/admin/dashboard/rates.js';

const row = (index: number, commands: number) => ({ index, commands });

test('a rate is the growth of a count per second', () => {
  const rates = ratesBetween([row(0, 100), row(1, 7)], [row(0, 150), row(1, 7)], 500, ['commands']);
  expect(rates.get(0)).toEqual({ commands: 100 });
  expect(rates.get(1)).toEqual({ commands: 0 });
});

test('a record that is new, or was reset, has no rate yet', () => {
  const rates = ratesBetween([row(0, 100)], [row(0, 3), row(1, 50)], 1000, ['commands']);
  expect([rates.get(0), rates.get(1)]).toEqual([{ commands: 0 }, { commands: 0 }]);
});

test('no time gives no rate', () => {
  expect(ratesBetween([row(0, 1)], [row(0, 2)], 0, ['commands']).get(0)).toEqual({ commands: 0 });
});
