/**
 * The bus: small messages between any two threads of the process, over a mesh of MessagePorts that main brokers.
 *
 * Each thread owns one `Bus`: its ends of the channels, its handlers by topic, and the requests it waits for. What a
 * turn of the loop sends to one thread travels as one batch, at the end of that turn. Pub/sub, wake-ups, client and
 * configuration events use it; never the data path. Nothing here keeps a loop alive. Messages from one thread to
 * another arrive in order; a thread that dies takes its unread ones along.
 */
import type { MessagePort } from 'node:worker_threads';
import { BUS_REPLY_MS_MAX } from '../config/limits.ts';
import type { BusPort } from './boot.ts';

/**
 * Answers one topic. What it returns (or resolves to) is the reply to a request and ignored for a publication. The
 * payload of another thread is a structured clone; the own thread's is the very object.
 */
export type TopicHandler<Payload = unknown> = (payload: Payload, fromThread: number) => unknown;

export type Bus = {
  readonly threadId: number;
  readonly peers: Map<number, Peer>;
  readonly handlers: Map<string, TopicHandler>;
  readonly waiting: Map<number, WaitingRequest>;
  /** Told of handlers that throw and payloads that cannot be cloned: bugs, which must not stop the other messages. */
  readonly onTrouble: (text: string, error: unknown) => void;
  /** Told of a thread that is not there any more; a replacement may have come already. */
  readonly onGone: ((threadId: number) => void)[];
  nextRequestId: number;
  flushDue: boolean;
};

type Peer = { readonly threadId: number; readonly port: MessagePort; outbox: Letter[] };

type WaitingRequest = { readonly threadId: number; readonly finish: (reply: unknown) => void };

type Letter =
  | { readonly kind: 'publication'; readonly topic: string; readonly payload: unknown }
  | { readonly kind: 'request'; readonly topic: string; readonly payload: unknown; readonly id: number }
  | { readonly kind: 'reply'; readonly id: number; readonly payload: unknown }
  | { readonly kind: 'no-reply'; readonly id: number };

/** Stands for the answer of a thread that died, was late, has no handler, or whose handler threw. */
const NO_REPLY = Symbol('no reply');

export function createBus(
  threadId: number,
  onTrouble: (text: string, error: unknown) => void,
  ports: readonly BusPort[],
): Bus {
  const bus: Bus = {
    threadId,
    peers: new Map(),
    handlers: new Map(),
    waiting: new Map(),
    onTrouble,
    onGone: [],
    nextRequestId: 1,
    flushDue: false,
  };
  for (const port of ports) connectPeer(bus, port);
  return bus;
}

/** Joins another thread to this one. A thread that is known already has been replaced: its old channel is dropped. */
export function connectPeer(bus: Bus, { threadId, port }: BusPort): void {
  disconnectPeer(bus, threadId);
  const peer: Peer = { threadId, port, outbox: [] };
  bus.peers.set(threadId, peer);
  port.on('message', (letters: Letter[]) => {
    for (const letter of letters) receive(bus, peer, letter);
  });
  port.on('close', () => {
    if (bus.peers.get(threadId) === peer) disconnectPeer(bus, threadId);
  });
  port.unref();
}

/** Forgets a thread: requests that wait for it end without its reply. */
export function disconnectPeer(bus: Bus, threadId: number): void {
  const peer = bus.peers.get(threadId);
  if (peer === undefined) return;
  bus.peers.delete(threadId);
  peer.port.close();
  for (const request of [...bus.waiting.values()]) {
    if (request.threadId === threadId) request.finish(NO_REPLY);
  }
  for (const listener of bus.onGone) listener(threadId);
}

/** Sets the one handler of a topic on this thread. The caller knows its topic, hence the payload's type. */
export function handleTopic<Payload>(bus: Bus, topic: string, handler: TopicHandler<Payload>): void {
  bus.handlers.set(topic, handler as TopicHandler);
}

/** Tells all other threads. */
export function publish(bus: Bus, topic: string, payload: unknown): void {
  for (const peer of bus.peers.values()) send(bus, peer, { kind: 'publication', topic, payload });
}

/** Tells one other thread; false where it is not there (any more) and hears nothing. */
export function publishTo(bus: Bus, threadId: number, topic: string, payload: unknown): boolean {
  const peer = bus.peers.get(threadId);
  if (peer === undefined) return false;
  send(bus, peer, { kind: 'publication', topic, payload });
  return true;
}

