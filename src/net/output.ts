/**
 * Replies on their way out: one write per socket and turn, and the limits on what a client leaves unread.
 *
 * Runs on the worker of the connection. The log comes first (turn-log.ts). All replies of a turn lie in the worker's one
 * writer; as long as the kernel takes everything at once its buffer is used again, otherwise it is lent to the sockets
 * (lent-buffers.ts) and another is taken.
 */
import { Buffer } from 'node:buffer';
import { assert } from '../base/assert.ts';
import { hasServedBehindLease, isLeaseOver } from '../commands/fencing.ts';
import type { Session } from '../commands/session.ts';
import { endStretch } from '../commands/timing.ts';
import { MONITOR_UNREAD_BYTES_MAX, QUEUED_WRITE_OVERHEAD_BYTES } from '../config/limits.ts';
import { recordLatency, TURNS_HISTOGRAM } from '../metrics/latencies.ts';
import { BYTES_OUT, LEASE_CUTS, LIMIT_CUTS, TURNS, WRITES } from '../metrics/names.ts';
import { checkIfMuchKept } from './client-memory.ts';
import { wakeClockwork } from './clockwork.ts';
import { sayFarewell } from './farewell.ts';
import { discardBuffer, lendBuffer, renewBuffer, returnBuffer } from './lent-buffers.ts';
import { copyOutput, lineUp } from './line-up.ts';
import { sealedBytesOf, writeAtOnce } from './raw-socket.ts';
import type { Connection, Output, Serving, TurnLog } from './serving.ts';
import { failedReplies, logChanges, TURN_FAILED, TURN_SAFE, TURN_WAITS, whenCommitted } from './turn-log.ts';

const MS_PER_SECOND = 1000;
const NS_PER_MS = 1e6;

/** Notes that `[start, end)` of the writer are replies of this connection, to be sent when the turn ends. */
export function noteOutput(connection: Connection, start: number, end: number): void {
  if (end > start) {
    const isFirst = connection.outputEnd === connection.outputStart;
    assert(isFirst || connection.outputEnd === start, 'a connection has one stretch of the writer');
    if (isFirst) connection.outputStart = start;
    connection.outputEnd = end;
  }
  if (end > start || connection.session.closing) noteDirty(connection);
}

/** Has something done about the connection when the turn ends. */
export function noteDirty(connection: Connection): void {
  const { serving } = connection;
  if (connection.isDirty) return;
  connection.isDirty = true;
  serving.dirty.push(connection);
  scheduleTurnEnd(serving);
}

/** Has the turn ended once all sockets that are readable in this pass of the loop have been read. */
export function scheduleTurnEnd(serving: Serving): void {
  if (serving.isTurnEndDue) return;
  serving.isTurnEndDue = true;
  serving.turnStartMs = serving.engine.timing.monotonicMs();
  wakeClockwork(serving.clockwork);
  setImmediate(endTurn, serving);
}

/**
 * Writes a connection's replies to its socket, and closes it behind them if that was asked for. If the kernel does not
 * take them all, the buffer is theirs.
 */
function sendOutput(connection: Connection): void {
  const { serving, outputStart, outputEnd } = connection;
  if (connection.pushes !== undefined || connection.lineUp !== undefined) {
    sendPieces(connection, takeOutput(connection));
    closeBehind(connection);
    return;
  }
  connection.outputStart = 0;
  connection.outputEnd = 0;
  if (outputEnd > outputStart) {
    sendBytes(connection, serving.reply.bytes.subarray(outputStart, outputEnd), true);
  }
  closeBehind(connection);
}

/** Takes what the connection has in this turn, in order: slices of the writer, and what is pushed before, between and behind them. */
function takeOutput(connection: Connection): Output[] {
  const { serving, outputStart, outputEnd, pushes } = connection;
  const { bytes } = serving.reply;
  const pieces: Output[] = [];
  let from = outputStart;
  for (const push of pushes ?? []) {
    // Of a command without a reply: what lies before it in the writer may be all others'.
    const at = Math.min(push.at, outputEnd);
    if (at > from) {
      pieces.push({ bytes: bytes.subarray(from, at), isPush: false, place: undefined });
      from = at;
    }
    pieces.push({ bytes: push.bytes, isPush: push.place === undefined, place: push.place });
  }
  if (outputEnd > from)
    pieces.push({ bytes: bytes.subarray(from, outputEnd), isPush: false, place: undefined });
  connection.outputStart = 0;
  connection.outputEnd = 0;
  connection.pushes = undefined;
  return pieces;
}

