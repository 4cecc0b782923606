/**
 * How far replicas are behind, under load: how long WAIT takes right behind a write until one has it, while redis-benchmark writes
 * to the same owner as fast as it can.
 */
import { performance } from 'node:perf_hooks';
import { setTimeout as sleep } from 'node:timers/promises';
import { askOver, openClient } from './client.ts';
import type { BenchCluster } from './cluster-servers.ts';
import { requireProgram } from './peers.ts';
import { runRedisBenchmark } from './redis-benchmark.ts';
import { quantileOf } from './statistics.ts';

export type LagLoad = { readonly clients: number; readonly pipeline: number; readonly seconds: number };

export type LagRow = {
  readonly server: string;
  readonly load: string;
  readonly loadPerSecond: number;
  readonly samples: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly maxMs: number;
};

const WAIT_MS = 10_000;
const PAUSE_MS = 1;
const MS_PER_SECOND = 1000;
/** More than can be written in the time. */
const REQUESTS_PER_SECOND_MAX = 1_000_000;
const VALUE = 'x'.repeat(64);

/** Of the first node, which owns the slot of the hash tag: without load, and under it. */
export async function measureLag(cluster: BenchCluster, tag: string, load: LagLoad): Promise<LagRow[]> {
  const [port] = cluster.ports;
  const name = { server: cluster.name };
  const calm = await sample(port, tag, load.seconds);
  const loading = writeFor(port, tag, load);
  await sleep(MS_PER_SECOND / 2);
  const busy = await sample(port, tag, load.seconds);
  const loadPerSecond = await loading;
  return [
    { ...name, load: 'none', loadPerSecond: 0, ...figuresOf(calm) },
    { ...name, load: `SET, ${load.clients} clients, P=${load.pipeline}`, loadPerSecond, ...figuresOf(busy) },
  ];
}

async function sample(port: number, tag: string, seconds: number): Promise<number[]> {
  const socket = await openClient(port);
  const latencies: number[] = [];
  const endMs = performance.now() + seconds * MS_PER_SECOND;
  try {
    while (performance.now() < endMs) {
      await askOver(socket, 'SET', `{${tag}}:lag`, VALUE);
      const startMs = performance.now();
      const replicas = Number(await askOver(socket, 'WAIT', '1', String(WAIT_MS)));
      if (!(replicas >= 1)) throw new Error(`WAIT answers ${replicas}: there is no replica`);
      latencies.push(performance.now() - startMs);
      await sleep(PAUSE_MS);
    }
  } finally {
    socket.destroy();
  }
  return latencies;
}

/** Resolves to the writes a second. It writes for longer than the samples take. */
async function writeFor(port: number, tag: string, { clients, pipeline, seconds }: LagLoad): Promise<number> {
  const run = {
    program: requireProgram('redis-benchmark'),
    ...{ port, clients, pipeline, keys: 100_000, threads: 1 },
    command: ['SET', `{${tag}}:__rand_int__`, VALUE],
  };
  const trial = await runRedisBenchmark({ ...run, requests: REQUESTS_PER_SECOND_MAX / 20 });
  const { requestsPerSecond } = await runRedisBenchmark({
    ...run,
    requests: Math.ceil(trial.requestsPerSecond * (seconds + 1)),
  });
  return requestsPerSecond;
}

function figuresOf(latencies: readonly number[]) {
  return {
    samples: latencies.length,
    p50Ms: quantileOf(latencies, 0.5),
    p99Ms: quantileOf(latencies, 0.99),
    maxMs: Math.max(...latencies),
  };
}
