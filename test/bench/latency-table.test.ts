/** Rates, tables and rows of latencies. */
import { describe, expect, test } from 'vitest';
import type { Scenario } from '../../bench/support/latency-run.ts';
import {
  latencyRows,
  ratesOf,
  type ServerLatencies,
  scenarioText,
} from '../../bench/support/latency-table.ts';

const COMMON = "50 % of redis-server's";

function serverOf(server: string, isBase: boolean, p999Ms: readonly number[], scenario: Scenario = 'plain') {
  const rates = ratesOf([10, 50], isBase ? 100_000 : 80_000, 100_000, isBase);
  const runs = rates.flatMap((rate) =>
    p999Ms.map((value) => ({
      ...{ scenario, rate, extent: 0.25 },
      report: {
        ...{ requests: 1000, sets: 100, p50Ms: 1, p99Ms: 2, p999Ms: value, p9999Ms: 8, maxMs: value + 9 },
        ...{ lateP50Ms: 0.1, lateP999Ms: 0.2 },
      },
    })),
  );
  return { server, peakPerSecond: isBase ? 100_000 : 80_000, rates, runs } satisfies ServerLatencies;
}

function linesOf(text: string): string[][] {
  return text
    .split('\n')
    .filter((line) => line.startsWith('| ') && !line.startsWith('| -'))
    .map((line) =>
      line
        .split('|')
        .slice(1, -1)
        .map((cell) => cell.trim()),
    );
}

describe('rates', () => {
  test("are shares of a server's own peak, and half of redis-server's", () => {
    expect(ratesOf([10, 80], 50_000, 100_000, false)).toEqual([
      { name: '10 %', perSecond: 5_000 },
      { name: '80 %', perSecond: 40_000 },
      { name: COMMON, perSecond: 50_000 },
    ]);
  });

  test('of redis-server have its half among them, once', () => {
    expect(ratesOf([10, 80], 9, 9, true).map(({ name }) => name)).toEqual(['10 %', '80 %', '50 %']);
    expect(ratesOf([10, 50], 9, 9, true).map(({ name }) => name)).toEqual(['10 %', '50 %']);
  });
});

describe('the table of a scenario', () => {
  const servers = [serverOf('redis-server', true, [4, 5, 6]), serverOf('distcache', false, [1, 2, 3])];
  const [heading, ...lines] = linesOf(scenarioText('plain', servers));

  test('goes rate by rate, redis-server first', () => {
    expect(lines.map(([rate, server]) => `${rate} ${server}`)).toEqual([
      '10 % redis-server',
      '10 % distcache',
      '50 % redis-server',
      '50 % distcache',
      `${COMMON} distcache`,
    ]);
  });

  test('tells each rate in thousands a second', () => {
    expect(lines.map((cells) => cells[2])).toEqual(['10.0', '8.0', '50.0', '40.0', '50.0']);
  });

  test('compares p99.9 at the same share, and the common rate with half of the peak', () => {
    const at = heading.indexOf('p99.9 to redis-server');
    expect(lines.map((cells) => cells[at])).toEqual(['1', '0.40x', '1', '0.40x', '0.40x']);
  });

  test('says where the rounds do not tell two servers apart', () => {
    const near = [servers[0], serverOf('distcache', false, [5, 7, 8])];
    expect(scenarioText('plain', near)).toContain('1.40x (not distinguishable)');
  });

  test('has medians with their spread, and the largest of all', () => {
    expect(lines[0][heading.indexOf('p99.9 ms')]).toBe('5.000 (4.000-6.000)');
    expect(lines[0][heading.indexOf('max ms')]).toBe('15.0');
  });

  test('leaves out what was not measured', () => {
    expect(linesOf(scenarioText('bgsave', servers))).toHaveLength(1);
  });

  test('tells how much of the disturbance there was', () => {
    const [names, line] = linesOf(scenarioText('bgsave', [serverOf('redis-server', true, [1], 'bgsave')]));
    expect(line[names.indexOf('time within snapshots')]).toBe('25.0 %');
  });
});

test('rows of a result file have a spread for each percentile, and their rate', () => {
  const rows = latencyRows('expiry', serverOf('distcache', false, [1, 2, 3], 'expiry'), 'nice');
  expect(rows.map(({ rate }) => rate)).toEqual(['10 %', '50 %', COMMON]);
  expect(rows[0]).toMatchObject({
    ...{ set: 'expiry', server: 'distcache', ratePerSecond: 8_000, peakPerSecond: 80_000, requests: 1000 },
    ...{ precedence: 'nice', p999Ms: { median: 2, min: 1, max: 3 }, shareGone: { median: 0.25 } },
  });
});
