/**
 * One connection of a worker to another node, over which it has commands executed there: pipelined, in one protocol, so that
 * replies can be passed on as they are.
 *
 * Lives on its worker. What a turn sends goes out in one write. The replies come in the order of the requests; a large one is passed
 * on as it comes. One timer watches the oldest request: a link that leaves it unanswered for `cluster-peer-timeout`, without even
 * sending a part of a reply or taking a part of a large request, is given up with all that is in flight, and so is one that breaks. A link that was given up is not
 * used again. What has come while the thread was held up is read before it is judged.
 */
import { Buffer } from 'node:buffer';
import type { Socket } from 'node:net';
import {
  PEER_IN_FLIGHT_BYTES_MAX,
  PEER_IN_FLIGHT_MAX,
  PEER_WRITE_BYTES_MAX,
} from '../config/limits-cluster.ts';
import {
  createReplyFrames,
  FRAME_ERROR,
  FRAME_MALFORMED,
  FRAME_PUSH,
  FRAME_UNFINISHED,
  type ReplyFrames,
  readFrame,
} from '../resp/reply-frames.ts';
import { createReplyWriter, type ReplyWriter, writeRaw } from '../resp/reply-writer.ts';

/** One request on its way. */
export type Exchange = {
  /** RESP of one command, or of several in a row that are one request. */
  readonly request: Buffer;
  /** Replies that come before the one that counts: `+OK` to ASKING, `+QUEUED`. */
  prefaces: number;
  /** When it was handed to the link, in milliseconds of the links' clock. */
  sentMs: number;
  /** An error among the prefaces, without its mark and line end. */
  readonly onPrefaceError: (text: string) => void;
  /**
   * `bytes[start, end)` of the reply, good until it returns; `isWhole` at its end. An error comes whole, and with `isError`.
   */
  readonly onReply: (bytes: Buffer, start: number, end: number, isWhole: boolean, isError: boolean) => void;
  /** There will be no reply, or no more of it. `wasSent`: it may have been executed. */
  readonly onFailure: (reason: string, wasSent: boolean) => void;
};

export type PeerLink = {
  readonly hooks: LinkHooks;
  readonly socket: Socket;
  readonly frames: ReplyFrames;
  /** What this turn sends. */
  readonly out: ReplyWriter;
  /** Behind `head`: requests without a whole reply. The last `unsentCount` of them lie in `out`. */
  readonly inFlight: (Exchange | undefined)[];
  head: number;
  unsentCount: number;
  inFlightBytes: number;
  /** Replies to the login that are still to come: until then nothing else is sent. */
  loginLeft: number;
  /** The beginning of a frame whose type is not known yet. */
  begun: Buffer | undefined;
  /** What is left of much that is sent piece by piece: what comes later waits in `out`. */
  sending: Buffer | undefined;
  /** When the latest part of a large reply came, or of much that is sent went. */
  partMs: number;
  timer: NodeJS.Timeout | undefined;
  /** The oldest request, if its time was over at the last look: its reply may have lain in the socket, unread. */
  overdue: Exchange | undefined;
  isFlushDue: boolean;
  isClosed: boolean;
};

export type LinkHooks = {
  readonly nowMs: () => number;
  readonly timeoutMs: () => number;
  /** Runs something behind this pass of the loop. */
  readonly later: (callback: () => void) => void;
  /** Replies have come. */
  readonly onAnswers: () => void;
  /** The link is of no more use; so many requests are lost. Their `onFailure` follows. */
  readonly onBroken: (link: PeerLink, reason: string, lost: number, isTimeout: boolean) => void;
};

const OUT_BYTES_START = 16 * 1024;
const OUT_BYTES_KEPT_MAX = 1024 * 1024;
/** The list of requests is cut when so many in front are done with. */
const DONE_REQUESTS_KEPT_MAX = 1024;
const LINE_END_BYTES = 2;
/** A pass of the loop with a look at the sockets lies between two timers of this. */
const LAST_LOOK_MS = 1;

/** The memory for what is to be sent, and what of it waits, the kernel's own aside. */
export function outputOf({ out, sending, socket }: PeerLink): { allocatedBytes: number; usedBytes: number } {
  const queuedBytes = (sending?.length ?? 0) + socket.writableLength;
  return { allocatedBytes: out.bytes.length + queuedBytes, usedBytes: out.length + queuedBytes };
}

