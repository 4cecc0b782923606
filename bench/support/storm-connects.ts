/** How many short connections a server gets through: connect, one question, close, from several processes at once. */
import { type Child, withChild } from './child.ts';
import { type Column, spreadText } from './markdown.ts';
import { type Peer, type RunningPeer, withPeer } from './peers.ts';
import { cpuSecondsOf } from './proc.ts';
import type { ResultRow } from './result.ts';
import { quantileOf, ratioText, type Spread, spreadOf } from './statistics.ts';
import type { StormPlan, StormReport } from './storm-plan.ts';

/** What one run showed. A failure is a connection that was refused, reset or closed without an answer. */
type Connects = {
  readonly connectsPerSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly cpuUs: number;
  readonly failures: number;
};

type ConnectsSettings = { readonly processes: number; readonly concurrent: number; readonly seconds: number };

/** Of the loopback network, so that a port is not needed again before the kernel has given it back. */
const ADDRESSES_EACH = 8;
const WARM_UP_SHARE = 0.3;
const SECONDS_TO_US = 1e6;
const processFile = new URL('./storm-process.ts', import.meta.url);

export const CONNECTS_COLUMNS: readonly Column[] = [
  { heading: 'server', align: 'left' },
  { heading: 'connections served per second', align: 'right' },
  { heading: 'p50 ms', align: 'right' },
  { heading: 'p99 ms', align: 'right' },
  { heading: 'CPU us each', align: 'right' },
  { heading: 'failed', align: 'right' },
  { heading: 'to redis-server', align: 'left' },
];

export async function measureConnects(peer: Peer, settings: ConnectsSettings): Promise<Connects> {
  return withPeer(peer, (running) =>
    withStorm(peer, running, settings, [], (children) => storm(running, children, settings)),
  );
}

export function connectsRow(
  server: string,
  { processes, concurrent }: ConnectsSettings,
  runs: readonly Connects[],
): ResultRow {
  const spread = (field: keyof Connects): Spread => spreadOf(runs.map((run) => run[field]));
  return {
    set: 'connects',
    server,
    processes,
    concurrent: processes * concurrent,
    connectsPerSecond: spread('connectsPerSecond'),
    p50Ms: spread('p50Ms'),
    p99Ms: spread('p99Ms'),
    cpuUs: spread('cpuUs'),
    failures: runs.reduce((sum, { failures }) => sum + failures, 0),
  };
}

export function connectsCells(row: ResultRow, rows: readonly ResultRow[]): string[] {
  const base = rows.find(({ server }) => server === 'redis-server');
  const speed = row.connectsPerSecond as Spread;
  return [
    row.server,
    spreadText(speed, 1, 0),
    spreadText(row.p50Ms as Spread, 1, 2),
    spreadText(row.p99Ms as Spread, 1, 2),
    spreadText(row.cpuUs as Spread, 1, 1),
    String(row.failures),
    base === undefined || base === row ? '1' : ratioText(speed, base.connectsPerSecond as Spread),
  ];
}

/** The addresses of one of the processes: 127.0.1.1 to 127.0.1.8, 127.0.2.1 and so on. */
export function addressesOf(index: number): string[] {
  return Array.from({ length: ADDRESSES_EACH }, (_, place) => `127.0.${index + 1}.${place + 1}`);
}

/** Starts the processes one in another, so that all are ended whatever comes. */
async function withStorm<Result>(
  peer: Peer,
  running: RunningPeer,
  settings: ConnectsSettings,
  children: readonly Child[],
  use: (children: readonly Child[]) => Promise<Result>,
): Promise<Result> {
  if (children.length === settings.processes) return use(children);
  const plan: StormPlan = {
    port: running.port,
    protocol: peer.protocol,
    concurrent: settings.concurrent,
    addresses: addressesOf(children.length),
  };
  return withChild(processFile, 'a process of the storm', plan, (child) =>
    withStorm(peer, running, settings, [...children, child], use),
  );
}

async function storm(
  { pid }: RunningPeer,
  children: readonly Child[],
  { seconds }: ConnectsSettings,
): Promise<Connects> {
  const run = async (forSeconds: number): Promise<StormReport[]> => {
    const reports = await Promise.all(children.map((child) => child.ask({ seconds: forSeconds })));
    return reports as StormReport[];
  };
  await run(seconds * WARM_UP_SHARE);
  const cpuBefore = cpuSecondsOf(pid);
  const startedMs = performance.now();
  const reports = await run(seconds);
  const tookSeconds = (performance.now() - startedMs) / 1000;
  const latenciesMs = reports.flatMap((report) => report.latenciesMs);
  if (latenciesMs.length === 0) throw new Error('no connection was served');
  return {
    connectsPerSecond: latenciesMs.length / tookSeconds,
    p50Ms: quantileOf(latenciesMs, 0.5),
    p99Ms: quantileOf(latenciesMs, 0.99),
    cpuUs: ((cpuSecondsOf(pid) - cpuBefore) * SECONDS_TO_US) / latenciesMs.length,
    failures: reports.reduce((sum, { failures }) => sum + failures, 0),
  };
}
