/**
 * `npm run bench:snapshot`: what a snapshot in the background does to latency: millions of keys, a steady load at half of
 * the peak that the same server has just shown, first without and then during BGSAVE, round by round; here and in
 * redis-server, one after the other. GET and SET 9 to 1 over all keys, 64-byte values, 50 connections, an open loop:
 * every latency counts from when its request was due.
 */
import { withBackgroundSaves } from './support/background-saves.ts';
import { ask } from './support/client.ts';
import { COMMANDS, loadKeys } from './support/comparison.ts';
import { diskFolder, diskText } from './support/disk.ts';
import { describeMachine, machineText } from './support/machine.ts';
import { type Column, markdownTable, percentText, spreadText } from './support/markdown.ts';
import type { OpenLoopReport, OpenLoopRun } from './support/open-loop.ts';
import {
  type Precedence,
  precedenceText,
  type RunOpenLoop,
  withOpenLoop,
} from './support/open-loop-process.ts';
import { type Options, runBenchmark, tellProgress } from './support/options.ts';
import {
  ourPeer,
  type Peer,
  type RunningPeer,
  redisPeer,
  requireProgram,
  withPeer,
} from './support/peers.ts';
import { runRedisBenchmark } from './support/redis-benchmark.ts';
import { type ResultRow, writeResult } from './support/result.ts';
import { infoNumber } from './support/server-text.ts';
import { type Spread, spreadOf } from './support/statistics.ts';

/** `seconds`: of each measured run, one without and one during BGSAVE in every round. `percent`: of the peak. */
const DEFAULTS = {
  keys: 5_000_000,
  rounds: 3,
  seconds: 8,
  percent: 50,
  connections: 50,
  appendonly: 'yes',
  dir: '',
  json: '',
};

const VALUE_BYTES = 64;
const SET_ONE_IN = 10;
const PEAK_REQUESTS = { GET: 250_000, SET: 100_000 };
const PEAK_WARM_UP_REQUESTS = 100_000;
const WARM_UP_SECONDS = 3;
/** After a snapshot, before latencies without one are measured: its files go, the disk writes what it still holds. */
const SETTLE_MS = 2_000;

const COLUMNS: readonly Column[] = [
  { heading: 'server', align: 'left' },
  { heading: 'thousand/s', align: 'right' },
  { heading: 'BGSAVE', align: 'left' },
  { heading: 'p50 ms', align: 'right' },
  { heading: 'p99 ms', align: 'right' },
  { heading: 'p99.9 ms', align: 'right' },
  { heading: 'max ms', align: 'right' },
  { heading: 'client late: p50 ms', align: 'right' },
  { heading: 'p99.9 ms', align: 'right' },
  { heading: 'snapshots', align: 'right' },
  { heading: 's each', align: 'right' },
  { heading: 'time within one', align: 'right' },
];

const REPORT_FIELDS = ['p50Ms', 'p99Ms', 'p999Ms', 'p9999Ms', 'maxMs', 'lateP50Ms', 'lateP999Ms'] as const;

type Result = {
  server: string;
  /** Requests a second with GET and SET in the mix of the open loop. */
  peakPerSecond: number;
  ratePerSecond: number;
  precedence: Precedence;
  without: OpenLoopReport[];
  during: OpenLoopReport[];
  snapshotSeconds: number[];
  /** Of the measured time during BGSAVE, by round. */
  sharesWithin: number[];
};
type SnapshotOptions = Options<typeof DEFAULTS>;

await runBenchmark(DEFAULTS, main);

async function main(options: SnapshotOptions): Promise<void> {
  const folder = diskFolder(options.dir);
  const flags = ['--appendonly', options.appendonly, '--auto-aof-rewrite-percentage', '0'];
  const peers = [redisPeer(flags), ourPeer(flags)];
  const results: Result[] = [];
  for (const peer of peers) {
    const measurePeer = (running: RunningPeer) => measure(peer, running, options);
    results.push(await withPeer(peer, measurePeer, { parent: folder.path }));
  }
  const machine = describeMachine(peers.map(({ version }) => version));
  process.stdout.write(`${machineText(machine)}${diskText(folder)}`);
  process.stdout.write(markdownTable(COLUMNS, results.flatMap(rowsOf)));
  process.stdout.write(`\n${results.map(ratioLine).join('')}`);
  process.stdout.write(conditionsText(options, results[0].precedence));
  const rows = results.flatMap((result) => resultRows(result, folder.fileSystem));
  writeResult(options.json, { name: 'bench:snapshot', machine, options, rows });
}

function conditionsText(
  { keys, appendonly, percent, rounds }: SnapshotOptions,
  precedence: Precedence,
): string {
  return [
    `\n${keys} keys, appendonly ${appendonly}; ${percent} % of what redis-benchmark gets at P=1 in the same mix. Medians`,
    `(least-largest) of ${rounds} rounds, max over all. ${precedenceText(precedence)};`,
    'how late it sent is within the latencies.\n',
  ].join('\n');
}