/** Writes pieces at once, as far as none is missing. One alone is no slice of the writer: it stays as it is. */
function sendPieces(connection: Connection, taken: readonly Output[]): void {
  const isInLine = connection.lineUp !== undefined || taken.some(({ place }) => place !== undefined);
  const pieces = isInLine ? lineUp(connection, taken) : taken;
  if (pieces.length === 0) return;
  if (connection.owesWrites && hasOutlivedLease(connection.serving)) {
    cutBehindLease(connection);
    return;
  }
  for (const { isPush, bytes } of pieces) if (isPush) connection.pushedBytes -= bytes.length;
  const bytes = pieces.length === 1 ? pieces[0].bytes : joinPieces(connection.serving, pieces);
  sendBytes(connection, bytes, false);
}

/** Subscribers of one channel get the same messages: what was joined for the last connection may do for this one. */
function joinPieces(serving: Serving, pieces: readonly Output[]): Buffer {
  const { joined } = serving;
  if (joined !== undefined && areSame(joined.pieces, pieces)) return joined.bytes;
  const bytes = Buffer.concat(pieces.map((piece) => piece.bytes));
  serving.joined = { pieces, bytes };
  return bytes;
}

function areSame(some: readonly Output[], others: readonly Output[]): boolean {
  if (some.length !== others.length) return false;
  for (let i = 0; i < some.length; i += 1) if (some[i].bytes !== others[i].bytes) return false;
  return true;
}

/** Writes bytes to a socket: a part of the writer's buffer, or others that stay as they are. */
function sendBytes(connection: Connection, replies: Buffer, isOfWriter: boolean): void {
  const { serving, socket } = connection;
  if (connection.isDestroyed) return;
  const { counters } = serving.engine;
  counters[BYTES_OUT] += replies.length;
  counters[WRITES] += 1;
  connection.session.bytesOut += replies.length;
  const isBehind = connection.directBytes > 0 || socket.writableLength > 0;
  if (isBehind || connection.isEncrypted) {
    queueOutput(connection, replies, isOfWriter);
    return;
  }
  if (writeAtOnce(socket, replies, connection.onSent)) return;
  connection.directBytes = replies.length;
  connection.directBuffer = isOfWriter ? lendBuffer(serving) : undefined;
  serving.keptBytes += replies.length;
  checkOutputLimit(connection, serving.engine.wallMs());
}

/** A write past the stream is over, well or not. */
export function endDirectWrite(connection: Connection): void {
  const { serving, directBuffer } = connection;
  connection.directBytes = 0;
  connection.directBuffer = undefined;
  if (directBuffer !== undefined) returnBuffer(serving, directBuffer);
}

/**
 * Adds replies to those that a client has not read yet, or has them encrypted. Small ones are copied: else each would keep the whole buffer of
 * its turn, and a client that reads nothing would cost a thousand times what it is held to.
 */
function queueOutput(connection: Connection, replies: Buffer, isOfWriter: boolean): void {
  const { serving, socket } = connection;
  const isCopied = 2 * replies.length < serving.reply.bytes.length;
  const bytes = isCopied ? Buffer.from(replies) : replies;
  const lent = isOfWriter && !isCopied ? lendBuffer(serving) : undefined;
  connection.queuedWrites += 1;
  serving.keptBytes += replies.length;
  socket.write(bytes, () => {
    connection.queuedWrites -= 1;
    // OpenSSL may keep what it was given: the collector knows.
    if (connection.isEncrypted) return;
    if (lent !== undefined) returnBuffer(serving, lent);
    else if (isCopied) discardBuffer(bytes);
  });
  checkOutputLimit(connection, serving.engine.wallMs());
}

