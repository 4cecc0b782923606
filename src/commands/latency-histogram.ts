/**
 * LATENCY HISTOGRAM: how many calls of each command took up to so long, by powers of two.
 *
 * Runs on the thread of the connection, over the histograms of all threads in shared memory.
 */
import { countBelowPower, recordedCount } from '../metrics/histogram.ts';
import { type ReplyWriter, writeBulkText, writeInteger, writeMap } from '../resp/reply-writer.ts';
import { argumentText } from './arguments.ts';
import type { Call, Command, Handler } from './call.ts';
import { type CommandLatency, latenciesOfCommands } from './command-latencies.ts';
import { allCommands, findByName } from './registry.ts';

/** The bounds are every power of two from 1024 ns to 2^29 ns, and what is longer (redis-server keeps a second at most). */
const BOUND_BITS_MIN = 10;
const BOUND_BITS_MAX = 30;

/** redis-server names a bound by the last value of its bucket, a 128th higher, in microseconds; the last one ends there. */
const BUCKETS_PER_BOUND = 128;
const NS_PER_US = 1000;

export const latencyHistogramHandlers: Readonly<Record<string, Handler>> = {
  'latency|histogram': latencyHistogram,
};

function latencyHistogram(call: Call): void {
  const { reply } = call;
  const latencies = latenciesOfCommands(call.engine, commandsAskedFor(call));
  writeMap(reply, latencies.length);
  for (const latency of latencies) writeLatency(reply, latency);
}

/** All, or those that are named and known, as often as they are. */
function commandsAskedFor(call: Call): readonly Command[] {
  if (call.count === 2) return allCommands();
  const commands: Command[] = [];
  for (let index = 2; index < call.count; index += 1) {
    const command = findByName(argumentText(call, index).toLowerCase());
    if (command !== undefined) commands.push(command);
  }
  return commands;
}

function writeLatency(reply: ReplyWriter, { name, histogram }: CommandLatency): void {
  const steps = stepsOf(histogram);
  writeBulkText(reply, name);
  writeMap(reply, 2);
  writeBulkText(reply, 'calls');
  writeInteger(reply, recordedCount(histogram));
  writeBulkText(reply, 'histogram_usec');
  writeMap(reply, steps.length);
  for (const { us, count } of steps) {
    writeInteger(reply, us);
    writeInteger(reply, count);
  }
}

/** Only the bounds at which the count grows. */
function stepsOf(histogram: Float64Array): { us: number; count: number }[] {
  const steps = [];
  let counted = 0;
  for (let bits = BOUND_BITS_MIN; bits <= BOUND_BITS_MAX; bits += 1) {
    const isLast = bits === BOUND_BITS_MAX;
    const count = isLast ? recordedCount(histogram) : countBelowPower(histogram, bits);
    if (count === counted) continue;
    const lastNs = isLast ? 2 ** bits - 1 : 2 ** bits + 2 ** bits / BUCKETS_PER_BOUND - 1;
    steps.push({ us: Math.floor(lastNs / NS_PER_US), count });
    counted = count;
  }
  return steps;
}
