/**
 * Sampled accesses on their way from the threads that execute commands to main: what both must agree on, in one SharedArrayBuffer.
 *
 *   ┌─ control ──────────────┬─ ring of thread 0 ─────────────────────────────┬─ ring of thread 1 ─┬ ...
 *   │ THRESHOLD SEED_0 SEED_1│ WRITTEN DROPPED ..  TAKEN ..   accesses        │                    │
 *   └────────────────────────┴────────────────────────────────────────────────┴────────────────────┴ ...
 *
 * Main writes the control words and TAKEN; each thread is the only writer of the rest of its own ring. An access is ten words:
 *
 *   0      1      2       3          4           5       6 .. 7        8 .. 9
 *  ┌──────┬──────┬───────┬──────────┬───────────┬───────┬─────────────┬─────────┐
 *  │ LOW  │ HIGH │ POINT │ DATABASE │ REFERENCE │ CELLS │ DEADLINE_MS │ AT_MS   │   times are float64
 *  └──────┴──────┴───────┴──────────┴───────────┴───────┴─────────────┴─────────┘
 *
 * A ring that is full drops, and counts what it dropped: sampling never makes a command wait.
 */
import { assert } from '../base/assert.ts';
import { ACCESS_RING_EVENTS } from '../config/limits.ts';
import type { Access } from './miss-ratio.ts';

/** Control words: keys whose points are below THRESHOLD are sampled; the seeds are the process's secret. */
export const THRESHOLD = 0;
export const SEED_0 = 1;
export const SEED_1 = 2;

/** As the reference of an access: the keys of its database are gone, all of them. */
export const DATABASE_EMPTIED = 3;

const WORD_BYTES = 4;
/** Writers and readers of these words do not share cache lines. */
const CONTROL_WORDS = 32;
const WRITTEN = 0;
const DROPPED = 1;
const TAKEN = 32;
const HEADER_WORDS = 64;

const LOW = 0;
const HIGH = 1;
const POINT = 2;
const DATABASE = 3;
const REFERENCE = 4;
const CELLS = 5;
const DEADLINE_MS = 3;
const AT_MS = 4;
const ACCESS_WORDS = 10;
const ACCESS_DOUBLES = ACCESS_WORDS / 2;
const CELL_BYTES = 8;

const RING_WORDS = HEADER_WORDS + ACCESS_RING_EVENTS * ACCESS_WORDS;
const INDEX_MASK = ACCESS_RING_EVENTS - 1;

assert((ACCESS_RING_EVENTS & INDEX_MASK) === 0, 'a ring holds a power of two of accesses');
assert(2 * DEADLINE_MS > CELLS && 2 * AT_MS + 2 === ACCESS_WORDS, 'times lie behind the words');

export type AccessRing = {
  readonly header: Int32Array;
  readonly words: Int32Array;
  readonly doubles: Float64Array;
};

/** Empty rings for so many threads. Nothing is sampled until main writes a threshold. 160 KiB a thread, touched as it is used. */
export function createAccessBuffer(threads: number, seed0: number, seed1: number): SharedArrayBuffer {
  const buffer = new SharedArrayBuffer((CONTROL_WORDS + threads * RING_WORDS) * WORD_BYTES);
  const control = openAccessControl(buffer);
  control[SEED_0] = seed0;
  control[SEED_1] = seed1;
  return buffer;
}

export function openAccessControl(buffer: SharedArrayBuffer): Int32Array {
  return new Int32Array(buffer, 0, CONTROL_WORDS);
}

/** The ring of a thread: 0 is main, 1 + i worker i. */
export function openAccessRing(buffer: SharedArrayBuffer, thread: number): AccessRing {
  const header = (CONTROL_WORDS + thread * RING_WORDS) * WORD_BYTES;
  const accesses = header + HEADER_WORDS * WORD_BYTES;
  return {
    header: new Int32Array(buffer, header, HEADER_WORDS),
    words: new Int32Array(buffer, accesses, ACCESS_RING_EVENTS * ACCESS_WORDS),
    doubles: new Float64Array(buffer, accesses, ACCESS_RING_EVENTS * ACCESS_DOUBLES),
  };
}