/**
 * Asks all threads, this one included, and resolves to their replies in order of thread. Never rejects: threads that die
 * meanwhile, fail, do not handle the topic or stay silent for `waitMs` are left out.
 */
export async function requestAll<Reply>(
  bus: Bus,
  topic: string,
  payload: unknown,
  waitMs: number = BUS_REPLY_MS_MAX,
): Promise<Reply[]> {
  const threadIds = [bus.threadId, ...bus.peers.keys()].sort((a, b) => a - b);
  const replies = await Promise.all(threadIds.map((threadId) => ask(bus, threadId, topic, payload, waitMs)));
  return replies.filter((reply) => reply !== NO_REPLY) as Reply[];
}

/** Asks one thread, which may be this one. Never rejects: undefined where requestAll would leave the thread out. */
export async function requestFrom<Reply>(
  bus: Bus,
  threadId: number,
  topic: string,
  payload: unknown,
  waitMs: number = BUS_REPLY_MS_MAX,
): Promise<Reply | undefined> {
  const reply = await ask(bus, threadId, topic, payload, waitMs);
  return reply === NO_REPLY ? undefined : (reply as Reply);
}

function ask(bus: Bus, threadId: number, topic: string, payload: unknown, waitMs: number): Promise<unknown> {
  if (threadId === bus.threadId) return answer(bus, topic, payload, threadId);
  const peer = bus.peers.get(threadId);
  if (peer === undefined) return Promise.resolve(NO_REPLY);
  const id = bus.nextRequestId;
  bus.nextRequestId += 1;
  return new Promise((resolve) => {
    const timer = setTimeout(() => finish(NO_REPLY), waitMs);
    timer.unref();
    const finish = (reply: unknown) => {
      clearTimeout(timer);
      bus.waiting.delete(id);
      resolve(reply);
    };
    bus.waiting.set(id, { threadId, finish });
    send(bus, peer, { kind: 'request', topic, payload, id });
  });
}

/**
 * Runs this thread's handler, in a step of its own: who asks this thread may hold locks of shards, as EXEC does, which the handler
 * takes. A handler that throws is a bug, told once, and no reply.
 */
async function answer(bus: Bus, topic: string, payload: unknown, fromThread: number): Promise<unknown> {
  const handler = bus.handlers.get(topic);
  if (handler === undefined) return NO_REPLY;
  try {
    if (fromThread === bus.threadId) await undefined;
    return await handler(payload, fromThread);
  } catch (error) {
    bus.onTrouble(`the handler of '${topic}' failed`, error);
    return NO_REPLY;
  }
}

function receive(bus: Bus, peer: Peer, letter: Letter): void {
  switch (letter.kind) {
    case 'publication':
      void answer(bus, letter.topic, letter.payload, peer.threadId);
      return;
    case 'request':
      void answer(bus, letter.topic, letter.payload, peer.threadId).then((reply) => {
        const { id } = letter;
        send(
          bus,
          peer,
          reply === NO_REPLY ? { kind: 'no-reply', id } : { kind: 'reply', id, payload: reply },
        );
      });
      return;
    case 'reply':
      bus.waiting.get(letter.id)?.finish(letter.payload);
      return;
    case 'no-reply':
      bus.waiting.get(letter.id)?.finish(NO_REPLY);
      return;
  }
}

function send(bus: Bus, peer: Peer, letter: Letter): void {
  peer.outbox.push(letter);
  if (bus.flushDue) return;
  bus.flushDue = true;
  setImmediate(flush, bus);
}

function flush(bus: Bus): void {
  bus.flushDue = false;
  for (const peer of bus.peers.values()) {
    if (peer.outbox.length === 0) continue;
    const letters = peer.outbox;
    peer.outbox = [];
    post(bus, peer, letters);
  }
}

/** A batch with a payload that cannot be cloned goes out in halves, so that only the culprit is lost. */
function post(bus: Bus, peer: Peer, letters: Letter[]): void {
  try {
    peer.port.postMessage(letters);
  } catch (error) {
    if (letters.length === 1) {
      bus.onTrouble(`a message of kind '${letters[0].kind}' cannot be cloned`, error);
      return;
    }
    const half = letters.length >> 1;
    post(bus, peer, letters.slice(0, half));
    post(bus, peer, letters.slice(half));
  }
}
