/**
 * A thread of the closed-loop load generator: its share of the connections, and of the requests of every run. Says that it is
 * connected, then answers each run with a report.
 */
import { connect, type Socket } from 'node:net';
import { parentPort, workerData } from 'node:worker_threads';
import { createHistogram, recordTimes } from '../../src/metrics/histogram.ts';
import { writeAtOnce } from '../../src/net/raw-socket.ts';
import { type LoadPlan, type LoadRun, shareOf, type ThreadReport } from './load-plan.ts';
import { createReplyQueue, type ReplyQueue, takeReplies } from './replies.ts';
import { requestKind } from './request-kinds.ts';
import {
  type Batch,
  createBatch,
  createRequestStream,
  drawKeys,
  drawKinds,
  keysInOrder,
  writeBatch,
} from './request-stream.ts';

type Connection = {
  readonly socket: Socket;
  readonly queue: ReplyQueue;
  readonly batch: Batch;
  sentMs: number;
};

const READ_BYTES = 256 * 1024;
const KEY_DRAWS = 2 ** 20;
const KIND_DRAWS = 2 ** 16;
const SEED = 20_260_101;
const MS_TO_NS = 1e6;

const { plan, index } = workerData as { plan: LoadPlan; index: number };
const { threads, pipeline, mix, valueBytes } = plan;
const kinds = mix.map(({ command }) => requestKind(plan.protocol, command, valueBytes));
const shapes = kinds.map(({ reply }) => reply);
const stream = createRequestStream(
  kinds,
  plan.isInOrder ? keysInOrder(plan.keys) : drawKeys({ ...plan, seed: SEED + index }, KEY_DRAWS),
  drawKinds(
    mix.map(({ share }) => share),
    SEED - 1 - index,
    KIND_DRAWS,
  ),
);
/** One for all connections: what is read is done with before the next read. */
const readBuffer = Buffer.allocUnsafe(READ_BYTES);
const connections = await Promise.all(
  Array.from({ length: shareOf(plan.connections, threads, index) }, openConnection),
);
let latencies = createHistogram();
let unsent = 0;
let answered = 0;
let endMs = 0;
let busy = 0;
let finish: () => void = () => undefined;

parentPort?.on('message', (run: LoadRun) => {
  void runLoad(run).then((report) => parentPort?.postMessage(report));
});
parentPort?.postMessage('connected');

function openConnection(): Promise<Connection> {
  const queue = createReplyQueue(shapes, 2 ** Math.ceil(Math.log2(pipeline)));
  const batch = createBatch(stream, pipeline);
  return new Promise((resolve, reject) => {
    const callback = (length: number, bytes: Uint8Array): boolean => {
      takeBytes(connection, bytes, length);
      return true;
    };
    const onread = { buffer: readBuffer, callback };
    const socket = connect({ port: plan.port, host: '127.0.0.1', noDelay: true, onread });
    const connection = { socket, queue, batch, sentMs: 0 };
    socket.once('connect', () => resolve(connection));
    socket.once('error', reject);
    socket.once('close', () => {
      throw new Error('the server closed the connection');
    });
  });
}

async function runLoad({ seconds, requests }: LoadRun): Promise<ThreadReport> {
  latencies = createHistogram();
  unsent = requests === 0 ? Number.MAX_SAFE_INTEGER : shareOf(requests, threads, index);
  answered = 0;
  busy = connections.length;
  const startMs = performance.now();
  endMs = seconds === 0 ? Infinity : startMs + seconds * 1000;
  const finished = new Promise<void>((resolve) => {
    finish = resolve;
  });
  for (const connection of connections) sendBatch(connection, startMs);
  await finished;
  return { requests: answered, tookMs: performance.now() - startMs, latencies };
}

function sendBatch(connection: Connection, nowMs: number): void {
  const count = nowMs < endMs ? Math.min(pipeline, unsent) : 0;
  if (count === 0) {
    busy -= 1;
    if (busy === 0) finish();
    return;
  }
  unsent -= count;
  const { socket, queue, batch } = connection;
  const length = writeBatch(stream, queue, batch, count);
  connection.sentMs = nowMs;
  writeAtOnce(socket, batch.bytes.subarray(0, length), ignoreSent);
}

function takeBytes(connection: Connection, bytes: Uint8Array, length: number): void {
  const { queue } = connection;
  const count = takeReplies(queue, bytes, length);
  if (count === 0) return;
  const nowMs = performance.now();
  recordTimes(latencies, 0, (nowMs - connection.sentMs) * MS_TO_NS, count);
  answered += count;
  if (queue.answered === queue.sent) sendBatch(connection, nowMs);
}

/** The batch is written over only when all of it is answered, so it was sent. */
function ignoreSent(): void {}
