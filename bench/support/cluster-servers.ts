/** Clusters that are compared: three nodes of ours with an etcd, three redis-servers in cluster mode, or a redis-server and its replica. */
import { setTimeout as sleep } from 'node:timers/promises';
import { VERSION } from '../../src/base/version.ts';
import { startCluster, type TestCluster } from '../../test/support/cluster.ts';
import { freePort, startRedisServer } from '../../test/support/redis-server.ts';
import { ask } from './client.ts';
import { redisPeer } from './peers.ts';

export type BenchCluster = {
  readonly name: string;
  readonly version: string;
  readonly ports: readonly number[];
  readonly pids: readonly number[];
  readonly stop: () => Promise<void>;
};

const LOG_FLAGS = ['--appendonly', 'yes', '--appendfsync', 'everysec', '--auto-aof-rewrite-percentage', '0'];
const SLOTS = 16_384;
const STATE_RETRY_MS = 50;

/** Three nodes, each with so many workers. */
export async function startOurs(
  replicas: number,
  workers: number,
): Promise<BenchCluster & { readonly cluster: TestCluster }> {
  const cluster = await startCluster({
    flags: [
      ...['--cluster-replicas', String(replicas), '--workers', String(workers), '--maxmemory', '1gb'],
      ...['--rehearsal', 'yes', '--auto-aof-rewrite-percentage', '0', '--repl-backlog-size', '64mb'],
    ],
  });
  const ports = cluster.nodes.map(({ port }) => port);
  return {
    name: `distcache, ${replicas === 0 ? 'no replicas' : `${replicas} replica`}`,
    version: `distcache ${VERSION}`,
    ports,
    pids: await pidsOf(ports),
    stop: cluster.remove,
    cluster,
  };
}

/** Three masters without replicas, the slots in three ranges. */
export async function startRedisCluster(): Promise<BenchCluster> {
  const masters: { port: number; busPort: number; stop(): Promise<void> }[] = [];
  for (let i = 0; i < 3; i += 1) {
    const busPort = await freePort();
    const flags = ['--cluster-enabled', 'yes', '--cluster-port', String(busPort), ...LOG_FLAGS];
    masters.push({ ...(await startRedisServer(flags)), busPort });
  }
  const ports = masters.map(({ port }) => port);
  for (const [i, port] of ports.entries()) {
    const range = [i, i + 1].map((part) => Math.floor((part * SLOTS) / ports.length));
    await ask(port, 'CLUSTER', 'SET-CONFIG-EPOCH', String(i + 1));
    await ask(port, 'CLUSTER', 'ADDSLOTSRANGE', String(range[0]), String(range[1] - 1));
  }
  for (const { port, busPort } of masters.slice(1))
    await ask(ports[0], 'CLUSTER', 'MEET', '127.0.0.1', String(port), String(busPort));
  for (const port of ports) {
    while (!(await ask(port, 'CLUSTER', 'INFO')).includes('cluster_state:ok')) await sleep(STATE_RETRY_MS);
  }
  const stop = async () => void (await Promise.all(masters.map((master) => master.stop())));
  return { name: 'redis-server', version: redisPeer().version, ports, pids: await pidsOf(ports), stop };
}

/** A master, and behind it its replica. */
export async function startRedisPair(): Promise<BenchCluster> {
  const master = await startRedisServer(LOG_FLAGS);
  const replica = await startRedisServer([
    ...LOG_FLAGS,
    ...['--replicaof', `127.0.0.1 ${master.port}`, '--repl-diskless-sync-delay', '0'],
  ]);
  const ports = [master.port, replica.port];
  while (!(await ask(replica.port, 'INFO', 'replication')).includes('master_link_status:up'))
    await sleep(STATE_RETRY_MS);
  const stop = async () => {
    await replica.stop();
    await master.stop();
  };
  return { name: 'redis-server', version: redisPeer().version, ports, pids: await pidsOf(ports), stop };
}

async function pidsOf(ports: readonly number[]): Promise<number[]> {
  const infos = await Promise.all(ports.map((port) => ask(port, 'INFO', 'server')));
  return infos.map((info) => Number(/process_id:(\d+)/.exec(info)?.[1]));
}
