/**
 * CLIENT TRACKING and its kin: a client that keeps values hears when their keys change (client-side caching).
 *
 * Runs on the thread of the connection. What a client hears is decided in tracking-changes.ts; what other threads must know is
 * in tracking-topics.ts. Source: Redis 7.0 `tracking.c` and `networking.c`.
 */
import { Buffer } from 'node:buffer';
import { TRACKING_PREFIXES_MAX } from '../config/limits.ts';
import { TRACKING_CLIENTS } from '../metrics/names.ts';
import {
  writeArray,
  writeBulk,
  writeBulkText,
  writeError,
  writeInteger,
  writeMap,
  writeOk,
  writeSet,
} from '../resp/reply-writer.ts';
import { isWord, replySyntaxError } from './arguments.ts';
import { type Call, deferReply, type Handler } from './call.ts';
import { type ClientTracking, createClientTracking, redirectOf } from './client-tracking.ts';
import type { Engine } from './engine.ts';
import { GUARD_TRACKING, type Session, setGuard } from './session.ts';
import { noteTotals } from './tracking-changes.ts';
import { createNotice, tellClient, threadOfClient } from './tracking-messages.ts';
import {
  NO_SUCH_CLIENT,
  problemWith,
  readTrackingOptions,
  type TrackingOptions,
} from './tracking-options.ts';
import { addClient, removeClient } from './tracking-prefixes.ts';
import { clearTrackingTable } from './tracking-table.ts';
import { announceTracking, isServed, noteWatched, retractTracking } from './tracking-topics.ts';

const NOT_TRACKING =
  'ERR CLIENT CACHING can be called only when the client is in tracking mode with OPTIN or OPTOUT mode enabled';
const YES_WITHOUT_OPTIN = 'ERR CLIENT CACHING YES is only valid when tracking is enabled in OPTIN mode.';
const NO_WITHOUT_OPTOUT = 'ERR CLIENT CACHING NO is only valid when tracking is enabled in OPTOUT mode.';
const TOO_MANY_PREFIXES = `ERR there are ${TRACKING_PREFIXES_MAX} prefixes already`;

export const trackingHandlers: Readonly<Record<string, Handler>> = {
  'client|caching': caching,
  'client|getredir': (call) => writeInteger(call.reply, redirectOf(call.session.tracking)),
  'client|tracking': setTracking,
  'client|trackinginfo': trackingInfo,
};

/** The client tracks no more, because it says so or is gone. */
export function endTracking(engine: Engine, session: Session): void {
  const { tracking } = engine;
  const client = session.tracking;
  if (client === undefined) return;
  session.tracking = undefined;
  setGuard(session, GUARD_TRACKING, false);
  tracking.clients.delete(session);
  engine.counters[TRACKING_CLIENTS] = tracking.clients.size;
  const gone = [...client.prefixes].filter((text) => removeClient(tracking.prefixes, text, session));
  if (tracking.clients.size === 0) {
    // Nobody is left to hear of them.
    clearTrackingTable(tracking.table);
    noteTotals(engine);
  }
  retractTracking(engine, gone);
}

/** Answers at once where the other threads need not be asked or told. */
function setTracking(call: Call): void {
  const { engine, session, reply } = call;
  const options = readTrackingOptions(call);
  const { redirect } = options;
  if (redirect !== 0 && !engine.sessions.has(redirect)) {
    if (threadOfClient(engine, redirect) === engine.threadId) writeError(reply, NO_SUCH_CLIENT);
    else setWhenServed(call, options);
    return;
  }
  const problem = problemWith(options, session.tracking) ?? putInForce(engine, session, options);
  if (problem === undefined) {
    writeOk(reply);
  } else if (typeof problem === 'string') {
    writeError(reply, problem);
  } else {
    const isInside = session.deferInside !== undefined;
    const deferred = deferReply(call);
    void problem.then(() => {
      deferred.resume(writeOk);
      if (isInside) callInvalid(engine, session);
    });
  }
}

/** In a transaction: what its next commands have read was not tracked yet by all threads. */
function callInvalid(engine: Engine, session: Session): void {
  tellClient(engine, session, createNotice(undefined));
}

