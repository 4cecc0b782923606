/**
 * The faults: each befalls a cluster, is healed after its time, and tells how long its victim's slots could not be written.
 */
import type { TestCluster } from '../cluster.ts';
import type { Node } from '../cluster-node.ts';
import { type Callers, callFrom, closeCallers } from '../node-call.ts';
import type { Random } from '../seeded-random.ts';
import { until } from '../until.ts';
import type { Cut, Network } from './network.ts';
import type { Owners } from './owners.ts';
import type { FaultKind } from './schedule.ts';

export type FaultWorld = {
  readonly cluster: TestCluster;
  readonly owners: Owners;
  readonly network: Network | undefined;
  readonly random: Random;
  readonly nowMs: () => number;
  /** After so long a node that is not heard of has lost its slots, at the latest. */
  readonly nodeTimeoutMs: number;
  readonly etcdDownMs: number;
  /** A node is away for so long beyond the timeout. */
  readonly awayExtraMs: number;
};

export type FaultReport = {
  readonly kind: FaultKind;
  readonly victim: string;
  /** From the fault until a slot that was the victim's took a write again, through another node; undefined where none is due. */
  readonly writableMs: number | undefined;
  /** Until all was well again. */
  readonly tookMs: number;
};

type Fault = (world: FaultWorld) => Promise<Pick<FaultReport, 'victim' | 'writableMs'>>;

const HEALED_MS_MAX = 60_000;
const WRITABLE_MS_MAX = 20_000;
const TRY_MS_MAX = 400;
const ETCD_LEADER_AWAY_MS = 4_000;
const PROBE_KEYS_MAX = 100_000;

const FAULTS: Readonly<Record<FaultKind, Fault>> = {
  'kill-owner': (world) => killNode(world, chooseNode(world)),
  'kill-coordinator': (world) => killNode(world, coordinatorOf(world)),
  'pause-owner': pauseNode,
  'kill-etcd-leader': killEtcdLeader,
  'etcd-down': stopEtcd,
  'cut-all': (world) => cutNode(world, 'all'),
  'cut-out': (world) => cutNode(world, 'out'),
  'cut-in': (world) => cutNode(world, 'in'),
  'rolling-restart': restartAll,
  'join-and-leave': joinAndLeave,
};

/** Rejects when the cluster has not recovered in time. */
export async function befall(world: FaultWorld, kind: FaultKind): Promise<FaultReport> {
  const startMs = world.nowMs();
  const told = await FAULTS[kind](world);
  await world.cluster.ready(HEALED_MS_MAX);
  return { kind, ...told, tookMs: world.nowMs() - startMs };
}

async function killNode(world: FaultWorld, node: Node) {
  const awaitWrite = watchWrites(world, node);
  await node.program.kill();
  const writableMs = await awaitWrite();
  await pause(world.random(world.awayExtraMs));
  node.program.start();
  return { victim: node.name, writableMs };
}

async function pauseNode(world: FaultWorld) {
  const node = chooseNode(world);
  const awaitWrite = watchWrites(world, node);
  node.program.pause();
  const [writableMs] = await Promise.all([awaitWrite(), pause(world.nodeTimeoutMs + world.awayExtraMs)]);
  node.program.resume();
  return { victim: node.name, writableMs };
}

async function killEtcdLeader({ cluster }: FaultWorld) {
  const leader = (await cluster.etcd.leader()) ?? cluster.etcd.members[0];
  await leader.program.kill();
  await pause(ETCD_LEADER_AWAY_MS);
  leader.program.start();
  return { victim: leader.program.name, writableMs: undefined };
}

/** Nodes serve on until their leases end, refuse then, and serve again when etcd is back. */
async function stopEtcd(world: FaultWorld) {
  const { etcd } = world.cluster;
  await Promise.all(etcd.members.map(({ program }) => program.kill()));
  await pause(world.etcdDownMs);
  const awaitWrite = watchWrites(world, chooseNode(world));
  for (const { program } of etcd.members) program.start();
  return { victim: 'etcd', writableMs: await awaitWrite() };
}

