/** A fourth node joins three that are full and busy: how fast its share comes to it, and what clients notice. */
import { performance } from 'node:perf_hooks';
import { setTimeout as sleep } from 'node:timers/promises';
import type { TestCluster } from '../../test/support/cluster.ts';
import { writeBallast } from '../../test/support/cluster-faults/ballast.ts';
import { ownedSlots } from '../../test/support/cluster-faults/faults.ts';
import { watchOwners } from '../../test/support/cluster-faults/owners.ts';
import { askOver, openClient } from './client.ts';
import { quantileOf } from './statistics.ts';

export type MovesRow = {
  readonly server: string;
  readonly keys: number;
  readonly slots: number;
  readonly seconds: number;
  readonly slotsPerSecond: number;
  readonly keysPerSecond: number;
  readonly before: Latencies;
  readonly during: Latencies;
};

type Latencies = {
  readonly requests: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly maxMs: number;
};

const CLIENTS = 4;
const CALM_MS = 4_000;
const STILL_MS = 1_500;
const LOOK_MS = 20;
const MS_PER_SECOND = 1000;
const SLOTS = 16_384;

/** The cluster is one node larger afterwards. */
export async function measureMoves(cluster: TestCluster, keys: number): Promise<MovesRow> {
  const nowMs = () => performance.now();
  const [first] = cluster.nodes;
  await writeBallast(cluster.nodes, keys);
  const owners = await watchOwners(cluster.etcd.urls, 'test', nowMs);
  const probe = startProbe(first.port, keys);
  await sleep(CALM_MS);
  const before = probe.take();
  const node = await cluster.add();
  while (!owners.isMoving()) await sleep(LOOK_MS);
  const startMs = nowMs();
  let endMs = startMs;
  probe.take();
  while (nowMs() - endMs < STILL_MS) {
    if (owners.isMoving()) endMs = nowMs();
    await sleep(LOOK_MS);
  }
  const during = probe.take();
  await probe.stop();
  owners.stop();
  const slots = await ownedSlots(node);
  const seconds = (endMs - startMs) / MS_PER_SECOND;
  const slotsPerSecond = slots / seconds;
  const keysPerSecond = (keys * slots) / SLOTS / seconds;
  const server = 'distcache, 1 replica';
  return { server, keys, slots, seconds, slotsPerSecond, keysPerSecond, before, during };
}

/** Clients that write and read any keys through one node, one request at a time each. */
function startProbe(port: number, keys: number) {
  let latencies: number[] = [];
  let isDone = false;
  const client = async (number: number) => {
    const socket = await openClient(port);
    for (let i = number; !isDone; i += CLIENTS) {
      const startMs = performance.now();
      await askOver(
        socket,
        ...(i % 2 === 0 ? ['GET', `ballast:${i % keys}`] : ['SET', `probe:${i % keys}`, 'x']),
      );
      latencies.push(performance.now() - startMs);
      if (i % 16 === 0) await sleep(1);
    }
    socket.destroy();
  };
  const clients = Array.from({ length: CLIENTS }, (_, number) => client(number));
  const take = (): Latencies => {
    const taken = latencies;
    latencies = [];
    return {
      requests: taken.length,
      p50Ms: quantileOf(taken, 0.5),
      p99Ms: quantileOf(taken, 0.99),
      maxMs: taken.reduce((most, latency) => Math.max(most, latency), 0),
    };
  };
  const stop = async () => {
    isDone = true;
    await Promise.all(clients);
  };
  return { take, stop };
}