/** A link over a socket that begins to connect; its input goes to `receiveReplies`. */
export function openLink(
  socket: Socket,
  login: { readonly bytes: Buffer; readonly replies: number },
  hooks: LinkHooks,
): PeerLink {
  const link: PeerLink = {
    hooks,
    socket,
    frames: createReplyFrames(),
    out: createReplyWriter(OUT_BYTES_START),
    inFlight: [],
    head: 0,
    unsentCount: 0,
    inFlightBytes: 0,
    loginLeft: login.replies,
    begun: undefined,
    sending: undefined,
    partMs: 0,
    timer: undefined,
    overdue: undefined,
    isFlushDue: false,
    isClosed: false,
  };
  socket.on('error', ({ message }) => breakLink(link, message, false));
  socket.on('close', () => breakLink(link, 'the connection was closed', false));
  socket.write(login.bytes);
  return link;
}

/** Whether the link may take one more request of so many bytes. */
export function hasPlace({ inFlight, head, inFlightBytes }: PeerLink, bytes: number): boolean {
  if (inFlight.length - head >= PEER_IN_FLIGHT_MAX) return false;
  return inFlightBytes === 0 || inFlightBytes + bytes <= PEER_IN_FLIGHT_BYTES_MAX;
}

/** Sends a request at the end of the turn. */
export function sendRequest(link: PeerLink, exchange: Exchange): void {
  exchange.sentMs = link.hooks.nowMs();
  link.inFlight.push(exchange);
  link.inFlightBytes += exchange.request.length;
  link.unsentCount += 1;
  writeRaw(link.out, exchange.request);
  if (link.timer === undefined) armTimer(link, link.hooks.timeoutMs());
  if (link.loginLeft === 0) scheduleFlush(link);
}

/** Closes a link. Whatever is in flight fails. */
export function abandonLink(link: PeerLink, reason: string): void {
  breakLink(link, reason, false);
}

/** Takes `bytes[0, length)` from the socket. */
export function receiveReplies(link: PeerLink, length: number, bytes: Buffer): void {
  const { frames } = link;
  let at = 0;
  while (at < length && !link.isClosed) {
    const next = readFrame(frames, bytes, at, length);
    if (next === FRAME_MALFORMED) {
      breakLink(link, 'it sends what is no RESP', false);
      return;
    }
    const end = next === FRAME_UNFINISHED ? length : next;
    takePiece(link, bytes, at, end, next !== FRAME_UNFINISHED);
    at = end;
  }
  if (link.isClosed) return;
  if (frames.depth > 0) link.partMs = link.hooks.nowMs();
  if (link.loginLeft === 0) link.hooks.onAnswers();
}

/** A frame, or a piece of one. What must be seen whole, or is not known yet, is kept until there is more. */
function takePiece(link: PeerLink, bytes: Buffer, start: number, end: number, isWhole: boolean): void {
  const { begun, frames } = link;
  const isLine = link.loginLeft > 0 || (firstOf(link)?.prefaces ?? 0) > 0;
  if (!isWhole && (frames.frameType === 0 || isLine)) {
    const piece = Buffer.from(bytes.subarray(start, end));
    link.begun = begun === undefined ? piece : Buffer.concat([begun, piece]);
    return;
  }
  if (begun === undefined) {
    takeFrame(link, bytes, start, end, isWhole);
    return;
  }
  const joined = Buffer.concat([begun, bytes.subarray(start, end)]);
  link.begun = undefined;
  takeFrame(link, joined, 0, joined.length, isWhole);
}

function takeFrame(link: PeerLink, bytes: Buffer, start: number, end: number, isWhole: boolean): void {
  const { frameType } = link.frames;
  if (frameType === FRAME_PUSH) return;
  const isError = frameType === FRAME_ERROR;
  if (link.loginLeft > 0) {
    takeLogin(link, bytes, start, end, isError);
    return;
  }
  const exchange = firstOf(link);
  if (exchange === undefined) {
    breakLink(link, 'it sends more replies than it was asked for', false);
  } else if (exchange.prefaces > 0) {
    exchange.prefaces -= 1;
    if (isError) exchange.onPrefaceError(errorTextOf(bytes, start, end));
  } else {
    if (isWhole) removeFirst(link);
    exchange.onReply(bytes, start, end, isWhole, isError);
  }
}

