/**
 * A run of the protocol fuzzer against a server: many connections at once send what `requests.ts` draws, in pieces of any
 * length, while a client that behaves must go on getting its answers.
 */
import { Buffer } from 'node:buffer';
import { connect } from 'node:net';
import { Worker } from 'node:worker_threads';
import { createRandom, type Random } from '../seeded-random.ts';
import { createReplyStream, takeBytes } from './reply-stream.ts';
import { drawBytes } from './requests.ts';
import type { WatchReport } from './watch-thread.ts';

export type FuzzPlan = {
  readonly port: number;
  readonly seed: number;
  readonly connections: number;
  /** Conversations of each connection: it is opened anew for each. */
  readonly conversations: number;
};

export type FuzzReport = {
  readonly sentBytes: number;
  readonly replies: number;
  readonly pings: number;
  /** What was wrong, with the seed of the conversation; none when all is well. */
  readonly findings: readonly string[];
};

const PIECES_MAX = 12;
const PIECE_BYTES_MAX = 200;
/** How long a conversation stays open after its last byte: while the server sends nothing, and at the most (it may watch others). */
const QUIET_MS = 50;
const LISTENING_MS_MAX = 300;
const SEEDS_PER_CONNECTION = 100_000;
const WATCH = new URL('./watch-thread.ts', import.meta.url);

/** Resolves when all conversations have ended. */
export async function runFuzz(plan: FuzzPlan): Promise<FuzzReport> {
  const totals = { sentBytes: 0, replies: 0, pings: 0, findings: [] as string[] };
  const connections = Array.from({ length: plan.connections }, async (_, index) => {
    for (let round = 0; round < plan.conversations; round += 1) {
      const seed = plan.seed + index * SEEDS_PER_CONNECTION + round;
      const outcome = await converse(plan.port, createRandom(seed));
      totals.sentBytes += outcome.sentBytes;
      totals.replies += outcome.replies;
      if (outcome.finding !== undefined) totals.findings.push(`seed ${seed}: ${outcome.finding}`);
    }
  });
  const watch = startWatch(plan.port);
  await Promise.all(connections);
  const { pings, finding } = await watch.end();
  totals.pings = pings;
  if (finding !== undefined) totals.findings.push(finding);
  return totals;
}

type Outcome = { sentBytes: number; replies: number; finding: string | undefined };

function converse(port: number, random: Random): Promise<Outcome> {
  const outcome: Outcome = { sentBytes: 0, replies: 0, finding: undefined };
  const stream = createReplyStream();
  const bytes = Buffer.concat(Array.from({ length: 1 + random(PIECES_MAX) }, () => drawBytes(random)));
  const isAbrupt = random(4) === 0;
  return new Promise((resolve) => {
    const socket = connect({ port, host: '127.0.0.1', noDelay: true });
    let at = 0;
    let quiet: NodeJS.Timeout | undefined;
    let listening: NodeJS.Timeout | undefined;
    const end = () => {
      if (isAbrupt) socket.resetAndDestroy();
      else socket.destroy();
    };
    const send = () => {
      if (at >= bytes.length || socket.destroyed) {
        quiet = setTimeout(end, QUIET_MS);
        listening = setTimeout(end, LISTENING_MS_MAX);
        return;
      }
      const piece = bytes.subarray(at, at + 1 + random(PIECE_BYTES_MAX));
      at += piece.length;
      outcome.sentBytes += piece.length;
      socket.write(piece, () => setImmediate(send));
    };
    socket.on('connect', send);
    socket.on('data', (chunk: Buffer) => {
      quiet?.refresh();
      try {
        takeBytes(stream, chunk);
      } catch (error) {
        outcome.finding ??= (error as Error).message;
        socket.destroy();
      }
    });
    socket.on('error', () => undefined);
    socket.on('close', () => {
      clearTimeout(quiet);
      clearTimeout(listening);
      outcome.replies = stream.count;
      outcome.finding ??= stream.internalErrors[0];
      resolve(outcome);
    });
  });
}

/** A client that behaves, on a thread of its own: what comes back to the others must not keep it from reading. */
function startWatch(port: number): { end: () => Promise<WatchReport> } {
  const thread = new Worker(WATCH, { workerData: { port } });
  const report = new Promise<WatchReport>((resolve, reject) => {
    thread.once('message', resolve);
    thread.once('error', reject);
  });
  return {
    end: () => {
      thread.postMessage('end');
      return report;
    },
  };
}
