/** The open loop's client as the benchmark sees it: a process of its own, so that neither disturbs the other's loop. */
import { spawnSync } from 'node:child_process';
import { setPriority } from 'node:os';
import { type Child, withChild } from './child.ts';
import type { OpenLoopPlan, OpenLoopReport, OpenLoopRun } from './open-loop.ts';

/**
 * How the client goes before the server and what works for it, as if it had a machine of its own: else much of what is measured
 * on a machine with few cores is how late the client itself is. `nice`: it gets the larger share; `fifo`: the kernel takes the
 * processor from others at once (SCHED_FIFO), though no more than 95 % of its time. Only root may ask for either.
 */
export type Precedence = 'nice' | 'fifo' | 'none';

export const PRECEDENCES: readonly Precedence[] = ['fifo', 'nice', 'none'];

const CLIENT_NICENESS = -10;

/** A young generation that is large and collected by the thread itself: it must not wait for helpers without its precedence. */
const CLIENT_FLAGS = ['--single-threaded-gc', '--min-semi-space-size=64', '--max-semi-space-size=64'];

const clientFile = new URL('./open-loop-client.ts', import.meta.url);

export type RunOpenLoop = (run: OpenLoopRun) => Promise<OpenLoopReport>;

/** `precedence`: what the client was allowed. */
type OpenLoop = { readonly precedence: Precedence; readonly runLoad: RunOpenLoop };

/** Starts the client, hands it on once it is connected, and ends it whatever comes. */
export function withOpenLoop<Result>(
  plan: OpenLoopPlan,
  wanted: Precedence,
  use: (loop: OpenLoop) => Promise<Result>,
): Promise<Result> {
  const useChild = ({ pid, ask }: Child): Promise<Result> =>
    use({
      precedence: putFirst(pid, wanted),
      runLoad: async (run) => (await ask(run)) as OpenLoopReport,
    });
  return withChild(clientFile, 'the client of the open loop', plan, useChild, CLIENT_FLAGS);
}

/** A few words on it for the conditions of a run. */
export function precedenceText(precedence: Precedence): string {
  if (precedence === 'none') return 'The client has no precedence over the server for the processor';
  const how = precedence === 'nice' ? `niceness ${CLIENT_NICENESS}` : 'SCHED_FIFO';
  return `The client goes before the server for the processor (${how})`;
}

/** What the process gets of what is wanted, or the next best. */
function putFirst(pid: number, wanted: Precedence): Precedence {
  if (wanted === 'none') return 'none';
  if (wanted === 'fifo' && takesProcessor(pid)) return 'fifo';
  try {
    setPriority(pid, CLIENT_NICENESS);
    return 'nice';
  } catch {
    return 'none';
  }
}

function takesProcessor(pid: number): boolean {
  return spawnSync('chrt', ['--fifo', '--pid', '1', String(pid)], { stdio: 'ignore' }).status === 0;
}
