/** What `npm run bench:memory` makes of what it read. */
import { describe, expect, test } from 'vitest';
import {
  CHURN_COLUMNS,
  churnCells,
  churnRows,
  FRAGMENTATION_COLUMNS,
  fragmentationCells,
  fragmentationRows,
} from '../../bench/support/memory-churn.ts';
import { COST_COLUMNS, costCells, costRow, keyText, SHAPES } from '../../bench/support/memory-costs.ts';
import { growthOf } from '../../bench/support/memory-reading.ts';

const SHAPE = { keyBytes: 10, valueBytes: 64, ttlSeconds: 0 };
const MIB = 2 ** 20;

describe('the cost of a key', () => {
  const costs = [
    { keys: 100, usedBytes: 12_000, residentBytes: 15_000 },
    { keys: 100, usedBytes: 12_400, residentBytes: 12_400 },
    { keys: 100, usedBytes: 12_200, residentBytes: 13_000 },
  ];
  const base = costRow('redis-server', SHAPE, [{ keys: 100, usedBytes: 15_250, residentBytes: 16_000 }]);
  const row = costRow('distcache', SHAPE, costs);

  test('is shared out over the keys, with and without their own bytes', () => {
    expect(row.usedPerKeyBytes).toEqual({ median: 122, min: 120, max: 124 });
    expect(row.overheadPerKeyBytes).toEqual({ median: 48, min: 46, max: 50 });
    expect(row.residentPerKeyBytes).toEqual({ median: 130, min: 124, max: 150 });
    expect(row.residentToUsed).toMatchObject({ min: 1, max: 1.25 });
  });

  test('is compared with redis-server in the same shape only', () => {
    const other = costRow('redis-server', { ...SHAPE, ttlSeconds: 60 }, costs);
    expect(costCells(row, [other, base, row]).at(-1)).toBe('0.80x');
    expect(costCells(base, [other, base, row]).at(-1)).toBe('1');
    expect(costCells(row, [other, row]).at(-1)).toBe('1');
  });

  test('has a cell for each column', () => {
    expect(costCells(row, [base, row])).toHaveLength(COST_COLUMNS.length);
  });

  test('is asked of every length of key and value, with a TTL and without', () => {
    expect(SHAPES).toHaveLength(12);
    expect(new Set(SHAPES.map((shape) => JSON.stringify(shape))).size).toBe(12);
  });

  test('keys are as long as is wanted and all different', () => {
    expect(keyText(7, 10)).toBe('k000000007');
    expect([keyText(999_999_999, 10), keyText(0, 100)].map((key) => key.length)).toEqual([10, 100]);
  });
});

test('growth is what was not there before', () => {
  const before = { keys: 1, usedBytes: 10, residentBytes: 100 };
  expect(growthOf({ keys: 3, usedBytes: 40, residentBytes: 600 }, before)).toEqual({
    ...{ keys: 2, usedBytes: 30, residentBytes: 500 },
  });
});

describe('churn', () => {
  const phase = (valueBytes: number, heldKeys: number) => ({
    ...{ valueBytes, heldKeys, keys: heldKeys + 5, usedBytes: MIB, usedBytesLeast: MIB / 2 },
    residentBytes: 2 * MIB,
  });
  const sizes = [64, 1024, 100];
  const runs = [1000, 900].map((held) => ({
    phases: sizes.map((valueBytes) => phase(valueBytes, held)),
    fresh: sizes.map((valueBytes) => phase(valueBytes, 1000)),
  }));
  const rows = churnRows('distcache', MIB, runs);

  test('counts what the phase wrote, not what earlier ones left', () => {
    expect(rows.map(({ valueBytes }) => valueBytes)).toEqual(sizes);
    expect(rows[0].payloadShare).toMatchObject({ min: (900 * 74) / MIB, max: (1000 * 74) / MIB });
    expect(rows[0].heldToFresh).toMatchObject({ min: 0.9, max: 1 });
    expect(rows[0].usedLeastShare).toMatchObject({ median: 0.5 });
  });

  test('has a cell for each column', () => {
    expect(churnCells(rows[1])).toHaveLength(CHURN_COLUMNS.length);
  });
});

describe('fragmentation', () => {
  const steps = ['filled', 'half deleted'].map((name) => ({
    ...{ name, keys: 10, payloadBytes: MIB, usedBytes: 2 * MIB, residentBytes: 3 * MIB },
  }));
  const rows = fragmentationRows('distcache', [steps, steps]);

  test('is told step by step, against what the server counts and against keys and values', () => {
    expect(rows.map(({ step }) => step)).toEqual(['filled', 'half deleted']);
    expect(rows[1].residentToUsed).toEqual({ median: 1.5, min: 1.5, max: 1.5 });
    expect(rows[1].residentToPayload).toEqual({ median: 3, min: 3, max: 3 });
  });

  test('has a cell for each column', () => {
    expect(fragmentationCells(rows[0])).toHaveLength(FRAGMENTATION_COLUMNS.length);
  });
});
