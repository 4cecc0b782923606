/** Flags of the benchmarks. */
import { expect, test } from 'vitest';
import { BadFlag, parseNumberList, parseOptions } from '../../bench/support/options.ts';

const DEFAULTS = { rounds: 3, requests: 0, json: '', quick: false };

test('without flags the defaults hold, those that no flag could give too', () => {
  expect(parseOptions([], DEFAULTS)).toEqual(DEFAULTS);
});

test('a flag has the type of its default', () => {
  const args = ['--rounds', '5', '--json', 'out.json', '--quick'];
  expect(parseOptions(args, DEFAULTS)).toEqual({ rounds: 5, requests: 0, json: 'out.json', quick: true });
});

test.each([
  [['--round', '5']],
  [['--rounds']],
  [['--rounds', '0']],
  [['--rounds', '2.5']],
  [['--rounds', 'many']],
  [['--quick=yes']],
  [['5']],
])('%j is refused', (args) => {
  expect(() => parseOptions(args, DEFAULTS)).toThrow(BadFlag);
});

test('a list has positive integers between commas', () => {
  expect(parseNumberList('pipeline', '1,16,64')).toEqual([1, 16, 64]);
  for (const text of ['', '1,', '1;2', '-1', '0'])
    expect(() => parseNumberList('pipeline', text)).toThrow(BadFlag);
});