/** The client to be told instead is another thread's. */
function setWhenServed(call: Call, options: TrackingOptions): void {
  const { engine, session } = call;
  const isInside = session.deferInside !== undefined;
  const deferred = deferReply(call);
  void isServed(engine, options.redirect).then(async (isThere) => {
    let problem = isThere ? problemWith(options, session.tracking) : NO_SUCH_CLIENT;
    // It may have gone meanwhile.
    if (problem === undefined && engine.sessions.get(session.id) === session) {
      const outcome = putInForce(engine, session, options);
      if (typeof outcome === 'string') problem = outcome;
      else await outcome;
    }
    deferred.resume((reply) => (problem === undefined ? writeOk(reply) : writeError(reply, problem)));
    if (isInside && problem === undefined) callInvalid(engine, session);
  });
}

/** What is wrong, or a promise that is kept when all threads know what they must; undefined where they know already. */
function putInForce(
  engine: Engine,
  session: Session,
  options: TrackingOptions,
): string | Promise<void> | undefined {
  if (options.isOn !== true) {
    endTracking(engine, session);
    return undefined;
  }
  const { tracking } = engine;
  const texts = options.prefixes.length === 0 ? [''] : options.prefixes;
  if (options.isBroadcast && tracking.prefixes.byText.size + texts.length > TRACKING_PREFIXES_MAX) {
    return TOO_MANY_PREFIXES;
  }
  const client = beginTracking(engine, session, options);
  const fresh = options.isBroadcast ? addPrefixes(engine, session, client, texts) : [];
  noteWatched(engine);
  const isKnown = tracking.isAnnounced && tracking.announcing === 0 && fresh.length === 0;
  return isKnown ? undefined : announceTracking(engine, fresh);
}

/** Takes over all options but the prefixes. What CLIENT CACHING has said stays, as in redis-server. */
function beginTracking(engine: Engine, session: Session, options: TrackingOptions): ClientTracking {
  const { isBroadcast, isOptIn, isOptOut, isNoLoop, redirect } = options;
  const client = session.tracking ?? createClientTracking();
  Object.assign(client, { isBroadcast, isOptIn, isOptOut, isNoLoop, redirect, isBroken: false });
  session.tracking = client;
  setGuard(session, GUARD_TRACKING, !isBroadcast);
  engine.tracking.clients.add(session);
  engine.counters[TRACKING_CLIENTS] = engine.tracking.clients.size;
  return client;
}

/** Those that no client of this thread had before. */
function addPrefixes(
  { tracking }: Engine,
  session: Session,
  { prefixes }: ClientTracking,
  texts: readonly string[],
): string[] {
  const fresh: string[] = [];
  for (const text of texts) {
    if (prefixes.has(text)) continue;
    prefixes.add(text);
    if (addClient(tracking.prefixes, text, session)) fresh.push(text);
  }
  return fresh;
}

/** Whether the next command's keys count, against what was agreed on. */
function caching(call: Call): void {
  const { reply } = call;
  const { tracking } = call.session;
  const isYes = isWord(call, 2, 'YES');
  if (tracking === undefined) {
    writeError(reply, NOT_TRACKING);
  } else if (!isYes && !isWord(call, 2, 'NO')) {
    replySyntaxError(call);
  } else if (isYes ? !tracking.isOptIn : !tracking.isOptOut) {
    writeError(reply, isYes ? YES_WITHOUT_OPTIN : NO_WITHOUT_OPTOUT);
  } else {
    tracking.isCachingGiven = true;
    writeOk(reply);
  }
}

function trackingInfo({ session, reply }: Call): void {
  const flags = flagsOf(session.tracking);
  const prefixes = [...(session.tracking?.prefixes ?? [])].sort();
  writeMap(reply, 3);
  writeBulkText(reply, 'flags');
  writeSet(reply, flags.length);
  for (const flag of flags) writeBulkText(reply, flag);
  writeBulkText(reply, 'redirect');
  writeInteger(reply, redirectOf(session.tracking));
  writeBulkText(reply, 'prefixes');
  writeArray(reply, prefixes.length);
  for (const prefix of prefixes) writeBulk(reply, Buffer.from(prefix, 'latin1'), 0, prefix.length);
}

function flagsOf(tracking: ClientTracking | undefined): string[] {
  if (tracking === undefined) return ['off'];
  const { isBroadcast, isOptIn, isOptOut, isNoLoop, isBroken, isCachingGiven } = tracking;
  const flags = ['on'];
  if (isBroadcast) flags.push('bcast');
  if (isOptIn) flags.push('optin');
  if (isOptIn && isCachingGiven) flags.push('caching-yes');
  if (isOptOut) flags.push('optout');
  if (isOptOut && isCachingGiven) flags.push('caching-no');
  if (isNoLoop) flags.push('noloop');
  if (isBroken) flags.push('broken_redirect');
  return flags;
}
