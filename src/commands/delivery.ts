/**
 * The way of a message from whoever publishes it to the clients that listen: those of this thread at once, those of others over
 * the bus.
 *
 * A thread is sent nothing that none of its clients listens to, and at most one bus message a turn (more only where a turn's are
 * many). Messages of one publisher arrive in order. The bytes for the clients are made once for each thread and protocol.
 * Nothing waits for a slow subscriber: output limits do away with it. A thread that is slow in handing on what it was sent makes
 * those wait who publish to it (their next commands, not this one); what comes all the same, of who cannot be made to
 * wait, is bounded as well: past that bound the thread closes its subscribers, as an output limit would.
 */
import { Buffer } from 'node:buffer';
import { globMatch } from '../base/glob.ts';
import {
  PUBSUB_AHEAD_BYTES_MAX,
  PUBSUB_BATCH_BYTES_MAX,
  PUBSUB_CALM_BYTES,
  TURN_OUTPUT_BYTES_MAX,
} from '../config/limits.ts';
import { LIMIT_CUTS } from '../metrics/names.ts';
import { type ReplyWriter, writeBulk, writePush, writeRaw } from '../resp/reply-writer.ts';
import type { Engine } from './engine.ts';
import type { Inbox, Outbox, PubSub } from './pubsub-state.ts';
import type { Session } from './session.ts';
import { CHANNELS, type Listeners, PATTERNS } from './subscriptions.ts';

/** To one: messages for its subscribers; and back: so many bytes of them are handed on. */
const TOPIC_MESSAGES = 'pubsub-messages';
const TOPIC_HANDED_ON = 'pubsub-handed-on';
/** To one: there were more messages than it could take, and some are lost. */
const TOPIC_LOST = 'pubsub-lost';

/** A message as it is published: two spans of `source`, which is good for the time of the call only. */
export type Message = {
  /** CHANNELS or SHARD_CHANNELS. */
  readonly kind: number;
  readonly source: Buffer;
  readonly channelStart: number;
  readonly channelEnd: number;
  readonly bodyStart: number;
  readonly bodyEnd: number;
  /** Whether its publisher, if it listens, gets it behind the reply of the command that runs, and not before. */
  readonly isBehind: boolean;
};

/** Between threads: kind, bytes of the channel, bytes of the body (32 bits each); channel; body. */
const CHANNEL_BYTES = 4;
const BODY_BYTES = 8;
const HEADER_BYTES = 12;

/** A push's frame and word. */
const FRAME_BYTES_MAX = 128;
const OUTBOX_BYTES_START = 4096;

/** The word of a message by its kind, and of one that came by a pattern. */
const WORDS = [
  Buffer.from('$7\r\nmessage\r\n'),
  Buffer.from('$8\r\npmessage\r\n'),
  Buffer.from('$8\r\nsmessage\r\n'),
];

/** The threads that the message at hand has to go to. One per thread. */
const destinations = new Set<number>();

/** Makes this thread hand on what others publish. Once, at its start. */
export function installDelivery(engine: Engine): void {
  const { bus, pubsub } = engine;
  bus.handle(TOPIC_MESSAGES, (bytes, fromThread) => receive(engine, bytes as Uint8Array, fromThread));
  bus.handle(TOPIC_HANDED_ON, (bytes, fromThread) => noteHandedOn(pubsub, bytes as number, fromThread));
  bus.handle(TOPIC_LOST, (_, fromThread) => loseMessages(engine, fromThread));
  bus.onGone((threadId) => {
    pubsub.outboxes.delete(threadId);
    pubsub.inboxes = pubsub.inboxes.filter(({ fromThread }) => fromThread !== threadId);
    releaseIfCalm(pubsub);
  });
}

/**
 * Publishes a message and returns how many clients of all threads get it: one that listens by a channel and by patterns gets it
 * for each. `by` is who publishes, where it is a client. O(subscribers here + patterns of all threads).
 */
export function publishMessage(engine: Engine, by: Session | undefined, message: Message): number {
  const { kind, source, channelStart, channelEnd } = message;
  const { listening } = engine.pubsub;
  const names = listening[kind];
  const patterns = listening[PATTERNS];
  const usesPatterns = kind === CHANNELS && patterns.size > 0;
  if (names.size === 0 && !usesPatterns) return 0;
  let receivers = 0;
  destinations.clear();
  const direct =
    names.size === 0 ? undefined : names.get(source.toString('latin1', channelStart, channelEnd));
  if (direct !== undefined) receivers += reach(direct, message, undefined);
  if (usesPatterns) {
    for (const listeners of patterns.values()) {
      if (isMatch(listeners, message)) receivers += reach(listeners, message, listeners.bytes);
    }
  }
  if (destinations.size > 0) for (const threadId of destinations) post(engine, by, threadId, message);
  return receivers;
}

function isMatch({ bytes }: Listeners, { source, channelStart, channelEnd }: Message): boolean {
  return globMatch(bytes, 0, bytes.length, source, channelStart, channelEnd, false);
}

