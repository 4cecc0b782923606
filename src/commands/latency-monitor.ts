/**
 * Where this server looks for latency spikes: what takes `latency-monitor-threshold` milliseconds or more is one.
 *
 * Runs on every thread that has an Engine, off by default: then a watch costs one comparison, else two readings of the clock.
 */
import { addSpike, type LatencyEvent } from '../metrics/latency-events.ts';
import type { Engine } from './engine.ts';

/** Begins to watch something that may take long; what it returns is for `endWatch`. */
export function startWatch({ config, shards }: Engine): number {
  return config.latencyMonitorThreshold === 0 ? Number.NaN : shards[0].clock.monotonicMs();
}

/** Ends a watch; returns how many milliseconds it was, NaN where nobody wants to know. */
export function endWatch(engine: Engine, event: LatencyEvent, startedMs: number): number {
  if (Number.isNaN(startedMs)) return startedMs;
  const tookMs = engine.shards[0].clock.monotonicMs() - startedMs;
  noteLatency(engine, event, tookMs);
  return tookMs;
}

/** Notes how long something took, if that is a spike. */
export function noteLatency(engine: Engine, event: LatencyEvent, tookMs: number): void {
  const { config, latencyEvents } = engine;
  const thresholdMs = config.latencyMonitorThreshold;
  if (thresholdMs === 0 || !(tookMs >= thresholdMs)) return;
  addSpike(latencyEvents, event, engine.wallMs(), Math.floor(tookMs));
}
