/**
 * A run of the protocol fuzzer against a server: many connections at once send what `requests.ts` draws, in pieces of any
 * length, while a client that behaves must go on getting its answers.
 */
import { Buffer } from 'node:buffer';
import { connect } from 'node:net';
import { createRandom, type Random } from '../seeded-random.ts';
import { openWire } from '../wire.ts';
import { createReplyStream, takeBytes } from './reply-stream.ts';
import { drawBytes } from './requests.ts';

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
/** A client that behaves is answered within this time, whatever the others send. */
const PING_MS_MAX = 5_000;
/** How long a conversation may stay open after its last byte, while the server sends nothing. */
const QUIET_MS = 50;
const SEEDS_PER_CONNECTION = 100_000;
const PROBE_KEY = 'a client that behaves';

/** Resolves when all conversations have ended. */
export async function runFuzz(plan: FuzzPlan): Promise<FuzzReport> {
  const totals = { sentBytes: 0, replies: 0, pings: 0, findings: [] as string[] };
  let isOver = false;
  const connections = Array.from({ length: plan.connections }, async (_, index) => {
    for (let round = 0; round < plan.conversations; round += 1) {
      const seed = plan.seed + index * SEEDS_PER_CONNECTION + round;
      const outcome = await converse(plan.port, createRandom(seed));
      totals.sentBytes += outcome.sentBytes;
      totals.replies += outcome.replies;
      if (outcome.finding !== undefined) totals.findings.push(`seed ${seed}: ${outcome.finding}`);
    }
  });
  const watch = watchServer(plan.port, () => isOver);
  await Promise.all(connections);
  isOver = true;
  const { pings, finding } = await watch;
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
    const end = () => {
      if (isAbrupt) socket.resetAndDestroy();
      else socket.destroy();
    };
    const send = () => {
      if (at >= bytes.length || socket.destroyed) {
        quiet = setTimeout(end, QUIET_MS);
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
      outcome.replies = stream.count;
      outcome.finding ??= stream.internalErrors[0];
      resolve(outcome);
    });
  });
}

/** A client that behaves: its pings are answered in time, and a key that only it knows is never another's. */
async function watchServer(
  port: number,
  isOver: () => boolean,
): Promise<{ pings: number; finding?: string }> {
  const wire = await openWire(port);
  let pings = 0;
  try {
    while (!isOver()) {
      const value = `${pings}`;
      const asked = (async () => {
        await wire.ask('SET', PROBE_KEY, value);
        const found = await wire.ask('GET', PROBE_KEY);
        // Others may empty the database, and swap it with another, but nobody knows this key.
        if (found !== value && found !== null && !(Number(found) < pings))
          throw new Error(`GET answered ${String(found)}`);
        return wire.ask('PING');
      })();
      const answer = await Promise.race([asked, late()]);
      if (answer !== '+PONG')
        return { pings, finding: `a client that behaves was answered ${String(answer)}` };
      pings += 1;
    }
    return { pings };
  } catch (error) {
    return { pings, finding: `a client that behaves: ${(error as Error).message}` };
  } finally {
    wire.close();
  }
}

function late(): Promise<string> {
  return new Promise((resolve) => {
    setTimeout(resolve, PING_MS_MAX, `nothing within ${PING_MS_MAX} ms`).unref();
  });
}
