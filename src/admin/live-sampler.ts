/**
 * The sampler: once a second it takes what the threads have counted since the last time, and adds it to the history.
 *
 * Main thread. It reads single words of shared memory and keeps what each was, thread by thread and shard by shard: so a count
 * that CONFIG RESETSTAT sets to 0, on one thread sooner than on another, is told as what came since, never as less than
 * nothing. Rates are over the monotonic time that has passed. It builds no reading: some hundred microseconds for 64 workers.
 */
import type { Clock } from '../base/clock.ts';
import { createHistogram, drainHistogram, mergeHistogram, quantileOf } from '../metrics/histogram.ts';
import type { LogReading } from '../metrics/log-reading.ts';
import {
  BYTES_IN,
  BYTES_OUT,
  COMMAND_CALLS,
  COMMANDS,
  CONNECTIONS_ACCEPTED,
  CONNECTIONS_OPEN,
  ERROR_REPLIES,
  KEYSPACE_HITS,
  KEYSPACE_MISSES,
  SECTION_COUNTERS,
} from '../metrics/names.ts';
import { usedBytes } from '../shard/eviction.ts';
import {
  EVICTED_IDLE_SECONDS_SUM,
  EVICTED_KEYS,
  EXPIRED_KEYS,
  EXPIRY_LAG_MS,
  KEYS_LIVE,
  LIMIT_BYTES,
  LOCK_CONTENTIONS,
} from '../shard/layout.ts';
import type { Shard } from '../shard/shard.ts';
import { addSample, type History, type SampleFigures } from './history.ts';

/** What the operating system says of the process; the time of all its threads together. */
export type ProcessUsage = { readonly rssBytes: number; readonly cpuMs: number };

/** Histograms that one thread keeps, in nanoseconds. */
export type ThreadTimings = {
  readonly latencyNs: Float64Array;
  readonly turnNs: Float64Array;
  readonly loopDelayNs: Float64Array;
};

export type SamplerSources = {
  readonly clock: Clock;
  /** By thread. */
  readonly counters: readonly Float64Array[];
  readonly timings: readonly ThreadTimings[];
  readonly shards: readonly Shard[];
  readonly logReading: () => LogReading;
  readonly usage: () => ProcessUsage;
};

export type Sampler = {
  readonly sources: SamplerSources;
  readonly history: History;
  /** What all was at the last sample. */
  sampledAtMs: number;
  cpuMs: number;
  readonly countersSeen: readonly Float64Array[];
  readonly shardsSeen: Float64Array;
  streamsSeen: readonly StreamSeen[];
  readonly timingsSeen: readonly ThreadTimings[];
  /** What came since: counters of all threads together, and each thread's timings. */
  readonly counted: Float64Array;
  readonly timed: readonly Pick<ThreadTimings, 'turnNs' | 'loopDelayNs'>[];
};

type StreamSeen = { readonly bytesWritten: number; readonly syncs: number };

/** Of the last second. */
export type ThreadPace = { readonly turnP99Us: number; readonly loopDelayP99Ms: number };

/** Numbers of a shard that only grow, in the order in which they are kept. */
const SHARD_COUNTS = [EVICTED_KEYS, EVICTED_IDLE_SECONDS_SUM, EXPIRED_KEYS, LOCK_CONTENTIONS];

const MS_PER_SECOND = 1000;
const US_PER_NS = 1e-3;
const MS_PER_NS = 1e-6;
const PERCENT = 100;

/** What was counted until now is in no sample. */
export function createSampler(sources: SamplerSources, history: History): Sampler {
  const sampler: Sampler = {
    sources,
    history,
    sampledAtMs: sources.clock.monotonicMs(),
    cpuMs: sources.usage().cpuMs,
    countersSeen: sources.counters.map(() => new Float64Array(SECTION_COUNTERS)),
    shardsSeen: new Float64Array(sources.shards.length * SHARD_COUNTS.length),
    streamsSeen: sources.logReading(),
    timingsSeen: sources.timings.map(createTimings),
    counted: new Float64Array(SECTION_COUNTERS),
    timed: sources.timings.map(createTimings),
  };
  countThreads(sampler);
  timeThreads(sampler);
  readShards(sampler);
  return sampler;
}

