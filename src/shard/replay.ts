/**
 * The way back: one record of the log applied to a shard, so that it holds what it held when the record was appended.
 *
 * Runs on the thread that recovers, under the shard's lock, while the shard is not journaling. A record is left out when
 * its entry is from a later change, which it is where a snapshot saw the entry after the record. Nothing expires here: a
 * later record may have moved the deadline. What a record does is said in redo.ts.
 */
import type { Buffer } from 'node:buffer';
import { assert } from '../base/assert.ts';
import { flushDatabase, swapDatabases, tableFor } from './databases.ts';
import { lsnOf, writeLsn } from './entry.ts';
import { isJournaling } from './journal.ts';
import { DATABASES, LSN, NONE } from './layout.ts';
import { EFFECT_FLUSH, EFFECT_SWAP, type RecordView } from './record.ts';
import { REDO_NO_ROOM, redo } from './redo.ts';
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
  const { database, keyStart, keyEnd } = view;
  const hash = hashOf(shard, bytes, keyStart, keyEnd);
  const ref = findInTable(shard, tableFor(shard, database), hash, bytes, keyStart, keyEnd);
  if (ref !== NONE && lsnOf(shard.entries, ref) >= lsn) return true;
  const entry = redo(shard, database, hash, ref, view, bytes, nowMs);
  if (entry === REDO_NO_ROOM) return false;
  if (entry !== NONE) writeLsn(shard.entries, entry, lsn);
  return true;
}
