/**
 * Simulated caches that count uses: LFU as redis-server has it, and W-TinyLFU. Pure, but for the chance that they are given.
 */
import { type CacheSize, mixKey, type SimulatedCache } from './cache-policies.ts';
import { createKeyQueues, moveKey, NO_KEY, NO_QUEUE, oldestIn, pushKey, takeKey } from './key-queues.ts';

/** Numbers in [0, 1). */
export type Chance = () => number;

/** redis-server 7.0.15: evict.c and its defaults. */
const POOL_ENTRIES = 16;
const USES_INITIAL = 5;
const USES_MAX = 255;
const LOG_FACTOR = 10;
/** How fast its minutes pass. */
const READS_PER_MINUTE = 1_000_000;

const WINDOW = 1;
const PROBATION = 2;
const PROTECTED = 3;
const PROTECTED_SHARE = 0.8;

const COUNT_MAX = 15;
const LINE_COUNTERS = 128;
/** Reads for each key that has room until all counters have been halved. */
const SAMPLE_READS = 10;

/** A candidate of the pool; the larger `rank`, the sooner it goes. */
type Candidate = { readonly key: number; readonly rank: number };

/** The resident keys in any order, so that they can be drawn from. */
type Residents = { readonly keys: number[]; readonly places: Int32Array };

/** `samples` random keys are looked at for each eviction, and the best of them are kept for the next. */
export function createSampledLfu(
  { keys, bytesMax }: CacheSize,
  samples: number,
  chance: Chance,
): SimulatedCache {
  const residents: Residents = { keys: [], places: new Int32Array(keys).fill(NO_KEY) };
  const uses = new Uint8Array(keys);
  const minutes = new Int32Array(keys);
  const sizes = new Float64Array(keys);
  const pool: Candidate[] = [];
  let held = 0;
  let reads = 0;
  const minute = (): number => Math.floor(reads / READS_PER_MINUTE);
  const usesNow = (key: number): number => Math.max(0, uses[key] - (minute() - minutes[key]));
  const fillPool = (): void => {
    for (let draw = 0; draw < samples; draw += 1) {
      const key = residents.keys[Math.floor(chance() * residents.keys.length)];
      if (!pool.some((other) => other.key === key)) enterPool(pool, { key, rank: USES_MAX - usesNow(key) });
    }
  };
  const evict = (): void => {
    for (;;) {
      fillPool();
      while (pool.length > 0) {
        const { key } = pool.pop() as Candidate;
        if (residents.places[key] === NO_KEY) continue;
        removeResident(residents, key);
        held -= sizes[key];
        return;
      }
    }
  };
  return (key, bytes) => {
    reads += 1;
    const isHit = residents.places[key] !== NO_KEY;
    if (isHit) {
      const count = usesNow(key);
      const odds = 1 / (Math.max(0, count - USES_INITIAL) * LOG_FACTOR + 1);
      uses[key] = count < USES_MAX && chance() < odds ? count + 1 : count;
    } else {
      while (held + bytes > bytesMax && residents.keys.length > 0) evict();
      uses[key] = USES_INITIAL;
      sizes[key] = bytes;
      held += bytes;
      addResident(residents, key);
    }
    minutes[key] = minute();
    return isHit;
  };
}

export type TinyOptions = {
  /** The window's share of the bytes. */
  readonly window: number;
  /** Counters of four bits for each key that has room, and of how many the least is believed. */
  readonly counters: number;
  readonly rows: number;
};

