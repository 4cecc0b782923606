/** What `npm run bench:storm` makes of what it saw, and from where it connects. */
import { describe, expect, test } from 'vitest';
import {
  addressesOf,
  CONNECTS_COLUMNS,
  connectsCells,
  connectsRow,
} from '../../bench/support/storm-connects.ts';
import { IDLE_COLUMNS, idleCells, idleRow } from '../../bench/support/storm-idle.ts';
import { SLOW_COLUMNS, slowCells, slowRow } from '../../bench/support/storm-slow.ts';

test('no two processes connect from the same address, and all of these are of the loopback network', () => {
  const addresses = [0, 1, 2].flatMap(addressesOf);
  expect(new Set(addresses).size).toBe(addresses.length);
  for (const address of addresses) expect(address).toMatch(/^127\.0\.[1-9]\d?\.[1-9]\d?$/);
});

describe('short connections', () => {
  const settings = { processes: 3, concurrent: 16, seconds: 1 };
  const run = (connectsPerSecond: number, failures: number) => ({
    ...{ connectsPerSecond, failures, p50Ms: 1, p99Ms: 2, cpuUs: 30 },
  });
  const base = connectsRow('redis-server', settings, [run(100, 0), run(110, 0)]);
  const row = connectsRow('distcache', settings, [run(50, 1), run(60, 2)]);

  test('are counted over all processes, and failures over all rounds', () => {
    expect(row).toMatchObject({
      concurrent: 48,
      failures: 3,
      connectsPerSecond: { median: 55, min: 50, max: 60 },
    });
  });

  test('have a cell for each column, and a ratio to redis-server', () => {
    expect(connectsCells(row, [base, row])).toHaveLength(CONNECTS_COLUMNS.length);
    expect(connectsCells(row, [base, row]).at(-1)).toBe('0.52x');
    expect(connectsCells(base, [base, row]).at(-1)).toBe('1');
  });
});

test('idle connections have a cell for each column', () => {
  const run = {
    ...{ acceptedSeconds: 1, residentEachBytes: 2, pingP50Ms: 3, pingP99Ms: 4, pingAllMs: 5 },
    ...{ aloneP99Ms: 6, openingP99Ms: 7, openingMaxMs: 8, idleP99Ms: 9 },
  };
  const row = idleRow('distcache', 10, [run, { ...run, residentEachBytes: 4 }]);
  expect(row.residentEachBytes).toEqual({ median: 3, min: 2, max: 4 });
  expect(idleCells(row)).toHaveLength(IDLE_COLUMNS.length);
});

test('slow readers have a cell for each column', () => {
  const run = {
    ...{ peakBytes: 2 ** 20, afterBytes: 2 ** 19, closed: 1, aloneP99Ms: 1 },
    ...{ duringP50Ms: 1, duringP99Ms: 2, duringMaxMs: 3 },
  };
  const row = slowRow('distcache', { readers: 10, askedMib: 20, seconds: 1 }, [run]);
  expect(slowCells(row)).toHaveLength(SLOW_COLUMNS.length);
  expect(slowCells(row).slice(1, 6)).toEqual(['10', '20 MiB', '1.0 MiB', '0.5 MiB', '1']);
});
