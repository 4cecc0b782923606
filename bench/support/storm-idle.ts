/**
 * Thousands of connections that do nothing: how fast they are accepted, what each costs, how fast every one of them answers,
 * and what another client notices of them.
 */
import { once } from 'node:events';
import type { Socket } from 'node:net';
import { setTimeout } from 'node:timers/promises';
import { ask, openClient } from './client.ts';
import { type Column, spreadText } from './markdown.ts';
import { memcachedStats, statNumber } from './memcached.ts';
import { type Peer, type RunningPeer, withPeer } from './peers.ts';
import { isAnswered, type Ping, pingOf } from './ping.ts';
import { residentBytesOf } from './proc.ts';
import type { ResultRow } from './result.ts';
import { infoNumber } from './server-text.ts';
import { quantileOf, type Spread, spreadOf } from './statistics.ts';
import { withProbe } from './storm-probe.ts';

/** What one run showed; `alone`, `opening` and `idle` are the p99 of another client without them, while they come, when all are there. */
type Idle = {
  readonly acceptedSeconds: number;
  readonly residentEachBytes: number;
  readonly pingP50Ms: number;
  readonly pingP99Ms: number;
  readonly pingAllMs: number;
  readonly aloneP99Ms: number;
  readonly openingP99Ms: number;
  readonly openingMaxMs: number;
  readonly idleP99Ms: number;
};

const OPENED_AT_ONCE = 128;
const SETTLED_MS_MAX = 30_000;
const POLL_MS = 20;

export const IDLE_COLUMNS: readonly Column[] = [
  { heading: 'server', align: 'left' },
  { heading: 'connections', align: 'right' },
  { heading: 'accepted in s', align: 'right' },
  { heading: 'resident per connection', align: 'right' },
  { heading: 'ping on each, one by one: p50 ms', align: 'right' },
  { heading: 'p99 ms', align: 'right' },
  { heading: 'ping on all at once: ms', align: 'right' },
  { heading: 'another client, p99 ms: alone', align: 'right' },
  { heading: 'while they come', align: 'right' },
  { heading: 'with all', align: 'right' },
];

export async function measureIdle(peer: Peer, connections: number, seconds: number): Promise<Idle> {
  return withPeer(peer, (running) =>
    withProbe(peer, running, async (probe) => {
      const alone = await probe(seconds);
      const residentBefore = residentBytesOf(running.pid);
      const meanwhile = probe(seconds);
      const startedMs = performance.now();
      const sockets = await openMany(running.port, connections);
      await untilServed(peer, running, connections);
      const acceptedSeconds = (performance.now() - startedMs) / 1000;
      const opening = await meanwhile;
      const residentEachBytes = (residentBytesOf(running.pid) - residentBefore) / connections;
      const pings = await pingAll(pingOf(peer.protocol), sockets);
      const idle = await probe(seconds);
      for (const socket of sockets) socket.destroy();
      return {
        acceptedSeconds,
        residentEachBytes,
        ...pings,
        aloneP99Ms: alone.p99Ms,
        openingP99Ms: opening.p99Ms,
        openingMaxMs: opening.maxMs,
        idleP99Ms: idle.p99Ms,
      };
    }),
  );
}

export function idleRow(server: string, connections: number, runs: readonly Idle[]): ResultRow {
  const fields = Object.keys(runs[0]) as (keyof Idle)[];
  const spreads = fields.map((field) => [field, spreadOf(runs.map((run) => run[field]))]);
  return { set: 'idle', server, connections, ...Object.fromEntries(spreads) };
}

export function idleCells(row: ResultRow): string[] {
  const cell = (field: string, digits: number): string => spreadText(row[field] as Spread, 1, digits);
  return [
    row.server,
    String(row.connections),
    cell('acceptedSeconds', 2),
    cell('residentEachBytes', 0),
    cell('pingP50Ms', 3),
    cell('pingP99Ms', 3),
    cell('pingAllMs', 0),
    cell('aloneP99Ms', 2),
    cell('openingP99Ms', 2),
    cell('idleP99Ms', 2),
  ];
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
async function untilServed(peer: Peer, { port }: RunningPeer, connections: number): Promise<void> {
  const deadlineMs = performance.now() + SETTLED_MS_MAX;
  for (;;) {
    const served = await connectedTo(peer, port);
    if (served >= connections) return;
    if (performance.now() > deadlineMs)
      throw new Error(`the server serves ${served} of ${connections} connections`);
    await setTimeout(POLL_MS);
  }
}

async function connectedTo({ protocol }: Peer, port: number): Promise<number> {
  if (protocol === 'memcached') return statNumber(await memcachedStats(port), 'curr_connections');
  return infoNumber(await ask(port, 'INFO', 'clients'), 'connected_clients');
}

async function pingAll(
  ping: Ping,
  sockets: readonly Socket[],
): Promise<Pick<Idle, 'pingP50Ms' | 'pingP99Ms' | 'pingAllMs'>> {
  const eachMs: number[] = [];
  for (const socket of sockets) eachMs.push(await timePing(ping, socket));
  const startedMs = performance.now();
  await Promise.all(sockets.map((socket) => timePing(ping, socket)));
  const pingAllMs = performance.now() - startedMs;
  return { pingP50Ms: quantileOf(eachMs, 0.5), pingP99Ms: quantileOf(eachMs, 0.99), pingAllMs };
}

async function timePing(ping: Ping, socket: Socket): Promise<number> {
  const startedMs = performance.now();
  socket.write(ping.request);
  let text = '';
  do {
    const [chunk] = (await once(socket, 'data')) as [Buffer];
    text += chunk.toString('latin1');
  } while (!isAnswered(ping, text));
  return performance.now() - startedMs;
}