async function cutNode(world: FaultWorld, cut: Cut) {
  const { network, cluster } = world;
  if (network === undefined) throw new Error('there is no network to cut');
  const node = chooseNode(world);
  const index = cluster.nodes.indexOf(node);
  const awaitWrite = watchWrites(world, node);
  network.cut(index, cut);
  try {
    // Who still reaches etcd keeps its slots.
    const writing = cut === 'in' ? Promise.resolve(undefined) : awaitWrite();
    const [writableMs] = await Promise.all([writing, pause(world.nodeTimeoutMs + world.awayExtraMs)]);
    return { victim: node.name, writableMs };
  } finally {
    network.heal(index);
  }
}

async function restartAll({ cluster }: FaultWorld) {
  for (const node of running(cluster)) {
    await node.program.stop();
    node.program.start();
    await cluster.ready(HEALED_MS_MAX);
  }
  return { victim: 'each node', writableMs: undefined };
}

async function joinAndLeave({ cluster }: FaultWorld) {
  // One that has left before joins again.
  const node = cluster.nodes.find(({ program }) => !program.isRunning()) ?? (await cluster.add());
  node.program.start();
  await cluster.ready(HEALED_MS_MAX);
  await leave(node);
  await node.program.stop();
  return { victim: node.name, writableMs: undefined };
}

/** Asks a node to give its slots away, and resolves when it has none. */
async function leave(node: Node): Promise<void> {
  const reply = await node.ask('CLUSTER', 'LEAVE');
  if (reply.startsWith('-')) throw new Error(`${node.name} does not leave: ${reply}`);
  await until(async () => (await ownedSlots(node)) === 0, {
    msMax: HEALED_MS_MAX,
    what: () => `${node.name} still has slots`,
  });
}

/** How many slots a node says that it owns. */
export async function ownedSlots(node: Node): Promise<number> {
  const lines = (await node.ask('CLUSTER', 'NODES')).split('\n');
  const fields =
    lines
      .find((line) => line.includes('myself'))
      ?.trim()
      .split(' ')
      .slice(8) ?? [];
  return fields
    .filter((field) => /^\d/.test(field))
    .map((field) => field.split('-').map(Number))
    .reduce((sum, [first, last = first]) => sum + last - first + 1, 0);
}

/** What resolves to the time from now until a slot of the node's takes a write, through the others, who may have to send us to it. */
function watchWrites(world: FaultWorld, node: Node): () => Promise<number> {
  const { cluster, nowMs } = world;
  const key = keyOf(world, node);
  const startMs = nowMs();
  const others = running(cluster).filter((other) => other !== node);
  let turn = 0;
  return async () => {
    await until(
      async () => {
        turn += 1;
        return await takesWrite(running(cluster), others[turn % others.length], key);
      },
      { msMax: WRITABLE_MS_MAX, what: () => `the slots of ${node.name} cannot be written` },
    );
    return nowMs() - startMs;
  };
}

async function takesWrite(nodes: readonly Node[], node: Node, key: string): Promise<boolean> {
  const callers: Callers = new Map();
  try {
    const { reply } = await callFrom(callers, nodes, node, ['SET', key, 'probed'], TRY_MS_MAX);
    return reply === '+OK';
  } catch {
    return false;
  } finally {
    closeCallers(callers);
  }
}

/** A key in one of the node's slots. */
function keyOf({ owners, random }: FaultWorld, { name, port }: Node): string {
  for (let i = 0; i < PROBE_KEYS_MAX; i += 1) {
    const key = `probe:${random(1e9)}`;
    if (owners.portOf(key) === port) return key;
  }
  throw new Error(`${name} owns no slot`);
}

function chooseNode({ cluster, random }: FaultWorld): Node {
  const nodes = running(cluster);
  return nodes[random(nodes.length)];
}

function coordinatorOf(world: FaultWorld): Node {
  const port = world.owners.coordinatorPort();
  return running(world.cluster).find((node) => node.port === port) ?? chooseNode(world);
}

function running({ nodes }: TestCluster): Node[] {
  return nodes.filter(({ program }) => program.isRunning());
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