/** What a client has not read yet costs, in bytes. */
export function unreadBytes(connection: Connection): number {
  const { socket, queuedWrites, directBytes, pushedBytes } = connection;
  const sealedBytes = connection.isEncrypted ? sealedBytesOf(socket) : 0;
  const queuedBytes = socket.writableLength + queuedWrites * QUEUED_WRITE_OVERHEAD_BYTES;
  // Held replies are not the client's fault. Pushes come all the same, as long as they are held.
  return directBytes + queuedBytes + sealedBytes + pushedBytes;
}

/** Ends the turn: every socket gets one write, and the writer is empty again. */
export function endTurn(serving: Serving): void {
  const { counters, timing } = serving.engine;
  // A stop ends what may not have begun.
  const startMs = serving.isTurnEndDue ? serving.turnStartMs : timing.monotonicMs();
  serving.isTurnEndDue = false;
  counters[TURNS] += 1;
  endStretch(serving.engine);
  flushOutput(serving);
  serving.nowMs = 0;
  recordLatency(timing.latencies, TURNS_HISTOGRAM, (timing.monotonicMs() - startMs) * NS_PER_MS, 1);
}

/** Writes the log, sends all replies that the writer holds, and empties it. Some replies may have to wait for the disk. */
export function flushOutput(serving: Serving): void {
  const { dirty, reply, log } = serving;
  const outcome = log === undefined ? TURN_SAFE : logChanges(serving, log);
  const isTooLate = hasServedTooLate(serving);
  let isAwaited = false;
  serving.dirty = [];
  for (const connection of dirty) {
    connection.isDirty = false;
    const isSafe = outcome === TURN_SAFE || !connection.hasWritten;
    const isUnsafe = isTooLate && connection.outputEnd > connection.outputStart;
    if (isUnsafe || (connection.hasWritten && hasOutlivedLease(serving))) cutBehindLease(connection);
    else if (isSafe && connection.held === undefined) sendOutput(connection);
    else if (holdOutput(connection, outcome)) isAwaited = true;
    const isBehind = connection.held !== undefined || connection.lineUp !== undefined;
    connection.owesWrites = isBehind && (connection.owesWrites || connection.hasWritten);
    connection.hasWritten = false;
  }
  renewBuffer(serving);
  reply.length = 0;
  serving.pushedBytes = 0;
  serving.joined = undefined;
  checkIfMuchKept(serving);
  // Last: where nothing is lacking any more, what is held leaves at once.
  if (isAwaited && log !== undefined) awaitCommit(log);
}

/**
 * Keeps a connection's replies back behind those that it holds already; or puts errors in their place. True when they wait
 * for the commit of this very flush. The connection's next commands wait for those that are kept.
 */
function holdOutput(connection: Connection, outcome: number): boolean {
  const { serving, hasWritten, held } = connection;
  const hasFailed = hasWritten && outcome === TURN_FAILED;
  const keptOf = hasFailed ? failReplies : keepReplies;
  const kept = takeOutput(connection).map((output) => keptOf(serving, output));
  const waits = hasWritten && outcome === TURN_WAITS;
  if (waits && serving.log !== undefined) connection.heldFor = serving.log.commits;
  if (held !== undefined) {
    held.push(...kept);
  } else if (waits) {
    connection.held = kept;
    connection.suspensions += 1;
    serving.log?.held.add(connection);
  } else {
    sendPieces(connection, kept);
    closeBehind(connection);
  }
  return waits;
}

function keepReplies(_serving: Serving, output: Output): Output {
  return output.isPush || output.place !== undefined ? output : copyOutput(output);
}

/** Errors in the place of replies to what could not be logged; what others reply is good. */
function failReplies(serving: Serving, output: Output): Output {
  return output.isPush || output.place !== undefined ? output : failedReplies(serving, output);
}

/** Those that were held in this flush go on together, once the log is where it must be for them. O(all that are held). */
function awaitCommit(log: TurnLog): void {
  const commit = log.commits;
  log.commits += 1;
  whenCommitted(log, () => {
    // A connection that was let go and has written again since waits for a later one.
    for (const connection of log.held) if (connection.heldFor === commit) releaseHeld(connection);
  });
}

