/**
 * The commands on keys of any type: remove, count, name, rename, copy, move.
 *
 * Runs on the thread of the connection, under the locks of all keys' shards. A value goes to another key by copying
 * its bytes (putCopy, copyCollection), so the two keys may lie in different shards; both are locked, and no one sees half of it.
 */
import { equalBytes } from '../base/bytes.ts';
import { copyCollection, moveCollection } from '../collections/copy.ts';
import { isTree } from '../collections/sequence.ts';
import { writeError, writeInteger, writeOk, writeSimple } from '../resp/reply-writer.ts';
import { clockOf, expiresAt, typeOf, valueLength, writeClock } from '../shard/entry.ts';
import { findEntry, putCopy } from '../shard/keyspace.ts';
import { NONE, TYPE_STRING } from '../shard/layout.ts';
import { removeEntry } from '../shard/lifecycle.ts';
import { touchEntry } from '../shard/recency.ts';
import type { Shard } from '../shard/shard.ts';
import { NO_TYPE_NAME, typeName } from '../shard/type-names.ts';
import { argumentBytes, isWord, NO_SUCH_KEY, replySyntaxError } from './arguments.ts';
import { type Call, type Handler, shardOfKey } from './call.ts';
import { readDatabaseIndex } from './keys-databases.ts';
import { NOTIFY_GENERIC, NOTIFY_NEW, notifyKeyspace, notifyKeyspaceIn } from './keyspace-events.ts';
import { peekEntry, probeEntry, readEntry, replyNoRoom, writeEntry } from './lookup.ts';

const SAME_OBJECT = 'ERR source and destination objects are the same';

export const keyHandlers: Readonly<Record<string, Handler>> = {
  del: deleteKeys,
  unlink: deleteKeys,
  exists: countKeys,
  touch: touchKeys,
  type: nameType,
  rename: renameKey,
  renamenx: renameKeyIfNew,
  copy: copyKey,
  move: moveKey,
};

/** DEL and UNLINK: freeing a value takes no time here, so there is nothing to do in the background. */
function deleteKeys(call: Call): void {
  let removed = 0;
  for (let index = 1; index < call.count; index += 1) {
    const shard = shardOfNextKey(call, index);
    const ref = peekEntry(call, shard, index);
    if (ref === NONE) continue;
    removeEntry(shard, ref);
    notifyKeyspace(call, NOTIFY_GENERIC, 'del', index);
    removed += 1;
  }
  writeInteger(call.reply, removed);
}

function countKeys(call: Call): void {
  let found = 0;
  for (let index = 1; index < call.count; index += 1) {
    if (probeEntry(call, shardOfNextKey(call, index), index) !== NONE) found += 1;
  }
  writeInteger(call.reply, found);
}

/** A use of every key, even by a client that asked for its commands not to be uses. */
function touchKeys(call: Call): void {
  let found = 0;
  for (let index = 1; index < call.count; index += 1) {
    const shard = shardOfNextKey(call, index);
    const ref = probeEntry(call, shard, index);
    if (ref === NONE) continue;
    touchEntry(shard, ref, call.nowMs);
    found += 1;
  }
  writeInteger(call.reply, found);
}

function nameType(call: Call): void {
  const { reply, shard } = call;
  const ref = probeEntry(call, shard, 1);
  writeSimple(reply, ref === NONE ? NO_TYPE_NAME : typeName(typeOf(shard.entries, ref)));
}

function renameKey(call: Call): void {
  if (rename(call, false)) writeOk(call.reply);
}

function renameKeyIfNew(call: Call): void {
  if (rename(call, true)) writeInteger(call.reply, 1);
}

/** True when it is done; otherwise the reply is written. The new key is looked up first: that may remove an expired one. */
function rename(call: Call, onlyIfNew: boolean): boolean {
  const { reply, shard } = call;
  const target = shardOfKey(call, 2);
  const isThere = peekEntry(call, target, 2) !== NONE;
  const taken = onlyIfNew && isThere;
  const ref = writeEntry(call, shard, 1);
  if (ref === NONE) {
    writeError(reply, NO_SUCH_KEY);
    return false;
  }
  if (taken) {
    writeEntry(call, target, 2);
    writeInteger(reply, 0);
    return false;
  }
  if (isSameKey(call)) return true;
  const clock = clockOf(shard.entries, ref);
  const expiresAtMs = expiresAt(shard.entries, ref);
  const copy = copyEntry(call, shard, ref, target, call.session.database, 2, expiresAtMs, true);
  if (copy === NONE) return false;
  writeClock(target.entries, copy, clock);
  removeSource(call, shard);
  notifyKeyspace(call, NOTIFY_NEW, 'new', 2);
  notifyKeyspace(call, NOTIFY_GENERIC, 'rename_from', 1);
  notifyKeyspace(call, NOTIFY_GENERIC, 'rename_to', 2);
  return true;
}

