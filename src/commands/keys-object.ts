/**
 * The commands that look at a key from outside: OBJECT, MEMORY USAGE, DEBUG OBJECT.
 *
 * Runs on the thread of the connection. Values lie here as bytes in one form only; the encodings that clients are told
 * are those that redis-server would have chosen for the same value with the same history.
 */
import { parseInt64 } from '../base/decimal.ts';
import { FORM_DEADLINES, FORM_LARGE } from '../collections/form.ts';
import { flagsOf } from '../collections/sequence.ts';
import { writeBulkText, writeError, writeInteger, writeNull, writeSimple } from '../resp/reply-writer.ts';
import { clockOf, entryBytes, isRaw, typeOf, valueLength, valueOffset } from '../shard/entry.ts';
import { memoryOfEntry } from '../shard/footprint.ts';
import { EMBEDDED_BYTES_MAX } from '../shard/keyspace.ts';
import { CELL_BYTES, NONE, POLICY, TYPE_LIST, TYPE_SET, TYPE_STRING, TYPE_ZSET } from '../shard/layout.ts';
import { acquireShard, releaseShard } from '../shard/lock.ts';
import { ALL_LRU, ALL_S3FIFO, isLfu, VOLATILE_LRU } from '../shard/policy.ts';
import { frequencyOf, idleSeconds } from '../shard/recency.ts';
import type { Shard } from '../shard/shard.ts';
import { isWord, NO_SUCH_KEY, NOT_AN_INTEGER, replySyntaxError } from './arguments.ts';
import { type Call, type Handler, shardOfKey } from './call.ts';
import { replyHelp } from './help.ts';
import { peekEntry, probeSilently } from './lookup.ts';

/** Integers from 0 up to this are shared by all keys in redis-server, unless each must remember its own use. */
const SHARED_INTEGERS_END = 10_000;
const SHARED_REFERENCES = 2_147_483_647;

/** The longest text of a 64-bit integer. */
const INTEGER_CHARACTERS_MAX = 20;

/**
 * RDB, redis-server's file format, writes texts up to this as integers of so many bits if they are, in so many bytes; and
 * other texts behind a length of 1, 2 or 5 bytes.
 */
const RDB_INTEGER_CHARACTERS_MAX = 11;
const RDB_INTEGERS = [
  { bits: 8, bytes: 2 },
  { bits: 16, bytes: 3 },
  { bits: 32, bytes: 5 },
];
const RDB_LENGTH_1_END = 64;
const RDB_LENGTH_2_END = 16_384;

const SWITCHING =
  'Please note that when switching between policies at runtime LRU and LFU data will take some time to adjust.';
const IDLE_UNKNOWN = `ERR An LFU maxmemory policy is selected, idle time not tracked. ${SWITCHING}`;
const FREQUENCY_UNKNOWN = `ERR An LFU maxmemory policy is not selected, access frequency not tracked. ${SWITCHING}`;

const HELP = [
  'ENCODING <key>',
  '    Return the kind of internal representation used in order to store the value',
  '    associated with a <key>.',
  'FREQ <key>',
  '    Return the access frequency index of the <key>. The returned integer is',
  '    proportional to the logarithm of the recent access frequency of the key.',
  'IDLETIME <key>',
  '    Return the idle time of the <key>, that is the approximated number of',
  '    seconds elapsed since the last access to the key.',
  'REFCOUNT <key>',
  '    Return the number of references of the value associated with the specified',
  '    <key>.',
];

export const objectHandlers: Readonly<Record<string, Handler>> = {
  'object|encoding': objectEncoding,
  'object|refcount': objectReferences,
  'object|idletime': objectIdleTime,
  'object|freq': objectFrequency,
  'object|help': (call) => replyHelp(call, HELP),
  'memory|usage': memoryUsage,
};

/** DEBUG OBJECT with the key as argument 2. DEBUG names no keys to the dispatcher, so the lock is taken here. */
export function debugObject(call: Call): void {
  const shard = shardOfKey(call, 2);
  acquireShard(shard);
  try {
    const ref = peekEntry(call, shard, 2);
    if (ref === NONE) writeError(call.reply, NO_SUCH_KEY);
    else writeSimple(call.reply, describeEntry(shard, ref, call.nowMs));
  } finally {
    releaseShard(shard);
  }
}

function describeEntry(shard: Shard, ref: number, nowMs: number): string {
  const address = (ref * CELL_BYTES).toString(16);
  return (
    `Value at:0x${address} refcount:${referencesOf(shard, ref)} encoding:${encodingOf(shard, ref)} ` +
    `serializedlength:${serializedBytes(shard, ref)} lru:${clockOf(shard.entries, ref)} ` +
    `lru_seconds_idle:${idleSeconds(shard, ref, nowMs)}`
  );
}

