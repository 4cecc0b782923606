/** The closed-loop load generator as a benchmark sees it. */
import { withChild } from './child.ts';
import type { LoadPlan, LoadReport, LoadRun } from './load-plan.ts';
import type { Protocol } from './peers.ts';

export type RunLoad = (run: LoadRun) => Promise<LoadReport>;

const generatorFile = new URL('./load-process.ts', import.meta.url);

const FILL_CONNECTIONS = 4;
const FILL_PIPELINE_MAX = 64;
/** Bytes that a filling connection sends at once. */
const FILL_BATCH_BYTES = 4 * 1024 * 1024;

/** Starts a generator, hands it on once it is connected, and ends it. */
export function withLoad<Result>(
  plan: LoadPlan,
  use: (runLoad: RunLoad) => Promise<Result>,
): Promise<Result> {
  return withChild(generatorFile, 'the load generator', plan, ({ ask }) =>
    use(async (run) => (await ask(run)) as LoadReport),
  );
}

/** Writes the keys 0 .. keys - 1 of `benchmarkKey`, with values of so many bytes. */
export async function fillServer(
  protocol: Protocol,
  port: number,
  keys: number,
  valueBytes: number,
): Promise<void> {
  const pipeline = Math.max(1, Math.min(FILL_PIPELINE_MAX, Math.floor(FILL_BATCH_BYTES / valueBytes)));
  const plan: LoadPlan = {
    ...{ protocol, port, keys, valueBytes, pipeline },
    ...{ threads: 1, connections: FILL_CONNECTIONS, skew: 0, isInOrder: true },
    mix: [{ command: 'SET', share: 1 }],
  };
  await withLoad(plan, (runLoad) => runLoad({ seconds: 0, requests: keys }));
}
