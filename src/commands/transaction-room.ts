/**
 * Whether there is room for a transaction before it begins: of each shard's memory for what it adds, of the journals for its records.
 *
 * One record per thread, filled anew for each transaction. What is told of the records is the most that they can come to: once commands
 * run there is no way back, and a journal that overflows would break the log.
 */
import { ELEMENT_OVERHEAD_MAX } from '../collections/elements.ts';
import { SHARDS_MAX, TRANSACTION_LOG_BYTES_MAX } from '../config/limits.ts';
import { slotOfKey } from '../routing/slot.ts';
import { memoryOfEntry } from '../shard/footprint.ts';
import { isJournaling, pendingBytes, roomForRecords } from '../shard/journal.ts';
import { findEntry } from '../shard/keyspace.ts';
import { DATABASES, LIMIT_BYTES, NONE, POLICY } from '../shard/layout.ts';
import { NO_EVICTION } from '../shard/policy.ts';
import { RECORD_HEADER_BYTES } from '../shard/record.ts';
import type { Shard } from '../shard/shard.ts';
import { integerOf } from './arguments.ts';
import { type Call, type Command, shardOfKey } from './call.ts';
import { findKeyPlaces, firstPlace, nextPlace, readsUnnamedKeys } from './key-places.ts';
import { KEY_OVERHEAD_BYTES } from './many-keys.ts';
import { isWanted, wantAll, wantShard } from './shard-locks.ts';
import { loadQueued, type Transaction } from './transaction-queue.ts';

/** Bytes for each shard, and how many records of it have a whole value that is not among the arguments. */
const room = {
  memory: new Float64Array(SHARDS_MAX),
  records: new Float64Array(SHARDS_MAX),
  copies: new Int32Array(SHARDS_MAX),
  hasCopies: false,
};

/** Two records (one for what has expired), their headers and rounding, besides the key. */
const RECORDS_OVERHEAD_BYTES = 96;

/** The longest that INCRBYFLOAT and HINCRBYFLOAT make of any number. */
const FLOAT_BYTES_MAX = 5 * 1024;

/** Commands whose record holds the value of another key. */
const COPYING: ReadonlySet<string> = new Set(['rename', 'renamenx', 'copy', 'move']);

/** Commands whose record holds what they make of the values of other keys: no more than the longest, or than all of them. */
const COMBINING: ReadonlySet<string> = new Set([
  'bitop',
  'sinterstore',
  'sdiffstore',
  'zinterstore',
  'zdiffstore',
  'zrangestore',
  'sort',
]);
const UNITING: ReadonlySet<string> = new Set(['sunionstore', 'zunionstore']);

/** Commands whose record may hold a number that is longer than their arguments. */
const FLOATING: ReadonlySet<string> = new Set(['incrbyfloat', 'hincrbyfloat']);

/** The most of a shard's limit for which room is made in advance: the rest is evicted for as it comes. */
const SHARE_IN_ADVANCE = 0.5;

/** The records fit; they will once the journals are drained; they never will. */
export const LOG_FITS = 0;
export const LOG_FITS_LATER = 1;
const LOG_TOO_SMALL = 2;

/** Wants the shards of all that is queued, and adds up what each has to take. Leaves `call` at the last command. */
export function measureTransaction(call: Call, transaction: Transaction): void {
  const { shards } = call.engine;
  room.memory.fill(0, 0, shards.length);
  room.records.fill(0, 0, shards.length);
  room.copies.fill(0, 0, shards.length);
  room.hasCopies = false;
  for (let index = 0; index < transaction.commands.length; index += 1) {
    measureCommand(call, loadQueued(call, transaction, index));
  }
  if (transaction.locksAll) wantAll(call.engine);
}

/** The bytes to make room for in each shard: all, or where there is eviction not all that may be evicted at once. */
export function memoryNeeds(shards: readonly Shard[]): Float64Array {
  const { memory } = room;
  for (const { index, numbers, control } of shards) {
    if (control[POLICY] === NO_EVICTION) continue;
    memory[index] = Math.min(memory[index], numbers[LIMIT_BYTES] * SHARE_IN_ADVANCE);
  }
  return memory;
}

