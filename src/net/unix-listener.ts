/**
 * The Unix socket: a door of worker 0's own, because a Unix connection cannot be handed to another thread.
 *
 * Owns the socket's file, which goes when the listener is closed or its thread ends.
 */
import { createServer, type Server, type Socket } from 'node:net';
import { StartError } from '../base/errors.ts';
import { removeStaleSocket, setPermissions } from '../durability/storage.ts';
import { openAllCounters, sumCounter } from '../metrics/counters.ts';
import { CONNECTIONS_OPEN, CONNECTIONS_REFUSED } from '../metrics/names.ts';
import { MAIN_THREAD_ID, TOPIC_ACCEPTED } from '../threads/boot.ts';
import { type Bus, publishTo } from '../threads/bus.ts';
import { TOO_MANY_CLIENTS } from './admission.ts';
import { listenFailureText } from './bind-address.ts';
import type { Serving } from './serving.ts';
import { adoptSocket } from './turn.ts';

/**
 * Listens on the path of `unixsocket`, taking the place of what a dead server left there; undefined where it is empty.
 * Connections are served on this thread, and main is told of them. Throws a StartError.
 */
export async function startUnixListener(serving: Serving, bus: Bus): Promise<Server | undefined> {
  const { config, allCounters, counters, log } = serving.engine;
  if (config.unixsocket === '') return undefined;
  const threads = openAllCounters(allCounters);
  const server = createServer({ pauseOnConnect: true }, (socket) => {
    if (sumCounter(threads, CONNECTIONS_OPEN) >= config.maxclients) {
      counters[CONNECTIONS_REFUSED] += 1;
      refuse(socket);
    } else {
      publishTo(bus, MAIN_THREAD_ID, TOPIC_ACCEPTED, null);
      adoptSocket(serving, socket, true);
    }
  });
  try {
    removeStaleSocket(config.unixsocket);
    await listening(server, config.unixsocket, config.tcpBacklog);
    if (config.unixsocketperm !== 0) setPermissions(config.unixsocket, config.unixsocketperm);
  } catch (error) {
    server.close();
    const reason = listenFailureText(error);
    throw new StartError(`cannot listen on the Unix socket '${config.unixsocket}': ${reason}`, 1);
  }
  server.on('error', (error) => log.error('Unix connections cannot be accepted', error));
  return server;
}

function listening(server: Server, path: string, backlog: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen({ path, backlog }, () => {
      server.off('error', reject);
      resolve();
    });
  });
}

function refuse(socket: Socket): void {
  socket.on('error', () => socket.destroy());
  socket.end(TOO_MANY_CLIENTS, () => socket.destroy());
}