/** Lets the replies go that were held; nothing where none are. */
export function releaseHeld(connection: Connection): void {
  if (connection.held !== undefined) sendHeld(connection, connection.held);
}

/** Lets all replies go that are held. */
export function releaseAllHeld(serving: Serving): void {
  for (const connection of [...(serving.log?.held ?? [])]) releaseHeld(connection);
}

/** The log has failed while replies were held: errors go in their place. */
export function failHeld(serving: Serving): void {
  for (const connection of [...(serving.log?.held ?? [])]) {
    const held = connection.held ?? [];
    sendHeld(
      connection,
      held.map((output) => failReplies(serving, output)),
    );
  }
}

/** May come in the middle of another connection's command: nothing is executed here, and the writer is left alone. */
function sendHeld(connection: Connection, pieces: readonly Output[]): void {
  const { serving, session } = connection;
  connection.held = undefined;
  serving.log?.held.delete(connection);
  sendPieces(connection, pieces);
  // It was the disk that kept the client waiting.
  session.lastActiveMs = serving.engine.wallMs();
  // A reply that came later, and lies in the writer, closes when it leaves.
  if (!connection.isDirty) closeBehind(connection);
  serving.proceedLater(connection);
}

function closeBehind(connection: Connection): void {
  if (!connection.session.closing || connection.lineUp !== undefined) return;
  sayFarewell(connection);
  connection.socket.destroySoon();
}

/** Closes a connection whose replies are not read: at once over the hard limit, over the soft one after its time. */
export function checkOutputLimit(connection: Connection, nowMs: number): void {
  const { serving, session } = connection;
  const { hardBytes, softBytes, softSeconds } = limitOf(serving, session);
  const bytes = unreadBytes(connection);
  if ((hardBytes > 0 && bytes > hardBytes) || (session.isMonitor && bytes > MONITOR_UNREAD_BYTES_MAX)) {
    cut(connection, `${bytes} bytes of replies wait to be read, over client-output-buffer-limit`);
    return;
  }
  if (softBytes === 0 || bytes <= softBytes) {
    connection.overSoftLimitSinceMs = 0;
    return;
  }
  if (connection.overSoftLimitSinceMs === 0) connection.overSoftLimitSinceMs = nowMs;
  else if (nowMs - connection.overSoftLimitSinceMs > softSeconds * MS_PER_SECOND) {
    cut(
      connection,
      `${bytes} bytes of replies have waited over ${softSeconds} s, over the soft client-output-buffer-limit`,
    );
  }
}

/** Whether this is a node of a cluster that another may have taken the slots from. */
function hasOutlivedLease({ engine }: Serving): boolean {
  return engine.cluster !== undefined && isLeaseOver(engine.cluster);
}

/** Whether what this turn has read may be old by now. */
function hasServedTooLate({ engine }: Serving): boolean {
  return (
    engine.cluster !== undefined &&
    hasServedBehindLease(engine.cluster) &&
    !engine.config.clusterAllowReadsWhenDown
  );
}

/** Replies to writes are not let go behind the lease's end: the client must not take for done what the next owner may not have. */
function cutBehindLease(connection: Connection): void {
  const { engine } = connection.serving;
  takeOutput(connection);
  engine.counters[LEASE_CUTS] += 1;
  engine.log.warning(
    `client ${connection.session.id} (${connection.session.address}) is closed: this node's lease was over before it was answered`,
  );
  connection.session.closing = true;
  connection.socket.destroy();
}

function limitOf({ engine }: Serving, { subscriptions, isReplica }: Session) {
  const { normal, pubsub, replica } = engine.config.clientOutputBufferLimit;
  if (isReplica) return replica;
  return subscriptions === undefined ? normal : pubsub;
}

/** Ends a connection that is over one of its limits, and says so. */
export function cut(connection: Connection, reason: string): void {
  const { engine } = connection.serving;
  engine.counters[LIMIT_CUTS] += 1;
  engine.log.warning(`client ${connection.session.id} (${connection.session.address}) is closed: ${reason}`);
  connection.session.closing = true;
  connection.socket.destroy();
}
