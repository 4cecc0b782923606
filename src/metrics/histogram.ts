/**
 * A log-linear histogram of durations in nanoseconds (or of any other integers), over one row of float64 words in private
 * or shared memory. One writer at a time (a thread's own, or the holder of a shard's lock); any thread reads.
 *
 * Every power of two is cut into 16 equal buckets, after HdrHistogram (Tene): values below 32 have a bucket of their own, and
 * above that a bucket is at most 1/16 as wide as its lowest value.
 *
 *   0     1     2          18         34                    626         642
 *  ┌─────┬─────┬──────────┬──────────┬──────────┬ ... ┬────────────────┬──────────┐
 *  │ SUM │ MAX │ 0 .. 15  │ 16 .. 31 │ 32 .. 63 │     │ 2^42 .. 2^43-1 │ OVERFLOW │
 *  └─────┴─────┴──────────┴──────────┴──────────┴ ... ┴────────────────┴──────────┘
 *
 * A quantile is told as the middle of its bucket, so it is off by at most 1/32 (3.2 %) of the true value, and exact below
 * 32; SUM and MAX are exact, fractions included. Values from 2^43 ns (2.4 hours) on share the last bucket, and quantiles
 * that fall there are told as MAX. The count is the sum of the buckets, so that a reader on another thread never sees
 * the two disagree.
 */
import { assert } from '../base/assert.ts';

const SUM = 0;
const MAX = 1;
const BUCKETS = 2;

/** Each power of two has 2^4 buckets. */
const SUB_BUCKET_BITS = 4;
const SUB_BUCKETS = 1 << SUB_BUCKET_BITS;
const VALUE_BITS = 43;
const VALUE_END = 2 ** VALUE_BITS;
/** The bucket of all that is larger comes last. */
const OVERFLOW_BUCKET = (VALUE_BITS - SUB_BUCKET_BITS + 1) * SUB_BUCKETS;
const BUCKET_COUNT = OVERFLOW_BUCKET + 1;

/** Values from 2^31 on do not fit a bit operation: without their 12 lowest bits they do, 12 powers of two further down. */
const WIDE_VALUE = 2 ** 31;
const NARROWING_BITS = 12;

/** How many float64 words a histogram takes: 5 KiB. */
export const HISTOGRAM_WORDS = BUCKETS + BUCKET_COUNT;

/**
 * What a histogram held: values in its own unit; `below[i]` tells how many values were under the bound, for bounds that
 * are powers of two, so the counts are exact.
 */
export type HistogramReading = {
  count: number;
  sum: number;
  max: number;
  p50: number;
  p99: number;
  p999: number;
  below: { bound: number; count: number }[];
};

/** The bounds of a reading are every second power of two from here to there: for nanoseconds 64 ns to 4.3 s. */
const BOUND_BITS_MIN = 6;
const BOUND_BITS_MAX = 32;
const BOUND_BITS_STEP = 2;

assert(
  VALUE_BITS - NARROWING_BITS <= 31,
  'every value below the end fits a bit operation once it is narrowed',
);
assert(2 ** (31 - NARROWING_BITS) >= SUB_BUCKETS, 'narrowing keeps the bits that choose the bucket');
assert(BOUND_BITS_MIN >= SUB_BUCKET_BITS && BOUND_BITS_MAX <= VALUE_BITS, 'bounds lie between buckets');

/** An empty histogram in private memory. Zero-filled shared words are one too. */
export function createHistogram(): Float64Array {
  return new Float64Array(HISTOGRAM_WORDS);
}

/** Counts one value. A fraction falls in the bucket of its integer; a negative value (a clock that stepped back) or NaN counts as 0. About 6 ns. */
export function recordValue(histogram: Float64Array, value: number): void {
  const counted = value > 0 ? value : 0;
  histogram[BUCKETS + bucketOf(counted)]++;
  histogram[SUM] += counted;
  if (counted > histogram[MAX]) histogram[MAX] = counted;
}

/** Counts the same value `times` times, in the histogram that begins at the word `offset` of `words`. */
export function recordTimes(words: Float64Array, offset: number, value: number, times: number): void {
  const counted = value > 0 ? value : 0;
  words[offset + BUCKETS + bucketOf(counted)] += times;
  words[offset + SUM] += counted * times;
  if (counted > words[offset + MAX]) words[offset + MAX] = counted;
}

/**
 * The value that a share `quantile` (0 to 1) of the recorded ones do not exceed, within 1/32; 0 when there are none.
 * 1 gives the exact maximum. Cost: two passes over the buckets, a few microseconds.
 */
export function quantileOf(histogram: Float64Array, quantile: number): number {
  const rank = Math.max(1, Math.ceil(quantile * countBelow(histogram, BUCKET_COUNT)));
  let seen = 0;
  let bucket = -1;
  while (seen < rank && bucket < OVERFLOW_BUCKET) seen += histogram[BUCKETS + ++bucket];
  if (quantile >= 1 || bucket === OVERFLOW_BUCKET) return histogram[MAX];
  return Math.min(middleOfBucket(bucket), histogram[MAX]);
}

/** How many of the recorded values are below 2^`bits` (4 to 43): exact. */
export function countBelowPower(histogram: Float64Array, bits: number): number {
  return countBelow(histogram, firstBucketOfPower(bits));
}