async function measure(peer: Peer, { port }: RunningPeer, options: SnapshotOptions): Promise<Result> {
  const { keys, connections } = options;
  tellProgress(`${peer.name}: ${keys} keys are loaded`);
  await loadKeys(port, keys);
  await expectKeys(port, keys);
  tellProgress(`${peer.name}: its peak`);
  const peakPerSecond = await measurePeak(port, options);
  const ratePerSecond = Math.round((peakPerSecond * options.percent) / 100);
  const plan = { port, connections, keys, valueBytes: VALUE_BYTES };
  const load = { ratePerSecond, setOneIn: SET_ONE_IN, isGrowing: false };
  const measured = await withOpenLoop(plan, 'nice', async ({ precedence, runLoad }) => {
    if (precedence === 'none')
      tellProgress('the client cannot go before the server: latencies hold its own waits too');
    await runLoad({ ...load, seconds: WARM_UP_SECONDS });
    const rounds = { ...load, seconds: options.seconds };
    return { precedence, ...(await measureRounds(peer, port, runLoad, rounds, options.rounds)) };
  });
  await expectKeys(port, keys);
  return { server: peer.name, peakPerSecond, ratePerSecond, ...measured };
}

async function measureRounds(
  peer: Peer,
  port: number,
  runLoad: RunOpenLoop,
  run: OpenLoopRun,
  rounds: number,
) {
  const without: OpenLoopReport[] = [];
  const during: OpenLoopReport[] = [];
  const snapshotSeconds: number[] = [];
  const sharesWithin: number[] = [];
  for (let round = 0; round < rounds; round += 1) {
    tellProgress(`${peer.name}: round ${round + 1} of ${rounds}, ${run.ratePerSecond} requests a second`);
    await new Promise((resolve) => setTimeout(resolve, SETTLE_MS));
    without.push(await runLoad(run));
    const { result, spans, shareOfTime } = await withBackgroundSaves(port, () => runLoad(run));
    during.push(result);
    snapshotSeconds.push(...spans.map(({ startedMs, endedMs }) => (endedMs - startedMs) / 1000));
    sharesWithin.push(shareOfTime);
  }
  return { without, during, snapshotSeconds, sharesWithin };
}

/** What redis-benchmark gets out of the server at depth 1, for the mix of the open loop. */
async function measurePeak(port: number, { keys, connections }: SnapshotOptions): Promise<number> {
  const program = requireProgram('redis-benchmark');
  const speedOf = async (command: keyof typeof COMMANDS): Promise<number> => {
    const run = { program, port, command: COMMANDS[command], clients: connections, pipeline: 1, threads: 1 };
    await runRedisBenchmark({ ...run, keys, requests: PEAK_WARM_UP_REQUESTS });
    return (await runRedisBenchmark({ ...run, keys, requests: PEAK_REQUESTS[command] })).requestsPerSecond;
  };
  const setShare = 1 / SET_ONE_IN;
  return 1 / ((1 - setShare) / (await speedOf('GET')) + setShare / (await speedOf('SET')));
}

async function expectKeys(port: number, keys: number): Promise<void> {
  const held = Number(await ask(port, 'DBSIZE'));
  const evicted = infoNumber(await ask(port, 'INFO', 'stats'), 'evicted_keys');
  if (held !== keys || evicted > 0)
    throw new Error(`${held} of ${keys} keys are there, ${evicted} were evicted: more memory, or fewer keys`);
}

function rowsOf(result: Result): string[][] {
  const { server, ratePerSecond, without, during, snapshotSeconds, sharesWithin } = result;
  const common = (name: string, reports: readonly OpenLoopReport[]): string[] => [
    server,
    (ratePerSecond / 1000).toFixed(0),
    name,
    ...(['p50Ms', 'p99Ms', 'p999Ms'] as const).map((field) => spreadText(spreadIn(reports, field), 1, 3)),
    spreadIn(reports, 'maxMs').max.toFixed(1),
    ...(['lateP50Ms', 'lateP999Ms'] as const).map((field) => spreadIn(reports, field).median.toFixed(3)),
  ];
  return [
    [...common('without', without), '0', '-', '-'],
    [
      ...common('during', during),
      String(snapshotSeconds.length),
      spreadText(spreadOf(snapshotSeconds), 1, 2),
      percentText(spreadOf(sharesWithin).median),
    ],
  ];
}

function resultRows(result: Result, fileSystem: string): ResultRow[] {
  const { server, peakPerSecond, ratePerSecond, precedence, without, during } = result;
  const rowOf = (
    bgsave: string,
    reports: readonly OpenLoopReport[],
    shares: readonly number[],
    seconds: readonly number[],
  ) => ({
    ...{ set: 'snapshot', server, bgsave, fileSystem, peakPerSecond, ratePerSecond, precedence },
    ...Object.fromEntries(REPORT_FIELDS.map((field) => [field, spreadIn(reports, field)])),
    shareWithin: spreadOf(shares),
    snapshotSeconds: spreadOf(seconds),
  });
  return [
    rowOf('without', without, [0], [0]),
    rowOf('during', during, result.sharesWithin, result.snapshotSeconds),
  ];
}

function ratioLine({ server, without, during }: Result): string {
  const [base, within] = [without, during].map((reports) => spreadIn(reports, 'p999Ms'));
  const byRound = spreadOf(during.map(({ p999Ms }, round) => p999Ms / without[round].p999Ms));
  const ratio = (within.median / base.median).toFixed(2);
  return `- ${server}: p99.9 during BGSAVE is ${ratio}x that without (${byRound.min.toFixed(2)}x-${byRound.max.toFixed(2)}x by round)\n`;
}

function spreadIn(reports: readonly OpenLoopReport[], field: keyof OpenLoopReport): Spread {
  return spreadOf(reports.map((report) => report[field]));
}
