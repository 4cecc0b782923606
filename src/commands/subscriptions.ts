/**
 * Who listens to what: this thread's subscribers, by channel, pattern and shard channel, and how many the other threads have.
 *
 * One record per thread, never shared. Each thread knows the number of subscribers of every other thread (interest.ts), so that a
 * publisher knows at once how many get its message and which threads must be told. Names are bytes, as Latin-1 text.
 */
import { Buffer } from 'node:buffer';
import { SUBSCRIPTION_OVERHEAD_BYTES } from '../config/limits.ts';
import { GUARD_SUBSCRIBER, type Session, setGuard } from './session.ts';

/** The three kinds of names; shard channels know no patterns. */
export const CHANNELS = 0;
export const PATTERNS = 1;
export const SHARD_CHANNELS = 2;

/** All that is known of one name that has subscribers. */
export type Listeners = {
  readonly bytes: Buffer;
  /** The clients of this thread, those that came first first. */
  readonly own: Set<Session>;
  /** How many each other thread has, where there are any; and their sum. */
  readonly elsewhere: Map<number, number>;
  elsewhereCount: number;
};

/** By name. */
type Names = Map<string, Listeners>;

/** What one client listens to; it has none of these while it listens to nothing. */
export type Subscriptions = {
  /** By kind. */
  readonly names: readonly [Set<string>, Set<string>, Set<string>];
  /** What its names cost, in bytes. */
  bytes: number;
};

/** A thread's listeners by kind. */
export type Listening = readonly [Names, Names, Names];

export function createListening(): Listening {
  return [new Map(), new Map(), new Map()];
}

/** How many names of a kind the client listens to. */
export function subscriptionCount({ subscriptions }: Session, kind: number): number {
  return subscriptions === undefined ? 0 : subscriptions.names[kind].size;
}

/** The number in confirmations: of channels and patterns together, or of shard channels. */
export function confirmedCount(session: Session, kind: number): number {
  if (kind === SHARD_CHANNELS) return subscriptionCount(session, kind);
  return subscriptionCount(session, CHANNELS) + subscriptionCount(session, PATTERNS);
}

/** What names of so many bytes in all cost. */
export function subscriptionBytes(names: number, bytes: number): number {
  return names * SUBSCRIPTION_OVERHEAD_BYTES + bytes;
}

/** Makes the client listen; false where it does already. */
export function addSubscription(listening: Listening, session: Session, kind: number, name: string): boolean {
  session.subscriptions ??= { names: [new Set(), new Set(), new Set()], bytes: 0 };
  setGuard(session, GUARD_SUBSCRIBER, true);
  const { names } = session.subscriptions;
  if (names[kind].has(name)) return false;
  names[kind].add(name);
  session.subscriptions.bytes += subscriptionBytes(1, name.length);
  listenersOf(listening, kind, name).own.add(session);
  return true;
}

/** Ends that; false where it does not listen. */
export function removeSubscription(
  listening: Listening,
  session: Session,
  kind: number,
  name: string,
): boolean {
  const { subscriptions } = session;
  if (subscriptions === undefined || !subscriptions.names[kind].delete(name)) return false;
  subscriptions.bytes -= subscriptionBytes(1, name.length);
  if (subscriptions.names.every(({ size }) => size === 0)) {
    session.subscriptions = undefined;
    setGuard(session, GUARD_SUBSCRIBER, false);
  }
  const listeners = listenersOf(listening, kind, name);
  listeners.own.delete(session);
  forgetIfAlone(listening, kind, name, listeners);
  return true;
}

/** Another thread has so many subscribers of a name from now on. */
export function noteElsewhere(
  listening: Listening,
  threadId: number,
  kind: number,
  name: string,
  count: number,
): void {
  const listeners = listenersOf(listening, kind, name);
  listeners.elsewhereCount += count - (listeners.elsewhere.get(threadId) ?? 0);
  if (count === 0) listeners.elsewhere.delete(threadId);
  else listeners.elsewhere.set(threadId, count);
  forgetIfAlone(listening, kind, name, listeners);
}

/** Another thread has no subscribers at all any more. O(all names). */
export function forgetElsewhere(listening: Listening, threadId: number): void {
  for (const [kind, names] of listening.entries()) {
    for (const [name, { elsewhere }] of [...names]) {
      if (elsewhere.has(threadId)) noteElsewhere(listening, threadId, kind, name, 0);
    }
  }
}

/** How many clients of this thread listen to a name. */
export function ownCount(listening: Listening, kind: number, name: string): number {
  return listening[kind].get(name)?.own.size ?? 0;
}

/** How many clients of all threads listen to a name. */
export function listenerCount(listening: Listening, kind: number, name: string): number {
  const listeners = listening[kind].get(name);
  return listeners === undefined ? 0 : listeners.own.size + listeners.elsewhereCount;
}

function listenersOf(listening: Listening, kind: number, name: string): Listeners {
  const names = listening[kind];
  let listeners = names.get(name);
  if (listeners === undefined) {
    listeners = {
      bytes: Buffer.from(name, 'latin1'),
      own: new Set(),
      elsewhere: new Map(),
      elsewhereCount: 0,
    };
    names.set(name, listeners);
  }
  return listeners;
}

function forgetIfAlone(
  listening: Listening,
  kind: number,
  name: string,
  { own, elsewhereCount }: Listeners,
): void {
  if (own.size === 0 && elsewhereCount === 0) listening[kind].delete(name);
}
