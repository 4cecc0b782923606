/**
 * HSCAN, SSCAN and ZSCAN: a collection's groups leaf by leaf, in the order of hashes.
 *
 * Runs on the thread of the command, under the lock of the key's shard. A cursor is the first hash that was not looked at, 0 both before
 * the start and behind the end; so a group that is there throughout comes up exactly once, however the collection grows or shrinks meanwhile.
 * A packed collection is answered whole, as redis-server does with its small ones.
 */
import { Buffer } from 'node:buffer';
import { globMatch } from '../base/glob.ts';
import { type Cursor, createCursor } from '../collections/cursor.ts';
import {
  encodingEnd,
  groupEnd,
  groupKey,
  isIntegerElement,
  textStart,
  writeText,
} from '../collections/elements.ts';
import { isDue } from '../collections/hash-deadlines.ts';
import { isTree, leafHashEnd, seekHash, seekRank } from '../collections/sequence.ts';
import { hashOfElement } from '../collections/tree-seek.ts';
import { insertArray, type ReplyWriter, writeArray, writeBulkText } from '../resp/reply-writer.ts';
import { NONE, TYPE_HASH, TYPE_ZSET } from '../shard/layout.ts';
import type { Shard } from '../shard/shard.ts';
import { isWord, replySyntaxError } from './arguments.ts';
import type { Call } from './call.ts';
import { readCollection, WRONG } from './collections.ts';
import { hasDueFields } from './hashes-due.ts';
import { patternOf, readCount, readCursor } from './keys-scan.ts';

/** Answers with one group, as many bulk strings as it returns. */
export type GroupWriter = (reply: ReplyWriter, bytes: Buffer, at: number) => number;

const COUNT_DEFAULT = 10;
const OPTIONS_FROM = 3;

/** Hashes have 32 bits. */
const HASHES_END = 2 ** 32;

const cursor = createCursor();
/** Of the hash at hand: fields with deadlines below this are not shown. One per thread. */
let dueBeforeMs = 0;
/** "-9007199254740991" is the longest integer of a collection. */
const digits = Buffer.alloc(20);

/** `key cursor [MATCH pattern] [COUNT count]` on a collection of this type. */
export function scanCollection(call: Call, type: number, write: GroupWriter): void {
  const { shard, reply } = call;
  const from = readCursor(call, 2);
  if (Number.isNaN(from)) return;
  const ref = readCollection(call, shard, 1, type);
  if (ref === WRONG) return;
  if (ref === NONE) {
    writeArray(reply, 2);
    writeBulkText(reply, '0');
    writeArray(reply, 0);
    return;
  }
  let pattern: Buffer | undefined;
  let count = COUNT_DEFAULT;
  for (let index = OPTIONS_FROM; index < call.count; index += 2) {
    if (index + 1 < call.count && isWord(call, index, 'COUNT')) {
      count = readCount(call, index + 1);
      if (Number.isNaN(count)) return;
    } else if (index + 1 < call.count && isWord(call, index, 'MATCH')) {
      pattern = patternOf(call, index + 1);
    } else {
      replySyntaxError(call);
      return;
    }
  }
  writeArray(reply, 2);
  if (isTree(shard, ref)) scanTree(call, shard, ref, type, from, count, pattern, write);
  else scanPacked(call, shard, ref, type, pattern, write);
}

function scanPacked(
  { reply, nowMs }: Call,
  shard: Shard,
  ref: number,
  type: number,
  pattern: Buffer | undefined,
  write: GroupWriter,
): void {
  writeBulkText(reply, '0');
  dueBeforeMs = dueBefore(shard, ref, type, nowMs);
  seekRank(shard, ref, 0, cursor, 0);
  const at = reply.length;
  insertArray(reply, at, writeLeaf(shard, reply, cursor, type, pattern, 0, write));
}

/** Leaf after leaf until so many groups were looked at. */
function scanTree(
  { reply, nowMs }: Call,
  shard: Shard,
  ref: number,
  type: number,
  from: number,
  count: number,
  pattern: Buffer | undefined,
  write: GroupWriter,
): void {
  const root = type === TYPE_ZSET ? 1 : 0;
  dueBeforeMs = dueBefore(shard, ref, type, nowMs);
  const start = reply.length;
  let next = from;
  // The leaf that a cursor of before belongs to by now may have been put together with the one that was shown then.
  let least = from;
  let seen = 0;
  let written = 0;
  while (next < HASHES_END && seen < count) {
    if (seekHash(shard, ref, root, cursor, next)) {
      for (let at = cursor.at; at < cursor.end; at = groupEnd(type, cursor.bytes, at)) seen += 1;
      written += writeLeaf(shard, reply, cursor, type, pattern, least, write);
    }
    least = 0;
    next = leafHashEnd(cursor);
  }
  insertArray(reply, start, written);
  insertCursor(reply, start, next < HASHES_END ? next : 0);
}

/** Before which deadline fields are passed by; 0 where none is due. */
function dueBefore(shard: Shard, ref: number, type: number, nowMs: number): number {
  return type === TYPE_HASH && hasDueFields(shard, ref, nowMs) ? nowMs : 0;
}

/** Puts a cursor, as a bulk string, in front of what was written from `start` on. */
function insertCursor(reply: ReplyWriter, start: number, value: number): void {
  const end = reply.length;
  writeBulkText(reply, String(value));
  const bytes = reply.length - end;
  const text = Buffer.from(reply.bytes.subarray(end, reply.length));
  reply.bytes.copyWithin(start + bytes, start, end);
  text.copy(reply.bytes, start);
}

/** Answers with the groups of a leaf whose hashes are not below `least`; how many bulk strings that are. */
function writeLeaf(
  shard: Shard,
  reply: ReplyWriter,
  { bytes, at, end }: Cursor,
  type: number,
  pattern: Buffer | undefined,
  least: number,
  write: GroupWriter,
): number {
  let written = 0;
  for (let group = at; group < end; group = groupEnd(type, bytes, group)) {
    if (dueBeforeMs !== 0 && isDue(bytes, group, end, dueBeforeMs)) continue;
    if (least > 0 && hashOfElement(shard, bytes, groupKey(type, group)) < least) continue;
    if (pattern === undefined || isMatch(pattern, bytes, groupKey(type, group)))
      written += write(reply, bytes, group);
  }
  return written;
}

function isMatch(pattern: Buffer, bytes: Buffer, at: number): boolean {
  if (!isIntegerElement(bytes, at)) {
    return globMatch(pattern, 0, pattern.length, bytes, textStart(bytes, at), encodingEnd(bytes, at), false);
  }
  return globMatch(pattern, 0, pattern.length, digits, 0, writeText(bytes, at, digits, 0), false);
}
