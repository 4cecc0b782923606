/**
 * A worker's rehearsal: it fills and expires a small shard of its own, so that the runtime has compiled the paths on
 * which much may depend at once before it does.
 *
 * Runs on a worker, between its turns (net/rehearsing.ts). The first half million keys that fall due at one moment took 190 ms in code
 * that had never run, of which 110 ms were its compilation; after the rehearsal, 100 ms and less.
 */
import { Buffer } from 'node:buffer';
import {
  HOUSEKEEPING_SLICE_ENTRIES,
  REHEARSAL_KEYS,
  REHEARSAL_STEP_KEYS,
  REHEARSAL_WIDE_KEYS,
} from '../config/limits.ts';
import { expireDue } from './housekeeping.ts';
import { startJournaling } from './journal.ts';
import { findEntry, putString } from './keyspace.ts';
import { KEYS_LIVE } from './layout.ts';
import { ALL_LRU } from './policy.ts';
import { touchEntry } from './recency.ts';
import { createShardBuffers, formatShard, openShard, type Shard } from './shard.ts';

export type Rehearsal = {
  readonly shard: Shard;
  nowMs: number;
  /** Of the wide part: keys that are still to be put, then steps that still expire them. */
  wideLeft: number;
  /** Of the narrow part, which follows. */
  keysLeft: number;
};

/** Nobody waits for the locks of this shard, and nobody reads its clock. */
const NO_THREAD = 1;
const START_MS = 1e12;
const STEP_MS = 1000;
/** The keys of the wide part are due after so long: the wheel holds them in a coarse bucket first. */
const WIDE_DUE_MS = 10_000;
const MEMORY_BYTES = 4 * 2 ** 20;
/** Keys of every length modulo the word: code for the ends of the others would be compiled anew when they come. */
const KEY_BYTES_MIN = 9;
const KEY_BYTES_MAX = 12;
const VALUE_BYTES = 32;

export function createRehearsal(): Rehearsal {
  const buffers = createShardBuffers({
    capacityBytes: MEMORY_BYTES,
    limitBytes: MEMORY_BYTES,
    keysMax: 0,
    policy: ALL_LRU,
    databases: 1,
    lfuLogFactor: 1,
    lfuDecayMinutes: 1,
    holdSampling: 1,
    hashKey: [1, 2],
    seed: 1,
    nowMs: START_MS,
  });
  const shard = openShard(buffers, 0, NO_THREAD, { wallMs: () => START_MS, monotonicMs: () => 0 });
  formatShard(shard, START_MS);
  return { shard, nowMs: START_MS, wideLeft: REHEARSAL_WIDE_KEYS, keysLeft: REHEARSAL_KEYS };
}

/**
 * One step of a few milliseconds at first, of one later; true when more are left.
 *
 * First many keys at once, once: branches that only a large table, a bucket of many or a growing lag takes are seen then, while
 * the code is not compiled yet. Code that was compiled without having seen one is thrown away when it comes.
 */
export function rehearse(rehearsal: Rehearsal): boolean {
  // Drops what the step before has left, which nobody writes.
  startJournaling(rehearsal.shard);
  if (rehearsal.wideLeft > 0) rehearseWide(rehearsal);
  else rehearseNarrow(rehearsal);
  return rehearsal.keysLeft > 0;
}

function rehearseWide(rehearsal: Rehearsal): void {
  const { shard } = rehearsal;
  rehearsal.wideLeft -= REHEARSAL_STEP_KEYS;
  putKeys(rehearsal, rehearsal.wideLeft, WIDE_DUE_MS);
  if (rehearsal.wideLeft > 0) return;
  // Later and later, as when there is more due than one turn removes.
  let nowMs = rehearsal.nowMs + WIDE_DUE_MS;
  do {
    startJournaling(shard);
    nowMs += 1;
  } while (expireDue(shard, nowMs, HOUSEKEEPING_SLICE_ENTRIES) || shard.control[KEYS_LIVE] > 0);
  expireDue(shard, nowMs, HOUSEKEEPING_SLICE_ENTRIES);
  rehearsal.nowMs = nowMs + STEP_MS;
}

function rehearseNarrow(rehearsal: Rehearsal): void {
  putKeys(rehearsal, 0, 1);
  rehearsal.nowMs += STEP_MS;
  while (expireDue(rehearsal.shard, rehearsal.nowMs, REHEARSAL_STEP_KEYS));
  rehearsal.keysLeft -= REHEARSAL_STEP_KEYS;
}

function putKeys({ shard, nowMs }: Rehearsal, first: number, dueMs: number): void {
  const key = Buffer.alloc(KEY_BYTES_MAX);
  const value = Buffer.alloc(VALUE_BYTES);
  for (let number = 0; number < REHEARSAL_STEP_KEYS; number += 1) {
    const keyBytes = KEY_BYTES_MIN + (number % (KEY_BYTES_MAX - KEY_BYTES_MIN + 1));
    key.writeUInt32LE(first + number);
    putString(shard, 0, key, 0, keyBytes, value, 0, VALUE_BYTES, nowMs + dueMs, nowMs);
    touchEntry(shard, findEntry(shard, 0, key, 0, keyBytes, nowMs), nowMs);
  }
}
