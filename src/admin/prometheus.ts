/**
 * A reading as Prometheus text, exposition format 0.0.4
 * (https://prometheus.io/docs/instrumenting/exposition_formats/). Pure; main thread.
 *
 * The series are bounded: one per thread, shard, database in use or command that exists, never per client or key.
 */
import type { HistogramReading } from '../metrics/histogram.ts';
import { COMMAND_CALLS_METRIC, COUNTER_METRICS, type Metric } from '../metrics/names.ts';
import {
  BREAKER_STATE_METRIC,
  BREAKER_STATES,
  LOG_STREAM_METRICS,
  PERSISTENCE_METRICS,
} from '../metrics/persistence-names.ts';
import type { Reading } from '../metrics/reading.ts';
import {
  BUILD_INFO_METRIC,
  DATABASE_METRICS,
  LOCK_HOLD_MAX_METRIC,
  LOCK_HOLD_METRIC,
  NS_TO_SECONDS,
  PROCESS_METRICS,
  SHARD_METRICS,
  START_TIME_METRIC,
} from '../metrics/shard-names.ts';

export const PROMETHEUS_CONTENT_TYPE = 'text/plain; version=0.0.4; charset=utf-8';

/** One line: `suffix` goes behind the family's name, labels come in the order given. */
type Sample = { suffix?: string; labels: readonly [name: string, value: string][]; value: number };

/** The whole page, ending with a line feed. Families without a sample are left out. */
export function prometheusText(reading: Reading): string {
  const lines: string[] = [];
  writeServer(lines, reading);
  writeThreads(lines, reading);
  writeShards(lines, reading);
  writeDatabases(lines, reading);
  writePersistence(lines, reading);
  return `${lines.join('\n')}\n`;
}

function writeServer(lines: string[], { server, process }: Reading): void {
  const workers = String(server.workers);
  writeFamily(lines, BUILD_INFO_METRIC, [
    {
      labels: [
        ['version', server.version],
        ['workers', workers],
      ],
      value: 1,
    },
  ]);
  writeFamily(lines, START_TIME_METRIC, [{ labels: [], value: server.startedAtMs / 1000 }]);
  for (const metric of PROCESS_METRICS)
    writeFamily(lines, metric, [{ labels: [], value: process[metric.field] }]);
}

function writeThreads(lines: string[], { threads, commands }: Reading): void {
  for (const metric of COUNTER_METRICS) {
    const samples = threads.map((thread, index): Sample => {
      const worker = index === 0 ? 'main' : String(index - 1);
      return { labels: [['worker', worker]], value: thread[metric.field] };
    });
    writeFamily(lines, metric, samples);
  }
  const calls = commands.map(({ name, calls }): Sample => ({ labels: [['command', name]], value: calls }));
  writeFamily(lines, COMMAND_CALLS_METRIC, calls);
}

function writeShards(lines: string[], { shards }: Reading): void {
  for (const metric of SHARD_METRICS) {
    const samples = shards.map((shard): Sample => {
      return { labels: [['shard', String(shard.index)]], value: shard[metric.field] * metric.scale };
    });
    writeFamily(lines, metric, samples);
  }
  const holds = shards.flatMap((shard) => histogramSamples(String(shard.index), shard.lockHoldNs));
  writeFamily(lines, LOCK_HOLD_METRIC, holds);
  const longest = shards.map(({ index, lockHoldNs }): Sample => {
    return { labels: [['shard', String(index)]], value: lockHoldNs.max * NS_TO_SECONDS };
  });
  writeFamily(lines, LOCK_HOLD_MAX_METRIC, longest);
}

function writeDatabases(lines: string[], { databases }: Reading): void {
  for (const metric of DATABASE_METRICS) {
    const samples = databases.flatMap((database, number): Sample[] => {
      if (database.keys === 0) return [];
      return [{ labels: [['database', String(number)]], value: database[metric.field] }];
    });
    writeFamily(lines, metric, samples);
  }
}

function writePersistence(lines: string[], { persistence, log }: Reading): void {
  for (const metric of PERSISTENCE_METRICS) {
    const value = persistence[metric.field];
    writeFamily(lines, metric, value < 0 ? [] : [{ labels: [], value: value * metric.scale }]);
  }
  const states = BREAKER_STATES.map((state, number): Sample => {
    return { labels: [['state', state]], value: persistence.logBreakerState === number ? 1 : 0 };
  });
  writeFamily(lines, BREAKER_STATE_METRIC, states);
  for (const metric of LOG_STREAM_METRICS) {
    const samples = log.map((stream, index): Sample => {
      return { labels: [['stream', String(index)]], value: stream[metric.field] * metric.scale };
    });
    writeFamily(lines, metric, samples);
  }
}

/** Buckets are "at most the bound" in this format, as in the shards' own histograms. */
function histogramSamples(shard: string, { below, count, sum }: HistogramReading): Sample[] {
  const bucket = (le: string, value: number): Sample => {
    return {
      suffix: '_bucket',
      labels: [
        ['shard', shard],
        ['le', le],
      ],
      value,
    };
  };
  return [
    ...below.map(({ bound, count: countBelow }) => bucket(numberText(bound * NS_TO_SECONDS), countBelow)),
    bucket('+Inf', count),
    { suffix: '_sum', labels: [['shard', shard]], value: sum * NS_TO_SECONDS },
    { suffix: '_count', labels: [['shard', shard]], value: count },
  ];
}

function writeFamily(lines: string[], metric: Metric, samples: readonly Sample[]): void {
  if (samples.length === 0) return;
  lines.push(`# HELP ${metric.name} ${escapeText(metric.help)}`, `# TYPE ${metric.name} ${metric.type}`);
  for (const { suffix = '', labels, value } of samples) {
    const pairs = labels.map(([name, text]) => `${name}="${escapeText(text).replaceAll('"', '\\"')}"`);
    const braced = pairs.length > 0 ? `{${pairs.join(',')}}` : '';
    lines.push(`${metric.name}${suffix}${braced} ${numberText(value)}`);
  }
}

function escapeText(text: string): string {
  return text.replaceAll('\\', '\\\\').replaceAll('\n', '\\n');
}

/** A number as the format (Go's ParseFloat) reads it. */
function numberText(value: number): string {
  if (Number.isFinite(value) || Number.isNaN(value)) return String(value);
  return value > 0 ? '+Inf' : '-Inf';
}
