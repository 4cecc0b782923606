/**
 * Messages between clients: SUBSCRIBE and its kind, PUBLISH, SPUBLISH, and PUBSUB, which tells who listens to what.
 *
 * Runs on the thread of the connection. A (un)subscription is confirmed once all threads know of it (interest.ts), so that no message
 * published after the confirmation is missed; the client's next commands wait for that. Source of the rules: Redis 7.0 `pubsub.c`.
 */
import { Buffer } from 'node:buffer';
import { spanText } from '../base/bytes.ts';
import { globMatch } from '../base/glob.ts';
import { MIB, SUBSCRIPTION_BYTES_MAX } from '../config/limits.ts';
import {
  createReplyWriter,
  insertArray,
  type ReplyWriter,
  writeArray,
  writeBulk,
  writeBulkText,
  writeError,
  writeInteger,
  writeNull,
  writePush,
  writeRaw,
} from '../resp/reply-writer.ts';
import { type Call, type Command, deferUntimed, type Handler } from './call.ts';
import { installDelivery, publishMessage } from './delivery.ts';
import type { Engine } from './engine.ts';
import { replyHelp } from './help.ts';
import { installInterest, noteInterest, whenInterestKnown } from './interest.ts';
import { REPLY_OFF, REPLY_SKIP, type Session } from './session.ts';
import {
  addSubscription,
  CHANNELS,
  confirmedCount,
  listenerCount,
  PATTERNS,
  removeSubscription,
  SHARD_CHANNELS,
  subscriptionBytes,
} from './subscriptions.ts';
import { tellKeyEvents } from './told-keys.ts';

const CONFIRMATION_BYTES_START = 256;

/** By kind. */
const SUBSCRIBED = ['subscribe', 'psubscribe', 'ssubscribe'];
const UNSUBSCRIBED = ['unsubscribe', 'punsubscribe', 'sunsubscribe'];

/** What a client of RESP2 may say while it listens. */
const SUBSCRIBER_COMMANDS = new Set([...SUBSCRIBED, ...UNSUBSCRIBED, 'ping', 'quit', 'reset']);

const HELP = [
  'CHANNELS [<pattern>]',
  "    Return the currently active channels matching a <pattern> (default: '*').",
  'NUMPAT',
  '    Return number of subscriptions to patterns.',
  'NUMSUB [<channel> ...]',
  '    Return the number of subscribers for the specified channels, excluding',
  '    pattern subscriptions(default: no channels).',
  'SHARDCHANNELS [<pattern>]',
  "    Return the currently active shard level channels matching a <pattern> (default: '*').",
  'SHARDNUMSUB [<shardchannel> ...]',
  '    Return the number of subscribers for the specified shard level channel(s)',
];

export const pubsubHandlers: Readonly<Record<string, Handler>> = {
  subscribe: (call) => subscribe(call, CHANNELS),
  psubscribe: (call) => subscribe(call, PATTERNS),
  ssubscribe: (call) => subscribe(call, SHARD_CHANNELS),
  unsubscribe: (call) => unsubscribe(call, CHANNELS),
  punsubscribe: (call) => unsubscribe(call, PATTERNS),
  sunsubscribe: (call) => unsubscribe(call, SHARD_CHANNELS),
  publish: (call) => publish(call, CHANNELS),
  spublish: (call) => publish(call, SHARD_CHANNELS),
  'pubsub|channels': (call) => listNames(call, CHANNELS),
  'pubsub|help': (call) => replyHelp(call, HELP),
  'pubsub|numpat': (call) => writeInteger(call.reply, call.engine.pubsub.listening[PATTERNS].size),
  'pubsub|numsub': (call) => countListeners(call, CHANNELS),
  'pubsub|shardchannels': (call) => listNames(call, SHARD_CHANNELS),
  'pubsub|shardnumsub': (call) => countListeners(call, SHARD_CHANNELS),
};

/** Makes this thread take part. Once, at its start, before it serves; resolves when it knows who listens on the others. */
export function installPubSub(engine: Engine, generation: number): Promise<void> {
  installDelivery(engine);
  return installInterest(engine, generation);
}

