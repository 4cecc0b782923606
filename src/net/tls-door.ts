/**
 * TLS on a worker: the handshakes of the connections that main hands over unread, and then connections like any other.
 *
 * One `TlsDoor` per worker. The material comes from main (tls-keeper.ts) and is good for the handshakes that begin after it. A
 * server of the runtime that listens nowhere does the work: it is given the sockets. A handshake takes about a millisecond of
 * this thread, so few are begun in one turn and the others wait unread; all are bounded in number and in time.
 */
import type { Socket } from 'node:net';
import { createServer, type Server, type TLSSocket } from 'node:tls';
import { defaultUser } from '../commands/acl-access.ts';
import {
  TLS_HANDSHAKE_CHECK_MS,
  TLS_HANDSHAKE_MS_MAX,
  TLS_HANDSHAKES_MAX,
  TLS_HANDSHAKES_PER_TURN,
} from '../config/limits.ts';
import type { TlsMaterial } from '../config/tls-files.ts';
import {
  CONNECTIONS_ACCEPTED,
  CONNECTIONS_CLOSED,
  CONNECTIONS_REFUSED,
  TLS_HANDSHAKES,
  TLS_HANDSHAKES_FAILED,
  TLS_HANDSHAKES_OPEN,
} from '../metrics/names.ts';
import { MAIN_THREAD_ID } from '../threads/boot.ts';
import { type Bus, handleTopic, requestFrom } from '../threads/bus.ts';
import { refusalOfStranger } from './admission.ts';
import type { Serving } from './serving.ts';
import { mayEnter, tlsOptionsOf } from './tls-context.ts';
import { adoptTlsSocket } from './turn.ts';

/** Main to all, with a TlsIssue; and worker to main at its start, without payload. Reply to that: a TlsIssue or null. */
export const TOPIC_TLS_MATERIAL = 'tls-material';
export const TOPIC_TLS_MATERIAL_WANTED = 'tls-material-wanted';

/** Material and its number: the later the higher. */
export type TlsIssue = { readonly number: number; readonly material: TlsMaterial };

export type TlsDoor = {
  readonly serving: Serving;
  readonly monotonicMs: () => number;
  /** Undefined while main has none. */
  server: Server | undefined;
  issueNumber: number;
  /** By the addresses of both ends, oldest first. */
  readonly handshakes: Map<string, Handshake>;
  /** Those of them that have not begun, oldest first. */
  readonly waiting: Handshake[];
  isBeginDue: boolean;
  readonly timer: NodeJS.Timeout;
};

type Handshake = { readonly socket: Socket; readonly sinceMs: number };

/** Gets the present material from main, and whatever comes after it. */
export async function openTlsDoor(serving: Serving, bus: Bus, monotonicMs: () => number): Promise<TlsDoor> {
  const door = createTlsDoor(serving, monotonicMs);
  handleTopic<TlsIssue>(bus, TOPIC_TLS_MATERIAL, (issue) => applyTlsIssue(door, issue));
  const issue = await requestFrom<TlsIssue | null>(bus, MAIN_THREAD_ID, TOPIC_TLS_MATERIAL_WANTED, null);
  if (issue) applyTlsIssue(door, issue);
  return door;
}

export function createTlsDoor(serving: Serving, monotonicMs: () => number): TlsDoor {
  const door: TlsDoor = {
    serving,
    monotonicMs,
    server: undefined,
    issueNumber: 0,
    handshakes: new Map(),
    waiting: [],
    isBeginDue: false,
    timer: setInterval(() => dropLate(door), TLS_HANDSHAKE_CHECK_MS),
  };
  door.timer.unref();
  return door;
}

/** Puts the material in force for handshakes that begin from now on; main has checked it. */
export function applyTlsIssue(door: TlsDoor, { number, material }: TlsIssue): void {
  // An answer to the first question may come behind what was told since.
  if (number <= door.issueNumber) return;
  door.issueNumber = number;
  const server = createServer(tlsOptionsOf(material));
  server.on('secureConnection', (socket) => finish(door, socket, material));
  // What is wrong is the client's affair; that its socket closes is heard of all the same.
  server.on('tlsClientError', (_error, socket) => void socket.destroy());
  door.server = server;
}

