/** Tables and rows of results. */
import { describe, expect, test } from 'vitest';
import { type Contest, contestsOf } from '../../bench/support/matrix-sets.ts';
import { matrixCells, matrixColumns, matrixRows, setText } from '../../bench/support/matrix-table.ts';
import { spreadOf } from '../../bench/support/statistics.ts';

const [pipeline] = contestsOf('pipeline', 2);
const [GET_AT_1, SET_AT_1] = pipeline.loads;

function measured(load: Contest['loads'][number], server: string, speeds: readonly number[]) {
  const one = spreadOf([1]);
  return {
    ...{ load, server, p50Ms: one, p99Ms: one, cpuUs: one },
    ...{ generatorCpuUs: one, generatorBusyShare: spreadOf([0.96]) },
    requestsPerSecond: spreadOf(speeds),
  };
}

const rows = [
  measured(GET_AT_1, 'redis-server', [90_000, 100_000, 110_000]),
  measured(GET_AT_1, 'distcache', [190_000, 200_000, 210_000]),
  measured(GET_AT_1, 'memcached', [100_000, 120_000, 130_000]),
  measured(SET_AT_1, 'distcache', [5_000]),
];

describe('a row', () => {
  const cellsOf = (index: number): string[] => matrixCells(pipeline, rows[index], rows);

  test('has a cell for each column', () => {
    expect(cellsOf(1)).toHaveLength(matrixColumns('pipeline').length);
  });

  test('tells its ratio to redis-server under the same load, and where the runs do not tell them apart', () => {
    expect(rows.map((_, index) => cellsOf(index)[7])).toEqual([
      '1',
      '2.00x',
      '1.20x (not distinguishable)',
      '1',
    ]);
  });

  test('tells throughput in thousands with its spread, with a digit more where it is small', () => {
    expect(cellsOf(1).slice(0, 4)).toEqual(['GET', '1', 'distcache', '200 (190-210)']);
    expect(cellsOf(3)[3]).toBe('5.0');
  });

  test('tells how busy the generator was', () => {
    expect(cellsOf(0).at(-1)).toBe('96 %');
  });

  test('of large values tells its pipeline, which is shorter', () => {
    const large = contestsOf('values', 2)[4];
    const row = measured(large.loads[0], 'distcache', [1]);
    expect(matrixCells(large, row, [row])[1]).toBe('1 MiB, P=1');
  });
});

test('a set is one table, with what made its load', () => {
  const other = contestsOf('mix', 2)[0];
  const text = setText('pipeline', [
    { contest: pipeline, generator: 'redis-benchmark', measurements: rows },
    { contest: other, generator: 'own', measurements: [measured(other.loads[0], 'other', [1])] },
  ]);
  expect(text).toContain('## pipeline\n\nBy redis-benchmark.\n');
  expect(text).not.toContain('other');
  expect(text.match(/^\| [GS]ET/gm)).toHaveLength(rows.length);
});

test('rows of a result file are flat, but for the spreads', () => {
  const [row] = matrixRows({ contest: pipeline, generator: 'own', measurements: rows });
  expect(row).toMatchObject({
    ...{ set: 'pipeline', server: 'redis-server', command: 'GET', setting: '1', pipeline: 1 },
    ...{ connections: 50, valueBytes: 64, skew: 0, readPercent: 100, persistence: 'none', generator: 'own' },
    requestsPerSecond: { median: 100_000, min: 90_000, max: 110_000 },
  });
  for (const value of Object.values(row)) {
    if (typeof value === 'object') expect(Object.keys(value)).toEqual(['median', 'min', 'max']);
  }
});