/** The client listens to nothing any more, because it says so or is gone. Nothing is answered. */
export function endSubscriptions(engine: Engine, session: Session): void {
  for (const kind of [CHANNELS, PATTERNS, SHARD_CHANNELS]) {
    for (const name of session.subscriptions?.names[kind] ?? []) leave(engine, session, kind, name);
  }
}

/** Ends what clients of this thread listen to among the channels of shards that are lost here, and tells them, as redis-server does. */
export function endLostChannels(engine: Engine, isLost: (name: string) => boolean): void {
  for (const [name, { own }] of [...engine.pubsub.listening[SHARD_CHANNELS]]) {
    if (own.size === 0 || !isLost(name)) continue;
    for (const session of [...own]) {
      leave(engine, session, SHARD_CHANNELS, name);
      const told = createReplyWriter(CONFIRMATION_BYTES_START);
      told.protocol = session.protocol;
      confirm(told, UNSUBSCRIBED[SHARD_CHANNELS], name, confirmedCount(session, SHARD_CHANNELS));
      session.connection.push(told.bytes.subarray(0, told.length));
    }
  }
}

/** Whether the command is refused because its client listens, and answers it: in RESP2 it could not tell replies from messages. */
export function isRefusedToSubscriber({ reply, session }: Call, { spec }: Command): boolean {
  if (session.protocol !== 2 || SUBSCRIBER_COMMANDS.has(spec.name)) return false;
  writeError(
    reply,
    `ERR Can't execute '${spec.name}': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET are allowed in this context`,
  );
  return true;
}

/** PING of a client of RESP2 that listens: its answer looks like a message. */
export function replySubscriberPing({ reply, input, spans, count }: Call): void {
  writeArray(reply, 2);
  writeBulkText(reply, 'pong');
  if (count === 1) writeBulkText(reply, '');
  else writeBulk(reply, input, spans[2], spans[3]);
}

function subscribe(call: Call, kind: number): void {
  const { engine, session, count } = call;
  if (refusesSubscriptions(call) || isOverBound(call)) return;
  const confirmations = createReplyWriter(CONFIRMATION_BYTES_START);
  confirmations.protocol = session.protocol;
  let hasChanged = false;
  for (let index = 1; index < count; index += 1) {
    const name = nameArgument(call, index);
    if (addSubscription(engine.pubsub.listening, session, kind, name)) {
      noteInterest(engine, kind, name);
      hasChanged = true;
    }
    confirm(confirmations, SUBSCRIBED[kind], name, confirmedCount(session, kind));
  }
  answer(call, confirmations, hasChanged);
}

function unsubscribe(call: Call, kind: number): void {
  const { engine, session, count } = call;
  if (refusesSubscriptions(call)) return;
  const confirmations = createReplyWriter(CONFIRMATION_BYTES_START);
  confirmations.protocol = session.protocol;
  const names =
    count === 1
      ? [...(session.subscriptions?.names[kind] ?? [])]
      : Array.from({ length: count - 1 }, (_, index) => nameArgument(call, index + 1));
  let hasChanged = false;
  for (const name of names) {
    if (leave(engine, session, kind, name)) hasChanged = true;
    confirm(confirmations, UNSUBSCRIBED[kind], name, confirmedCount(session, kind));
  }
  if (names.length === 0)
    confirm(confirmations, UNSUBSCRIBED[kind], undefined, confirmedCount(session, kind));
  answer(call, confirmations, hasChanged);
}

/** A client of HTTP gets one reply for each command, and no messages. Nor may shard channels be listened to in a transaction. */
function refusesSubscriptions({ engine, session, reply, command }: Call): boolean {
  const isRefused = command.spec.name === 'ssubscribe' && session.deferInside !== undefined;
  if (engine.workerIndex >= 0 && !isRefused) return false;
  writeError(reply, `ERR ${command.spec.name.toUpperCase()} isn't allowed for a DENY BLOCKING client`);
  return true;
}

