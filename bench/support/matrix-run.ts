/**
 * Runs the contests of `npm run bench`: in every round each server is started afresh, filled, given a little of all loads of
 * the contest so that its code is compiled, and then measured under each; one server at a time (A B, then B A). One generator makes a load for all.
 */
import { ask } from './client.ts';
import { fillServer, withLoad } from './load-generator.ts';
import { type Contest, keysFor, type Load } from './matrix-sets.ts';
import { tellProgress } from './options.ts';
import { type Peer, type RunningPeer, requireProgram, withPeer } from './peers.ts';
import { cpuSecondsOf, reapedCpuSeconds } from './proc.ts';
import { type BenchmarkRun, runRedisBenchmark } from './redis-benchmark.ts';
import { commandWords, knowsCommand } from './request-kinds.ts';
import { infoNumber } from './server-text.ts';
import { type Spread, spreadOf } from './statistics.ts';

export type Generator = 'own' | 'redis-benchmark';

export type MatrixSettings = {
  readonly rounds: number;
  /** Of each measured run, and of the warm-up before it. */
  readonly seconds: number;
  readonly warmUpSeconds: number;
  readonly keys: number;
  readonly generator: Generator;
  readonly generatorThreads: number;
  /** Where the servers' folders are made. */
  readonly parent: string;
};

/** What one run of one load measured. `busyShare`: of the time of the generator's threads. */
type Measured = {
  requestsPerSecond: number;
  p50Ms: number;
  p99Ms: number;
  /** Of the server and of the generator, by request. */
  cpuUs: number;
  generatorCpuUs: number;
  generatorBusyShare: number;
};

export type Measurement = { load: Load; server: string } & Record<keyof Measured, Spread>;

const SECONDS_TO_US = 1e6;
/** Of redis-benchmark, which runs by a count: as many as its warm-up tells for the seconds that are wanted. */
const WARM_UP_REQUESTS_BY_SECOND = 50_000;

/** What every server that knows the commands got out of every load, load by load, in the order of the servers. */
export async function runContest(
  contest: Contest,
  servers: readonly Peer[],
  settings: MatrixSettings,
): Promise<Measurement[]> {
  const runs = new Map<string, Measured[]>();
  for (let round = 0; round < settings.rounds; round += 1) {
    const order = round % 2 === 0 ? servers : servers.toReversed();
    for (const peer of order) {
      tellProgress(`${contest.set}, round ${round + 1} of ${settings.rounds}: ${peer.name}`);
      const measured = await measureServer(contest, peer, settings);
      for (const [load, result] of measured) {
        const key = runKey(load, peer);
        runs.set(key, [...(runs.get(key) ?? []), result]);
      }
    }
  }
  return contest.loads.flatMap((load) =>
    servers.flatMap((peer) => {
      const results = runs.get(runKey(load, peer));
      return results === undefined ? [] : [{ load, server: peer.name, ...spreadsOf(results) }];
    }),
  );
}

function runKey({ command, setting }: Load, { name }: Peer): string {
  return `${command} ${setting} ${name}`;
}

async function measureServer(
  { loads, valueBytes }: Contest,
  peer: Peer,
  settings: MatrixSettings,
): Promise<[Load, Measured][]> {
  const known = loads.filter(({ mix }) => mix.every(({ command }) => knowsCommand(peer.protocol, command)));
  if (known.length === 0) return [];
  const keys = keysFor(valueBytes, settings.keys);
  const measureAll = async (running: RunningPeer): Promise<[Load, Measured][]> => {
    await fillServer(peer.protocol, running.port, keys, valueBytes);
    const run = (load: Load, seconds: number): Promise<Measured> => {
      const asked = { peer, running, load, keys, valueBytes, settings, seconds };
      return settings.generator === 'own' ? runOwn(asked) : runForeign(asked);
    };
    for (const load of known) await run(load, settings.warmUpSeconds);
    const results: [Load, Measured][] = [];
    for (const load of known) results.push([load, await run(load, settings.seconds)]);
    if (peer.protocol === 'resp') await expectNoMisses(running.port);
    return results;
  };
  return withPeer(peer, measureAll, { parent: settings.parent });
}

type Asked = {
  readonly peer: Peer;
  readonly running: RunningPeer;
  readonly load: Load;
  readonly keys: number;
  readonly valueBytes: number;
  readonly settings: MatrixSettings;
  readonly seconds: number;
};

async function runOwn({
  peer,
  running,
  load,
  keys,
  valueBytes,
  settings,
  seconds,
}: Asked): Promise<Measured> {
  const { port, pid } = running;
  const threads = Math.min(settings.generatorThreads, load.connections);
  const plan = { ...load, protocol: peer.protocol, port, keys, valueBytes, threads, isInOrder: false };
  return withLoad(plan, async (runLoad) => {
    await runLoad({ seconds: settings.warmUpSeconds, requests: 0 });
    const cpuBefore = cpuSecondsOf(pid);
    const report = await runLoad({ seconds, requests: 0 });
    const { requests, requestsPerSecond, p50Ms, p99Ms } = report;
    return {
      ...{ requestsPerSecond, p50Ms, p99Ms },
      cpuUs: ((cpuSecondsOf(pid) - cpuBefore) * SECONDS_TO_US) / requests,
      generatorCpuUs: report.cpuUs,
      generatorBusyShare: report.busyShare,
    };
  });
}

async function runForeign({ running, load, keys, valueBytes, settings, seconds }: Asked): Promise<Measured> {
  const { port, pid } = running;
  const common: Omit<BenchmarkRun, 'requests'> = {
    program: requireProgram('redis-benchmark'),
    command: commandWords(load.mix[0].command, valueBytes),
    ...{ port, keys, clients: load.connections, pipeline: load.pipeline },
    threads: settings.generatorThreads,
  };
  const warmUpRequests = Math.ceil(WARM_UP_REQUESTS_BY_SECOND * settings.warmUpSeconds * load.pipeline);
  const warmUp = await runRedisBenchmark({ ...common, requests: warmUpRequests });
  const requests = Math.ceil(warmUp.requestsPerSecond * seconds);
  const cpuBefore = cpuSecondsOf(pid);
  const generatorBefore = reapedCpuSeconds();
  const result = await runRedisBenchmark({ ...common, requests });
  const generatorSeconds = reapedCpuSeconds() - generatorBefore;
  const tookSeconds = requests / result.requestsPerSecond;
  return {
    ...result,
    cpuUs: ((cpuSecondsOf(pid) - cpuBefore) * SECONDS_TO_US) / requests,
    generatorCpuUs: (generatorSeconds * SECONDS_TO_US) / requests,
    generatorBusyShare: generatorSeconds / tookSeconds / settings.generatorThreads,
  };
}

/** redis-benchmark does not look whether its reads find anything. */
async function expectNoMisses(port: number): Promise<void> {
  const misses = infoNumber(await ask(port, 'INFO', 'stats'), 'keyspace_misses');
  if (misses > 0) throw new Error(`${misses} reads missed: the numbers would not compare`);
}

function spreadsOf(runs: readonly Measured[]): Record<keyof Measured, Spread> {
  const spread = (field: keyof Measured): Spread => spreadOf(runs.map((run) => run[field]));
  return {
    requestsPerSecond: spread('requestsPerSecond'),
    p50Ms: spread('p50Ms'),
    p99Ms: spread('p99Ms'),
    cpuUs: spread('cpuUs'),
    generatorCpuUs: spread('generatorCpuUs'),
    generatorBusyShare: spread('generatorBusyShare'),
  };
}
