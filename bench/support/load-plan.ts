/**
 * What the closed-loop load generator is told and what it reports: the one file that the benchmark, the generator's process
 * and its threads must agree on. Pure.
 */
import { mergeHistogram, quantileOf } from '../../src/metrics/histogram.ts';
import type { Protocol } from './peers.ts';
import type { CommandName } from './request-kinds.ts';

/** Every connection sends `pipeline` requests in one write, waits for all their replies, and sends the next. */
export type LoadPlan = {
  readonly protocol: Protocol;
  readonly port: number;
  readonly threads: number;
  readonly connections: number;
  readonly pipeline: number;
  /** Drawn at random by their shares, which add up to 1. */
  readonly mix: readonly { readonly command: CommandName; readonly share: number }[];
  readonly valueBytes: number;
  readonly keys: number;
  /** Of Zipf's law; 0: every key is as likely. */
  readonly skew: number;
  /** Every key once and in order instead: to fill a server. One thread. */
  readonly isInOrder: boolean;
};

/** A run ends at whichever comes first; 0 is no bound, and one of the two must be one. */
export type LoadRun = { readonly seconds: number; readonly requests: number };

/** What one thread did. */
export type ThreadReport = { requests: number; tookMs: number; latencies: Float64Array };

export type LoadReport = {
  requests: number;
  requestsPerSecond: number;
  /** From when a batch was sent until a reply of it came. */
  p50Ms: number;
  p99Ms: number;
  p999Ms: number;
  maxMs: number;
  /** Processor time of the generator itself, by request. */
  cpuUs: number;
  /** The same as a share of the time of its threads: near 1 it is the generator that is measured. */
  busyShare: number;
};

const MS_TO_NS = 1e6;
const MS_PER_SECOND = 1000;
const SECONDS_TO_US = 1e6;

/** How many of `total` the thread `index` of `threads` gets. */
export function shareOf(total: number, threads: number, index: number): number {
  return Math.floor((total * (index + 1)) / threads) - Math.floor((total * index) / threads);
}

/** All threads as one; they ran at the same time. */
export function joinReports(reports: readonly ThreadReport[], cpuSeconds: number): LoadReport {
  const [{ latencies }, ...others] = reports;
  for (const other of others) mergeHistogram(latencies, other.latencies);
  const requests = reports.reduce((sum, report) => sum + report.requests, 0);
  const seconds = Math.max(...reports.map(({ tookMs }) => tookMs)) / MS_PER_SECOND;
  const quantileMs = (share: number): number => quantileOf(latencies, share) / MS_TO_NS;
  return {
    requests,
    requestsPerSecond: requests / seconds,
    p50Ms: quantileMs(0.5),
    p99Ms: quantileMs(0.99),
    p999Ms: quantileMs(0.999),
    maxMs: quantileMs(1),
    cpuUs: (cpuSeconds * SECONDS_TO_US) / requests,
    busyShare: cpuSeconds / seconds / reports.length,
  };
}
