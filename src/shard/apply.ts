/**
 * A record of another node's log done to a shard of this one, as a change of its own: with the shard's own LSN, journal and log.
 *
 * Runs on the thread that takes in the stream of a slot's owner, under the shard's lock. What is recorded is what the owner's shard
 * became; so an entry that is missing here had to go for want of room (or will be copied yet), and its changes go by: half a value
 * would be one that never was.
 */
import type { Buffer } from 'node:buffer';
import { tableFor } from './databases.ts';
import { putFound, resizeValue, writeValue } from './keyspace.ts';
import { NONE } from './layout.ts';
import { removeEntry, setExpiry } from './lifecycle.ts';
import {
  EFFECT_DELETE,
  EFFECT_EXPIRE,
  EFFECT_PUT,
  EFFECT_SPLICE,
  RECORD_RAW,
  type RecordView,
} from './record.ts';
import type { Shard } from './shard.ts';
import { findInTable, hashOf } from './table.ts';

/**
 * Does what the record in `view`, of one key of database 0, says; its spans are in `bytes`, private memory. False when the shard has no
 * room for it, and then nothing has changed but what was evicted. O(value), plus what is evicted.
 */
export function applyRecord(shard: Shard, view: RecordView, bytes: Buffer, nowMs: number): boolean {
  const { effect, keyStart, keyEnd } = view;
  const hash = hashOf(shard, bytes, keyStart, keyEnd);
  const ref = findInTable(shard, tableFor(shard, 0), hash, bytes, keyStart, keyEnd);
  if (effect === EFFECT_PUT) return applyPut(shard, hash, ref, view, bytes, nowMs);
  if (ref === NONE) return true;
  if (effect === EFFECT_SPLICE) return layOver(shard, ref, view.length, view.extra, view, bytes, nowMs);
  if (effect === EFFECT_DELETE) removeEntry(shard, ref);
  else if (effect === EFFECT_EXPIRE) setExpiry(shard, ref, view.expiresAtMs);
  return true;
}

function applyPut(
  shard: Shard,
  hash: number,
  known: number,
  view: RecordView,
  bytes: Buffer,
  nowMs: number,
): boolean {
  const { keyStart, keyEnd, valueStart, valueEnd, expiresAtMs } = view;
  const ref = putFound(
    shard,
    0,
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
  // Without room for the other form the value is as good in this one.
  if ((view.flags & RECORD_RAW) !== 0) layOver(shard, ref, valueEnd - valueStart, 0, view, bytes, nowMs);
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
  nowMs: number,
): boolean {
  const at = resizeValue(shard, ref, length, nowMs);
  if (at === NONE) return false;
  writeValue(shard, at, offset, bytes, view.valueStart, view.valueEnd);
  return true;
}
