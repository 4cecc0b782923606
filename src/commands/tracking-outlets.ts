/**
 * What one thread sends to others for client-side caching: keys that have changed, and messages to clients there.
 *
 * Runs on every thread. The keys of a turn go as one message to each thread. A thread that is too far behind gets none until
 * it has caught up, and then hears that all keys are invalid (tracking-topics.ts): what waits stays bounded.
 */
import { TRACKING_AHEAD_BYTES_MAX, TRACKING_BATCH_BYTES_MAX } from '../config/limits.ts';
import type { Engine } from './engine.ts';
import type { Outlet } from './tracking-state.ts';

/** To one: keys have changed. */
export const TOPIC_KEYS = 'tracking-keys';
/** To one: all keys are invalid. */
export const TOPIC_EMPTIED = 'tracking-emptied';
/** To one: what one of the sender's clients wants told to a client there. */
export const TOPIC_REDIRECTED = 'tracking-redirected';
/** To one: so many bytes of the above have come. */
export const TOPIC_SEEN = 'tracking-seen';

/** Keys in Latin-1, one character per byte; `bytes` is what is to be told as seen. */
export type KeysLetter = { readonly keys: readonly string[]; readonly bytes: number };

/** `keys` as a RESP array, undefined for all keys. */
export type RedirectedLetter = {
  readonly from: number;
  readonly to: number;
  readonly keys: string | undefined;
  readonly bytes: number;
};

/** What a key or a message costs on its way besides its bytes. */
const OVERHEAD_BYTES = 64;

/** Keeps a key for a thread until the end of the turn. */
export function addChangedKey(engine: Engine, threadId: number, key: string): void {
  const outlet = outletTo(engine, threadId);
  if (outlet.isLost) return;
  outlet.keys.push(key);
  outlet.bytes += key.length + OVERHEAD_BYTES;
  if (outlet.bytes > TRACKING_BATCH_BYTES_MAX) sendKeys(engine, threadId, outlet);
}

/** Sends what is kept. */
export function sendAllKeys(engine: Engine): void {
  for (const [threadId, outlet] of engine.tracking.outlets) sendKeys(engine, threadId, outlet);
}

/** Sends a message for a client of another thread; false where there is no such thread. */
export function sendRedirected(
  engine: Engine,
  threadId: number,
  from: number,
  to: number,
  keys: string | undefined,
): boolean {
  const outlet = outletTo(engine, threadId);
  const bytes = OVERHEAD_BYTES + (keys?.length ?? 0);
  if (!isAhead(outlet, bytes)) return true;
  const letter: RedirectedLetter = { from, to, keys, bytes };
  const isThere = engine.bus.publishTo(threadId, TOPIC_REDIRECTED, letter);
  if (!isThere) engine.tracking.outlets.delete(threadId);
  return isThere;
}

/** The thread has taken in so many bytes. True when it had been given up and has caught up. */
export function noteSeen(engine: Engine, threadId: number, bytes: number): boolean {
  const outlet = engine.tracking.outlets.get(threadId);
  if (outlet === undefined) return false;
  outlet.unseenBytes = Math.max(0, outlet.unseenBytes - bytes);
  if (!outlet.isLost || outlet.unseenBytes > 0) return false;
  outlet.isLost = false;
  return true;
}

function sendKeys(engine: Engine, threadId: number, outlet: Outlet): void {
  const { keys, bytes } = outlet;
  if (keys.length === 0) return;
  outlet.keys = [];
  outlet.bytes = 0;
  if (!isAhead(outlet, bytes)) return;
  const letter: KeysLetter = { keys, bytes };
  if (!engine.bus.publishTo(threadId, TOPIC_KEYS, letter)) engine.tracking.outlets.delete(threadId);
}

/** Whether so many bytes more may be sent, and counts them. */
function isAhead(outlet: Outlet, bytes: number): boolean {
  if (outlet.isLost) return false;
  outlet.isLost = outlet.unseenBytes > TRACKING_AHEAD_BYTES_MAX;
  if (outlet.isLost) return false;
  outlet.unseenBytes += bytes;
  return true;
}

function outletTo({ tracking }: Engine, threadId: number): Outlet {
  let outlet = tracking.outlets.get(threadId);
  if (outlet === undefined) {
    outlet = { keys: [], bytes: 0, unseenBytes: 0, isLost: false };
    tracking.outlets.set(threadId, outlet);
  }
  return outlet;
}
