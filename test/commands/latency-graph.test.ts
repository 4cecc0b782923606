/** Tests of the picture of LATENCY GRAPH. */
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { latencyGraph } from '../../src/commands/latency-graph.ts';

const START_SECONDS = 1_795_357_265;
const RULE = '-'.repeat(80);

/** One sample a second from the start on. */
const series = (latencies: readonly number[], maxMs = Math.max(...latencies)) => ({
  samples: latencies.map((latencyMs, index) => ({ atSeconds: START_SECONDS + index, latencyMs })),
  maxMs,
});

const graphOf = (latencies: readonly number[], ageSeconds: number) =>
  latencyGraph('command', series(latencies), (START_SECONDS + latencies.length - 1 + ageSeconds) * 1000);

it('is what redis-server draws of the same samples', () => {
  // Drawn by redis-server 7.0.15 after DEBUG SLEEPs of these lengths, a second apart.
  const graph = graphOf([6, 50, 20, 100, 1, 30, 75, 12, 90, 2, 64, 43], 1);
  expect(graph.split('\n')).toEqual([
    'command - high 100 ms, low 1 ms (all time high 100 ms)',
    RULE,
    '   #    o   ',
    '   |  # | o ',
    ' # | _| | |#',
    '_|#|_||o|_||',
    '            ',
    '111987654321',
    '210sssssssss',
    'sss         ',
    '',
  ]);
});

it('draws one height where all samples are alike', () => {
  expect(graphOf([5, 5, 5], 0).split('\n').slice(2, 6)).toEqual(['   ', '   ', '   ', '___']);
});

it('tells ages in the largest unit that fits', () => {
  const ages = [59, 60, 3599, 3600, 86_399, 86_400, 10 * 86_400];
  const labels = ages.map((age) => {
    const lines = graphOf([5], age).split('\n');
    return lines.slice(7, -1).join('');
  });
  expect(labels).toEqual(['59s', '1m', '59m', '1h', '23h', '1d', '10d']);
});

it('goes on in another band after 80 columns', () => {
  const lines = graphOf(
    Array.from({ length: 160 }, (_, index) => index + 1),
    0,
  ).split('\n');
  const bands = lines.slice(2).join('\n').split('\n\n');
  expect(bands).toHaveLength(2);
  for (const band of bands) {
    for (const line of band.replace(/\n$/, '').split('\n')) expect(line).toHaveLength(80);
  }
  // The second band shows the upper half.
  expect(bands[0].split('\n')[0].trim()).toBe('');
  expect(bands[1].split('\n')[0].trim()).not.toBe('');
});

it('names the worst ever, which may be older than all samples', () => {
  expect(latencyGraph('aof-write', series([4, 2], 99), START_SECONDS * 1000)).toContain(
    'aof-write - high 4 ms, low 2 ms (all time high 99 ms)\n',
  );
});

it('shows no sample higher than a greater one', () => {
  fc.assert(
    fc.property(
      fc.array(fc.integer({ min: 1, max: 10_000 }), { minLength: 2, maxLength: 80 }),
      (latencies) => {
        const rows = graphOf(latencies, 0).split('\n').slice(2, 6);
        const heightAt = (column: number) =>
          rows.reduce((sum, row) => sum + 1 + ' _o#|'.indexOf(row[column]) - 1, 0);
        const byLatency = latencies.map((latencyMs, column) => [latencyMs, heightAt(column)]);
        byLatency.sort(([a], [b]) => a - b);
        for (let at = 1; at < byLatency.length; at += 1) {
          expect(byLatency[at][1]).toBeGreaterThanOrEqual(byLatency[at - 1][1]);
        }
      },
    ),
  );
});
