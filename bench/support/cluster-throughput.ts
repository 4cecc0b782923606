/** What a cluster takes: through the owner, through another node that forwards, and from redis-benchmark that knows the owners. */
import { Buffer } from 'node:buffer';
import { slotOfKey } from '../../src/routing/slot.ts';
import { ask } from './client.ts';
import type { BenchCluster } from './cluster-servers.ts';
import { requireProgram } from './peers.ts';
import { cpuSecondsOf } from './proc.ts';
import { runRedisBenchmark } from './redis-benchmark.ts';
import { inRounds } from './rounds.ts';
import { type Spread, spreadOf } from './statistics.ts';

export type ThroughputLoad = {
  readonly clients: number;
  readonly pipelines: readonly number[];
  /** Of one run at P=1; more are on their way at once, and it takes as many times as much. */
  readonly requests: number;
  readonly rounds: number;
};

/** How a command comes to its owner. */
type Way = {
  readonly name: string;
  readonly port: number;
  readonly flags: readonly string[];
  readonly key: string;
};

type Measured = { perSecond: number; p50Ms: number; p99Ms: number; cpuUs: number };

export type ThroughputRow = {
  readonly server: string;
  readonly way: string;
  readonly command: string;
  readonly pipeline: number;
} & Record<keyof Measured, Spread>;

const KEYS = 100_000;
const VALUE = 'x'.repeat(64);
const WARM_UP_SHARE = 0.3;
const US_PER_SECOND = 1e6;
const TAGS_MAX = 100_000;

/** Directly, over another node, and evenly over all of them through one, of which it is the owner of a third. */
export async function measureForwarding(
  cluster: BenchCluster,
  load: ThroughputLoad,
): Promise<ThroughputRow[]> {
  const [own, other] = cluster.ports;
  const key = `{${await tagOf(own)}}:__rand_int__`;
  return measureWays(
    cluster,
    [
      { name: 'to the owner', port: own, flags: [], key },
      { name: 'forwarded', port: other, flags: [], key },
      { name: 'all slots through one node', port: own, flags: [], key: 'key:__rand_int__' },
    ],
    load,
  );
}

/** By a client that knows the owners. */
export function measureCluster(cluster: BenchCluster, load: ThroughputLoad): Promise<ThroughputRow[]> {
  const key = 'key:{tag}:__rand_int__';
  return measureWays(
    cluster,
    [{ name: 'redis-benchmark --cluster', port: cluster.ports[0], flags: ['--cluster'], key }],
    load,
  );
}

async function measureWays(
  cluster: BenchCluster,
  ways: readonly Way[],
  load: ThroughputLoad,
): Promise<ThroughputRow[]> {
  const kinds = load.pipelines.flatMap((pipeline) =>
    ['SET', 'GET'].map((command) => ({ command, pipeline })),
  );
  const results = await inRounds(ways, load.rounds, cluster.name, async (way) => {
    const runs: Measured[] = [];
    for (const { command, pipeline } of kinds) {
      await measureOne(cluster, way, command, pipeline, { ...load, requests: load.requests * WARM_UP_SHARE });
      runs.push(await measureOne(cluster, way, command, pipeline, load));
    }
    return runs;
  });
  return kinds.flatMap((kind, at) =>
    ways.map(({ name }, index) => {
      const spread = (field: keyof Measured) => spreadOf(results[index].map((runs) => runs[at][field]));
      const figures = {
        perSecond: spread('perSecond'),
        p50Ms: spread('p50Ms'),
        p99Ms: spread('p99Ms'),
        cpuUs: spread('cpuUs'),
      };
      return { server: cluster.name, way: name, ...kind, ...figures };
    }),
  );
}

async function measureOne(
  { pids }: BenchCluster,
  { port, flags, key }: Way,
  command: string,
  pipeline: number,
  load: ThroughputLoad,
): Promise<Measured> {
  const requests = Math.ceil(load.requests * pipeline ** 0.5);
  const cpu = () => pids.reduce((sum, pid) => sum + cpuSecondsOf(pid), 0);
  const cpuBefore = cpu();
  const { requestsPerSecond, p50Ms, p99Ms } = await runRedisBenchmark({
    program: requireProgram('redis-benchmark'),
    ...{ port, requests, pipeline, clients: load.clients, keys: KEYS, threads: 1 },
    command: [...flags, command, key, ...(command === 'SET' ? [VALUE] : [])],
  });
  const cpuUs = ((cpu() - cpuBefore) * US_PER_SECOND) / requests;
  return { perSecond: requestsPerSecond, p50Ms, p99Ms, cpuUs };
}

/** A hash tag whose slot the node at this port owns. */
export async function tagOf(port: number): Promise<string> {
  const nodes = await ask(port, 'CLUSTER', 'NODES');
  const own = nodes.split('\n').find((line) => line.includes('myself')) ?? '';
  const ranges = own
    .trim()
    .split(' ')
    .slice(8)
    .filter((field) => /^\d/.test(field))
    .map((field) => field.split('-').map(Number));
  for (let i = 0; i < TAGS_MAX; i += 1) {
    const bytes = Buffer.from(`tag${i}`);
    const slot = slotOfKey(bytes, 0, bytes.length);
    if (ranges.some(([first, last = first]) => slot >= first && slot <= last)) return `tag${i}`;
  }
  throw new Error(`the node at port ${port} owns no slot`);
}
