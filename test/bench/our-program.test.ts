/** Which program the benchmarks measure. */
import { basename } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { ourProgram, takeSourcesFlag } from '../../bench/support/our-program.ts';
import { ourPeer } from '../../bench/support/peers.ts';

afterEach(() => void takeSourcesFlag([]));

test('it is what users start', () => {
  expect(takeSourcesFlag(['--rounds', '5'])).toEqual(['--rounds', '5']);
  expect(ourProgram().isSources).toBe(false);
  expect(ourPeer().flags.map((flag) => basename(flag))).toContain('distcache.mjs');
  expect(ourPeer().version).not.toContain('sources');
});

test('with --sources it is the sources, and the results say so', () => {
  expect(takeSourcesFlag(['--rounds', '5', '--sources', '--quick'])).toEqual(['--rounds', '5', '--quick']);
  expect(ourProgram().isSources).toBe(true);
  expect(ourPeer().flags.map((flag) => basename(flag))).toContain('main.ts');
  expect(ourPeer().version).toMatch(/ from the sources$/);
});
