/**
 * Commands over TLS, driven by redis-benchmark with one certificate for all servers. Clients show none; sessions last as long as a
 * run, so that handshakes do not count.
 */
import { createCertificates } from '../../test/support/certificates.ts';
import { loadKeys } from './comparison.ts';
import {
  freePort,
  ourPeer,
  type Peer,
  type RunningPeer,
  redisPeer,
  requireProgram,
  withPeer,
} from './peers.ts';
import { cpuSecondsOf } from './proc.ts';
import { runRedisBenchmark } from './redis-benchmark.ts';
import { inRounds } from './rounds.ts';
import { type Spread, spreadOf } from './statistics.ts';

export type TlsLoad = {
  readonly connections: number;
  readonly pipelines: readonly number[];
  /** Per connection and command on its way. */
  readonly requests: number;
  readonly rounds: number;
};

type Measured = { perSecond: number; p50Ms: number; p99Ms: number; cpuUs: number };

export type TlsRow = {
  readonly server: string;
  readonly command: string;
  readonly pipeline: number;
} & Record<keyof Measured, Spread>;

/** A server, where its encrypted port is, and what a client needs to trust it. */
type TlsPeer = Peer & { readonly tlsPort: number; readonly clientFlags: readonly string[] };

const KEYS = 100_000;
const VALUE_BYTES = 64;
const US_PER_SECOND = 1e6;
const WARM_UP_SHARE = 0.3;
const COMMANDS: readonly (readonly string[])[] = [
  ['GET', 'key:__rand_int__'],
  ['SET', 'key:__rand_int__', 'x'.repeat(VALUE_BYTES)],
];

/** Measures redis-server and this one in turn, each with fresh processes in each round. */
export async function measureTls(load: TlsLoad): Promise<TlsRow[]> {
  const certificates = createCertificates();
  const { path } = certificates;
  const files = ['--tls-cert-file', path('server.crt'), '--tls-key-file', path('server.key')];
  const clientFlags = ['--tls', '--cacert', path('ca.crt')];
  try {
    const peers: TlsPeer[] = [];
    for (const create of [redisPeer, ourPeer]) {
      const tlsPort = await freePort();
      const flags = ['--tls-port', String(tlsPort), ...files, '--tls-auth-clients', 'no'];
      peers.push({ ...create(flags), tlsPort, clientFlags });
    }
    const results = await inRounds(peers, load.rounds, 'TLS', (peer) =>
      withPeer(peer, (running) => measurePeer(peer as TlsPeer, running, load)),
    );
    return rowsOf(peers, results, load);
  } finally {
    certificates.remove();
  }
}

async function measurePeer(peer: TlsPeer, running: RunningPeer, load: TlsLoad): Promise<Measured[]> {
  await loadKeys(running.port, KEYS);
  const measured: Measured[] = [];
  for (const pipeline of load.pipelines) {
    for (const command of COMMANDS) {
      const warmUp = { ...load, requests: Math.ceil(load.requests * WARM_UP_SHARE) };
      await measureCommand(peer, running.pid, warmUp, pipeline, command);
      measured.push(await measureCommand(peer, running.pid, load, pipeline, command));
    }
  }
  return measured;
}

async function measureCommand(
  { tlsPort: port, clientFlags }: TlsPeer,
  pid: number,
  load: TlsLoad,
  pipeline: number,
  command: readonly string[],
): Promise<Measured> {
  const requests = load.requests * load.connections * pipeline;
  const cpuBefore = cpuSecondsOf(pid);
  const { requestsPerSecond, p50Ms, p99Ms } = await runRedisBenchmark({
    program: requireProgram('redis-benchmark'),
    ...{ port, requests, pipeline, clients: load.connections, keys: KEYS, threads: 1 },
    command: [...clientFlags, ...command],
  });
  const cpuUs = ((cpuSecondsOf(pid) - cpuBefore) * US_PER_SECOND) / requests;
  return { perSecond: requestsPerSecond, p50Ms, p99Ms, cpuUs };
}

/** By pipeline and command; of each first redis-server's. */
function rowsOf(
  peers: readonly TlsPeer[],
  results: readonly (readonly Measured[][])[],
  { pipelines }: TlsLoad,
): TlsRow[] {
  const kinds = pipelines.flatMap((pipeline) => COMMANDS.map(([command]) => ({ pipeline, command })));
  return kinds.flatMap((kind, at) =>
    peers.map(({ name }, index) => {
      const spread = (field: keyof Measured) => spreadOf(results[index].map((run) => run[at][field]));
      return {
        server: name,
        ...kind,
        perSecond: spread('perSecond'),
        p50Ms: spread('p50Ms'),
        p99Ms: spread('p99Ms'),
        cpuUs: spread('cpuUs'),
      };
    }),
  );
}
