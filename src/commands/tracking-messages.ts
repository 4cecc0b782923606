/**
 * What clients are told of keys that have changed: pushes in RESP3, messages of a channel in RESP2; to themselves or elsewhere.
 *
 * Runs on the worker of the client. The bytes of a notice are made once for all clients of a protocol.
 */
import { Buffer } from 'node:buffer';
import type { Engine } from './engine.ts';
import { GUARD_SUBSCRIBER, type Session } from './session.ts';
import { sendRedirected } from './tracking-outlets.ts';

/** To one: the client that messages were to be sent to is not there. */
export const TOPIC_BROKEN = 'tracking-broken';

/** `from` wanted its messages sent to `to`. */
export type BrokenLetter = { readonly from: number; readonly to: number };

/** Some keys, or all of them. */
export type Notice = {
  /** A RESP array of bulk strings, one character per byte; undefined: all keys. */
  readonly keys: string | undefined;
  /** What it is in each protocol, once it was asked for. */
  pushed: Buffer | undefined;
  published: Buffer | undefined;
};

const PUSHED = '>2\r\n$10\r\ninvalidate\r\n';
const PUBLISHED = '*3\r\n$7\r\nmessage\r\n$20\r\n__redis__:invalidate\r\n';
const BROKEN = '>2\r\n$21\r\ntracking-redir-broken\r\n';
const ALL_KEYS_RESP3 = '_\r\n';
const ALL_KEYS_RESP2 = '$-1\r\n';

/** One key or several. */
export function noticeOf(keys: readonly string[]): Notice {
  let text = `*${keys.length}\r\n`;
  for (const key of keys) text += `$${key.length}\r\n${key}\r\n`;
  return createNotice(text);
}

export function createNotice(keys: string | undefined): Notice {
  return { keys, pushed: undefined, published: undefined };
}

/**
 * Tells a client that tracks, or the one that it has named to be told in its place. What the client whose command runs has tracked
 * it hears behind the reply, for that may be of the same key; what others want told to it may come before, as in redis-server.
 */
export function tellClient(engine: Engine, session: Session, notice: Notice): void {
  const { tracking } = session;
  if (tracking === undefined) return;
  const { redirect } = tracking;
  const isBehind = session === engine.tracking.running;
  if (redirect === 0) {
    if (session.protocol === 3) pushTo(session, pushedOf(notice), isBehind);
    return;
  }
  if (deliverTo(engine, redirect, notice, isBehind)) return;
  const threadId = threadOfClient(engine, redirect);
  if (threadId !== engine.threadId && sendRedirected(engine, threadId, session.id, redirect, notice.keys)) {
    return;
  }
  noteBroken(session, redirect);
}

/** Tells client `id` of this thread what is meant for another one; false where there is no such client. */
export function deliverTo(engine: Engine, id: number, notice: Notice, isBehind: boolean): boolean {
  const session = engine.sessions.get(id);
  if (session === undefined) return false;
  if (session.protocol === 3) pushTo(session, pushedOf(notice), isBehind);
  else if ((session.guards & GUARD_SUBSCRIBER) !== 0) pushTo(session, publishedOf(notice), isBehind);
  return true;
}

function pushTo({ connection }: Session, bytes: Buffer, isBehind: boolean): void {
  if (isBehind) connection.pushBehind(bytes);
  else connection.push(bytes);
}

/** The client that is to hear in this one's place is gone: it cannot cache any more, and hears so each time. */
export function noteBroken(session: Session, redirect: number): void {
  const { tracking } = session;
  if (tracking?.redirect !== redirect) return;
  tracking.isBroken = true;
  if (session.protocol === 3) session.connection.pushBehind(Buffer.from(`${BROKEN}:${redirect}\r\n`));
}

/** The thread that serves, has served or would serve the client of this id. */
export function threadOfClient({ tracking, workerCount }: Engine, id: number): number {
  const index = (id - 1) % workerCount;
  return tracking.firstWorkerThread + Math.max(0, index);
}

function pushedOf(notice: Notice): Buffer {
  notice.pushed ??= Buffer.from(PUSHED + (notice.keys ?? ALL_KEYS_RESP3), 'latin1');
  return notice.pushed;
}

function publishedOf(notice: Notice): Buffer {
  notice.published ??= Buffer.from(PUBLISHED + (notice.keys ?? ALL_KEYS_RESP2), 'latin1');
  return notice.published;
}
