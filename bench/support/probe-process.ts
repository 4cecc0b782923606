/**
 * The process of a client that behaves well: one connection, one small question at a time at a steady rate. A latency counts
 * from when the question was due where the server was late with the one before (so that a pause is charged in full), and
 * from when it was sent where this process itself was late.
 */
import { once } from 'node:events';
import { connect } from 'node:net';
import { setTimeout } from 'node:timers/promises';
import { isAnswered, pingOf } from './ping.ts';
import { quantileOf } from './statistics.ts';
import type { ProbePlan, ProbeReport, ProbeRun } from './storm-plan.ts';

const plan = JSON.parse(process.argv[2]) as ProbePlan;
const ping = pingOf(plan.protocol);
const socket = connect({ port: plan.port, host: '127.0.0.1', noDelay: true });
let text = '';
let answer: (() => void) | undefined;
socket.on('data', (chunk: Buffer) => {
  text += chunk.toString('latin1');
  if (!isAnswered(ping, text)) return;
  text = '';
  answer?.();
});
socket.on('close', () => {
  throw new Error('the server closed the connection');
});
await once(socket, 'connect');

process.on('message', (run: ProbeRun) => {
  void probe(run).then((report) => process.send?.(report));
});
process.on('disconnect', () => process.exit());
process.send?.('ready');

async function probe({ seconds }: ProbeRun): Promise<ProbeReport> {
  const spacingMs = 1000 / plan.ratePerSecond;
  const latenciesMs: number[] = [];
  const startMs = performance.now();
  let isBehind = false;
  for (let due = startMs; due < startMs + seconds * 1000; due += spacingMs) {
    const earlyMs = due - performance.now();
    if (earlyMs > 0) await setTimeout(earlyMs);
    const fromMs = isBehind ? due : performance.now();
    await ask();
    const nowMs = performance.now();
    latenciesMs.push(nowMs - fromMs);
    isBehind = nowMs > due + spacingMs;
  }
  return {
    requests: latenciesMs.length,
    p50Ms: quantileOf(latenciesMs, 0.5),
    p99Ms: quantileOf(latenciesMs, 0.99),
    maxMs: Math.max(...latenciesMs),
  };
}

function ask(): Promise<void> {
  return new Promise((resolve) => {
    answer = resolve;
    socket.write(ping.request);
  });
}
