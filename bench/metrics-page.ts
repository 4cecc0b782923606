/**
 * `npm run bench:metrics`: what one look at the metrics costs the main thread, and how large the page is, for servers of
 * several sizes in which every worker has called every command.
 */
import { performance } from 'node:perf_hooks';
import { createPage, finishPage } from '../src/admin/exposition.ts';
import { writeNativeMetrics } from '../src/admin/native-metrics.ts';
import { systemClock } from '../src/base/clock.ts';
import { createLogBoardBuffer, openLogBoard } from '../src/durability/log-board.ts';
import { readLog } from '../src/durability/log-statistics.ts';
import { createCountersBuffer, openAllCounters, openAllLatencies } from '../src/metrics/counters.ts';
import { FIRST_COMMAND_HISTOGRAM, recordLatency } from '../src/metrics/latencies.ts';
import { COMMAND_CALLS } from '../src/metrics/names.ts';
import { createPersistenceBuffer } from '../src/metrics/persistence.ts';
import { readPersistence } from '../src/metrics/persistence-reading.ts';
import { type Reading, type ReadingSources, takeReading } from '../src/metrics/reading.ts';
import { readShard } from '../src/metrics/shard-reading.ts';
import { ALL_LRU } from '../src/shard/policy.ts';
import { createShardBuffers, formatShard, openShard, type Shard } from '../src/shard/shard.ts';
import { describeMachine, machineText } from './support/machine.ts';
import { type Column, markdownTable } from './support/markdown.ts';
import { type Options, runBenchmark, tellProgress, writeJson } from './support/options.ts';
import { type Spread, spreadOf } from './support/statistics.ts';

const DEFAULTS = { runs: 31, 'warm-ups': 10, json: '' };

const SIZES = [
  { workers: 2, shards: 2, commands: 20 },
  { workers: 16, shards: 64, commands: 40 },
  { workers: 64, shards: 256, commands: 20 },
  { workers: 64, shards: 256, commands: 130 },
] as const;

/** Latencies are spread over so many buckets of each histogram, from 300 ns up. */
const LATENCIES = 40;
const LATENCY_NS_MIN = 300;
const LATENCY_GROWTH = 1.3;
const SHARD_BYTES = 2 ** 20;
const BYTES_PER_KB = 1000;

const COLUMNS: readonly Column[] = [
  { heading: 'workers', align: 'right' },
  { heading: 'shards', align: 'right' },
  { heading: 'commands', align: 'right' },
  { heading: 'reading, ms', align: 'right' },
  { heading: '/metrics, ms', align: 'right' },
  { heading: 'kB', align: 'right' },
  { heading: '/metrics.json, ms', align: 'right' },
  { heading: 'kB', align: 'right' },
];

type Size = (typeof SIZES)[number];
type Row = { size: Size; readingMs: Spread; text: Form; json: Form };
type Form = { ms: Spread; bytes: number };

await runBenchmark(DEFAULTS, main);

async function main(options: Options<typeof DEFAULTS>): Promise<void> {
  const rows: Row[] = [];
  for (const size of SIZES) {
    tellProgress(`${size.workers} workers, ${size.shards} shards, ${size.commands} commands`);
    rows.push(measureSize(size, options));
  }
  const machine = describeMachine([]);
  const table = markdownTable(
    COLUMNS,
    rows.map(({ size, readingMs, text, json }) => [
      ...[size.workers, size.shards, size.commands].map(String),
      readingMs.median.toFixed(2),
      ...formCells(text),
      ...formCells(json),
    ]),
  );
  process.stdout.write(`${machineText(machine)}${table}\nMedian of ${options.runs} runs.\n`);
  writeJson(options.json, { machine, options, rows });
}

function measureSize(size: Size, options: Options<typeof DEFAULTS>): Row {
  const read = createServer(size);
  const readingMs = timed(options, () => read());
  const reading = read();
  return {
    size,
    readingMs,
    text: measureForm(options, reading, textOf),
    json: measureForm(options, reading, JSON.stringify),
  };
}

function measureForm(
  options: Options<typeof DEFAULTS>,
  reading: Reading,
  form: (reading: Reading) => string,
): Form {
  return {
    ms: timed(options, () => Buffer.from(form(reading))),
    bytes: Buffer.byteLength(form(reading)),
  };
}

function timed({ runs, 'warm-ups': warmUps }: Options<typeof DEFAULTS>, step: () => unknown): Spread {
  const times: number[] = [];
  for (let index = -warmUps; index < runs; index += 1) {
    const startedMs = performance.now();
    step();
    if (index >= 0) times.push(performance.now() - startedMs);
  }
  return spreadOf(times);
}

function textOf(reading: Reading): string {
  const page = createPage('text');
  writeNativeMetrics(page, reading);
  return finishPage(page);
}

/** The memory of a server of that size, used; answers with what reads it. */
function createServer({ workers, shards: shardCount, commands }: Size): () => Reading {
  const buffer = createCountersBuffer(1 + workers);
  const counters = openAllCounters(buffer);
  const latencies = openAllLatencies(buffer);
  for (const words of counters) words.fill(123_456, 0, COMMAND_CALLS + commands);
  for (const words of latencies) fillLatencies(words, FIRST_COMMAND_HISTOGRAM + commands);
  const shards = Array.from({ length: shardCount }, (_, index) => createShard(index));
  const board = openLogBoard(createLogBoardBuffer(workers, 1), workers);
  const nowMs = systemClock.wallMs();
  const persistence = readPersistence(new Float64Array(createPersistenceBuffer(nowMs)));
  const sources = (): ReadingSources => ({
    nowMs,
    server: { version: '', runId: '', startedAtMs: nowMs, workers },
    process: { residentBytes: 1, heapUsedBytes: 1, cpuUserSeconds: 1, cpuSystemSeconds: 1 },
    rates: { opsPerSecond: 0, inputKbps: 0, outputKbps: 0 },
    counters,
    latencies,
    commandNames: Array.from({ length: commands }, (_, id) => `command|number-${id}`),
    shards: shards.map(readShard),
    persistence,
    log: readLog(board),
  });
  return () => takeReading(sources());
}

function fillLatencies(latencies: Float64Array, histograms: number): void {
  for (let histogram = 0; histogram < histograms; histogram += 1) {
    for (let at = 0; at < LATENCIES; at += 1) {
      recordLatency(latencies, histogram, LATENCY_NS_MIN * LATENCY_GROWTH ** at, 1 + at);
    }
  }
}

function createShard(index: number): Shard {
  const nowMs = systemClock.wallMs();
  const buffers = createShardBuffers({
    ...{ capacityBytes: SHARD_BYTES, limitBytes: SHARD_BYTES, keysMax: 0, policy: ALL_LRU, databases: 16 },
    ...{ lfuLogFactor: 10, lfuDecayMinutes: 1, holdSampling: 64, hashKey: [1, 2], seed: 1, nowMs },
  });
  const shard = openShard(buffers, index, 1, systemClock);
  formatShard(shard, nowMs);
  return shard;
}

function formCells({ ms, bytes }: Form): string[] {
  return [ms.median.toFixed(2), (bytes / BYTES_PER_KB).toFixed(0)];
}
