/**
 * What has happened to keys, on its way from where it happens (under a shard's lock) to whoever is told: key after key, in order.
 *
 * One record per thread, shared by its views of all shards. Noting only copies; whoever runs the thread's commands takes the
 * notes out once no lock is held (`takeKeyEvents`): after each command, and after each slice of other work. While nobody
 * is interested both masks are 0, and a change costs one look at one of them.
 *
 * Who notes what:
 *
 *   append.ts              EVENT_CHANGED, EVENT_FLUSHED, EVENT_SWAPPED   where `watches` has WATCHES_CHANGES
 *   lifecycle.ts, due.ts   EVENT_EXPIRED                                 where it has WATCHES_EXPIRED
 *   due-fields.ts          EVENT_FIELDS_EXPIRED, EVENT_EMPTIED           where it has WATCHES_FIELDS, WATCHES_EMPTIED
 *   eviction.ts            EVENT_EVICTED                                 where it has WATCHES_EVICTED
 *   waiting.ts             EVENT_BORN                                    where somebody waits for the key
 *   commands               EVENT_NAMED and above                         where `notifies` has the class of the event
 *
 * A note, in 32-bit words:
 *
 *   0                      1        2           3 ..
 *  ┌──────────────────────┬────────┬───────────┬─────────────────────────┐
 *  │ kind | database << 8 │ DETAIL │ KEY_BYTES │ key, up to a whole word │
 *  └──────────────────────┴────────┴───────────┴─────────────────────────┘
 */
import { Buffer } from 'node:buffer';
import { copyBytes } from '../base/bytes.ts';
import { KEY_EVENTS_BYTES_KEPT_MAX, KEY_EVENTS_BYTES_MAX } from '../config/limits.ts';
import { entryBytes, keyLength, keyOffset } from './entry.ts';
import type { Shard } from './shard.ts';

/** What of the shards is noted: bits of `watches`. */
export const WATCHES_EXPIRED = 1;
export const WATCHES_EVICTED = 2;
export const WATCHES_CHANGES = 4;
export const WATCHES_FIELDS = 8;
export const WATCHES_EMPTIED = 16;

/** A key was written, or got another deadline, or went, for whatever reason. */
export const EVENT_CHANGED = 0;
/** A database was emptied, in one shard; there is no key. */
export const EVENT_FLUSHED = 1;
/** Two databases were exchanged, in one shard: the other one is the detail; there is no key. */
export const EVENT_SWAPPED = 2;
/** A key went because its time had come; because room was needed. EVENT_CHANGED comes as well to those who watch changes. */
export const EVENT_EXPIRED = 3;
export const EVENT_EVICTED = 4;
/** A collection was made under a key for which a client may wait. */
export const EVENT_BORN = 5;
/** Fields of a hash went because their time had come; and the hash with them, which had no others. EVENT_CHANGED comes as well. */
export const EVENT_FIELDS_EXPIRED = 6;
export const EVENT_EMPTIED = 7;
/** From here on: what commands call what they did (commands/keyspace-events.ts). */
export const EVENT_NAMED = 16;

export type KeyEvents = {
  /** Bits of WATCHES_*. */
  watches: number;
  /** The classes of events that commands note, as `notify-keyspace-events` has them; 0 where nobody is told. */
  notifies: number;
  /** The bytes of the notes that wait: 0 is all that a command looks at afterwards. */
  length: number;
  /** Notes for which there was no room, and of which the log has no line yet. */
  dropped: number;
  /** Whether one of those was about a change: whoever keeps track of keys knows none of them any more. */
  hasLostChanges: boolean;
  words: Int32Array;
  /** The same memory. */
  bytes: Buffer;
};

/** `[keyStart, keyEnd)` of `bytes` is the key; all of it is good until the return only. */
export type KeyEventVisitor = (
  kind: number,
  database: number,
  detail: number,
  bytes: Buffer,
  keyStart: number,
  keyEnd: number,
) => void;

const DETAIL = 1;
const KEY_BYTES = 2;
const HEADER_BYTES = 12;
const WORD_BYTES = 4;
const WORD_SHIFT = 2;
const KIND_BITS = 8;
const KIND_MASK = 0xff;
const BYTES_START = 4096;

export function createKeyEvents(): KeyEvents {
  const memory = new ArrayBuffer(0);
  return {
    watches: 0,
    notifies: 0,
    length: 0,
    dropped: 0,
    hasLostChanges: false,
    words: new Int32Array(memory),
    bytes: Buffer.from(memory),
  };
}

/** Notes something of an entry that is there (still). O(key). */
export function noteEntry(shard: Shard, kind: number, database: number, ref: number): void {
  const { entries } = shard;
  const start = keyOffset(entries, ref);
  noteKey(
    shard.keyEvents,
    kind,
    database,
    0,
    entryBytes(entries, ref),
    start,
    start + keyLength(entries, ref),
  );
}

/** Notes something of a key by its name, which may be an empty span. O(key). */
export function noteKey(
  events: KeyEvents,
  kind: number,
  database: number,
  detail: number,
  key: Buffer,
  start: number,
  end: number,
): void {
  const at = reserve(events, end - start);
  if (at < 0) {
    events.dropped += 1;
    if (kind < EVENT_EXPIRED) events.hasLostChanges = true;
    return;
  }
  const word = at >>> WORD_SHIFT;
  events.words[word] = kind | (database << KIND_BITS);
  events.words[word + DETAIL] = detail;
  events.words[word + KEY_BYTES] = end - start;
  copyBytes(key, start, end, events.bytes, at + HEADER_BYTES);
}

/** Notes something of a whole database. */
export function noteDatabase(events: KeyEvents, kind: number, database: number, detail: number): void {
  noteKey(events, kind, database, detail, events.bytes, 0, 0);
}

/** Takes out all notes, in order. No lock of a shard is held, and the visitor changes no keys. */
export function takeKeyEvents(events: KeyEvents, visit: KeyEventVisitor): void {
  const { words, bytes, length } = events;
  for (let at = 0; at < length; ) {
    const word = at >>> WORD_SHIFT;
    const keyStart = at + HEADER_BYTES;
    const keyBytes = words[word + KEY_BYTES];
    const what = words[word];
    visit(what & KIND_MASK, what >>> KIND_BITS, words[word + DETAIL], bytes, keyStart, keyStart + keyBytes);
    at = keyStart + roundedUp(keyBytes);
  }
  events.length = 0;
  if (bytes.length > KEY_EVENTS_BYTES_KEPT_MAX) useMemory(events, new ArrayBuffer(BYTES_START));
}

/** Where a note of a key of so many bytes goes; -1 where there is no room for it. */
function reserve(events: KeyEvents, keyBytes: number): number {
  const at = events.length;
  const end = at + HEADER_BYTES + roundedUp(keyBytes);
  if (end > events.bytes.length && !grow(events, end)) return -1;
  events.length = end;
  return at;
}

/** Doubling keeps the copies linear. */
function grow(events: KeyEvents, bytes: number): boolean {
  if (bytes > KEY_EVENTS_BYTES_MAX) return false;
  const before = events.bytes;
  const wanted = Math.max(BYTES_START, bytes, 2 * before.length);
  useMemory(events, new ArrayBuffer(Math.min(wanted, KEY_EVENTS_BYTES_MAX)));
  before.copy(events.bytes, 0, 0, events.length);
  return true;
}

function useMemory(events: KeyEvents, memory: ArrayBuffer): void {
  events.words = new Int32Array(memory);
  events.bytes = Buffer.from(memory);
}

function roundedUp(bytes: number): number {
  return (bytes + WORD_BYTES - 1) & -WORD_BYTES;
}
