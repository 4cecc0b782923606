/**
 * Parts of strings: GETRANGE and SUBSTR, SETRANGE, APPEND, STRLEN.
 *
 * Runs on the thread of the command, under the lock of the key's shard. Source of the rules: Redis 7.0 `t_string.c`.
 */
import { parseInt64 } from '../base/decimal.ts';
import { writeBulk, writeError, writeInteger } from '../resp/reply-writer.ts';
import { entryBytes, valueLength, valueOffset } from '../shard/entry.ts';
import { NONE } from '../shard/layout.ts';
import { argumentBytes, integerOf, NOT_AN_INTEGER } from './arguments.ts';
import type { Call, Handler } from './call.ts';
import { NOTIFY_STRING, notifyKeyspace } from './keyspace-events.ts';
import { isString, readEntry, writeEntry } from './lookup.ts';
import { patchString } from './strings-patch.ts';
import { storeArgument } from './strings-value.ts';

const TOO_LONG = 'ERR string exceeds maximum allowed size (proto-max-bulk-len)';

export const stringRangeHandlers: Readonly<Record<string, Handler>> = {
  getrange,
  substr: getrange,
  setrange,
  append,
  strlen,
};

function getrange(call: Call): void {
  const first = integerOf(call, 2);
  const last = integerOf(call, 3);
  if (Number.isNaN(first) || Number.isNaN(last)) getHugeRange(call);
  else replyRange(call, first, last);
}

/** Ends beyond the safe integers reach past any string; only the order of two negative ones still matters. */
function getHugeRange(call: Call): void {
  const first = readInt64(call, 2);
  const last = first === undefined ? undefined : readInt64(call, 3);
  if (first === undefined || last === undefined) writeError(call.reply, NOT_AN_INTEGER);
  else if (first < 0n && last < 0n && first > last) replyRange(call, -1, -2);
  else replyRange(call, Number(first), Number(last));
}

/** Answers with the bytes `first` to `last`, both included, negative ones counted from the end. */
function replyRange(call: Call, first: number, last: number): void {
  const { shard, reply, input } = call;
  const ref = readEntry(call, shard, 1);
  if (ref === NONE) {
    writeBulk(reply, input, 0, 0);
    return;
  }
  if (!isString(call, shard, ref)) return;
  const length = valueLength(shard.entries, ref);
  const start = Math.max(0, first < 0 ? first + length : first);
  const end = Math.min(length - 1, Math.max(0, last < 0 ? last + length : last));
  if (start > end || (first < 0 && last < 0 && first > last)) {
    writeBulk(reply, input, 0, 0);
    return;
  }
  const at = valueOffset(shard.entries, ref);
  writeBulk(reply, entryBytes(shard.entries, ref), at + start, at + end + 1);
}

function setrange(call: Call): void {
  const { shard, reply } = call;
  const offset = readOffset(call);
  if (Number.isNaN(offset)) return;
  const ref = writeEntry(call, shard, 1);
  if (ref !== NONE && !isString(call, shard, ref)) return;
  const before = ref === NONE ? 0 : valueLength(shard.entries, ref);
  const bytes = argumentBytes(call, 3);
  if (bytes === 0) {
    writeInteger(reply, before);
    return;
  }
  if (offset + bytes > call.engine.config.protoMaxBulkLen) {
    writeError(reply, TOO_LONG);
    return;
  }
  const length = Math.max(before, offset + bytes);
  if (!layArgument(call, ref, offset, length, 3)) return;
  notifyKeyspace(call, NOTIFY_STRING, 'setrange', 1);
  writeInteger(reply, length);
}

/** SETRANGE's offset, rounded if it is huge. NaN when it is no integer or negative, and then that is answered. */
function readOffset(call: Call): number {
  const exact = integerOf(call, 2);
  if (exact >= 0) return exact;
  const offset = readInt64(call, 2);
  if (offset !== undefined && offset >= 0n) return Number(offset);
  writeError(call.reply, offset === undefined ? NOT_AN_INTEGER : 'ERR offset is out of range');
  return Number.NaN;
}

/** Makes the value `length` bytes long and writes the argument at `offset`; answers and returns false without room. */
function layArgument(call: Call, ref: number, offset: number, length: number, valueIndex: number): boolean {
  const { shard, input, spans } = call;
  const start = spans[2 * valueIndex];
  return patchString(call, shard, 1, ref, length, offset, input, start, spans[2 * valueIndex + 1]) !== NONE;
}

function append(call: Call): void {
  const { shard, reply } = call;
  const bytes = argumentBytes(call, 2);
  const ref = writeEntry(call, shard, 1);
  if (ref === NONE) {
    if (storeArgument(call, shard, 1, 2, 0)) replyAppended(call, bytes);
    return;
  }
  if (!isString(call, shard, ref)) return;
  const before = valueLength(shard.entries, ref);
  if (before + bytes > call.engine.config.protoMaxBulkLen) writeError(reply, TOO_LONG);
  else if (layArgument(call, ref, before, before + bytes, 2)) replyAppended(call, before + bytes);
}

function replyAppended(call: Call, length: number): void {
  notifyKeyspace(call, NOTIFY_STRING, 'append', 1);
  writeInteger(call.reply, length);
}

function strlen(call: Call): void {
  const { shard, reply } = call;
  const ref = readEntry(call, shard, 1);
  if (ref === NONE) writeInteger(reply, 0);
  else if (isString(call, shard, ref)) writeInteger(reply, valueLength(shard.entries, ref));
}

function readInt64(call: Call, index: number): bigint | undefined {
  return parseInt64(call.input, call.spans[2 * index], call.spans[2 * index + 1]);
}
