/**
 * The process of the closed-loop load generator, so that its processor time can be told from everything else's: starts the
 * threads, hands every run to all of them, and joins their reports.
 */
import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { joinReports, type LoadPlan, type LoadRun, type ThreadReport } from './load-plan.ts';

const US_PER_SECOND = 1e6;

const plan = JSON.parse(process.argv[2]) as LoadPlan;
const threadFile = new URL('./load-thread.ts', import.meta.url);
const threads = Array.from({ length: plan.threads }, (_, index) => startThread(index));

await nextMessages();
process.on('message', (run: LoadRun) => {
  void runLoad(run).then((report) => process.send?.(report));
});
process.on('disconnect', () => process.exit());
process.send?.('connected');

function startThread(index: number): Worker {
  const worker = new Worker(threadFile, { workerData: { plan, index } });
  worker.on('error', (error: unknown) => {
    process.stderr.write(`load generator: ${error instanceof Error ? error.message : String(error)}\n`);
    process.exit(1);
  });
  return worker;
}

async function runLoad(run: LoadRun) {
  const before = process.cpuUsage();
  const replies = nextMessages();
  for (const thread of threads) thread.postMessage(run);
  const reports = (await replies) as ThreadReport[];
  const { user, system } = process.cpuUsage(before);
  return joinReports(reports, (user + system) / US_PER_SECOND);
}

/** The next message of each thread. */
async function nextMessages(): Promise<unknown[]> {
  const messages = threads.map((thread) => once(thread, 'message'));
  return (await Promise.all(messages)).map(([message]) => message);
}
