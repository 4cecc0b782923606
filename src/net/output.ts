/**
 * Replies on their way out: one write per socket and turn, and the limits on what a client leaves unread.
 *
 * Runs on the worker of the connection. All replies of a turn lie in the worker's one writer; as long as the kernel takes
 * everything at once its buffer is used again, otherwise it is left to the sockets and a new one is taken.
 */
import { Buffer } from 'node:buffer';
import {
  OUTPUT_BUFFER_BYTES,
  OUTPUT_BUFFER_KEPT_BYTES_MAX,
  QUEUED_WRITE_OVERHEAD_BYTES,
} from '../config/limits.ts';
import { BYTES_OUT, LIMIT_CUTS, TURNS, WRITES } from '../metrics/names.ts';
import { writeAtOnce } from './raw-socket.ts';
import type { Connection, Serving } from './serving.ts';

const MS_PER_SECOND = 1000;

/** Notes that `[start, end)` of the writer are replies of this connection, to be sent when the turn ends. */
export function noteOutput(connection: Connection, start: number, end: number): void {
  const { serving } = connection;
  if (connection.outputEnd > connection.outputStart && connection.outputEnd !== start) sendOutput(connection);
  if (connection.outputEnd === connection.outputStart) connection.outputStart = start;
  connection.outputEnd = end;
  if (connection.isDirty || (end === start && !connection.session.closing)) return;
  connection.isDirty = true;
  serving.dirty.push(connection);
  scheduleTurnEnd(serving);
}

/** Has the turn ended once all sockets that are readable in this pass of the loop have been read. */
export function scheduleTurnEnd(serving: Serving): void {
  if (serving.isTurnEndDue) return;
  serving.isTurnEndDue = true;
  setImmediate(endTurn, serving);
}

/** Writes a connection's replies to its socket. If the kernel does not take them all, the buffer is theirs. */
function sendOutput(connection: Connection): void {
  const { serving, socket, outputStart, outputEnd } = connection;
  connection.outputStart = 0;
  connection.outputEnd = 0;
  if (outputEnd === outputStart || connection.isDestroyed) return;
  const { counters } = serving.engine;
  counters[BYTES_OUT] += outputEnd - outputStart;
  counters[WRITES] += 1;
  connection.session.bytesOut += outputEnd - outputStart;
  const replies = serving.reply.bytes.subarray(outputStart, outputEnd);
  if (connection.directBytes > 0 || socket.writableLength > 0) {
    queueOutput(connection, replies);
    return;
  }
  if (writeAtOnce(socket, replies, connection.onSent)) return;
  connection.directBytes = replies.length;
  serving.isBufferGiven = true;
  checkOutputLimit(connection, serving.engine.wallMs());
}

/**
 * Adds replies to those that a client has not read yet. Small ones are copied: else each would keep the whole buffer of
 * its turn, and a client that reads nothing would cost a thousand times what it is held to.
 */
function queueOutput(connection: Connection, replies: Buffer): void {
  const { serving, socket } = connection;
  const isCopied = 2 * replies.length < serving.reply.bytes.length;
  if (!isCopied) serving.isBufferGiven = true;
  connection.queuedWrites += 1;
  socket.write(isCopied ? Buffer.from(replies) : replies, () => {
    connection.queuedWrites -= 1;
  });
  checkOutputLimit(connection, serving.engine.wallMs());
}

/** What a client has not read yet costs, in bytes. */
export function unreadBytes({ socket, queuedWrites, directBytes }: Connection): number {
  return directBytes + socket.writableLength + queuedWrites * QUEUED_WRITE_OVERHEAD_BYTES;
}

/** Ends the turn: every socket gets one write, and the writer is empty again. */
export function endTurn(serving: Serving): void {
  serving.isTurnEndDue = false;
  serving.engine.counters[TURNS] += 1;
  flushOutput(serving);
  serving.nowMs = 0;
}

/** Sends all replies that the writer holds, and empties it. */
export function flushOutput(serving: Serving): void {
  const { dirty, reply } = serving;
  serving.dirty = [];
  for (const connection of dirty) {
    connection.isDirty = false;
    sendOutput(connection);
    if (connection.session.closing) connection.socket.destroySoon();
  }
  if (serving.isBufferGiven || reply.bytes.length > OUTPUT_BUFFER_KEPT_BYTES_MAX) {
    serving.isBufferGiven = false;
    reply.bytes = Buffer.allocUnsafeSlow(OUTPUT_BUFFER_BYTES);
  }
  reply.length = 0;
}

/** Closes a connection whose replies are not read: at once over the hard limit, over the soft one after its time. */
export function checkOutputLimit(connection: Connection, nowMs: number): void {
  const { hardBytes, softBytes, softSeconds } =
    connection.serving.engine.config.clientOutputBufferLimit.normal;
  const bytes = unreadBytes(connection);
  if (hardBytes > 0 && bytes > hardBytes) {
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

/** Ends a connection that is over one of its limits, and says so. */
export function cut(connection: Connection, reason: string): void {
  const { engine } = connection.serving;
  engine.counters[LIMIT_CUTS] += 1;
  engine.log.warning(`client ${connection.session.id} (${connection.session.address}) is closed: ${reason}`);
  connection.session.closing = true;
  connection.socket.destroy();
}
