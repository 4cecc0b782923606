/** The bookkeeping of an open loop: when requests are due, latencies from then on, and what a run comes to. */
import { describe, expect, test } from 'vitest';
import {
  createLane,
  dueBy,
  type Lane,
  noteSent,
  reportOf,
  takeLatencies,
} from '../../bench/support/open-loop.ts';
import { createHistogram, readHistogram, recordValue } from '../../src/metrics/histogram.ts';

const OK = '+OK\r\n';
const HIT = '$4\r\nxxxx\r\n';
const SHAPES = [
  { first: '$'.charCodeAt(0), bytes: HIT.length },
  { first: '+'.charCodeAt(0), bytes: OK.length },
];
const GET = 0;
const SET = 1;
const MS_TO_NS = 1e6;

function laneOf(...dues: readonly [dueMs: number, shape: number][]): Lane {
  const lane = createLane(SHAPES);
  for (const [dueMs, shape] of dues) noteSent(lane, dueMs, shape);
  return lane;
}

function take(lane: Lane, text: string, nowMs: number, latencies = createHistogram()): number {
  const bytes = Buffer.from(text);
  return takeLatencies(lane, bytes, bytes.length, nowMs, latencies);
}

test('a latency counts from when the request was due, so a pause is charged to all that it kept waiting', () => {
  const dues = Array.from({ length: 100 }, (_, index) => [index, SET] as [number, number]);
  const latencies = createHistogram();
  expect(take(laneOf(...dues), OK.repeat(100), 100, latencies)).toBe(100);
  const { count, max, p50, sum } = readHistogram(latencies);
  expect({ count, max, sum }).toEqual({ count: 100, max: 100 * MS_TO_NS, sum: 5050 * MS_TO_NS });
  expect(p50 / MS_TO_NS).toBeGreaterThan(48);
  expect(p50 / MS_TO_NS).toBeLessThan(52);
});

test('a reply in pieces is charged until its last byte came', () => {
  const text = OK + HIT;
  for (let cut = 0; cut < text.length; cut += 1) {
    const lane = laneOf([0, SET], [10, GET]);
    const latencies = createHistogram();
    const first = take(lane, text.slice(0, cut), 20, latencies);
    expect(first + take(lane, text.slice(cut), 30, latencies)).toBe(2);
    const { sum } = readHistogram(latencies);
    expect(sum / MS_TO_NS).toBe(first === 1 ? 20 + 20 : 30 + 20);
  }
});

test('a lane goes round without mixing up when its requests were due', () => {
  const lane = laneOf();
  for (let round = 0; round < 70_000; round += 1) {
    noteSent(lane, round, round % 2);
    const latencies = createHistogram();
    take(lane, round % 2 === SET ? OK : HIT, round + 3, latencies);
    if (readHistogram(latencies).max !== 3 * MS_TO_NS) throw new Error(`request ${round}`);
  }
});

test('a server that answers nothing is told from one that is slow', () => {
  const lane = laneOf();
  const fill = (): void => {
    while (lane.queue.sent < 10 * 32_768) noteSent(lane, lane.queue.sent, SET);
  };
  expect(fill).toThrow('does not keep up');
  expect(take(lane, OK, 1)).toBe(1);
});

describe('requests are due', () => {
  test('from the start on, at even distances, until there are no more', () => {
    const due = [-1, 0, 0.9, 1, 1.5, 2, 99, 1000].map((nowMs) => dueBy(100 + nowMs, 100, 1, 50));
    expect(due).toEqual([0, 1, 1, 2, 2, 3, 50, 50]);
  });

  test('all that a late client missed, so that none is left out', () => {
    expect(dueBy(10, 0, 0.01, 100_000)).toBe(1001);
  });
});

test('a report has the quantiles of both histograms in milliseconds', () => {
  const latencies = createHistogram();
  const lateness = createHistogram();
  for (let value = 1; value <= 100_000; value += 1) recordValue(latencies, value * 1000);
  recordValue(lateness, 5 * MS_TO_NS);
  const report = reportOf(100_000, 10_000, latencies, lateness);
  const near = (value: number): [number, number] => [value * (1 - 1 / 32), value * (1 + 1 / 32)];
  for (const [field, value] of [
    ['p50Ms', 50],
    ['p99Ms', 99],
    ['p999Ms', 99.9],
    ['p9999Ms', 99.99],
    ['lateP50Ms', 5],
    ['lateP999Ms', 5],
  ] as const) {
    const [least, most] = near(value);
    expect(report[field], field).toBeGreaterThanOrEqual(least);
    expect(report[field], field).toBeLessThanOrEqual(most);
  }
  expect(report).toMatchObject({ requests: 100_000, sets: 10_000, maxMs: 100 });
});