/** Begins, soon, the handshake of a connection that was accepted and not yet read from. */
export function admitTlsSocket(door: TlsDoor, socket: Socket): void {
  const handshake = { socket, sinceMs: door.monotonicMs() };
  const ends = endsOf(socket);
  socket.on('error', () => undefined);
  socket.once('close', () => fail(door, ends, handshake));
  // The other end may stop sending before it has read everything.
  socket.allowHalfOpen = true;
  door.handshakes.set(ends, handshake);
  door.waiting.push(handshake);
  noteOpen(door);
  // Who has waited longest is the least likely to be in earnest.
  if (door.handshakes.size > TLS_HANDSHAKES_MAX) dropOldest(door);
  scheduleBegin(door);
}

/** Breaks off what has not come in. */
export function closeTlsDoor(door: TlsDoor): void {
  clearInterval(door.timer);
  while (door.handshakes.size > 0) dropOldest(door);
}

/** Breaks off the handshakes that take too long. */
export function dropLate(door: TlsDoor): void {
  const latestMs = door.monotonicMs() - TLS_HANDSHAKE_MS_MAX;
  for (const { sinceMs } of [...door.handshakes.values()]) {
    if (sinceMs > latestMs) break;
    dropOldest(door);
  }
}

function scheduleBegin(door: TlsDoor): void {
  if (door.isBeginDue) return;
  door.isBeginDue = true;
  setImmediate(beginSome, door);
}

function beginSome(door: TlsDoor): void {
  door.isBeginDue = false;
  for (let begun = 0; begun < TLS_HANDSHAKES_PER_TURN && door.waiting.length > 0; ) {
    const { socket } = door.waiting.shift() as Handshake;
    if (socket.destroyed) continue;
    begun += 1;
    if (door.server === undefined) socket.destroy();
    else door.server.emit('connection', socket);
  }
  if (door.waiting.length > 0) scheduleBegin(door);
}

function finish(door: TlsDoor, socket: TLSSocket, material: TlsMaterial): void {
  const { counters, config, access } = door.serving.engine;
  const ends = endsOf(socket);
  // Broken off in this very moment.
  if (!door.handshakes.has(ends) || !mayEnter(socket, material)) {
    socket.destroy();
    return;
  }
  door.handshakes.delete(ends);
  noteOpen(door);
  counters[TLS_HANDSHAKES] += 1;
  const refusal = refusalOfStranger(config, !defaultUser(access).needsNoPassword, socket.remoteAddress);
  if (refusal === undefined) {
    adoptTlsSocket(door.serving, socket);
    return;
  }
  counters[CONNECTIONS_REFUSED] += 1;
  countLost(door);
  socket.on('error', () => socket.destroy());
  socket.end(refusal, () => socket.destroy());
}

/** Nothing where it has come to its end. */
function fail(door: TlsDoor, ends: string, handshake: Handshake): void {
  if (door.handshakes.get(ends) !== handshake) return;
  door.handshakes.delete(ends);
  noteOpen(door);
  door.serving.engine.counters[TLS_HANDSHAKES_FAILED] += 1;
  countLost(door);
}

/** Main counts what it has handed over until it is closed. */
function countLost({ serving }: TlsDoor): void {
  serving.engine.counters[CONNECTIONS_ACCEPTED] += 1;
  serving.engine.counters[CONNECTIONS_CLOSED] += 1;
}

function noteOpen({ serving, handshakes }: TlsDoor): void {
  serving.engine.counters[TLS_HANDSHAKES_OPEN] = handshakes.size;
}

/** At once, for more may come before its socket tells that it has closed. */
function dropOldest(door: TlsDoor): void {
  for (const [ends, handshake] of door.handshakes) {
    fail(door, ends, handshake);
    handshake.socket.destroy();
    return;
  }
}

/** No two open connections have the same ends. */
function endsOf({ localAddress, localPort, remoteAddress, remotePort }: Socket): string {
  return `${localAddress} ${localPort} ${remoteAddress} ${remotePort}`;
}
