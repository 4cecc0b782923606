/**
 * How long the commands of one thread take. Brief ones in a row (a stretch) are timed together and each counts with the
 * mean, since reading the clock costs a tenth of what such a command does; what may take long is timed alone.
 *
 * One record per thread, filled anew for every stretch. The durations go to the thread's counters and histograms
 * (metrics/latencies.ts). The parsing of the requests within a stretch is part of it.
 */
import { STRETCH_ARGUMENTS_MAX, STRETCH_BYTES_MAX, STRETCH_COMMANDS_MAX } from '../config/limits.ts';
import { COMMANDS_TOGETHER_HISTOGRAM, FIRST_COMMAND_HISTOGRAM, recordLatency } from '../metrics/latencies.ts';
import { COMMAND_CALLS, COMMAND_FAILED, COMMAND_NS, COMMANDS } from '../metrics/names.ts';
import type { Call, Command } from './call.ts';
import type { Engine } from './engine.ts';
import { isError } from './error-replies.ts';
import type { Deferred } from './session.ts';
import { noteTimed } from './slow-commands.ts';

const NS_PER_US = 1e3;
const NS_PER_MS = 1e6;

/** The length while no stretch has begun. */
const NOT_BEGUN = -1;
/** Stands in a stretch for a command that was refused: it has taken its share of the time, and counts nowhere. */
const REFUSED = -1;

/** At thresholds from here down a mean would hide what is looked for, so every command is timed alone. */
const EACH_BELOW_NS = 1 * NS_PER_MS;

export type Timing = {
  /** The thread's own histograms. */
  readonly latencies: Float64Array;
  readonly monotonicMs: () => number;
  /** The ids of the stretch's commands, or REFUSED: the first `length` words. Or NOT_BEGUN. */
  readonly ids: Int32Array;
  length: number;
  /** When the stretch began. */
  startMs: number;
  timesEach: boolean;
};

export function createTiming(latencies: Float64Array, monotonicMs: () => number): Timing {
  return {
    latencies,
    monotonicMs,
    ids: new Int32Array(STRETCH_COMMANDS_MAX),
    length: NOT_BEGUN,
    startMs: 0,
    timesEach: false,
  };
}

/** Takes the thresholds of the slow log and the latency monitor from the configuration. */
export function applyThresholds(engine: Engine): void {
  const { slowlogLogSlowerThan, latencyMonitorThreshold } = engine.config;
  const slowNs = slowlogLogSlowerThan < 0 ? Infinity : slowlogLogSlowerThan * NS_PER_US;
  const spikeNs = latencyMonitorThreshold === 0 ? Infinity : latencyMonitorThreshold * NS_PER_MS;
  engine.slowThresholdNs = Math.min(slowNs, spikeNs);
  engine.timing.timesEach = slowNs < EACH_BELOW_NS || spikeNs <= EACH_BELOW_NS;
}

/** Forgets what a stretch that was broken off has left; the next command begins one. */
export function beginStretch({ timing }: Engine): void {
  timing.length = NOT_BEGUN;
}

/** To be called before the command runs. True when it is timed alone: what ran before it is done with. */
export function beginCommand({ engine, spans, count }: Call, command: Command): boolean {
  const { timing } = engine;
  const isAlone =
    !command.isBrief ||
    timing.timesEach ||
    count > STRETCH_ARGUMENTS_MAX ||
    spans[2 * count - 1] - spans[0] > STRETCH_BYTES_MAX;
  if (isAlone || timing.length === NOT_BEGUN) openStretch(engine);
  return isAlone;
}

/** To be called when the command has run and `call` still is its. `endsStretch`: it was alone, or took longer than expected. */
export function endCommand(call: Call, id: number, endsStretch: boolean): void {
  const { engine } = call;
  const { timing } = engine;
  timing.ids[timing.length] = id;
  timing.length += 1;
  if (!endsStretch && timing.length < STRETCH_COMMANDS_MAX) return;
  noteStretch(call, timing.length);
}

/** A command was refused, in the middle of a stretch or not. */
export function noteRefusal(engine: Engine): void {
  const { timing } = engine;
  if (timing.length === NOT_BEGUN) return;
  timing.ids[timing.length] = REFUSED;
  timing.length += 1;
  if (timing.length === STRETCH_COMMANDS_MAX) closeStretch(engine);
}

/** No command follows for now. `isWhole`: the arguments of the last one still are where `call` says. */
export function endStretch(call: Call, isWhole: boolean): void {
  const { timing } = call.engine;
  const { length, ids } = timing;
  if (length > 0 && isWhole && ids[length - 1] !== REFUSED) noteStretch(call, length);
  else if (length > 0) closeStretch(call.engine);
  timing.length = NOT_BEGUN;
}

/**
 * Wraps a reply that comes later, so that its command is counted with it. `isTimed`: with all the time until then, not only
 * with what it took to begin. For commands that are timed alone.
 */
export function countWhenAnswered(call: Call, deferred: Deferred, isTimed: boolean): Deferred {
  const { engine, command } = call;
  const { startMs, monotonicMs } = engine.timing;
  const begunMs = isTimed ? 0 : monotonicMs();
  return {
    resume: (write) =>
      deferred.resume((reply) => {
        const replyStart = reply.length;
        write(reply);
        const endMs = isTimed ? monotonicMs() : begunMs;
        engine.counters[COMMANDS] += 1;
        engine.counters[COMMAND_CALLS + command.id] += 1;
        if (isError(reply, replyStart)) engine.counters[COMMAND_FAILED + command.id] += 1;
        recordDuration(engine, command.id, (endMs - startMs) * NS_PER_MS, 1);
      }),
  };
}

/** Begins a stretch, where the last one ends if there is one. */
function openStretch(engine: Engine): void {
  const { timing } = engine;
  if (timing.length > 0) {
    closeStretch(engine);
  } else {
    timing.startMs = timing.monotonicMs();
    timing.length = 0;
  }
}

/** Closes a stretch whose last command is that of `call`. */
function noteStretch(call: Call, length: number): void {
  const { engine } = call;
  const meanNs = closeStretch(engine);
  if (meanNs >= engine.slowThresholdNs) noteTimed(call, meanNs, length === 1);
}

/** Records the stretch's commands, each with the mean, which it returns; a new stretch begins at this moment. */
function closeStretch(engine: Engine): number {
  const { timing } = engine;
  const { ids, length, startMs } = timing;
  const nowMs = timing.monotonicMs();
  timing.startMs = nowMs;
  timing.length = 0;
  const meanNs = ((nowMs - startMs) * NS_PER_MS) / length;
  for (let at = 0; at < length; ) {
    const id = ids[at];
    let end = at + 1;
    while (end < length && ids[end] === id) end += 1;
    if (id !== REFUSED) recordDuration(engine, id, meanNs, end - at);
    at = end;
  }
  return meanNs;
}

function recordDuration(engine: Engine, id: number, ns: number, times: number): void {
  const { counters, config } = engine;
  const { latencies } = engine.timing;
  counters[COMMAND_NS + id] += ns * times;
  recordLatency(latencies, COMMANDS_TOGETHER_HISTOGRAM, ns, times);
  if (config.latencyTracking) recordLatency(latencies, FIRST_COMMAND_HISTOGRAM + id, ns, times);
}