/** Adds the sample of the time since the last one; none where no time has passed. */
export function takeSample(sampler: Sampler): void {
  const { sources, history, counted } = sampler;
  const monotonicMs = sources.clock.monotonicMs();
  const elapsedMs = monotonicMs - sampler.sampledAtMs;
  if (elapsedMs <= 0) return;
  sampler.sampledAtMs = monotonicMs;
  countThreads(sampler);
  const timings = timeThreads(sampler);
  const perSecond = MS_PER_SECOND / elapsedMs;
  const figures: SampleFigures = {
    ...countedFigures(sampler, perSecond),
    ...timedFigures(timings),
    ...shardFigures(readShards(sampler), perSecond),
    ...logFigures(sampler, perSecond),
    ...processFigures(sampler, elapsedMs),
  };
  addSample(history, { monotonicMs, elapsedMs }, figures, counted.subarray(COMMAND_CALLS));
}

/** How worker `index` went in the last second. */
export function paceOfWorker({ timed }: Sampler, index: number): ThreadPace {
  const thread = timed[1 + index];
  return {
    turnP99Us: quantileOf(thread.turnNs, 0.99) * US_PER_NS,
    loopDelayP99Ms: quantileOf(thread.loopDelayNs, 0.99) * MS_PER_NS,
  };
}

function createTimings(): ThreadTimings {
  return { latencyNs: createHistogram(), turnNs: createHistogram(), loopDelayNs: createHistogram() };
}

/** What came since the last look, where `seen` was seen then: a count that fell has begun anew. */
function growth(now: number, seen: number): number {
  return now >= seen ? now - seen : now;
}

function countThreads({ sources, history, countersSeen, counted }: Sampler): void {
  const end = COMMAND_CALLS + history.commandNames.length;
  counted.fill(0);
  for (let thread = 0; thread < countersSeen.length; thread += 1) {
    const counters = sources.counters[thread];
    const seen = countersSeen[thread];
    for (let index = 0; index < end; index += 1) {
      const now = counters[index];
      if (now === seen[index]) continue;
      counted[index] += growth(now, seen[index]);
      seen[index] = now;
    }
  }
}

/** Makes `timed` each thread's last second, and answers all threads'. */
function timeThreads({ sources, timingsSeen, timed }: Sampler): ThreadTimings {
  const all = createTimings();
  for (let thread = 0; thread < timed.length; thread += 1) {
    const timings = sources.timings[thread];
    const seen = timingsSeen[thread];
    drainHistogram(all.latencyNs, timings.latencyNs, seen.latencyNs);
    for (const kind of ['turnNs', 'loopDelayNs'] as const) {
      timed[thread][kind].fill(0);
      drainHistogram(timed[thread][kind], timings[kind], seen[kind]);
      mergeHistogram(all[kind], timed[thread][kind]);
    }
  }
  return all;
}

type ShardSums = Record<
  'keys' | 'usedBytes' | 'limitBytes' | 'evicted' | 'evictedIdle' | 'expired' | 'expiryLagMs' | 'lockWaits',
  number
>;

/** The lag is that of the shard that expired something latest, 0 where none expired anything. */
function readShards({ sources, shardsSeen }: Sampler): ShardSums {
  const sums: ShardSums = {
    keys: 0,
    usedBytes: 0,
    limitBytes: 0,
    evicted: 0,
    evictedIdle: 0,
    expired: 0,
    expiryLagMs: 0,
    lockWaits: 0,
  };
  sources.shards.forEach((shard, index) => {
    const { numbers, control } = shard;
    const [evicted, evictedIdle, expired, lockWaits] = SHARD_COUNTS.map((count, place) => {
      const at = index * SHARD_COUNTS.length + place;
      const grown = growth(numbers[count], shardsSeen[at]);
      shardsSeen[at] = numbers[count];
      return grown;
    });
    sums.keys += control[KEYS_LIVE];
    sums.usedBytes += usedBytes(shard);
    sums.limitBytes += numbers[LIMIT_BYTES];
    sums.evicted += evicted;
    sums.evictedIdle += evictedIdle;
    sums.expired += expired;
    sums.lockWaits += lockWaits;
    if (expired > 0) sums.expiryLagMs = Math.max(sums.expiryLagMs, numbers[EXPIRY_LAG_MS]);
  });
  return sums;
}

