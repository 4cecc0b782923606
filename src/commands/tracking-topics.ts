/**
 * What threads tell one another for client-side caching: who has clients that track, with which prefixes, and what to tell them.
 *
 * Each thread installs it once, main as well, whose commands change keys too. A thread notes changes while any has clients
 * that track. CLIENT TRACKING is answered when all know of it, so that no change after that is lost. A thread that died may have
 * left changes untold: who comes in its place says so, and all clients that track hear that all keys are invalid.
 */
import { BUS_REPLY_MS_MAX } from '../config/limits.ts';

import { TRACKING_CLIENTS } from '../metrics/names.ts';
import { clearTracked } from '../metrics/tracking-filter.ts';
import { WATCHES_CHANGES } from '../shard/key-events.ts';
import type { Engine } from './engine.ts';
import { applyNotifications } from './keyspace-events.ts';
import { noteTotals, receiveKey, tellOwnEmptied } from './tracking-changes.ts';
import {
  type BrokenLetter,
  createNotice,
  deliverTo,
  noteBroken,
  TOPIC_BROKEN,
  tellClient,
  threadOfClient,
} from './tracking-messages.ts';
import {
  type KeysLetter,
  noteSeen,
  type RedirectedLetter,
  TOPIC_EMPTIED,
  TOPIC_KEYS,
  TOPIC_REDIRECTED,
  TOPIC_SEEN,
} from './tracking-outlets.ts';
import { addThread, forgetThread, ownTexts, removeThread } from './tracking-prefixes.ts';
import { scheduleTrim, TOPIC_TRIM } from './tracking-reads.ts';

/** An announcement that took so long may have come after the one who sent it gave up waiting. */
const LATE_MS = BUS_REPLY_MS_MAX / 2;

/** To all, who answer when they know: the sender has clients that track, and these prefixes besides those it had. */
const TOPIC_BEGIN = 'tracking-begin';
/** To all: the sender has these prefixes no more; and with `isOver` no clients that track. */
const TOPIC_END = 'tracking-end';
/** To all, who answer with their id and prefixes where they have clients that track. */
const TOPIC_WHO = 'tracking-who';
/** To all: the sender serves in the place of a thread that died. */
const TOPIC_REPLACED = 'tracking-replaced';
/** To all, who answer whether they serve the client. */
const TOPIC_SERVES = 'tracking-serves';

type BeginLetter = { readonly prefixes: readonly string[]; readonly sentMs: number };
type EndLetter = { readonly prefixes: readonly string[]; readonly isOver: boolean };
type Who = { readonly threadId: number; readonly prefixes: readonly string[] };

/** Once, at the start of a thread. Resolves when a thread that others have served before knows what the others have. */
export async function installTrackingTopics(engine: Engine, generation: number): Promise<void> {
  const { bus, tracking, threadId } = engine;
  bus.handle(TOPIC_BEGIN, (letter, from) => receiveBegin(engine, from, letter as BeginLetter));
  bus.handle(TOPIC_END, (letter, from) => endFor(engine, from, letter as EndLetter));
  bus.handle(TOPIC_WHO, (): Who | undefined =>
    tracking.clients.size > 0 ? { threadId, prefixes: ownTexts(tracking.prefixes) } : undefined,
  );
  bus.handle(TOPIC_REPLACED, (_, from) => replace(engine, from));
  bus.handle(TOPIC_SERVES, (id) => engine.sessions.has(id as number));
  bus.handle(TOPIC_KEYS, (letter, from) => receiveKeys(engine, from, letter as KeysLetter));
  bus.handle(TOPIC_EMPTIED, () => tellOwnEmptied(engine));
  bus.handle(TOPIC_REDIRECTED, (letter, from) => receiveRedirected(engine, from, letter as RedirectedLetter));
  bus.handle(TOPIC_BROKEN, (letter) => receiveBroken(engine, letter as BrokenLetter));
  bus.handle(TOPIC_SEEN, (bytes, from) => {
    if (noteSeen(engine, from, bytes as number)) recover(engine, from);
  });
  bus.onGone((threadId) => replace(engine, threadId));
  bus.handle(TOPIC_TRIM, () => scheduleTrim(engine));
  engine.counters[TRACKING_CLIENTS] = 0;
  noteTotals(engine);
  if (generation > 0) await takeOver(engine);
}

