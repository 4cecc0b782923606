/**
 * The numbers of the whole process as one reading, taken on any thread that has an Engine.
 */
import { VERSION } from '../base/version.ts';
import { openAllCounters, openAllLatencies, openRates, sumCounter } from '../metrics/counters.ts';
import { BYTES_IN, BYTES_OUT, COMMANDS } from '../metrics/names.ts';
import { readPersistence } from '../metrics/persistence-reading.ts';
import { readRates, sampleRates, sampleUsedBytes } from '../metrics/rates.ts';
import { type Reading, takeReading } from '../metrics/reading.ts';
import { readShard } from '../metrics/shard-reading.ts';
import { usedBytes } from '../shard/eviction.ts';
import { readCluster } from './cluster-figures.ts';
import type { Engine } from './engine.ts';
import { commandNames } from './registry.ts';

const MICROSECONDS_PER_SECOND = 1e6;

/** Some hundred microseconds. */
export function readEngine(engine: Engine): Reading {
  const { allCounters, runId, startedAtMs, workerCount } = engine;
  const { rss, heapUsed } = process.memoryUsage();
  const { user, system } = process.cpuUsage();
  return takeReading({
    nowMs: engine.wallMs(),
    server: { version: VERSION, runId, startedAtMs, workers: workerCount },
    process: {
      residentBytes: rss,
      heapUsedBytes: heapUsed,
      cpuUserSeconds: user / MICROSECONDS_PER_SECOND,
      cpuSystemSeconds: system / MICROSECONDS_PER_SECOND,
    },
    rates: readRates(openRates(allCounters)),
    counters: openAllCounters(allCounters),
    latencies: openAllLatencies(allCounters),
    commandNames: commandNames(),
    shards: engine.shards.map(readShard),
    persistence: readPersistence(engine.persistence),
    log: engine.logReading(),
    cluster: readCluster(engine),
  });
}

/** One tick of the instantaneous rates and of the memory's peak. Main thread, every RATES_TICK_MS. */
export function tickRates({ allCounters, shards, wallMs }: Engine): void {
  const threads = openAllCounters(allCounters);
  const rates = openRates(allCounters);
  sampleUsedBytes(
    rates,
    shards.reduce((sum, shard) => sum + usedBytes(shard), 0),
  );
  sampleRates(rates, wallMs(), {
    commands: sumCounter(threads, COMMANDS),
    bytesIn: sumCounter(threads, BYTES_IN),
    bytesOut: sumCounter(threads, BYTES_OUT),
  });
}
