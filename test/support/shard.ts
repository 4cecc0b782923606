/** Shards for tests: one thread's view of a fresh shard, and keys and values written as text. */
import { Buffer } from 'node:buffer';
import { expect } from 'vitest';
import { checkShard } from '../../src/shard/check.ts';
import { entryBytes, keyLength, keyOffset, valueLength, valueOffset } from '../../src/shard/entry.ts';
import { findEntry, putString } from '../../src/shard/keyspace.ts';
import { NONE } from '../../src/shard/layout.ts';
import { ALL_LRU } from '../../src/shard/policy.ts';
import { touchEntry } from '../../src/shard/recency.ts';
import {
  createShardBuffers,
  formatShard,
  openShard,
  type Shard,
  type ShardOptions,
} from '../../src/shard/shard.ts';

/** A moment that is no round number in any unit. */
export const START_MS = 1_700_000_000_123;

/** A clock that stands still unless moved. */
export const stillClock = { wallMs: () => START_MS, monotonicMs: () => 0 };

export function createTestShard(options: Partial<ShardOptions> = {}): Shard {
  const buffers = createShardBuffers({
    capacityBytes: options.limitBytes ?? 4 * 2 ** 20,
    limitBytes: 4 * 2 ** 20,
    keysMax: 0,
    policy: ALL_LRU,
    databases: 16,
    lfuLogFactor: 10,
    lfuDecayMinutes: 1,
    holdSampling: 64,
    hashKey: [0x0c5e_11a7, 0x51de_ca7e],
    seed: 20_260_101,
    nowMs: START_MS,
    countsSlots: true,
    ...options,
  });
  const shard = openShard(buffers, 0, 1, stillClock);
  formatShard(shard, START_MS);
  return shard;
}

/** SET as commands do it; whether there was room. */
export function set(
  shard: Shard,
  key: string,
  value: string | Buffer,
  { database = 0, expiresAtMs = 0, nowMs = START_MS } = {},
): boolean {
  const keyBytes = Buffer.from(key);
  const bytes = typeof value === 'string' ? Buffer.from(value) : value;
  return (
    putString(shard, database, keyBytes, 0, keyBytes.length, bytes, 0, bytes.length, expiresAtMs, nowMs) !==
    NONE
  );
}

export function find(shard: Shard, key: string, { database = 0, nowMs = START_MS } = {}): number {
  const bytes = Buffer.from(key);
  return findEntry(shard, database, bytes, 0, bytes.length, nowMs);
}

/** GET as commands do it: a hit counts as a use. */
export function get(shard: Shard, key: string, { database = 0, nowMs = START_MS } = {}): string | undefined {
  const ref = find(shard, key, { database, nowMs });
  if (ref === NONE) return undefined;
  touchEntry(shard, ref, nowMs);
  return valueText(shard, ref);
}

export function valueText(shard: Shard, ref: number): string {
  const at = valueOffset(shard.entries, ref);
  return entryBytes(shard.entries, ref).toString('utf8', at, at + valueLength(shard.entries, ref));
}

export function keyText(shard: Shard, ref: number): string {
  const at = keyOffset(shard.entries, ref);
  return entryBytes(shard.entries, ref).toString('utf8', at, at + keyLength(shard.entries, ref));
}

export function expectWhole(shard: Shard): void {
  expect(checkShard(shard)).toBeUndefined();
}
