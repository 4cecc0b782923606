/**
 * `npm run bench:cluster`: what a cluster of three nodes on this machine does. `--only forward` measures what is named. All log with
 * `appendfsync everysec`.
 *
 *   forward  SET and GET to the owner, through another node, and over all slots through one node
 *   peers    redis-benchmark --cluster: three nodes beside three redis-servers in cluster mode
 *   lag      how long WAIT 1 takes behind a write, alone and under writes as fast as they come; redis-server with one replica beside it
 *   moves    a fourth node joins: slots and keys a second, and the latency of clients before and meanwhile
 */
import { type LagRow, measureLag } from './support/cluster-lag.ts';
import { measureMoves } from './support/cluster-moves.ts';
import { startOurs, startRedisCluster, startRedisPair } from './support/cluster-servers.ts';
import {
  measureCluster,
  measureForwarding,
  type ThroughputRow,
  tagOf,
} from './support/cluster-throughput.ts';
import { describeMachine, machineText } from './support/machine.ts';
import { type Column, markdownTable, spreadText } from './support/markdown.ts';
import { type Options, parseNameList, runBenchmark } from './support/options.ts';
import { ourPeer, redisPeer } from './support/peers.ts';
import { type ResultRow, writeResult } from './support/result.ts';

/** `requests`: of one run at P=1. `keys`: that are there when a node joins. `workers`: of each node. */
const DEFAULTS = {
  only: '',
  rounds: 3,
  requests: 60_000,
  clients: 50,
  seconds: 5,
  keys: 200_000,
  workers: 1,
  quick: false,
  json: '',
};
const QUICK = { rounds: 1, requests: 3_000, seconds: 1, keys: 10_000 };
const PIPELINES = [1, 16];
const LAG_PIPELINE = 16;

type ClusterOptions = Options<typeof DEFAULTS>;
type Section = { readonly text: string; readonly rows: readonly ResultRow[] };

const SECTIONS = {
  forward: forwardSection,
  peers: peersSection,
  lag: lagSection,
  moves: movesSection,
} as const satisfies Record<string, (options: ClusterOptions) => Promise<Section>>;

await runBenchmark(DEFAULTS, main);

async function main(given: ClusterOptions): Promise<void> {
  const options = given.quick ? { ...given, ...QUICK } : given;
  const names = parseNameList('only', options.only, Object.keys(SECTIONS) as (keyof typeof SECTIONS)[]);
  const machine = describeMachine([redisPeer(), ourPeer()].map(({ version }) => version));
  process.stdout.write(machineText(machine));
  const rows: ResultRow[] = [];
  for (const name of names) {
    const section = await SECTIONS[name](options);
    process.stdout.write(`\n${section.text}`);
    rows.push(...section.rows);
  }
  process.stdout.write(`\nMedian (least-largest) of ${options.rounds} rounds; lag and moves: one run.\n`);
  writeResult(options.json, { name: 'bench:cluster', machine, options, rows });
}

async function forwardSection(options: ClusterOptions): Promise<Section> {
  const ours = await startOurs(1, options.workers);
  try {
    return throughputSection('forward', await measureForwarding(ours, { ...options, pipelines: PIPELINES }));
  } finally {
    await ours.stop();
  }
}

async function peersSection(options: ClusterOptions): Promise<Section> {
  const rows: ThroughputRow[] = [];
  const starts = [
    startRedisCluster,
    () => startOurs(0, options.workers),
    () => startOurs(1, options.workers),
  ];
  for (const start of starts) {
    const cluster = await start();
    try {
      rows.push(...(await measureCluster(cluster, { ...options, pipelines: PIPELINES })));
    } finally {
      await cluster.stop();
    }
  }
  return throughputSection('peers', rows);
}

function throughputSection(set: string, rows: readonly ThroughputRow[]): Section {
  const columns: Column[] = [
    { heading: 'servers', align: 'left' },
    { heading: 'way', align: 'left' },
    { heading: 'command', align: 'left' },
    { heading: 'P', align: 'right' },
    { heading: 'thousand/s', align: 'right' },
    { heading: 'p50 ms', align: 'right' },
    { heading: 'p99 ms', align: 'right' },
    { heading: 'CPU us each, all nodes', align: 'right' },
  ];
  const cells = rows.map(({ server, way, command, pipeline, perSecond, p50Ms, p99Ms, cpuUs }) => [
    server,
    way,
    command,
    String(pipeline),
    spreadText(perSecond, 1000, 1),
    p50Ms.median.toFixed(2),
    p99Ms.median.toFixed(2),
    spreadText(cpuUs, 1, 2),
  ]);
  return { text: markdownTable(columns, cells), rows: rows.map((row) => ({ set, ...row })) };
}

async function lagSection({ clients, seconds, workers }: ClusterOptions): Promise<Section> {
  const load = { clients, pipeline: LAG_PIPELINE, seconds };
  const rows: LagRow[] = [];
  const redis = await startRedisPair();
  try {
    rows.push(...(await measureLag(redis, 'lag', load)));
  } finally {
    await redis.stop();
  }
  const ours = await startOurs(1, workers);
  try {
    rows.push(...(await measureLag(ours, await tagOf(ours.ports[0]), load)));
  } finally {
    await ours.stop();
  }
  const columns: Column[] = [
    { heading: 'WAIT 1 at', align: 'left' },
    { heading: 'load', align: 'left' },
    { heading: 'thousand writes/s', align: 'right' },
    { heading: 'p50 ms', align: 'right' },
    { heading: 'p99 ms', align: 'right' },
    { heading: 'most ms', align: 'right' },
  ];
  const cells = rows.map((row) => [
    row.server,
    row.load,
    (row.loadPerSecond / 1000).toFixed(1),
    ...[row.p50Ms, row.p99Ms, row.maxMs].map((ms) => ms.toFixed(2)),
  ]);
  return { text: markdownTable(columns, cells), rows: rows.map((row) => ({ set: 'lag', ...row })) };
}

async function movesSection({ keys, workers }: ClusterOptions): Promise<Section> {
  const ours = await startOurs(1, workers);
  try {
    const { before, during, ...figures } = await measureMoves(ours.cluster, keys);
    const columns: Column[] = [
      { heading: 'keys', align: 'right' },
      { heading: 'slots moved', align: 'right' },
      { heading: 'seconds', align: 'right' },
      { heading: 'slots/s', align: 'right' },
      { heading: 'thousand keys/s', align: 'right' },
      { heading: 'p99 ms before', align: 'right' },
      { heading: 'p99 ms meanwhile', align: 'right' },
      { heading: 'most ms', align: 'right' },
    ];
    const cells = [
      String(figures.keys),
      String(figures.slots),
      figures.seconds.toFixed(2),
      figures.slotsPerSecond.toFixed(0),
      (figures.keysPerSecond / 1000).toFixed(1),
      before.p99Ms.toFixed(2),
      during.p99Ms.toFixed(2),
      during.maxMs.toFixed(2),
    ];
    const row = {
      ...{ set: 'moves', ...figures },
      ...{ beforeP99Ms: before.p99Ms, duringP99Ms: during.p99Ms, duringMaxMs: during.maxMs },
    };
    return { text: markdownTable(columns, [cells]), rows: [row] };
  } finally {
    await ours.stop();
  }
}