function takeLogin(link: PeerLink, bytes: Buffer, start: number, end: number, isError: boolean): void {
  if (isError) {
    breakLink(link, `it refuses the login: ${errorTextOf(bytes, start, end)}`, false);
    return;
  }
  link.loginLeft -= 1;
  if (link.loginLeft === 0) flush(link);
}

function errorTextOf(bytes: Buffer, start: number, end: number): string {
  return bytes.toString('latin1', start + 1, end - LINE_END_BYTES);
}

function firstOf({ inFlight, head }: PeerLink): Exchange | undefined {
  return inFlight[head];
}

function removeFirst(link: PeerLink): void {
  const { inFlight, head } = link;
  link.inFlightBytes -= inFlight[head]?.request.length ?? 0;
  inFlight[head] = undefined;
  link.head += 1;
  if (link.head === inFlight.length) {
    inFlight.length = 0;
    link.head = 0;
  } else if (link.head > DONE_REQUESTS_KEPT_MAX) {
    inFlight.splice(0, link.head);
    link.head = 0;
  }
}

function scheduleFlush(link: PeerLink): void {
  if (link.isFlushDue) return;
  link.isFlushDue = true;
  link.hooks.later(() => flush(link));
}

function flush(link: PeerLink): void {
  const { socket, out } = link;
  link.isFlushDue = false;
  if (link.isClosed || out.length === 0 || link.sending !== undefined) return;
  const bytes = out.bytes.subarray(0, out.length);
  link.unsentCount = 0;
  out.length = 0;
  if (bytes.length > PEER_WRITE_BYTES_MAX) {
    out.bytes = Buffer.allocUnsafeSlow(OUT_BYTES_START);
    sendPiece(link, bytes);
    return;
  }
  socket.write(bytes);
  // What the kernel has not taken stays where it is.
  const isTaken = socket.writableLength === 0 && !('encrypted' in socket);
  if (!isTaken || out.bytes.length > OUT_BYTES_KEPT_MAX) out.bytes = Buffer.allocUnsafeSlow(OUT_BYTES_START);
}

/** Much goes piece by piece, so that it is seen whether it goes: until then no answer can be expected. */
function sendPiece(link: PeerLink, bytes: Buffer): void {
  link.sending = bytes;
  link.socket.write(bytes.subarray(0, PEER_WRITE_BYTES_MAX), () => {
    if (link.isClosed) return;
    const rest = bytes.subarray(PEER_WRITE_BYTES_MAX);
    link.partMs = link.hooks.nowMs();
    link.sending = undefined;
    if (rest.length > 0) sendPiece(link, rest);
    else flush(link);
  });
}

function armTimer(link: PeerLink, waitMs: number): void {
  link.timer = setTimeout(checkDeadline, waitMs, link);
  link.timer.unref();
}

function checkDeadline(link: PeerLink): void {
  const { overdue } = link;
  link.timer = undefined;
  link.overdue = undefined;
  const oldest = firstOf(link);
  if (oldest === undefined || link.isClosed) return;
  const timeoutMs = link.hooks.timeoutMs();
  const leftMs = Math.max(oldest.sentMs, link.partMs) + timeoutMs - link.hooks.nowMs();
  if (leftMs > 0) {
    armTimer(link, Math.ceil(leftMs));
  } else if (overdue === oldest) {
    breakLink(link, `it has not answered for ${timeoutMs} ms`, true);
  } else {
    link.overdue = oldest;
    armTimer(link, LAST_LOOK_MS);
  }
}

function breakLink(link: PeerLink, reason: string, isTimeout: boolean): void {
  if (link.isClosed) return;
  link.isClosed = true;
  clearTimeout(link.timer);
  link.socket.destroy();
  const lost = link.inFlight.splice(0).slice(link.head);
  const sentCount = lost.length - link.unsentCount;
  link.hooks.onBroken(link, reason, lost.length, isTimeout);
  lost.forEach((exchange, index) => {
    exchange?.onFailure(reason, index < sentCount);
  });
}
