/**
 * Puts all entries of a shard into their recency lists in the order of their clocks, as after a load, which brings entries in
 * any order.
 *
 * Runs on a thread that has the shard to itself for the while, under the shard's lock. A radix sort (least significant
 * digit first) whose buckets are chains through the entries' own links: no memory but the buckets' ends. O(entries): the
 * first digit is read in the order of the memory, some 15 ns each; a second, which ages apart by more than 12 days need (an
 * hour in a small shard), follows the chains at a cache miss each.
 */
import { isPage } from '../collections/page.ts';
import { firstBlock, isFreeBlock, lastBlock, nextBlock } from './arena.ts';
import { clockOf, writeSmall } from './entry.ts';
import {
  HEAD_ALL,
  HEAD_SMALL,
  HEAD_VOLATILE,
  KEYS_LIVE,
  MIGRATION_CURSOR,
  NONE,
  POLICY,
  SMALL_KEYS,
} from './layout.ts';
import { isLfu, isVolatile } from './policy.ts';
import { clockAge, clockTime, connect, headFor, newerThan } from './recency.ts';
import type { Shard } from './shard.ts';

/** Oldest first: entries are sorted by this less their age. */
const AGE_MAX = 0xffffff;

/** Bits of a digit, and the number of entries from which the wider one is worth its memory (8 MiB a list). */
const DIGIT_BITS = 12;
const WIDE_DIGIT_BITS = 20;
const WIDE_ENTRIES_MIN = 2 ** 16;

/** The chains of one pass over one list: each bucket's oldest and newest entry, NONE where it is empty. */
type Chains = { readonly head: number; readonly oldest: Int32Array; readonly newest: Int32Array };

/**
 * Makes the lists anew from the entries in the arena: oldest use first; of one second, in the order of the memory. S3-FIFO has all
 * of them in its main queue.
 */
export function orderByClock(shard: Shard, nowMs: number): void {
  const { control, entries } = shard;
  const isUses = isLfu(control[POLICY]);
  const isSplit = isVolatile(control[POLICY]);
  const time = clockTime(isUses, nowMs);
  const bits = control[KEYS_LIVE] < WIDE_ENTRIES_MIN ? DIGIT_BITS : WIDE_DIGIT_BITS;
  const mask = (1 << bits) - 1;
  const all = createChains(HEAD_ALL, bits);
  const volatile = isSplit ? createChains(HEAD_VOLATILE, bits) : createChains(HEAD_VOLATILE, 0);
  let youngest = AGE_MAX;
  let eldest = 0;
  for (let ref = firstBlock(); ref < lastBlock(entries); ref = nextBlock(entries, ref)) {
    if (isFreeBlock(entries, ref) || isPage(entries, ref)) continue;
    writeSmall(entries, ref, false);
    const age = clockAge(clockOf(entries, ref), time, isUses);
    if (age < youngest) youngest = age;
    if (age > eldest) eldest = age;
    const isAll = !isSplit || headFor(shard, ref) === HEAD_ALL;
    append(entries.words, isAll ? all : volatile, (AGE_MAX - age) & mask, ref);
  }
  for (const chains of [all, volatile]) {
    concatenate(entries.words, chains);
    for (let shift = bits; (AGE_MAX - youngest) >>> shift !== (AGE_MAX - eldest) >>> shift; shift += bits)
      sortByDigit(shard, chains.head, shift, bits, time, isUses);
  }
  connect(entries.words, HEAD_SMALL, HEAD_SMALL);
  control[SMALL_KEYS] = 0;
  control[MIGRATION_CURSOR] = NONE;
}

function sortByDigit(
  shard: Shard,
  head: number,
  shift: number,
  bits: number,
  time: number,
  isUses: boolean,
): void {
  const { entries } = shard;
  const chains = createChains(head, bits);
  const mask = (1 << bits) - 1;
  for (let ref = newerThan(entries, head); ref !== head; ) {
    const next = newerThan(entries, ref);
    const age = clockAge(clockOf(entries, ref), time, isUses);
    append(entries.words, chains, ((AGE_MAX - age) >>> shift) & mask, ref);
    ref = next;
  }
  concatenate(entries.words, chains);
}

function createChains(head: number, bits: number): Chains {
  return { head, oldest: new Int32Array(1 << bits), newest: new Int32Array(1 << bits) };
}

function append(words: Int32Array, chains: Chains, bucket: number, ref: number): void {
  const newest = chains.newest[bucket];
  if (newest === NONE) chains.oldest[bucket] = ref;
  else connect(words, newest, ref);
  chains.newest[bucket] = ref;
}

/** One list of all chains, in the order of the buckets. */
function concatenate(words: Int32Array, chains: Chains): void {
  const { head, oldest, newest } = chains;
  let last = head;
  for (let bucket = 0; bucket < oldest.length; bucket += 1) {
    if (oldest[bucket] === NONE) continue;
    connect(words, last, oldest[bucket]);
    last = newest[bucket];
  }
  connect(words, last, head);
}
