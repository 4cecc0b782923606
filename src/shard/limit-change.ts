/**
 * A change of a shard's limits at run time: raised at once, lowered a slice of evictions at a time.
 *
 * Runs on the shard's owner, under the lock. If a limit fell at once, the next write would have to evict all that is
 * over it in one hold. So it follows what is in use down, slice by slice, and writes in between evict only their own room.
 */
import { evictOne, usedBytes } from './eviction.ts';
import { KEYS_LIVE, KEYS_MAX, LIMIT_BYTES } from './layout.ts';
import type { Shard } from './shard.ts';

/** Evicts at most `entriesMax` entries towards the new limits (`keysMax` 0: none); true when that did not suffice. */
export function approachLimits(
  shard: Shard,
  limitBytes: number,
  keysMax: number,
  nowMs: number,
  entriesMax: number,
): boolean {
  const { control, numbers } = shard;
  let left = entriesMax;
  while (left > 0 && isOver(shard, limitBytes, keysMax) && evictOne(shard, nowMs)) left -= 1;
  // With evictions to spare, what is still over cannot be evicted: the limit holds, and writes are refused.
  const more = left === 0 && isOver(shard, limitBytes, keysMax);
  numbers[LIMIT_BYTES] = more ? Math.max(limitBytes, usedBytes(shard)) : limitBytes;
  control[KEYS_MAX] = more && keysMax !== 0 ? Math.max(keysMax, control[KEYS_LIVE]) : keysMax;
  return more;
}

function isOver(shard: Shard, limitBytes: number, keysMax: number): boolean {
  return usedBytes(shard) > limitBytes || (keysMax !== 0 && shard.control[KEYS_LIVE] > keysMax);
}
