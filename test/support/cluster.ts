/**
 * A real cluster: etcd and nodes as processes on spare ports, in a temporary folder, until it is removed.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ClusterReading } from '../../src/metrics/cluster-reading.ts';
import { SLOT_COUNT } from '../../src/routing/slot.ts';
import { type ClusterFlags, createNode, type Node, nodeFlags } from './cluster-node.ts';
import { type EtcdServers, startEtcd } from './etcd.ts';
import { freePort } from './redis-server.ts';
import { until } from './until.ts';

export type ClusterOptions = {
  /** 3 by default. */
  readonly nodes?: number;
  /** 1 by default. */
  readonly etcds?: number;
  /** More flags, for all nodes; they win. */
  readonly flags?: readonly string[];
  /** Where the nodes are, by default all at 127.0.0.1 without a launcher. */
  readonly homes?: readonly NodeHome[];
  readonly etcdHost?: string;
};

/** The address of a node, and the command that starts programs there. */
export type NodeHome = { readonly host: string; readonly launcher: readonly string[] };

export type TestCluster = {
  readonly etcd: EtcdServers;
  /** All that were ever added, running or not. */
  readonly nodes: readonly Node[];
  /** Starts one more and waits for nothing. */
  add(): Promise<Node>;
  /** Resolves once all nodes that run serve, all slots have an owner and as many replicas in sync as are wanted. */
  ready(msMax?: number): Promise<void>;
  /** Ends all of it, and removes its data. */
  remove(): Promise<void>;
};

const HOME: NodeHome = { host: '127.0.0.1', launcher: [] };
const READY_MS_MAX = 60_000;
const QUESTION_MS_MAX = 2_000;
const AGAIN_MS = 200;
const OUTPUT_CHARACTERS_TOLD_MAX = 2_000;
/** Of what a node would have if all had the same. */
const LEAST_SHARE = 0.6;
/** Small, and without what costs time at a start. */
const SIZE_FLAGS = [
  ...['--workers', '1', '--maxmemory', '128mb', '--maxmemory-policy', 'noeviction'],
  ...['--rehearsal', 'no', '--save', '', '--repl-backlog-size', '8mb'],
];

/** Resolves when it serves. */
export async function startCluster(options: ClusterOptions = {}): Promise<TestCluster> {
  const { nodes: count = 3, etcds = 1, flags = [], homes = [] } = options;
  const etcd = await startEtcd(etcds, options.etcdHost);
  const folder = mkdtempSync(join(tmpdir(), 'distcache-cluster-'));
  const cluster: ClusterFlags = { name: 'test', etcdUrls: etcd.urls };
  const nodes: Node[] = [];
  const add = async () => {
    const { host, launcher } = homes[nodes.length] ?? HOME;
    const name = `node-${nodes.length + 1}`;
    const place = {
      name,
      host,
      port: await freePort(),
      httpPort: await freePort(),
      folder: join(folder, name),
    };
    const node = createNode(place, [...nodeFlags(place, cluster), ...SIZE_FLAGS, ...flags], { launcher });
    nodes.push(node);
    node.program.start();
    return node;
  };
  const remove = async () => {
    await Promise.all(nodes.map(({ program }) => program.kill()));
    await etcd.remove();
    rmSync(folder, { recursive: true, force: true });
  };
  const ready = (msMax = READY_MS_MAX) => untilClusterReady(nodes, msMax);
  try {
    for (let i = 0; i < count; i += 1) await add();
    await ready();
  } catch (error) {
    await remove();
    throw error;
  }
  return { etcd, nodes, add, ready, remove };
}

/** Resolves once those nodes that run make a cluster that is whole. Rejects with the reason when it takes longer. */
export async function untilClusterReady(nodes: readonly Node[], msMax: number): Promise<void> {
  let reason = '';
  await until(
    async () => {
      reason = await whyNotReady(nodes);
      return reason === '';
    },
    { msMax, what: () => `the cluster is not ready: ${reason}` },
  );
}

/** Twice in a row: between two steps of a plan all is well for some moments. */
async function whyNotReady(nodes: readonly Node[]): Promise<string> {
  const first = await whyNotWhole(nodes);
  if (first !== '') return first;
  await new Promise((resolve) => setTimeout(resolve, AGAIN_MS));
  return whyNotWhole(nodes);
}

async function whyNotWhole(nodes: readonly Node[]): Promise<string> {
  const running = nodes.filter(({ program }) => program.isRunning());
  if (running.length === 0) throw new Error(`no node runs: ${nodes.map(outputOf).join('\n')}`);
  for (const node of running) {
    try {
      const reason = await whyNodeNotReady(node, running.length);
      if (reason !== '') return `${node.name}: ${reason}`;
    } catch (error) {
      return `${node.name}: ${(error as Error).message}; it says: ${outputOf(node)}`;
    }
  }
  return '';
}

function outputOf({ program }: Node): string {
  return program.output().slice(-OUTPUT_CHARACTERS_TOLD_MAX);
}

/** By what the node tells of itself at /v1/cluster. */
async function whyNodeNotReady({ host, httpPort }: Node, running: number): Promise<string> {
  const signal = AbortSignal.timeout(QUESTION_MS_MAX);
  const response = await fetch(`http://${host}:${httpPort}/v1/cluster`, { signal });
  if (!response.ok) return `/v1/cluster answers ${response.status}`;
  const { isServing, coveredSlots, movingSlots, nodes } = (await response.json()) as ClusterReading;
  if (!isServing) return 'it does not serve';
  if (coveredSlots < SLOT_COUNT) return `${coveredSlots} slots are covered`;
  if (movingSlots > 0) return `${movingSlots} slots are moving`;
  const alive = nodes.filter(({ isAlive }) => isAlive);
  if (alive.length !== running) return `${alive.length} nodes are alive`;
  const least = Math.min(...alive.map(({ slots }) => slots));
  if (least < (LEAST_SHARE * SLOT_COUNT) / running) return `a node has but ${least} slots`;
  const replicas = alive.reduce((sum, node) => sum + node.replicas, 0);
  if (running > 1 && replicas % SLOT_COUNT > 0) return `there are ${replicas} replicas of slots`;
  const isBehind = ({ fedSlots, fedWhole, heldSlots, heldWhole }: (typeof nodes)[number]) =>
    fedWhole < fedSlots || heldWhole < heldSlots;
  return alive.some(isBehind) ? 'replicas are not whole' : '';
}
