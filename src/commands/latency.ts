/**
 * LATENCY: the spikes that the latency monitors of all threads have seen, as lists, as a picture and as a report.
 *
 * Each thread keeps its own and tells them when it is asked over the bus; the asking one merges them. Runs on the thread of the
 * connection. (LATENCY HISTOGRAM, which is about all commands and not about spikes: latency-histogram.ts.)
 */
import { forgetSpikes, type LatencyEvents, mergeSpikes } from '../metrics/latency-events.ts';
import {
  type ReplyWriter,
  writeArray,
  writeBulkText,
  writeError,
  writeInteger,
  writeVerbatim,
} from '../resp/reply-writer.ts';
import { argumentText, printedText } from './arguments.ts';
import { type Call, deferReply, type Handler } from './call.ts';
import type { Engine } from './engine.ts';
import { replyHelp } from './help.ts';
import { latencyReport } from './latency-doctor.ts';
import { latencyGraph } from './latency-graph.ts';

/** To all: what have you seen; and, with names of events or undefined for all, forget it. */
const TOPIC_EVENTS = 'latency-events';
const TOPIC_RESET = 'latency-reset';

const HELP = [
  'DOCTOR',
  '    Return a human readable latency analysis report.',
  'GRAPH <event>',
  '    Return an ASCII latency graph for the <event> class.',
  'HISTORY <event>',
  '    Return time-latency samples for the <event> class.',
  'LATEST',
  '    Return the latest latency samples for all events.',
  'RESET [<event> ...]',
  '    Reset latency data of one or more <event> classes.',
  '    (default: reset all data for all event classes)',
  'HISTOGRAM [COMMAND ...]',
  '    Return a cumulative distribution of latencies in the format of a histogram for the specified command names.',
  '    If no commands are specified then all histograms are replied.',
];

export const latencyHandlers: Readonly<Record<string, Handler>> = {
  'latency|doctor': latencyDoctor,
  'latency|graph': latencyGraphOf,
  'latency|help': (call) => replyHelp(call, HELP),
  'latency|history': latencyHistory,
  'latency|latest': latencyLatest,
  'latency|reset': latencyReset,
};

/** Lets this thread tell of its spikes. Once, at its start. */
export function installLatencyMonitor({ bus, latencyEvents }: Engine): void {
  bus.handle(TOPIC_EVENTS, () => latencyEvents);
  bus.handle(TOPIC_RESET, (names) => forgetSpikes(latencyEvents, names as string[] | undefined));
}

/** Asks all threads what they have seen, and has `write` append the reply to that. A thread that does not answer is left out. */
function replyFromAll(call: Call, write: (reply: ReplyWriter, events: LatencyEvents) => void): void {
  const deferred = deferReply(call);
  call.engine.bus.requestAll(TOPIC_EVENTS, null).then((answers) => {
    const events = mergeSpikes(answers as LatencyEvents[]);
    deferred.resume((reply) => write(reply, events));
  });
}

function latencyLatest(call: Call): void {
  replyFromAll(call, (reply, events) => {
    writeArray(reply, events.size);
    for (const [event, { samples, maxMs }] of events) {
      const { atSeconds, latencyMs } = samples[samples.length - 1];
      writeArray(reply, 4);
      writeBulkText(reply, event);
      for (const value of [atSeconds, latencyMs, maxMs]) writeInteger(reply, value);
    }
  });
}

function latencyHistory(call: Call): void {
  const event = argumentText(call, 2);
  replyFromAll(call, (reply, events) => {
    const samples = events.get(event)?.samples ?? [];
    writeArray(reply, samples.length);
    for (const { atSeconds, latencyMs } of samples) {
      writeArray(reply, 2);
      writeInteger(reply, atSeconds);
      writeInteger(reply, latencyMs);
    }
  });
}

function latencyGraphOf(call: Call): void {
  const { engine } = call;
  const event = printedText(call, 2);
  replyFromAll(call, (reply, events) => {
    const series = events.get(event);
    if (series === undefined) writeError(reply, `ERR No samples available for event '${event}'`);
    else writeVerbatim(reply, 'txt', latencyGraph(event, series, engine.wallMs()));
  });
}

function latencyDoctor(call: Call): void {
  const { config, wallMs } = call.engine;
  replyFromAll(call, (reply, events) => writeVerbatim(reply, 'txt', latencyReport(events, config, wallMs())));
}

/** Answers how many events were forgotten: one that several threads have seen counts once. */
function latencyReset(call: Call): void {
  const names: string[] = [];
  for (let index = 2; index < call.count; index += 1) names.push(printedText(call, index));
  const deferred = deferReply(call);
  const wanted = names.length === 0 ? undefined : names;
  call.engine.bus.requestAll(TOPIC_RESET, wanted).then((answers) => {
    const forgotten = new Set((answers as string[][]).flat());
    deferred.resume((reply) => writeInteger(reply, forgotten.size));
  });
}
