/** Rows of servers beside each other. */
import { describe, expect, test } from 'vitest';
import {
  comparisonCells,
  comparisonColumns,
  orderRows,
  type Row,
  roundsText,
} from '../../bench/support/comparison.ts';
import { spreadOf } from '../../bench/support/statistics.ts';

function row(group: string, pipeline: number, server: string, speeds: readonly number[] = [1000]): Row {
  const one = spreadOf([1]);
  const measured = { requestsPerSecond: spreadOf(speeds), p50Ms: one, p99Ms: one, cpuUs: one };
  return { group, pipeline, requests: 1, server, ...measured };
}

test('rows that are compared follow each other, in the order of the trials', () => {
  const trials = ['a', 'b'].flatMap((server) => [
    row('x', 1, server),
    row('y', 1, server),
    row('x', 16, server),
  ]);
  const more = row('x', 1, 'c');
  expect(
    orderRows([...trials, more]).map(({ group, pipeline, server }) => group + pipeline + server),
  ).toEqual(['x1a', 'x1b', 'x1c', 'y1a', 'y1b', 'x16a', 'x16b']);
});

describe('a row', () => {
  const rows = [
    row('x', 1, 'redis-server', [90_000, 100_000, 110_000]),
    row('x', 1, 'ours', [190_000, 200_000, 210_000]),
    row('x', 1, 'near', [100_000, 120_000, 130_000]),
    row('x', 16, 'ours', [5]),
  ];
  const cellsOf = (index: number): string[] => comparisonCells(rows[index], rows);

  test('has a cell for each column', () => {
    expect(cellsOf(1)).toHaveLength(comparisonColumns('group').length);
  });

  test('tells its ratio to redis-server under the same load, and where the runs do not tell them apart', () => {
    expect(cellsOf(1)[7]).toBe('2.00x');
    expect(cellsOf(2)[7]).toBe('1.20x (not distinguishable)');
  });

  test('is 1 where it is redis-server, or has none beside it', () => {
    expect(cellsOf(0)[7]).toBe('1');
    expect(cellsOf(3)[7]).toBe('1');
  });

  test('tells throughput in thousands with its spread', () => {
    expect(cellsOf(1).slice(0, 4)).toEqual(['x', '1', 'ours', '200 (190-210)']);
  });
});

test('the line below a table tells how many rounds there were', () => {
  expect(roundsText(5)).toContain('of 5 rounds');
});
