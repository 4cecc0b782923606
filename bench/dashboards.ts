/**
 * `npm run bench:dashboards`: what being watched costs: GET and SET of 64-byte values by redis-benchmark, from 50 connections,
 * with ten pages that listen to /v1/live and a scrape of /metrics each second, and without them. One server; the two take turns,
 * each being first in every other round. The watchers' own work, on the same machine, counts as part of the cost.
 */
import { COMMANDS, loadKeys } from './support/comparison.ts';
import { describeMachine, machineText } from './support/machine.ts';
import { type Column, markdownTable, spreadText } from './support/markdown.ts';
import { type Options, parseNumberList, runBenchmark, tellProgress, writeJson } from './support/options.ts';
import { ourPeer, type RunningPeer, requireProgram, withPeer } from './support/peers.ts';
import { cpuSecondsOf } from './support/proc.ts';
import { runRedisBenchmark } from './support/redis-benchmark.ts';
import { type Spread, spreadOf, spreadsOverlap } from './support/statistics.ts';
import { startWatchers } from './support/watchers.ts';

/** `seconds`: about so long takes each run. */
const DEFAULTS = {
  rounds: 7,
  seconds: 4,
  clients: 50,
  pipeline: '1,16,64',
  listeners: 10,
  json: '',
};

const KEYS = 100_000;
const SCRAPE_EVERY_MS = 1_000;
const PROBE_REQUESTS = 50_000;
const SECONDS_TO_US = 1e6;
const GROUPS = ['GET', 'SET'] as const;

const COLUMNS: readonly Column[] = [
  { heading: 'command', align: 'left' },
  { heading: 'P', align: 'right' },
  { heading: 'alone: thousand/s', align: 'right' },
  { heading: 'watched: thousand/s', align: 'right' },
  { heading: 'throughput watched to alone', align: 'left' },
  { heading: 'alone: CPU us/op', align: 'right' },
  { heading: 'watched: CPU us/op', align: 'right' },
  { heading: 'alone: p99 ms', align: 'right' },
  { heading: 'watched: p99 ms', align: 'right' },
];

type Load = { program: string; command: readonly string[]; pipeline: number; clients: number };
type Measured = { requestsPerSecond: number; p99Ms: number; cpuUs: number };
type Spreads = Record<keyof Measured, Spread>;
type Result = { command: string; pipeline: number; requests: number; alone: Spreads; watched: Spreads };
type Seen = { events: number; scrapes: number };

await runBenchmark(DEFAULTS, main);

async function main(options: Options<typeof DEFAULTS>): Promise<void> {
  const program = requireProgram('redis-benchmark');
  const peer = ourPeer();
  const seen: Seen = { events: 0, scrapes: 0 };
  const results: Result[] = [];
  const measureAll = async (running: RunningPeer): Promise<void> => {
    await loadKeys(running.port, KEYS);
    for (const pipeline of parseNumberList('pipeline', options.pipeline)) {
      for (const group of GROUPS) {
        tellProgress(`${group}, P=${pipeline}: ${options.rounds} rounds`);
        const load = { program, command: COMMANDS[group], pipeline, clients: options.clients };
        results.push({ command: group, pipeline, ...(await compare(running, load, options, seen)) });
      }
    }
  };
  await withPeer(peer, measureAll, { http: true });
  const machine = describeMachine([peer.version]);
  process.stdout.write(`${machineText(machine)}${markdownTable(COLUMNS, results.map(cellsOf))}`);
  process.stdout.write(
    `\nMedian (least-largest) of ${options.rounds} rounds; "not distinguishable" where the spreads overlap. The watchers got ` +
      `${seen.events} pieces of events and ${seen.scrapes} scrapes in all.\n`,
  );
  writeJson(options.json, { machine, options, seen, results });
}

async function compare(
  running: RunningPeer,
  load: Load,
  { rounds, seconds, listeners }: Options<typeof DEFAULTS>,
  seen: Seen,
): Promise<Omit<Result, 'command' | 'pipeline'>> {
  const probe = await measure(running, load, PROBE_REQUESTS * Math.min(load.pipeline, 8));
  const requests = Math.round(probe.requestsPerSecond * seconds);
  const alone: Measured[] = [];
  const watched: Measured[] = [];
  const measureAlone = async (): Promise<void> => void alone.push(await measure(running, load, requests));
  const measureWatched = async (): Promise<void> => {
    const watchers = await startWatchers(running.httpPort, listeners, SCRAPE_EVERY_MS);
    watched.push(await measure(running, load, requests));
    watchers.stop();
    if (watchers.got.events === 0 || watchers.got.scrapes === 0)
      throw new Error('the watchers got nothing: --seconds must be 2 or more');
    seen.events += watchers.got.events;
    seen.scrapes += watchers.got.scrapes;
  };
  for (let round = 0; round < rounds; round += 1) {
    const both = [measureAlone, measureWatched];
    for (const run of round % 2 === 0 ? both : both.reverse()) await run();
  }
  return { requests, alone: spreadsOf(alone), watched: spreadsOf(watched) };
}

async function measure({ port, pid }: RunningPeer, load: Load, requests: number): Promise<Measured> {
  const cpuBefore = cpuSecondsOf(pid);
  const result = await runRedisBenchmark({ ...load, port, requests, keys: KEYS, threads: 1 });
  const cpuUs = ((cpuSecondsOf(pid) - cpuBefore) * SECONDS_TO_US) / requests;
  return { requestsPerSecond: result.requestsPerSecond, p99Ms: result.p99Ms, cpuUs };
}

function spreadsOf(runs: readonly Measured[]): Spreads {
  return {
    requestsPerSecond: spreadOf(runs.map((run) => run.requestsPerSecond)),
    p99Ms: spreadOf(runs.map((run) => run.p99Ms)),
    cpuUs: spreadOf(runs.map((run) => run.cpuUs)),
  };
}

/** To a tenth of a percent, since a few are looked for. */
function shareText(watched: Spread, alone: Spread): string {
  const share = `${((100 * watched.median) / alone.median).toFixed(1)} %`;
  return spreadsOverlap(watched, alone) ? `${share} (not distinguishable)` : share;
}

function cellsOf({ command, pipeline, alone, watched }: Result): string[] {
  return [
    command,
    String(pipeline),
    spreadText(alone.requestsPerSecond, 1000, 0),
    spreadText(watched.requestsPerSecond, 1000, 0),
    shareText(watched.requestsPerSecond, alone.requestsPerSecond),
    alone.cpuUs.median.toFixed(2),
    watched.cpuUs.median.toFixed(2),
    alone.p99Ms.median.toFixed(3),
    watched.p99Ms.median.toFixed(3),
  ];
}
