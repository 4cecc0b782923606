/**
 * How long the commands of one thread take. Brief ones in a row (a stretch) are recorded together and each counts with the
 * mean, since reading the clock costs a tenth of what such a command does; what may take long is timed alone.
 *
 * A stretch goes on over the reads of a turn, whichever connection they are from, but time that passes between two reads is
 * not in it. Of small reads only one in so many is timed, and the commands of the others count with the mean of those:
 * clock readings and two histograms for each would be felt where every read brings one command. A command that had to
 * wait for a lock or the log says so (`Delays`), so that the slow log hears of it all the same.
 *
 * One record per thread, filled anew for every stretch. The durations go to the thread's counters and histograms
 * (metrics/latencies.ts). The parsing of the requests within a stretch is part of it.
 */
import {
  SMALL_READ_BYTES_MAX,
  SMALL_READS_PER_TIMED,
  STRETCH_ARGUMENTS_MAX,
  STRETCH_BYTES_MAX,
  STRETCH_COMMANDS_MAX,
} from '../config/limits.ts';
import { COMMANDS_TOGETHER_HISTOGRAM, FIRST_COMMAND_HISTOGRAM, recordLatency } from '../metrics/latencies.ts';
import { COMMAND_CALLS, COMMAND_FAILED, COMMAND_NS, COMMANDS } from '../metrics/names.ts';
import type { Delays } from '../shard/shard.ts';
import type { Call, Command } from './call.ts';
import type { Engine } from './engine.ts';
import { isError } from './error-replies.ts';
import type { Deferred } from './session.ts';
import { noteTimed } from './slow-commands.ts';

const NS_PER_US = 1e3;
const NS_PER_MS = 1e6;

/** Stands in a stretch for a command that was refused: it has taken its share of the time, and counts nowhere. */
const REFUSED = -1;

/** At thresholds from here down a mean would hide what is looked for, so every command is timed alone. */
const EACH_BELOW_NS = 1 * NS_PER_MS;

export type Timing = {
  /** The thread's own histograms. */
  readonly latencies: Float64Array;
  readonly monotonicMs: () => number;
  /** The ids of the stretch's commands, or REFUSED: the first `length` words. */
  readonly ids: Int32Array;
  length: number;
  /** Of these, `timedCount` took `timedNs` together: the timed pieces that are over. */
  timedNs: number;
  timedCount: number;
  /** The piece that is being gathered: where in `ids` it began; when, if it is timed. */
  pieceStart: number;
  startMs: number;
  isTimed: boolean;
  /** The latest reading of the clock between commands. */
  lastMs: number;
  /** Small reads until one is timed. */
  untimedLeft: number;
  readonly delays: Delays;
  timesEach: boolean;
};

