/**
 * One client's connection: bytes in, commands run in order, replies out once a turn.
 *
 * Lives on the worker that was handed its socket. Input is parsed where it was read; only what a read left incomplete
 * is copied to the connection's own buffer. Replies go to the worker's one writer; the connection remembers which
 * stretch of it is its own, and output.ts sends that when all sockets of this pass of the loop have been read.
 */
import { Buffer } from 'node:buffer';
import { countIfError } from '../commands/error-replies.ts';
import { executeInStretch } from '../commands/execute.ts';
import { type Deferred, REPLY_OFF, REPLY_ON, REPLY_SKIP, REPLY_SKIP_NEXT } from '../commands/session.ts';
import { beginRead, endRead } from '../commands/timing.ts';
import {
  QUERY_BUFFER_ANNOUNCED_BYTES_MAX,
  QUERY_BUFFER_BYTES_MAX,
  QUERY_BUFFER_START_BYTES,
  QUERY_BUFFERS_KEPT_BYTES_MAX,
  QUERY_BUFFERS_KEPT_MAX,
  REQUEST_ARGUMENTS_MAX,
  TURN_INPUT_BYTES_MAX,
  TURN_OUTPUT_BYTES_MAX,
  TURN_SHARE_MS,
} from '../config/limits.ts';
import { BYTES_IN, PROTOCOL_ERRORS, READS } from '../metrics/names.ts';
import { writeError } from '../resp/reply-writer.ts';
import {
  createRequest,
  INCOMPLETE,
  parseRequest,
  protocolErrorText,
  type Request,
  type RequestBounds,
  rebaseRequest,
  requestBytesMissing,
  resetRequest,
} from '../resp/request-parser.ts';
import { cut, flushOutput, noteOutput, scheduleTurnEnd } from './output.ts';
import { placeWaiting, pullPushes } from './push.ts';
import { mustAwaitChanges, mustAwaitPlaces } from './reply-places.ts';
import type { Connection, Serving } from './serving.ts';

/** Takes what was just read from the connection's socket. */
export function receive(connection: Connection, length: number, bytes: Buffer): void {
  const { serving, session } = connection;
  const { counters } = serving.engine;
  counters[BYTES_IN] += length;
  counters[READS] += 1;
  session.bytesIn += length;
  session.lastActiveMs = currentMs(serving);
  if (session.closing) return;
  scheduleTurnEnd(serving);
  if (connection.pending === undefined && connection.suspensions === 0) {
    const stopped = runRequests(connection, bytes, 0, length);
    if (stopped < length) keepPending(connection, bytes, stopped, length);
    return;
  }
  appendPending(connection, bytes, length);
  if (connection.suspensions === 0) runPending(connection);
}

/** The client has closed its side. What it sent is answered first, but for what waits for something to happen. */
export function receiveEnd(connection: Connection): void {
  connection.inputEnded = true;
  if (connection.suspensions > 0 && connection.session.blocked === undefined) return;
  connection.session.closing = true;
  noteOutput(connection, connection.serving.reply.length, connection.serving.reply.length);
}

/** The time of this turn, read once in it. */
function currentMs(serving: Serving): number {
  if (serving.nowMs === 0) serving.nowMs = serving.engine.wallMs();
  return serving.nowMs;
}

/**
 * Executes the requests of `bytes[start, end)`; returns where it stopped: at an incomplete one, at a deferred reply, or
 * where this turn's share of one connection ends.
 */
function runRequests(connection: Connection, bytes: Buffer, start: number, end: number): number {
  const { serving, session, bounds } = connection;
  const { reply, call } = serving;
  if (reply.length + serving.pushedBytes > TURN_OUTPUT_BYTES_MAX) flushOutput(serving);
  makeWay(connection);
  const outputStart = reply.length;
  const { changes, timing } = serving.engine;
  const writesBefore = changes.writes;
  const shareEnd = Math.min(end, start + TURN_INPUT_BYTES_MAX);
  let isShareUsed = false;
  let isCallWhole = true;
  let at = start;
  let requestStart = start;
  connection.isRunning = true;
  connection.readBytes = end - start;
  beginRead(serving.engine, end - start);
  const startedMs = timing.lastMs;
  bounds.bulkBytesMax = serving.engine.config.protoMaxBulkLen;
  while (at < shareEnd && !isShareUsed && !session.closing && connection.suspensions === 0) {
    if (connection.openPlaces > 0 && mustAwaitPlaces(connection)) break;
    const request = connection.request ?? serving.request;
    bounds.authenticated = session.authenticated;
    const next = parseRequest(request, bytes, at, end, bounds);
    isCallWhole = next >= 0 && request.count > 0;
    if (next < 0) {
      if (next !== INCOMPLETE) refuse(connection, request, next);
      break;
    }
    requestStart = at;
    at = next;
    if (request.count === 0) continue;
    const { spans } = request;
    if (connection.openPlaces > 0 && mustAwaitChanges(connection, bytes, spans[0], spans[1])) {
      at = requestStart;
      isCallWhole = false;
      break;
    }
    call.input = bytes;
    call.spans = spans;
    call.count = request.count;
    call.session = session;
    call.nowMs = currentMs(serving);
    reply.protocol = session.protocol;
    const before = reply.length;
    connection.replyStart = before;
    executeInStretch(call);
    session.commandsProcessed += 1;
    if (session.replyMode !== REPLY_ON && !session.isPostponed) applyReplyMode(connection, before);
    isShareUsed =
      reply.length - outputStart + serving.pushedBytes > TURN_OUTPUT_BYTES_MAX ||
      timing.lastMs - startedMs > TURN_SHARE_MS;
  }
  if (session.isPostponed) {
    // The command has not run: it comes again.
    at = requestStart;
    isCallWhole = false;
    session.commandsProcessed -= 1;
  }
  endRead(call, isCallWhole);
  connection.isRunning = false;
  if (connection.suspensions === 0) connection.readBytes = 0;
  if (changes.writes !== writesBefore) connection.hasWritten = true;
  noteReplies(connection, outputStart);
  if (session.closing) return end;
  if ((isShareUsed || at >= shareEnd) && at < end && connection.suspensions === 0) yieldTurn(connection);
  return at;
}

