/**
 * A client that uses a server as a cache is used: it reads keys in pipelines, and writes those that it did not find.
 */
import type { Socket } from 'node:net';
import { createReplyScanner, REPLY_FULL, REPLY_HIT, scanReplies } from './cache-replies.ts';
import { nameOfKey } from './cache-simulation.ts';
import type { Workload } from './cache-workloads.ts';
import { openClient } from './client.ts';
import { keyRequests } from './key-requests.ts';
import type { Protocol } from './peers.ts';

/** What the reads found, from the read `countedFrom` on; `refused`: writes that found no memory, of all. */
export type CacheAsideResult = { readonly reads: number; readonly hits: number; readonly refused: number };

type CacheAsidePlan = { readonly port: number; readonly protocol: Protocol; readonly countedFrom: number };

/** Reads that are under way together. */
const BATCH_READS = 256;

/** Sends so many reads, and a write after each miss. Returns how many of the reads hit. */
export async function readThroughServer(port: number, workload: Workload, reads: number): Promise<number> {
  return (await readThrough({ port, protocol: 'resp', countedFrom: 0 }, workload, reads)).hits;
}

/** As `readThroughServer`, for either protocol; counts after a warm-up. */
export async function readThrough(
  { port, protocol, countedFrom }: CacheAsidePlan,
  workload: Workload,
  reads: number,
): Promise<CacheAsideResult> {
  const socket = await openClient(port);
  const replies = collectReplies(socket, protocol);
  const requests = keyRequests(protocol);
  const counts = { reads: 0, hits: 0, refused: 0 };
  try {
    for (let read = 0; read < reads; read += BATCH_READS) {
      const keys = Array.from({ length: Math.min(BATCH_READS, reads - read) }, () => workload.next());
      socket.write(keys.map((key) => requests.get(nameOfKey(key))).join(''), 'latin1');
      const found = await replies(keys.length);
      const missed = keys.filter((_, index) => found[index] !== REPLY_HIT);
      if (read >= countedFrom) {
        counts.reads += keys.length;
        counts.hits += keys.length - missed.length;
      }
      if (missed.length === 0) continue;
      const writes = missed.map((key) => requests.set(nameOfKey(key), valueFor(workload, key), 0));
      socket.write(writes.join(''), 'latin1');
      counts.refused += (await replies(missed.length)).filter((reply) => reply === REPLY_FULL).length;
    }
    return counts;
  } finally {
    socket.destroy();
  }
}

function valueFor({ bytesOf }: Workload, key: number): string {
  return 'x'.repeat(bytesOf(key));
}

/** Resolves to what each of the next `count` replies is. Rejects when the server answers something else, or goes. */
function collectReplies(socket: Socket, protocol: Protocol): (count: number) => Promise<number[]> {
  const scanner = createReplyScanner(protocol);
  let found: number[] = [];
  let failure: Error | undefined;
  let wake: (() => void) | undefined;
  socket.on('data', (chunk: Buffer) => {
    try {
      scanReplies(scanner, chunk, found);
    } catch (error) {
      failure ??= error as Error;
    }
    wake?.();
  });
  socket.on('close', () => {
    failure ??= new Error('the server closed the connection');
    wake?.();
  });
  return async (count) => {
    while (found.length < count) {
      if (failure !== undefined) throw failure;
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
    }
    const taken = found;
    found = [];
    return taken;
  };
}
