/**
 * Who goes under `allkeys-s3fifo`: two queues of entries and a memory of those that left the first.
 *
 * Runs on every thread, under the shard's lock. Source: Yang, Zhang, Qiu, Yue, Vinayak, "FIFO queues are all you need for cache
 * eviction" (SOSP 2023). The queues are the lists of recency.ts, which a use does not move:
 *
 *   new key ──> small (a twentieth of the keys) ──hit──> main ──hit──> main again, a hit less
 *                 └── no hit: gone, but remembered        └── no hit: gone
 *   remembered key that comes back (ghosts.ts) ─────────> main
 *
 * So what is read once, such as a scan, passes through the small queue and leaves the main one alone. Different from the paper:
 * one hit leads to the main queue, not two, and the small queue has 5 %, not 10 %, which hits more often (`npm run bench:policies`);
 * the small queue is counted in keys, not in bytes, and half as many keys are remembered as there are, which costs no hits.
 */
import { FIFO_STEPS_MAX } from '../config/limits.ts';
import { isSmall } from './entry.ts';
import { rememberGhost } from './ghosts.ts';
import { HEAD_ALL, HEAD_SMALL, KEYS_LIVE, NONE, POLICY, SMALL_KEYS } from './layout.ts';
import { ALL_S3FIFO } from './policy.ts';
import { oldestUnprotected } from './protection.ts';
import { enqueueMain, hitsOf, oldestOf } from './recency.ts';
import type { Shard } from './shard.ts';

/** The small queue has one in so many keys. */
const SMALL_PART = 20;

/**
 * The entry that goes next, or NONE. What had hits and is met on the way goes back into the main queue, at most FIFO_STEPS_MAX
 * entries; then the oldest goes although it had hits.
 */
export function nextToLeave(shard: Shard): number {
  const { entries } = shard;
  for (let step = 0; step < FIFO_STEPS_MAX; step += 1) {
    const isFromSmall = isSmallDue(shard);
    const ref = oldestUnprotected(shard, isFromSmall ? HEAD_SMALL : HEAD_ALL);
    if (ref === NONE) break;
    const hits = hitsOf(entries, ref);
    if (hits === 0) return ref;
    enqueueMain(shard, ref, isFromSmall ? 0 : hits - 1);
  }
  const oldest = oldestUnprotected(shard, HEAD_ALL);
  return oldest === NONE ? oldestUnprotected(shard, HEAD_SMALL) : oldest;
}

/** Remembers an entry that is evicted from the small queue, by the hash of its key. */
export function noteLeaving(shard: Shard, ref: number, hash: number): void {
  if (shard.control[POLICY] === ALL_S3FIFO && isSmall(shard.entries, ref)) rememberGhost(shard, hash);
}

/** Whether the small queue has more than its share, as it has while the shard fills for the first time, when all are in it. */
function isSmallDue({ control, entries }: Shard): boolean {
  const share = Math.max(1, Math.floor(control[KEYS_LIVE] / SMALL_PART));
  return control[SMALL_KEYS] > share || oldestOf(entries, HEAD_ALL) === HEAD_ALL;
}
