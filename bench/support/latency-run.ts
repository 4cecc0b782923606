/**
 * Measures `npm run bench:latency`: for each server first its peak, then in every round, freshly started and filled, an open
 * loop at each rate under each scenario.
 */
import { withBackgroundSaves } from './background-saves.ts';
import { ask } from './client.ts';
import { withLargeValues } from './large-values.ts';
import { fillServer, withLoad } from './load-generator.ts';
import { createMassExpiry, type MassExpiry, withMassExpiry } from './mass-expiry.ts';
import type { OpenLoopReport } from './open-loop.ts';
import { type Precedence, type RunOpenLoop, withOpenLoop } from './open-loop-process.ts';
import { tellProgress } from './options.ts';
import { type Peer, type RunningPeer, withPeer } from './peers.ts';
import { spreadOf } from './statistics.ts';

/** In the order in which they are measured: the last changes the keys. */
export const SCENARIOS = ['plain', 'large values', 'expiry', 'bgsave', 'growth'] as const;

export type Scenario = (typeof SCENARIOS)[number];

export type LatencySettings = {
  readonly scenarios: readonly Scenario[];
  readonly seconds: number;
  readonly warmUpSeconds: number;
  readonly keys: number;
  /** How many fall due at once. */
  readonly expiring: number;
  readonly connections: number;
  /** That the client should have. */
  readonly precedence: Precedence;
  /** Where the servers' folders are made. */
  readonly parent: string;
};

/** `name` tells the rate in the table. */
export type Rate = { readonly name: string; readonly perSecond: number };

/**
 * One run. `extent` is how much of the disturbance there was: the share of the time within snapshots, the share of the keys
 * that were gone by its end, megabyte values per second, keys that were added.
 */
export type LatencyRun = { scenario: Scenario; rate: Rate; report: OpenLoopReport; extent: number };

/** `precedence`: what the client was allowed. */
export type ServerRound = { precedence: Precedence; runs: LatencyRun[] };

type Measuring = {
  readonly port: number;
  readonly runLoad: RunOpenLoop;
  readonly settings: LatencySettings;
  readonly expiry: MassExpiry;
};

export const VALUE_BYTES = 64;
/** One request in so many is a SET, and while the index grows every other one. */
export const SET_ONE_IN = 10;
const GROWING_SET_ONE_IN = 2;
const PEAK_RUNS = 3;
/** After a disturbance, so that what it left behind is over. */
const SETTLE_MS = 500;

/** Requests a second with one at a time on each connection, in the mix of the open loop: the median of several runs. */
export function measurePeak(peer: Peer, settings: LatencySettings): Promise<number> {
  const { keys, connections, seconds, warmUpSeconds, parent } = settings;
  tellProgress(`${peer.name}: its peak`);
  const measure = async ({ port }: RunningPeer): Promise<number> => {
    await fillServer('resp', port, keys, VALUE_BYTES);
    const plan = {
      ...{ protocol: peer.protocol, port, connections, keys, valueBytes: VALUE_BYTES },
      ...{ threads: 1, pipeline: 1, skew: 0, isInOrder: false },
      mix: [
        { command: 'GET', share: 1 - 1 / SET_ONE_IN },
        { command: 'SET', share: 1 / SET_ONE_IN },
      ] as const,
    };
    return withLoad(plan, async (runLoad) => {
      await runLoad({ seconds: warmUpSeconds, requests: 0 });
      const speeds: number[] = [];
      for (let run = 0; run < PEAK_RUNS; run += 1) {
        speeds.push((await runLoad({ seconds: seconds / PEAK_RUNS, requests: 0 })).requestsPerSecond);
      }
      return spreadOf(speeds).median;
    });
  };
  return withPeer(peer, measure, { parent });
}

/** Every scenario at every rate, with a server of its own. */
export function measureRound(
  peer: Peer,
  rates: readonly Rate[],
  settings: LatencySettings,
): Promise<ServerRound> {
  const { keys, connections, warmUpSeconds, parent } = settings;
  const measure = async ({ port }: RunningPeer): Promise<ServerRound> => {
    await fillServer('resp', port, keys, VALUE_BYTES);
    const plan = { port, connections, keys, valueBytes: VALUE_BYTES };
    return withOpenLoop(plan, settings.precedence, async ({ precedence, runLoad }) => {
      const ratePerSecond = Math.max(...rates.map(({ perSecond }) => perSecond));
      await runLoad({ ratePerSecond, seconds: warmUpSeconds, setOneIn: SET_ONE_IN, isGrowing: false });
      const measuring = { port, runLoad, settings, expiry: createMassExpiry(port, settings.expiring) };
      const runs: LatencyRun[] = [];
      for (const scenario of settings.scenarios) {
        tellProgress(`${peer.name}: ${scenario}`);
        for (const rate of rates) runs.push(await measureOne(measuring, scenario, rate));
      }
      return { precedence, runs };
    });
  };
  return withPeer(peer, measure, { parent });
}

async function measureOne(measuring: Measuring, scenario: Scenario, rate: Rate): Promise<LatencyRun> {
  const { port, settings, runLoad } = measuring;
  const isGrowing = scenario === 'growth';
  if (isGrowing) await refill(port, settings.keys);
  await new Promise((resolve) => setTimeout(resolve, SETTLE_MS));
  const setOneIn = isGrowing ? GROWING_SET_ONE_IN : SET_ONE_IN;
  const load = { ratePerSecond: rate.perSecond, seconds: settings.seconds, setOneIn, isGrowing };
  return { scenario, rate, ...(await disturbed(measuring, scenario, () => runLoad(load))) };
}

/** Runs the load under the scenario. */
async function disturbed(
  { port, expiry }: Measuring,
  scenario: Scenario,
  run: () => Promise<OpenLoopReport>,
): Promise<{ report: OpenLoopReport; extent: number }> {
  switch (scenario) {
    case 'plain':
      return { report: await run(), extent: 0 };
    case 'large values': {
      const { result, valuesPerSecond } = await withLargeValues(port, run);
      return { report: result, extent: valuesPerSecond };
    }
    case 'expiry': {
      const { result, shareGone } = await withMassExpiry(expiry, run);
      return { report: result, extent: shareGone };
    }
    case 'bgsave': {
      const { result, shareOfTime } = await withBackgroundSaves(port, run);
      return { report: result, extent: shareOfTime };
    }
    case 'growth': {
      const report = await run();
      return { report, extent: report.sets };
    }
  }
}

/** The keys as they were at first, so that an index that doubles does so again. */
async function refill(port: number, keys: number): Promise<void> {
  await ask(port, 'FLUSHALL');
  await fillServer('resp', port, keys, VALUE_BYTES);
}
