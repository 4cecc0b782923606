/**
 * What one thread has on its hands for messages between clients: who listens, what it has to tell the other threads, and
 * what they have sent it.
 *
 * One record per thread, never shared; interest.ts and delivery.ts are what uses it.
 */
import type { Buffer } from 'node:buffer';
import type { Deferred, Session } from './session.ts';
import { createListening, type Listening } from './subscriptions.ts';

/** What is to be sent to one other thread, and what it was sent and has not worked off yet. */
export type Outbox = {
  /** Messages of this turn: the first `length` bytes (delivery.ts). */
  bytes: Buffer;
  length: number;
  unseenBytes: number;
  /** It is so far behind that it gets no more, and closes its subscribers. */
  isLost: boolean;
};

/** Messages of another thread, the first `at` bytes of which have been delivered. */
export type Inbox = { readonly fromThread: number; readonly bytes: Buffer; at: number };

export type PubSub = {
  readonly listening: Listening;
  /** Names whose own subscribers have changed and of which the others were not told yet, by kind. */
  changed: readonly [Set<string>, Set<string>, Set<string>];
  /** To be called once the others know. */
  whenTold: (() => void)[];
  isTellingDue: boolean;
  readonly outboxes: Map<number, Outbox>;
  isSendDue: boolean;
  /** Clients that have published to a thread that is behind. */
  readonly crowding: Set<Session>;
  /** Those of them that wait until no thread is. */
  held: Deferred[];
  inboxes: Inbox[];
  isDeliveryDue: boolean;
};

export function createPubSub(): PubSub {
  return {
    listening: createListening(),
    changed: [new Set(), new Set(), new Set()],
    whenTold: [],
    isTellingDue: false,
    outboxes: new Map(),
    isSendDue: false,
    crowding: new Set(),
    held: [],
    inboxes: [],
    isDeliveryDue: false,
  };
}
