/**
 * The doors of a worker: connections come from main, plain or to be encrypted, and on worker 0 through the Unix socket.
 *
 * Opened when the worker can serve, and closed, without an end to who is in, when it stops.
 */
import type { Server, Socket } from 'node:net';
import type { Bus } from '../threads/bus.ts';
import type { Serving } from './serving.ts';
import { admitTlsSocket, closeTlsDoor, openTlsDoor, type TlsDoor } from './tls-door.ts';
import { adoptSocket } from './turn.ts';
import { startUnixListener } from './unix-listener.ts';

export type Doors = {
  readonly serving: Serving;
  readonly tlsDoor: TlsDoor;
  readonly unixListener: Server | undefined;
};

/** Throws a StartError where the Unix socket cannot be had. */
export async function openDoors(serving: Serving, bus: Bus, monotonicMs: () => number): Promise<Doors> {
  const hasUnixSocket = serving.engine.workerIndex === 0;
  const unixListener = hasUnixSocket ? await startUnixListener(serving, bus) : undefined;
  return { serving, unixListener, tlsDoor: await openTlsDoor(serving, bus, monotonicMs) };
}

/** Takes a connection that main has accepted, fresh and unread. */
export function takeSocket({ serving, tlsDoor }: Doors, socket: Socket, isEncrypted: boolean): void {
  if (isEncrypted) admitTlsSocket(tlsDoor, socket);
  else adoptSocket(serving, socket, false);
}

/** Nobody comes in any more. */
export function closeDoors({ unixListener, tlsDoor }: Doors): void {
  unixListener?.close();
  closeTlsDoor(tlsDoor);
}
