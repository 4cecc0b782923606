/**
 * What commands call what they did to a key, for clients that ask to be told (`notify-keyspace-events`): the classes and names
 * of redis-server 7.0.15.
 *
 * Runs on the thread of the command, under the lock of the key's shard: an event is only noted here (shard/key-events.ts), and
 * told once the command has run (told-keys.ts). While nobody is told, a note costs one look at a mask; the mask is 0 as
 * well while there is no subscriber of any thread, whatever the configuration says.
 */
import type { Buffer } from 'node:buffer';
import {
  EVENT_EMPTIED,
  EVENT_EVICTED,
  EVENT_EXPIRED,
  EVENT_FIELDS_EXPIRED,
  EVENT_NAMED,
  noteKey,
  WATCHES_CHANGES,
  WATCHES_EMPTIED,
  WATCHES_EVICTED,
  WATCHES_EXPIRED,
  WATCHES_FIELDS,
} from '../shard/key-events.ts';
import { findEntry } from '../shard/keyspace.ts';
import { NONE } from '../shard/layout.ts';
import type { Shard } from '../shard/shard.ts';
import type { Call } from './call.ts';
import type { Engine } from './engine.ts';
import { CHANNELS, PATTERNS } from './subscriptions.ts';

/** Classes of events. That of streams has no event here. */
export const NOTIFY_GENERIC = 4;
export const NOTIFY_STRING = 8;
export const NOTIFY_NEW = 16;
export const NOTIFY_MISS = 32;
const NOTIFY_EXPIRED = 64;
const NOTIFY_EVICTED = 128;
export const NOTIFY_LIST = 256;
export const NOTIFY_SET = 512;
export const NOTIFY_HASH = 1024;
export const NOTIFY_ZSET = 2048;

/** On which channels events are told: one for each key, with the event as the message; one for each event, with the key. */
export const NOTIFY_BY_KEY = 1;
export const NOTIFY_BY_EVENT = 2;

const LETTERS: Readonly<Record<string, number>> = {
  K: NOTIFY_BY_KEY,
  E: NOTIFY_BY_EVENT,
  g: NOTIFY_GENERIC,
  $: NOTIFY_STRING,
  l: NOTIFY_LIST,
  s: NOTIFY_SET,
  h: NOTIFY_HASH,
  z: NOTIFY_ZSET,
  x: NOTIFY_EXPIRED,
  e: NOTIFY_EVICTED,
  n: NOTIFY_NEW,
  m: NOTIFY_MISS,
  A:
    NOTIFY_GENERIC |
    NOTIFY_STRING |
    NOTIFY_LIST |
    NOTIFY_SET |
    NOTIFY_HASH |
    NOTIFY_ZSET |
    NOTIFY_EXPIRED |
    NOTIFY_EVICTED,
};

/** An event's number is EVENT_NAMED and its place here. */
const NAMES = [
  'append',
  'copy_to',
  'del',
  'expire',
  'hdel',
  'hexpire',
  'hexpired',
  'hincrby',
  'hincrbyfloat',
  'hpersist',
  'hset',
  'incrby',
  'incrbyfloat',
  'keymiss',
  'linsert',
  'lpop',
  'lpush',
  'lrem',
  'lset',
  'ltrim',
  'move_from',
  'move_to',
  'new',
  'persist',
  'pfadd',
  'rename_from',
  'rename_to',
  'rpop',
  'rpush',
  'sadd',
  'sdiffstore',
  'set',
  'setbit',
  'setrange',
  'sinterstore',
  'sortstore',
  'spop',
  'srem',
  'sunionstore',
  'zadd',
  'zdiffstore',
  'zincr',
  'zinterstore',
  'zpopmax',
  'zpopmin',
  'zrangestore',
  'zrem',
  'zremrangebylex',
  'zremrangebyrank',
  'zremrangebyscore',
  'zunionstore',
] as const;

export type EventName = (typeof NAMES)[number];

const NUMBERS = new Map<string, number>(NAMES.map((name, index) => [name, EVENT_NAMED + index]));

/** The name of an event that is told to subscribers of these classes; undefined for what is only noted for other purposes. */
export function eventName(kind: number, notifies: number): string | undefined {
  if (kind === EVENT_EXPIRED) return (notifies & NOTIFY_EXPIRED) === 0 ? undefined : 'expired';
  if (kind === EVENT_EVICTED) return (notifies & NOTIFY_EVICTED) === 0 ? undefined : 'evicted';
  if (kind === EVENT_FIELDS_EXPIRED) return (notifies & NOTIFY_HASH) === 0 ? undefined : 'hexpired';
  if (kind === EVENT_EMPTIED) return (notifies & NOTIFY_GENERIC) === 0 ? undefined : 'del';
  return NAMES[kind - EVENT_NAMED];
}

