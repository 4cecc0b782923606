/** Pictures and tables from the rows of results. */
import { describe, expect, test } from 'vitest';
import { buildFigure, ratiosTable, valuesTable } from '../../bench/support/figure-build.ts';
import { FIGURES, type FigureSpec } from '../../bench/support/figures.ts';
import type { BenchResult, ResultRow } from '../../bench/support/result.ts';

const spread = (median: number, reach = 0) => ({ median, min: median - reach, max: median + reach });

const MACHINE = {
  ...{ processor: 'one', cores: 2, memoryGib: 1, kernel: '6', node: 'v26' },
  ...{ date: '2026-01-01T00:00:00.000Z', loadAverage: 0, versions: [] },
};

function resultOf(name: string, rows: readonly ResultRow[]): BenchResult {
  return { name, machine: MACHINE, options: {}, rows };
}

function specOf(name: string): FigureSpec {
  const spec = FIGURES.find((one) => one.name === name);
  if (spec === undefined) throw new Error(name);
  return spec;
}

function pipelineRow(server: string, setting: string, perSecond: number, reach = 0): ResultRow {
  const measured = { requestsPerSecond: spread(perSecond, reach), cpuUs: spread(1) };
  return { set: 'pipeline', server, command: 'GET', setting, ...measured };
}

function figureOf(name: string, rows: readonly ResultRow[]) {
  const spec = specOf(name);
  const figure = buildFigure(spec, resultOf(spec.bench, rows));
  if (figure === undefined) throw new Error('no picture');
  return figure;
}

const ROWS = [
  pipelineRow('redis-server', '1', 100),
  pipelineRow('distcache', '1', 90, 20),
  pipelineRow('redis-server', '16', 200),
  pipelineRow('distcache', '16', 300),
  pipelineRow('distcache', '64', 500),
];

describe('a picture', () => {
  test('has the categories and the series in the order of the rows, and gaps where a row is missing', () => {
    const { panels } = figureOf('throughput-pipeline', ROWS);
    expect(panels).toHaveLength(1);
    expect(panels[0].categories).toEqual(['1', '16', '64']);
    expect(panels[0].series.map(({ name }) => name)).toEqual(['redis-server', 'distcache']);
    expect(panels[0].series[0].values).toEqual([spread(100), spread(200), undefined]);
  });

  test('tells its numbers in its description', () => {
    expect(figureOf('throughput-pipeline', ROWS).description).toContain('GET: redis-server 1 100, 16 200;');
  });

  test('is none where the result has none of its rows', () => {
    const spec = specOf('throughput-values');
    expect(buildFigure(spec, resultOf('bench', ROWS))).toBeUndefined();
  });

  test('is refused where a row lacks its value', () => {
    const row = { set: 'pipeline', server: 'distcache', command: 'GET', setting: '1' };
    expect(() => figureOf('throughput-pipeline', [row])).toThrow('distcache');
  });

  test('names are those of files and blocks, each once', () => {
    const names = FIGURES.map(({ name }) => name);
    expect(new Set(names).size).toBe(names.length);
    for (const name of names) expect(name).toMatch(/^[\w-]+$/);
  });
});

describe('a table of ratios', () => {
  test('has each server to redis-server under the same load, and tells where the runs do not tell them apart', () => {
    const text = ratiosTable(figureOf('throughput-pipeline', ROWS), 0);
    expect(text).toContain('0.90x (not distinguishable)');
    expect(text).toContain('1.50x');
    expect(text.split('\n')[0]).not.toContain('redis-server');
  });

  test('has no ratio where redis-server was not measured', () => {
    expect(ratiosTable(figureOf('throughput-pipeline', ROWS), 0)).toMatch(/64 +\| +- \|/);
  });

  test('is one of values where redis-server is nowhere', () => {
    const rows = [pipelineRow('distcache', '1', 90)];
    expect(ratiosTable(figureOf('throughput-pipeline', rows), 0)).toMatch(/1 +\| +90 \|/);
  });
});

describe('a table of values', () => {
  test('has a column for each server', () => {
    const [heading, , first] = valuesTable(figureOf('throughput-pipeline', ROWS), 0).split('\n');
    expect(heading).toMatch(/requests in a pipeline \| redis-server \| +distcache/);
    expect(first).toMatch(/GET \| 1 +\| +100 \| 90 \(70-110\)/);
  });

  test('has a line for each of many caches', () => {
    const caches = ['a', 'b', 'c', 'd', 'e'];
    const rows = caches.map((cache) => ({
      ...{ set: 'limit', server: 'distcache', cache, workload: 'Zipf 0.99' },
      hitRatio: spread(0.5),
    }));
    const lines = valuesTable(figureOf('hits', rows), 1).trim().split('\n');
    expect(lines).toHaveLength(2 + caches.length);
    expect(lines[2]).toMatch(/^\| a +\| +50.0 \|$/);
  });
});

describe('latencies', () => {
  const row = (server: string, rate: string): ResultRow => ({
    ...{ set: 'plain', server, rate, p50Ms: spread(1), p99Ms: spread(2) },
    ...{ p999Ms: spread(3), p9999Ms: spread(4), maxMs: spread(5) },
  });
  const rows = [
    row('redis-server', '50 %'),
    row('redis-server', '80 %'),
    row('distcache', '50 %'),
    row('distcache', "50 % of redis-server's"),
  ];

  test('are compared at the rate that all have in common', () => {
    const { panels } = figureOf('latency', rows);
    expect(specOf('latency').pointsOf(rows[2])).toEqual([]);
    expect(panels[0].categories).toEqual(['p50', 'p99', 'p99.9', 'p99.99', 'max']);
    expect(panels[0].series.map(({ name }) => name)).toEqual(['redis-server', 'distcache']);
  });

  test('are shown by shares of the own peak too', () => {
    expect(figureOf('latency-rates', rows).panels[0].categories).toEqual(['50 %', '80 %']);
  });
});
