/**
 * The online miss-ratio curve: which share of the reads would miss with another amount of memory, if the least recently used
 * keys go first. Pure, with bounded memory; lives on the main thread, which feeds it what all threads have sampled.
 *
 * After SHARDS (Waldspurger, Park, Garthwaite, Ahmad, "Efficient MRC Construction with SHARDS", FAST 2015). A key is sampled
 * when its place in a fixed order of all possible keys, its `point`, lies below a threshold: all of its uses or none. The
 * bytes of the sampled keys that were used between two uses of one, divided by the rate, estimate its reuse distance, and a
 * read hits in every cache larger than that. From the paper come also
 * - SHARDS_max: at most so many keys are tracked; when there are more the threshold falls, and those beyond it leave;
 * - SHARDS-adj: reads are counted exactly, and those that sampling has missed (or has too many of) count as reads of the
 *   hottest keys, which are what a sample has too few or too many of.
 *
 * Different from the paper: each sampled read counts as 1 / rate at its time, so that a change of the rate needs no rescaling;
 * counts halve in MISS_RATIO_HALF_LIFE_MS, so that the curve follows the workload; keys beyond the largest size that is
 * asked about leave; sizes are bytes as shards charge them; deletes and deadlines take keys out of every cache.
 * Only reads are references. Writes put a key on top, as they do in the cache: the write that fills after a miss costs nothing.
 * A read that hits a key of which nothing is known (sampling began later) tells nothing, and is left out.
 *
 * How far it is off depends on how many keys are sampled (`npm run bench:mrc`): with five thousand at most 0.02 in hit ratio at
 * any size from an eighth to three times the memory, with two thousand 0.03, with five hundred 0.05.
 */
import { assert } from '../base/assert.ts';
import { MISS_RATIO_HALF_LIFE_MS, MISS_RATIO_POINTS_MAX, MISS_RATIO_REACH } from '../config/limits.ts';
import {
  addKey,
  bytesAbove,
  clearKeyStack,
  createKeyStack,
  dropKey,
  findKey,
  isTracked,
  type KeyStack,
  NO_KEY,
  oldestKey,
  useKey,
} from './key-stack.ts';

/** Points are 0 .. POINTS - 1; a threshold of POINTS samples every key. */
export const POINTS = 2 ** 30;

/** What an access was to the hit ratio: nothing (a write), a read that found the key, or one that did not. */
export const NO_REFERENCE = 0;
export const READ_HIT = 1;
export const READ_MISS = 2;

/** One sampled access, after the command. One record is used for all of them. */
export type Access = {
  /** 64 bits of hash over database and key. */
  low: number;
  high: number;
  point: number;
  database: number;
  reference: number;
  /** What the shard charges for the entry, its share of the index aside; 0 when there is no entry any more. */
  bytes: number;
  /** When the entry expires, ms since the epoch; 0 for never. */
  deadlineMs: number;
  atMs: number;
};

export type MissRatio = {
  readonly stack: KeyStack;
  /** By key. */
  readonly points: Int32Array;
  readonly deadlinesMs: Float64Array;
  readonly databases: Uint8Array;
  /** By database: not 0 where a key of it may be tracked. */
  readonly mayHold: Uint8Array;
  /** Reads that hit by reuse distance, estimated: BUCKETS_PER_OCTAVE buckets for each power of two of bytes. */
  readonly hitsAt: Float64Array;
  /** The same for those that missed; the last bucket has those that miss whatever the size: of keys that were never there, were deleted, or whose time had passed. */
  readonly missesAt: Float64Array;
  /** Reads that hit, of keys of which nothing was known. */
  unknownReads: number;
  /** Reads that were sampled. */
  sampledReads: number;
  /** All reads, exactly. */
  hits: number;
  misses: number;
  /** Keys whose points are below it are sampled. */
  threshold: number;
  limitBytes: number;
  /** What the index takes for each key. */
  overheadBytes: number;
  decayedAtMs: number;
  sweepHand: number;
};

/** What a cache of so many bytes would do; the ratios are null while there is no evidence. */
export type SizePrediction = {
  bytes: number;
  hitRatio: number | null;
  missRatio: number | null;
};

