/**
 * What an attack is, and what is looked at while it runs: the memory of the server at its highest, and how a client that
 * behaves fares.
 */
import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { type DistcacheServer, startDistcache } from '../distcache-server.ts';
import { metricTotal, residentBytes } from '../readings.ts';

export type AttackScale = {
  /** As many connections as an attack opens at the most. */
  readonly connections: number;
  readonly seconds: number;
  /** Keys that are there before attacks on many keys. */
  readonly keys: number;
};

export type Attack = {
  readonly name: string;
  /** What the server does about it, for people. */
  readonly answer: string;
  /** Flags of the server besides the common ones. */
  readonly flags?: readonly string[];
  /** Before memory and latency are looked at. */
  readonly prepare?: (port: number, scale: AttackScale) => Promise<void>;
  /** Goes on until the signal; resolves when everything that it opened is closed. */
  readonly run: (port: number, scale: AttackScale, signal: AbortSignal) => Promise<void>;
};

export type ProbeReport = {
  readonly requests: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly maxMs: number;
  /** Empty when it was always answered as it should be. */
  readonly failure: string;
};

export type AttackReport = {
  readonly name: string;
  readonly answer: string;
  readonly baseBytes: number;
  /** The most over `baseBytes` at any moment of the attack. */
  readonly grownBytes: number;
  /** Clients that the server has cut off at one of their limits, or that of all together. */
  readonly cut: number;
  readonly probe: ProbeReport;
  /** The same client with nobody else there, just before. */
  readonly alone: ProbeReport;
  /** The server's error lines, and its exit code where it is not 0. */
  readonly troubles: readonly string[];
};

const SAMPLE_MS = 20;
const MS_PER_SECOND = 1000;
/** How long the client is watched with nobody else there, beside the attack. */
const ALONE_SHARE = 0.2;
const FLAGS = ['--appendonly', 'no', '--save', '', '--maxmemory', '256mb'];
const PROBE = new URL('./probe-thread.ts', import.meta.url);

/** One attack on a server of its own. */
export async function runAttack(attack: Attack, scale: AttackScale): Promise<AttackReport> {
  const server = await startDistcache([...FLAGS, ...(attack.flags ?? [])]);
  await attack.prepare?.(server.port, scale);
  const alone = await watchFor(server, scale.seconds * ALONE_SHARE);
  const baseBytes = residentBytes(server.pid);
  const memory = watchMemory(server);
  const probe = await startProbe(server.port);
  await attack.run(server.port, scale, AbortSignal.timeout(scale.seconds * MS_PER_SECOND));
  const probed = await probe.end();
  const grownBytes = memory.end() - baseBytes;
  const cut =
    (await metricTotal(server.httpPort, 'distcache_limit_cuts_total')) +
    (await metricTotal(server.httpPort, 'distcache_clients_evicted_total'));
  const code = await server.stop();
  const troubles = server
    .output()
    .split('\n')
    .filter((line) => line.includes('"level":"error"'));
  if (code !== 0) troubles.push(`the server ended with ${code}`);
  return {
    name: attack.name,
    answer: attack.answer,
    baseBytes,
    grownBytes,
    cut,
    probe: probed,
    alone,
    troubles,
  };
}

async function watchFor(server: DistcacheServer, seconds: number): Promise<ProbeReport> {
  const probe = await startProbe(server.port);
  await new Promise((resolve) => setTimeout(resolve, seconds * MS_PER_SECOND));
  return probe.end();
}

/** Resolves when it is connected. */
async function startProbe(port: number): Promise<{ end: () => Promise<ProbeReport> }> {
  const thread = new Worker(PROBE, { workerData: { port } });
  await once(thread, 'message');
  return {
    end: () =>
      new Promise((resolve, reject) => {
        thread.once('error', reject);
        thread.once('message', (report: ProbeReport) => {
          void thread.terminate();
          resolve(report);
        });
        thread.postMessage('end');
      }),
  };
}

function watchMemory({ pid }: DistcacheServer): { end: () => number } {
  let highest = residentBytes(pid);
  const timer = setInterval(() => {
    highest = Math.max(highest, residentBytes(pid));
  }, SAMPLE_MS);
  return {
    end: () => {
      clearInterval(timer);
      return highest;
    },
  };
}
