/**
 * A record of another node's log done to a shard of this one, as a change of its own: with the shard's own LSN, journal and log.
 *
 * Runs on the thread that takes in the stream of a slot's owner, under the shard's lock. What a record does is said in redo.ts.
 */
import type { Buffer } from 'node:buffer';
import { tableFor } from './databases.ts';
import type { RecordView } from './record.ts';
import { REDO_NO_ROOM, redo } from './redo.ts';
import type { Shard } from './shard.ts';
import { findInTable, hashOf } from './table.ts';

/** The only database of a node of a cluster. */
const DATABASE = 0;

/**
 * Does what the record in `view`, of one key, says; its spans are in `bytes`, private memory. False when the shard has no room for it, and
 * then nothing has changed but what was evicted. O(value), plus what is evicted.
 */
export function applyRecord(shard: Shard, view: RecordView, bytes: Buffer, nowMs: number): boolean {
  const { keyStart, keyEnd } = view;
  const hash = hashOf(shard, bytes, keyStart, keyEnd);
  const ref = findInTable(shard, tableFor(shard, DATABASE), hash, bytes, keyStart, keyEnd);
  return redo(shard, DATABASE, hash, ref, view, bytes, nowMs) !== REDO_NO_ROOM;
}
