/** What a test does inside a shard's lock: adds one to the decimal number under a key. */
import { Buffer } from 'node:buffer';
import { entryBytes, valueLength, valueOffset } from '../../src/shard/entry.ts';
import { findEntry, putString } from '../../src/shard/keyspace.ts';
import { NONE } from '../../src/shard/layout.ts';
import type { Shard } from '../../src/shard/shard.ts';

const NOW_MS = 1;

export function readNumber(shard: Shard, key: Buffer): number {
  const ref = findEntry(shard, 0, key, 0, key.length, NOW_MS);
  if (ref === NONE) return 0;
  const at = valueOffset(shard.entries, ref);
  return Number(entryBytes(shard.entries, ref).toString('latin1', at, at + valueLength(shard.entries, ref)));
}

export function addOne(shard: Shard, key: Buffer): void {
  const value = Buffer.from(`${readNumber(shard, key) + 1}`);
  putString(shard, 0, key, 0, key.length, value, 0, value.length, 0, NOW_MS);
}