/** Pushes to the own clients, and notes which other threads have some. */
function reach(listeners: Listeners, message: Message, pattern: Buffer | undefined): number {
  if (listeners.own.size > 0) pushToOwn(listeners, message, pattern);
  if (listeners.elsewhereCount > 0)
    for (const threadId of listeners.elsewhere.keys()) destinations.add(threadId);
  return listeners.own.size + listeners.elsewhereCount;
}

/** The bytes are made for the first client of each protocol. Returns them all, as many times as they are sent. */
function pushToOwn({ own }: Listeners, message: Message, pattern: Buffer | undefined): number {
  let two: Buffer | undefined;
  let three: Buffer | undefined;
  let bytes = 0;
  for (const { connection, protocol } of own) {
    let push: Buffer;
    if (protocol === 2) {
      two ??= encode(message, pattern, 2);
      push = two;
    } else {
      three ??= encode(message, pattern, 3);
      push = three;
    }
    bytes += push.length;
    if (message.isBehind) connection.pushBehind(push);
    else connection.push(push);
  }
  return bytes;
}

function encode(message: Message, pattern: Buffer | undefined, protocol: 2 | 3): Buffer {
  const { kind, source, channelStart, channelEnd, bodyStart, bodyEnd } = message;
  const contentBytes = channelEnd - channelStart + bodyEnd - bodyStart + (pattern?.length ?? 0);
  const bytes = Buffer.allocUnsafe(FRAME_BYTES_MAX + contentBytes);
  const writer: ReplyWriter = { bytes, length: 0, protocol };
  writePush(writer, pattern === undefined ? 3 : 4);
  writeRaw(writer, WORDS[pattern === undefined ? kind : PATTERNS]);
  if (pattern !== undefined) writeBulk(writer, pattern, 0, pattern.length);
  writeBulk(writer, source, channelStart, channelEnd);
  writeBulk(writer, source, bodyStart, bodyEnd);
  return writer.bytes.subarray(0, writer.length);
}

/** Puts a message into the outbox for another thread. */
function post(engine: Engine, by: Session | undefined, threadId: number, message: Message): void {
  const { pubsub } = engine;
  const outbox = outboxOf(pubsub, threadId);
  if (outbox.isLost) return;
  pack(outbox, message);
  if (by !== undefined && outbox.unseenBytes + outbox.length > PUBSUB_CALM_BYTES) pubsub.crowding.add(by);
  if (outbox.length > PUBSUB_BATCH_BYTES_MAX) send(engine, threadId, outbox);
  if (pubsub.isSendDue) return;
  pubsub.isSendDue = true;
  engine.later(() => sendAll(engine));
}

function outboxOf({ outboxes }: PubSub, threadId: number): Outbox {
  let outbox = outboxes.get(threadId);
  if (outbox === undefined) {
    outbox = { bytes: Buffer.allocUnsafeSlow(OUTBOX_BYTES_START), length: 0, unseenBytes: 0, isLost: false };
    outboxes.set(threadId, outbox);
  }
  return outbox;
}

function pack(outbox: Outbox, { kind, source, channelStart, channelEnd, bodyStart, bodyEnd }: Message): void {
  const channelBytes = channelEnd - channelStart;
  const bodyBytes = bodyEnd - bodyStart;
  const at = outbox.length;
  const end = at + HEADER_BYTES + channelBytes + bodyBytes;
  if (end > outbox.bytes.length) growOutbox(outbox, end);
  const { bytes } = outbox;
  bytes.writeUInt32LE(kind, at);
  bytes.writeUInt32LE(channelBytes, at + CHANNEL_BYTES);
  bytes.writeUInt32LE(bodyBytes, at + BODY_BYTES);
  source.copy(bytes, at + HEADER_BYTES, channelStart, channelEnd);
  source.copy(bytes, at + HEADER_BYTES + channelBytes, bodyStart, bodyEnd);
  outbox.length = end;
}

function growOutbox(outbox: Outbox, bytes: number): void {
  const grown = Buffer.allocUnsafeSlow(Math.max(bytes, 2 * outbox.bytes.length));
  outbox.bytes.copy(grown, 0, 0, outbox.length);
  outbox.bytes = grown;
}

/** The turn is over: what it has published goes out, and who has published too much for others waits. */
function sendAll(engine: Engine): void {
  const { pubsub } = engine;
  pubsub.isSendDue = false;
  for (const [threadId, outbox] of [...pubsub.outboxes]) {
    if (outbox.length > 0) send(engine, threadId, outbox);
  }
  // Clients of main have no next command that could be made to wait.
  if (engine.workerIndex >= 0 && !isCalm(pubsub)) {
    for (const { connection, closing } of pubsub.crowding) if (!closing) pubsub.held.push(connection.defer());
  }
  pubsub.crowding.clear();
}

