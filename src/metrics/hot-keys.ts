/**
 * The keys that one thread uses most, from a sample of its accesses: a sketch of a fixed number of counters. Private to its thread.
 *
 * Space-Saving (Metwally, Agrawal, El Abbadi, "Efficient Computation of Frequent and Top-k Elements in Data Streams", ICDT 2005):
 * a key without a counter takes over the lowest one together with its count, which is then the most by which the key may
 * be counted too high. Every key with more than 1 / counters of all accesses has a counter. One access in `stride` is
 * sampled and counts for all of them; the stride follows the load, and the distance to the next one is drawn at random, so that
 * a workload with a period is sampled fairly. Counts halve in HOT_KEY_HALF_LIFE_MS. Keys are kept as bytes, long ones cut.
 */
import { Buffer } from 'node:buffer';
import { copyBytes, equalBytes } from '../base/bytes.ts';
import { nextRandom } from '../base/random.ts';
import {
  HOT_KEY_BYTES_MAX,
  HOT_KEY_COUNTERS,
  HOT_KEY_HALF_LIFE_MS,
  HOT_KEY_SAMPLES_PER_SECOND_MAX,
  HOT_KEY_STRIDE_MAX,
} from '../config/limits.ts';

export type HotKeySketch = {
  /** By counter, `[0, used)`. `counts` is the most that the key can have been used, `reads` and `writes` what was seen of it. */
  readonly hashes: Int32Array;
  readonly databases: Uint8Array;
  readonly lengths: Int32Array;
  readonly reads: Float64Array;
  readonly writes: Float64Array;
  readonly counts: Float64Array;
  /** HOT_KEY_BYTES_MAX for each counter. */
  readonly keys: Buffer;
  used: number;
  accesses: number;
  /** For how long has been counted, faded as the counts are. */
  seconds: number;
  /** Accesses that one sample stands for. */
  stride: number;
  samples: number;
  windowStartMs: number;
  randomState: number;
};

/** A key of one thread, accesses per second: `error` is how many more there may have been. */
export type HotKeyCount = {
  readonly database: number;
  /** One character per byte, at most HOT_KEY_BYTES_MAX. */
  readonly key: string;
  /** How long the key is in truth. */
  readonly keyBytes: number;
  readonly readsPerSecond: number;
  readonly writesPerSecond: number;
  readonly errorPerSecond: number;
};

/** What one thread tells: a key that is not among `keys` has at most `missingPerSecond`. */
export type HotKeyCounts = {
  readonly keys: readonly HotKeyCount[];
  readonly accessesPerSecond: number;
  readonly missingPerSecond: number;
};

const WINDOW_MS = 1000;

export function createHotKeySketch(seed: number, nowMs: number): HotKeySketch {
  return {
    hashes: new Int32Array(HOT_KEY_COUNTERS),
    databases: new Uint8Array(HOT_KEY_COUNTERS),
    lengths: new Int32Array(HOT_KEY_COUNTERS),
    reads: new Float64Array(HOT_KEY_COUNTERS),
    writes: new Float64Array(HOT_KEY_COUNTERS),
    counts: new Float64Array(HOT_KEY_COUNTERS),
    keys: Buffer.alloc(HOT_KEY_COUNTERS * HOT_KEY_BYTES_MAX),
    used: 0,
    accesses: 0,
    seconds: 0,
    stride: 1,
    samples: 0,
    windowStartMs: nowMs,
    randomState: seed,
  };
}

/** Counts one sampled access to the key in `bytes[start, end)`, whose hash over database and key is given. Some 200 ns. */
export function noteHotKey(
  sketch: HotKeySketch,
  database: number,
  bytes: Buffer,
  start: number,
  end: number,
  hash: number,
  isWrite: boolean,
): void {
  const { stride } = sketch;
  let counter = findCounter(sketch, database, bytes, start, end, hash);
  if (counter < 0) {
    counter = takeCounter(sketch);
    sketch.hashes[counter] = hash;
    sketch.databases[counter] = database;
    sketch.lengths[counter] = end - start;
    copyBytes(bytes, start, start + keptBytes(end - start), sketch.keys, counter * HOT_KEY_BYTES_MAX);
  }
  (isWrite ? sketch.writes : sketch.reads)[counter] += stride;
  sketch.counts[counter] += stride;
  sketch.accesses += stride;
  sketch.samples += 1;
}

