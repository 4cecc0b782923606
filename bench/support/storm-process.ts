/**
 * One of the processes of a connection storm: connects, asks one thing, reads the answer, closes, and begins again, with so
 * many connections under way at once. It is handed a plan as its argument, and answers each run with a report.
 */
import { connect } from 'node:net';
import { isAnswered, pingOf } from './ping.ts';
import type { StormPlan, StormReport, StormRun } from './storm-plan.ts';

const plan = JSON.parse(process.argv[2]) as StormPlan;
const ping = pingOf(plan.protocol);
let place = 0;

process.on('message', (run: StormRun) => {
  void runStorm(run).then((report) => process.send?.(report));
});
process.on('disconnect', () => process.exit());
process.send?.('ready');

async function runStorm({ seconds }: StormRun): Promise<StormReport> {
  const endMs = performance.now() + seconds * 1000;
  const latenciesMs: number[] = [];
  let failures = 0;
  const goOn = async (): Promise<void> => {
    while (performance.now() < endMs) {
      const startedMs = performance.now();
      if (await connectOnce()) latenciesMs.push(Number((performance.now() - startedMs).toFixed(3)));
      else failures += 1;
    }
  };
  await Promise.all(Array.from({ length: plan.concurrent }, goOn));
  return { latenciesMs, failures };
}

/** Resolves once the connection is closed on both sides, to whether it was served. */
function connectOnce(): Promise<boolean> {
  // Each local address has ports of its own, so that those that wait for late packets are not missed.
  place = (place + 1) % plan.addresses.length;
  return new Promise((resolve) => {
    let text = '';
    let isServed = false;
    const socket = connect({
      port: plan.port,
      host: '127.0.0.1',
      localAddress: plan.addresses[place],
      noDelay: true,
    });
    socket.on('connect', () => socket.write(ping.request));
    socket.on('data', (chunk: Buffer) => {
      text += chunk.toString('latin1');
      if (!isAnswered(ping, text)) return;
      isServed = true;
      socket.end();
    });
    // What went wrong is told by that the connection was not served.
    socket.on('error', () => undefined);
    socket.on('close', () => resolve(isServed));
  });
}