/** Notes an event of key argument `keyIndex` in the client's database, if its class is told at all. */
export function notifyKeyspace(call: Call, eventClass: number, name: EventName, keyIndex: number): void {
  if ((call.engine.keyEvents.notifies & eventClass) === 0) return;
  noteNamed(call, name, keyIndex, call.session.database);
}

/** The same for another database. */
export function notifyKeyspaceIn(
  call: Call,
  eventClass: number,
  name: EventName,
  keyIndex: number,
  database: number,
): void {
  if ((call.engine.keyEvents.notifies & eventClass) === 0) return;
  noteNamed(call, name, keyIndex, database);
}

/** Notes that the key `name[start, end)` is missing, which no argument names. */
export function notifyMissing(call: Call, name: Buffer, start: number, end: number): void {
  const { engine, session, reply } = call;
  if ((engine.keyEvents.notifies & NOTIFY_MISS) === 0) return;
  const number = NUMBERS.get('keymiss') ?? EVENT_NAMED;
  noteKey(engine.keyEvents, number, session.database, reply.length, name, start, end);
}

/** Notes that a key has expired which was never stored, because its time had passed before. */
export function notifyExpired({ engine, session, input, spans }: Call, keyIndex: number): void {
  const { keyEvents } = engine;
  if ((keyEvents.notifies & NOTIFY_EXPIRED) === 0) return;
  noteKey(keyEvents, EVENT_EXPIRED, session.database, 0, input, spans[2 * keyIndex], spans[2 * keyIndex + 1]);
}

/**
 * Whether the command is about to make a key of its argument `keyIndex` that is not there, and somebody is told of that; an
 * expired one goes first. To be followed by `notifyKeyspaceIn` with NOTIFY_NEW when it is made.
 */
export function isToldNew(call: Call, shard: Shard, keyIndex: number, database: number): boolean {
  const { engine, input, spans, nowMs } = call;
  if ((engine.keyEvents.notifies & (NOTIFY_NEW | NOTIFY_EXPIRED)) === 0) return false;
  return findEntry(shard, database, input, spans[2 * keyIndex], spans[2 * keyIndex + 1], nowMs) === NONE;
}

/** Puts `notify-keyspace-events` in force on this thread, as far as anybody listens. */
export function applyNotifications({ config, keyEvents, pubsub }: Engine): void {
  const listens = pubsub.listening[CHANNELS].size > 0 || pubsub.listening[PATTERNS].size > 0;
  const mask = listens ? maskOf(config.notifyKeyspaceEvents) : 0;
  keyEvents.notifies = mask;
  // Who tracks keys wants to know as well what has gone by itself (tracking-changes.ts).
  const tracks = keyEvents.watches & WATCHES_CHANGES;
  keyEvents.watches =
    tracks |
    (tracks === 0 && (mask & NOTIFY_EXPIRED) === 0 ? 0 : WATCHES_EXPIRED) |
    (tracks === 0 && (mask & NOTIFY_EVICTED) === 0 ? 0 : WATCHES_EVICTED) |
    (tracks === 0 && (mask & NOTIFY_HASH) === 0 ? 0 : WATCHES_FIELDS) |
    ((mask & NOTIFY_GENERIC) === 0 ? 0 : WATCHES_EMPTIED);
}

/** 0 where no channel is named on which the events would be told. */
function maskOf(letters: string): number {
  let mask = 0;
  for (const letter of letters) mask |= LETTERS[letter] ?? 0;
  return (mask & (NOTIFY_BY_KEY | NOTIFY_BY_EVENT)) === 0 ? 0 : mask;
}

function noteNamed(call: Call, name: EventName, keyIndex: number, database: number): void {
  const { input, spans, reply, engine } = call;
  const number = NUMBERS.get(name) ?? EVENT_NAMED;
  // How far the reply is tells on which side of it the client gets the event, if it listens.
  noteKey(
    engine.keyEvents,
    number,
    database,
    reply.length,
    input,
    spans[2 * keyIndex],
    spans[2 * keyIndex + 1],
  );
}
