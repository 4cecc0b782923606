/**
 * Strings in the form of those that were changed in place, which `OBJECT ENCODING` calls `raw` however short they are: what commands
 * on bits and on HyperLogLogs make.
 *
 * Runs on every thread, under the shard's lock.
 */
import type { Buffer } from 'node:buffer';
import { copyBytes } from '../base/bytes.ts';
import { tableFor } from './databases.ts';
import { entryBytes, isRaw, valueOffset } from './entry.ts';
import { EMBEDDED_BYTES_MAX, finishPut, makeRaw, placeString } from './keyspace.ts';
import { NONE } from './layout.ts';
import { RECORD_RAW } from './record.ts';
import type { Shard } from './shard.ts';
import { findInTable, hashOf } from './table.ts';

/**
 * Creates or replaces a string that is `value[0, length)`, without a deadline. Returns as `putString`; without room for the other
 * form the value is as good in its own.
 */
export function putRaw(
  shard: Shard,
  database: number,
  key: Buffer,
  keyStart: number,
  keyEnd: number,
  value: Buffer,
  length: number,
  nowMs: number,
): number {
  const { entries } = shard;
  const table = tableFor(shard, database);
  const hash = hashOf(shard, key, keyStart, keyEnd);
  const existing = findInTable(shard, table, hash, key, keyStart, keyEnd);
  const ref = placeString(shard, table, hash, existing, key, keyStart, keyEnd, length, 0, nowMs);
  if (ref === NONE) return NONE;
  copyBytes(value, 0, length, entryBytes(entries, ref), valueOffset(entries, ref));
  const isShort = length <= EMBEDDED_BYTES_MAX;
  const raw = isShort ? makeRaw(shard, table, hash, ref, key, keyStart, keyEnd, nowMs) : ref;
  const flags = isRaw(entries, raw) ? RECORD_RAW : 0;
  finishPut(shard, database, raw, keyEnd - keyStart, value, 0, length, 0, flags);
  return raw;
}
