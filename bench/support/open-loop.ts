/**
 * The bookkeeping of an open loop: requests are due at even distances whatever the server does, and the latency of each
 * counts from when it was due, so that a server that pauses is charged for all that it kept waiting (coordinated omission;
 * Tene, "How NOT to measure latency"). Pure but for what it is handed; runs in the process of the client.
 */
import { quantileOf, recordValue } from '../../src/metrics/histogram.ts';
import { createReplyQueue, expectReply, type ReplyQueue, type ReplyShape, takeReplies } from './replies.ts';

/** What the client of an open loop is told when it starts. The keys are those of `benchmarkKey`. */
export type OpenLoopPlan = {
  readonly port: number;
  readonly connections: number;
  readonly keys: number;
  readonly valueBytes: number;
};

/** One run: so many requests a second, for so long. */
export type OpenLoopRun = {
  readonly ratePerSecond: number;
  readonly seconds: number;
  /** One request in so many is a SET, drawn at random; the others are GETs. */
  readonly setOneIn: number;
  /** Whether every SET makes a key that was not there, the first the one behind the last of `keys`. */
  readonly isGrowing: boolean;
};

export type OpenLoopReport = {
  requests: number;
  /** How many of the requests were SETs. */
  sets: number;
  p50Ms: number;
  p99Ms: number;
  p999Ms: number;
  p9999Ms: number;
  maxMs: number;
  /** How late the client itself sent: that is in the latencies too. */
  lateP50Ms: number;
  lateP999Ms: number;
};

/** Requests of one connection that are not answered yet, and when each was due. */
export type Lane = { readonly dueMs: Float64Array; readonly queue: ReplyQueue };

/** A power of two. */
const LANE_REQUESTS_MAX = 32_768;
const LANE_MASK = LANE_REQUESTS_MAX - 1;
const MS_TO_NS = 1e6;

export function createLane(shapes: readonly ReplyShape[]): Lane {
  return { dueMs: new Float64Array(LANE_REQUESTS_MAX), queue: createReplyQueue(shapes, LANE_REQUESTS_MAX) };
}

/** Notes a request that is sent now and was due then. Throws when too many are unanswered. */
export function noteSent({ dueMs, queue }: Lane, atMs: number, shape: number): void {
  expectReply(queue, shape);
  dueMs[(queue.sent - 1) & LANE_MASK] = atMs;
}

/**
 * Takes bytes that came, cut anywhere, and records the latency in ns of every reply that they end. Returns how many those
 * are. Throws on an error, on a miss, and on a reply that nobody waits for.
 */
export function takeLatencies(
  { dueMs, queue }: Lane,
  bytes: Uint8Array,
  length: number,
  nowMs: number,
  latencies: Float64Array,
): number {
  const count = takeReplies(queue, bytes, length);
  for (let reply = queue.answered - count; reply < queue.answered; reply += 1) {
    recordValue(latencies, (nowMs - dueMs[reply & LANE_MASK]) * MS_TO_NS);
  }
  return count;
}

/** How many of the requests of a run are due by then, the first at `startMs`. */
export function dueBy(nowMs: number, startMs: number, spacingMs: number, requests: number): number {
  return nowMs < startMs ? 0 : Math.min(requests, Math.floor((nowMs - startMs) / spacingMs) + 1);
}

/** What a run came to, from histograms of nanoseconds. */
export function reportOf(
  requests: number,
  sets: number,
  latencies: Float64Array,
  lateness: Float64Array,
): OpenLoopReport {
  const readMs = (histogram: Float64Array, share: number): number => quantileOf(histogram, share) / MS_TO_NS;
  return {
    requests,
    sets,
    p50Ms: readMs(latencies, 0.5),
    p99Ms: readMs(latencies, 0.99),
    p999Ms: readMs(latencies, 0.999),
    p9999Ms: readMs(latencies, 0.9999),
    maxMs: readMs(latencies, 1),
    lateP50Ms: readMs(lateness, 0.5),
    lateP999Ms: readMs(lateness, 0.999),
  };
}
