/**
 * How many keys are sampled: as many as the budget of accesses a second and the room for keys allow. Pure; on main.
 *
 * Falls at once, and by as much as it must. Rises seldom and only by much: of the keys that join nothing is known yet, and
 * distances that reach back to before are told too short. After a fall for want of budget it waits longer, since what was too
 * much (a hot key beyond the threshold) would be too much again.
 */
import { MISS_RATIO_ACCESSES_PER_SECOND, MISS_RATIO_COMMANDS_SHARE } from '../config/limits.ts';
import { POINTS } from './miss-ratio.ts';

export type SamplingRate = {
  /** Sampled accesses a second, and commands, smoothed. */
  accessesPerSecond: number;
  commandsPerSecond: number;
  /** No rise before. */
  riseAtMs: number;
  lastMs: number;
};

/** The weight of the newest second in the smoothed rate. */
const SMOOTHING_MS = 1000;
/** After a change, and after a fall for want of budget. */
const RISE_MS = 10_000;
const RISE_AFTER_FALL_MS = 60_000;
/** A rise is to half of the budget and of the room, at least by the first and at most by the second factor. */
const RISE_SHARE = 0.5;
const RISE_FACTOR_MIN = 1.5;
const RISE_FACTOR_MAX = 4;

/** Fewer keys than that tell nothing. */
const THRESHOLD_MIN = 2 ** 10;

/** What has happened since the last look, and how many keys are tracked of at most `keysMax`. */
export type SamplingLoad = {
  readonly accesses: number;
  readonly commands: number;
  readonly keys: number;
  readonly keysMax: number;
};

export function createSamplingRate(nowMs: number): SamplingRate {
  return { accessesPerSecond: 0, commandsPerSecond: 0, riseAtMs: nowMs + RISE_MS, lastMs: nowMs };
}

/** The threshold from now on. */
export function adaptThreshold(
  rate: SamplingRate,
  threshold: number,
  load: SamplingLoad,
  nowMs: number,
): number {
  const elapsedMs = nowMs - rate.lastMs;
  rate.lastMs = nowMs;
  if (elapsedMs <= 0) return threshold;
  const weight = Math.min(1, elapsedMs / SMOOTHING_MS);
  rate.accessesPerSecond += ((load.accesses * 1000) / elapsedMs - rate.accessesPerSecond) * weight;
  rate.commandsPerSecond += ((load.commands * 1000) / elapsedMs - rate.commandsPerSecond) * weight;
  const affordable = MISS_RATIO_ACCESSES_PER_SECOND + rate.commandsPerSecond * MISS_RATIO_COMMANDS_SHARE;
  const budget = affordable / Math.max(rate.accessesPerSecond, 1);
  if (budget < 1) {
    rate.accessesPerSecond *= budget;
    rate.riseAtMs = nowMs + RISE_AFTER_FALL_MS;
    return Math.max(THRESHOLD_MIN, Math.floor(threshold * budget));
  }
  if (nowMs < rate.riseAtMs || threshold === POINTS) return threshold;
  const room = load.keysMax / Math.max(load.keys, 1);
  const factor = Math.min(budget * RISE_SHARE, room * RISE_SHARE, RISE_FACTOR_MAX);
  if (factor < RISE_FACTOR_MIN) return threshold;
  rate.riseAtMs = nowMs + RISE_MS;
  return Math.min(POINTS, Math.floor(threshold * factor));
}