/** How many accesses there are from a sample to the next: `stride` in the mean. */
export function drawGap(sketch: HotKeySketch): number {
  sketch.randomState = nextRandom(sketch.randomState);
  return 1 + ((sketch.randomState >>> 0) % (2 * sketch.stride - 1));
}

/** Lets counts fade and the stride follow the load. After each sample, and before a reading; cheap unless a second has passed. */
export function tendHotKeys(sketch: HotKeySketch, nowMs: number): void {
  const elapsedMs = nowMs - sketch.windowStartMs;
  const isBusy = sketch.samples > HOT_KEY_SAMPLES_PER_SECOND_MAX;
  // A clock that was set back begins a new second.
  if (!isBusy && elapsedMs >= 0 && elapsedMs < WINDOW_MS) return;
  const elapsed = Math.max(0, elapsedMs);
  if (isBusy) sketch.stride = Math.min(HOT_KEY_STRIDE_MAX, sketch.stride * 2);
  else if (sketch.samples * WINDOW_MS * 4 < HOT_KEY_SAMPLES_PER_SECOND_MAX * elapsed)
    sketch.stride = Math.max(1, sketch.stride >> 1);
  fade(sketch, elapsed);
  sketch.samples = 0;
  sketch.windowStartMs = nowMs;
}

/** The keys of this thread. O(counters). */
export function readHotKeyCounts(sketch: HotKeySketch, nowMs: number): HotKeyCounts {
  tendHotKeys(sketch, nowMs);
  const seconds = sketch.seconds + Math.max(0, nowMs - sketch.windowStartMs) / 1000;
  // Before a moment has passed, nothing can be said per second.
  if (seconds <= 0) return { keys: [], accessesPerSecond: 0, missingPerSecond: 0 };
  const { reads, writes, counts, databases, lengths, keys } = sketch;
  const told = Array.from({ length: sketch.used }, (_, counter) => {
    const at = counter * HOT_KEY_BYTES_MAX;
    return {
      database: databases[counter],
      key: keys.toString('latin1', at, at + keptBytes(lengths[counter])),
      keyBytes: lengths[counter],
      readsPerSecond: reads[counter] / seconds,
      writesPerSecond: writes[counter] / seconds,
      errorPerSecond: Math.max(0, counts[counter] - reads[counter] - writes[counter]) / seconds,
    };
  });
  const missing = sketch.used < HOT_KEY_COUNTERS ? 0 : counts[lowestCounter(sketch)];
  return {
    keys: told,
    accessesPerSecond: sketch.accesses / seconds,
    missingPerSecond: missing / seconds,
  };
}

function findCounter(
  sketch: HotKeySketch,
  database: number,
  bytes: Buffer,
  start: number,
  end: number,
  hash: number,
): number {
  const { hashes, databases, lengths, used, keys } = sketch;
  const keptEnd = start + keptBytes(end - start);
  for (let counter = 0; counter < used; counter += 1) {
    if (hashes[counter] !== hash || lengths[counter] !== end - start || databases[counter] !== database)
      continue;
    if (equalBytes(bytes, start, keptEnd, keys, counter * HOT_KEY_BYTES_MAX)) return counter;
  }
  return -1;
}

/** A counter for a new key: a free one, or the lowest, whose count stays. */
function takeCounter(sketch: HotKeySketch): number {
  if (sketch.used < HOT_KEY_COUNTERS) {
    sketch.used += 1;
    return sketch.used - 1;
  }
  const counter = lowestCounter(sketch);
  sketch.reads[counter] = 0;
  sketch.writes[counter] = 0;
  return counter;
}

function lowestCounter({ counts, used }: HotKeySketch): number {
  let lowest = 0;
  for (let counter = 1; counter < used; counter += 1) {
    if (counts[counter] < counts[lowest]) lowest = counter;
  }
  return lowest;
}

function fade(sketch: HotKeySketch, elapsedMs: number): void {
  const factor = 2 ** (-elapsedMs / HOT_KEY_HALF_LIFE_MS);
  const { reads, writes, counts } = sketch;
  for (let counter = 0; counter < sketch.used; counter += 1) {
    reads[counter] *= factor;
    writes[counter] *= factor;
    counts[counter] *= factor;
  }
  sketch.accesses *= factor;
  sketch.seconds = (sketch.seconds + elapsedMs / 1000) * factor;
}

function keptBytes(length: number): number {
  return Math.min(length, HOT_KEY_BYTES_MAX);
}