type CurvePoint = { bytes: number; keys: number; missRatio: number };

/**
 * `rate` is the share of keys that are sampled; `references` are recent reads, old ones having faded, of which
 * `sampledReferences` were sampled; `hitRatio` was measured. The curve ascends in bytes, at most MISS_RATIO_POINTS_MAX points
 * and none without reads; `keys` is how many of the mean size fit.
 */
export type MissRatioReading = {
  sampledKeys: number;
  rate: number;
  references: number;
  sampledReferences: number;
  hitRatio: number | null;
  curve: CurvePoint[];
  half: SizePrediction;
  now: SizePrediction;
  double: SizePrediction;
};

/** Buckets are 2.2 % wide. Shorter distances than the first share it, longer ones than the last too. */
const BUCKETS_PER_OCTAVE = 32;
const OCTAVE_FIRST = 4;
const OCTAVE_END = 48;
const BUCKETS = (OCTAVE_END - OCTAVE_FIRST) * BUCKETS_PER_OCTAVE;

/** Counts fade in steps. */
const DECAY_STEP_MS = MISS_RATIO_HALF_LIFE_MS / 32;

/** Numbers of databases fit a byte. */
const DATABASES_END = 256;

/** When there are too many keys, this share of them stays. */
const SHARE_KEPT = 7 / 8;

/** Keys that one look for expired ones takes in. */
const SWEEP_KEYS = 1024;

/** The curve begins where the tracked keys' bytes have shrunk by so much, or the limit has, and not below this. */
const CURVE_SHRINK = 64;
const CURVE_BYTES_MIN = 4096;

assert(DECAY_STEP_MS >= 1000, 'fading costs nothing worth a thought');
assert(MISS_RATIO_REACH > 2, 'the curve tells of double the memory');

/** A blank one, to be filled. */
export function createAccess(): Access {
  return {
    low: 0,
    high: 0,
    point: 0,
    database: 0,
    reference: NO_REFERENCE,
    bytes: 0,
    deadlineMs: 0,
    atMs: 0,
  };
}

/** Nothing known yet. `keysMax` is a power of two. */
export function createMissRatio(keysMax: number, limitBytes: number, nowMs: number): MissRatio {
  return {
    stack: createKeyStack(keysMax),
    points: new Int32Array(keysMax),
    deadlinesMs: new Float64Array(keysMax),
    databases: new Uint8Array(keysMax),
    mayHold: new Uint8Array(DATABASES_END),
    hitsAt: new Float64Array(BUCKETS + 1),
    missesAt: new Float64Array(BUCKETS + 1),
    unknownReads: 0,
    sampledReads: 0,
    hits: 0,
    misses: 0,
    threshold: POINTS,
    limitBytes,
    overheadBytes: 0,
    decayedAtMs: nowMs,
    sweepHand: 0,
  };
}

/** Takes in one sampled access. The accesses of a key must come in their order. O(log keys): some 300 ns. */
export function noteAccess(ratio: MissRatio, access: Access): void {
  if (access.point >= ratio.threshold) return;
  const { stack } = ratio;
  const key = findKey(stack, access.low, access.high);
  const isKnown = key !== NO_KEY && !isPast(ratio.deadlinesMs[key], access.atMs);
  if (access.reference !== NO_REFERENCE) noteRead(ratio, isKnown ? key : NO_KEY, access.reference);
  // What was evicted here would still be there in a larger cache.
  const stays = access.bytes > 0 || (isKnown && access.reference === READ_MISS);
  if (stays) track(ratio, key, access);
  else if (key !== NO_KEY) dropKey(stack, key);
}

/** Takes in how many reads there were in all since the last call, sampled or not. */
export function noteReads(ratio: MissRatio, hits: number, misses: number): void {
  ratio.hits += hits;
  ratio.misses += misses;
}

/** Forgets the keys of a database, which was emptied. O(keys), and nothing where none has come since the last time. */
export function forgetKeys({ stack, databases, mayHold }: MissRatio, database: number): void {
  if (mayHold[database] === 0) return;
  mayHold[database] = 0;
  removeWhere(stack, (key) => databases[key] === database);
}