function copyKey(call: Call): void {
  const { reply, shard, session } = call;
  let database = session.database;
  let replaces = false;
  for (let index = 3; index < call.count; index += 1) {
    if (isWord(call, index, 'REPLACE')) {
      replaces = true;
    } else if (isWord(call, index, 'DB') && index + 1 < call.count) {
      index += 1;
      database = readDatabaseIndex(call, index);
      if (Number.isNaN(database)) return;
    } else {
      replySyntaxError(call);
      return;
    }
  }
  if (database !== 0 && call.engine.cluster !== undefined) {
    writeError(reply, 'ERR Copying to another database is not allowed in cluster mode');
    return;
  }
  if (database === session.database && isSameKey(call)) {
    writeError(reply, SAME_OBJECT);
    return;
  }
  const target = shardOfKey(call, 2);
  const isThere = findKey(call, target, database, 2, call.nowMs) !== NONE;
  const taken = isThere && !replaces;
  const ref = readEntry(call, shard, 1);
  if (ref === NONE || taken) {
    writeInteger(reply, 0);
    return;
  }
  const expiresAtMs = expiresAt(shard.entries, ref);
  if (copyEntry(call, shard, ref, target, database, 2, expiresAtMs, false) === NONE) return;
  notifyKeyspaceIn(call, NOTIFY_NEW, 'new', 2, database);
  notifyKeyspaceIn(call, NOTIFY_GENERIC, 'copy_to', 2, database);
  writeInteger(reply, 1);
}

function moveKey(call: Call): void {
  const { reply, shard, session } = call;
  if (call.engine.cluster !== undefined) {
    writeError(reply, 'ERR MOVE is not allowed in cluster mode');
    return;
  }
  const database = readDatabaseIndex(call, 2);
  if (Number.isNaN(database)) return;
  if (database === session.database) {
    writeError(reply, SAME_OBJECT);
    return;
  }
  const taken = findKey(call, shard, database, 1, call.nowMs) !== NONE;
  const ref = writeEntry(call, shard, 1);
  if (ref === NONE || taken) {
    writeInteger(reply, 0);
    return;
  }
  const clock = clockOf(shard.entries, ref);
  const expiresAtMs = expiresAt(shard.entries, ref);
  const copy = copyEntry(call, shard, ref, shard, database, 1, expiresAtMs, true);
  if (copy === NONE) return;
  writeClock(shard.entries, copy, clock);
  removeSource(call, shard);
  notifyKeyspaceIn(call, NOTIFY_NEW, 'new', 1, database);
  notifyKeyspace(call, NOTIFY_GENERIC, 'move_from', 1);
  notifyKeyspaceIn(call, NOTIFY_GENERIC, 'move_to', 1, database);
  writeInteger(reply, 1);
}

/** Removes the key of argument 1, unless it has gone with its move. */
function removeSource(call: Call, shard: Shard): void {
  const ref = peekEntry(call, shard, 1);
  if (ref !== NONE) removeEntry(shard, ref);
}

/** Copies an entry to key argument `keyIndex` of a database; `isMove`: the source is removed then. NONE when there is no room; then the reply is written. */
function copyEntry(
  call: Call,
  source: Shard,
  ref: number,
  target: Shard,
  database: number,
  keyIndex: number,
  expiresAtMs: number,
  isMove: boolean,
): number {
  const { input, spans, nowMs } = call;
  const start = spans[2 * keyIndex];
  const end = spans[2 * keyIndex + 1];
  const isText = typeOf(source.entries, ref) === TYPE_STRING;
  const bytes = isText ? valueLength(source.entries, ref) : 0;
  const copy = isText
    ? putCopy(target, database, input, start, end, source, ref, expiresAtMs, nowMs)
    : isMove && source === target && isTree(source, ref)
      ? moveCollection(target, database, input, start, end, ref, expiresAtMs, nowMs)
      : copyCollection(target, database, input, start, end, source, ref, expiresAtMs, nowMs);
  if (copy === NONE) replyNoRoom(call, target, keyIndex, bytes);
  return copy;
}

/** The entry of key argument `index` in any database. */
function findKey(call: Call, shard: Shard, database: number, index: number, nowMs: number): number {
  return findEntry(shard, database, call.input, call.spans[2 * index], call.spans[2 * index + 1], nowMs);
}

/** The shard of one of many keys: with a single one, the dispatcher has found it already. */
function shardOfNextKey(call: Call, index: number): Shard {
  return call.count === 2 ? call.shard : shardOfKey(call, index);
}

/** Whether the two key arguments are equal. */
function isSameKey(call: Call): boolean {
  const { input, spans } = call;
  return (
    argumentBytes(call, 1) === argumentBytes(call, 2) &&
    equalBytes(input, spans[2], spans[3], input, spans[4])
  );
}
