/**
 * What the clients of a worker keep in memory: their unread output, their unexecuted requests and their transactions; and who goes
 * when all clients of the process together have more than `maxmemory-clients`.
 *
 * Runs on the worker, several times a second, and when there is much more to keep. Each worker sees by the counters what the others have, and lets its own share of what
 * is too much go, its largest clients first: so nobody has to be asked, and it is soon enough.
 */
import { clientBytes } from '../commands/client-list.ts';
import type { Config } from '../config/config.ts';
import { CLIENT_MEMORY_CHECK_BYTES, MAXMEMORY_CLIENTS_BYTES_MIN } from '../config/limits.ts';
import { openAllCounters, sumCounter } from '../metrics/counters.ts';
import {
  CLIENT_INPUT_BYTES_MAX,
  CLIENT_OUTPUT_BYTES_MAX,
  CLIENTS_BYTES,
  CLIENTS_EVICTED,
} from '../metrics/names.ts';
import type { Connection, Serving } from './serving.ts';

const PERCENT = 100;

/** The bytes that all clients together may have, Infinity where there is no limit. Never so few that nobody can be served. */
export function clientsBytesMax({
  maxmemoryClients,
  maxmemory,
}: Pick<Config, 'maxmemoryClients' | 'maxmemory'>): number {
  if (maxmemoryClients === '0') return Infinity;
  const isShare = maxmemoryClients.endsWith('%');
  const bytes = isShare
    ? (maxmemory / PERCENT) * Number(maxmemoryClients.slice(0, -1))
    : Number(maxmemoryClients);
  return Math.max(MAXMEMORY_CLIENTS_BYTES_MIN, bytes);
}

/** Looks at once where this worker's clients have got so much more to keep since the last look that they may be over the bound. */
export function checkIfMuchKept(serving: Serving): void {
  if (serving.keptBytes > CLIENT_MEMORY_CHECK_BYTES) checkClientMemory(serving);
}

/** Looks at all clients of this worker, and closes those that have to go. O(clients). */
export function checkClientMemory(serving: Serving): void {
  const { config, counters, allCounters } = serving.engine;
  const ownBytes = noteClients(serving);
  serving.keptBytes = 0;
  const bytesMax = clientsBytesMax(config);
  if (bytesMax === Infinity) return;
  const totalBytes = sumCounter(openAllCounters(allCounters), CLIENTS_BYTES);
  if (totalBytes <= bytesMax) return;
  const freed = evictClients(serving, (totalBytes - bytesMax) * (ownBytes / totalBytes));
  counters[CLIENTS_BYTES] -= freed;
}

/** Counts what they have; returns the sum. */
function noteClients({ engine, connections }: Serving): number {
  let bytes = 0;
  let inputBytesMax = 0;
  let outputBytesMax = 0;
  for (const { session, socket } of connections.values()) {
    const { connection } = session;
    // Let go already: its end is on its way.
    if (socket.destroyed) continue;
    bytes += clientBytes(session);
    inputBytesMax = Math.max(
      inputBytesMax,
      connection.queryBufferBytes() + connection.queryBufferFreeBytes(),
    );
    outputBytesMax = Math.max(outputBytesMax, connection.outputBytes());
  }
  engine.counters[CLIENTS_BYTES] = bytes;
  engine.counters[CLIENT_INPUT_BYTES_MAX] = inputBytesMax;
  engine.counters[CLIENT_OUTPUT_BYTES_MAX] = outputBytesMax;
  return bytes;
}

/** Closes the largest clients that may go, until so many bytes are free; returns how many are. */
function evictClients({ engine, connections }: Serving, bytesWanted: number): number {
  const candidates: [bytes: number, connection: Connection][] = [];
  for (const connection of connections.values()) {
    const { session } = connection;
    if (!session.noEvict && !session.closing) candidates.push([clientBytes(session), connection]);
  }
  candidates.sort(([a], [b]) => b - a);
  let freed = 0;
  for (const [bytes, { session, socket }] of candidates) {
    if (freed >= bytesWanted || bytes === 0) break;
    freed += bytes;
    engine.counters[CLIENTS_EVICTED] += 1;
    engine.log.notice(
      `client ${session.id} (${session.address}) is closed: ${bytes} bytes, over maxmemory-clients`,
    );
    session.closing = true;
    socket.destroy();
  }
  return freed;
}