export function openAllAccessRings(buffer: SharedArrayBuffer): AccessRing[] {
  const threads = Math.floor((buffer.byteLength / WORD_BYTES - CONTROL_WORDS) / RING_WORDS);
  return Array.from({ length: threads }, (_, thread) => openAccessRing(buffer, thread));
}

/** Whether there is a place for an access; one that has none counts as dropped. Only the ring's thread. */
export function hasRoomFor({ header }: AccessRing): boolean {
  if (((header[WRITTEN] - Atomics.load(header, TAKEN)) | 0) < ACCESS_RING_EVENTS) return true;
  header[DROPPED] += 1;
  return false;
}

/** Hands an access over, for which there is room. Only the ring's thread; some 20 ns. */
export function pushAccess({ header, words, doubles }: AccessRing, access: Access): void {
  const index = header[WRITTEN] & INDEX_MASK;
  const word = index * ACCESS_WORDS;
  words[word + LOW] = access.low;
  words[word + HIGH] = access.high;
  words[word + POINT] = access.point;
  words[word + DATABASE] = access.database;
  words[word + REFERENCE] = access.reference;
  words[word + CELLS] = access.bytes / CELL_BYTES;
  doubles[index * ACCESS_DOUBLES + DEADLINE_MS] = access.deadlineMs;
  doubles[index * ACCESS_DOUBLES + AT_MS] = access.atMs;
  Atomics.store(header, WRITTEN, (header[WRITTEN] + 1) | 0);
}

/** Accesses that a ring has dropped so far, modulo 2^32. */
export function droppedAccesses({ header }: AccessRing): number {
  return header[DROPPED] >>> 0;
}

/**
 * Takes what the rings hold at this moment, in the order of time, and gives each to `take`, in one record that is filled anew
 * for the next. Returns how many there were. Only main.
 */
export function drainAccesses(rings: readonly AccessRing[], access: Access, take: () => void): number {
  const ends = rings.map(({ header }) => Atomics.load(header, WRITTEN));
  let taken = 0;
  for (;;) {
    const ring = earliestRing(rings, ends);
    if (ring === undefined) return taken;
    readAccess(ring, access);
    Atomics.store(ring.header, TAKEN, (ring.header[TAKEN] + 1) | 0);
    take();
    taken += 1;
  }
}

/** The ring whose next access is the earliest of those before `ends`; undefined when all are taken. */
function earliestRing(rings: readonly AccessRing[], ends: readonly number[]): AccessRing | undefined {
  let earliest: AccessRing | undefined;
  let earliestMs = Infinity;
  for (let index = 0; index < rings.length; index += 1) {
    const { header, doubles } = rings[index];
    if (header[TAKEN] === ends[index]) continue;
    const atMs = doubles[(header[TAKEN] & INDEX_MASK) * ACCESS_DOUBLES + AT_MS];
    if (atMs >= earliestMs) continue;
    earliest = rings[index];
    earliestMs = atMs;
  }
  return earliest;
}

function readAccess({ header, words, doubles }: AccessRing, access: Access): void {
  const index = header[TAKEN] & INDEX_MASK;
  const word = index * ACCESS_WORDS;
  access.low = words[word + LOW];
  access.high = words[word + HIGH];
  access.point = words[word + POINT];
  access.database = words[word + DATABASE];
  access.reference = words[word + REFERENCE];
  access.bytes = words[word + CELLS] * CELL_BYTES;
  access.deadlineMs = doubles[index * ACCESS_DOUBLES + DEADLINE_MS];
  access.atMs = doubles[index * ACCESS_DOUBLES + AT_MS];
}
