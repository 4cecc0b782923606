/**
 * The home of keys that clients wait for: who waits for each, and whose turn it is.
 *
 * Runs on every worker, for the shards that it owns. Whoever came first has the first try, one after the other as long as the key is
 * there. A client that waits for several keys stands in several queues, and leaves them all when it is served. While it has a try in
 * one, the others do not pass it over: of two keys that come together the first serves whom it can, as in redis-server. A look at a
 * key costs its shard's lock for a moment. Nothing here is called while a command runs.
 */
import { Buffer } from 'node:buffer';
import { typeOf } from '../shard/entry.ts';
import { findForReading } from '../shard/keyspace.ts';
import { NONE } from '../shard/layout.ts';
import {
  type AnswerMessage,
  type Queue,
  type QueueMessage,
  TOPIC_OFFER,
  type WaitMessage,
} from './blocking-state.ts';
import type { Engine } from './engine.ts';
import { enterShard, leaveShard } from './shard-locks.ts';

/** The key is not there. */
const NO_TYPE = 0;

/** A client of `fromThread` begins to wait for a key; one that is known already keeps its place. */
export function enqueue(engine: Engine, message: WaitMessage, fromThread: number): void {
  const { name, waitId, type } = message;
  const queue = engine.blocking.queues.get(name) ?? createQueue(engine, message);
  queue.waiters.set(waiterName(fromThread, waitId), { threadId: fromThread, waitId, type });
  // The key may have come since the client has looked.
  serveQueue(engine, queue);
}

/** A client waits for the key no more. */
export function dequeue(engine: Engine, { name, waitId }: QueueMessage, fromThread: number): void {
  const queue = engine.blocking.queues.get(name);
  if (queue === undefined) return;
  removeFrom(engine, queue, waiterName(fromThread, waitId));
  serveQueue(engine, queue);
}

/** A client has had its try. One that was not served keeps its place. */
export function takeAnswer(
  engine: Engine,
  { name, waitId, isOver }: AnswerMessage,
  fromThread: number,
): void {
  const queue = engine.blocking.queues.get(name);
  if (queue === undefined) return;
  const waiter = waiterName(fromThread, waitId);
  const held = engine.blocking.tries.get(waiter) ?? [];
  if (queue.offered === waiter) endTry(engine, queue, waiter);
  if (isOver) removeFrom(engine, queue, waiter);
  serveQueue(engine, queue);
  // One that was served leaves the others, which go on then.
  if (!isOver) for (const other of held) lookAtKey(engine, other);
}

/** A key may be there. */
export function lookAtKey(engine: Engine, name: string): void {
  const queue = engine.blocking.queues.get(name);
  if (queue !== undefined) serveQueue(engine, queue);
}

/** Any key may be there. */
export function lookAtQueues(engine: Engine): void {
  for (const queue of [...engine.blocking.queues.values()]) serveQueue(engine, queue);
}

/** A thread is gone, and its clients with it. */
export function forgetWaitersOf(engine: Engine, threadId: number): void {
  for (const queue of [...engine.blocking.queues.values()]) {
    for (const [waiter, { threadId: thread }] of [...queue.waiters]) {
      if (thread === threadId) removeFrom(engine, queue, waiter);
    }
    serveQueue(engine, queue);
  }
}

function createQueue(engine: Engine, { name, shard, database, key }: WaitMessage): Queue {
  const queue: Queue = {
    ...{ name, shard: engine.shards[shard], database, key: Buffer.from(key, 'latin1') },
    ...{ waiters: new Map(), offered: undefined },
  };
  engine.blocking.queues.set(name, queue);
  return queue;
}

function endTry({ blocking }: Engine, queue: Queue, waiter: string): void {
  queue.offered = undefined;
  blocking.tries.delete(waiter);
}

function removeFrom(engine: Engine, queue: Queue, waiter: string): void {
  queue.waiters.delete(waiter);
  if (queue.offered === waiter) endTry(engine, queue, waiter);
  if (queue.waiters.size === 0) engine.blocking.queues.delete(queue.name);
}

/** Has the first who waits for what is there try to get it, unless somebody tries already. */
function serveQueue(engine: Engine, queue: Queue): void {
  const { name, waiters } = queue;
  const { tries } = engine.blocking;
  if (queue.offered !== undefined || waiters.size === 0) return;
  const found = typeOfKey(engine, queue);
  if (found === NO_TYPE) return;
  for (const [waiter, { threadId, waitId, type }] of waiters) {
    if (type !== found) continue;
    const held = tries.get(waiter);
    if (held !== undefined) {
      held.add(name);
      return;
    }
    queue.offered = waiter;
    tries.set(waiter, new Set());
    // Of a thread that is not there, `forgetWaitersOf` hears.
    if (offer(engine, threadId, { name, waitId })) return;
    endTry(engine, queue, waiter);
  }
}

/** No command is running: a client of this very thread has its try at once. Its answer comes later all the same. */
function offer({ blocking, bus, threadId: ownId }: Engine, threadId: number, message: QueueMessage): boolean {
  if (threadId !== ownId) return bus.publishTo(threadId, TOPIC_OFFER, message);
  blocking.handlers.get(TOPIC_OFFER)?.(message, ownId);
  return true;
}

function typeOfKey({ wallMs }: Engine, { shard, database, key }: Queue): number {
  enterShard(shard);
  try {
    const ref = findForReading(shard, database, key, 0, key.length, wallMs());
    return ref === NONE ? NO_TYPE : typeOf(shard.entries, ref);
  } finally {
    leaveShard(shard);
  }
}

function waiterName(threadId: number, waitId: number): string {
  return `${threadId}:${waitId}`;
}
