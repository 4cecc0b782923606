/**
 * What INFO's sections are written from: one reading and the few facts that are in none.
 *
 * Any thread that has an Engine.
 */
import { operatingSystem, totalMemoryBytes } from '../base/platform.ts';
import type { Config } from '../config/config.ts';
import { openRates } from '../metrics/counters.ts';
import { peakUsedBytes } from '../metrics/rates.ts';
import type { Reading } from '../metrics/reading.ts';
import { type CommandLatency, readCommandLatencies } from './command-latencies.ts';
import type { Engine } from './engine.ts';
import { readEngine } from './engine-reading.ts';
import { type MemoryFigures, memoryOf } from './memory-figures.ts';
import { type AttachedReplicas, attachedReplicas } from './replicas.ts';
import type { Listening } from './subscriptions.ts';

export type InfoSources = {
  readonly reading: Reading;
  /** Off the usual way: only one section asks for them. */
  readonly latencies: () => readonly CommandLatency[];
  readonly memory: MemoryFigures;
  /** Prefixes of keys that clients of any thread want to hear of. */
  readonly trackingPrefixes: number;
  /** The names that somebody listens to. */
  readonly listening: Listening;
  /** The nodes that this one feeds. */
  readonly attached: AttachedReplicas;
  readonly config: Config;
  readonly operatingSystem: string;
  readonly totalMemoryBytes: number;
  readonly processId: number;
  readonly executable: string;
};

export function gatherInfo(engine: Engine): InfoSources {
  const reading = readEngine(engine);
  return {
    reading,
    latencies: () => readCommandLatencies(engine),
    memory: memoryOf(reading, peakUsedBytes(openRates(engine.allCounters))),
    trackingPrefixes: engine.tracking.prefixes.byText.size,
    listening: engine.pubsub.listening,
    attached: attachedReplicas(engine),
    config: engine.config,
    operatingSystem: operatingSystem(),
    totalMemoryBytes: totalMemoryBytes(),
    processId: process.pid,
    executable: process.execPath,
  };
}
