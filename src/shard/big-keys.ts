/**
 * The largest keys of all shards, and what the keys take by their type and size.
 *
 * Runs on a thread of the job pool. What is gathered lies in memory of fixed size, so that nothing is allocated under a
 * shard's lock: the largest are the places of a heap whose root is the least of them.
 */
import { Buffer } from 'node:buffer';
import type { Clock } from '../base/clock.ts';
import { BIG_KEY_BYTES_TOLD, BIG_KEYS_MAX } from '../config/limits.ts';
import { entryBytes, expiresAt, keyLength, keyOffset, typeOf } from './entry.ts';
import { memoryOfEntry } from './footprint.ts';
import { SHAPE_TYPE_MASK } from './layout.ts';
import { openShard, type Shard, type ShardBuffers } from './shard.ts';
import { visitEntries } from './visit.ts';

/** Float64 numbers in shared memory: the keys that were visited so far, and whether the job is to stop (not 0). */
export const BIG_KEYS_VISITED = 0;
export const BIG_KEYS_CALLED_OFF = 1;
export const BIG_KEYS_NUMBERS = 2;

export type BigKeysRequest = {
  readonly buffers: readonly ShardBuffers[];
  /** Which no other thread has at that time (shard/recover.ts). */
  readonly threadId: number;
  /** Of one processor, above 0 up to 1. */
  readonly share: number;
  readonly progress: SharedArrayBuffer;
};

/** The largest first. */
export type BigKeysReport = KeyTotals & {
  /** Whether it was called off; then the rest is of the part that was visited. */
  readonly calledOff: boolean;
  readonly largest: readonly BigKey[];
  readonly byType: readonly (KeyTotals & { readonly type: number })[];
  /** Keys of up to `bytesMax` bytes, and of more than the half of that. */
  readonly bySize: readonly (KeyTotals & { readonly bytesMax: number })[];
};

export type BigKey = {
  readonly database: number;
  /** Its first BIG_KEY_BYTES_TOLD bytes, of `keyBytes`. */
  readonly key: Uint8Array;
  readonly keyBytes: number;
  readonly type: number;
  /** As MEMORY USAGE tells them. */
  readonly bytes: number;
  /** Wall time, or 0. */
  readonly expiresAtMs: number;
};

type KeyTotals = { readonly keys: number; readonly bytes: number };

type Gathering = {
  keys: number;
  bytes: number;
  readonly typeKeys: Float64Array;
  readonly typeBytes: Float64Array;
  /** By the bits of the size. */
  readonly sizeKeys: Float64Array;
  readonly sizeBytes: Float64Array;
  /** How many places are taken, and the heap of them. */
  count: number;
  readonly heap: Int32Array;
  /** By place. */
  readonly bytesAt: Float64Array;
  readonly database: Int32Array;
  readonly type: Int32Array;
  readonly keyBytes: Float64Array;
  readonly expiresAtMs: Float64Array;
  readonly names: Buffer;
};

const TYPES = SHAPE_TYPE_MASK + 1;
const SIZE_BITS = 53;

/** Visits all keys. `pace` is called between slices. */
export function bigKeysJob(request: BigKeysRequest, clock: Clock, pace: () => void): BigKeysReport {
  const numbers = new Float64Array(request.progress);
  const gathering = createGathering();
  const pause = (): boolean => {
    numbers[BIG_KEYS_VISITED] = gathering.keys;
    pace();
    return numbers[BIG_KEYS_CALLED_OFF] === 0;
  };
  const gather = (shard: Shard, ref: number, database: number) => gatherKey(gathering, shard, ref, database);
  const isWhole = request.buffers.every((buffers, index) =>
    visitEntries(openShard(buffers, index, request.threadId, clock), gather, pause),
  );
  return reportOf(gathering, !isWhole);
}

function createGathering(): Gathering {
  return {
    keys: 0,
    bytes: 0,
    typeKeys: new Float64Array(TYPES),
    typeBytes: new Float64Array(TYPES),
    sizeKeys: new Float64Array(SIZE_BITS),
    sizeBytes: new Float64Array(SIZE_BITS),
    count: 0,
    heap: new Int32Array(BIG_KEYS_MAX),
    bytesAt: new Float64Array(BIG_KEYS_MAX),
    database: new Int32Array(BIG_KEYS_MAX),
    type: new Int32Array(BIG_KEYS_MAX),
    keyBytes: new Float64Array(BIG_KEYS_MAX),
    expiresAtMs: new Float64Array(BIG_KEYS_MAX),
    names: Buffer.alloc(BIG_KEYS_MAX * BIG_KEY_BYTES_TOLD),
  };
}

