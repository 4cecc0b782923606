/**
 * The load of messages: one connection that publishes, several at a time, and so many that listen. The next are published when every
 * listener has the last ones.
 *
 * All messages are of one length, so that what is due to each connection is so many bytes: they are counted, not read.
 */
import type { Socket } from 'node:net';
import { askOver, openClient, requestText } from './client.ts';
import { type Peer, type RunningPeer, withPeer } from './peers.ts';
import { cpuSecondsOf } from './proc.ts';
import { inRounds } from './rounds.ts';
import { quantileOf, type Spread, spreadOf } from './statistics.ts';

export type PublishLoad = {
  readonly subscribers: number;
  /** Messages that are on their way at a time. */
  readonly pipeline: number;
  readonly seconds: number;
  readonly rounds: number;
};

type Measured = { perSecond: number; p50Ms: number; p99Ms: number; cpuUs: number };

/** Messages published in a second, how long until every listener has them, and processor time for each that arrives. */
export type PublishRow = { readonly server: string } & Record<keyof Measured, Spread>;

const CHANNEL = 'news';
const BODY = 'x'.repeat(64);
const MS_PER_SECOND = 1000;
const US_PER_SECOND = 1e6;
const WARM_UP_SHARE = 0.3;

const MESSAGE_BYTES = requestText(['message', CHANNEL, BODY]).length;

/** Measures the servers in turn, each with fresh processes in each round. */
export async function measurePublish(peers: readonly Peer[], load: PublishLoad): Promise<PublishRow[]> {
  const about = `PUBLISH to ${load.subscribers} at P=${load.pipeline}`;
  const results = await inRounds(peers, load.rounds, about, (peer) =>
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

async function measurePeer({ port, pid }: RunningPeer, load: PublishLoad): Promise<Measured> {
  const publisher = await openClient(port);
  const listeners: Socket[] = [];
  for (let i = 0; i < load.subscribers; i += 1) {
    const listener = await openClient(port);
    await askOver(listener, 'SUBSCRIBE', CHANNEL);
    listeners.push(listener);
  }
  const publish = createPublish(publisher, listeners, load.pipeline);
  await repeat(publish, load.seconds * WARM_UP_SHARE);
  const cpuBefore = cpuSecondsOf(pid);
  const startMs = performance.now();
  const tookMs = await repeat(publish, load.seconds);
  const seconds = (performance.now() - startMs) / MS_PER_SECOND;
  const messages = tookMs.length * load.pipeline;
  for (const socket of [publisher, ...listeners]) socket.removeAllListeners('close').destroy();
  return {
    perSecond: messages / seconds,
    p50Ms: quantileOf(tookMs, 0.5),
    p99Ms: quantileOf(tookMs, 0.99),
    cpuUs: ((cpuSecondsOf(pid) - cpuBefore) * US_PER_SECOND) / (messages * load.subscribers),
  };
}

/** What publishes one batch, and resolves when all listeners have it and the publisher its replies. */
function createPublish(
  publisher: Socket,
  listeners: readonly Socket[],
  pipeline: number,
): () => Promise<void> {
  const batch = Buffer.from(requestText(['PUBLISH', CHANNEL, BODY]).repeat(pipeline));
  const replyBytes = pipeline * `:${listeners.length}\r\n`.length;
  const dueBytes = replyBytes + listeners.length * pipeline * MESSAGE_BYTES;
  let missingBytes = 0;
  let done = () => {};
  let fail = (_: Error) => {};
  for (const socket of [publisher, ...listeners]) {
    socket.on('close', () => fail(new Error('the server closed a connection')));
    socket.on('data', (chunk) => {
      missingBytes -= chunk.length;
      if (missingBytes < 0) fail(new Error('more bytes came than are due'));
      else if (missingBytes === 0) done();
    });
  }
  return () =>
    new Promise((resolve, reject) => {
      done = resolve;
      fail = reject;
      missingBytes = dueBytes;
      publisher.write(batch);
    });
}

/** How long each batch took. */
async function repeat(publish: () => Promise<void>, seconds: number): Promise<number[]> {
  const endMs = performance.now() + seconds * MS_PER_SECOND;
  const tookMs: number[] = [];
  for (let startMs = performance.now(); startMs < endMs; ) {
    await publish();
    const nowMs = performance.now();
    tookMs.push(nowMs - startMs);
    startMs = nowMs;
  }
  return tookMs;
}
