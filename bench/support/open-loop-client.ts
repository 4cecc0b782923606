/**
 * The process of an open loop's client: plain sockets, one thread. It is handed a plan as its argument, says that it is
 * connected, and answers each run that it is sent with a report.
 */
import { connect, type Socket } from 'node:net';
import { nextRandom } from '../../src/base/random.ts';
import { createHistogram, readHistogram, recordValue } from '../../src/metrics/histogram.ts';
import { requestText } from './client.ts';
import { benchmarkKey } from './comparison.ts';
import {
  createLane,
  type Lane,
  noteSent,
  type OpenLoopPlan,
  type OpenLoopReport,
  type OpenLoopRun,
  replyBytesOf,
  takeReplies,
} from './open-loop.ts';

type Connection = { readonly socket: Socket; readonly lane: Lane };

const READ_BYTES = 64 * 1024;
/** Between runs nothing is due; the first request of a run is due so long after it was asked for. */
const BEGINS_AFTER_MS = 5;
/** The client sleeps at most so long at a time when nothing is due, so that it leaves the processor to the server. */
const REST_MS = 0.1;
/** A server that has answered nothing for so long does not answer any more. */
const SILENCE_MS_MAX = 60_000;
const SEED = 20_260_101;
const MS_TO_NS = 1e6;

const plan = JSON.parse(process.argv[2]) as OpenLoopPlan;
const value = 'x'.repeat(plan.valueBytes);
const setReplyBytes = replyBytesOf(true, plan.valueBytes);
const getReplyBytes = replyBytesOf(false, plan.valueBytes);
const restCell = new Int32Array(new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT));
let random = SEED;
let latencies = createHistogram();
let answered = 0;

const connections = await Promise.all(Array.from({ length: plan.connections }, openConnection));
process.on('message', (run: OpenLoopRun) => {
  void runLoad(run).then((report) => process.send?.(report));
});
process.on('disconnect', () => process.exit());
process.send?.('connected');

function openConnection(): Promise<Connection> {
  const lane = createLane();
  const onBytes = (length: number, bytes: Uint8Array): boolean => {
    answered += takeReplies(lane, bytes, length, performance.now(), latencies);
    return true;
  };
  return new Promise((resolve, reject) => {
    const onread = { buffer: Buffer.allocUnsafe(READ_BYTES), callback: onBytes };
    const socket = connect({ port: plan.port, host: '127.0.0.1', noDelay: true, onread });
    socket.once('connect', () => resolve({ socket, lane }));
    socket.once('error', reject);
    socket.once('close', () => {
      throw new Error('the server closed the connection');
    });
  });
}

async function runLoad({ ratePerSecond, seconds }: OpenLoopRun): Promise<OpenLoopReport> {
  latencies = createHistogram();
  answered = 0;
  const lateness = createHistogram();
  const requests = Math.round(ratePerSecond * seconds);
  const spacingMs = 1000 / ratePerSecond;
  const startMs = performance.now() + BEGINS_AFTER_MS;
  const endMs = startMs + requests * spacingMs;
  let sent = 0;
  while (answered < requests) {
    const nowMs = performance.now();
    for (; sent < requests; sent += 1) {
      const dueMs = startMs + sent * spacingMs;
      if (dueMs > nowMs) break;
      recordValue(lateness, (performance.now() - dueMs) * MS_TO_NS);
      sendOne(connections[sent % connections.length], dueMs);
    }
    if (nowMs > endMs + SILENCE_MS_MAX) throw new Error(`${requests - answered} requests are not answered`);
    rest(sent < requests ? startMs + sent * spacingMs - performance.now() : REST_MS);
    await new Promise((resolve) => setImmediate(resolve));
  }
  return reportOf(requests, lateness);
}

function sendOne({ socket, lane }: Connection, dueMs: number): void {
  random = nextRandom(random);
  const key = benchmarkKey((random >>> 0) % plan.keys);
  random = nextRandom(random);
  const isSet = (random >>> 0) % plan.setOneIn === 0;
  noteSent(lane, dueMs, isSet ? setReplyBytes : getReplyBytes);
  socket.write(requestText(isSet ? ['SET', key, value] : ['GET', key]), 'latin1');
}

/** Timers of the loop count in whole milliseconds: too coarse. */
function rest(untilDueMs: number): void {
  if (untilDueMs > 0) Atomics.wait(restCell, 0, 0, Math.min(REST_MS, untilDueMs));
}

function reportOf(requests: number, lateness: Float64Array): OpenLoopReport {
  const { p50, p99, p999, max } = readHistogram(latencies);
  const late = readHistogram(lateness);
  return {
    requests,
    p50Ms: p50 / MS_TO_NS,
    p99Ms: p99 / MS_TO_NS,
    p999Ms: p999 / MS_TO_NS,
    maxMs: max / MS_TO_NS,
    lateP50Ms: late.p50 / MS_TO_NS,
    lateP999Ms: late.p999 / MS_TO_NS,
  };
}
