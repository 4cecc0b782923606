/**
 * HyperLogLogs: PFADD, PFCOUNT, PFMERGE. Each is a string, with the very bytes that redis-server would make of it.
 *
 * Runs on the thread of the command, under the locks of all keys' shards. A change is made to a copy in private memory, and what
 * has become another is laid over the string. Source of the rules: Redis 7.0 `hyperloglog.c`.
 */
import { Buffer } from 'node:buffer';
import { readUint64 } from '../base/bytes.ts';
import {
  addToHyperLogLog,
  beginEmpty,
  beginWith,
  CHANGED,
  createHyperLogLog,
  DAMAGED,
  makeDense,
  outdateCardinality,
  raiseRegister,
} from '../collections/hyperloglog.ts';
import {
  beginUnion,
  countOne,
  countUnion,
  joinUnion,
  unionRegister,
} from '../collections/hyperloglog-count.ts';
import {
  CARDINALITY_AT,
  CARDINALITY_LAST_AT,
  CHANGED_BIT,
  DENSE,
  ENCODING_AT,
  isHyperLogLog,
  REGISTERS,
} from '../collections/hyperloglog-layout.ts';
import { gateReasons } from '../resilience/gate.ts';
import {
  type ReplyWriter,
  writeBigInteger,
  writeError,
  writeInteger,
  writeOk,
} from '../resp/reply-writer.ts';
import { entryBytes, valueLength, valueOffset } from '../shard/entry.ts';
import { isDrainOverdue } from '../shard/journal.ts';
import { resizeValue, writeValue } from '../shard/keyspace.ts';
import { NONE } from '../shard/layout.ts';
import type { Shard } from '../shard/shard.ts';
import { isForeign } from '../shard/slot-keys.ts';
import { type Call, type Handler, shardOfKey } from './call.ts';
import { NOTIFY_STRING, notifyKeyspace } from './keyspace-events.ts';
import { isString, readEntry, writeEntry } from './lookup.ts';
import { patchString } from './strings-patch.ts';

const NOT_ONE = 'WRONGTYPE Key is not a valid HyperLogLog string value.';
export const CORRUPTED = 'INVALIDOBJ Corrupted HLL object detected';

const CARDINALITY_BYTES = 8;
const INT64_LIMIT = 2 ** 63;

/** The one in change. One per thread. */
export const sketch = createHyperLogLog();
const cardinality = Buffer.alloc(CARDINALITY_BYTES);

export const hyperLogLogHandlers: Readonly<Record<string, Handler>> = { pfadd, pfcount, pfmerge };

function pfadd(call: Call): void {
  const { shard, reply, input, spans, count } = call;
  const ref = writeEntry(call, shard, 1);
  if (!loadSketch(call, shard, ref)) return;
  let isUpdated = ref === NONE;
  let outcome = CHANGED;
  for (let index = 2; index < count && outcome !== DAMAGED; index += 1) {
    outcome = addToHyperLogLog(sketch, input, spans[2 * index], spans[2 * index + 1]);
    if (outcome === CHANGED) isUpdated = true;
  }
  if (isUpdated && outcome !== DAMAGED) outdateCardinality(sketch);
  if (!storeSketch(call, shard, 1, ref)) return;
  if (outcome === DAMAGED) {
    writeError(reply, CORRUPTED);
    return;
  }
  if (isUpdated) notifyKeyspace(call, NOTIFY_STRING, 'pfadd', 1);
  writeInteger(reply, isUpdated ? 1 : 0);
}

function pfcount(call: Call): void {
  const { shard, reply } = call;
  if (call.count > 2) {
    if (joinKeys(call) !== undefined) replyCount(reply, countUnion());
    return;
  }
  const ref = readEntry(call, shard, 1);
  if (ref === NONE) {
    writeInteger(reply, 0);
    return;
  }
  if (!isSketch(call, shard, ref)) return;
  const { entries } = shard;
  const bytes = entryBytes(entries, ref);
  const start = valueOffset(entries, ref);
  if ((bytes[start + CARDINALITY_LAST_AT] & CHANGED_BIT) === 0) {
    replyCardinality(reply, bytes, start + CARDINALITY_AT);
    return;
  }
  const counted = countOne(bytes, start, start + valueLength(entries, ref));
  if (Number.isNaN(counted)) {
    writeError(reply, CORRUPTED);
    return;
  }
  replyCount(reply, counted);
  if (mayKeepCount(call, shard, ref)) keepCount(call, shard, ref, counted);
}

