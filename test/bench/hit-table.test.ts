/** Hit ratios as rows and tables. */
import { describe, expect, test } from 'vitest';
import { bestColumns, bestRows, hitColumns, hitRowOf, hitTableRows } from '../../bench/support/hit-table.ts';

const WORKLOADS = ['Zipf 0.99', 'scans'];

function row(server: string, policy: string, workload: string, ratios: readonly number[], refused = 0) {
  const runs = ratios.map((hitRatio, index) => ({
    ...{ hitRatio, keys: 10 + index, residentBytes: (index + 1) * 2 ** 20 },
    refusedWrites: refused,
  }));
  const contender = { name: `${server} ${policy}`, server, policy };
  return hitRowOf('limit', workload, contender, 1024.4, runs);
}

const ROWS = [
  row('distcache', 'allkeys-lru', 'Zipf 0.99', [0.8, 0.82, 0.84]),
  row('redis-server', 'allkeys-lru', 'Zipf 0.99', [0.7, 0.72, 0.74]),
  row('redis-server', 'allkeys-lfu', 'Zipf 0.99', [0.79, 0.83, 0.83]),
  row('distcache', 'allkeys-lru', 'scans', [0.5, 0.5]),
  row('redis-server', 'allkeys-lru', 'scans', [0.45, 0.4]),
  row('redis-server', 'allkeys-lfu', 'scans', [0.3, 0.3]),
  row('memcached', 'segmented LRU', 'scans', [0.3, 0.3], 2),
];

test('a row has the spread of the seeds and each of them', () => {
  const { hitRatio, residentBytes, limitBytes, seed0, seed2, refusedWrites } = ROWS[0];
  expect(hitRatio).toEqual({ median: 0.82, min: 0.8, max: 0.84 });
  expect(residentBytes).toEqual({ median: 2 ** 21, min: 2 ** 20, max: 3 * 2 ** 20 });
  expect([limitBytes, seed0, seed2, refusedWrites]).toEqual([1024, 0.8, 0.84, 0]);
});

describe('the table of hit ratios', () => {
  const lines = hitTableRows(ROWS, WORKLOADS);

  test('has a line for each cache and a cell for each column', () => {
    expect(lines.map(([cache]) => cache)).toEqual([
      'distcache allkeys-lru',
      'redis-server allkeys-lru',
      'redis-server allkeys-lfu',
      'memcached segmented LRU',
    ]);
    for (const line of lines) expect(line).toHaveLength(hitColumns(WORKLOADS).length);
  });

  test('tells percent, what was not measured, writes that were refused, and the RAM', () => {
    expect(lines[0].slice(1)).toEqual(['82.00 (80.00-84.00)', '50.00', '1.0 MiB to 3.0 MiB']);
    expect(lines[3].slice(1, 3)).toEqual(['-', '30.00, 4 writes refused']);
  });
});

describe('the comparison with the best of redis-server', () => {
  const lines = bestRows(ROWS, WORKLOADS);

  test('leaves out redis-server itself', () => {
    expect(lines.map(([cache]) => cache)).toEqual(['distcache allkeys-lru', 'memcached segmented LRU']);
    for (const line of lines) expect(line).toHaveLength(bestColumns(WORKLOADS).length);
  });

  test('takes the policy that is best on each workload, seed by seed', () => {
    expect(lines[0][1]).toBe('+1.00 (-1.00 to +1.00), not distinguishable');
    expect(lines[0][2]).toBe('+7.50 (+5.00 to +10.00)');
    expect(lines[1].slice(1)).toEqual(['-', '-12.50 (-15.00 to -10.00)']);
  });
});
