/** The client that behaves well, as the benchmark sees it: a process of its own that is asked for a run at a time. */
import { withChild } from './child.ts';
import type { Peer, RunningPeer } from './peers.ts';
import type { ProbePlan, ProbeReport } from './storm-plan.ts';

/** Runs for so many seconds. */
type Probe = (seconds: number) => Promise<ProbeReport>;

const RATE_PER_SECOND = 500;
const WARM_UP_SECONDS = 0.5;
const processFile = new URL('./probe-process.ts', import.meta.url);

/** Hands on a client that has warmed up. */
export async function withProbe<Result>(
  { protocol }: Peer,
  { port }: RunningPeer,
  use: (probe: Probe) => Promise<Result>,
): Promise<Result> {
  const plan: ProbePlan = { port, protocol, ratePerSecond: RATE_PER_SECOND };
  return withChild(processFile, 'the client that behaves well', plan, async ({ ask }) => {
    const probe: Probe = async (seconds) => (await ask({ seconds })) as ProbeReport;
    await probe(WARM_UP_SECONDS);
    return use(probe);
  });
}
