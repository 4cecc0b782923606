/**
 * The bookkeeping of an open loop: requests are due at even distances whatever the server does, and the latency of each
 * counts from when it was due, so that a server that pauses is charged for all that it kept waiting (coordinated omission;
 * Tene, "How NOT to measure latency"). Pure but for what it is handed; runs in the process of the client.
 */
import { recordValue } from '../../src/metrics/histogram.ts';

/** What the client of an open loop is told when it starts. The keys are those of `loadKeys`. */
export type OpenLoopPlan = {
  readonly port: number;
  readonly connections: number;
  readonly keys: number;
  readonly valueBytes: number;
  /** One request in so many is a SET, drawn at random; the others are GETs. */
  readonly setOneIn: number;
};

/** One run: so many requests a second, for so long. */
export type OpenLoopRun = { readonly ratePerSecond: number; readonly seconds: number };

export type OpenLoopReport = {
  requests: number;
  p50Ms: number;
  p99Ms: number;
  p999Ms: number;
  maxMs: number;
  /** How late the client itself sent: that is in the latencies too. */
  lateP50Ms: number;
  lateP999Ms: number;
};

/** Requests of one connection that are not answered yet, oldest first, and what is left to come of the oldest's reply. */
export type Lane = {
  readonly dueMs: Float64Array;
  readonly replyBytes: Uint16Array;
  sent: number;
  answered: number;
  missingBytes: number;
};

/** A power of two. */
const LANE_REQUESTS_MAX = 32_768;
const LANE_MASK = LANE_REQUESTS_MAX - 1;
const MS_TO_NS = 1e6;

const PLUS = 43;
const DOLLAR = 36;
const MINUS = 45;
const LINE_FEED = 10;
const OK_BYTES = '+OK\r\n'.length;

export function createLane(): Lane {
  return {
    dueMs: new Float64Array(LANE_REQUESTS_MAX),
    replyBytes: new Uint16Array(LANE_REQUESTS_MAX),
    sent: 0,
    answered: 0,
    missingBytes: 0,
  };
}

/** How many bytes the reply to a GET that hits has, and that to a SET. */
export function replyBytesOf(isSet: boolean, valueBytes: number): number {
  return isSet ? OK_BYTES : `$${valueBytes}\r\n\r\n`.length + valueBytes;
}

/** Notes a request that is sent now and was due then. Throws when too many are unanswered. */
export function noteSent(lane: Lane, dueMs: number, replyBytes: number): void {
  if (lane.sent - lane.answered >= LANE_REQUESTS_MAX) throw new Error('the server does not keep up');
  const at = lane.sent & LANE_MASK;
  lane.dueMs[at] = dueMs;
  lane.replyBytes[at] = replyBytes;
  lane.sent += 1;
}

/**
 * Takes bytes that came, cut anywhere, and records the latency in ns of every reply that they end. Returns how many those
 * are. Throws on an error, on a miss, and on a reply that nobody waits for.
 */
export function takeReplies(
  lane: Lane,
  bytes: Uint8Array,
  length: number,
  nowMs: number,
  latencies: Float64Array,
): number {
  const { dueMs, replyBytes, answered } = lane;
  let at = 0;
  while (at < length) {
    const place = lane.answered & LANE_MASK;
    const total = replyBytes[place];
    if (lane.missingBytes === 0) {
      if (lane.answered === lane.sent) throw unexpected(bytes, at);
      lane.missingBytes = total;
    }
    const taken = Math.min(lane.missingBytes, length - at);
    if (!isExpected(bytes, at, taken, total - lane.missingBytes, total)) throw unexpected(bytes, at);
    at += taken;
    lane.missingBytes -= taken;
    if (lane.missingBytes > 0) break;
    recordValue(latencies, (nowMs - dueMs[place]) * MS_TO_NS);
    lane.answered += 1;
  }
  return lane.answered - answered;
}

/** Looks at the first two bytes and the last of a reply, as far as they are among those taken now; `seen` came before. */
function isExpected(bytes: Uint8Array, at: number, taken: number, seen: number, total: number): boolean {
  if (seen === 0 && bytes[at] !== (total === OK_BYTES ? PLUS : DOLLAR)) return false;
  if (seen <= 1 && seen + taken > 1 && bytes[at + 1 - seen] === MINUS) return false;
  return seen + taken < total || bytes[at + taken - 1] === LINE_FEED;
}

function unexpected(bytes: Uint8Array, at: number): Error {
  const text = Buffer.from(bytes.subarray(at, at + 80)).toString('latin1');
  return new Error(`an unexpected reply: ${JSON.stringify(text)}`);
}