function send(engine: Engine, threadId: number, outbox: Outbox): void {
  const { bus, pubsub } = engine;
  const { length } = outbox;
  outbox.isLost = outbox.unseenBytes > PUBSUB_AHEAD_BYTES_MAX;
  // A buffer of just its length: what is sent to another thread is copied with all that is behind it.
  const bytes = Buffer.allocUnsafeSlow(outbox.isLost ? 0 : length);
  outbox.bytes.copy(bytes, 0, 0, bytes.length);
  outbox.unseenBytes += bytes.length;
  outbox.length = 0;
  if (outbox.bytes.length > PUBSUB_BATCH_BYTES_MAX) outbox.bytes = Buffer.allocUnsafeSlow(OUTBOX_BYTES_START);
  const isThere = outbox.isLost
    ? bus.publishTo(threadId, TOPIC_LOST, undefined)
    : bus.publishTo(threadId, TOPIC_MESSAGES, bytes);
  if (!isThere) pubsub.outboxes.delete(threadId);
}

function noteHandedOn(pubsub: PubSub, bytes: number, fromThread: number): void {
  const outbox = pubsub.outboxes.get(fromThread);
  if (outbox === undefined) return;
  outbox.unseenBytes = Math.max(0, outbox.unseenBytes - bytes);
  // All that was sent before some were lost is through or given up.
  if (outbox.unseenBytes === 0) outbox.isLost = false;
  releaseIfCalm(pubsub);
}

function isCalm({ outboxes }: PubSub): boolean {
  for (const { unseenBytes } of outboxes.values()) if (unseenBytes > PUBSUB_CALM_BYTES) return false;
  return true;
}

function releaseIfCalm(pubsub: PubSub): void {
  if (pubsub.held.length === 0 || !isCalm(pubsub)) return;
  const { held } = pubsub;
  pubsub.held = [];
  for (const deferred of held) deferred.resume(() => undefined);
}

function receive(engine: Engine, messages: Uint8Array, fromThread: number): void {
  const { pubsub } = engine;
  const bytes = Buffer.from(messages.buffer, messages.byteOffset, messages.length);
  pubsub.inboxes.push({ fromThread, bytes, at: 0 });
  if (!pubsub.isDeliveryDue) handOn(engine);
}

/** A turn's share of what has come; the rest, and what comes later in the turn, goes on after other clients' turns. */
function handOn(engine: Engine): void {
  const { bus, pubsub } = engine;
  let bytes = 0;
  while (pubsub.inboxes.length > 0 && bytes < TURN_OUTPUT_BYTES_MAX) {
    const inbox = pubsub.inboxes[0];
    bytes += deliver(engine, unpack(inbox));
    if (inbox.at < inbox.bytes.length) continue;
    pubsub.inboxes.shift();
    bus.publishTo(inbox.fromThread, TOPIC_HANDED_ON, inbox.bytes.length);
  }
  pubsub.isDeliveryDue = true;
  engine.later(() => {
    pubsub.isDeliveryDue = false;
    if (pubsub.inboxes.length > 0) handOn(engine);
  });
}

function unpack(inbox: Inbox): Message {
  const { bytes: source, at } = inbox;
  const channelStart = at + HEADER_BYTES;
  const channelEnd = channelStart + source.readUInt32LE(at + CHANNEL_BYTES);
  const bodyEnd = channelEnd + source.readUInt32LE(at + BODY_BYTES);
  inbox.at = bodyEnd;
  const kind = source.readUInt32LE(at);
  return { kind, source, channelStart, channelEnd, bodyStart: channelEnd, bodyEnd, isBehind: false };
}

/** Hands a message of another thread to the own clients; returns what that has cost, in bytes. */
function deliver({ pubsub }: Engine, message: Message): number {
  const { kind, source, channelStart, channelEnd, bodyEnd } = message;
  const { listening } = pubsub;
  let bytes = bodyEnd - channelStart;
  const direct = listening[kind].get(source.toString('latin1', channelStart, channelEnd));
  if (direct !== undefined && direct.own.size > 0) bytes += pushToOwn(direct, message, undefined);
  if (kind !== CHANNELS) return bytes;
  for (const listeners of listening[PATTERNS].values()) {
    if (listeners.own.size > 0 && isMatch(listeners, message))
      bytes += pushToOwn(listeners, message, listeners.bytes);
  }
  return bytes;
}

/** What another thread has published is lost in part: whoever listens here must know, and is closed. */
function loseMessages(engine: Engine, fromThread: number): void {
  const { bus, counters, log, pubsub, sessions } = engine;
  let bytes = 0;
  for (const inbox of pubsub.inboxes) if (inbox.fromThread === fromThread) bytes += inbox.bytes.length;
  pubsub.inboxes = pubsub.inboxes.filter((inbox) => inbox.fromThread !== fromThread);
  bus.publishTo(fromThread, TOPIC_HANDED_ON, bytes);
  for (const session of [...sessions.values()]) {
    if (session.subscriptions === undefined) continue;
    counters[LIMIT_CUTS] += 1;
    log.warning(`client ${session.id} (${session.address}) is closed: it cannot be told all messages`);
    session.connection.destroy();
  }
}
