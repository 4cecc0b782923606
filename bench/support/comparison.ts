/**
 * Servers beside each other under the loads of redis-benchmark: one after the other, round by round (A B A B), every round
 * with fresh processes; medians and spreads as a table, each as a ratio to redis-server under the same load.
 */
import { ask } from './client.ts';
import { fillServer } from './load-generator.ts';
import { type Column, spreadText } from './markdown.ts';
import { tellProgress } from './options.ts';
import { type Peer, type RunningPeer, requireProgram, withPeer } from './peers.ts';
import { cpuSecondsOf } from './proc.ts';
import { runRedisBenchmark } from './redis-benchmark.ts';
import { commandWords } from './request-kinds.ts';
import { infoNumber } from './server-text.ts';
import { ratioText, type Spread, spreadOf } from './statistics.ts';

/** What is asked of a server. Loads of one `group` and pipeline are compared with each other. */
export type Load = {
  readonly group: string;
  readonly command: readonly string[];
  readonly pipeline: number;
  readonly requests: number;
};

/** One server and what it gets in each round, after its keys and a warm-up of each load. */
export type Trial = { readonly peer: Peer; readonly loads: readonly Load[] };

export type TrialSettings = {
  readonly rounds: number;
  readonly clients: number;
  /** Threads of the load generator. */
  readonly threads: number;
  /** Of each load, before the first measured run of a started server, so that its code is compiled. */
  readonly warmUpRequests: number;
  /** Where the servers' folders are made; the system's temporary folder where it is not told. */
  readonly parent?: string;
};

/** What one run of one load measured. */
type Measured = { requestsPerSecond: number; p50Ms: number; p99Ms: number; cpuUs: number };

export type Row = Omit<Load, 'command'> & { server: string } & Record<keyof Measured, Spread>;

/** Every server has these keys before it is measured, so that each GET is a hit. */
const KEYS = 100_000;
const VALUE_BYTES = 64;
/** The commands that redis-benchmark sends, with keys drawn from all. */
export const COMMANDS = {
  GET: commandWords('GET', VALUE_BYTES),
  SET: commandWords('SET', VALUE_BYTES),
} as const;

const SECONDS_TO_US = 1e6;
const BASE_SERVER = 'redis-server';

/** Runs every trial in every round. The rows of one group and pipeline follow each other, in the order of the trials. */
export async function runTrials(trials: readonly Trial[], settings: TrialSettings): Promise<Row[]> {
  const program = requireProgram('redis-benchmark');
  const rounds: Measured[][][] = [];
  for (let round = 0; round < settings.rounds; round += 1) {
    const byTrial: Measured[][] = [];
    for (const { peer, loads } of trials) {
      const groups = [...new Set(loads.map(({ group }) => group))].join(', ');
      tellProgress(`round ${round + 1} of ${settings.rounds}: ${peer.name}: ${groups}`);
      const measureAll = (running: RunningPeer) => measureLoads(program, running, loads, settings);
      byTrial.push(await withPeer(peer, measureAll, { parent: settings.parent }));
    }
    rounds.push(byTrial);
  }
  return orderRows(
    trials.flatMap(({ peer, loads }, trial) =>
      loads.map((load, cell) =>
        rowOf(
          load,
          peer.name,
          rounds.map((round) => round[trial][cell]),
        ),
      ),
    ),
  );
}

/** Writes so many keys of 16 bytes, `key:` and the index, with values of 64: those that redis-benchmark draws. */
export function loadKeys(port: number, keys: number): Promise<void> {
  return fillServer('resp', port, keys, VALUE_BYTES);
}

/** The rows that are compared behind each other, in the order in which their groups and pipelines first come. */
export function orderRows(rows: readonly Row[]): Row[] {
  const cellOf = ({ group, pipeline }: Row): string => `${group} ${pipeline}`;
  return [...new Set(rows.map(cellOf))].flatMap((cell) => rows.filter((row) => cellOf(row) === cell));
}

/** `group`: what the groups of the rows are. */
export function comparisonColumns(group: string): Column[] {
  return [
    { heading: group, align: 'left' },
    { heading: 'P', align: 'right' },
    { heading: 'server', align: 'left' },
    { heading: 'thousand/s', align: 'right' },
    { heading: 'p50 ms', align: 'right' },
    { heading: 'p99 ms', align: 'right' },
    { heading: 'CPU us/op', align: 'right' },
    { heading: 'throughput to redis-server', align: 'left' },
    { heading: 'CPU to redis-server', align: 'left' },
  ];
}

export function comparisonCells(row: Row, rows: readonly Row[]): string[] {
  const base = rows.find(
    ({ group, pipeline, server }) =>
      group === row.group && pipeline === row.pipeline && server === BASE_SERVER,
  );
  const isBase = base === undefined || base === row;
  return [
    row.group,
    String(row.pipeline),
    row.server,
    spreadText(row.requestsPerSecond, 1000, 0),
    row.p50Ms.median.toFixed(3),
    row.p99Ms.median.toFixed(3),
    spreadText(row.cpuUs, 1, 2),
    isBase ? '1' : ratioText(row.requestsPerSecond, base.requestsPerSecond),
    isBase ? '1' : ratioText(row.cpuUs, base.cpuUs),
  ];
}

/** The line below a table of so many rounds. */
export function roundsText(rounds: number): string {
  return `\nMedian (least-largest) of ${rounds} rounds; "not distinguishable" where the spreads overlap.\n`;
}

async function measureLoads(
  program: string,
  running: RunningPeer,
  loads: readonly Load[],
  settings: TrialSettings,
): Promise<Measured[]> {
  await loadKeys(running.port, KEYS);
  for (const load of loads) {
    await measure(program, running, { ...load, requests: settings.warmUpRequests }, settings);
  }
  const results: Measured[] = [];
  for (const load of loads) results.push(await measure(program, running, load, settings));
  const misses = infoNumber(await ask(running.port, 'INFO', 'stats'), 'keyspace_misses');
  if (misses > 0) throw new Error(`${misses} GETs missed: the numbers would not compare`);
  return results;
}

async function measure(
  program: string,
  { port, pid }: RunningPeer,
  { command, requests, pipeline }: Load,
  { clients, threads }: TrialSettings,
): Promise<Measured> {
  const cpuBefore = cpuSecondsOf(pid);
  const run = { program, port, command, requests, pipeline, clients, threads, keys: KEYS };
  const result = await runRedisBenchmark(run);
  return { ...result, cpuUs: ((cpuSecondsOf(pid) - cpuBefore) * SECONDS_TO_US) / requests };
}

function rowOf({ group, pipeline, requests }: Load, server: string, runs: readonly Measured[]): Row {
  const spread = (field: keyof Measured): Spread => spreadOf(runs.map((run) => run[field]));
  return {
    group,
    pipeline,
    requests,
    server,
    requestsPerSecond: spread('requestsPerSecond'),
    p50Ms: spread('p50Ms'),
    p99Ms: spread('p99Ms'),
    cpuUs: spread('cpuUs'),
  };
}