/** Forgets keys and reads. */
export function resetMissRatio(ratio: MissRatio): void {
  clearKeyStack(ratio.stack);
  fade(ratio, 0);
}

/** Samples fewer keys or more. Those that are not sampled any more leave. O(keys) when it falls. */
export function changeThreshold(ratio: MissRatio, threshold: number): void {
  const { stack, points } = ratio;
  const falls = threshold < ratio.threshold;
  ratio.threshold = threshold;
  if (falls) removeWhere(stack, (key) => points[key] >= threshold);
}

/** Lets old counts fade and expired keys leave. To be called several times a second: some microseconds. */
export function tendMissRatio(ratio: MissRatio, nowMs: number): void {
  const steps = Math.floor((nowMs - ratio.decayedAtMs) / DECAY_STEP_MS);
  if (steps > 0) fade(ratio, 2 ** ((-steps * DECAY_STEP_MS) / MISS_RATIO_HALF_LIFE_MS));
  // A clock that was set back begins anew.
  if (steps !== 0) ratio.decayedAtMs = steps > 0 ? ratio.decayedAtMs + steps * DECAY_STEP_MS : nowMs;
  sweepExpired(ratio, nowMs);
}

/** Some ten microseconds. */
export function readMissRatio(ratio: MissRatio): MissRatioReading {
  const { stack, threshold, limitBytes, hits, misses } = ratio;
  const references = hits + misses;
  const missing = sumFromEnd(ratio);
  const predict = (bytes: number): SizePrediction => {
    const missRatio = missRatioAt(ratio, missing, bytes);
    return { bytes, missRatio, hitRatio: missRatio === null ? null : 1 - missRatio };
  };
  return {
    sampledKeys: stack.count,
    rate: threshold / POINTS,
    references: Math.round(references),
    sampledReferences: Math.round(ratio.sampledReads),
    hitRatio: references > 0 ? hits / references : null,
    curve: readCurve(ratio, missing),
    half: predict(Math.floor(limitBytes / 2)),
    now: predict(limitBytes),
    double: predict(limitBytes * 2),
  };
}

function noteRead(ratio: MissRatio, key: number, reference: number): void {
  const weight = POINTS / ratio.threshold;
  ratio.sampledReads += 1;
  if (key !== NO_KEY) {
    const { stack } = ratio;
    // The key's own bytes must fit too, and these are known.
    const distance = bytesAbove(stack, key) * weight + stack.bytes[key];
    const reads = reference === READ_MISS ? ratio.missesAt : ratio.hitsAt;
    reads[Math.floor(bucketOf(distance))] += weight;
  } else if (reference === READ_MISS) {
    ratio.missesAt[BUCKETS] += weight;
  } else {
    ratio.unknownReads += weight;
  }
}

/** Puts the key on top of the stack. `key` is NO_KEY for a new one. */
function track(ratio: MissRatio, known: number, access: Access): void {
  const { stack } = ratio;
  let key = known;
  const bytes = access.bytes > 0 ? access.bytes + ratio.overheadBytes : stack.bytes[key];
  if (key !== NO_KEY) {
    useKey(stack, key, bytes);
  } else {
    if (stack.count === stack.capacity) lowerThreshold(ratio);
    if (access.point >= ratio.threshold) return;
    key = addKey(stack, access.low, access.high, bytes);
    ratio.points[key] = access.point;
    ratio.databases[key] = access.database;
    ratio.mayHold[access.database] = 1;
  }
  if (access.bytes > 0) ratio.deadlinesMs[key] = access.deadlineMs;
  trimTail(ratio);
}

function lowerThreshold(ratio: MissRatio): void {
  const { stack } = ratio;
  const keysMax = stack.capacity * SHARE_KEPT;
  let threshold = ratio.threshold;
  while (stack.count > keysMax && threshold > 1) {
    threshold = Math.floor(threshold * SHARE_KEPT);
    changeThreshold(ratio, threshold);
  }
}