/** The replies from `outputStart` on are the connection's. Who waits for something to happen and sends no more has hung up. */
function noteReplies(connection: Connection, outputStart: number): void {
  const { serving, session, inputEnded } = connection;
  if (inputEnded && session.blocked !== undefined) session.closing = true;
  noteOutput(connection, outputStart, serving.reply.length);
}

/** A connection has one stretch of the writer: if others have written behind it in this turn, all of it goes out first. */
function makeWay({ serving, outputStart, outputEnd }: Connection): void {
  if (outputEnd > outputStart && outputEnd !== serving.reply.length) flushOutput(serving);
}

/** Leaves the rest of a long pipeline to the next turn: other clients get theirs, and the writer stays small. */
function yieldTurn(connection: Connection): void {
  connection.suspensions += 1;
  setImmediate(proceed, connection);
}

/** Ends one of the reasons for which a connection's commands wait; after the last one they go on. */
function proceed(connection: Connection): void {
  connection.suspensions -= 1;
  if (connection.suspensions === 0) connection.readBytes = 0;
  if (connection.isDestroyed || connection.suspensions > 0) return;
  // Even if nothing is answered: the turn's clock has been read.
  scheduleTurnEnd(connection.serving);
  if (connection.pending !== undefined) runPending(connection);
  if (connection.isInputPaused && connection.suspensions === 0) resumeInput(connection);
  if (connection.inputEnded) receiveEnd(connection);
}

/** As `proceed`, but what has waited runs in a step of its own: the caller may be in the middle of another's command. */
export function proceedLater(connection: Connection): void {
  const { pending, isInputPaused, inputEnded } = connection;
  if (pending === undefined && !isInputPaused && !inputEnded) connection.suspensions -= 1;
  else setImmediate(proceed, connection);
}

/** Commands wait and more come: the kernel holds the sender back, so that a long pipeline costs bounded memory. */
function pauseInput(connection: Connection): void {
  connection.isInputPaused = true;
  connection.socket.pause();
}

function resumeInput(connection: Connection): void {
  connection.isInputPaused = false;
  connection.socket.resume();
}

function applyReplyMode(connection: Connection, before: number): void {
  const { serving, session } = connection;
  if (session.replyMode === REPLY_OFF || session.replyMode === REPLY_SKIP) {
    serving.reply.length = before;
    pullPushes(connection, before);
  }
  if (session.replyMode === REPLY_SKIP) session.replyMode = REPLY_ON;
  if (session.replyMode === REPLY_SKIP_NEXT) session.replyMode = REPLY_SKIP;
}

/** Answers a protocol error and closes, as redis-server does. The half-read request may be the worker's common one. */
function refuse(connection: Connection, request: Request, code: number): void {
  const { serving, session } = connection;
  const { engine, reply } = serving;
  engine.counters[PROTOCOL_ERRORS] += 1;
  const before = reply.length;
  writeError(reply, `ERR ${protocolErrorText(code, request)}`);
  countIfError(engine, reply, before);
  if (session.replyMode !== REPLY_ON) reply.length = before;
  resetRequest(request);
  session.closing = true;
}

/** Holds back further commands; see `SessionConnection.defer`. */
export function deferOutput(connection: Connection): Deferred {
  const { session, serving } = connection;
  const isSkipped = session.replyMode === REPLY_SKIP || session.replyMode === REPLY_OFF;
  connection.suspensions += 1;
  connection.deferrals += 1;
  let isResumed = false;
  return {
    resume: (write) => {
      if (isResumed || connection.isDestroyed) return;
      isResumed = true;
      const { reply } = serving;
      if (!connection.isRunning) makeWay(connection);
      const before = reply.length;
      const { changes } = serving.engine;
      const writesBefore = changes.writes;
      reply.protocol = session.protocol;
      write(reply);
      if (changes.writes !== writesBefore) connection.hasWritten = true;
      countIfError(serving.engine, reply, before);
      if (isSkipped) reply.length = before;
      connection.deferrals -= 1;
      if (connection.isRunning) {
        placeWaiting(connection, reply.length);
        connection.suspensions -= 1;
        return;
      }
      session.lastActiveMs = currentMs(serving);
      noteOutput(connection, before, reply.length);
      placeWaiting(connection, connection.outputEnd);
      proceed(connection);
    },
  };
}

