/** Flags of the benchmarks. */
import { describe, expect, test } from 'vitest';
import { BadFlag, parseNameList, parseNumberList, parseOptions } from '../../bench/support/options.ts';

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

describe('a list of names', () => {
  const KNOWN = ['cost', 'churn', 'start'] as const;

  test('has the known ones in their own order, each once', () => {
    expect(parseNameList('sets', 'start,cost', KNOWN)).toEqual(['cost', 'start']);
    expect(parseNameList('sets', ' churn , churn', KNOWN)).toEqual(['churn']);
  });

  test('is all of them where it is empty', () => {
    expect(parseNameList('sets', '', KNOWN)).toEqual(KNOWN);
  });

  test('with a stranger, or with nothing between commas, is refused', () => {
    for (const text of ['none', 'cost,none', 'cost,', ',']) {
      expect(() => parseNameList('sets', text, KNOWN)).toThrow(BadFlag);
    }
  });
});