/** Resolves when all threads know that this one has clients that track, with these further prefixes. */
export async function announceTracking(engine: Engine, prefixes: readonly string[]): Promise<void> {
  const { tracking, bus } = engine;
  tracking.announcing += 1;
  await bus.requestAll(TOPIC_BEGIN, { prefixes, sentMs: engine.wallMs() } satisfies BeginLetter);
  tracking.announcing -= 1;
  tracking.isAnnounced = tracking.clients.size > 0;
}

/** Tells all threads that the last client with these prefixes has gone, and maybe the last that tracks at all. */
export function retractTracking(engine: Engine, prefixes: readonly string[]): void {
  const isOver = engine.tracking.clients.size === 0;
  if (isOver) engine.tracking.isAnnounced = false;
  if (isOver || prefixes.length > 0) engine.bus.publish(TOPIC_END, { prefixes, isOver } satisfies EndLetter);
  noteWatched(engine);
}

/** Whether any thread serves the client. */
export async function isServed(engine: Engine, id: number): Promise<boolean> {
  return (await engine.bus.requestAll(TOPIC_SERVES, id)).includes(true);
}

/** Has this thread's changes noted while anybody tracks keys. */
export function noteWatched(engine: Engine): void {
  const { tracking, keyEvents } = engine;
  const isWatched = tracking.clients.size > 0 || tracking.watchers.size > 0;
  if (isWatched) keyEvents.watches |= WATCHES_CHANGES;
  else keyEvents.watches &= ~WATCHES_CHANGES;
  applyNotifications(engine);
}

function receiveBegin(engine: Engine, from: number, { prefixes, sentMs }: BeginLetter): true {
  beginFor(engine, from, prefixes);
  // This thread was so busy that it may not have been waited for: what it has changed meanwhile was told to nobody.
  if (engine.wallMs() - sentMs > LATE_MS) engine.bus.publishTo(from, TOPIC_EMPTIED, undefined);
  return true;
}

function beginFor(engine: Engine, from: number, prefixes: readonly string[]): void {
  if (from === engine.threadId) return;
  const { tracking } = engine;
  tracking.watchers.add(from);
  for (const text of prefixes) addThread(tracking.prefixes, text, from);
  noteWatched(engine);
}

function endFor(engine: Engine, from: number, { prefixes, isOver }: EndLetter): void {
  const { tracking } = engine;
  for (const text of prefixes) removeThread(tracking.prefixes, text, from);
  if (isOver) tracking.watchers.delete(from);
  noteWatched(engine);
}

/** What the dead has left is forgotten; what it has not told, all clients are told now. */
function replace(engine: Engine, from: number): void {
  const { tracking } = engine;
  tracking.watchers.delete(from);
  tracking.outlets.delete(from);
  forgetThread(tracking.prefixes, from);
  noteWatched(engine);
  tellOwnEmptied(engine);
}

/** Learns who tracks; what this thread has changed meanwhile is among what it then calls invalid. */
async function takeOver(engine: Engine): Promise<void> {
  clearTracked(engine.tracking.table.filter);
  for (const who of (await engine.bus.requestAll(TOPIC_WHO, undefined)) as (Who | undefined)[]) {
    if (who !== undefined) beginFor(engine, who.threadId, who.prefixes);
  }
  engine.bus.publish(TOPIC_REPLACED, undefined);
}

function receiveKeys(engine: Engine, from: number, { keys, bytes }: KeysLetter): void {
  for (const key of keys) receiveKey(engine, key);
  engine.bus.publishTo(from, TOPIC_SEEN, bytes);
}

function receiveRedirected(engine: Engine, from: number, letter: RedirectedLetter): void {
  const { bus } = engine;
  bus.publishTo(from, TOPIC_SEEN, letter.bytes);
  if (deliverTo(engine, letter.to, createNotice(letter.keys), false)) return;
  bus.publishTo(from, TOPIC_BROKEN, { from: letter.from, to: letter.to } satisfies BrokenLetter);
}

function receiveBroken(engine: Engine, { from, to }: BrokenLetter): void {
  const session = engine.sessions.get(from);
  if (session !== undefined) noteBroken(session, to);
}

/** A thread has caught up of which some changes were kept back. */
function recover(engine: Engine, threadId: number): void {
  const { tracking, bus } = engine;
  if (tracking.watchers.has(threadId)) bus.publishTo(threadId, TOPIC_EMPTIED, undefined);
  const notice = createNotice(undefined);
  for (const session of tracking.clients) {
    const redirect = session.tracking?.redirect ?? 0;
    if (redirect !== 0 && threadOfClient(engine, redirect) === threadId) tellClient(engine, session, notice);
  }
}
