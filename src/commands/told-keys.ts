/**
 * The telling of what has happened to keys (shard/key-events.ts), once no lock is held: events become messages on two channels.
 *
 * Runs on every thread that executes commands: after each command, and after each slice of other work that may remove keys.
 * Source of the channels' names: Redis 7.0 `notify.c`.
 */
import { Buffer } from 'node:buffer';
import { TOLD_BYTES_KEPT_MAX } from '../config/limits.ts';
import { EVENT_BORN, EVENT_NAMED, takeKeyEvents, WATCHES_CHANGES } from '../shard/key-events.ts';
import { tellAnyBirth, tellBirth } from './born-keys.ts';
import { publishMessage } from './delivery.ts';
import type { Engine } from './engine.ts';
import { eventName, NOTIFY_BY_EVENT, NOTIFY_BY_KEY } from './keyspace-events.ts';
import type { Session } from './session.ts';
import { CHANNELS } from './subscriptions.ts';
import { endChanges, tellChange } from './tracking-changes.ts';

const TOLD_BYTES_START = 1024;
/** `__keyspace@` and `__:` with a database between them. */
const PREFIX_BYTES_MAX = 32;

/** The message at hand: the channel, then the body. One per thread. */
let told = Buffer.alloc(TOLD_BYTES_START);

/**
 * Tells whoever asked to be told. `by` is the client whose command it was, if it was one's, and its reply began at
 * `replyStart`: the client itself gets what came after that behind the reply. To be called only while `keyEvents.length` is not 0.
 */
export function tellKeyEvents(engine: Engine, by: Session | undefined, replyStart: number): void {
  const { keyEvents } = engine;
  const isTracked = (keyEvents.watches & WATCHES_CHANGES) !== 0;
  takeKeyEvents(keyEvents, (kind, database, detail, bytes, keyStart, keyEnd) => {
    if (kind === EVENT_BORN) {
      tellBirth(engine, database, bytes, keyStart, keyEnd);
      return;
    }
    if (isTracked && kind < EVENT_NAMED) tellChange(engine, by, kind, bytes, keyStart, keyEnd);
    const name = eventName(kind, keyEvents.notifies);
    if (name === undefined) return;
    const isBehind = detail > replyStart;
    const { notifies } = keyEvents;
    if ((notifies & NOTIFY_BY_KEY) !== 0) {
      const channelEnd = writeKey(write(0, `__keyspace@${database}__:`), bytes, keyStart, keyEnd);
      tell(engine, by, channelEnd, write(channelEnd, name), isBehind);
    }
    if ((notifies & NOTIFY_BY_EVENT) !== 0) {
      const channelEnd = write(0, `__keyevent@${database}__:${name}`);
      tell(engine, by, channelEnd, writeKey(channelEnd, bytes, keyStart, keyEnd), isBehind);
    }
  });
  if (isTracked) endChanges(engine);
  if (keyEvents.dropped > 0) tellDropped(engine);
  if (told.length > TOLD_BYTES_KEPT_MAX) told = Buffer.alloc(TOLD_BYTES_START);
}

function tellDropped(engine: Engine): void {
  const { keyEvents, log } = engine;
  tellAnyBirth(engine);
  log.warning(`${keyEvents.dropped} events of keys are not told: too many came at once`);
  keyEvents.dropped = 0;
}

function tell(
  engine: Engine,
  by: Session | undefined,
  channelEnd: number,
  bodyEnd: number,
  isBehind: boolean,
): void {
  publishMessage(engine, by, {
    kind: CHANNELS,
    source: told,
    channelStart: 0,
    channelEnd,
    bodyStart: channelEnd,
    bodyEnd,
    isBehind,
  });
}

/** Returns where it ends. There is always room for a few words. */
function write(at: number, text: string): number {
  return at + told.write(text, at, 'latin1');
}

function writeKey(at: number, bytes: Buffer, start: number, end: number): number {
  const wanted = at + end - start + PREFIX_BYTES_MAX;
  if (wanted > told.length) {
    const grown = Buffer.alloc(2 * wanted);
    told.copy(grown, 0, 0, at);
    told = grown;
  }
  bytes.copy(told, at, start, end);
  return at + end - start;
}