function countedFigures({ sources, counted }: Sampler, perSecond: number) {
  return {
    opsPerSecond: counted[COMMANDS] * perSecond,
    hitsPerSecond: counted[KEYSPACE_HITS] * perSecond,
    missesPerSecond: counted[KEYSPACE_MISSES] * perSecond,
    connections: sources.counters.reduce((sum, thread) => sum + thread[CONNECTIONS_OPEN], 0),
    acceptedPerSecond: counted[CONNECTIONS_ACCEPTED] * perSecond,
    inBytesPerSecond: counted[BYTES_IN] * perSecond,
    outBytesPerSecond: counted[BYTES_OUT] * perSecond,
    errorsPerSecond: counted[ERROR_REPLIES] * perSecond,
  };
}

function timedFigures({ latencyNs, turnNs, loopDelayNs }: ThreadTimings) {
  return {
    latencyP50Us: quantileOf(latencyNs, 0.5) * US_PER_NS,
    latencyP99Us: quantileOf(latencyNs, 0.99) * US_PER_NS,
    latencyP999Us: quantileOf(latencyNs, 0.999) * US_PER_NS,
    latencyMaxUs: quantileOf(latencyNs, 1) * US_PER_NS,
    turnP50Us: quantileOf(turnNs, 0.5) * US_PER_NS,
    turnP99Us: quantileOf(turnNs, 0.99) * US_PER_NS,
    turnMaxUs: quantileOf(turnNs, 1) * US_PER_NS,
    loopDelayP50Ms: quantileOf(loopDelayNs, 0.5) * MS_PER_NS,
    loopDelayP99Ms: quantileOf(loopDelayNs, 0.99) * MS_PER_NS,
    loopDelayMaxMs: quantileOf(loopDelayNs, 1) * MS_PER_NS,
  };
}

function shardFigures(sums: ShardSums, perSecond: number) {
  return {
    usedBytes: sums.usedBytes,
    limitBytes: sums.limitBytes,
    keys: sums.keys,
    evictedPerSecond: sums.evicted * perSecond,
    evictedIdleSeconds: sums.evicted === 0 ? 0 : sums.evictedIdle / sums.evicted,
    expiredPerSecond: sums.expired * perSecond,
    expiryLagMs: sums.expiryLagMs,
    lockWaitsPerSecond: sums.lockWaits * perSecond,
  };
}

/** `syncMs` is the longest of the last syncs of the streams that synced; 0 where none did. */
function logFigures(sampler: Sampler, perSecond: number) {
  const { streamsSeen, sources } = sampler;
  const streams = sources.logReading();
  let bytes = 0;
  let syncs = 0;
  let syncMs = 0;
  let unsyncedBytes = 0;
  streams.forEach((stream, index) => {
    const seen = streamsSeen[index];
    const synced = growth(stream.syncs, seen.syncs);
    bytes += growth(stream.bytesWritten, seen.bytesWritten);
    syncs += synced;
    unsyncedBytes += stream.unsyncedBytes;
    if (synced > 0) syncMs = Math.max(syncMs, stream.syncMsLast);
  });
  sampler.streamsSeen = streams;
  return { logBytesPerSecond: bytes * perSecond, syncsPerSecond: syncs * perSecond, syncMs, unsyncedBytes };
}

function processFigures(sampler: Sampler, elapsedMs: number) {
  const { rssBytes, cpuMs } = sampler.sources.usage();
  const cpuPercent = (PERCENT * growth(cpuMs, sampler.cpuMs)) / elapsedMs;
  sampler.cpuMs = cpuMs;
  return { rssBytes, cpuPercent };
}