function gatherKey(gathering: Gathering, shard: Shard, ref: number, database: number): void {
  const { typeKeys, typeBytes, sizeKeys, sizeBytes, heap, bytesAt } = gathering;
  const { entries } = shard;
  const bytes = memoryOfEntry(shard, ref);
  const type = typeOf(entries, ref);
  const bits = Math.ceil(Math.log2(bytes));
  gathering.keys += 1;
  gathering.bytes += bytes;
  typeKeys[type] += 1;
  typeBytes[type] += bytes;
  sizeKeys[bits] += 1;
  sizeBytes[bits] += bytes;
  if (gathering.count < BIG_KEYS_MAX) {
    const place = gathering.count;
    gathering.count += 1;
    writePlace(gathering, place, shard, ref, database, bytes);
    rise(gathering, place, place);
  } else if (bytes > bytesAt[heap[0]]) {
    writePlace(gathering, heap[0], shard, ref, database, bytes);
    sink(gathering);
  }
}

function writePlace(
  gathering: Gathering,
  place: number,
  shard: Shard,
  ref: number,
  database: number,
  bytes: number,
): void {
  const { entries } = shard;
  const length = keyLength(entries, ref);
  const start = keyOffset(entries, ref);
  gathering.bytesAt[place] = bytes;
  gathering.database[place] = database;
  gathering.type[place] = typeOf(entries, ref);
  gathering.keyBytes[place] = length;
  gathering.expiresAtMs[place] = expiresAt(entries, ref);
  const told = Math.min(length, BIG_KEY_BYTES_TOLD);
  entryBytes(entries, ref).copy(gathering.names, place * BIG_KEY_BYTES_TOLD, start, start + told);
}

/** Puts a place into the heap, from `index` upwards. */
function rise({ heap, bytesAt }: Gathering, place: number, index: number): void {
  let at = index;
  while (at > 0) {
    const parent = (at - 1) >> 1;
    if (bytesAt[heap[parent]] <= bytesAt[place]) break;
    heap[at] = heap[parent];
    at = parent;
  }
  heap[at] = place;
}

/** Moves the root, which has grown, down to where it belongs. */
function sink({ heap, bytesAt, count }: Gathering): void {
  const place = heap[0];
  let at = 0;
  for (let child = 1; child < count; child = 2 * at + 1) {
    const right = child + 1;
    if (right < count && bytesAt[heap[right]] < bytesAt[heap[child]]) child = right;
    if (bytesAt[heap[child]] >= bytesAt[place]) break;
    heap[at] = heap[child];
    at = child;
  }
  heap[at] = place;
}

function reportOf(gathering: Gathering, calledOff: boolean): BigKeysReport {
  const { keys, bytes, typeKeys, typeBytes, sizeKeys, sizeBytes } = gathering;
  return {
    calledOff,
    keys,
    bytes,
    largest: largestOf(gathering),
    byType: indicesWith(typeKeys).map((type) => ({ type, keys: typeKeys[type], bytes: typeBytes[type] })),
    bySize: indicesWith(sizeKeys).map((bits) => {
      return { bytesMax: 2 ** bits, keys: sizeKeys[bits], bytes: sizeBytes[bits] };
    }),
  };
}

/** Each key once: one that was visited twice may have two places. */
function largestOf(gathering: Gathering): BigKey[] {
  const { heap, count, bytesAt } = gathering;
  const places = [...heap.subarray(0, count)].sort((a, b) => bytesAt[b] - bytesAt[a]);
  const found = new Map<string, BigKey>();
  for (const place of places) {
    const key = keyAt(gathering, place);
    const name = `${key.database} ${key.keyBytes} ${Buffer.from(key.key).toString('latin1')}`;
    if (!found.has(name)) found.set(name, key);
  }
  return [...found.values()];
}

function keyAt(gathering: Gathering, place: number): BigKey {
  const start = place * BIG_KEY_BYTES_TOLD;
  const keyBytes = gathering.keyBytes[place];
  return {
    database: gathering.database[place],
    key: new Uint8Array(gathering.names.subarray(start, start + Math.min(keyBytes, BIG_KEY_BYTES_TOLD))),
    keyBytes,
    type: gathering.type[place],
    bytes: gathering.bytesAt[place],
    expiresAtMs: gathering.expiresAtMs[place],
  };
}

function indicesWith(counts: Float64Array): number[] {
  return [...counts.keys()].filter((index) => counts[index] > 0);
}
