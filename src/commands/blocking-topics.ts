/**
 * What a worker does about the messages between those who wait for keys and the keys' homes (blocking-state.ts has the list).
 *
 * Runs on every worker.
 */
import { registerAnew, takeOffer } from './blocking.ts';
import { dequeue, enqueue, forgetWaitersOf, lookAtKey, lookAtQueues, takeAnswer } from './blocking-home.ts';
import {
  type AnswerMessage,
  type MessageHandler,
  type QueueMessage,
  TOPIC_ANEW,
  TOPIC_ANSWER,
  TOPIC_BORN,
  TOPIC_LEAVE,
  TOPIC_LOOK,
  TOPIC_OFFER,
  TOPIC_WAIT,
  type WaitMessage,
} from './blocking-state.ts';
import type { Engine } from './engine.ts';

/** Takes part from now on. `generation` counts the threads that have been in this one's place before. Once per worker, at its start. */
export function installBlocking(engine: Engine, generation: number): void {
  const { bus, blocking } = engine;
  const handle = (topic: string, handler: MessageHandler): void => {
    bus.handle(topic, handler);
    blocking.handlers.set(topic, handler);
  };
  handle(TOPIC_WAIT, (message, thread) => enqueue(engine, message as WaitMessage, thread));
  handle(TOPIC_LEAVE, (message, thread) => dequeue(engine, message as QueueMessage, thread));
  handle(TOPIC_ANSWER, (message, thread) => takeAnswer(engine, message as AnswerMessage, thread));
  handle(TOPIC_OFFER, (message, thread) => takeOffer(engine, message as QueueMessage, thread));
  handle(TOPIC_BORN, (name) => lookAtKey(engine, name as string));
  handle(TOPIC_LOOK, () => lookAtQueues(engine));
  handle(TOPIC_ANEW, (_, thread) => registerAnew(engine, thread));
  bus.onGone((threadId) => forgetWaitersOf(engine, threadId));
  if (generation > 0) bus.publish(TOPIC_ANEW, undefined);
}
