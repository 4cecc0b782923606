/** What the processes of the storm are told, and what they report. */
import type { Protocol } from './peers.ts';

/** `addresses`: local ones to connect from, in turn. */
export type StormPlan = {
  readonly port: number;
  readonly protocol: Protocol;
  readonly concurrent: number;
  readonly addresses: readonly string[];
};

export type StormRun = { readonly seconds: number };

/** From connect to the answer, for each that was served. */
export type StormReport = { readonly latenciesMs: readonly number[]; readonly failures: number };

/** The client that behaves well while others do not: one connection, so many requests a second. */
export type ProbePlan = {
  readonly port: number;
  readonly protocol: Protocol;
  readonly ratePerSecond: number;
};

export type ProbeRun = { readonly seconds: number };

export type ProbeReport = {
  readonly requests: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly maxMs: number;
};
