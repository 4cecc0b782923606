/**
 * A client that uses a server as a cache is used: it reads keys in pipelines, and writes those that it did not find.
 */
import type { Socket } from 'node:net';
import { nameOfKey } from './cache-simulation.ts';
import type { Workload } from './cache-workloads.ts';
import { openClient, requestText } from './client.ts';

/** Reads that are under way together. */
const BATCH_READS = 256;

const CARRIAGE_RETURN = 13;
const DOLLAR = 36;
const LINE_END_BYTES = 2;

/** Sends so many reads, and a write after each miss. Returns how many of the reads hit. */
export async function readThroughServer(port: number, workload: Workload, reads: number): Promise<number> {
  const socket = await openClient(port);
  const replies = collectReplies(socket);
  let hits = 0;
  try {
    for (let read = 0; read < reads; read += BATCH_READS) {
      const keys = Array.from({ length: Math.min(BATCH_READS, reads - read) }, () => workload.next());
      socket.write(keys.map((key) => requestText(['GET', nameOfKey(key)])).join(''));
      const found = await replies(keys.length);
      const missed = keys.filter((_, index) => !found[index]);
      hits += keys.length - missed.length;
      if (missed.length === 0) continue;
      socket.write(
        missed.map((key) => requestText(['SET', nameOfKey(key), valueFor(workload, key)])).join(''),
      );
      await replies(missed.length);
    }
    return hits;
  } finally {
    socket.destroy();
  }
}

function valueFor({ bytesOf }: Workload, key: number): string {
  return 'x'.repeat(bytesOf(key));
}

/** Resolves to whether each of the next `count` replies is something; a null is not. */
function collectReplies(socket: Socket): (count: number) => Promise<boolean[]> {
  let bytes: Buffer = Buffer.alloc(0);
  let wake: (() => void) | undefined;
  socket.on('data', (chunk: Buffer) => {
    bytes = bytes.length === 0 ? chunk : Buffer.concat([bytes, chunk]);
    wake?.();
  });
  return async (count) => {
    const found: boolean[] = [];
    while (found.length < count) {
      const end = replyEnd(bytes);
      if (end < 0) {
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
        continue;
      }
      found.push(!(bytes[0] === DOLLAR && bytes[1] === '-'.charCodeAt(0)));
      bytes = bytes.subarray(end);
    }
    return found;
  };
}

/** Where the first reply, a line or a bulk string, ends; -1 while bytes of it are missing. */
function replyEnd(bytes: Buffer): number {
  const lineEnd = bytes.indexOf(CARRIAGE_RETURN);
  if (lineEnd < 0 || lineEnd + LINE_END_BYTES > bytes.length) return -1;
  const bulkBytes = bytes[0] === DOLLAR ? Number(bytes.toString('latin1', 1, lineEnd)) : -1;
  const end = lineEnd + LINE_END_BYTES + (bulkBytes < 0 ? 0 : bulkBytes + LINE_END_BYTES);
  return end <= bytes.length ? end : -1;
}
