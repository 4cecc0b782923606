/**
 * `npm run bench:connections`: ten thousand connections that do nothing, here and in redis-server: how fast they are
 * accepted, what each costs, and how fast every one of them answers a PING.
 */
import { execFileSync } from 'node:child_process';
import type { Socket } from 'node:net';
import { ask, askOver, openClient } from './support/client.ts';
import { describeMachine, machineText } from './support/machine.ts';
import { type Column, markdownTable } from './support/markdown.ts';
import { BadFlag, type Options, runBenchmark, tellProgress, writeJson } from './support/options.ts';
import { ourPeer, type Peer, redisPeer, withPeer } from './support/peers.ts';
import { residentBytesOf } from './support/proc.ts';
import { infoNumber } from './support/server-text.ts';
import { quantileOf } from './support/statistics.ts';

const DEFAULTS = { connections: 10_000, json: '' };

const OPENED_AT_ONCE = 128;
/** File descriptors that a process has besides its connections. */
const DESCRIPTORS_BESIDES = 200;
const CLIENTS_BESIDES = 100;
const SETTLED_MS_MAX = 30_000;
const POLL_MS = 20;

const COLUMNS: readonly Column[] = [
  { heading: 'server', align: 'left' },
  { heading: 'connections', align: 'right' },
  { heading: 'accepted in s', align: 'right' },
  { heading: 'resident per connection', align: 'right' },
  { heading: 'PING on each, one by one: p50 ms', align: 'right' },
  { heading: 'p99 ms', align: 'right' },
  { heading: 'PING on all at once: s', align: 'right' },
];

type Result = {
  server: string;
  connections: number;
  acceptedMs: number;
  bytesEach: number;
  pingP50Ms: number;
  pingP99Ms: number;
  pingAllMs: number;
};

await runBenchmark(DEFAULTS, main);

async function main(options: Options<typeof DEFAULTS>): Promise<void> {
  const { connections } = options;
  expectDescriptors(connections);
  const flags = ['--maxclients', String(connections + CLIENTS_BESIDES)];
  const peers = [redisPeer(flags), ourPeer(flags)];
  const results: Result[] = [];
  for (const peer of peers) results.push(await measure(peer, connections));
  const machine = describeMachine(peers.map(({ version }) => version));
  process.stdout.write(`${machineText(machine)}${markdownTable(COLUMNS, results.map(cellsOf))}`);
  writeJson(options.json, { machine, options, results });
}

async function measure(peer: Peer, connections: number): Promise<Result> {
  tellProgress(`${peer.name}: ${connections} connections`);
  return withPeer(peer, async ({ port, pid }) => {
    const residentBefore = residentBytesOf(pid);
    const startedMs = performance.now();
    const sockets = await openMany(port, connections);
    await untilServed(port, connections);
    const acceptedMs = performance.now() - startedMs;
    const bytesEach = (residentBytesOf(pid) - residentBefore) / connections;
    const pings: number[] = [];
    for (const socket of sockets) pings.push(await timePing(socket));
    const allAtMs = performance.now();
    await Promise.all(sockets.map((socket) => timePing(socket)));
    const pingAllMs = performance.now() - allAtMs;
    for (const socket of sockets) socket.destroy();
    const quantiles = { pingP50Ms: quantileOf(pings, 0.5), pingP99Ms: quantileOf(pings, 0.99) };
    return { server: peer.name, connections, acceptedMs, bytesEach, ...quantiles, pingAllMs };
  });
}

async function openMany(port: number, count: number): Promise<Socket[]> {
  const sockets: Socket[] = [];
  while (sockets.length < count) {
    const batch = Math.min(OPENED_AT_ONCE, count - sockets.length);
    sockets.push(...(await Promise.all(Array.from({ length: batch }, () => openClient(port)))));
  }
  return sockets;
}

/** The kernel accepts ahead of the server: it is done when the server counts them all. */
async function untilServed(port: number, connections: number): Promise<void> {
  const deadlineMs = performance.now() + SETTLED_MS_MAX;
  for (;;) {
    const served = infoNumber(await ask(port, 'INFO', 'clients'), 'connected_clients');
    if (served >= connections) return;
    if (performance.now() > deadlineMs)
      throw new Error(`the server serves ${served} of ${connections} connections`);
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
}

async function timePing(socket: Socket): Promise<number> {
  const startedMs = performance.now();
  const reply = await askOver(socket, 'PING');
  if (reply !== 'PONG') throw new Error(`a PING was answered ${reply}`);
  return performance.now() - startedMs;
}

/** Both this process and the server hold an end of each. */
function expectDescriptors(connections: number): void {
  const limit = execFileSync('sh', ['-c', 'ulimit -Hn'], { encoding: 'utf8' }).trim();
  if (limit === 'unlimited' || Number(limit) >= connections + DESCRIPTORS_BESIDES) return;
  throw new BadFlag(`--connections ${connections}: a process may have ${limit} files open here (ulimit -n)`);
}

function cellsOf(result: Result): string[] {
  return [
    result.server,
    String(result.connections),
    (result.acceptedMs / 1000).toFixed(2),
    result.bytesEach.toFixed(0),
    result.pingP50Ms.toFixed(3),
    result.pingP99Ms.toFixed(3),
    (result.pingAllMs / 1000).toFixed(2),
  ];
}
