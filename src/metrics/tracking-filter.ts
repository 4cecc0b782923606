/**
 * Which workers track which keys: a filter in one SharedArrayBuffer, so that a change is told only to those that may care.
 *
 *   ┌─ header ──────────┬─ bucket 0 ───────────┬─ bucket 1 ───────────┬ ...
 *   │ SEED_0 SEED_1 ..  │ a bit for each worker │                      │
 *   └───────────────────┴──────────────────────┴──────────────────────┴ ...
 *
 * The hash of a key names its bucket. A worker sets its bit before it takes the lock of a key's shard to read, and clears it
 * when it tracks no key of the bucket any more; who has changed a key looks after the change. So it sees the bits of all that
 * have read what was there before: either read under the lock of the shard, one before the other. What it sees of
 * others costs a message. Each worker changes its own bits alone; any thread looks.
 */
import { assert } from '../base/assert.ts';
import { TRACKING_BUCKETS } from '../config/limits.ts';
import { hashKey } from '../shard/key-hash.ts';

const WORD_BYTES = Int32Array.BYTES_PER_ELEMENT;
const WORD_SHIFT = 5;
const WORD_BITS = 32;
const BIT_MASK = WORD_BITS - 1;
const HEADER_WORDS = 32;
const SEED_0 = 0;
const SEED_1 = 1;

assert((TRACKING_BUCKETS & (TRACKING_BUCKETS - 1)) === 0, 'a mask makes a bucket of a hash');

export type TrackingFilter = {
  readonly words: Int32Array;
  readonly wordsPerBucket: number;
  /** Where this thread's bit lies in a bucket; main has none. */
  readonly ownWord: number;
  readonly ownBit: number;
  /** How many keys of each bucket this thread tracks; empty until there is one. */
  counts: Uint32Array;
};

/** Nobody tracks anything. The seeds are the process's secret. 4 MiB for each 32 workers, which the kernel gives as they are used. */
export function createTrackingFilterBuffer(workers: number, seed0: number, seed1: number): SharedArrayBuffer {
  const words = HEADER_WORDS + TRACKING_BUCKETS * wordsFor(workers);
  const buffer = new SharedArrayBuffer(words * WORD_BYTES);
  const header = new Int32Array(buffer, 0, HEADER_WORDS);
  header[SEED_0] = seed0;
  header[SEED_1] = seed1;
  return buffer;
}

/** A thread's view; `workerIndex` is -1 for main, which tracks nothing. */
export function openTrackingFilter(
  buffer: SharedArrayBuffer,
  workers: number,
  workerIndex: number,
): TrackingFilter {
  return {
    words: new Int32Array(buffer),
    wordsPerBucket: wordsFor(workers),
    ownWord: workerIndex >> WORD_SHIFT,
    ownBit: workerIndex < 0 ? 0 : 1 << (workerIndex & BIT_MASK),
    counts: new Uint32Array(0),
  };
}

export function bucketOf({ words }: TrackingFilter, key: Uint8Array, start: number, end: number): number {
  return hashKey(key, start, end, words[SEED_0], words[SEED_1]) & (TRACKING_BUCKETS - 1);
}

/** This thread tracks one more key of the bucket. */
export function addTracked(filter: TrackingFilter, bucket: number): void {
  if (filter.counts.length === 0) filter.counts = new Uint32Array(TRACKING_BUCKETS);
  const { counts } = filter;
  counts[bucket] += 1;
  if (counts[bucket] === 1) Atomics.or(filter.words, ownWordOf(filter, bucket), filter.ownBit);
}

/** This thread tracks one key less of the bucket. */
export function dropTracked(filter: TrackingFilter, bucket: number): void {
  const { counts } = filter;
  counts[bucket] -= 1;
  if (counts[bucket] === 0) Atomics.and(filter.words, ownWordOf(filter, bucket), ~filter.ownBit);
}

/** This thread tracks nothing, nor does what one in its place has left count. About half a millisecond. */
export function clearTracked(filter: TrackingFilter): void {
  const { words, ownBit } = filter;
  for (let bucket = 0; bucket < TRACKING_BUCKETS; bucket += 1) {
    const word = ownWordOf(filter, bucket);
    if ((words[word] & ownBit) !== 0) Atomics.and(words, word, ~ownBit);
  }
  filter.counts.fill(0);
}

/** Whether a worker may track keys of the bucket. */
export function mayTrack(filter: TrackingFilter, bucket: number, workerIndex: number): boolean {
  const { words, wordsPerBucket } = filter;
  const word = HEADER_WORDS + bucket * wordsPerBucket + (workerIndex >> WORD_SHIFT);
  return (Atomics.load(words, word) & (1 << (workerIndex & BIT_MASK))) !== 0;
}

function ownWordOf({ wordsPerBucket, ownWord }: TrackingFilter, bucket: number): number {
  return HEADER_WORDS + bucket * wordsPerBucket + ownWord;
}

function wordsFor(workers: number): number {
  return Math.ceil(workers / WORD_BITS);
}