function runPending(connection: Connection): void {
  const { pending } = connection;
  if (pending === undefined) return;
  connection.request ??= createRequest();
  const stopped = runRequests(connection, pending, connection.pendingStart, connection.pendingEnd);
  connection.pendingStart = stopped;
  if (stopped < connection.pendingEnd) return;
  releasePending(connection);
}

function releasePending(connection: Connection): void {
  const { serving, pending } = connection;
  if (pending !== undefined) giveBuffer(serving, pending);
  // The latest call would keep a large one alive until the next.
  serving.call.input = serving.readBuffer;
  connection.pending = undefined;
  connection.pendingStart = 0;
  connection.pendingEnd = 0;
  if (connection.request === undefined) return;
  resetRequest(connection.request);
  connection.request = undefined;
}

/** Moves what a read left over to the connection's own buffer, and the half-parsed request with it. */
function keepPending(connection: Connection, bytes: Buffer, start: number, end: number): void {
  const { serving } = connection;
  const missing = requestBytesMissing(serving.request, end);
  const pending = takeBuffer(serving, inputRoom(end - start, Math.max(missing, 1)));
  bytes.copy(pending, 0, start, end);
  connection.request = serving.request;
  serving.request = createRequest();
  rebaseRequest(connection.request, -start);
  connection.pending = pending;
  connection.pendingStart = 0;
  connection.pendingEnd = end - start;
}

function appendPending(connection: Connection, bytes: Buffer, length: number): void {
  const { serving } = connection;
  const have = connection.pendingEnd - connection.pendingStart;
  const limit = Math.min(serving.engine.config.clientQueryBufferLimit, QUERY_BUFFER_BYTES_MAX);
  if (have + length > limit) {
    cut(connection, `${have + length} bytes of unexecuted requests are over client-query-buffer-limit`);
    return;
  }
  if (connection.pending === undefined || connection.pendingEnd + length > connection.pending.length) {
    growPending(connection, have, length);
  }
  bytes.copy(connection.pending as Buffer, connection.pendingEnd, 0, length);
  connection.pendingEnd += length;
  serving.keptBytes += length;
  if (connection.suspensions > 0 && have + length > TURN_INPUT_BYTES_MAX) pauseInput(connection);
}

/** Moves the `have` bytes that wait to a buffer where `length` more fit behind them. */
function growPending(connection: Connection, have: number, length: number): void {
  const { serving, request, pending, pendingStart, pendingEnd } = connection;
  const missing = request === undefined ? 0 : requestBytesMissing(request, pendingEnd);
  const grown = takeBuffer(serving, inputRoom(have, Math.max(missing, length)));
  pending?.copy(grown, 0, pendingStart, pendingEnd);
  if (request !== undefined) rebaseRequest(request, -pendingStart);
  connection.pending = grown;
  connection.pendingStart = 0;
  connection.pendingEnd = have;
}

/**
 * Room for `have` bytes and the `missing` ones that were announced. Doubling keeps the copies of a long request linear,
 * and an announcement alone does not get more than a named bound.
 */
function inputRoom(have: number, missing: number): number {
  return Math.max(2 * have, Math.min(have + missing, have + QUERY_BUFFER_ANNOUNCED_BYTES_MAX));
}

/**
 * A buffer of at least so many bytes: one that was given up, if there is one of about the size. A fresh one for each large
 * value would cost its pages and, above all, the collection of the old ones.
 */
function takeBuffer(serving: Serving, bytes: number): Buffer {
  const { spares } = serving;
  for (let at = spares.length - 1; at >= 0; at -= 1) {
    const spare = spares[at];
    if (spare.length < bytes || spare.length > 4 * bytes + QUERY_BUFFER_START_BYTES) continue;
    spares.splice(at, 1);
    serving.spareBytes -= spare.length;
    return spare;
  }
  return Buffer.allocUnsafeSlow(Math.max(QUERY_BUFFER_START_BYTES, bytes));
}

/** Keeps a buffer that a connection needs no more, in the place of older ones. */
function giveBuffer(serving: Serving, buffer: Buffer): void {
  const { spares } = serving;
  if (buffer.length > QUERY_BUFFERS_KEPT_BYTES_MAX) return;
  spares.push(buffer);
  serving.spareBytes += buffer.length;
  while (serving.spareBytes > QUERY_BUFFERS_KEPT_BYTES_MAX || spares.length > QUERY_BUFFERS_KEPT_MAX) {
    serving.spareBytes -= spares[0].length;
    spares.shift();
  }
}

/** The bounds of a new connection's requests. */
export function requestBounds(bulkBytesMax: number, authenticated: boolean): RequestBounds {
  return { bulkBytesMax, argumentsMax: REQUEST_ARGUMENTS_MAX, authenticated };
}
