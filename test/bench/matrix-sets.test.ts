/** What the sets of loads hold. */
import { describe, expect, test } from 'vitest';
import {
  contestsOf,
  keysFor,
  type Load,
  OWN_GENERATOR_SETS,
  readPercentOf,
  SET_NAMES,
  workerCounts,
} from '../../bench/support/matrix-sets.ts';

const BASE = { pipeline: 16, connections: 50, skew: 0 };

function loadsOf(set: (typeof SET_NAMES)[number]): Load[] {
  return contestsOf(set, 4).flatMap(({ loads }) => loads);
}

function valuesOf<Field extends keyof Load>(loads: readonly Load[], field: Field): Load[Field][] {
  return [...new Set(loads.map((load) => load[field]))];
}

describe.each(SET_NAMES)('the set %s', (set) => {
  const contests = contestsOf(set, 4);

  test('names every load of a contest differently, so that servers are compared under the same', () => {
    for (const { loads } of contests) {
      const names = loads.map(({ command, setting }) => `${command} ${setting}`);
      expect(new Set(names).size).toBe(loads.length);
    }
  });

  test('changes one thing of the base point at most', () => {
    for (const { loads } of contests) {
      for (const { pipeline, connections, skew } of loads) {
        const changed = Object.entries({ pipeline, connections, skew }).filter(
          ([name, value]) => BASE[name as keyof typeof BASE] !== value,
        );
        expect(changed.length).toBeLessThanOrEqual(1);
      }
    }
  });

  test('has mixes whose shares add up to one', () => {
    for (const { mix } of contests.flatMap(({ loads }) => loads)) {
      expect(mix.reduce((sum, { share }) => sum + share, 0)).toBeCloseTo(1, 9);
    }
  });

  test('is left to redis-benchmark only where that can make it', () => {
    if (OWN_GENERATOR_SETS.includes(set)) return;
    for (const { loads, valueBytes } of contests) {
      expect(valueBytes).toBe(64);
      for (const { mix, skew } of loads) expect([mix.length, skew]).toEqual([1, 0]);
    }
  });
});

test('each dimension has the points that were asked for', () => {
  expect(valuesOf(loadsOf('pipeline'), 'pipeline')).toEqual([1, 4, 16, 64]);
  expect(valuesOf(loadsOf('connections'), 'connections')).toEqual([1, 10, 50, 200, 1000]);
  expect(valuesOf(loadsOf('keys'), 'skew')).toEqual([0, 0.99]);
  expect(valuesOf(loadsOf('commands'), 'command')).toEqual(['INCR', 'MGET', 'MSET']);
  expect(loadsOf('mix').map(readPercentOf)).toEqual([100, 90, 50, 0]);
  expect(contestsOf('values', 4).map(({ valueBytes }) => valueBytes)).toEqual([8, 64, 1024, 16_384, 2 ** 20]);
  expect(contestsOf('persistence', 4).map(({ persistence }) => persistence)).toEqual([
    'none',
    'everysec',
    'always',
  ]);
  expect(contestsOf('workers', 4)[0].workers).toEqual([1, 2, 4]);
});

test('a mix without writes, or without reads, has one kind of request', () => {
  expect(loadsOf('mix').map(({ mix }) => mix.length)).toEqual([1, 2, 2, 1]);
});

test('values of a megabyte are not all under way at once', () => {
  const contest = contestsOf('values', 4).find(({ valueBytes }) => valueBytes === 2 ** 20);
  expect(contest?.loads.map(({ pipeline, connections }) => [pipeline, connections])).toEqual([
    [1, 50],
    [1, 50],
  ]);
});

test.each([
  [1, [1]],
  [2, [1, 2]],
  [3, [1, 2, 3]],
  [4, [1, 2, 4]],
  [6, [1, 2, 4, 6]],
  [16, [1, 2, 4, 8, 16]],
])('with %i cores there are %j workers', (cores, counts) => {
  expect(workerCounts(cores)).toEqual(counts);
});

test('large values are fewer, so that they fit', () => {
  expect([8, 64, 16_384, 2 ** 20].map((bytes) => keysFor(bytes, 100_000))).toEqual([
    100_000, 100_000, 16_384, 256,
  ]);
});
