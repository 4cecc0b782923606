/**
 * `npm run bench`: this server beside redis-server (and valkey-server, where installed), driven by redis-benchmark with GET
 * and SET of 64-byte values over 100,000 preloaded keys from 50 connections. The servers run one after the other, round
 * by round (A B A B), all without persistence and else at their defaults; one more row set has our server with
 * `--workers 1`.
 */
import { ask, requestText, sendMany } from './support/client.ts';
import { describeMachine, machineText } from './support/machine.ts';
import { type Column, markdownTable, spreadText } from './support/markdown.ts';
import { type Options, parseNumberList, runBenchmark, tellProgress, writeJson } from './support/options.ts';
import {
  ourPeer,
  type Peer,
  type RunningPeer,
  redisPeer,
  requireProgram,
  valkeyPeers,
  withPeer,
} from './support/peers.ts';
import { cpuSecondsOf } from './support/proc.ts';
import { runRedisBenchmark } from './support/redis-benchmark.ts';
import { infoNumber } from './support/server-text.ts';
import { ratioText, type Spread, spreadOf } from './support/statistics.ts';

/** `workers` and `requests` 0: the server's default, and as many as take some seconds at each depth. */
const DEFAULTS = {
  workers: 0,
  rounds: 3,
  requests: 0,
  clients: 50,
  pipeline: '1,16,64',
  'generator-threads': 1,
  quick: false,
  json: '',
};

const KEYS = 100_000;
const VALUE = 'x'.repeat(64);
const KEY_DIGITS = 12;
const COMMANDS = { GET: ['GET', 'key:__rand_int__'], SET: ['SET', 'key:__rand_int__', VALUE] } as const;

const REQUESTS_BY_SECONDS = 250_000;
const REQUESTS_MAX = 4_000_000;
const QUICK_REQUESTS = 20_000;
/** Before the first measured run of a started server, at each depth: both commands, so that its code is compiled. */
const WARM_UP_REQUESTS = 100_000;

const SECONDS_TO_US = 1e6;

const COLUMNS: readonly Column[] = [
  { heading: 'command', align: 'left' },
  { heading: 'P', align: 'right' },
  { heading: 'server', align: 'left' },
  { heading: 'thousand/s', align: 'right' },
  { heading: 'p50 ms', align: 'right' },
  { heading: 'p99 ms', align: 'right' },
  { heading: 'CPU us/op', align: 'right' },
  { heading: 'throughput to redis-server', align: 'left' },
  { heading: 'CPU to redis-server', align: 'left' },
];

type PeersOptions = Options<typeof DEFAULTS>;

/** What the load looks like: one cell of the comparison. */
type Load = { command: keyof typeof COMMANDS; pipeline: number; requests: number };

/** What one run of one load measured. */
type Measured = { requestsPerSecond: number; p50Ms: number; p99Ms: number; cpuUs: number };

type Row = Load & { server: string } & Record<keyof Measured, Spread>;

await runBenchmark(DEFAULTS, main);

async function main(options: PeersOptions): Promise<void> {
  const program = requireProgram('redis-benchmark');
  const peers = peersOf(options);
  const loads = loadsOf(options);
  const rounds: Measured[][][] = [];
  for (let round = 0; round < options.rounds; round += 1) {
    const byPeer: Measured[][] = [];
    for (const peer of peers) {
      tellProgress(`round ${round + 1} of ${options.rounds}: ${peer.name}`);
      byPeer.push(await withPeer(peer, (running) => measureLoads(program, running, loads, options)));
    }
    rounds.push(byPeer);
  }
  const rows = loads.flatMap((load, cell) =>
    peers.map((peer, index) =>
      rowOf(
        load,
        peer,
        rounds.map((round) => round[index][cell]),
      ),
    ),
  );
  const machine = describeMachine(
    peers.map(({ version }) => version).filter((version, index, all) => all.indexOf(version) === index),
  );
  process.stdout.write(
    `${machineText(machine)}${markdownTable(
      COLUMNS,
      rows.map((row) => cellsOf(row, rows)),
    )}`,
  );
  process.stdout.write(
    `\nMedian (least-largest) of ${options.rounds} rounds; "not distinguishable" where the spreads overlap.\n`,
  );
  writeJson(options.json, { machine, options, rows });
}

/** redis-server first: it is what the others are compared with. */
function peersOf({ workers }: PeersOptions): Peer[] {
  const ours =
    workers === 0 ? ourPeer() : ourPeer(['--workers', String(workers)], `distcache --workers ${workers}`);
  const single = workers === 1 ? [] : [ourPeer(['--workers', '1'], 'distcache --workers 1')];
  return [redisPeer(), ours, ...single, ...valkeyPeers()];
}

function loadsOf({ pipeline, requests, quick }: PeersOptions): Load[] {
  return parseNumberList('pipeline', pipeline).flatMap((depth) => {
    const byDepth = Math.min(REQUESTS_MAX, REQUESTS_BY_SECONDS * depth);
    const count = requests || (quick ? QUICK_REQUESTS : byDepth);
    return (['GET', 'SET'] as const).map((command) => ({ command, pipeline: depth, requests: count }));
  });
}

async function measureLoads(
  program: string,
  running: RunningPeer,
  loads: readonly Load[],
  options: PeersOptions,
): Promise<Measured[]> {
  await preload(running.port);
  const warmUp = options.quick ? QUICK_REQUESTS : WARM_UP_REQUESTS;
  for (const load of loads) await measure(program, running, { ...load, requests: warmUp }, options);
  const results: Measured[] = [];
  for (const load of loads) results.push(await measure(program, running, load, options));
  const misses = infoNumber(await ask(running.port, 'INFO', 'stats'), 'keyspace_misses');
  if (misses > 0) throw new Error(`${misses} GETs missed: the numbers would not compare`);
  return results;
}

async function measure(
  program: string,
  { port, pid }: RunningPeer,
  load: Load,
  options: PeersOptions,
): Promise<Measured> {
  const { clients, 'generator-threads': threads } = options;
  const { requests, pipeline } = load;
  const cpuBefore = cpuSecondsOf(pid);
  const result = await runRedisBenchmark({
    program,
    port,
    requests,
    pipeline,
    clients,
    threads,
    keys: KEYS,
    command: COMMANDS[load.command],
  });
  return { ...result, cpuUs: ((cpuSecondsOf(pid) - cpuBefore) * SECONDS_TO_US) / requests };
}

/** Every key that redis-benchmark will draw, so that each GET is a hit. */
async function preload(port: number): Promise<void> {
  await sendMany(port, KEYS, (target, at, index) => {
    const key = `key:${String(index).padStart(KEY_DIGITS, '0')}`;
    return at + target.write(requestText(['SET', key, VALUE]), at, 'latin1');
  });
}

function rowOf(load: Load, peer: Peer, runs: readonly Measured[]): Row {
  const spread = (field: keyof Measured): Spread => spreadOf(runs.map((run) => run[field]));
  return {
    ...load,
    server: peer.name,
    requestsPerSecond: spread('requestsPerSecond'),
    p50Ms: spread('p50Ms'),
    p99Ms: spread('p99Ms'),
    cpuUs: spread('cpuUs'),
  };
}

function cellsOf(row: Row, rows: readonly Row[]): string[] {
  const base = rows.find(
    ({ command, pipeline, server }) =>
      command === row.command && pipeline === row.pipeline && server === 'redis-server',
  );
  const isBase = base === undefined || base === row;
  return [
    row.command,
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
