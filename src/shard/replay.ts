/**
 * The way back: one record of the log applied to a shard, so that it holds what it held when the record was appended.
 *
 * Runs on the thread that recovers, under the shard's lock, while the shard is not journaling. A record is left out when
 * its entry is from a later change, which it is where a snapshot saw the entry after the record. Nothing expires here: a
 * later record may have moved the deadline.
 *
 * Only a PUT makes an entry: whoever changes a part of an absent value puts an empty one first. So a SPLICE that finds no
 * entry is of one that had to go for want of room, with less memory than it was written with, or of one that a snapshot did
 * not see any more, which a later record removes. Either way the key stays away: half a value would be one that never was.
 */
import type { Buffer } from 'node:buffer';
import { assert } from '../base/assert.ts';
import { flushDatabase, swapDatabases, tableFor } from './databases.ts';
import { lsnOf, writeLsn } from './entry.ts';
import { isJournaling } from './journal.ts';
import { putFound, resizeValue, writeValue } from './keyspace.ts';
import { DATABASES, LSN, NONE } from './layout.ts';
import { removeEntry, setExpiry } from './lifecycle.ts';
import {
  EFFECT_DELETE,
  EFFECT_FLUSH,
  EFFECT_PUT,
  EFFECT_SPLICE,
  EFFECT_SWAP,
  RECORD_RAW,
  type RecordView,
} from './record.ts';
import type { Shard } from './shard.ts';
import { findInTable, hashOf } from './table.ts';

/**
 * Applies the record in `view`, whose spans are in `bytes`, as the change number `lsn`. False when the shard has no room
 * for it. O(value), plus what is evicted.
 */
export function replayRecord(
  shard: Shard,
  view: RecordView,
  bytes: Buffer,
  lsn: number,
  nowMs: number,
): boolean {
  const { numbers, control } = shard;
  assert(!isJournaling(shard), 'what is replayed is in the log already');
  assert(view.database < control[DATABASES], 'the record is of a database that the shard has');
  const before = numbers[LSN];
  numbers[LSN] = lsn - 1;
  const fits = isKeyed(view.effect) ? replayKeyed(shard, view, bytes, lsn, nowMs) : replayBare(shard, view);
  // What was evicted for it took numbers as well, which are not the log's.
  numbers[LSN] = Math.max(before, lsn);
  return fits;
}

function isKeyed(effect: number): boolean {
  return effect !== EFFECT_FLUSH && effect !== EFFECT_SWAP;
}

function replayBare(shard: Shard, view: RecordView): boolean {
  if (view.effect === EFFECT_FLUSH) {
    flushDatabase(shard, view.database);
  } else {
    assert(view.extra < shard.control[DATABASES], 'the record is of a database that the shard has');
    swapDatabases(shard, view.database, view.extra);
  }
  return true;
}

function replayKeyed(shard: Shard, view: RecordView, bytes: Buffer, lsn: number, nowMs: number): boolean {
  const { effect, keyStart, keyEnd } = view;
  const hash = hashOf(shard, bytes, keyStart, keyEnd);
  const ref = findInTable(shard, tableFor(shard, view.database), hash, bytes, keyStart, keyEnd);
  if (ref !== NONE && lsnOf(shard.entries, ref) >= lsn) return true;
  if (effect === EFFECT_PUT) return replayPut(shard, hash, ref, view, bytes, lsn, nowMs);
  if (ref === NONE) return true;
  if (effect === EFFECT_SPLICE) return layOver(shard, ref, view.length, view.extra, view, bytes, lsn, nowMs);
  if (effect === EFFECT_DELETE) removeEntry(shard, ref);
  else setExpiry(shard, ref, view.expiresAtMs);
  return true;
}

function replayPut(
  shard: Shard,
  hash: number,
  known: number,
  view: RecordView,
  bytes: Buffer,
  lsn: number,
  nowMs: number,
): boolean {
  const { database, keyStart, keyEnd, valueStart, valueEnd, expiresAtMs } = view;
  const ref = putFound(
    shard,
    database,
    hash,
    known,
    bytes,
    keyStart,
    keyEnd,
    bytes,
    valueStart,
    valueEnd,
    expiresAtMs,
    nowMs,
  );
  if (ref === NONE) return false;
  writeLsn(shard.entries, ref, lsn);
  // Without room for the other form the value is as good in this one.
  if ((view.flags & RECORD_RAW) !== 0) layOver(shard, ref, valueEnd - valueStart, 0, view, bytes, lsn, nowMs);
  return true;
}

/** Writes the record's value into an entry's, which becomes one that was changed in place. */
function layOver(
  shard: Shard,
  ref: number,
  length: number,
  offset: number,
  view: RecordView,
  bytes: Buffer,
  lsn: number,
  nowMs: number,
): boolean {
  const at = resizeValue(shard, ref, length, nowMs);
  if (at === NONE) return false;
  writeValue(shard, at, offset, bytes, view.valueStart, view.valueEnd);
  writeLsn(shard.entries, at, lsn);
  return true;
}
