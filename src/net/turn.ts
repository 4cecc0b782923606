/**
 * A worker's serving of its connections, turn by turn: take all that is readable, run it, then write once to each socket.
 *
 * One `Serving` per worker. A turn is one pass of its event loop: reads run their commands at once and leave replies in
 * the worker's writer; a check-phase callback then sends every connection its stretch. Also the worker's clockwork:
 * expiry and other housekeeping of its own shards, idle timeouts, soft output limits.
 */
import { Buffer } from 'node:buffer';
import type { Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import { assert } from '../base/assert.ts';
import { bindSession, isOpenToAll } from '../commands/acl-access.ts';
import { endMovedWaits } from '../commands/blocking.ts';
import type { Engine } from '../commands/engine.ts';
import '../commands/families.ts';
import { endWatch, startWatch } from '../commands/latency-monitor.ts';
import { endLostChannels } from '../commands/pubsub.ts';
import { findByName } from '../commands/registry.ts';
import { createSession, type Session, type SessionConnection } from '../commands/session.ts';
import { tellKeyEvents } from '../commands/told-keys.ts';
import {
  CLIENT_MEMORY_CHECK_MS,
  CONNECTION_CHECK_MS,
  HOUSEKEEPING_BURST_MS,
  OUTPUT_BUFFER_BYTES,
  READ_BUFFER_BYTES,
} from '../config/limits.ts';
import { syncNow } from '../durability/log-sync.ts';
import { LOOP_DELAYS_HISTOGRAM, recordLatency } from '../metrics/latencies.ts';
import { CONNECTIONS_ACCEPTED, CONNECTIONS_CLOSED, CONNECTIONS_OPEN, LIMIT_CUTS } from '../metrics/names.ts';
import { GATE_LOADING, gateReasons } from '../resilience/gate.ts';
import { isPausing } from '../resilience/pause.ts';
import { createReplyWriter } from '../resp/reply-writer.ts';
import { createRequest } from '../resp/request-parser.ts';
import { ROLE_OWNER } from '../routing/node-table.ts';
import { slotOfKey } from '../routing/slot.ts';
import { keepHouse } from '../shard/housekeeping.ts';
import { ownsShard } from '../shard/shares.ts';
import { checkClientMemory } from './client-memory.ts';
import { startClockwork, stopClockwork } from './clockwork.ts';
import { deferOutput, proceedLater, receive, receiveEnd, requestBounds } from './connection.ts';
import { sayFarewell } from './farewell.ts';
import { checkOutputLimit, endDirectWrite, endTurn, scheduleTurnEnd, unreadBytes } from './output.ts';
import { createPostponed, forgetPostponed, postponeConnection, servePauses, tickPause } from './postponed.ts';
import { pushOutput } from './push.ts';
import {
  fileDescriptorOf,
  type OnRead,
  openRawSocket,
  openStreamSocket,
  unsentBytesOf,
} from './raw-socket.ts';
import { rehearseWhenLoaded } from './rehearsing.ts';
import { addToPlace, endPlace, openPlace } from './reply-places.ts';
import type { Connection, Serving } from './serving.ts';
import { awaitSlot, createSlotWaits } from './slot-waits.ts';
import { noteHousekeeping } from './turn-log.ts';

const MS_PER_SECOND = 1000;
const NS_PER_MS = 1e6;

/** Who has connected, as it is known at once. */
type Peer = Pick<Session, 'address' | 'localAddress' | 'fileDescriptor' | 'isUnixSocket' | 'isEncrypted'>;

/** Ids stay exact: 2^53 allows for a million generations of 256 workers. */
const CLIENTS_PER_GENERATION = 2 ** 25;

/**
 * Begins to serve on this thread: connections come through `adoptSocket`. `generation` counts the threads that served in
 * this worker's place before, so that no client gets the id of one that they had.
 */
export function startServing(engine: Engine, generation: number): Serving {
  const ping = findByName('ping');
  assert(ping !== undefined, 'the commands are installed');
  const reply = createReplyWriter(OUTPUT_BUFFER_BYTES);
  const serving: Serving = {
    engine,
    ownShards: engine.shards.filter(({ index }) => ownsShard(engine.workerIndex, engine.workerCount, index)),
    readBuffer: Buffer.allocUnsafeSlow(READ_BUFFER_BYTES),
    reply,
    call: {
      engine,
      input: Buffer.alloc(0),
      spans: new Int32Array(0),
      count: 0,
      command: ping,
      session: undefined as unknown as Session,
      reply,
      nowMs: 0,
      isDeferred: false,
      shard: engine.shards[0],
    },
    connections: new Map(),
    dirty: [],
    request: createRequest(),
    pushedBytes: 0,
    joined: undefined,
    spares: [],
    spareBytes: 0,
    nowMs: 0,
    isTurnEndDue: false,
    turnStartMs: 0,
    tickedMs: engine.timing.monotonicMs(),
    clockwork: startClockwork(() => tick(serving)),
    lent: undefined,
    spareOutput: { buffers: [], bytes: 0 },
    isHouseTurnDue: false,
    keptBytes: 0,
    isStopping: false,
    proceedLater,
    log: undefined,
    postponed: createPostponed(),
    slotWaits: createSlotWaits(),
    nextClientNumber: generation * CLIENTS_PER_GENERATION,
    timers: [],
  };
  serving.timers.push(setInterval(() => checkConnections(serving), CONNECTION_CHECK_MS));
  serving.timers.push(setInterval(() => checkBoundMemory(serving), CLIENT_MEMORY_CHECK_MS));
  for (const timer of serving.timers) timer.unref();
  servePauses(serving);
  rehearseWhenLoaded(serving);
  return serving;
}

/** Serves a connection that was accepted and not yet read from. */
export function adoptSocket(serving: Serving, accepted: Socket, isUnixSocket: boolean): void {
  const unixAddress = isUnixSocket ? `${serving.engine.config.unixsocket}:0` : undefined;
  const ends = unixAddress === undefined ? endsOf(accepted) : [unixAddress, unixAddress];
  serveSocket(serving, ends, isUnixSocket, false, (onRead) =>
    openRawSocket(accepted, serving.readBuffer, onRead),
  );
}

/** Serves a connection whose handshake is done, and of which nothing else was read. */
export function adoptTlsSocket(serving: Serving, accepted: TLSSocket): void {
  serveSocket(serving, endsOf(accepted), false, true, (onRead) => openStreamSocket(accepted, onRead));
}

function serveSocket(
  serving: Serving,
  [address, localAddress]: readonly string[],
  isUnixSocket: boolean,
  isEncrypted: boolean,
  open: (onRead: OnRead) => Socket,
): void {
  const { engine } = serving;
  const socket = open((length, bytes) => receive(connection, length, bytes));
  const peer = { address, localAddress, fileDescriptor: fileDescriptorOf(socket), isUnixSocket, isEncrypted };
  const connection = createConnection(serving, socket, peer);
  serving.connections.set(connection.session.id, connection);
  engine.sessions.set(connection.session.id, connection.session);
  engine.counters[CONNECTIONS_ACCEPTED] += 1;
  engine.counters[CONNECTIONS_OPEN] = serving.connections.size;
  socket.on('end', () => receiveEnd(connection));
  // A peer that resets the connection is no event worth a line: 'close' follows.
  socket.on('error', () => undefined);
  socket.on('close', () => forget(connection));
  if (socket.destroyed) forget(connection);
}

/** Stops: what has been answered goes out, then every connection is closed. Resolves when all are. */
export function stopServing(serving: Serving): Promise<void> {
  serving.isStopping = true;
  endTurn(serving);
  // Replies that wait for the disk go out before their connections are closed.
  if (serving.log !== undefined && serving.log.held.size > 0) syncNow(serving.log.writer);
  stopClockwork(serving.clockwork);
  for (const timer of serving.timers) clearInterval(timer);
  const closing = [...serving.connections.values()].map(
    (connection) =>
      new Promise<void>((resolve) => {
        connection.session.closing = true;
        connection.socket.once('close', () => resolve());
        connection.socket.end(() => connection.socket.destroy());
      }),
  );
  return Promise.all(closing).then(() => undefined);
}

function createConnection(serving: Serving, socket: Socket, peer: Peer): Connection {
  const session = startSession(serving, peer, {
    defer: () => deferOutput(connection),
    closeAfterReply: () => {
      session.closing = true;
    },
    destroy: () => {
      session.closing = true;
      socket.destroy();
    },
    queryBufferBytes: () => Math.max(connection.readBytes, connection.pendingEnd - connection.pendingStart),
    queryBufferFreeBytes: () => (connection.pending?.length ?? 0) - connection.pendingEnd,
    outputBytes: () => unreadBytes(connection) + connection.linedUpBytes,
    push: (bytes) => pushOutput(connection, bytes, false),
    pushBehind: (bytes) => pushOutput(connection, bytes, true),
    postpone: () => postponeConnection(connection),
    awaitSlot: () => awaitSlot(connection),
    places: {
      open: (holdsBack) => openPlace(connection, holdsBack === true),
      add: (place, bytes) => addToPlace(connection, place, bytes),
      end: (place) => endPlace(connection, place),
    },
  });
  const connection: Connection = {
    serving,
    socket,
    isEncrypted: peer.isEncrypted,
    session,
    bounds: requestBounds(serving.engine.config.protoMaxBulkLen, session.authenticated),
    request: undefined,
    pending: undefined,
    pendingStart: 0,
    pendingEnd: 0,
    readBytes: 0,
    outputStart: 0,
    outputEnd: 0,
    isDirty: false,
    suspensions: 0,
    hasWritten: false,
    owesWrites: false,
    held: undefined,
    heldFor: 0,
    isRunning: false,
    replyStart: 0,
    deferrals: 0,
    pushes: undefined,
    waitingPushes: undefined,
    pushedBytes: 0,
    lineUp: undefined,
    linedUpBytes: 0,
    openPlaces: 0,
    placesVersion: 0,
    placesProtocol: 0,
    isCrowded: false,
    isSettling: false,
    isInputPaused: false,
    inputEnded: false,
    isDestroyed: false,
    queuedWrites: 0,
    directBytes: 0,
    directBuffer: undefined,
    onSent: () => endDirectWrite(connection),
    unsentBytes: 0,
    overSoftLimitSinceMs: 0,
  };
  return connection;
}

function startSession(serving: Serving, peer: Peer, connection: SessionConnection): Session {
  const { engine } = serving;
  const nowMs = engine.wallMs();
  const id = serving.nextClientNumber * engine.workerCount + engine.workerIndex + 1;
  serving.nextClientNumber += 1;
  const session = createSession({
    ...peer,
    id,
    connection,
    createdAtMs: nowMs,
    database: 0,
    protocol: 2,
    authenticated: isOpenToAll(engine.access),
  });
  bindSession(engine.access, session);
  return session;
}

/** Of the peer, and ours. */
function endsOf({ remoteAddress, remotePort, localAddress, localPort }: Socket): [string, string] {
  return [endpoint(remoteAddress, remotePort), endpoint(localAddress, localPort)];
}

/** A peer that is gone already has no address any more. */
function endpoint(address = '?', port = 0): string {
  return address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;
}

function forget(connection: Connection): void {
  if (connection.isDestroyed) return;
  const { serving, session } = connection;
  connection.isDestroyed = true;
  forgetPostponed(connection);
  session.blocked?.end('gone');
  connection.pending = undefined;
  connection.lineUp = undefined;
  sayFarewell(connection);
  session.onGone?.();
  serving.connections.delete(session.id);
  serving.engine.counters[CONNECTIONS_CLOSED] += 1;
  serving.engine.counters[CONNECTIONS_OPEN] = serving.connections.size;
}

/** A tick of the clockwork. That it comes late is how busy the event loop is. True when there was something to do. */
function tick(serving: Serving): boolean {
  const { gate, timing } = serving.engine;
  const nowMs = timing.monotonicMs();
  // Woken early from a doze, the clockwork is not late.
  const delayNs = Math.max(0, nowMs - serving.tickedMs - serving.clockwork.periodMs) * NS_PER_MS;
  serving.tickedMs = nowMs;
  recordLatency(timing.latencies, LOOP_DELAYS_HISTOGRAM, delayNs, 1);
  tickPause(serving);
  keepHouseTurn(serving);
  return isPausing(gate) || serving.isHouseTurnDue || serving.isTurnEndDue;
}

/**
 * One tick of the worker's own shards, one after the other: what one still needs is in the processor's cache. Slices for
 * a bounded burst; what is left goes on behind the next reads.
 */
function keepHouseTurn(serving: Serving): void {
  const { engine, ownShards } = serving;
  // More workers than shards: the others keep no house.
  if (ownShards.length === 0) return;
  const watch = startWatch(engine);
  const endMs = ownShards[0].clock.monotonicMs() + HOUSEKEEPING_BURST_MS;
  keepShards(serving, endMs);
  endWatch(engine, 'expire-cycle', watch);
  if (engine.keyEvents.length !== 0) tellKeyEvents(engine, undefined, 0);
  noteHousekeeping(serving, ownShards);
  if (engine.changes.count > 0) scheduleTurnEnd(serving);
}

function keepShards(serving: Serving, endMs: number): void {
  const { engine, ownShards } = serving;
  // Who loads may hold a shard for long, and clients are told so meanwhile. A record that is still to come may move the deadline of what is due.
  if ((gateReasons(engine.gate) & GATE_LOADING) !== 0) return;
  const expires = engine.activeExpiry && !isPausing(engine.gate);
  for (const shard of ownShards) {
    while (keepHouse(shard, engine.wallMs(), expires)) {
      if (shard.clock.monotonicMs() < endMs) continue;
      scheduleHouseTurn(serving);
      return;
    }
  }
}

function scheduleHouseTurn(serving: Serving): void {
  if (serving.isHouseTurnDue || serving.isStopping) return;
  serving.isHouseTurnDue = true;
  setImmediate(() => {
    serving.isHouseTurnDue = false;
    keepHouseTurn(serving);
  });
}

/** Where there is no bound, once a second has to do. */
function checkBoundMemory(serving: Serving): void {
  if (serving.engine.config.maxmemoryClients !== '0') checkClientMemory(serving);
}

/** Once a second: idle clients, and those whose unread output has stayed above the soft limit too long. */
function checkConnections(serving: Serving): void {
  const { config, counters } = serving.engine;
  const nowMs = serving.engine.wallMs();
  for (const connection of serving.connections.values()) {
    noteProgress(connection, nowMs);
    const idleMs = nowMs - connection.session.lastActiveMs;
    const mayIdle =
      config.timeout === 0 ||
      connection.session.isMonitor ||
      connection.session.subscriptions !== undefined ||
      connection.suspensions > 0 ||
      connection.openPlaces > 0;
    if (!mayIdle && idleMs > config.timeout * MS_PER_SECOND) {
      counters[LIMIT_CUTS] += 1;
      connection.socket.destroy();
    } else if (unreadBytes(connection) > 0) checkOutputLimit(connection, nowMs);
    else connection.overSoftLimitSinceMs = 0;
  }
  checkClientMemory(serving);
  checkShardChannels(serving);
  endMovedWaits(serving.engine);
}

/** In a cluster: who listens to a channel whose slot has moved is to listen at its new owner. */
function checkShardChannels({ engine }: Serving): void {
  const { cluster } = engine;
  if (cluster === undefined) return;
  const { roles } = cluster.table;
  endLostChannels(engine, (name) => {
    const bytes = Buffer.from(name, 'latin1');
    return (roles[slotOfKey(bytes, 0, bytes.length)] & ROLE_OWNER) === 0;
  });
}

/** A client that still reads a long reply is not idle. */
function noteProgress(connection: Connection, nowMs: number): void {
  const unsentBytes = unsentBytesOf(connection.socket);
  if (unsentBytes < connection.unsentBytes) connection.session.lastActiveMs = nowMs;
  connection.unsentBytes = unsentBytes;
}
