/** Clients that ask for much and read nothing: how much memory they make the server take, and what another client notices. */
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { setTimeout } from 'node:timers/promises';
import { openClient } from './client.ts';
import { keyRequests } from './key-requests.ts';
import { type Column, mebibytes, spreadText } from './markdown.ts';
import { type Peer, type RunningPeer, withPeer } from './peers.ts';
import { peakResidentBytesOf, residentBytesOf } from './proc.ts';
import type { ResultRow } from './result.ts';
import { type Spread, spreadOf } from './statistics.ts';
import { withProbe } from './storm-probe.ts';

/** What one run showed. `afterBytes`: what the process still has in RAM more than before, a moment after they have gone. */
type Slow = {
  readonly peakBytes: number;
  readonly afterBytes: number;
  readonly closed: number;
  readonly aloneP99Ms: number;
  readonly duringP50Ms: number;
  readonly duringP99Ms: number;
  readonly duringMaxMs: number;
};

type SlowSettings = { readonly readers: number; readonly askedMib: number; readonly seconds: number };

const KEY = 'large';
const VALUE_KIB = 256;
const VALUES_PER_MIB = 1024 / VALUE_KIB;
const KIB = 1024;
const SETTLE_MS = 1000;

export const SLOW_COLUMNS: readonly Column[] = [
  { heading: 'server', align: 'left' },
  { heading: 'readers', align: 'right' },
  { heading: 'asked for by each', align: 'right' },
  { heading: 'resident at most, beyond before', align: 'right' },
  { heading: 'after they have gone', align: 'right' },
  { heading: 'cut off', align: 'right' },
  { heading: 'another client, p99 ms: alone', align: 'right' },
  { heading: 'meanwhile: p50 ms', align: 'right' },
  { heading: 'p99 ms', align: 'right' },
  { heading: 'max ms', align: 'right' },
];

export async function measureSlow(peer: Peer, settings: SlowSettings): Promise<Slow> {
  return withPeer(peer, async (running) => {
    await store(peer, running);
    return withProbe(peer, running, async (probe) => {
      const alone = await probe(settings.seconds);
      const residentBefore = residentBytesOf(running.pid);
      const meanwhile = probe(settings.seconds);
      const sockets = await askAndNeverRead(peer, running, settings);
      const during = await meanwhile;
      const peakBytes = peakResidentBytesOf(running.pid) - residentBefore;
      const closed = sockets.filter((socket) => socket.destroyed).length;
      for (const socket of sockets) socket.destroy();
      await setTimeout(SETTLE_MS);
      return {
        peakBytes,
        afterBytes: residentBytesOf(running.pid) - residentBefore,
        closed,
        aloneP99Ms: alone.p99Ms,
        duringP50Ms: during.p50Ms,
        duringP99Ms: during.p99Ms,
        duringMaxMs: during.maxMs,
      };
    });
  });
}

export function slowRow(
  server: string,
  { readers, askedMib }: SlowSettings,
  runs: readonly Slow[],
): ResultRow {
  const fields = Object.keys(runs[0]) as (keyof Slow)[];
  const spreads = fields.map((field) => [field, spreadOf(runs.map((run) => run[field]))]);
  return { set: 'slow', server, readers, askedMib, ...Object.fromEntries(spreads) };
}

export function slowCells(row: ResultRow): string[] {
  const spread = (field: string): Spread => row[field] as Spread;
  return [
    row.server,
    String(row.readers),
    `${row.askedMib} MiB`,
    mebibytes(spread('peakBytes').median),
    mebibytes(spread('afterBytes').median),
    spreadText(spread('closed'), 1, 0),
    spreadText(spread('aloneP99Ms'), 1, 2),
    spreadText(spread('duringP50Ms'), 1, 2),
    spreadText(spread('duringP99Ms'), 1, 2),
    spreadText(spread('duringMaxMs'), 1, 1),
  ];
}

async function store({ protocol }: Peer, { port }: RunningPeer): Promise<void> {
  const socket = await openClient(port);
  socket.write(keyRequests(protocol).set(KEY, 'x'.repeat(VALUE_KIB * KIB), 0));
  const [reply] = (await once(socket, 'data')) as [Buffer];
  socket.destroy();
  if (!/^(\+OK|STORED)/.test(reply.toString('latin1'))) throw new Error(`the value was not stored: ${reply}`);
}

async function askAndNeverRead(
  { protocol }: Peer,
  { port }: RunningPeer,
  { readers, askedMib }: SlowSettings,
): Promise<Socket[]> {
  const requests = keyRequests(protocol)
    .get(KEY)
    .repeat(askedMib * VALUES_PER_MIB);
  return Promise.all(
    Array.from({ length: readers }, async () => {
      const socket = connect({ port, host: '127.0.0.1', noDelay: true });
      // Before it is connected, so that not even the first bytes are read.
      socket.pause();
      // That a reader was cut off is told by that its socket is gone.
      socket.on('error', () => undefined);
      await once(socket, 'connect');
      socket.write(requests);
      return socket;
    }),
  );
}