export function createTiming(latencies: Float64Array, monotonicMs: () => number): Timing {
  return {
    latencies,
    monotonicMs,
    ids: new Int32Array(STRETCH_COMMANDS_MAX),
    length: 0,
    timedNs: 0,
    timedCount: 0,
    pieceStart: 0,
    startMs: 0,
    isTimed: false,
    lastMs: 0,
    untimedLeft: 0,
    delays: { sinceMs: 0 },
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

/** To be called before the commands of a read of so many bytes; behind them comes an `endRead`, and at last an `endStretch`. */
export function beginRead({ timing }: Engine, bytes: number): void {
  timing.untimedLeft -= 1;
  if (timing.length === 0 || timing.untimedLeft <= 0 || bytes > SMALL_READ_BYTES_MAX) {
    timing.untimedLeft = SMALL_READS_PER_TIMED;
    beginPiece(timing, timing.monotonicMs());
  } else {
    timing.pieceStart = timing.length;
    timing.isTimed = false;
    // What has held the thread up before is none of this read's.
    timing.delays.sinceMs = 0;
  }
}

/** To be called before the command runs. True when it is timed alone: what ran before it is done with. */
export function beginCommand({ engine, spans, count }: Call, command: Command): boolean {
  const { timing } = engine;
  const isAlone =
    !command.isBrief ||
    timing.timesEach ||
    count > STRETCH_ARGUMENTS_MAX ||
    spans[2 * count - 1] - spans[0] > STRETCH_BYTES_MAX;
  if (isAlone && !(timing.isTimed && timing.length === 0)) closeStretch(engine, timing.monotonicMs());
  return isAlone;
}

/** To be called when the command has run and `call` still is its. `endsStretch`: it was alone, or took longer than expected. */
export function endCommand(call: Call, id: number, endsStretch: boolean): void {
  const { engine } = call;
  const { timing } = engine;
  timing.ids[timing.length] = id;
  timing.length += 1;
  if (!endsStretch && timing.length < STRETCH_COMMANDS_MAX) return;
  const nowMs = timing.monotonicMs();
  noteSlow(call, nowMs);
  closeStretch(engine, nowMs);
}

/** A command was refused, in the middle of a stretch or not. */
export function noteRefusal(engine: Engine): void {
  const { timing } = engine;
  timing.ids[timing.length] = REFUSED;
  timing.length += 1;
  if (timing.length === STRETCH_COMMANDS_MAX) closeStretch(engine, timing.monotonicMs());
}

/** A command answers later and is none of the stretch; `countWhenAnswered` has its beginning. */
export function leaveStretch(engine: Engine): void {
  closeStretch(engine, engine.timing.monotonicMs());
}

/** The read has no further command. `isWhole`: the arguments of the last one still are where `call` says. */
export function endRead(call: Call, isWhole: boolean): void {
  const { timing } = call.engine;
  const { length, pieceStart, delays } = timing;
  if (!timing.isTimed && delays.sinceMs === 0) return;
  const nowMs = timing.monotonicMs();
  if (length > pieceStart && isWhole && timing.ids[length - 1] !== REFUSED) noteSlow(call, nowMs);
  endPiece(timing, nowMs);
}

/** The command that runs is about to do what may take long, and is not timed alone. */
export function noteDelay({ timing }: Engine): void {
  if (timing.delays.sinceMs === 0) timing.delays.sinceMs = timing.monotonicMs();
}

/** Records what was gathered: the turn is over. Between two reads. */
export function endStretch(engine: Engine): void {
  if (engine.timing.length > 0) recordStretch(engine);
}

/**
 * A command that is timed alone begins to execute others, which are timed as well; it takes as long as all of them. Returns what
 * `endInside` is to be given.
 */
export function beginInside(engine: Engine): number {
  const { timing } = engine;
  const { startMs } = timing;
  closeStretch(engine, timing.monotonicMs());
  return startMs;
}

/** The last of the others has run, and `call` is still about it. */
export function endInside(call: Call, startMs: number): void {
  const { timing } = call.engine;
  const nowMs = timing.monotonicMs();
  if (timing.length > timing.pieceStart && timing.ids[timing.length - 1] !== REFUSED) noteSlow(call, nowMs);
  closeStretch(call.engine, nowMs);
  timing.startMs = startMs;
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

function beginPiece(timing: Timing, nowMs: number): void {
  timing.pieceStart = timing.length;
  timing.startMs = nowMs;
  timing.lastMs = nowMs;
  timing.isTimed = true;
}

function endPiece(timing: Timing, nowMs: number): void {
  const count = timing.length - timing.pieceStart;
  if (timing.isTimed && count > 0) {
    timing.timedNs += (nowMs - timing.startMs) * NS_PER_MS;
    timing.timedCount += count;
  }
  timing.isTimed = false;
  timing.delays.sinceMs = 0;
}

/** Tells of the piece that ends now with the command of `call`, if it was slow. One that is not timed began with its delay. */
function noteSlow(call: Call, nowMs: number): void {
  const { timing, slowThresholdNs } = call.engine;
  const { isTimed, startMs, delays } = timing;
  if (!isTimed && delays.sinceMs === 0) return;
  const count = timing.length - timing.pieceStart;
  const meanNs = ((nowMs - (isTimed ? startMs : delays.sinceMs)) * NS_PER_MS) / count;
  if (meanNs >= slowThresholdNs) noteTimed(call, meanNs, count === 1);
}

/** Records what was gathered; the next stretch begins at this moment, with a timed piece. */
function closeStretch(engine: Engine, nowMs: number): void {
  const { timing } = engine;
  endPiece(timing, nowMs);
  if (timing.length > 0) recordStretch(engine);
  beginPiece(timing, nowMs);
}

/** Records the stretch's commands, each with the mean of those that were timed: the first one was. */
function recordStretch(engine: Engine): void {
  const { timing } = engine;
  const { ids, length } = timing;
  const meanNs = timing.timedNs / timing.timedCount;
  timing.length = 0;
  timing.timedNs = 0;
  timing.timedCount = 0;
  for (let at = 0; at < length; ) {
    const id = ids[at];
    let end = at + 1;
    while (end < length && ids[end] === id) end += 1;
    if (id !== REFUSED) recordDuration(engine, id, meanNs, end - at);
    at = end;
  }
}

function recordDuration(engine: Engine, id: number, ns: number, times: number): void {
  const { counters, config } = engine;
  const { latencies } = engine.timing;
  counters[COMMAND_NS + id] += ns * times;
  recordLatency(latencies, COMMANDS_TOGETHER_HISTOGRAM, ns, times);
  if (config.latencyTracking) recordLatency(latencies, FIRST_COMMAND_HISTOGRAM + id, ns, times);
}
