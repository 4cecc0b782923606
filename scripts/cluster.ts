/**
 * A cluster on this machine, in the foreground: etcd, as found on the PATH, and nodes. SIGTERM and SIGINT end all of it.
 *
 *   npm run cluster -- --nodes 3 --port 6379 --http-port 8080 --etcd-port 2379 --dir data/cluster --workers 1 --maxmemory 256mb
 *
 * Node i listens on `port` + i and `http-port` + i. What is behind a `--` goes to every node as it is. The data stays in `dir`; with
 * `--dir ""` it is in a temporary folder and goes with the cluster. Exits with 1 when it does not come up, or when all nodes
 * have ended by themselves.
 */
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { untilClusterReady } from '../test/support/cluster.ts';
import { createNode, type Node, type NodePlace, nodeFlags } from '../test/support/cluster-node.ts';
import { createEtcdServers, type EtcdServers } from '../test/support/etcd.ts';
import type { Program } from '../test/support/program.ts';

const OPTIONS = {
  nodes: { type: 'string', default: '3' },
  host: { type: 'string', default: '127.0.0.1' },
  port: { type: 'string', default: '6379' },
  'http-port': { type: 'string', default: '8080' },
  'etcd-port': { type: 'string', default: '2379' },
  dir: { type: 'string', default: 'data/cluster' },
  workers: { type: 'string', default: '1' },
  maxmemory: { type: 'string', default: '256mb' },
} as const;
const READY_MS_MAX = 60_000;
const OUTPUT_CHARACTERS_TOLD_MAX = 2_000;
const MS_PER_SECOND = 1000;
const EXIT_CODE_BROKEN = 1;

const startMs = performance.now();
const { values, positionals } = parseArgs({ options: OPTIONS, strict: true, allowPositionals: true });
const isTemporary = values.dir === '';
const folder = isTemporary ? mkdtempSync(join(tmpdir(), 'distcache-cluster-')) : resolve(values.dir);
mkdirSync(folder, { recursive: true, mode: 0o700 });
const etcd = createEtcd();
const nodes = createNodes();
const programs = [...etcd.members.map(({ program }) => program), ...nodes.map(({ program }) => program)];
let isReady = false;
let isStopping = false;
for (const program of programs) program.onEnd((code) => tellEnd(program, code));
for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) process.on(signal, () => void stop(0));
await start();

function createEtcd(): EtcdServers {
  const port = Number(values['etcd-port']);
  const url = (offset: number) => `http://${values.host}:${port + offset}`;
  const place = { name: 'etcd-1', clientUrl: url(0), peerUrl: url(1) };
  return createEtcdServers([place], folder, true);
}

function createNodes(): Node[] {
  return Array.from({ length: Number(values.nodes) }, (_, i) => {
    const name = `node-${i + 1}`;
    const place: NodePlace = {
      name,
      host: values.host,
      port: Number(values.port) + i,
      httpPort: Number(values['http-port']) + i,
      folder: join(folder, name),
    };
    const cluster = { name: 'distcache', etcdUrls: etcd.urls };
    const sizes = ['--workers', values.workers, '--maxmemory', values.maxmemory];
    return createNode(place, [...nodeFlags(place, cluster), ...sizes, ...positionals], { isShielded: true });
  });
}

async function start(): Promise<void> {
  try {
    for (const program of programs) program.start();
    await untilClusterReady(nodes, READY_MS_MAX);
    isReady = !isStopping;
    if (isReady) tellReady();
  } catch (error) {
    if (isStopping) return;
    say(`the cluster did not come up: ${(error as Error).message}`);
    await stop(EXIT_CODE_BROKEN);
  }
}

/** The nodes first, so that they can take their leave from etcd. */
async function stop(exitCode: number): Promise<void> {
  if (isStopping) return;
  isStopping = true;
  await Promise.all(nodes.map(({ program }) => program.stop()));
  await Promise.all(etcd.members.map(({ program }) => program.stop()));
  if (isTemporary) rmSync(folder, { recursive: true, force: true });
  say('stopped');
  process.exit(exitCode);
}

function tellEnd(program: Program, code: number | null): void {
  if (isStopping) return;
  const how = code === null ? 'was killed' : `ended with exit code ${code}`;
  say(`${program.name} ${how}; what it said last:\n${program.output().slice(-OUTPUT_CHARACTERS_TOLD_MAX)}`);
  if (isReady && nodes.some((node) => node.program.isRunning())) return;
  say(isReady ? 'no node is left' : 'the cluster did not come up');
  void stop(EXIT_CODE_BROKEN);
}

function tellReady(): void {
  const [first, second] = nodes;
  const seconds = ((performance.now() - startMs) / MS_PER_SECOND).toFixed(1);
  say(`${nodes.length} nodes, all slots covered, after ${seconds} s. Data: ${folder}\n`);
  for (const { name, host, port, httpPort, program } of nodes)
    say(`  ${name}  RESP ${host}:${port}  dashboard http://${host}:${httpPort}/  pid ${program.pid()}`);
  say(`\n  redis-cli -p ${first.port} set greeting hello       any node takes any key`);
  if (second !== undefined) {
    say(`  redis-cli -p ${second.port} get greeting`);
    say(`  kill -9 ${second.program.pid()}                           its slots go to the replicas`);
  }
  say(`  redis-cli -p ${first.port} cluster info`);
  say(
    `  scripts/verify-deployment.sh --nodes ${nodes.map(({ host, port, httpPort }) => `${host}:${port}:${httpPort}`).join(',')}\n`,
  );
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}