/** How many values were recorded. */
export function recordedCount(histogram: Float64Array): number {
  return countBelow(histogram, BUCKET_COUNT);
}

/** Adds what `source` holds to `target`. */
export function mergeHistogram(target: Float64Array, source: Float64Array): void {
  const max = Math.max(target[MAX], source[MAX]);
  for (let word = 0; word < HISTOGRAM_WORDS; word++) target[word] += source[word];
  target[MAX] = max;
}

/**
 * Adds to `target` what was recorded in `source` since `seen` was last made like it, and makes it so again: quantiles of a
 * stretch of time, from a histogram that only grows. Where `source` was emptied meanwhile, what it holds is new. The maximum
 * of the stretch is exact where it is the greatest ever, else the upper end of its bucket. About a microsecond, and nothing
 * where nothing was recorded: whatever is adds to the sum or to the first bucket.
 */
export function drainHistogram(target: Float64Array, source: Float64Array, seen: Float64Array): void {
  if (source[SUM] === seen[SUM] && source[BUCKETS] === seen[BUCKETS]) return;
  const maxBefore = seen[MAX];
  let highest = -1;
  for (let word = BUCKETS; word < HISTOGRAM_WORDS; word++) {
    const count = source[word];
    const before = seen[word];
    if (count === before) continue;
    target[word] += count > before ? count - before : count;
    if (count > 0) highest = word - BUCKETS;
    seen[word] = count;
  }
  const sum = source[SUM];
  target[SUM] += sum >= seen[SUM] ? sum - seen[SUM] : sum;
  seen[SUM] = sum;
  seen[MAX] = source[MAX];
  if (highest < 0) return;
  const isRecord = seen[MAX] !== maxBefore || highest === OVERFLOW_BUCKET;
  const max = isRecord ? seen[MAX] : Math.min(seen[MAX], lastOfBucket(highest));
  target[MAX] = Math.max(target[MAX], max);
}

/**
 * A plain record of a histogram, from one copy of it, so that its numbers agree though the writer goes on. A few microseconds:
 * the copy is turned into running totals once, because a reading of the server reads hundreds of histograms.
 */
export function readHistogram(histogram: Float64Array): HistogramReading {
  const totals = histogram.slice();
  for (let word = BUCKETS + 1; word < HISTOGRAM_WORDS; word++) totals[word] += totals[word - 1];
  const count = totals[HISTOGRAM_WORDS - 1];
  const below = [];
  for (let bits = BOUND_BITS_MIN; bits <= BOUND_BITS_MAX; bits += BOUND_BITS_STEP) {
    below.push({ bound: 2 ** bits, count: totals[BUCKETS + firstBucketOfPower(bits) - 1] });
  }
  return {
    count,
    sum: totals[SUM],
    max: totals[MAX],
    p50: quantileOfTotals(totals, 0.5),
    p99: quantileOfTotals(totals, 0.99),
    p999: quantileOfTotals(totals, 0.999),
    below,
  };
}

/** As `quantileOf`, of a histogram whose buckets hold the counts of all buckets up to them. */
function quantileOfTotals(totals: Float64Array, quantile: number): number {
  const count = totals[HISTOGRAM_WORDS - 1];
  if (count === 0) return totals[MAX];
  const rank = Math.ceil(quantile * count);
  let bucket = 0;
  while (totals[BUCKETS + bucket] < rank) bucket++;
  return bucket === OVERFLOW_BUCKET ? totals[MAX] : Math.min(middleOfBucket(bucket), totals[MAX]);
}

function bucketOf(value: number): number {
  if (value < WIDE_VALUE) return bucketOfNarrow(value | 0);
  if (value >= VALUE_END) return OVERFLOW_BUCKET;
  return bucketOfNarrow((value / 2 ** NARROWING_BITS) | 0) + NARROWING_BITS * SUB_BUCKETS;
}

function bucketOfNarrow(value: number): number {
  if (value < SUB_BUCKETS) return value;
  const power = 31 - Math.clz32(value);
  const subBucket = (value >>> (power - SUB_BUCKET_BITS)) & (SUB_BUCKETS - 1);
  return firstBucketOfPower(power) + subBucket;
}

/** The bucket that begins at 2^power. */
function firstBucketOfPower(power: number): number {
  return (power - SUB_BUCKET_BITS + 1) * SUB_BUCKETS;
}

/** Halfway between the lowest and the highest integer of a bucket, so that neither is further away than 1/32 of itself. */
function middleOfBucket(bucket: number): number {
  if (bucket < SUB_BUCKETS) return bucket;
  const width = 2 ** (Math.floor(bucket / SUB_BUCKETS) - 1);
  const lowest = (SUB_BUCKETS + (bucket % SUB_BUCKETS)) * width;
  return lowest + (width - 1) / 2;
}

/** The largest integer that a bucket takes. */
function lastOfBucket(bucket: number): number {
  if (bucket < SUB_BUCKETS) return bucket;
  const width = 2 ** (Math.floor(bucket / SUB_BUCKETS) - 1);
  return (SUB_BUCKETS + (bucket % SUB_BUCKETS) + 1) * width - 1;
}

function countBelow(histogram: Float64Array, bucketEnd: number): number {
  let count = 0;
  for (let bucket = 0; bucket < bucketEnd; bucket++) count += histogram[BUCKETS + bucket];
  return count;
}
