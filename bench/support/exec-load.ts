/**
 * The load of transactions: connections that send MULTI, five commands and EXEC, several such transactions on their way at a time.
 *
 * Every key is there with a value of one length, so that every transaction is answered by so many bytes: the replies are counted,
 * not read.
 */
import type { Socket } from 'node:net';
import { createRandom } from '../../test/support/seeded-random.ts';
import { openClient, requestText } from './client.ts';
import { loadKeys } from './comparison.ts';
import { type Peer, type RunningPeer, withPeer } from './peers.ts';
import { cpuSecondsOf } from './proc.ts';
import { inRounds } from './rounds.ts';
import { quantileOf, type Spread, spreadOf } from './statistics.ts';

export type ExecLoad = {
  readonly connections: number;
  /** Transactions that one connection has on their way. */
  readonly pipeline: number;
  readonly seconds: number;
  readonly rounds: number;
};

type Measured = { perSecond: number; p50Ms: number; p99Ms: number; cpuUs: number };

export type ExecRow = { readonly server: string } & Record<keyof Measured, Spread>;

const KEYS = 100_000;
const VALUE_BYTES = 64;
const BATCHES = 64;
const MS_PER_SECOND = 1000;
const US_PER_SECOND = 1e6;
const WARM_UP_SHARE = 0.3;
const SEED = 7;

/** What MULTI, two SETs, three GETs and EXEC are answered with. */
const REPLY_BYTES =
  '+OK\r\n'.length +
  5 * '+QUEUED\r\n'.length +
  '*5\r\n'.length +
  2 * '+OK\r\n'.length +
  3 * (`$${VALUE_BYTES}\r\n`.length + VALUE_BYTES + 2);

/** Measures the servers in turn, each with fresh processes in each round. */
export async function measureExec(peers: readonly Peer[], load: ExecLoad): Promise<ExecRow[]> {
  const results = await inRounds(peers, load.rounds, `EXEC of 5 commands at P=${load.pipeline}`, (peer) =>
    withPeer(peer, (running) => measurePeer(running, load)),
  );
  return peers.map(({ name }, index) => {
    const spread = (field: keyof Measured) => spreadOf(results[index].map((run) => run[field]));
    return {
      server: name,
      perSecond: spread('perSecond'),
      p50Ms: spread('p50Ms'),
      p99Ms: spread('p99Ms'),
      cpuUs: spread('cpuUs'),
    };
  });
}

async function measurePeer(running: RunningPeer, load: ExecLoad): Promise<Measured> {
  await loadKeys(running.port, KEYS);
  await drive(running.port, { ...load, seconds: load.seconds * WARM_UP_SHARE });
  const cpuBefore = cpuSecondsOf(running.pid);
  const startMs = performance.now();
  const roundTripsMs = await drive(running.port, load);
  const seconds = (performance.now() - startMs) / MS_PER_SECOND;
  const transactions = roundTripsMs.length * load.pipeline;
  return {
    perSecond: transactions / seconds,
    p50Ms: quantileOf(roundTripsMs, 0.5),
    p99Ms: quantileOf(roundTripsMs, 0.99),
    cpuUs: ((cpuSecondsOf(running.pid) - cpuBefore) * US_PER_SECOND) / transactions,
  };
}

/** How long each batch took, of all connections. */
async function drive(port: number, { connections, pipeline, seconds }: ExecLoad): Promise<number[]> {
  const batches = Array.from({ length: BATCHES }, (_, index) => batchBytes(pipeline, SEED + index));
  const endMs = performance.now() + seconds * MS_PER_SECOND;
  const clients = await Promise.all(Array.from({ length: connections }, () => openClient(port)));
  const roundTripsMs: number[] = [];
  await Promise.all(
    clients.map((client) => converse(client, batches, pipeline * REPLY_BYTES, endMs, roundTripsMs)),
  );
  for (const client of clients) client.destroy();
  return roundTripsMs;
}

function converse(
  client: Socket,
  batches: readonly Buffer[],
  replyBytes: number,
  endMs: number,
  roundTripsMs: number[],
): Promise<void> {
  return new Promise((resolve, reject) => {
    let sentMs = 0;
    let next = 0;
    let missingBytes = 0;
    const send = () => {
      missingBytes = replyBytes;
      sentMs = performance.now();
      client.write(batches[next % batches.length]);
      next += 1;
    };
    client.on('close', () => reject(new Error('the server closed a connection')));
    client.on('data', (chunk) => {
      missingBytes -= chunk.length;
      if (missingBytes < 0) reject(new Error('a transaction was answered with more bytes than are due'));
      if (missingBytes > 0) return;
      const nowMs = performance.now();
      roundTripsMs.push(nowMs - sentMs);
      if (nowMs < endMs) send();
      else resolve();
    });
    send();
  });
}

function batchBytes(pipeline: number, seed: number): Buffer {
  const random = createRandom(seed);
  const key = () => `key:${String(random(KEYS)).padStart(12, '0')}`;
  const value = 'x'.repeat(VALUE_BYTES);
  const transactions = Array.from({ length: pipeline }, () =>
    [
      ['MULTI'],
      ['SET', key(), value],
      ['SET', key(), value],
      ['GET', key()],
      ['GET', key()],
      ['GET', key()],
      ['EXEC'],
    ]
      .map((words) => requestText(words))
      .join(''),
  );
  return Buffer.from(transactions.join(''));
}