function pfmerge(call: Call): void {
  const hasDense = joinKeys(call);
  if (hasDense === undefined) return;
  const shard = shardOfKey(call, 1);
  const ref = writeEntry(call, shard, 1);
  if (!loadSketch(call, shard, ref)) return;
  if (hasDense && !makeDense(sketch)) {
    writeError(call.reply, CORRUPTED);
    return;
  }
  for (let index = 0; index < REGISTERS; index += 1) {
    const value = unionRegister(index);
    if (value !== 0) raiseRegister(sketch, index, value);
  }
  outdateCardinality(sketch);
  if (!storeSketch(call, shard, 1, ref)) return;
  notifyKeyspace(call, NOTIFY_STRING, 'pfadd', 1);
  writeOk(call.reply);
}

/** Makes the union of all keys; whether any is dense. Undefined when one is no HyperLogLog or damaged, and then that is answered. */
function joinKeys(call: Call): boolean | undefined {
  let hasDense = false;
  beginUnion();
  for (let index = 1; index < call.count; index += 1) {
    const shard = shardOfKey(call, index);
    const ref = readEntry(call, shard, index);
    if (ref === NONE) continue;
    if (!isSketch(call, shard, ref)) return undefined;
    const bytes = entryBytes(shard.entries, ref);
    const start = valueOffset(shard.entries, ref);
    hasDense ||= bytes[start + ENCODING_AT] === DENSE;
    if (!joinUnion(bytes, start, start + valueLength(shard.entries, ref))) {
      writeError(call.reply, CORRUPTED);
      return undefined;
    }
  }
  return hasDense;
}

/** Whether the entry is a HyperLogLog; answers if not. */
function isSketch(call: Call, shard: Shard, ref: number): boolean {
  const { entries } = shard;
  if (!isString(call, shard, ref)) return false;
  const start = valueOffset(entries, ref);
  if (isHyperLogLog(entryBytes(entries, ref), start, start + valueLength(entries, ref))) return true;
  writeError(call.reply, NOT_ONE);
  return false;
}

/** Makes a copy of the entry the one in change; of a new one for NONE. Answers and returns false when that cannot be. */
export function loadSketch(call: Call, shard: Shard, ref: number): boolean {
  const sparseBytesMax = call.engine.config.hllSparseMaxBytes;
  if (ref === NONE) {
    beginEmpty(sketch, sparseBytesMax);
    return true;
  }
  if (!isSketch(call, shard, ref)) return false;
  const { entries } = shard;
  const start = valueOffset(entries, ref);
  const end = start + valueLength(entries, ref);
  if (beginWith(sketch, entryBytes(entries, ref), start, end, sparseBytesMax)) return true;
  writeError(call.reply, CORRUPTED);
  return false;
}

/** Lays what has changed over the string; answers and returns false when there is no room. */
export function storeSketch(call: Call, shard: Shard, keyIndex: number, ref: number): boolean {
  const { bytes, length, spans, spanCount } = sketch;
  let at = ref;
  for (let i = 0; i < spanCount; i += 1) {
    const start = Math.min(spans[2 * i], length);
    const end = Math.min(spans[2 * i + 1], length);
    at = patchString(call, shard, keyIndex, at, length, start, bytes, start, end);
    if (at === NONE) return false;
  }
  return true;
}

/**
 * Whether the count may be written into the string, though the command reads: not where another node owns the key, nor while nothing
 * may change, nor when the log is behind.
 */
function mayKeepCount({ engine }: Call, shard: Shard, ref: number): boolean {
  return gateReasons(engine.gate) === 0 && !isForeign(shard, ref) && !isDrainOverdue(shard);
}

/** Without room the next one counts again. */
function keepCount({ nowMs }: Call, shard: Shard, ref: number, counted: number): void {
  const at = resizeValue(shard, ref, valueLength(shard.entries, ref), nowMs);
  if (at === NONE) return;
  cardinality.writeBigInt64LE(asInt64(counted));
  writeValue(shard, at, CARDINALITY_AT, cardinality, 0, CARDINALITY_BYTES);
}

function replyCardinality(reply: ReplyWriter, bytes: Buffer, at: number): void {
  const kept = readUint64(bytes, at);
  if (Number.isSafeInteger(kept)) writeInteger(reply, kept);
  else writeBigInteger(reply, bytes.readBigInt64LE(at));
}

function replyCount(reply: ReplyWriter, counted: number): void {
  if (Number.isSafeInteger(counted)) writeInteger(reply, counted);
  else writeBigInteger(reply, asInt64(counted));
}

/** As C makes an integer of a number that is too large for it: the least one. */
function asInt64(counted: number): bigint {
  return BigInt(counted < INT64_LIMIT ? counted : -INT64_LIMIT);
}
