/**
 * Runs of a cluster under faults: clients work while a schedule of faults befalls it; then what they were told is judged.
 */
import { performance } from 'node:perf_hooks';
import type { TestCluster } from '../cluster.ts';
import { createRandom } from '../seeded-random.ts';
import { countLostBallast, writeBallast } from './ballast.ts';
import { type CheckOptions, checkHistory, type Verdict } from './check.ts';
import { type ClientNode, startClients } from './clients.ts';
import { befall, type FaultReport, type FaultWorld } from './faults.ts';
import type { Network } from './network.ts';
import { type Owners, watchOwners } from './owners.ts';
import type { Schedule } from './schedule.ts';
import { type Shoppers, startShoppers } from './shoppers.ts';

/** A cluster that is whole, and its watchers. */
export type Stage = {
  readonly cluster: TestCluster;
  readonly network: Network | undefined;
  readonly owners: Owners;
  readonly ids: Map<number, string>;
  readonly ballastKeys: number;
  readonly isForwarded: boolean;
};

export type StageOptions = {
  readonly cluster: TestCluster;
  readonly network?: Network;
  readonly ballastKeys: number;
  readonly isForwarded: boolean;
};

export type RunOptions = {
  readonly writers: number;
  readonly readers: number;
  /** A library's client beside the others, whose every request must succeed in the end. */
  readonly hasShoppers: boolean;
  readonly nodeTimeoutMs: number;
  readonly etcdDownMs: number;
  /** Beyond the timeout a node is away for so long, so that others have taken over before it is back. */
  readonly awayExtraMs: number;
  /** How long clients work before the first fault, and behind the last. */
  readonly calmMs: number;
};

export type RunReport = {
  readonly schedule: Schedule;
  readonly faults: readonly FaultReport[];
  readonly verdict: Verdict;
  /** Whatever is wrong, in words: the judge's findings, and what is not the history's business. */
  readonly problems: readonly string[];
  readonly errors: Readonly<Record<string, number>>;
  readonly requestsOfLibrary: number;
  readonly tookMs: number;
};

const CLUSTER_NAME = 'test';
const CHECK: CheckOptions = { heardWithinMs: 2_000, replyWithinMs: 1_000 };
/** Promised are five seconds; what is lost behind that has another cause than the lease. */
const WRITABLE_MS_MAX = 5_000;
const LEARN_MS = 1_000;

const nowMs = () => performance.now();

/** Fills the cluster and watches it. */
export async function setStage(options: StageOptions): Promise<Stage> {
  const { cluster, network, ballastKeys, isForwarded } = options;
  const owners = await watchOwners(cluster.etcd.urls, CLUSTER_NAME, nowMs);
  const stage = { cluster, network, owners, ids: new Map(), ballastKeys, isForwarded };
  await learnIds(stage);
  await writeBallast(clientNodes(stage), ballastKeys);
  return stage;
}

/** The cluster is whole before and, where no problem says otherwise, after it. */
export async function runSchedule(stage: Stage, schedule: Schedule, options: RunOptions): Promise<RunReport> {
  const startMs = nowMs();
  const random = createRandom(schedule.seed);
  const { cluster, owners, network } = stage;
  const world: FaultWorld = { cluster, owners, network, random, nowMs, ...options };
  const clients = startClients({
    random: createRandom(schedule.seed + 1),
    nowMs,
    nodes: () => clientNodes(stage),
    isForwarded: stage.isForwarded,
    writers: options.writers,
    readers: options.readers,
    prefix: `run${schedule.seed}`,
  });
  const shoppers = options.hasShoppers ? startShoppers(clientNodes(stage)) : undefined;
  const problems: string[] = [];
  const faults: FaultReport[] = [];
  const learning = setInterval(() => void learnIds(stage), LEARN_MS);
  try {
    await pause(options.calmMs);
    for (const kind of schedule.faults) faults.push(await befall(world, kind));
    await pause(options.calmMs);
  } catch (error) {
    problems.push((error as Error).message);
  }
  clearInterval(learning);
  await clients.finish();
  const requestsOfLibrary = await finishShoppers(shoppers, problems);
  problems.push(...clients.problems, ...(await problemsOfStage(stage)), ...slowFaults(faults));
  const { appends, readings } = clients;
  const verdict = checkHistory({ appends, readings, changesOf: owners.changesOf }, CHECK);
  problems.push(...verdict.findings.map(({ kind, key, text }) => `${kind}: ${key}: ${text}`));
  const errors = Object.fromEntries(clients.errors);
  return { schedule, faults, verdict, problems, errors, requestsOfLibrary, tookMs: nowMs() - startMs };
}

async function problemsOfStage({ cluster, owners, ballastKeys, ids }: Stage): Promise<string[]> {
  const watching = owners.problem();
  const problems = watching === undefined ? [] : [watching];
  try {
    const lost = await countLostBallast(clientNodes({ cluster, ids }), ballastKeys);
    if (lost > 0) problems.push(`${lost} of ${ballastKeys} keys that were there before are lost`);
  } catch (error) {
    problems.push(`the keys that were there before: ${(error as Error).message}`);
  }
  return problems;
}

async function finishShoppers(shoppers: Shoppers | undefined, problems: string[]): Promise<number> {
  if (shoppers === undefined) return 0;
  const { requests, failures } = await shoppers.finish();
  for (const failure of failures.slice(0, 3))
    problems.push(`a request of a library's client failed: ${failure}`);
  return requests;
}

function slowFaults(faults: readonly FaultReport[]): string[] {
  return faults
    .filter(({ writableMs = 0 }) => writableMs > WRITABLE_MS_MAX)
    .map(
      ({ kind, victim, writableMs = 0 }) =>
        `${kind} of ${victim}: writes again after ${writableMs.toFixed(0)} ms, promised are ${WRITABLE_MS_MAX}`,
    );
}

function clientNodes({ cluster, ids }: Pick<Stage, 'cluster' | 'ids'>): ClientNode[] {
  return cluster.nodes.flatMap(({ host, port, program }) => {
    const id = ids.get(port);
    return id === undefined || !program.isRunning() ? [] : [{ host, port, id }];
  });
}

async function learnIds({ cluster, ids }: Pick<Stage, 'cluster' | 'ids'>): Promise<void> {
  for (const node of cluster.nodes) {
    if (ids.has(node.port) || !node.program.isRunning()) continue;
    const id = await node.ask('CLUSTER', 'MYID').catch(() => '');
    if (/^[0-9a-f]{40}$/.test(id)) ids.set(node.port, id);
  }
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