/** Einziger, Friedman, Manes, "TinyLFU: a highly efficient cache admission policy" (ACM Transactions on Storage, 2017). */
export function createTinyLfu(size: CacheSize, { window, counters, rows }: TinyOptions): SimulatedCache {
  const { keys, bytesMax } = size;
  const queues = createKeyQueues(keys, 3);
  const { bytes: held, counts } = queues;
  const sketch = createSketch(size.entries, counters, rows);
  const promote = (key: number): void => {
    moveKey(queues, PROTECTED, key);
    while (held[PROTECTED] > bytesMax * (1 - window) * PROTECTED_SHARE)
      moveKey(queues, PROBATION, oldestIn(queues, PROTECTED));
  };
  const evict = (isWindowDue: boolean): void => {
    const candidate = isWindowDue ? oldestIn(queues, WINDOW) : NO_KEY;
    const victim = oldestIn(queues, counts[PROBATION] > 0 ? PROBATION : PROTECTED);
    if (victim === NO_KEY) takeKey(queues, oldestIn(queues, WINDOW));
    else if (candidate === NO_KEY) takeKey(queues, victim);
    else if (sketch.estimate(candidate) <= sketch.estimate(victim)) takeKey(queues, candidate);
    else {
      takeKey(queues, victim);
      moveKey(queues, PROBATION, candidate);
    }
  };
  return (key, bytes) => {
    sketch.count(key);
    const queue = queues.queue[key];
    if (queue === WINDOW) moveKey(queues, WINDOW, key);
    else if (queue !== NO_QUEUE) promote(key);
    if (queue !== NO_QUEUE) return true;
    const isOver = (): boolean => held[WINDOW] + held[PROBATION] + held[PROTECTED] + bytes > bytesMax;
    while (isOver() && counts[WINDOW] + counts[PROBATION] + counts[PROTECTED] > 0)
      evict(held[WINDOW] + bytes > bytesMax * window);
    while (held[WINDOW] + bytes > bytesMax * window && counts[WINDOW] > 0)
      moveKey(queues, PROBATION, oldestIn(queues, WINDOW));
    pushKey(queues, WINDOW, key, bytes);
    return false;
  };
}

type Sketch = { readonly count: (key: number) => void; readonly estimate: (key: number) => number };

/** A count-min sketch with conservative update, all of a key's counters in one line; the lines are halved one after the other. */
function createSketch(entries: number, counters: number, rows: number): Sketch {
  const lines = Math.max(1, Math.ceil((entries * counters) / LINE_COUNTERS));
  const counts = new Uint8Array(lines * LINE_COUNTERS);
  const readsPerLine = (entries * SAMPLE_READS) / lines;
  const width = LINE_COUNTERS / rows;
  let reads = 0;
  let hand = 0;
  const placeOf = (hash: number, row: number): number => {
    const place = (Math.imul(hash, 0xcc9e_2d51) >>> (row * 7 + 3)) % width;
    return (hash % lines) * LINE_COUNTERS + row * width + place;
  };
  const leastOf = (hash: number): number => {
    let least = COUNT_MAX;
    for (let row = 0; row < rows; row += 1) least = Math.min(least, counts[placeOf(hash, row)]);
    return least;
  };
  const age = (): void => {
    for (reads += 1; reads >= readsPerLine; reads -= readsPerLine) {
      for (let at = 0; at < LINE_COUNTERS; at += 1) counts[hand * LINE_COUNTERS + at] >>= 1;
      hand = (hand + 1) % lines;
    }
  };
  return {
    estimate: (key) => leastOf(mixKey(key)),
    count: (key) => {
      const hash = mixKey(key);
      const least = leastOf(hash);
      for (let row = 0; row < rows && least < COUNT_MAX; row += 1) {
        const place = placeOf(hash, row);
        if (counts[place] === least) counts[place] += 1;
      }
      age();
    },
  };
}

/** Kept in order, the next to go last; without room only for what goes sooner than the first. */
function enterPool(pool: Candidate[], candidate: Candidate): void {
  let at = 0;
  while (at < pool.length && pool[at].rank < candidate.rank) at += 1;
  if (at === 0 && pool.length === POOL_ENTRIES) return;
  pool.splice(at, 0, candidate);
  if (pool.length > POOL_ENTRIES) pool.shift();
}

function addResident({ keys, places }: Residents, key: number): void {
  places[key] = keys.length;
  keys.push(key);
}

function removeResident({ keys, places }: Residents, key: number): void {
  const last = keys.pop() as number;
  const place = places[key];
  if (last !== key) {
    keys[place] = last;
    places[last] = place;
  }
  places[key] = NO_KEY;
}