function objectEncoding(call: Call): void {
  const ref = readObject(call);
  if (ref !== NONE) writeBulkText(call.reply, encodingOf(call.shard, ref));
}

function objectReferences(call: Call): void {
  const ref = readObject(call);
  if (ref !== NONE) writeInteger(call.reply, referencesOf(call.shard, ref));
}

function objectIdleTime(call: Call): void {
  const { reply, shard } = call;
  const ref = readObject(call);
  if (ref === NONE) return;
  if (isLfu(shard.control[POLICY])) writeError(reply, IDLE_UNKNOWN);
  else writeInteger(reply, idleSeconds(shard, ref, call.nowMs));
}

function objectFrequency(call: Call): void {
  const { reply, shard } = call;
  const ref = readObject(call);
  if (ref === NONE) return;
  if (isLfu(shard.control[POLICY])) writeInteger(reply, frequencyOf(shard, ref, call.nowMs));
  else writeError(reply, FREQUENCY_UNKNOWN);
}

/** The entry that OBJECT is asked about; NONE after answering that there is none. */
function readObject(call: Call): number {
  const ref = probeSilently(call, call.shard, 2);
  if (ref === NONE) writeNull(call.reply);
  return ref;
}

/** What all parts take is known, so SAMPLES changes nothing. */
function memoryUsage(call: Call): void {
  const { reply, shard, input, spans } = call;
  for (let index = 3; index < call.count; index += 2) {
    if (index + 1 === call.count || !isWord(call, index, 'SAMPLES')) {
      replySyntaxError(call);
      return;
    }
    const samples = parseInt64(input, spans[2 * index + 2], spans[2 * index + 3]);
    if (samples === undefined || samples < 0n) {
      if (samples === undefined) writeError(reply, NOT_AN_INTEGER);
      else replySyntaxError(call);
      return;
    }
  }
  const ref = peekEntry(call, shard, 2);
  if (ref === NONE) writeNull(reply);
  else writeInteger(reply, memoryOfEntry(shard, ref));
}

function encodingOf(shard: Shard, ref: number): string {
  const type = typeOf(shard.entries, ref);
  if (type !== TYPE_STRING) return encodingOfCollection(type, flagsOf(shard, ref));
  if (isRaw(shard.entries, ref) || valueLength(shard.entries, ref) > EMBEDDED_BYTES_MAX) return 'raw';
  return integerIn(shard, ref) === undefined ? 'embstr' : 'int';
}

function encodingOfCollection(type: number, flags: number): string {
  const isLarge = (flags & FORM_LARGE) !== 0;
  if (type === TYPE_LIST) return 'quicklist';
  if (type === TYPE_SET) return isLarge ? 'hashtable' : 'intset';
  if (type === TYPE_ZSET) return isLarge ? 'skiplist' : 'listpack';
  if (isLarge) return 'hashtable';
  return (flags & FORM_DEADLINES) !== 0 ? 'listpackex' : 'listpack';
}

/** The value as the 64-bit integer that redis-server would keep it as, or undefined. */
function integerIn(shard: Shard, ref: number): bigint | undefined {
  const { entries } = shard;
  const bytes = valueLength(entries, ref);
  if (isRaw(entries, ref) || bytes > INTEGER_CHARACTERS_MAX) return undefined;
  const start = valueOffset(entries, ref);
  return parseInt64(entryBytes(entries, ref), start, start + bytes);
}

function referencesOf(shard: Shard, ref: number): number {
  const policy = shard.control[POLICY];
  if (isLfu(policy) || policy === ALL_LRU || policy === VOLATILE_LRU || policy === ALL_S3FIFO) return 1;
  if (typeOf(shard.entries, ref) !== TYPE_STRING) return 1;
  const value = integerIn(shard, ref);
  return value !== undefined && value >= 0n && value < SHARED_INTEGERS_END ? SHARED_REFERENCES : 1;
}

/** The length of the value in an RDB file without compression, a collection's about. Source: Redis 7.0 rdb.c, rdbSaveRawString. */
function serializedBytes(shard: Shard, ref: number): number {
  const { entries } = shard;
  if (typeOf(entries, ref) !== TYPE_STRING) return memoryOfEntry(shard, ref);
  const bytes = valueLength(entries, ref);
  const start = valueOffset(entries, ref);
  const value =
    bytes <= RDB_INTEGER_CHARACTERS_MAX
      ? parseInt64(entryBytes(entries, ref), start, start + bytes)
      : undefined;
  const form = RDB_INTEGERS.find(({ bits }) => value !== undefined && BigInt.asIntN(bits, value) === value);
  if (form !== undefined) return form.bytes;
  if (bytes < RDB_LENGTH_1_END) return bytes + 1;
  return bytes < RDB_LENGTH_2_END ? bytes + 2 : bytes + 5;
}
