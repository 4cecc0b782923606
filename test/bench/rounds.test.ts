/** Servers that take turns. */
import { expect, test } from 'vitest';
import type { Peer } from '../../bench/support/peers.ts';
import { inRounds } from '../../bench/support/rounds.ts';

const peers = ['a', 'b', 'c'].map(
  (name): Peer => ({ name, protocol: 'resp', version: '1', program: name, flags: [] }),
);

test('each is measured once in a round, every second round the other way round', async () => {
  const order: string[] = [];
  const results = await inRounds(peers, 3, 'nothing', async ({ name }) => {
    order.push(name);
    return `${name}${order.length}`;
  });
  expect(order.join('')).toBe('abccbaabc');
  expect(results).toEqual([
    ['a1', 'a6', 'a7'],
    ['b2', 'b5', 'b8'],
    ['c3', 'c4', 'c9'],
  ]);
});
