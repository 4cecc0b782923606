/**
 * What is behind the pages that show the server live: one sampler with its history, one hub, one search for large keys, for
 * all addresses of the app together.
 *
 * Main thread. Made when the app is; the sampler's timer is the only one, and feeds the hub.
 */
import process from 'node:process';
import type { Clock } from '../base/clock.ts';
import type { Engine } from '../commands/engine.ts';
import { commandNames } from '../commands/registry.ts';
import { HISTORY_SAMPLE_MS } from '../config/limits.ts';
import { openAllCounters, openAllLatencies } from '../metrics/counters.ts';
import {
  COMMANDS_TOGETHER_HISTOGRAM,
  LOOP_DELAYS_HISTOGRAM,
  latenciesOf,
  TURNS_HISTOGRAM,
} from '../metrics/latencies.ts';
import type { BigKeysSearch } from '../threads/big-keys.ts';
import { createHistory, type History, latestSample, type Now } from './history.ts';
import { createLiveHub, type LiveHub, tellListeners } from './live.ts';
import {
  createSampler,
  type ProcessUsage,
  paceOfWorker,
  type ThreadTimings,
  takeSample,
} from './live-sampler.ts';
import { readState } from './live-state.ts';
import type { Readiness } from './sources.ts';

export type LiveSources = {
  readonly engine: Engine;
  readonly history: History;
  readonly now: () => Now;
  readonly hub: LiveHub;
  readonly bigKeys: BigKeysSearch;
  /** Takes samples no more. */
  readonly stop: () => void;
};

const MS_PER_US = 1e-3;

/** Begins to sample. */
export function startLive(
  engine: Engine,
  clock: Clock,
  readiness: () => Readiness,
  bigKeys: BigKeysSearch,
): LiveSources {
  const history = createHistory(commandNames());
  const now = (): Now => ({ wallMs: clock.wallMs(), monotonicMs: clock.monotonicMs() });
  const counters = openAllCounters(engine.allCounters);
  const sampler = createSampler(
    {
      clock,
      counters,
      timings: openAllLatencies(engine.allCounters).map(timingsOf),
      shards: engine.shards,
      logReading: engine.logReading,
      usage: processUsage,
    },
    history,
  );
  const hub = createLiveHub({
    sample: () => latestSample(history, now()),
    state: () => readState(engine, readiness(), (worker) => paceOfWorker(sampler, worker)),
    monotonicMs: clock.monotonicMs,
  });
  const timer = setInterval(() => {
    takeSample(sampler);
    tellListeners(hub);
  }, HISTORY_SAMPLE_MS);
  return { engine, history, now, hub, bigKeys, stop: () => clearInterval(timer) };
}

function timingsOf(latencies: Float64Array): ThreadTimings {
  return {
    latencyNs: latenciesOf(latencies, COMMANDS_TOGETHER_HISTOGRAM),
    turnNs: latenciesOf(latencies, TURNS_HISTOGRAM),
    loopDelayNs: latenciesOf(latencies, LOOP_DELAYS_HISTOGRAM),
  };
}

function processUsage(): ProcessUsage {
  const { user, system } = process.cpuUsage();
  return { rssBytes: process.memoryUsage.rss(), cpuMs: (user + system) * MS_PER_US };
}
