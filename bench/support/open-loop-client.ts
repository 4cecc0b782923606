/**
 * The process of an open loop's client: plain sockets, one thread. It is handed a plan as its argument, says that it is
 * connected, and answers each run that it is sent with a report.
 */
import { writeFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { nextRandom } from '../../src/base/random.ts';
import { createHistogram, recordValue } from '../../src/metrics/histogram.ts';
import { writeAtOnce } from '../../src/net/raw-socket.ts';
import {
  createLane,
  dueBy,
  type Lane,
  noteSent,
  type OpenLoopPlan,
  type OpenLoopReport,
  type OpenLoopRun,
  reportOf,
  takeLatencies,
} from './open-loop.ts';
import { requestKind, writeKeyDigits } from './request-kinds.ts';

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
/** Sleeps of the thread end so much later than asked for, in ns; the kernel's default of 50,000 is half a rest. */
const TIMER_SLACK_NS = 1;
const GET = 0;
const SET = 1;

const plan = JSON.parse(process.argv[2]) as OpenLoopPlan;
const kinds = [
  requestKind('resp', 'GET', plan.valueBytes),
  requestKind('resp', 'SET', plan.valueBytes),
] as const;
const shapes = kinds.map(({ reply }) => reply);
const restCell = new Int32Array(new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT));
/** One for all connections: what is read is done with before the next read. */
const readBuffer = Buffer.allocUnsafe(READ_BYTES);
let random = SEED;
let sets = 0;
let latencies = createHistogram();
let answered = 0;

writeFileSync('/proc/self/timerslack_ns', String(TIMER_SLACK_NS));
const connections = await Promise.all(Array.from({ length: plan.connections }, openConnection));
process.on('message', (run: OpenLoopRun) => {
  void runLoad(run).then((report) => process.send?.(report));
});
process.on('disconnect', () => process.exit());
process.send?.('connected');

function openConnection(): Promise<Connection> {
  const lane = createLane(shapes);
  const onBytes = (length: number, bytes: Uint8Array): boolean => {
    answered += takeLatencies(lane, bytes, length, performance.now(), latencies);
    return true;
  };
  return new Promise((resolve, reject) => {
    const onread = { buffer: readBuffer, callback: onBytes };
    const socket = connect({ port: plan.port, host: '127.0.0.1', noDelay: true, onread });
    socket.once('connect', () => resolve({ socket, lane }));
    socket.once('error', reject);
    socket.once('close', () => {
      throw new Error('the server closed the connection');
    });
  });
}

async function runLoad(run: OpenLoopRun): Promise<OpenLoopReport> {
  const { ratePerSecond, seconds } = run;
  latencies = createHistogram();
  answered = 0;
  sets = 0;
  const lateness = createHistogram();
  const requests = Math.round(ratePerSecond * seconds);
  const spacingMs = 1000 / ratePerSecond;
  const startMs = performance.now() + BEGINS_AFTER_MS;
  const endMs = startMs + requests * spacingMs;
  let sent = 0;
  while (answered < requests) {
    const nowMs = performance.now();
    for (const due = dueBy(nowMs, startMs, spacingMs, requests); sent < due; sent += 1) {
      const dueMs = startMs + sent * spacingMs;
      recordValue(lateness, (performance.now() - dueMs) * MS_TO_NS);
      sendOne(connections[sent % connections.length], dueMs, run);
    }
    if (nowMs > endMs + SILENCE_MS_MAX) throw new Error(`${requests - answered} requests are not answered`);
    rest(sent < requests ? startMs + sent * spacingMs - performance.now() : REST_MS);
    await new Promise((resolve) => setImmediate(resolve));
  }
  return reportOf(requests, sets, latencies, lateness);
}

/** Every request is a buffer of its own: the kernel may take it later, while others are made. */
function sendOne({ socket, lane }: Connection, dueMs: number, { setOneIn, isGrowing }: OpenLoopRun): void {
  const kind = drawBelow(setOneIn) === 0 ? SET : GET;
  const key = kind === SET && isGrowing ? plan.keys + sets : drawBelow(plan.keys);
  if (kind === SET) sets += 1;
  const { bytes: template, keyOffsets } = kinds[kind];
  const bytes = Buffer.allocUnsafe(template.length);
  bytes.set(template);
  writeKeyDigits(bytes, keyOffsets[0], key);
  noteSent(lane, dueMs, kind);
  writeAtOnce(socket, bytes, ignoreSent);
}

function drawBelow(end: number): number {
  random = nextRandom(random);
  return (random >>> 0) % end;
}

/** Timers of the loop count in whole milliseconds: too coarse. */
function rest(untilDueMs: number): void {
  if (untilDueMs > 0) Atomics.wait(restCell, 0, 0, Math.min(REST_MS, untilDueMs));
}

/** Nothing waits for it. */
function ignoreSent(): void {}