/** Who was not used for so long that no size that is asked about would still hold it. */
function trimTail(ratio: MissRatio): void {
  const { stack } = ratio;
  const bytesMax = (ratio.limitBytes * MISS_RATIO_REACH * ratio.threshold) / POINTS;
  while (stack.totalBytes > bytesMax && stack.count > 0) dropKey(stack, oldestKey(stack));
}

function removeWhere(stack: KeyStack, isGone: (key: number) => boolean): void {
  for (let key = 0; key < stack.capacity; key += 1) {
    if (isTracked(stack, key) && isGone(key)) dropKey(stack, key);
  }
}

function sweepExpired(ratio: MissRatio, nowMs: number): void {
  const { stack, deadlinesMs } = ratio;
  for (let swept = 0; swept < SWEEP_KEYS; swept += 1) {
    const key = ratio.sweepHand;
    ratio.sweepHand = (key + 1) & (stack.capacity - 1);
    if (isTracked(stack, key) && isPast(deadlinesMs[key], nowMs)) dropKey(stack, key);
  }
}

function isPast(deadlineMs: number, nowMs: number): boolean {
  return deadlineMs !== 0 && deadlineMs < nowMs;
}

function fade(ratio: MissRatio, factor: number): void {
  const { hitsAt, missesAt } = ratio;
  for (let bucket = 0; bucket <= BUCKETS; bucket += 1) {
    hitsAt[bucket] *= factor;
    missesAt[bucket] *= factor;
  }
  ratio.unknownReads *= factor;
  ratio.sampledReads *= factor;
  ratio.hits *= factor;
  ratio.misses *= factor;
}

/** Where a distance lies on the row of buckets; the fraction tells how far into its bucket. */
function bucketOf(bytes: number): number {
  const bucket = (Math.log2(Math.max(1, bytes)) - OCTAVE_FIRST) * BUCKETS_PER_OCTAVE;
  return Math.min(Math.max(bucket, 0), BUCKETS - 1);
}

/**
 * By bucket, the reads that miss in a cache where it begins. How many reads missed in this cache is known exactly, so that
 * sampling only tells how far away they were; of those that hit, the far ones are estimated, and the rest are near.
 */
function sumFromEnd({ hitsAt, missesAt, misses }: MissRatio): Float64Array {
  const sampledMisses = missesAt.reduce((sum, reads) => sum + reads, 0);
  const weight = sampledMisses > 0 ? misses / sampledMisses : 0;
  const sums = new Float64Array(BUCKETS + 1);
  let sum = 0;
  for (let bucket = BUCKETS; bucket >= 0; bucket -= 1) {
    sum += hitsAt[bucket] + missesAt[bucket] * weight;
    sums[bucket] = sum;
  }
  return sums;
}

function missRatioAt(ratio: MissRatio, missing: Float64Array, bytes: number): number | null {
  const references = ratio.hits + ratio.misses - ratio.unknownReads;
  if (!(references > 0)) return null;
  const place = bucketOf(bytes);
  const bucket = Math.floor(place);
  const reads = missing[bucket] + (missing[bucket + 1] - missing[bucket]) * (place - bucket);
  return Math.min(1, Math.max(0, reads / references));
}

function readCurve(ratio: MissRatio, missing: Float64Array): CurvePoint[] {
  const { stack, limitBytes, threshold } = ratio;
  if (stack.count === 0 || missRatioAt(ratio, missing, limitBytes) === null) return [];
  const trackedBytes = (stack.totalBytes * POINTS) / threshold;
  const last = limitBytes * MISS_RATIO_REACH;
  const first = Math.max(CURVE_BYTES_MIN, Math.min(limitBytes, trackedBytes) / CURVE_SHRINK);
  const step = (last / first) ** (1 / (MISS_RATIO_POINTS_MAX - 1));
  const meanBytes = stack.totalBytes / stack.count;
  return Array.from({ length: MISS_RATIO_POINTS_MAX }, (_, index) => {
    const bytes = Math.round(first * step ** index);
    const missRatio = missRatioAt(ratio, missing, bytes) ?? 0;
    return { bytes, keys: Math.round(bytes / meanBytes), missRatio };
  });
}
