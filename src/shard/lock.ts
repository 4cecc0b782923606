/**
 * The one lock of a shard: a word in shared memory that names its holder.
 *
 * Runs on every thread. 0 is free; else the holder's thread id, with a bit while somebody sleeps on it. A waiter spins
 * briefly (a hold is a fraction of a microsecond), then sleeps in bounded naps: if the holder's thread has died, the
 * supervisor sees its id in the word, checks the shard and frees the lock (recover.ts). Several shards are taken in
 * ascending order; nobody awaits, calls back or enters the kernel while holding one, but for the naps.
 *
 * One hold in HOLD_SAMPLING is timed into a histogram of powers of two (nanoseconds). How long was waited for a
 * lock that was taken is summed up.
 */
import { ShardBusyError } from '../base/errors.ts';
import { LOCK_NAP_MS, LOCK_SPINS_MAX } from '../config/limits.ts';
import {
  HOLD_BUCKET_COUNT,
  HOLD_BUCKETS,
  HOLD_COUNT,
  HOLD_MAX_NS,
  HOLD_SAMPLING,
  HOLD_STARTED_MS,
  HOLD_SUM_NS,
  LOCK,
  LOCK_CONTENTIONS,
  LOCK_WAITED_NS,
} from './layout.ts';
import type { Shard } from './shard.ts';

const SLEEPERS = 1 << 30;
const NS_PER_MS = 1e6;

/**
 * Takes the lock, however long it takes. Uncontended: one compare-exchange. On main, which must live to free a dead holder's,
 * it throws a ShardBusyError after the shard's `lockWaitMs`.
 */
export function acquireShard(shard: Shard): void {
  if (Atomics.compareExchange(shard.control, LOCK, 0, shard.threadId) !== 0) {
    if (!waitForShard(shard, shard.lockWaitMs)) throw new ShardBusyError(shard.index);
  }
  shard.holdCountdown -= 1;
  if (shard.holdCountdown <= 0) beginHoldTiming(shard);
}

/** Takes the lock unless that takes longer than `waitMs`; for the main thread, which must live to free a dead holder's. */
export function tryAcquireShard(shard: Shard, waitMs: number): boolean {
  if (Atomics.compareExchange(shard.control, LOCK, 0, shard.threadId) === 0) return true;
  return waitForShard(shard, waitMs);
}

/** Takes the locks of these shards, which are in ascending order: all of them, or where it throws none. */
export function acquireShards(shards: readonly Shard[]): void {
  let taken = 0;
  try {
    for (; taken < shards.length; taken += 1) acquireShard(shards[taken]);
  } catch (error) {
    while (taken > 0) {
      taken -= 1;
      releaseShard(shards[taken]);
    }
    throw error;
  }
}

/** Gives the lock back, and wakes a sleeper if there is one. */
export function releaseShard(shard: Shard): void {
  if (shard.holdTimed) endHoldTiming(shard);
  if (Atomics.exchange(shard.control, LOCK, 0) >= SLEEPERS) Atomics.notify(shard.control, LOCK, 1);
}

/** The thread that holds the lock at this moment, or 0. */
export function holderOf(shard: Shard): number {
  return Atomics.load(shard.control, LOCK) & ~SLEEPERS;
}

/** Hands a lock over to the calling thread from a holder that is known to be dead; false when that one did not hold it. */
export function seizeShard(shard: Shard, deadThreadId: number): boolean {
  const { control, threadId } = shard;
  for (let word = Atomics.load(control, LOCK); (word & ~SLEEPERS) === deadThreadId; ) {
    const found = Atomics.compareExchange(control, LOCK, word, threadId | SLEEPERS);
    if (found === word) return true;
    // A waiter has set its bit in between: the dead one still holds it, and nobody else would free it.
    word = found;
  }
  return false;
}

function waitForShard(shard: Shard, waitMs: number): boolean {
  const { control, threadId } = shard;
  const startedMs = shard.clock.monotonicMs();
  for (let spin = 0; spin < LOCK_SPINS_MAX; spin += 1) {
    pause();
    if (Atomics.load(control, LOCK) === 0 && Atomics.compareExchange(control, LOCK, 0, threadId) === 0) {
      noteWait(shard, startedMs);
      return true;
    }
  }
  if (shard.delays.sinceMs === 0) shard.delays.sinceMs = startedMs;
  let leftMs = waitMs;
  while (leftMs > 0) {
    const word = Atomics.load(control, LOCK);
    if (word === 0) {
      // Others may sleep too: whoever wakes takes the lock with the bit set, so that its release wakes the next.
      if (Atomics.compareExchange(control, LOCK, 0, threadId | SLEEPERS) === 0) {
        noteWait(shard, startedMs);
        return true;
      }
      continue;
    }
    if (word >= SLEEPERS || Atomics.compareExchange(control, LOCK, word, word | SLEEPERS) === word) {
      const nap = Math.min(LOCK_NAP_MS, leftMs);
      if (Atomics.wait(control, LOCK, word | SLEEPERS, nap) === 'timed-out') leftMs -= nap;
      else leftMs = Math.min(leftMs, startedMs + waitMs - shard.clock.monotonicMs());
    }
  }
  return false;
}

/** The waiter has the lock now, so that it alone writes. */
function noteWait({ numbers, clock }: Shard, startedMs: number): void {
  numbers[LOCK_CONTENTIONS] += 1;
  numbers[LOCK_WAITED_NS] += Math.max(0, clock.monotonicMs() - startedMs) * NS_PER_MS;
}

const pause: () => void = (Atomics as unknown as { pause?: () => void }).pause ?? (() => undefined);

function beginHoldTiming(shard: Shard): void {
  shard.holdCountdown = shard.control[HOLD_SAMPLING];
  shard.holdTimed = true;
  shard.numbers[HOLD_STARTED_MS] = shard.clock.monotonicMs();
}

function endHoldTiming(shard: Shard): void {
  const { numbers } = shard;
  shard.holdTimed = false;
  const heldNs = Math.max(0, (shard.clock.monotonicMs() - numbers[HOLD_STARTED_MS]) * NS_PER_MS);
  const bucket = Math.min(HOLD_BUCKET_COUNT - 1, heldNs < 1 ? 0 : Math.ceil(Math.log2(heldNs)));
  numbers[HOLD_BUCKETS + bucket] += 1;
  numbers[HOLD_COUNT] += 1;
  numbers[HOLD_SUM_NS] += heldNs;
  if (heldNs > numbers[HOLD_MAX_NS]) numbers[HOLD_MAX_NS] = heldNs;
}
