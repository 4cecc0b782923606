/** The open loop's client as the benchmark sees it: a process of its own, so that neither disturbs the other's loop. */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { setPriority } from 'node:os';
import { fileURLToPath } from 'node:url';
import type { OpenLoopPlan, OpenLoopReport, OpenLoopRun } from './open-loop.ts';

/**
 * The client goes before the server and what works for it, as if it had a machine of its own: else much of what is measured
 * on a machine with few cores is how late the client itself is. Only root may ask for it.
 */
const CLIENT_NICENESS = -10;

const clientFile = fileURLToPath(new URL('./open-loop-client.ts', import.meta.url));

/** `isFirst`: whether it goes before other processes. */
type OpenLoop = {
  readonly isFirst: boolean;
  readonly runLoad: (run: OpenLoopRun) => Promise<OpenLoopReport>;
};

/** Starts the client, hands it on once it is connected, and ends it whatever comes. */
export async function withOpenLoop<Result>(
  plan: OpenLoopPlan,
  use: (loop: OpenLoop) => Promise<Result>,
): Promise<Result> {
  const child = fork(clientFile, [JSON.stringify(plan)]);
  try {
    await nextMessage(child);
    const runLoad = async (run: OpenLoopRun): Promise<OpenLoopReport> => {
      child.send(run);
      return (await nextMessage(child)) as OpenLoopReport;
    };
    return await use({ isFirst: putFirst(child), runLoad });
  } finally {
    if (child.exitCode === null && child.signalCode === null) {
      const exited = once(child, 'exit');
      child.kill();
      await exited;
    }
  }
}

function putFirst(child: ChildProcess): boolean {
  try {
    setPriority(child.pid ?? 0, CLIENT_NICENESS);
    return true;
  } catch {
    return false;
  }
}

/** The next message; rejects when the client ends instead: it has then told why on stderr. */
function nextMessage(child: ChildProcess): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const onMessage = (message: unknown): void => {
      child.off('exit', onExit);
      resolve(message);
    };
    const onExit = (): void => {
      child.off('message', onMessage);
      reject(new Error('the client of the open loop has ended'));
    };
    child.once('message', onMessage);
    child.once('exit', onExit);
  });
}
