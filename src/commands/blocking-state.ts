/**
 * What a thread knows of clients that wait for keys (BLPOP and its like): those it serves, and those of all threads that wait for keys
 * of its own shards.
 *
 * One record per thread, made with its engine. The home of a key is the worker that owns its shard: there, for each key, those who
 * wait for it stand in a queue in the order in which they came (blocking-home.ts). The worker of a client keeps the command and
 * executes it again when its turn comes (blocking.ts). The two talk over the bus, in these messages:
 *
 *   client's worker                                  home
 *   ───────────────                                  ────
 *   begins to wait, once for each key     WAIT  ──►  into the queue; looks whether the key is there
 *                                                    it is there: the first who waits for its type has a try
 *   executes the command for that key  ◄── OFFER
 *   has served its client, or has not   ANSWER  ──►  out of the queue if so; looks again
 *   waits no more, for whatever reason   LEAVE  ──►  out of the queue
 *
 *   any thread: a collection was made       BORN  ──►  looks whether the key is there
 *   any thread: databases were exchanged    LOOK  ──►  looks at all its keys
 *   a worker that has replaced a dead one  ANEW   ──►  every worker waits again for the keys whose home that is
 */
import type { Buffer } from 'node:buffer';
import type { Shard } from '../shard/shard.ts';
import type { Call, Command } from './call.ts';
import type { Engine } from './engine.ts';
import type { Deferred, Session } from './session.ts';

export const TOPIC_WAIT = 'blocked-wait';
export const TOPIC_LEAVE = 'blocked-leave';
export const TOPIC_OFFER = 'blocked-offer';
export const TOPIC_ANSWER = 'blocked-answer';
export const TOPIC_BORN = 'blocked-born';
export const TOPIC_LOOK = 'blocked-look';
export const TOPIC_ANEW = 'blocked-anew';

/** WAIT: the key as it is found again, one character per byte, and the type that the client waits for. */
export type WaitMessage = {
  readonly name: string;
  readonly shard: number;
  readonly database: number;
  readonly key: string;
  readonly type: number;
  readonly waitId: number;
};

/** LEAVE, OFFER: which key's queue, and who. BORN has the name alone. */
export type QueueMessage = { readonly name: string; readonly waitId: number };

/** Whether who had a try waits no more. */
export type AnswerMessage = QueueMessage & { readonly isOver: boolean };

/** A key that a client waits for. */
export type AwaitedKey = {
  readonly name: string;
  readonly shard: Shard;
  readonly database: number;
  readonly key: Buffer;
  /** The argument that it is. */
  readonly index: number;
};

/** One client that waits, and what it has asked for. */
export type Wait = {
  readonly id: number;
  readonly session: Session;
  readonly command: Command;
  /** A copy of the arguments: the buffer of the request is used again. */
  readonly input: Call['input'];
  readonly spans: Int32Array;
  readonly count: number;
  /** Which arguments are the keys that it waits for, and what they must be. */
  readonly firstKey: number;
  readonly keyCount: number;
  readonly type: number;
  readonly keys: readonly AwaitedKey[];
  readonly deferred: Deferred;
  /** By the thread's monotonic clock; Infinity for ever. */
  readonly endsMs: number;
  timer: NodeJS.Timeout | undefined;
};

type Waiter = { readonly threadId: number; readonly waitId: number; readonly type: number };

/** Those who wait for a key, under `thread:wait`, in the order in which they came. */
export type Queue = {
  readonly name: string;
  readonly shard: Shard;
  readonly database: number;
  readonly key: Buffer;
  readonly waiters: Map<string, Waiter>;
  /** Who has a try at present. */
  offered: string | undefined;
};

export type MessageHandler = (payload: unknown, fromThread: number) => void;

export type Blocking = {
  /** This thread's clients that wait, by the numbers of their waits. */
  readonly waits: Map<number, Wait>;
  nextWaitId: number;
  /** The keys whose home this thread is, by name. */
  readonly queues: Map<string, Queue>;
  /** Who of these has a try at present, and the names of the queues that wait for what comes of it. */
  readonly tries: Map<string, Set<string>>;
  /** What this thread does about a message of its own. */
  readonly handlers: Map<string, MessageHandler>;
  /** The id of the thread of worker 0; the others' follow. */
  readonly firstWorkerThread: number;
};

export function createBlocking(firstWorkerThread: number): Blocking {
  return {
    ...{ waits: new Map(), nextWaitId: 1, queues: new Map(), tries: new Map() },
    ...{ handlers: new Map(), firstWorkerThread },
  };
}

/** The thread that is the home of a shard's keys. */
export function homeOfShard({ blocking, workerCount }: Engine, shard: number): number {
  return blocking.firstWorkerThread + (shard % workerCount);
}

/** What the queue of a key is found by. */
export function queueName(shard: number, database: number, key: string): string {
  return `${shard}:${database}:${key}`;
}

/**
 * Tells one thread, which may be this one: then in a step of its own, since a command may be running. False where the thread is not
 * there.
 */
export function tellThread(engine: Engine, threadId: number, topic: string, payload: unknown): boolean {
  if (threadId !== engine.threadId) return engine.bus.publishTo(threadId, topic, payload);
  engine.later(() => engine.blocking.handlers.get(topic)?.(payload, threadId));
  return true;
}
