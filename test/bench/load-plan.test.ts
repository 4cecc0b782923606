/** How a load is dealt to the generator's threads, and what they report together. */
import { expect, test } from 'vitest';
import { joinReports, shareOf } from '../../bench/support/load-plan.ts';
import { createHistogram, recordTimes } from '../../src/metrics/histogram.ts';

const MS_TO_NS = 1e6;

function reportWith(requests: number, tookMs: number, latencyMs: number) {
  const latencies = createHistogram();
  recordTimes(latencies, 0, latencyMs * MS_TO_NS, requests);
  return { requests, tookMs, latencies };
}

test('the shares of all threads are the whole, and differ by one at most', () => {
  for (const total of [0, 1, 5, 50, 1000]) {
    for (const threads of [1, 2, 3, 7]) {
      const shares = Array.from({ length: threads }, (_, index) => shareOf(total, threads, index));
      expect(shares.reduce((sum, share) => sum + share, 0)).toBe(total);
      expect(Math.max(...shares) - Math.min(...shares)).toBeLessThanOrEqual(1);
    }
  }
});

test('the requests of all threads are done in the time of the slowest', () => {
  const { requests, requestsPerSecond } = joinReports(
    [reportWith(300, 1000, 1), reportWith(100, 2000, 1)],
    1,
  );
  expect({ requests, requestsPerSecond }).toEqual({ requests: 400, requestsPerSecond: 200 });
});

test('quantiles are those of all requests, not of the threads', () => {
  const report = joinReports([reportWith(990, 1000, 1), reportWith(10, 1000, 8)], 1);
  expect(report.p50Ms).toBeCloseTo(1, 1);
  expect(report.p99Ms).toBeCloseTo(1, 1);
  expect(report.p999Ms).toBeGreaterThan(7.7);
  expect(report.maxMs).toBe(8);
});

test("the generator's own time is told by request and as a share of its threads' time", () => {
  const { cpuUs, busyShare } = joinReports([reportWith(500, 1000, 1), reportWith(500, 1000, 1)], 1.5);
  expect(cpuUs).toBeCloseTo(1500, 9);
  expect(busyShare).toBeCloseTo(0.75, 9);
});
