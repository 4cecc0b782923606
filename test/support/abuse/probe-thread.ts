/**
 * A client that behaves, on a thread of its own so that what attacks does not hold it up: a SET and a GET at even distances,
 * each latency counted from when it was due. Says when it is connected; ends when it is told to, and says how long they took.
 */
import { connect } from 'node:net';
import { parentPort, workerData } from 'node:worker_threads';
import { createHistogram, readHistogram, recordValue } from '../../../src/metrics/histogram.ts';
import { requestBytes } from '../request-bytes.ts';
import type { ProbeReport } from './attack.ts';

const { port } = workerData as { port: number };
const EVERY_MS = 5;
const MS_TO_NS = 1e6;
const NS_PER_MS = 1e6;
const REPLY = '+OK\r\n$5\r\nvalue\r\n';

const latencies = createHistogram();
const due: number[] = [];
let received = '';
let failure = '';
const socket = connect({ port, host: '127.0.0.1', noDelay: true });
const request = Buffer.concat([requestBytes('SET', 'probe', 'value'), requestBytes('GET', 'probe')]);
let nextMs = 0;
let timer: NodeJS.Timeout | undefined;

socket.on('connect', () => {
  nextMs = performance.now();
  timer = setInterval(send, 1);
  parentPort?.postMessage('connected');
});
socket.on('data', (chunk: Buffer) => {
  received += chunk.toString('latin1');
  while (received.startsWith(REPLY)) {
    received = received.slice(REPLY.length);
    recordValue(latencies, (performance.now() - (due.shift() ?? 0)) * MS_TO_NS);
  }
  // Somebody else's FLUSHALL is no fault of the server; anything else than the reply is.
  const missed = /^\+OK\r\n(\$-1|_)\r\n/.exec(received);
  if (missed !== null) {
    received = received.slice(missed[0].length);
    due.shift();
  } else if (received.length > 0 && !REPLY.startsWith(received))
    failure ||= `answered ${JSON.stringify(received)}`;
});
socket.on('error', (error) => {
  failure ||= error.message;
});
socket.on('close', () => {
  failure ||= 'closed by the server';
});
parentPort?.once('message', () => {
  clearInterval(timer);
  const { count, p50, p99, max } = readHistogram(latencies);
  const waitingMs = due.length > 0 ? performance.now() - due[0] : 0;
  const report: ProbeReport = {
    requests: count,
    p50Ms: p50 / NS_PER_MS,
    p99Ms: p99 / NS_PER_MS,
    maxMs: Math.max(max / NS_PER_MS, waitingMs),
    failure,
  };
  parentPort?.postMessage(report);
});

function send(): void {
  for (const nowMs = performance.now(); nextMs <= nowMs; nextMs += EVERY_MS) {
    due.push(nextMs);
    socket.write(request);
  }
}
