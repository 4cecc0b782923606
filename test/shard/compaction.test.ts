/** How much of the limit stays usable while the sizes of values change: 64 B, then 1 KiB, then 100 B, with deletes. */
import { Buffer } from 'node:buffer';
import { describe, expect, it } from 'vitest';
import { nextRandom } from '../../src/base/random.ts';
import { usedBytes } from '../../src/shard/eviction.ts';
import { randomEntry } from '../../src/shard/keyspace.ts';
import { KEYS_LIVE, LIMIT_BYTES, NONE } from '../../src/shard/layout.ts';
import { removeEntry } from '../../src/shard/lifecycle.ts';
import { ALL_LRU, NO_EVICTION } from '../../src/shard/policy.ts';
import type { Shard } from '../../src/shard/shard.ts';
import { createTestShard, expectWhole, START_MS, set } from '../support/shard.ts';

const LIMIT = 2 * 2 ** 20;
const EVICTING_SHARE_MIN = 0.85;
const REFUSING_SHARE_MIN = 0.95;
const PHASES = [64, 1024, 100];

/** Bytes that belong to live entries and the index, as a share of the limit. */
function usableShare(shard: Shard): number {
  return usedBytes(shard) / shard.numbers[LIMIT_BYTES];
}

function deleteShare(shard: Shard, share: number): void {
  for (let left = Math.floor(shard.control[KEYS_LIVE] * share); left > 0; left -= 1) {
    const ref = randomEntry(shard, 0, START_MS);
    if (ref !== NONE) removeEntry(shard, ref);
  }
}

/** Writes values of about one size for a while, now and then deletes one; under noeviction until the first refusal. */
function writePhase(shard: Shard, bytes: number, seed: number, writes: number): number {
  let random = seed;
  let refused = 0;
  for (let write = 0; write < writes && refused < 1; write += 1) {
    random = nextRandom(random);
    const value = Buffer.alloc(bytes + ((random >>> 8) % Math.ceil(bytes / 4)), 'v');
    if (!set(shard, `key:${bytes}:${random >>> 0}`, value)) refused += 1;
    if ((random & 7) === 0) {
      const ref = randomEntry(shard, 0, START_MS);
      if (ref !== NONE) removeEntry(shard, ref);
    }
  }
  return refused;
}

describe('compaction', () => {
  it.each([1, 2])('keeps 85 of 100 bytes usable when eviction makes the room, seed %i', (seed) => {
    const shard = createTestShard({ limitBytes: LIMIT, policy: ALL_LRU, seed });
    for (const bytes of PHASES) {
      writePhase(shard, bytes, seed * 7919, Math.ceil((1.3 * LIMIT) / (bytes + 60)));
      expect(usableShare(shard), `${bytes} bytes`).toBeGreaterThanOrEqual(EVICTING_SHARE_MIN);
      deleteShare(shard, 0.3);
      expectWhole(shard);
    }
  });

  it.each([1, 2])('keeps 95 of 100 bytes usable before the first refusal, seed %i', (seed) => {
    const shard = createTestShard({ limitBytes: LIMIT, policy: NO_EVICTION, seed });
    for (const bytes of [...PHASES, 3000, 30]) {
      expect(writePhase(shard, bytes, seed * 7919, 200_000)).toBe(1);
      expect(usableShare(shard), `${bytes} bytes`).toBeGreaterThanOrEqual(REFUSING_SHARE_MIN);
      deleteShare(shard, 0.5);
      expectWhole(shard);
    }
  });
});
