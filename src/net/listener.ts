/**
 * The doors of the server: accepts TCP connections on the main thread, turns away those that may not come in, and hands
 * each other one, fresh and unread, to a worker.
 *
 * Everything about a connection that needs the whole process in view (limits, protected mode, balance) happens here;
 * nothing is ever read here.
 */
import { createServer, type Server, type Socket } from 'node:net';
import { StartError } from '../base/errors.ts';
import type { Config } from '../config/config.ts';
import { ACCEPT_TROUBLE_LOG_MS } from '../config/limits.ts';
import { CONNECTIONS_REFUSED } from '../metrics/names.ts';
import type { Log } from '../threads/log.ts';
import { refusalOf, refusalOfMore } from './admission.ts';
import {
  addressText,
  type BindAddress,
  listenFailureText,
  mayBeMissing,
  parseBindAddress,
} from './bind-address.ts';

export type ListenerOptions = {
  /** Read at each connection, so that CONFIG SET acts at once. */
  readonly config: Config;
  /** Main's section. */
  readonly counters: Float64Array;
  readonly log: Log;
  readonly monotonicMs: () => number;
  /** Whether clients have to log in, or could not: then strangers may come in protected mode, too. */
  readonly hasPassword: () => boolean;
  /** All connections of the process. */
  readonly openConnections: () => number;
  /** Takes the socket over; false (socket untouched) where nobody can. `isEncrypted`: TLS is spoken on it. */
  readonly handOver: (socket: Socket, isEncrypted: boolean) => boolean;
};

export type Listener = {
  readonly options: ListenerOptions;
  readonly port: number;
  readonly isEncrypted: boolean;
  readonly servers: Server[];
  quietUntilMs: number;
};

/** What a client is told in the moments when no worker lives. */
const NO_WORKER = '-ERR no worker can serve this connection now\r\n';
const MS_PER_SECOND = 1000;

/**
 * Listens on every address of `bind`; on none for port 0. Throws a StartError, with nothing left open, where one cannot be
 * had that must, or where no address is left.
 */
export function startListener(options: ListenerOptions): Promise<Listener> {
  return startOn({ options, port: options.config.port, isEncrypted: false, servers: [], quietUntilMs: 0 });
}

/** The same for `tls-port`. */
export function startTlsListener(options: ListenerOptions): Promise<Listener> {
  return startOn({ options, port: options.config.tlsPort, isEncrypted: true, servers: [], quietUntilMs: 0 });
}

async function startOn(listener: Listener): Promise<Listener> {
  const { options, port, servers } = listener;
  if (port === 0) return listener;
  try {
    for (const word of options.config.bind) await listenOn(listener, parseBindAddress(word));
    if (servers.length === 0) {
      throw new StartError(
        `cannot listen on port ${port}: this machine has none of the addresses of bind`,
        1,
      );
    }
  } catch (error) {
    await stopListener(listener);
    throw error;
  }
  return listener;
}

/** Accepts no more. Connections that were handed over go on. */
export async function stopListener(listener: Listener): Promise<void> {
  await Promise.all(
    listener.servers.splice(0).map((server) => new Promise((resolve) => server.close(resolve))),
  );
}

async function listenOn(listener: Listener, address: BindAddress): Promise<void> {
  const { config, log } = listener.options;
  const { port } = listener;
  const { host } = address;
  const server = createServer({ pauseOnConnect: true, noDelay: true }, (socket) => admit(listener, socket));
  try {
    // An IPv6 address is never IPv4 as well: whoever wants both says `* ::*`.
    await listening(server, { host, port, backlog: config.tcpBacklog, ipv6Only: true });
  } catch (error) {
    const text = `cannot listen on ${addressText(host, port)}: ${listenFailureText(error)}`;
    if (!mayBeMissing(address, error)) throw new StartError(text, 1);
    log.verbose(text);
    return;
  }
  server.on('error', (error) => reportTrouble(listener, error));
  listener.servers.push(server);
}

function listening(server: Server, options: Parameters<Server['listen']>[0]): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(options, () => {
      server.off('error', reject);
      resolve();
    });
  });
}

function admit(listener: Listener, socket: Socket): void {
  const { config, hasPassword, openConnections, handOver } = listener.options;
  // A peer that resets before the socket is handed over, or while it is told no, is no trouble of ours.
  socket.on('error', () => socket.destroy());
  // Nothing can be said before the handshake: the worker turns strangers away behind it.
  const refusal = listener.isEncrypted
    ? refusalOfMore(config, openConnections())
    : refusalOf(config, hasPassword(), openConnections(), socket.remoteAddress);
  if (refusal !== undefined) {
    refuse(listener, socket, refusal);
    return;
  }
  if (config.tcpKeepalive > 0) socket.setKeepAlive(true, config.tcpKeepalive * MS_PER_SECOND);
  try {
    if (!handOver(socket, listener.isEncrypted)) refuse(listener, socket, NO_WORKER);
  } catch (error) {
    socket.destroy();
    reportTrouble(listener, error);
  }
}

function refuse(listener: Listener, socket: Socket, text: string): void {
  listener.options.counters[CONNECTIONS_REFUSED] += 1;
  if (listener.isEncrypted) socket.destroy();
  else socket.end(text, () => socket.destroy());
}

/** Above all: no file descriptors left. The kernel keeps the others waiting, or they are closed at once. */
function reportTrouble(listener: Listener, error: unknown): void {
  const nowMs = listener.options.monotonicMs();
  if (nowMs < listener.quietUntilMs) return;
  listener.quietUntilMs = nowMs + ACCEPT_TROUBLE_LOG_MS;
  listener.options.log.error('connections cannot be accepted', error);
}
