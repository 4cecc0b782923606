/**
 * Latency spikes by event, as redis-server's latency monitor keeps them: for each event the worst of a second, of the last 160
 * seconds that had one, and the worst ever.
 *
 * Each thread notes its own; whoever is asked merges those of all threads. Pure.
 */
import { LATENCY_SAMPLES_MAX } from '../config/limits.ts';

/**
 * The names are redis-server's: a command, by whether it is a fast one; a burst of housekeeping, most of which is expiry; making
 * room for a write; a write of the log, and the same by what went on meanwhile; a sync that replies wait for.
 */
export type LatencyEvent =
  | 'command'
  | 'fast-command'
  | 'expire-cycle'
  | 'eviction-cycle'
  | 'aof-write'
  | 'aof-write-alone'
  | 'aof-write-pending-fsync'
  | 'aof-write-active-child'
  | 'aof-fsync-always';

type LatencySample = { readonly atSeconds: number; latencyMs: number };

/** The oldest sample first. */
export type LatencySeries = { readonly samples: LatencySample[]; maxMs: number };

export type LatencyEvents = Map<string, LatencySeries>;

/** Notes a spike of so many whole milliseconds at this time since the epoch. */
export function addSpike(events: LatencyEvents, event: LatencyEvent, nowMs: number, latencyMs: number): void {
  const series = seriesOf(events, event);
  const { samples } = series;
  const atSeconds = Math.floor(nowMs / 1000);
  series.maxMs = Math.max(series.maxMs, latencyMs);
  const last = samples.at(-1);
  if (last?.atSeconds === atSeconds) {
    last.latencyMs = Math.max(last.latencyMs, latencyMs);
    return;
  }
  samples.push({ atSeconds, latencyMs });
  if (samples.length > LATENCY_SAMPLES_MAX) samples.shift();
}

/** Forgets these events, in whatever case, or all; returns those that there were. */
export function forgetSpikes(events: LatencyEvents, names: readonly string[] | undefined): string[] {
  const wanted = names?.map((name) => name.toLowerCase());
  const forgotten = [...events.keys()].filter((event) => wanted?.includes(event) ?? true);
  for (const event of forgotten) events.delete(event);
  return forgotten;
}

/** The spikes of several threads as those of one, by the name of the event. */
export function mergeSpikes(threads: readonly LatencyEvents[]): LatencyEvents {
  const merged: LatencyEvents = new Map();
  const names = new Set(threads.flatMap((events) => [...events.keys()]));
  for (const name of [...names].sort()) {
    const parts = threads.map((events) => events.get(name)).filter((series) => series !== undefined);
    merged.set(name, mergeSeries(parts));
  }
  return merged;
}

function mergeSeries(parts: readonly LatencySeries[]): LatencySeries {
  const worst = new Map<number, number>();
  for (const { atSeconds, latencyMs } of parts.flatMap(({ samples }) => samples)) {
    worst.set(atSeconds, Math.max(latencyMs, worst.get(atSeconds) ?? 0));
  }
  const samples = [...worst]
    .sort(([a], [b]) => a - b)
    .map(([atSeconds, latencyMs]) => ({ atSeconds, latencyMs }));
  return {
    samples: samples.slice(-LATENCY_SAMPLES_MAX),
    maxMs: Math.max(...parts.map(({ maxMs }) => maxMs)),
  };
}

function seriesOf(events: LatencyEvents, event: LatencyEvent): LatencySeries {
  let series = events.get(event);
  if (series === undefined) {
    series = { samples: [], maxMs: 0 };
    events.set(event, series);
  }
  return series;
}