/** Whether the journals take all records of the transaction; with the locks of its shards. LOG_*. */
export function fitsLog(call: Call, transaction: Transaction): number {
  const { shards } = call.engine;
  const copyBytes = room.hasCopies ? longestValue(call, transaction) : 0;
  let outcome = LOG_FITS;
  let totalBytes = 0;
  for (const shard of shards) {
    if (!isWanted(shard) || !isJournaling(shard)) continue;
    const { index, numbers, control } = shard;
    const evictedBytes = control[POLICY] === NO_EVICTION ? 0 : room.memory[index];
    const copiedBytes = room.copies[index] * Math.min(copyBytes, numbers[LIMIT_BYTES]);
    const bytes = room.records[index] + copiedBytes + evictedBytes;
    totalBytes += bytes;
    if (bytes > roomForRecords(shard)) return LOG_TOO_SMALL;
    if (bytes + pendingBytes(shard) > roomForRecords(shard)) outcome = LOG_FITS_LATER;
  }
  return totalBytes > TRANSACTION_LOG_BYTES_MAX ? LOG_TOO_SMALL : outcome;
}

function measureCommand(call: Call, command: Command): void {
  if (command.firstKey === 0) {
    if (command.isWrite) addBareRecords(call);
    return;
  }
  const { engine, input, spans, count } = call;
  const { memory, records, copies } = room;
  const places = findKeyPlaces(call, command);
  const isCopy = COPYING.has(command.spec.name);
  const extraBytes = FLOATING.has(command.spec.name) ? FLOAT_BYTES_MAX : 0;
  const fieldBytes = command.spec.group === 'hash' ? fieldExtraBytes(call) : 0;
  const target = firstPlace(places);
  let keys = 0;
  room.hasCopies ||= isCopy;
  for (let index = firstPlace(places); index > 0; index = nextPlace(places, index)) {
    const start = spans[2 * index];
    const end = spans[2 * index + 1];
    const shard = engine.slotShard[slotOfKey(input, start, end)];
    wantShard(shard);
    keys += 1;
    if (!command.isWrite) continue;
    // One key stands for all arguments behind it: which of them is its value only the command knows.
    const behind =
      command.lastKey === command.firstKey ? count - 1 : Math.min(index + command.keyStep, count) - 1;
    const bytes = spans[2 * behind + 1] - start + fieldBytes;
    if (command.deniesOom) memory[shard] += bytes + KEY_OVERHEAD_BYTES;
    records[shard] += bytes + (end - start) + RECORDS_OVERHEAD_BYTES + extraBytes;
    if (isCopy) copies[shard] += 1;
  }
  if (keys > 1) addResult(call, command, target, keys - 1);
  if (readsUnnamedKeys(call, command)) wantAll(engine);
}

/**
 * What fields of a hash may take besides their arguments: deadlines; and those that are put may be due, and are then named by a record of their
 * own before. Where there are values, the last is one, and each second argument before it a field.
 */
function fieldExtraBytes({ spans, count }: Call): number {
  let bytes = count * ELEMENT_OVERHEAD_MAX;
  for (let index = count - 2; index > 1; index -= 2) bytes += spans[2 * index + 1] - spans[2 * index];
  return bytes;
}

/** The record of a result: its destination comes first among the keys, and SORT has another key only where there is one. */
function addResult(call: Call, command: Command, target: number, sources: number): void {
  const isUnion = UNITING.has(command.spec.name);
  if (!isUnion && !COMBINING.has(command.spec.name)) return;
  room.hasCopies = true;
  room.copies[shardOfKey(call, target).index] += isUnion ? sources : 1;
}

/** A command without keys (FLUSHALL, SWAPDB) adds at most a record for each database to each shard. */
function addBareRecords({ engine }: Call): void {
  for (const { index, control } of engine.shards)
    room.records[index] += control[DATABASES] * RECORD_HEADER_BYTES;
}

/** The longest value that any of the keys can have by the end: the longest now, and all that may be added. O(keys). */
function longestValue(call: Call, transaction: Transaction): number {
  let longest = 0;
  let addedBytes = transaction.byteCount;
  for (let at = 0; at < transaction.commands.length; at += 1) {
    const command = loadQueued(call, transaction, at);
    if (command.firstKey === 0) continue;
    if (command.spec.name === 'setrange') addedBytes += Math.max(0, integerOf(call, 2) || 0);
    const places = findKeyPlaces(call, command);
    for (let index = firstPlace(places); index > 0; index = nextPlace(places, index)) {
      longest = Math.max(longest, longestOfKey(call, index));
    }
  }
  return longest + addedBytes + FLOAT_BYTES_MAX;
}

/** In whichever database: the transaction may change from one to another. */
function longestOfKey(call: Call, index: number): number {
  const { input, spans, nowMs } = call;
  const shard = shardOfKey(call, index);
  let longest = 0;
  for (let database = 0; database < shard.control[DATABASES]; database += 1) {
    const ref = findEntry(shard, database, input, spans[2 * index], spans[2 * index + 1], nowMs);
    if (ref !== NONE) longest = Math.max(longest, memoryOfEntry(shard, ref));
  }
  return longest;
}