/** What the client listens to takes memory on every thread. */
function isOverBound({ reply, session, spans, count }: Call): boolean {
  const bytes = subscriptionBytes(count - 1, spans[2 * count - 1] - spans[2]);
  if ((session.subscriptions?.bytes ?? 0) + bytes <= SUBSCRIPTION_BYTES_MAX) return false;
  writeError(
    reply,
    `ERR the names that a client listens to may take ${SUBSCRIPTION_BYTES_MAX / MIB} MiB in all`,
  );
  return true;
}

function leave(engine: Engine, session: Session, kind: number, name: string): boolean {
  if (!removeSubscription(engine.pubsub.listening, session, kind, name)) return false;
  noteInterest(engine, kind, name);
  return true;
}

function confirm(reply: ReplyWriter, word: string, name: string | undefined, count: number): void {
  writePush(reply, 3);
  writeBulkText(reply, word);
  if (name === undefined) {
    writeNull(reply);
  } else {
    const bytes = Buffer.from(name, 'latin1');
    writeBulk(reply, bytes, 0, bytes.length);
  }
  writeInteger(reply, count);
}

/** Confirmations are messages: a client that has switched its replies off gets them all the same. */
function answer(call: Call, { bytes, length }: ReplyWriter, hasChanged: boolean): void {
  const { engine, reply, session } = call;
  const confirmations = bytes.subarray(0, length);
  if (session.replyMode === REPLY_OFF || session.replyMode === REPLY_SKIP) {
    session.connection.push(confirmations);
  } else if (!hasChanged) {
    writeRaw(reply, confirmations);
  } else {
    const deferred = deferUntimed(call);
    whenInterestKnown(engine, () => deferred.resume((late) => writeRaw(late, confirmations)));
  }
}

function publish(call: Call, kind: number): void {
  const { engine, session, input, spans, reply } = call;
  // In a transaction there may be events of the commands before: they come first.
  if (engine.keyEvents.length !== 0) tellKeyEvents(engine, session, Infinity);
  const receivers = publishMessage(engine, session, {
    kind,
    source: input,
    channelStart: spans[2],
    channelEnd: spans[3],
    bodyStart: spans[4],
    bodyEnd: spans[5],
    isBehind: false,
  });
  const { cluster } = engine;
  // Whom another node asks to publish has its own clients to tell.
  if (cluster?.forwarder === undefined || session.isPeer || kind !== CHANNELS) writeInteger(reply, receivers);
  else cluster.forwarder.publish(call, receivers);
}

/** PUBSUB CHANNELS and SHARDCHANNELS: the names of one kind that somebody listens to, and that match. */
function listNames(call: Call, kind: number): void {
  const { reply, input, spans, count, engine } = call;
  if (count > 3) {
    const subcommand = spanText(input, spans[2], spans[3]);
    writeError(
      reply,
      `ERR unknown subcommand or wrong number of arguments for '${subcommand}'. Try PUBSUB HELP.`,
    );
    return;
  }
  const start = reply.length;
  let listed = 0;
  for (const { bytes } of engine.pubsub.listening[kind].values()) {
    if (count === 3 && !globMatch(input, spans[4], spans[5], bytes, 0, bytes.length, false)) continue;
    writeBulk(reply, bytes, 0, bytes.length);
    listed += 1;
  }
  insertArray(reply, start, listed);
}

/** PUBSUB NUMSUB and SHARDNUMSUB. */
function countListeners(call: Call, kind: number): void {
  const { reply, input, spans, count, engine } = call;
  writeArray(reply, 2 * (count - 2));
  for (let index = 2; index < count; index += 1) {
    writeBulk(reply, input, spans[2 * index], spans[2 * index + 1]);
    writeInteger(reply, listenerCount(engine.pubsub.listening, kind, nameArgument(call, index)));
  }
}

function nameArgument({ input, spans }: Call, index: number): string {
  return input.toString('latin1', spans[2 * index], spans[2 * index + 1]);
}
